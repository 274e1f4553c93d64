"""The page of shipped models, from their cards: what was reached, with intervals.

Run: python -m benchmarks.model_quality > docs/reference/models.md
"""

from medseg import settings
from medseg.domain import ModelCard
from medseg.models import read_card

#: What each model was asked to reach, mean Dice over its labels.
AIMS = {"hippocampus": 0.88, "sarcoma": 0.72}
HEAD = """# Models

Written by `python -m benchmarks.model_quality` from the cards in `medseg/shipped/models`. Every figure is measured by
cross-validation on the native grid: each subject is judged by the one network that did not train on it. Intervals are 95 %
bootstrap intervals over subjects. The Dice of every subject stands in `quality.csv` of the bundle.
"""


def page(card: ModelCard) -> str:
    labels = {label.name for label in card.table.labels}
    means = [item.mean for item in card.quality if item.label in labels]
    rows = "\n".join(
        f"| {item.label} | {item.mean:.3f} | {item.low:.3f} to {item.high:.3f} | {item.cases} |"
        for item in card.quality
    )
    facts = dict(card.trained)
    limits = "\n".join(f"- {limit}" for limit in card.limits)
    return f"""
## {card.name}: {card.title}

{card.summary} Channels: {", ".join(channel.name for channel in card.channels)}.

| structure | mean Dice | interval | subjects |
|---|---|---|---|
{rows}

Mean over the labels: **{sum(means) / len(means):.3f}** (aim {AIMS.get(card.name, 0):.2f}). Trained in {facts["folds"]} folds of
{facts["steps_per_fold"]} steps by `{card.quality[0].command}`; {len(card.weights)} networks, whose probabilities are averaged.

{limits}

Licence {card.licence}. {card.attribution}
"""


def main() -> None:
    folder = settings.shipped_folder() / "models"
    cards = [read_card(path.parent) for path in sorted(folder.glob("*/card.yaml"))]
    print(HEAD + "".join(page(card) for card in cards), end="")


if __name__ == "__main__":
    main()
