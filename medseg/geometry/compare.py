"""Whether two grids are one: by the largest displacement of a corner, in bands with names."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from medseg.domain.finding import Finding
from medseg.domain.grid import Grid
from medseg.domain.values import as_details
from medseg.errors import GridMismatchError

__all__ = ["Agreement", "GridComparison", "compare_grids", "require_same_grid", "same_grid"]

#: Corners closer than this (voxels) are the same place: float32 headers move them by up to 3e-6.
SAME_VOXELS = 1e-3
#: Up to here (voxels) rounding explains the difference; one grid is snapped to the other, with a Finding.
SNAP_VOXELS = 0.05
#: Up to here quaternion rounding can explain it, if shape and spacing agree: snapped with a warning.
QUATERNION_VOXELS = 1.0
#: Spacings within this relative difference are equal.
SPACING_TOLERANCE = 1e-3


class Agreement(Enum):
    """How two grids agree."""

    SAME = "same"
    SNAPPED = "snapped"
    QUATERNION = "snapped, explained by quaternion rounding"
    OTHER = "another grid"


@dataclass(frozen=True, slots=True)
class GridComparison:
    """Outcome with its figures; `fault` names the likely cause when the grids differ."""

    agreement: Agreement
    corner_voxels: float
    corner_mm: float
    fault: str = ""

    def finding(self, what: str = "mask") -> Finding | None:
        """Finding for a snapped grid; None when the grids are the same."""
        if self.agreement in (Agreement.SAME, Agreement.OTHER):
            return None
        strong = self.agreement is Agreement.QUATERNION
        return Finding(
            "grid.snapped",
            "warning" if strong else "info",
            f"The {what}'s grid differed from the image's by up to {self.corner_voxels:.3f} voxel "
            f"({self.corner_mm:.3f} mm) and was set to the image's"
            + ("; rounding of the header's quaternion explains this." if strong else "."),
            as_details(corner_voxels=self.corner_voxels, corner_mm=self.corner_mm),
        )


def same_grid(a: Grid, b: Grid) -> bool:
    """Whether two grids are the same within rounding (unit, UID, shape, corners within 0.001 voxel)."""
    return compare_grids(a, b).agreement is Agreement.SAME


def compare_grids(a: Grid, b: Grid) -> GridComparison:
    """Compare by the largest corner displacement; UIDs of the frame of reference are compared too.

    Source of the bands: `clinical-rules`, measured on float32 headers and quaternions.
    """
    if a.unit != b.unit:
        return _other(a, b, f"one is in {a.unit}, the other in {b.unit}")
    if a.frame_of_reference and b.frame_of_reference and a.frame_of_reference != b.frame_of_reference:
        return _other(a, b, "they belong to different frames of reference")
    if a.shape != b.shape:
        return _other(a, b, _shape_fault(a, b))
    distance_mm = float(np.linalg.norm(a.corners - b.corners, axis=1).max())
    voxels = distance_mm / min(a.spacing)
    if voxels <= SAME_VOXELS:
        return GridComparison(Agreement.SAME, voxels, distance_mm)
    if voxels <= SNAP_VOXELS:
        return GridComparison(Agreement.SNAPPED, voxels, distance_mm)
    if voxels < QUATERNION_VOXELS and _rotation_explains(a, b):
        return GridComparison(Agreement.QUATERNION, voxels, distance_mm)
    return GridComparison(Agreement.OTHER, voxels, distance_mm, _place_fault(a, b, voxels))


def require_same_grid(a: Grid, b: Grid, what: str = "mask") -> Finding | None:
    """None or a Finding when the grids agree.

    Raises
    ------
    GridMismatchError
        If they do not; the message names the likely fault.
    """
    result = compare_grids(a, b)
    if result.agreement is Agreement.OTHER:
        raise GridMismatchError(
            f"the {what} is on another grid than the image: {result.fault}; "
            f"check that they belong together, or resample the {what} with --resample"
        )
    return result.finding(what)


def _other(a: Grid, b: Grid, fault: str) -> GridComparison:
    distance = float(np.linalg.norm(a.corners - b.corners, axis=1).max())
    return GridComparison(Agreement.OTHER, distance / min(a.spacing), distance, fault)


def _rotation_explains(a: Grid, b: Grid) -> bool:
    # A rounded quaternion turns the grid a little about its origin: spacing and first corner stay.
    origin = np.linalg.norm(a.affine[:3, 3] - b.affine[:3, 3]) / min(a.spacing)
    return bool(np.allclose(a.spacing, b.spacing, rtol=SPACING_TOLERANCE) and origin <= SNAP_VOXELS)


def _shape_fault(a: Grid, b: Grid) -> str:
    if sorted(a.shape) == sorted(b.shape):
        return f"shapes {a.shape} and {b.shape} are the same axes in another order"
    return f"shapes {a.shape} and {b.shape}: another case, or it was cropped or resampled"


def _place_fault(a: Grid, b: Grid, voxels: float) -> str:
    if not np.allclose(a.spacing, b.spacing, rtol=SPACING_TOLERANCE):
        return f"spacing {_numbers(a.spacing)} against {_numbers(b.spacing)} {a.unit}"
    if a.orientation != b.orientation:
        return f"an axis is flipped or permuted ({a.orientation} against {b.orientation})"
    shift = b.to_index(a.affine[:3, 3])
    if np.allclose(a.direction, b.direction, atol=1e-3):
        near = np.abs(np.abs(shift) - 0.5) < 0.01
        if (near | (np.abs(shift) < 0.01)).all() and near.any():
            return "they are shifted by half a voxel (corner and centre of a voxel confused)"
        return f"they are shifted by {_numbers(shift)} voxels"
    return f"their corners lie up to {voxels:.2f} voxels apart: another case or another series"


def _numbers(values: object) -> str:
    return "(" + ", ".join(f"{value:.4g}" for value in np.asarray(values)) + ")"
