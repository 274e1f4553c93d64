"""An RTSTRUCT that medseg writes gives the mask back, voxel by voxel, to medseg and to others."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from medseg import io
from medseg.domain import Image, Label, LabelTable, Segmentation
from medseg.domain.record import Review
from medseg.errors import InputError
from medseg.io.dicom.checked import checked_rtstruct, reread
from medseg.io.dicom.placing import place_exactly
from medseg.io.dicom.rtstruct.fill import fill_slice
from medseg.io.dicom.rtstruct.keyholes import polygons_of
from medseg.io.dicom.rtstruct.read import rtstruct_of
from medseg.io.dicom.rtstruct.write import RtOptions, make_rtstruct
from tests.io.dicom.seg.test_write import KIND
from tests.io.dicom.sources import KINDS, Data, scene
from tests.journeys.judges import complaints, judge

#: Voxels by which plastimatch may differ: it takes pixels by their centres as we do, so none.
_PLASTIMATCH_VOXELS = 0


@pytest.mark.parametrize("kind", KIND)
def test_no_voxel_differs_after_a_round_trip(kind: str, data: Data, tmp_path: Path) -> None:
    found = scene(kind, data, tmp_path)
    again = rtstruct_of(
        reread(checked_rtstruct(make_rtstruct(found.mask, found.origin), found.mask, found.origin)),
        "x",
        found.source,
    )
    assert np.count_nonzero(again.labels != found.mask.labels) == 0
    assert [item.name for item in again.table.labels] == ["Ring", "Core ä"]
    assert again.findings == ()


@pytest.mark.parametrize("kind", KIND)
def test_dciodvfy_says_no_more_than_of_the_source(kind: str, data: Data, tmp_path: Path) -> None:
    judge("dciodvfy")
    found = scene(kind, data, tmp_path / "series")
    ds = make_rtstruct(found.mask, found.origin)
    (tmp_path / "rt.dcm").write_bytes(checked_rtstruct(ds, found.mask, found.origin))
    known = set().union(*(complaints(file) for file in found.files[:2]))
    assert complaints(tmp_path / "rt.dcm") - known == set()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("axial")])
def test_plastimatch_fills_axial_contours_to_the_same_mask(kind: str, data: Data, tmp_path: Path) -> None:
    found = scene(kind, data, tmp_path / "series")
    grid = found.mask.grid
    ds = make_rtstruct(found.mask, found.origin)
    (tmp_path / "rt.dcm").write_bytes(checked_rtstruct(ds, found.mask, found.origin))
    io.write_image(Image(np.zeros(grid.shape, np.int16), grid), tmp_path / "fixed.nii.gz")
    command = [judge("plastimatch"), "convert", "--input", "rt.dcm", "--fixed", "fixed.nii.gz"]
    command += ["--output-prefix", "masks", "--prefix-format", "nrrd"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    for value, name in ((1, "Ring"), (2, "Core ä")):
        image = io.read(tmp_path / "masks" / f"{name}.nrrd")
        placed = place_exactly((image.array > 0).astype(np.uint8), image.grid, grid)
        assert placed is not None
        assert np.count_nonzero((placed > 0) != (found.mask.labels == value)) <= _PLASTIMATCH_VOXELS


_SHAPES = {
    "a hole": "#####\n#...#\n#...#\n#####",
    "an island in a hole": "#######\n#.....#\n#..#..#\n#.....#\n#######",
    "a hole that shares a corner with the outside": ".####\n#.###\n##.##\n#####",
    "two holes in one row": "#######\n#.#.#.#\n#######",
    "a hole behind a hole": "########\n#.###..#\n#.#.#..#\n#.###..#\n########",
    "holes that touch by a corner": "#####\n#.###\n##.##\n#####",
    "voxels that touch by a corner": "#..\n.#.\n..#",
    "one voxel": "#",
    "a checkerboard": "#.#.#\n.#.#.\n#.#.#",
    "a ring in a ring": "#######\n#.....#\n#.###.#\n#.#.#.#\n#.###.#\n#.....#\n#######",
}


@pytest.mark.parametrize("shape", _SHAPES)
@pytest.mark.parametrize("turn", range(4))
def test_keyholes_hold_every_shape(shape: str, turn: int) -> None:
    mask = np.rot90(np.array([[mark == "#" for mark in row] for row in _SHAPES[shape].split()]), turn)
    polygons = [polygon for _, polygon in polygons_of(mask[..., None])]
    filled, _ = fill_slice(polygons, mask.shape, xor=False)
    assert np.array_equal(filled, mask)


def test_a_hole_costs_no_contour_of_its_own() -> None:
    mask = np.ones((9, 9, 1), bool)
    mask[2:4, 2:4] = mask[5:7, 5:7] = mask[2, 6] = False
    assert len(list(polygons_of(mask))) == 1


def test_noise_on_a_large_slice_is_written_too() -> None:
    mask = np.random.default_rng(0).random((256, 256, 1)) < 0.75
    polygons = [polygon for _, polygon in polygons_of(mask)]
    assert np.array_equal(fill_slice(polygons, (256, 256), xor=True)[0], mask[..., 0])


def test_nothing_is_approved_unless_signed(data: Data, tmp_path: Path) -> None:
    found = scene("axial multi-frame, 23 columns", data, tmp_path)
    plain = make_rtstruct(found.mask, found.origin)
    assert plain.ApprovalStatus == "UNAPPROVED"
    assert plain.SeriesDescription.startswith("RESEARCH – NOT REVIEWED")
    assert "ReviewerName" not in plain
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    review = Review("reviewed", "A. Reader", "Centre", moment.isoformat(), "ab")
    signed = make_rtstruct(found.mask, found.origin, RtOptions(review))
    assert (signed.ApprovalStatus, str(signed.ReviewerName)) == ("APPROVED", "Reader^A.")
    assert (signed.ReviewDate, signed.ReviewTime) == ("20260102", "030405")
    assert signed.SeriesDescription.startswith("RESEARCH – reviewed by A. Reader")


def test_an_empty_mask_is_refused(data: Data, tmp_path: Path) -> None:
    found = scene("axial multi-frame, 23 columns", data, tmp_path)
    with pytest.raises(InputError, match="the mask is empty"):
        make_rtstruct(replace(found.mask, labels=np.zeros_like(found.mask.labels)), found.origin)


def test_long_outlines_keep_their_representation(data: Data, tmp_path: Path) -> None:
    """An explicit VR holds 64 kB of a contour's text; a comb of 512 × 512 has more."""
    found = scene("axial, empty character set", data, tmp_path)
    labels = np.zeros(found.mask.grid.shape, np.uint8)
    labels[10:500, 10:500:2, 0] = 1
    labels[10, 10:500, 0] = 1
    mask = Segmentation(labels, found.mask.grid, LabelTable((Label(1, "comb"),)))
    data_set = reread(checked_rtstruct(make_rtstruct(mask, found.origin), mask, found.origin))
    contour = data_set.ROIContourSequence[0].ContourSequence[0]
    assert contour["ContourData"].VR == "DS"
    assert len(contour.ContourData) == 3 * int(contour.NumberOfContourPoints)
