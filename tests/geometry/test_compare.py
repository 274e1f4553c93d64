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


CASES = [
    ("itself", BASE, Agreement.SAME, ""),
    ("float32 rounding", moved(shift=(3e-6, 0, 0)), Agreement.SAME, ""),
    ("a hundredth of a voxel", moved(shift=(0.007, 0, 0)), Agreement.SNAPPED, ""),
    ("quaternion rounding", moved(turn=0.012), Agreement.QUATERNION, ""),
    ("a shift of a tenth voxel", moved(shift=(0.07, 0, 0)), Agreement.OTHER, "shifted by"),
    ("half a voxel", moved(shift=(0.35, 0.35, 1.5)), Agreement.OTHER, "half a voxel"),
    ("a flipped axis", moved(flip=True), Agreement.OTHER, "flipped or permuted"),
    ("another spacing", moved(stretch=1.1), Agreement.OTHER, "spacing"),
    ("another shape", replace(BASE, shape=(20, 24, 11)), Agreement.OTHER, "shapes"),
    ("axes in another order", replace(BASE, shape=(24, 20, 10)), Agreement.OTHER, "another order"),
    (
        "another frame of reference",
        replace(BASE, frame_of_reference="9.9"),
        Agreement.OTHER,
        "frames of reference",
    ),
    ("pixels", replace(BASE, unit="px"), Agreement.OTHER, "px"),
]


@pytest.mark.parametrize(("name", "other", "agreement", "fault"), CASES, ids=[case[0] for case in CASES])
def test_bands_and_faults(name: str, other: Grid, agreement: Agreement, fault: str) -> None:
    result = compare_grids(BASE, other)
    assert result.agreement is agreement
    assert fault in result.fault
    assert same_grid(BASE, other) == (agreement is Agreement.SAME)
    if agreement is Agreement.OTHER:
        with pytest.raises(GridMismatchError, match="another grid than the image"):
            require_same_grid(BASE, other)
    else:
        finding = require_same_grid(BASE, other)
        assert (finding is None) == (agreement is Agreement.SAME)


def test_an_unknown_frame_of_reference_does_not_differ() -> None:
    assert same_grid(BASE, replace(BASE, frame_of_reference=None))
