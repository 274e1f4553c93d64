"""`medseg plan` as a user runs it: a set in, a configuration out that trains and says why."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from medseg.errors import ConfigError
from medseg.training import TrainConfig, load_config
from medseg.workflows.plan import plan_files


def write(path: Path, values: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(values, np.diag([*spacing, 1.0]))
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


def decathlon(
    folder: Path,
    *,
    cases: int = 3,
    shape: tuple[int, int, int] = (20, 22, 18),
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    modality: str = "MRI",
    labels: tuple[str, ...] = ("a", "b"),
    draw: Callable[[np.ndarray, np.random.Generator], None] | None = None,
) -> Path:
    """A set of made cases: a block per label side by side, or what `draw` puts into the mask."""
    rng = np.random.default_rng(0)
    for number in range(cases):
        mask = np.zeros(shape, np.uint8)
        if draw is None:
            for value in range(1, len(labels) + 1):
                mask[4 * value : 4 * value + 4, 5:12, 4:10] = value
        else:
            draw(mask, rng)
        write(
            folder / f"imagesTr/c{number}.nii.gz",
            (mask * 100 + rng.normal(50, 5, shape)).astype(np.float32),
            spacing,
        )
        write(folder / f"labelsTr/c{number}.nii.gz", mask, spacing)
    content = {
        "name": "Made",
        "modality": {"0": modality},
        "labels": {"0": "background", **{str(n): name for n, name in enumerate(labels, start=1)}},
        "training": [
            {"image": f"./imagesTr/c{n}.nii.gz", "label": f"./labelsTr/c{n}.nii.gz"} for n in range(cases)
        ],
    }
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def medseg(*words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "medseg", *map(str, words)], capture_output=True, text=True, check=False
    )


def planned(folder: Path, out: Path, **values: str) -> TrainConfig:
    plan_files(folder, out, trial=False, values=values)
    found = load_config(out)
    assert isinstance(found, TrainConfig)
    return found


def test_a_plan_trains_as_it_is(tmp_path: Path) -> None:
    done = medseg("plan", decathlon(tmp_path / "data"), "--out", tmp_path / "plan.yaml", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["result"]
    assert result["measured_bytes"] == pytest.approx(result["predicted_bytes"], rel=0.15)
    assert result["seconds_per_step"] > 0
    small = ["loop.steps=2", "loop.checkpoint_every=2", "loop.precision='32'"]
    trained = medseg("train", tmp_path / "plan.yaml", *small, "--out", tmp_path / "run", "--fold", 0)
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / "run/bundle/card.yaml").is_file()


def test_each_choice_has_its_reason_above_it(tmp_path: Path) -> None:
    planned(decathlon(tmp_path / "data"), tmp_path / "plan.yaml")
    lines = (tmp_path / "plan.yaml").read_text(encoding="utf-8").splitlines()
    for key in ("spacing", "window", "filters", "strides", "kernels", "flip_axes", "batch", "foreground"):
        at = next(number for number, line in enumerate(lines) if re.match(rf"\s*{key}:", line))
        assert lines[at - 1].lstrip().startswith("#"), key
    assert max(len(line) for line in lines if line.lstrip().startswith("#")) <= 120


CASES: dict[str, tuple[dict[str, Any], dict[str, str], Callable[[TrainConfig], object], object]] = {
    "several structures are mirrored from side to side only": (
        {},
        {},
        lambda config: config.augmentation.flip_axes,
        (0,),
    ),
    "one structure along every axis": ({"labels": ("a",)}, {}, lambda c: c.augmentation.flip_axes, (0, 1, 2)),
    "left and right are never mirrored": (
        {"labels": ("left lung", "right lung")},
        {},
        lambda config: 0 in config.augmentation.flip_axes,
        False,
    ),
    "HU are scaled alike for all cases": (
        {"modality": "CT"},
        {"CT": "HU"},
        lambda config: [step.step for step in config.preprocessing],
        ["clip", "scale"],
    ),
    "MR is scaled case by case": ({}, {}, lambda c: [step.step for step in c.preprocessing], ["zscore"]),
    "a spacing that all have is kept": (
        {"spacing": (0.5, 0.5, 2.0)},
        {},
        lambda config: config.grid.spacing,
        (0.5, 0.5, 2.0),
    ),
    "how the network learns": (
        {},
        {},
        lambda c: (c.optimiser.lr, c.optimiser.weight_decay, c.augmentation.affine),
        (0.003, 0.0001, 0.5),
    ),
    "folds are no more than subjects": ({"cases": 2}, {}, lambda config: config.data.folds, 2),
    "one case is planned too": ({"cases": 1}, {}, lambda config: config.data.folds, 1),
    "single slices get a 2D network": (
        {"shape": (32, 32, 1), "draw": lambda mask, _: mask.__setitem__((slice(8, 20), slice(8, 20)), 1)},
        {},
        lambda config: (config.network.dimensions, len(config.patch)),
        (2, 2),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_plan_follows_its_data(name: str, tmp_path: Path) -> None:
    traits, values, look, expected = CASES[name]
    assert look(planned(decathlon(tmp_path / "data", **traits), tmp_path / "plan.yaml", **values)) == expected


@pytest.mark.parametrize(
    ("structures", "words"), [(12, "separate objects"), (13, "separate objects; 1 more")]
)
def test_of_many_structures_twelve_are_told_and_the_others_counted(
    structures: int, words: str, tmp_path: Path
) -> None:
    names = tuple(f"part {number}" for number in range(1, structures + 1))
    folder = decathlon(tmp_path / "data", cases=2, shape=(64, 16, 14), labels=names)
    planned(folder, tmp_path / "plan.yaml")
    text = " ".join(re.sub(r"\n\s*# ?", " ", (tmp_path / "plan.yaml").read_text(encoding="utf-8")).split())
    assert "part 12 in 2 of 2 cases, median 0.168 ml, 2 separate objects" in text
    assert words in text
    assert ("1 more" in text) == (structures == 13)
    assert "part 13 in 2" not in text


def test_a_large_set_is_made_coarser_but_not_so_that_its_lesions_vanish(tmp_path: Path) -> None:
    def balls(mask: np.ndarray, rng: np.random.Generator) -> None:
        for _ in range(6):
            i, j, k = (int(rng.integers(4, size - 4)) for size in mask.shape)
            mask[i : i + 2, j : j + 2, k : k + 2] = 1

    def block(mask: np.ndarray, _: np.random.Generator) -> None:
        mask[20:60, 20:60, 20:60] = 1

    shape = (96, 96, 96)
    large = planned(
        decathlon(tmp_path / "large", shape=shape, labels=("tumour",), draw=block), tmp_path / "large.yaml"
    )
    small = planned(
        decathlon(tmp_path / "small", shape=shape, labels=("lesion",), draw=balls), tmp_path / "small.yaml"
    )
    assert large.grid.spacing is not None
    assert small.grid.spacing is not None
    assert 1.3 < large.grid.spacing[0] < 1.5  # 96³ voxels to 350 000
    assert small.grid.spacing[0] <= large.grid.spacing[0]
    assert small.loop.foreground > large.loop.foreground


def spoil_grid(folder: Path) -> None:
    write(folder / "labelsTr/c0.nii.gz", np.ones((9, 9, 9), np.uint8))


def spoil_values(folder: Path) -> None:
    write(folder / "imagesTr/c1.nii.gz", np.full((20, 22, 18), np.nan, np.float32))


def empty_masks(folder: Path) -> None:
    for path in folder.glob("labelsTr/*"):
        write(path, np.zeros((20, 22, 18), np.uint8))


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no masks": (lambda folder: shutil.rmtree(folder / "labelsTr"), "labelsTr"),
    "empty masks": (empty_masks, "nothing to learn"),
    "a mask on another grid": (spoil_grid, "c0"),
    "voxels that are no numbers": (spoil_values, "c1"),
    "a file that was cut": (
        lambda folder: (folder / "imagesTr/c2.nii.gz").write_bytes(b"\x1f\x8b"),
        "c2",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_set_with_faults_is_refused_with_the_list(fault: str, tmp_path: Path) -> None:
    spoil, named = BAD[fault]
    folder = decathlon(tmp_path / "data")
    spoil(folder)
    with pytest.raises(ConfigError, match=re.escape(named)) as caught:
        planned(folder, tmp_path / "plan.yaml")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "plan.yaml").exists()


def test_a_plan_that_exists_is_not_replaced(tmp_path: Path) -> None:
    folder = decathlon(tmp_path / "data")
    planned(folder, tmp_path / "plan.yaml")
    done = medseg("plan", folder, "--out", tmp_path / "plan.yaml", "--no-trial")
    assert done.returncode == 2
    assert "--force" in done.stderr
