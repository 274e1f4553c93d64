"""The page of shipped models, from their cards: what was reached, with intervals.

Run: python -m benchmarks.model_quality > docs/reference/models.md
"""

from medseg import settings
from medseg.domain import ModelCard
from medseg.models import read_card

#: What each model was asked to reach, mean Dice over its labels.
AIMS = {"hippocampus": 0.88, "sarcoma": 0.72}
HEAD = """# Models

Written by `python -m benchmarks.model_quality` from the cards in `medseg/shipped/models`. Dice is measured by
cross-validation on the native grid: each subject is judged by the one network that did not train on it. Intervals are 95 %
bootstrap intervals over subjects. The figures of every case stand in `quality.csv` of the bundle.
"""


def page(card: ModelCard) -> str:
    on_phantoms = "folds" not in dict(card.trained) and card.clicks is None
    rows = "\n".join(
        f"| {item.label} | {item.mean:.3f} | {item.low:.3f} to {item.high:.3f} | {item.cases} |"
        for item in card.quality
    )
    limits = "\n".join(f"- {limit}" for limit in card.limits)
    return f"""
## {card.name}: {card.title}

{card.summary} Channels: {", ".join(channel.name for channel in card.channels)}.

| structure | {"F1 of objects | interval | phantoms" if on_phantoms else "mean Dice | interval | subjects"} |
|---|---|---|---|
{rows}

{_measured(card)}

{limits}

Licence {card.licence}. {card.attribution}
"""


def _measured(card: ModelCard) -> str:
    if card.clicks is not None:
        return f"""Dice of {card.quality[0].note}. Trained in {dict(card.trained)["steps"]} steps; measured by
`{card.quality[0].command}`, beside methods without a network: [The promptable network](promptable.md)."""
    return _cross_validated(card) if "folds" in dict(card.trained) else _on_phantoms(card)


def _cross_validated(card: ModelCard) -> str:
    facts = dict(card.trained)
    labels = {label.name for label in card.table.labels}
    means = [item.mean for item in card.quality if item.label in labels]
    return f"""Mean over the labels: **{sum(means) / len(means):.3f}** (aim {AIMS[card.name]:.2f}). Trained in {facts["folds"]} folds of
{facts["steps_per_fold"]} steps by `{card.quality[0].command}`; {len(card.weights)} networks, whose probabilities are averaged. What
trained it is the bundle's `plan.yaml`; the configuration of that name may be newer."""


def _on_phantoms(card: ModelCard) -> str:
    quality = card.quality[0]
    return f"""F1 of {quality.note}. Trained in {dict(card.trained)["steps"]} steps by
`{quality.command}`. On shapes of patients: [Touching objects](touching-objects.md)."""


def main() -> None:
    folder = settings.shipped_folder() / "models"
    cards = [read_card(path.parent) for path in sorted(folder.glob("*/card.yaml"))]
    print(HEAD + "".join(page(card) for card in cards), end="")


if __name__ == "__main__":
    main()
