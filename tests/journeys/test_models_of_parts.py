"""Models made of models: parts of one table as TotalSegmentator lays them out, a cascade, and coarse then fine."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Grid, Image, Label, LabelTable, Run, Segmentation, SegmenterSpec
from medseg.domain.recipe import Before
from medseg.inference.boxed import BoxedSegmenter
from medseg.inference.segmenter import ModelParams
from medseg.io import read_segmentation
from tests.journeys.conftest import Seen
from tests.journeys.test_foreign_models import PLAIN, change

Medseg = Callable[..., Seen]
Data = Callable[[str], Path]


def named(dataset: dict[str, object], labels: dict[str, int]) -> None:
    dataset["labels"] = labels


@pytest.fixture
def total(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Data) -> Path:
    """Two parts that find the same two structures under other names."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    source = tmp_path / "source"
    for number, (what, names) in enumerate(
        (("organs", ("liver", "spleen")), ("ribs", ("rib_1", "rib_2"))), 1
    ):
        folder = (
            source
            / f"Dataset29{number}_Toy_part{number}_{what}_9subj"
            / "nnUNetTrainer__nnUNetPlans__3d_fullres"
        )
        shutil.copytree(data(PLAIN), folder)
        labels = {"background": 0, names[0]: 1, names[1]: 2}
        change(folder / "dataset.json", partial(named, labels=labels))
    return source


def test_parts_of_one_table_are_one_model(total: Path, medseg: Medseg, data: Data, tmp_path: Path) -> None:
    added = medseg("models", "add", total, "--json").json["result"]
    assert added["name"] == "toy"
    assert added["understood"]["labels"] == "1 liver, 2 spleen, 3 rib_1, 4 rib_2"
    image = data("nnunet/input/hippocampus_035_0000.nii.gz")
    out = tmp_path / "all.nii.gz"
    seen = medseg("segment", "toy", image, "--out", out, "-p", "mirror=false")
    assert seen.code == 0
    # Both parts find the same voxels: the later one's labels stand, and that is said.
    found = read_segmentation(out)
    assert set(np.unique(found.labels)) == {0, 3, 4}
    assert "parts.overlap" in {item.code for item in found.findings}


def test_only_the_parts_that_are_needed_run(total: Path, medseg: Medseg, data: Data, tmp_path: Path) -> None:
    medseg("models", "add", total)
    image = data("nnunet/input/hippocampus_035_0000.nii.gz")
    out = tmp_path / "one.nii.gz"
    assert medseg("segment", "toy", image, "--out", out, "--only", "spleen", "-p", "mirror=false").code == 0
    found = read_segmentation(out)
    assert set(np.unique(found.labels)) == {0, 2}
    # What did not run has no row of zeros.
    assert [label.name for label in found.table.labels] == ["spleen"]
    seen = medseg("segment", "toy", image, "--out", tmp_path / "none.nii.gz", "--only", "kidney")
    assert seen.code == 2
    assert "finds no 'kidney'" in seen.line


def test_a_part_that_was_changed_is_refused(total: Path, medseg: Medseg, data: Data, tmp_path: Path) -> None:
    folder = Path(medseg("models", "add", total, "--json").json["result"]["folder"])
    card = folder / "parts" / "1-organs" / "card.yaml"
    card.write_text(card.read_text().replace("overlap: 0.5", "overlap: 0.25"))
    image = data("nnunet/input/hippocampus_035_0000.nii.gz")
    seen = medseg("segment", "toy", image, "--out", tmp_path / "x.nii.gz")
    assert seen.code == 2


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda source: shutil.rmtree(next(source.glob("*part1*"))), None),
        (
            lambda source: next(source.glob("*part2*")).rename(source / "Dataset299_Toy_part4_ribs_9subj"),
            "not numbered 1 to 2",
        ),
        (
            lambda source: change(
                next(source.glob("*part2*/*/dataset.json")),
                lambda dataset: dataset.update(labels={"background": 0, "liver": 1, "rib": 2}),
            ),
            "make no one table",
        ),
        (
            lambda source: next(source.glob("*part2*/*/fold_all/*.pth")).write_bytes(b""),
            "no whole checkpoint",
        ),
    ],
    ids=["one part", "numbers", "one name twice", "empty weights"],
)
def test_a_bad_part_spoils_the_whole(
    spoil: Callable[[Path], object], words: str | None, total: Path, medseg: Medseg, tmp_path: Path
) -> None:
    spoil(total)
    seen = medseg("models", "add", total)
    assert seen.code == 2
    assert words is None or words in seen.line
    assert not (tmp_path / "data").exists()


def test_a_second_stage_without_the_first_one_is_refused(
    medseg: Medseg, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = tmp_path / "nnUNetTrainer__nnUNetPlans__3d_cascade_fullres"
    shutil.copytree(data(PLAIN), folder)
    change(
        folder / "plans.json",
        lambda plans: plans["configurations"]["3d_fullres"].update(previous_stage="3d_lowres"),
    )
    seen = medseg("models", "add", folder)
    assert seen.code == 2
    assert "nnUNetTrainer__nnUNetPlans__3d_lowres, the first one, does not lie beside it" in seen.line
    assert json.loads((folder / "plans.json").read_text())


class Bright:
    """Finds what is brighter than a threshold, and keeps the extents that it was shown."""

    Params = ModelParams

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.seen: list[tuple[int, ...]] = []
        self.spec = SegmenterSpec("bright", "Bright", "Brighter.", "a test", kind="model")

    def segment(
        self, images: dict[str, Image], params: ModelParams, *, run: Run, **_: object
    ) -> Segmentation:
        image = images["image"]
        self.seen.append(image.grid.shape)
        labels = (image.array > self.threshold).astype(np.uint8)
        return Segmentation(labels, image.grid, LabelTable((Label(1, "bright"),)))

    def memory_bytes(self, grids: dict[str, Grid], params: ModelParams) -> int:
        return 0


def test_coarse_then_fine_works_in_a_box_with_a_margin() -> None:
    values = np.zeros((20, 20, 10), np.float32)
    values[8:12, 8:12, 4:6] = 1
    values[8, 8, 4] = 2
    values[0, 0, 0] = 2  # outside of the box: the fine one would take it
    image = Image(values, Grid(values.shape, np.diag([1.0, 1.0, 2.0, 1.0])))
    coarse, fine = Bright(0.5), Bright(1.5)
    values[0, 0, 0] = 2
    region = Bright(0.5)
    region.segment = lambda images, params, run, **_: replace(  # type: ignore[method-assign]
        coarse.segment(images, params, run=run), labels=(images["image"].array == 1).astype(np.uint8)
    )
    both = BoxedSegmenter(region, fine, Before("parts/first", "box", (1,), margin_mm=3.0))
    found = both.segment({"image": image}, ModelParams(), run=Run())
    assert fine.seen == [(10, 10, 6)]
    assert found.grid.shape == image.grid.shape
    assert np.argwhere(found.labels).tolist() == [[8, 8, 4]]


def test_where_nothing_is_found_first_the_whole_image_is_searched_and_that_is_said() -> None:
    image = Image(np.ones((4, 4, 4), np.float32), Grid((4, 4, 4), np.eye(4)))
    both = BoxedSegmenter(Bright(5), Bright(0.5), Before("parts/first", "box", (1,)))
    found = both.segment({"image": image}, ModelParams(), run=Run())
    assert found.labels.all()
    assert [item.code for item in found.findings] == ["parts.no_region"]
