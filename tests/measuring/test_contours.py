"""Contours as JSON: planes, what the boundary means, and where the points lie."""

import json

import numpy as np
import pytest

from medseg.domain import Grid, Label, LabelTable, Segmentation
from medseg.measuring.contours import contours

TABLE = LabelTable((Label(1, "a"), Label(3, "b")))
GRID = Grid((12, 10, 8), np.array([[-1.0, 0, 0, 50], [0, -1, 0, 60], [0, 0, 3, -70], [0, 0, 0, 1]]))


def block(*, probabilities: bool = False, grid: Grid = GRID) -> Segmentation:
    labels = np.zeros(grid.shape, np.uint8)
    labels[2:7, 3:8, 1:5] = 1
    labels[9:11, 3:5, 1:5] = 3
    kept = None
    if probabilities:
        one, two = np.where(labels == 1, 0.7, 0.1), np.where(labels == 3, 0.6, 0.1)
        kept = np.stack([1 - one - two, one, two]).astype(np.float32)
    return Segmentation(labels, grid, TABLE, probabilities=kept)


def test_by_default_polygons_follow_voxel_edges_across_the_slices_as_taken() -> None:
    found = contours(block())
    assert found["schema"] == "medseg.contours/1.1"
    assert found["planes"] == [{"axis": 2, "name": "axial"}]
    assert found["slice_axis"] == 2
    assert found["boundary"].startswith("voxel edges")
    assert [item["slice"] for item in found["labels"][0]["polygons"]] == [1, 2, 3, 4]
    json.dumps(found)


def test_three_planes_hold_every_slice_of_each() -> None:
    found = contours(block(), planes="three")
    assert [item["name"] for item in found["planes"]] == ["axial", "coronal", "sagittal"]
    seen = [(item["axis"], item["slice"]) for item in found["labels"][0]["polygons"]]
    assert seen == [(2, n) for n in range(1, 5)] + [(1, n) for n in range(3, 8)] + [
        (0, n) for n in range(2, 7)
    ]
    for item in found["labels"][0]["polygons"]:
        points = np.array(item["points"])
        position = GRID.to_position(np.eye(3)[item["axis"]] * item["slice"])[item["axis"]]
        assert points[:, item["axis"]] == pytest.approx(position)


def test_every_plane_has_the_same_volume() -> None:
    found = contours(block(), planes="three")
    volumes = dict.fromkeys((0, 1, 2), 0.0)
    for item in found["labels"][0]["polygons"]:
        a, b = np.delete(np.array(item["points"]), item["axis"], axis=1).T
        volumes[item["axis"]] += (
            abs(float((a * np.roll(b, -1) - b * np.roll(a, -1)).sum() / 2)) * (GRID.spacing[item["axis"]])
        )
    assert list(volumes.values()) == pytest.approx([5 * 5 * 4 * 3.0] * 3)


def test_between_voxels_where_probabilities_are_kept() -> None:
    found = contours(block(probabilities=True), subvoxel=True)
    assert "linear between voxel centres" in found["boundary"]
    points = np.array(found["labels"][0]["polygons"][0]["points"])
    # Margins 0.5 inside and −0.7 outside: the boundary lies 5/12 of a step beyond the last centre.
    assert points[:, 0].max() == pytest.approx(50 - 2 + 5 / 12, abs=1e-4)
    assert found["labels"][1]["polygons"]


def test_without_probabilities_the_edges_of_voxels_are_used_and_said() -> None:
    found = contours(block(), subvoxel=True)
    assert found["boundary"].startswith("voxel edges")
    assert found["labels"] == contours(block())["labels"]


def test_pixels_stay_pixels_and_carry_no_plane() -> None:
    grid = Grid((12, 10, 1), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px")
    labels = np.ones(grid.shape, np.uint8)
    found = contours(Segmentation(labels, grid, LabelTable((Label(1, "a"),))), planes="three")
    assert found["unit"] == "px"
    assert found["planes"] == [{"axis": 2, "name": None}]
