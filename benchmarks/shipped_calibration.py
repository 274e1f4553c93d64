"""Intervals and domain of the shipped models, from the folds' volumes in their bundles and the scans they were trained on.

    python -m benchmarks.shipped_calibration DATA

DATA holds the sets hippocampus and sarcoma. Weights stay as they are; card, intervals.csv and domain.csv are written
anew. Prints what the cards then say.
"""

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from medseg.domain import Case, Dataset
from medseg.inference import prepare
from medseg.inference.domain import scan_features
from medseg.io import open_dataset
from medseg.models import CARD_FILE, dump_card, dump_features, dump_volumes, read_card
from medseg.settings import shipped_folder
from medseg.training import TrainConfig, load_config
from medseg.training.assemble import domain_file, fold_volumes, intervals_file
from medseg.training.cases import load_case, match_names
from medseg.training.validate import SubjectDice

_ROOT = Path(__file__).parents[1]


def main() -> None:
    """Both models, one after another."""
    data = Path(sys.argv[1])
    sarcoma = open_dataset(_ROOT / "configs/sarcoma_cases.csv", root=data / "sarcoma")
    for name, config, dataset in (
        ("hippocampus", "hippocampus_3d", open_dataset(data / "hippocampus")),
        ("sarcoma", "sarcoma_3d", sarcoma),
    ):
        _calibrate(name, config, dataset)


def _calibrate(name: str, config: str, dataset: Dataset) -> None:
    folder = shipped_folder() / "models" / name
    plan = load_config(config)
    assert isinstance(plan, TrainConfig)
    rows = _rows(folder / "quality.csv")
    subjects = {row.subject for row in rows}
    cases = [case for case in dataset.cases if case.subject in subjects]
    sizes, names, features = _scans(cases, plan, dataset)
    known = [replace(row, voxel_ml=sizes[row.subject]) for row in rows]
    volumes = fold_volumes(known)
    table = dump_features(names, features)
    card = replace(read_card(folder), intervals=intervals_file(volumes), domain=domain_file(table))
    (folder / "intervals.csv").write_bytes(dump_volumes(volumes))
    (folder / "domain.csv").write_bytes(table)
    (folder / CARD_FILE).write_bytes(dump_card(card))
    print(name, card.intervals and card.intervals.quality, card.domain)


def _rows(path: Path) -> list[SubjectDice]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            SubjectDice(
                int(row["fold"]),
                row["subject"],
                row["target"],
                float(row["dice"]) if row["dice"] else None,
                int(row["reference_voxels"]),
                int(row["prediction_voxels"]),
                int(row["cases"]),
            )
            for row in csv.DictReader(stream)
        ]


def _scans(
    cases: list[Case], plan: TrainConfig, dataset: Dataset
) -> tuple[dict[str, float], tuple[str, ...], "np.ndarray"]:
    from medseg.training.run_folder import card_from

    names = match_names(dataset, plan)
    sizes: dict[str, float] = {}
    rows = []
    for case in cases:
        images = load_case(case, plan, names).images
        grid = images[plan.reference].grid
        prepared = prepare(images, card_from(plan))
        sizes[case.subject] = round(grid.voxel_volume / 1000, 9)
        found, values = scan_features(prepared.array, grid, [channel.name for channel in plan.channels])
        rows.append(values)
    return sizes, found, np.array(rows)


if __name__ == "__main__":
    main()
