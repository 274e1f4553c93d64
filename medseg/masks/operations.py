"""The operations that change a mask, by name: what they are called, what they are told, what they do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Params
from medseg.errors import InputError
from medseg.masks.between import fill_between
from medseg.masks.boolean import combine
from medseg.masks.components import Connectivity
from medseg.masks.contours import plane_axes
from medseg.masks.fill import fill_holes
from medseg.masks.morphology import Margins, add_margins, close_gaps, dilate, erode, open_necks
from medseg.masks.plane import beyond_plane, inside_box
from medseg.masks.sizes import keep_by_size
from medseg.masks.smooth import smooth_boundary
from medseg.masks.split import split_touching

__all__ = ["OPERATIONS", "Operation"]

Mask = NDArray[np.bool_]
Triple = tuple[float, float, float]
PatientPlane = Literal["axial", "coronal", "sagittal"]

_MM: dict[str, Any] = {"unit": "mm"}
_MM3: dict[str, Any] = {"unit": "mm3"}
_RAS: dict[str, Any] = {"unit": "RAS+ mm"}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Parameters
    ----------
    name, summary
        As typed, and one sentence.
    Params
        Its parameters; the first one may be given without its name.
    apply
        (mask, grid, params, other) → (I, J, K) bool, or numbers of parts: 1 keeps the label, 2 and on become new ones.
    needs_other
        Whether a second mask takes part.
    """

    name: str
    summary: str
    Params: type[Params]
    apply: Callable[[Mask, Grid, Any, Mask | None], NDArray[Any]]
    needs_other: bool = False


class Growing(Params):
    """Of operations that may add voxels."""

    over_labels: bool = Field(
        default=False, description="Take voxels of other labels too; else these are left to them."
    )


class BallParams(Params):
    """A ball."""

    radius_mm: float = Field(2.0, gt=0, le=500, description="Radius of the ball.", json_schema_extra=_MM)


class GrowingBallParams(BallParams, Growing):
    """A ball that may add voxels."""


class MarginParams(Growing):
    """A margin for all sides, and others for single ones."""

    margin_mm: float = Field(
        0.0, ge=0, le=500, description="Towards all sides that have none of their own.", json_schema_extra=_MM
    )
    right: float | None = Field(
        None, ge=0, le=500, description="Towards the patient's right.", json_schema_extra=_MM
    )
    left: float | None = Field(None, ge=0, le=500, description="Towards the left.", json_schema_extra=_MM)
    anterior: float | None = Field(
        None, ge=0, le=500, description="Towards the front.", json_schema_extra=_MM
    )
    posterior: float | None = Field(
        None, ge=0, le=500, description="Towards the back.", json_schema_extra=_MM
    )
    superior: float | None = Field(None, ge=0, le=500, description="Towards the head.", json_schema_extra=_MM)
    inferior: float | None = Field(None, ge=0, le=500, description="Towards the feet.", json_schema_extra=_MM)


class LargestParams(Params):
    """How many."""

    count: int = Field(1, ge=1, description="How many connected parts to keep, largest first.")
    connectivity: Connectivity = Field(
        26, description="Neighbours share a face (6), an edge (18) or a corner (26)."
    )


class SizeParams(Params):
    """Limits of size."""

    minimum_mm3: float = Field(0.0, ge=0, description="Smallest part that is kept.", json_schema_extra=_MM3)
    maximum_mm3: float | None = Field(
        None, gt=0, description="Largest part that is kept.", json_schema_extra=_MM3
    )
    connectivity: Connectivity = Field(
        26, description="Neighbours share a face (6), an edge (18) or a corner (26)."
    )


class FillParams(Growing):
    """Which holes."""

    largest_mm3: float | None = Field(
        None, gt=0, description="Leave larger holes open; none fills all.", json_schema_extra=_MM3
    )
    plane: PatientPlane | None = Field(
        None, description="Fill slice by slice in this plane; none fills in 3D."
    )


class SmoothParams(Growing):
    """How much."""

    sigma_mm: float = Field(
        1.5, gt=0, le=100, description="Width (standard deviation) of what goes.", json_schema_extra=_MM
    )


class BetweenParams(Growing):
    """Which gaps."""

    largest_gap_mm: float | None = Field(
        None,
        gt=0,
        description="Leave wider gaps between drawn slices; none fills all.",
        json_schema_extra=_MM,
    )
    plane: PatientPlane | None = Field(
        None, description="Plane of the slices; none takes that of acquisition."
    )


class OtherParams(Params):
    """The second mask."""

    other: str = Field(description="A label or region of this mask, or a mask file on the same grid.")
    of: str | None = Field(None, description="Label or region of the other file; none takes all its labels.")


class GrowingOtherParams(OtherParams, Growing):
    """The second mask of an operation that may add voxels."""


class SplitParams(Params):
    """Where to split."""

    depth_mm: float = Field(
        1.0,
        gt=0,
        le=500,
        description="Split at necks whose inscribed radius is by so much smaller than on both sides.",
        json_schema_extra=_MM,
    )


class PlaneParams(Params):
    """A plane."""

    point: Triple = Field(description="A point of the plane: [x, y, z].", json_schema_extra=_RAS)
    normal: Triple = Field(
        description="Direction across it; what lies there gets a new label.", json_schema_extra=_RAS
    )


