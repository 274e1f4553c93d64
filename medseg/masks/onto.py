"""A mask on a grid: as it is, placed from another axis order, or resampled where that is asked for."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Segmentation
from medseg.domain.values import as_details
from medseg.errors import GridMismatchError
from medseg.geometry import Agreement, AxisOrder
from medseg.geometry.place import match_order
from medseg.geometry.resample import resample as resampled
from medseg.geometry.shares import reordered_shares
from medseg.masks.voxels import voxel_ml

__all__ = ["RESAMPLED", "lies_on", "onto_grid"]

#: Code of the Finding on a mask that was resampled.
RESAMPLED = "mask.resampled"


def lies_on(grid: Grid, target: Grid) -> bool:
    """Whether a mask's voxels are those of a grid, in whatever axis order."""
    return match_order(grid, target)[1].agreement is not Agreement.OTHER


def onto_grid(mask: Segmentation, grid: Grid, *, resample: bool = False, what: str = "mask") -> Segmentation:
    """The mask on `grid`, with a Finding where its placement was changed.

    A grid that agrees within rounding is snapped to. One that holds the same voxels in another order of axes is
    placed: exact, nothing is interpolated. Any other is refused, or resampled (nearest label).

    Parameters
    ----------
    mask
        Labels, and with them instances and probabilities; resampling drops these.
    grid
        Where it shall lie; the slice thickness and frame of reference of either are kept.
    resample
        Whether a mask of another grid is resampled.
    what
        What the mask is called in messages.

    Raises
    ------
    GridMismatchError
        If the voxels are others and `resample` is not asked for; the message names the likely fault.
    """
    order, compared = match_order(mask.grid, grid)
    if compared.agreement is not Agreement.OTHER:
        # The same place within rounding: the digits of the mask's own affine are kept.
        same = compared.agreement is Agreement.SAME
        found = _placed(mask, order, order.grid(mask.grid) if same else grid, grid)
        notes = (_turned(mask.grid, order.grid(mask.grid), what), compared.finding(what))
        return replace(found, findings=(*mask.findings, *(note for note in notes if note is not None)))
    if not resample or mask.grid.unit != grid.unit:
        raise GridMismatchError(
            f"the {what} is on another grid than the image: {compared.fault}; "
            f"check that they belong together, or resample the {what} with --resample"
        )
    return _resampled(mask, grid, what)


def _placed(mask: Segmentation, order: AxisOrder, place: Grid, grid: Grid) -> Segmentation:
    def turned(array: NDArray[Any] | None) -> NDArray[Any] | None:
        return None if array is None else np.asfortranarray(order.apply(array))

    labels = turned(mask.labels)
    assert labels is not None  # noqa: S101 - for the type checker
    own = replace(_joined(mask.grid, grid), affine=place.affine)
    probabilities = reordered_shares(mask.probabilities, order, own)
    return replace(
        mask, labels=labels, grid=own, instances=turned(mask.instances), probabilities=probabilities
    )


def _joined(own: Grid, grid: Grid) -> Grid:
    """The grid, with what only the mask's own says."""
    return replace(
        grid,
        frame_of_reference=own.frame_of_reference or grid.frame_of_reference,
        slice_thickness=own.slice_thickness or grid.slice_thickness,
    )


def _turned(before: Grid, after: Grid, what: str) -> Finding | None:
    if before.orientation == after.orientation:
        return None
    return Finding(
        "mask.placed",
        "info",
        f"The {what} is stored with its axes in another order ({before.orientation}) than the image "
        f"({after.orientation}); its voxels were put in the image's order, none was resampled.",
        as_details(stored=before.orientation, image=after.orientation),
    )


def _resampled(mask: Segmentation, grid: Grid, what: str) -> Segmentation:
    labels = resampled(mask.labels, mask.grid, grid, interpolation="nearest")
    before, before_text = _volume(mask.labels, mask.grid)
    after, after_text = _volume(labels, grid)
    finding = Finding(
        RESAMPLED,
        "warning",
        f"The {what} lay on another grid and was resampled to the image's: {before_text} became {after_text}.",
        as_details(before_ml=before, after_ml=after),
    )
    return replace(
        mask,
        labels=labels,
        grid=_joined(mask.grid, grid),
        findings=(*mask.findings, finding),
        instances=None,
        probabilities=None,
    )


def _volume(labels: NDArray[Any], grid: Grid) -> tuple[float | None, str]:
    """Millilitres of all labels, and in words; voxels in words where a voxel has no volume."""
    voxels, factor = int(np.count_nonzero(labels)), voxel_ml(grid)
    return (None, f"{voxels} voxels") if factor is None else (voxels * factor, f"{voxels * factor:.3f} ml")
