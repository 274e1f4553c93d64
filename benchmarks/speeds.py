"""What `--speed` costs in Dice, on cases that the networks of the shipped models had not seen.

    python -m benchmarks.speeds DATA [MOST]

DATA holds the sets hippocampus and sarcoma. Each fold's network alone segments its own validation cases (the first MOST of each
fold, if that is given) at every speed; Dice is that of a subject, mean over the labels of the table. Prints
a table as Markdown.
"""

import os
import platform
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from medseg.domain import Dataset, Run
from medseg.inference import ModelSegmenter
from medseg.io import open_dataset
from medseg.io.datasets import read_split
from medseg.models import read_card
from medseg.settings import shipped_folder
from medseg.training import TrainConfig, load_config
from medseg.training.cases import load_case, match_names
from medseg.training.heldout import HeldOutCase
from medseg.training.validate import subject_dice

_ROOT = Path(__file__).parents[1]
SPEEDS = ("exact", "balanced", "fast")
CPU = Run(device="cpu")


def segmented(
    name: str, config: str, dataset: Dataset, most: int | None
) -> Iterator[tuple[int, dict[str, HeldOutCase]]]:
    """Fold, and what was found in a case by speed, for every case."""
    folder, plan = shipped_folder() / "models" / name, load_config(config)
    assert isinstance(plan, TrainConfig)
    card, names = read_card(folder), match_names(dataset, plan)
    for fold, subjects in enumerate(read_split(Path(str(plan.data.split))).folds):
        alone = ModelSegmenter(replace(card, weights=(card.weights[fold],), intervals=None), folder)
        for case in [case for case in dataset.cases if case.subject in subjects][:most]:
            loaded = load_case(case, plan, names)
            grid, found = loaded.images[plan.reference].grid, {}
            for speed in SPEEDS:
                mask = alone.segment(loaded.images, alone.Params(speed=speed), run=CPU)
                labels = mask.labels.astype(np.uint16)
                found[speed] = HeldOutCase(case.id, case.subject, grid, labels, loaded.labels)
            yield fold, found


def table_of(name: str, config: str, dataset: Dataset, most: int | None) -> Iterator[str]:
    """A line for each speed."""
    card = read_card(shipped_folder() / "models" / name)
    labels = {label.name for label in card.table.labels}
    dice: dict[str, dict[str, list[float]]] = {speed: defaultdict(list) for speed in SPEEDS}
    for fold, found in segmented(name, config, dataset, most):
        for speed, case in found.items():
            for row in subject_dice([case], card.table, fold=fold):
                if row.target in labels and row.dice is not None:
                    dice[speed][row.subject].append(row.dice)
    exact = {subject: float(np.mean(values)) for subject, values in dice["exact"].items()}
    for speed in SPEEDS:
        lost = np.array([exact[subject] - np.mean(values) for subject, values in dice[speed].items()])
        mean = float(np.mean([np.mean(values) for values in dice[speed].values()]))
        spread = 1.96 * lost.std(ddof=1) / np.sqrt(len(lost))
        yield (
            f"| {name}, {len(exact)} subjects | `{speed}` | {mean:.4f} | "
            + ("– | – |" if speed == "exact" else f"{lost.mean():.4f} ± {spread:.4f} | {lost.max():.4f} |")
        )


def main() -> None:
    data, most = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{platform.machine()}, {cores} cores, Python {platform.python_version()}\n")
    print("| model | speed | Dice | lost to `exact` (95 %) | lost at most, one subject |")
    print("|---|---|---|---|---|")
    sarcoma = open_dataset(_ROOT / "configs/sarcoma_cases.csv", root=data / "sarcoma")
    for name, config, dataset in (
        ("hippocampus", "hippocampus_3d", open_dataset(data / "hippocampus")),
        ("sarcoma", "sarcoma_3d", sarcoma),
    ):
        for line in table_of(name, config, dataset, most):
            print(line, flush=True)


if __name__ == "__main__":
    main()
