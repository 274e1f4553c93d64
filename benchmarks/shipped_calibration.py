"""Figures, intervals, domain and temperature of the shipped models, by what their folds find in cases they had not seen.

    python -m benchmarks.shipped_calibration DATA [KEPT]

DATA holds the sets hippocampus and sarcoma. Each fold's network segments its own validation cases again, with medseg as
it is now (kept in the folder KEPT, so that a second call goes on). Weights stay as they are; card, quality.csv,
quality.png, intervals.csv, domain.csv and calibration.png are written anew. Prints how far Dice is from what it was,
what the cards then say, and which steps of postprocessing the folds choose; these are for the next training: a step
that is added here would make other masks under the same name.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from medseg.domain import Case, Dataset, ModelCard, Run
from medseg.inference import ModelSegmenter, prepare
from medseg.inference.domain import scan_features
from medseg.io import open_dataset
from medseg.io.datasets import read_split
from medseg.models import CARD_FILE, dump_card, dump_features, dump_volumes, read_card
from medseg.settings import shipped_folder
from medseg.training import TrainConfig, load_config
from medseg.training.assemble import (
    dice_table,
    domain_file,
    fold_volumes,
    intervals_file,
    quality_of_folds,
)
from medseg.training.calibrate import calibration_of
from medseg.training.cases import load_case, match_names
from medseg.training.choose import choose_steps, step_words
from medseg.training.curve import draw_quality, draw_reliability
from medseg.training.heldout import HeldOutCase, cropped, judge_cases
from medseg.training.validate import subject_dice

_ROOT = Path(__file__).parents[1]


def main() -> None:
    """Both models, one after another."""
    data = Path(sys.argv[1])
    kept = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp())
    sarcoma = open_dataset(_ROOT / "configs/sarcoma_cases.csv", root=data / "sarcoma")
    for name, config, dataset in (
        ("hippocampus", "hippocampus_3d", open_dataset(data / "hippocampus")),
        ("sarcoma", "sarcoma_3d", sarcoma),
    ):
        _calibrate(name, config, dataset, kept / name)


def _calibrate(name: str, config: str, dataset: Dataset, kept: Path) -> None:
    folder = shipped_folder() / "models" / name
    plan = load_config(config)
    assert isinstance(plan, TrainConfig)
    card = read_card(folder)
    folds = judged_again(card, folder, plan, dataset, kept)
    rows = [row for number, cases in folds.items() for row in subject_dice(cases, card.table, fold=number)]
    features = _features(
        [case for case in dataset.cases if case.subject in {row.subject for row in rows}], plan, dataset
    )
    calibration = calibration_of(folds)
    volumes, first = fold_volumes(rows), card.quality[0]
    after = replace(
        card,
        quality=quality_of_folds(rows, command=first.command, note=first.note),
        intervals=intervals_file(volumes),
        domain=domain_file(features),
        calibration=calibration,
    )
    files = {
        "quality.csv": dice_table(rows),
        "quality.png": draw_quality(rows, f"{card.title}: cross-validation"),
        "intervals.csv": dump_volumes(volumes),
        "domain.csv": features,
        CARD_FILE: dump_card(after),
    }
    if calibration is not None:
        files["calibration.png"] = draw_reliability(calibration, f"{card.title}: calibration")
    for file, data in files.items():
        (folder / file).write_bytes(data)
    _tell(card, after, folds)


def _tell(before: ModelCard, after: ModelCard, folds: dict[int, tuple[HeldOutCase, ...]]) -> None:
    print(after.name)
    for old, new in zip(before.quality, after.quality, strict=True):
        print(f"  Dice of {new.label}: {new.mean:.4f} now, {old.mean:.4f} before")
    for item in after.intervals.quality if after.intervals is not None else ():
        print(
            f"  90 % intervals of {item.label}: {item.measured:.3f} covered, median width {item.median_width_ml:.3g} ml"
        )
    if after.calibration is not None:
        found = after.calibration
        print(f"  temperature {found.temperature} on {found.voxels} voxels of {found.subjects} subjects")
        for word, one in (("before", found.before), ("after", found.after)):
            print(f"  calibration error {word}: {one.error:.5f} ({one.low:.5f} to {one.high:.5f})")
    choice = choose_steps(
        {number: tuple(map(cropped, cases)) for number, cases in folds.items()}, after.table
    )
    print(
        f"  steps that the folds choose: {'; '.join(step_words(step, after.table) for step in choice.steps) or 'none'}"
    )
    if choice.gain is not None:
        print(f"  gain across folds {choice.gain:.4f} ({choice.low:.4f} to {choice.high:.4f})")


def judged_again(
    card: ModelCard, folder: Path, plan: TrainConfig, dataset: Dataset, kept: Path
) -> dict[int, tuple[HeldOutCase, ...]]:
    """What each fold's network alone finds in the cases that it had not seen."""
    split = read_split(Path(str(plan.data.split)))
    names = match_names(dataset, plan)
    found = {}
    for number, subjects in enumerate(split.folds):
        alone = replace(card, weights=(card.weights[number],), calibration=None)
        cases = [case for case in dataset.cases if case.subject in subjects]
        place = kept / f"fold{number}"
        place.mkdir(parents=True, exist_ok=True)
        judged = judge_cases(
            ModelSegmenter(alone, folder), cases, plan, names, fold=place, run=Run(device="cpu")
        )
        found[number] = tuple(judged)
    return found


def _features(cases: list[Case], plan: TrainConfig, dataset: Dataset) -> bytes:
    """What the scans of the training are like, as the bundle keeps it."""
    from medseg.training.run_folder import card_from

    names = match_names(dataset, plan)
    rows = []
    for case in cases:
        images = load_case(case, plan, names).images
        prepared = prepare(images, card_from(plan))
        channels = [channel.name for channel in plan.channels]
        found, values = scan_features(prepared.array, images[plan.reference].grid, channels)
        rows.append(values)
    return dump_features(list(found), np.array(rows))


if __name__ == "__main__":
    main()
