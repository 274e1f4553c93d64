"""Same grid? In bands, with the likely fault named."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid
from medseg.errors import GridMismatchError
from medseg.geometry import Agreement, compare_grids, require_same_grid, same_grid

BASE = Grid((20, 24, 10), np.diag([0.7, 0.7, 3.0, 1.0]), frame_of_reference="1.2.3")


def moved(**changes: Any) -> Grid:
    affine = np.array(BASE.affine)
    affine[:3, 3] += changes.pop("shift", (0, 0, 0))
    affine[:3, :3] *= changes.pop("stretch", 1.0)
    if changes.pop("flip", False):
        affine[:3, 3] += affine[:3, 0] * 19
        affine[:3, 0] *= -1
    angle = changes.pop("turn", 0.0)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine[:3, :3] = turn @ affine[:3, :3]
    return replace(BASE, affine=affine, **changes)


HALF = "they are shifted by half a voxel (corner and centre of a voxel confused)"
#: The first axis has 0.7 mm a voxel; bands are in voxels.
CASES = [
    ("itself", BASE, Agreement.SAME, ""),
    ("float32 rounding", moved(shift=(3e-6, 0, 0)), Agreement.SAME, ""),
    ("just the same", moved(shift=(0.0009 * 0.7, 0, 0)), Agreement.SAME, ""),
    ("just not the same", moved(shift=(0.0011 * 0.7, 0, 0)), Agreement.SNAPPED, ""),
    ("a hundredth of a voxel", moved(shift=(0.007, 0, 0)), Agreement.SNAPPED, ""),
    ("just rounding", moved(shift=(0.049 * 0.7, 0, 0)), Agreement.SNAPPED, ""),
    (
        "just no rounding",
        moved(shift=(0.051 * 0.7, 0, 0)),
        Agreement.OTHER,
        "they are shifted by (-0.051, 0, 0) voxels",
    ),
    ("quaternion rounding", moved(turn=0.012), Agreement.QUATERNION, ""),
    ("most of it", moved(turn=0.032), Agreement.QUATERNION, ""),
    (
        "more than a quaternion rounds",
        moved(turn=0.04),
        Agreement.OTHER,
        "their corners lie up to 1.19 voxels apart: another case or another series",
    ),
    ("turned and a little shifted", moved(turn=0.012, shift=(0.049 * 0.7, 0, 0)), Agreement.QUATERNION, ""),
    (
        "turned and shifted",
        moved(turn=0.012, shift=(0.06 * 0.7, 0, 0)),
        Agreement.OTHER,
        "their corners lie up to 0.31 voxels apart: another case or another series",
    ),
    (
        "a shift of a tenth voxel",
        moved(shift=(0.07, 0, 0)),
        Agreement.OTHER,
        "they are shifted by (-0.1, 0, 0) voxels",
    ),
    ("half a voxel", moved(shift=(0.35, 0.35, 1.5)), Agreement.OTHER, HALF),
    ("half a voxel back", moved(shift=(-0.35, -0.35, -1.5)), Agreement.OTHER, HALF),
    ("half a voxel within rounding", moved(shift=(0.509 * 0.7, 0.009 * 0.7, 0)), Agreement.OTHER, HALF),
    ("half a voxel along one axis", moved(shift=(0.35, 0, 0)), Agreement.OTHER, HALF),
    (
        "half a voxel and a tenth",
        moved(shift=(0.35, 0.07, 0)),
        Agreement.OTHER,
        "they are shifted by (-0.5, -0.1, 0) voxels",
    ),
    (
        "nearly half a voxel",
        moved(shift=(0.34, 0, 0)),
        Agreement.OTHER,
        "they are shifted by (-0.4857, 0, 0) voxels",
    ),
    ("a flipped axis", moved(flip=True), Agreement.OTHER, "an axis is flipped or permuted (RAS against LAS)"),
    (
        "another spacing",
        moved(stretch=1.1),
        Agreement.OTHER,
        "spacing (0.7, 0.7, 3) against (0.77, 0.77, 3.3) mm",
    ),
    (
        "a spacing just another",
        moved(stretch=1.002),
        Agreement.OTHER,
        "spacing (0.7, 0.7, 3) against (0.7014, 0.7014, 3.006) mm",
    ),
    (
        "a spacing rounded, and shifted",
        moved(stretch=1.0009, shift=(0.21, 0, 0)),
        Agreement.OTHER,
        "they are shifted by (-0.2997, 0, 0) voxels",
    ),
    (
        "another shape",
        replace(BASE, shape=(20, 24, 11)),
        Agreement.OTHER,
        "shapes (20, 24, 10) and (20, 24, 11): another case, or it was cropped or resampled",
    ),
    (
        "axes in another order",
        replace(BASE, shape=(24, 20, 10)),
        Agreement.OTHER,
        "shapes (20, 24, 10) and (24, 20, 10) are the same axes in another order",
    ),
    (
        "another frame of reference",
        replace(BASE, frame_of_reference="9.9"),
        Agreement.OTHER,
        "they belong to different frames of reference",
    ),
    ("pixels", replace(BASE, unit="px"), Agreement.OTHER, "one is in mm, the other in px"),
]


@pytest.mark.parametrize(("name", "other", "agreement", "fault"), CASES, ids=[case[0] for case in CASES])
def test_bands_and_faults(name: str, other: Grid, agreement: Agreement, fault: str) -> None:
    result = compare_grids(BASE, other)
    assert result.agreement is agreement
    assert result.fault == fault
    assert same_grid(BASE, other) == (agreement is Agreement.SAME)
    if agreement is Agreement.OTHER:
        with pytest.raises(GridMismatchError, match="the mask is on another grid than the image"):
            require_same_grid(BASE, other)
        assert result.finding() is None
    else:
        finding = require_same_grid(BASE, other)
        assert (finding is None) == (agreement is Agreement.SAME)


SNAPPED = [
    (
        moved(shift=(0.014, 0, 0)),
        "info",
        "The label's grid differed from the image's by up to 0.020 voxel (0.014 mm) and was set to the image's.",
    ),
    (
        moved(turn=0.012),
        "warning",
        (
            "The label's grid differed from the image's by up to 0.358 voxel (0.251 mm) and was set to the image's; "
            "rounding of the header's quaternion explains this."
        ),
    ),
]


@pytest.mark.parametrize(("other", "severity", "message"), SNAPPED, ids=["rounding", "quaternion"])
def test_a_snapped_grid_says_by_how_much(other: Grid, severity: str, message: str) -> None:
    finding = require_same_grid(BASE, other, "label")
    assert finding is not None
    assert (finding.severity, finding.message) == (severity, message)
    assert [name for name, _ in finding.details] == ["corner_voxels", "corner_mm"]


FAR = [
    ("moved along the coarse axis", moved(shift=(0, 0, 3.0)), 3.0),
    ("the far corner moves most", moved(stretch=1.1), 0.1 * float(np.hypot(np.hypot(19, 23) * 0.7, 9 * 3.0))),
    (
        "of another frame and spacing",
        replace(moved(stretch=2.0), frame_of_reference="9.9"),
        float(np.hypot(np.hypot(19, 23) * 0.7, 9 * 3.0)),
    ),
    ("of another frame", replace(moved(shift=(0, 1.4, 0)), frame_of_reference="9.9"), 1.4),
]


@pytest.mark.parametrize(("name", "other", "distance_mm"), FAR, ids=[case[0] for case in FAR])
def test_the_distance_is_that_of_the_corner_that_moved_most(
    name: str, other: Grid, distance_mm: float
) -> None:
    result = compare_grids(BASE, other)
    assert result.corner_mm == pytest.approx(distance_mm)
    assert result.corner_voxels == pytest.approx(distance_mm / 0.7)


def test_an_unknown_frame_of_reference_does_not_differ() -> None:
    assert same_grid(BASE, replace(BASE, frame_of_reference=None))
