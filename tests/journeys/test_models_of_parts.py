"""Models made of models: parts of one table as TotalSegmentator lays them out, a cascade, and coarse then fine."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from medseg.domain import Grid, Image, Label, LabelTable, Run, Segmentation, SegmenterSpec
from medseg.domain.recipe import Before
from medseg.inference.boxed import BoxedSegmenter
from medseg.inference.inner import run_inner
from medseg.inference.parts_segmenter import _without_small
from medseg.inference.segmenter import ModelParams
from medseg.io import read_segmentation
from tests.journeys.conftest import Seen
from tests.journeys.test_foreign_models import PLAIN, change

Medseg = Callable[..., Seen]
Data = Callable[[str], Path]


class PartsRun(Protocol):
    """A part: a model of a folder."""

    folder: Path


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


#: TotalSegmentator's `total`, whose folders are named so, with two of the structures of each part.
FIVE = {
    291: ("part1_organs_1559subj", ("kidney_right", "kidney_left")),
    292: ("part2_vertebrae_1532subj", ("vertebrae_S1", "vertebrae_L5")),
    293: ("part3_cardiac_1559subj", ("heart", "aorta")),
    294: ("part4_muscles_1559subj", ("humerus_left", "gluteus_maximus_left")),
    295: ("part5_ribs_1559subj", ("rib_left_1", "rib_right_12")),
}
#: Label → value, side, and type by DICOM's dictionary.
CODED = {
    "kidney_right": (1, "right", "64033007"),
    "kidney_left": (2, "left", "64033007"),
    "vertebrae_S1": (3, "not applicable", None),
    "vertebrae_L5": (4, "not applicable", "49668003"),
    "heart": (5, "not applicable", "80891009"),
    "aorta": (6, "not applicable", "15825003"),
    "humerus_left": (7, "left", "85050009"),
    "gluteus_maximus_left": (8, "left", None),
    "rib_left_1": (9, "left", "113197003"),
    "rib_right_12": (10, "right", "113197003"),
}


@pytest.fixture
def five(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Data, medseg: Medseg) -> list[str]:
    """The model `total` of five parts, added; and the names of the parts that ran since, in order."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    source = tmp_path / "source"
    for number, (what, names) in FIVE.items():
        folder = (
            source
            / f"Dataset{number}_TotalSegmentator_{what}"
            / "nnUNetTrainerNoMirroring__nnUNetPlans__3d_fullres"
        )
        shutil.copytree(data(PLAIN), folder)
        change(folder / "dataset.json", partial(named, labels={"background": 0, names[0]: 1, names[1]: 2}))
    added = medseg("models", "add", source, "--name", "total", "--json").json["result"]
    assert added["understood"]["codes"].startswith("SNOMED CT for 8 of 10 labels")
    ran: list[str] = []

    def counted(segmenter: PartsRun, *words: object) -> Segmentation:
        ran.append(segmenter.folder.name)
        return run_inner(segmenter, *words)  # type: ignore[arg-type]

    monkeypatch.setattr("medseg.inference.parts_segmenter.run_inner", counted)
    return ran


def test_five_parts_as_totalsegmentator_lays_them_out(
    five: list[str], medseg: Medseg, data: Data, tmp_path: Path
) -> None:
    image = data("nnunet/input/hippocampus_035_0000.nii.gz")
    out = tmp_path / "all.nii.gz"
    assert medseg("segment", "total", image, "--out", out, "-p", "mirror=false").code == 0
    assert five == ["1-organs", "2-vertebrae", "3-cardiac", "4-muscles", "5-ribs"]
    found = read_segmentation(out)
    coded = {
        label.name: (label.value, label.side, None if label.type is None else label.type.value)
        for label in found.table.labels
    }
    assert coded == CODED
    # All five networks are one and the same, so that the last part's labels stand.
    assert set(np.unique(found.labels)) == {0, 9, 10}


#: What is asked for → the parts that run.
ONLY = [
    ("kidney_left", ["1-organs"]),
    ("aorta,rib_left_1", ["3-cardiac", "5-ribs"]),
    ("rib_left_1,vertebrae_S1,heart", ["2-vertebrae", "3-cardiac", "5-ribs"]),
]


@pytest.mark.parametrize(("asked", "parts"), ONLY)
def test_of_five_parts_only_those_that_are_needed_run(
    asked: str, parts: list[str], five: list[str], medseg: Medseg, data: Data, tmp_path: Path
) -> None:
    image = data("nnunet/input/hippocampus_035_0000.nii.gz")
    out = tmp_path / "some.nii.gz"
    seen = medseg("segment", "total", image, "--out", out, "--only", asked, "-p", "mirror=false")
    assert seen.code == 0
    assert five == parts
    found = read_segmentation(out)
    assert {label.name for label in found.table.labels} == set(asked.split(","))


def test_small_pieces_are_removed_where_that_is_asked_for(
    five: list[str], medseg: Medseg, data: Data, tmp_path: Path
) -> None:
    """Against SciPy's components of what stands without it, at the parts' spacing: here that of the scan, resampled."""
    image = data("nnunet/input/hippocampus_035_0000.nii.gz")
    kept, cleaned = tmp_path / "kept.nii.gz", tmp_path / "cleaned.nii.gz"
    how = ("--only", "kidney_left,kidney_right", "-p", "mirror=false")
    assert medseg("segment", "total", image, "--out", kept, *how).code == 0
    assert medseg("segment", "total", image, "--out", cleaned, *how, "-p", "remove_small_mm3=200").code == 0
    before, after = read_segmentation(kept), read_segmentation(cleaned)
    assert "remove_small_mm3" not in dict(before.made_by.parameters)
    assert dict(after.made_by.parameters)["remove_small_mm3"] == 200
    assert (after.labels[after.labels > 0] == before.labels[after.labels > 0]).all()
    assert 0 < (after.labels > 0).sum() < (before.labels > 0).sum()


#: Pieces by their voxels, 6-connected, of two labels → what is left where pieces of up to so many voxels go.
PIECES = [(0, [1, 2, 3, 4]), (1, [2, 3, 4]), (2, [3, 4]), (2.9, [3, 4]), (3, [4]), (9, [])]


@pytest.mark.parametrize(("most", "left"), PIECES)
def test_pieces_of_up_to_a_size_go_each_label_by_itself(most: float, left: list[int]) -> None:
    labels = np.zeros((12, 9, 4), np.uint16)
    for size in range(1, 5):
        labels[3 * (size - 1), :size, 0] = 1 + size % 2
    labels[1, 4, 1] = 3  # another label, of one voxel, not asked about
    labels[10, 5, 1] = 1  # by a corner beside the piece of four, of which it is none
    found = _without_small(labels, (1, 2), most)
    sizes = sorted(int((found[3 * number] > 0).sum()) for number in range(4))
    assert [size for size in sizes if size] == left
    assert found[1, 4, 1] == 3
    assert (found[10, 5, 1] == 1) == (most < 1)


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