class BoxParams(Params):
    """A box."""

    low: Triple = Field(description="Lowest [x, y, z] that is kept.", json_schema_extra=_RAS)
    high: Triple = Field(description="Highest [x, y, z] that is kept.", json_schema_extra=_RAS)


def _margins(params: MarginParams) -> Margins:
    sides = (params.right, params.left, params.anterior, params.posterior, params.superior, params.inferior)
    return Margins(*(params.margin_mm if side is None else side for side in sides))


def _axis(grid: Grid, plane: PatientPlane | None) -> int | None:
    """Array axis across a named plane; None for none."""
    if plane is None:
        return None
    axes = plane_axes(grid)
    if plane not in axes:
        raise InputError(f"a single slice has no {plane} planes; it is {next(iter(axes))}")
    return axes[plane]


def _set_operation(how: Any) -> Callable[[Mask, Grid, Any, Mask | None], NDArray[Any]]:
    def apply(mask: Mask, _grid: Grid, _params: Any, other: Mask | None) -> NDArray[Any]:
        assert other is not None  # noqa: S101 - for the type checker: `needs_other` says so
        return combine(mask, other, how)

    return apply


def _beyond(mask: Mask, grid: Grid, params: PlaneParams) -> NDArray[Any]:
    return mask.astype(np.uint8) + beyond_plane(mask, grid, params.point, params.normal)


_TABLE = (
    Operation(
        "keep-largest",
        "Keep the largest connected part, or the largest few.",
        LargestParams,
        lambda mask, grid, p, _: keep_by_size(mask, grid, largest=p.count, connectivity=p.connectivity),
    ),
    Operation(
        "keep-size",
        "Keep connected parts within limits of volume.",
        SizeParams,
        lambda mask, grid, p, _: keep_by_size(
            mask, grid, minimum_mm3=p.minimum_mm3, maximum_mm3=p.maximum_mm3, connectivity=p.connectivity
        ),
    ),
    Operation(
        "fill-holes",
        "Fill what nothing joins to the outside, in 3D or slice by slice.",
        FillParams,
        lambda mask, grid, p, _: fill_holes(mask, grid, axis=_axis(grid, p.plane), largest_mm3=p.largest_mm3),
    ),
    Operation(
        "open",
        "Remove what a ball inside can't reach: spikes and thin necks.",
        BallParams,
        lambda mask, grid, p, _: open_necks(mask, grid, p.radius_mm),
    ),
    Operation(
        "close",
        "Fill what a ball outside can't reach: cracks and narrow bays.",
        GrowingBallParams,
        lambda mask, grid, p, _: close_gaps(mask, grid, p.radius_mm),
    ),
    Operation(
        "dilate",
        "Grow by the same distance towards all sides.",
        GrowingBallParams,
        lambda mask, grid, p, _: dilate(mask, grid, p.radius_mm),
    ),
    Operation(
        "erode",
        "Shrink by the same distance from all sides.",
        BallParams,
        lambda mask, grid, p, _: erode(mask, grid, p.radius_mm),
    ),
    Operation(
        "margin",
        "Grow by a distance of its own towards each side of the patient.",
        MarginParams,
        lambda mask, grid, p, _: add_margins(mask, grid, _margins(p)),
    ),
    Operation(
        "smooth",
        "Smooth the boundary; each part keeps its volume.",
        SmoothParams,
        lambda mask, grid, p, _: smooth_boundary(mask, grid, p.sigma_mm),
    ),
    Operation(
        "fill-between",
        "Fill empty slices between drawn ones by interpolating shapes.",
        BetweenParams,
        lambda mask, grid, p, _: fill_between(
            mask, grid, axis=_axis(grid, p.plane), largest_gap_mm=p.largest_gap_mm
        ),
    ),
    Operation(
        "union",
        "Add another label (which is merged into this one) or another mask.",
        GrowingOtherParams,
        _set_operation("union"),
        needs_other=True,
    ),
    Operation(
        "intersect",
        "Keep what another mask holds too.",
        OtherParams,
        _set_operation("intersect"),
        needs_other=True,
    ),
    Operation(
        "subtract",
        "Remove what another mask holds.",
        OtherParams,
        _set_operation("subtract"),
        needs_other=True,
    ),
    Operation(
        "xor",
        "Keep what exactly one of this and another mask holds.",
        GrowingOtherParams,
        _set_operation("xor"),
        needs_other=True,
    ),
    Operation(
        "split",
        "Split touching objects at their necks; all but the largest get new labels.",
        SplitParams,
        lambda mask, grid, p, _: split_touching(mask, grid, p.depth_mm),
    ),
    Operation(
        "split-plane",
        "Give what lies beyond a plane a new label.",
        PlaneParams,
        lambda mask, grid, p, _: _beyond(mask, grid, p),
    ),
    Operation(
        "crop-box",
        "Keep what lies inside a box.",
        BoxParams,
        lambda mask, grid, p, _: inside_box(mask, grid, p.low, p.high),
    ),
)

#: Every operation by its name, in the order of their lists.
OPERATIONS: dict[str, Operation] = {operation.name: operation for operation in _TABLE}
