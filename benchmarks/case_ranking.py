"""Whether the shipped models' doubt ranks cases for review: excess AURC over the oracle, beside chance.

    python -m benchmarks.case_ranking DATA

DATA holds the sets hippocampus and sarcoma. Each case is segmented by the one fold that did not train on it, alone, and
its doubt is 1 less the Dice that this fold expects of itself (`medseg segment DIR` prints that of the whole model).

Fixed before anything was run: the risk of a case is 1 less its mean Dice over the labels; a bad case is one of the worst
fifth by this risk; what is asked is the area under the curve of risk over coverage beyond the oracle's, over that of
chance (0: the oracle, 1: chance), with a bootstrap interval over cases, and how many of the bad cases are among the
fifth that is doubted most. Nothing was chosen by these figures.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from medseg.domain import Dataset, Run
from medseg.inference import ModelSegmenter
from medseg.io import open_dataset
from medseg.io.datasets import read_split
from medseg.metrics.ranking import rank_by_doubt
from medseg.models import read_card
from medseg.settings import shipped_folder
from medseg.training import TrainConfig, load_config
from medseg.training.cases import load_case, match_names
from medseg.training.validate import pooled_dice

_ROOT = Path(__file__).parents[1]
_BAD = 0.2


def main() -> None:
    """Both models, one after another."""
    data = Path(sys.argv[1])
    sarcoma = open_dataset(_ROOT / "configs/sarcoma_cases.csv", root=data / "sarcoma")
    for name, config, dataset in (
        ("hippocampus", "hippocampus_3d", open_dataset(data / "hippocampus")),
        ("sarcoma", "sarcoma_3d", sarcoma),
    ):
        plan = load_config(config)
        assert isinstance(plan, TrainConfig)
        _tell(name, *_cases(name, plan, dataset))


def _cases(name: str, plan: TrainConfig, dataset: Dataset) -> tuple[list[float], list[float]]:
    """Risk and doubt of every case."""
    folder = shipped_folder() / "models" / name
    card, names = read_card(folder), match_names(dataset, plan)
    risks, doubts = [], []
    for number, subjects in enumerate(read_split(Path(str(plan.data.split))).folds):
        engine = ModelSegmenter(replace(card, weights=(card.weights[number],), intervals=None), folder)
        for case in (case for case in dataset.cases if case.subject in subjects):
            loaded = load_case(case, plan, names)
            found = engine.segment(loaded.images, engine.Params(), run=Run(device="cpu"))
            assert found.made_by.expected_dice is not None
            doubts.append(1 - found.made_by.expected_dice)
            risks.append(1 - _dice(found.labels, loaded.labels, card.table.values))
    return risks, doubts


def _dice(found: "np.ndarray", reference: "np.ndarray", values: tuple[int, ...]) -> float:
    dice = [
        pooled_dice(
            int(((found == value) & (reference == value)).sum()),
            int((found == value).sum()),
            int((reference == value).sum()),
        )
        for value in values
    ]
    return float(np.mean([value for value in dice if value is not None]))


def _tell(name: str, risks: list[float], doubts: list[float]) -> None:
    found, count = rank_by_doubt(risks, doubts), len(risks)
    most = round(_BAD * count)
    worst, doubted = set(np.argsort(risks)[-most:].tolist()), set(np.argsort(doubts)[-most:].tolist())
    print(f"{name}, {count} cases: mean Dice {1 - np.mean(risks):.3f}, expected {1 - np.mean(doubts):.3f}")
    print(
        f"  excess AURC {found.excess:.4f} ({found.low:.4f} to {found.high:.4f}), by chance {found.random:.4f}"
    )
    print(
        f"  share of chance {found.share:.2f} (95 % interval {found.share_low:.2f} to {found.share_high:.2f})"
    )
    print(f"  {len(worst & doubted)} of the {most} bad cases are among the {most} doubted most", end="")
    print(f"; by chance {most * most / count:.1f}")


if __name__ == "__main__":
    main()
