"""A promptable network from the configuration to a mask that clicks ask for, through the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from medseg import settings
from medseg.io import read, read_segmentation
from tests.journeys.conftest import Seen

pytest.importorskip("lightning")

Medseg = Callable[..., Seen]
AFFINE = np.diag([1.0, 1.0, 1.5, 1.0])
PLACE = np.moveaxis(np.indices((26, 24, 18)), 0, -1) * np.array([1.0, 1.0, 1.5])


def balls(root: Path, count: int) -> None:
    """Scans of one bright ball each, with its mask, as a set of pairs."""
    rng = np.random.default_rng(1)
    for number in range(count):
        mask = np.linalg.norm(PLACE - rng.uniform((10, 9, 11), (15, 14, 15)), axis=-1) <= rng.uniform(5, 7)
        values = (20 + 80 * mask + rng.normal(0, 4, mask.shape)).astype(np.float32)
        for kind, array in (("image", values), ("mask", mask.astype(np.uint8))):
            picture = nib.Nifti1Image(array, AFFINE)
            picture.header.set_xyzt_units("mm")
            nib.save(picture, root / f"ball_{number}_{kind}.nii.gz")


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """A configuration of the same kind as the shipped one, as small as can be."""
    from medseg.io import open_dataset
    from medseg.io.datasets import make_split, write_split

    balls(tmp_path, 4)
    rows = [f"ball_{n},ball_{n},ball_{n}_image.nii.gz,ball_{n}_mask.nii.gz" for n in range(4)]
    cases = tmp_path / "cases.csv"
    cases.write_text("\n".join(["case,subject,mr,reference", *rows]) + "\n")
    write_split(make_split(open_dataset(cases), folds=4), tmp_path / "split.json")
    steps = [[1, 1, 1], [2, 2, 2], [2, 2, 2]]
    network = {"architecture": "dynunet", "dimensions": 3, "in_channels": 4, "out_channels": 2}
    network |= {"filters": [4, 8, 8], "strides": steps, "kernels": [[3, 3, 3]] * 3}
    own = {"name": "balls", "cases": "cases.csv", "split": "split.json", "channel": "mr"}
    prompts: dict[str, Any] = {"name": "balls", "title": "Balls", "summary": "A ball.", "sets": [own]}
    prompts |= {"channel": {"name": "mr", "modality": "MR"}, "network": network, "window": [16, 16, 16]}
    prompts |= {"preprocessing": [{"step": "zscore", "channel": "mr"}]}
    prompts |= {"steps": 6, "batch": 2, "checkpoint_every": 3, "licence": "CC0", "root": str(tmp_path)}
    path = tmp_path / "balls.yaml"
    path.write_text(json.dumps({"prompts": prompts}))  # JSON is YAML
    return path


def test_from_clicks_in_training_to_clicks_in_use(medseg: Medseg, plan: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert medseg("train", plan, "--out", run, "--device", "cpu").code == 0
    bundle = run / "bundle"
    shown = medseg("models", "show", bundle)
    assert "Balls" in shown.out
    scan, seeds = tmp_path / "ball_0_image.nii.gz", tmp_path / "seeds.json"
    seeds.write_text(
        json.dumps({"points": [{"position": [12, 12, 13.5]}, {"position": [1, 1, 1], "positive": False}]})
    )
    masks = [tmp_path / f"mask{number}.nii.gz" for number in range(2)]
    for mask in masks:
        seen = medseg("segment", bundle, scan, "--prompts", seeds, "--out", mask)
        assert seen.code == 0, seen.err
    one, again = (read_segmentation(mask) for mask in masks)
    np.testing.assert_array_equal(one.labels, again.labels)
    assert one.labels[12, 12, 9] == 1
    assert one.labels[1, 1, 1] == 0
    without = medseg("segment", bundle, scan, "--out", tmp_path / "none.nii.gz")
    assert without.code != 0
    assert "seeds" in without.line or "prompts" in without.line


def test_a_real_crop_answers_to_every_kind_of_prompt_and_again_the_same(
    medseg: Medseg, plan: Path, tmp_path: Path
) -> None:
    """The network has learned next to nothing: what is asked is that clicks are honoured, by label, and replayed."""
    assert medseg("train", plan, "--out", tmp_path / "run", "--device", "cpu").code == 0
    scan = settings.shipped_folder() / "samples" / "hippocampus" / "mr.nii.gz"
    grid = read(scan).grid
    inside, other, outside, *way = (
        grid.to_position(np.array(index, np.float64)).tolist()
        for index in ((17, 20, 18), (17, 34, 18), (2, 2, 2), (15, 20, 18), (19, 20, 18))
    )
    corners = [grid.to_position(np.array(index, np.float64)) for index in ((8, 12, 8), (28, 44, 28))]
    low, high = np.minimum(*corners).tolist(), np.maximum(*corners).tolist()
    prompts = tmp_path / "seeds.json"
    points = [{"position": inside}, {"position": other, "label": 2}, {"position": outside, "positive": False}]
    strokes = [{"positions": way, "radius_mm": 1.0}]
    boxes = [{"low": low, "high": high, "label": 2}]
    prompts.write_text(json.dumps({"points": points, "strokes": strokes, "boxes": boxes}))
    masks = []
    for number in range(2):
        mask = tmp_path / f"crop{number}.nii.gz"
        seen = medseg("segment", tmp_path / "run" / "bundle", scan, "--prompts", prompts, "--out", mask)
        assert seen.code == 0, seen.err
        masks.append(read_segmentation(mask))
    assert masks[0].digest == masks[1].digest
    labels = masks[0].labels
    assert (labels[17, 20, 18], labels[17, 34, 18], labels[2, 2, 2]) == (1, 2, 0)
    assert labels[15, 20, 18] == labels[19, 20, 18] == 1
    places = np.argwhere(labels == 2)
    assert (places >= (8, 12, 8)).all()
    assert (places <= (28, 44, 28)).all()


def test_a_stopped_run_goes_on_and_another_plan_does_not(medseg: Medseg, plan: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert medseg("train", plan, "prompts.steps=3", "--out", run, "--device", "cpu").code == 0
    refused = medseg("train", plan, "--out", run, "--device", "cpu")
    assert "another plan" in refused.line
    weights = (run / "bundle" / "weights" / "0.safetensors").read_bytes()
    (run / "bundle" / "card.yaml").unlink()
    assert medseg("train", plan, "prompts.steps=3", "--out", run, "--device", "cpu").code == 0
    assert (run / "bundle" / "weights" / "0.safetensors").read_bytes() == weights
    assert "leave out --fold" in medseg("train", plan, "--out", run, "--fold", "0").line
