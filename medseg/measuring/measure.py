"""Every quantity of every label and region."""

from collections.abc import Mapping

import numpy as np

from medseg.domain import Grid, Image, Measurement, Quantity, Segmentation, Target
from medseg.masks import border_mask, plane_diameters, slice_axis
from medseg.measuring.intensity import Sampled, add_intensities, sample
from medseg.measuring.rows import Rows, not_found
from medseg.measuring.tally import Tally, tally

__all__ = ["measure"]

_VOLUME = "voxel count × |det(affine)|: Volume from Voxel Summation, IBSI YEKZ"
_THIN = "voxel count × pixel area × slice thickness: a single slice with a stated thickness"
_AREA = "pixel count × pixel area"
_CENTROID = "mean of voxel centres, RAS+"
_BOX = "first and last voxel index of the native grid, 0-based, inclusive"
_EXTENT = "voxels from first to last index × spacing"
_DIAMETER = "largest distance between pixel corners of one 8-connected component within one slice"
_WIDTH = "largest width at right angles to the longest diameter, same slice and component"
_AXES = "IJK"


def measure(segmentation: Segmentation, images: Mapping[str, Image] | None = None) -> tuple[Measurement, ...]:
    """Measure every label and region of a segmentation.

    Parameters
    ----------
    segmentation
        Labels on their native grid.
    images
        Images by channel. A channel on another grid of the same world space is measured on its own voxels,
        with labels taken at their centres; the caller has checked that the space is one.

    Returns
    -------
    tuple of Measurement
        In the order of the table: labels, then regions. A structure that is not there has volume 0 with
        status `ok`, and everything else `not_computed`. A cut structure's sizes are lower bounds.

    Notes
    -----
    Definitions: IBSI reference manual where a code is given, else own, as stated in `Quantity`.
    Memory: one boolean array, plus the values of the largest structure.
    """
    border = border_mask(segmentation.grid.shape, _outside(segmentation, images or {}))
    counts = tally(segmentation.labels, border)
    samples = {name: sample(segmentation, image) for name, image in (images or {}).items()}
    measured: list[Measurement] = []
    for target in targets(segmentation):
        measured += _measure_target(segmentation, target, counts, samples)
    return tuple(measured)


def targets(segmentation: Segmentation) -> tuple[Target, ...]:
    """Labels, then regions, of the table."""
    table = segmentation.table
    labels = [Target("label", label.name, (label.value,)) for label in table.labels]
    return (*labels, *(Target("region", region.name, region.labels) for region in table.regions))


def _measure_target(
    segmentation: Segmentation, target: Target, counts: Tally, samples: Mapping[str, Sampled]
) -> list[Measurement]:
    grid = segmentation.grid
    count = counts.count(target.labels)
    on_border = counts.on_border(target.labels)
    rows = Rows(target, grid, cut=on_border > 0)
    rows.add(Quantity.VOXEL_COUNT, count, method="voxels that carry the label")
    _add_size(rows, grid, count)
    if count == 0:
        _refuse_rest(rows, samples)
        return rows.items
    profiles = [counts.profile(axis, target.labels) for axis in range(3)]
    _add_centroid(rows, grid, profiles)
    _add_box(rows, grid, profiles)
    rows.add(Quantity.BORDER_VOXELS, on_border, method="labelled voxels on the border")
    _add_diameters(rows, segmentation)
    for name, sampled in samples.items():
        add_intensities(rows, name, sampled)
    return rows.items


def _add_size(rows: Rows, grid: Grid, count: int) -> None:
    flat = 1 in grid.shape
    if grid.unit == "px":
        rows.refuse(Quantity.VOLUME, "the image has no physical size (px); give --spacing if it is known")
    elif not flat:
        rows.add(Quantity.VOLUME, count * grid.voxel_volume / 1000, method=_VOLUME)
    elif grid.slice_thickness is None:
        rows.refuse(
            Quantity.VOLUME, "a single slice without a known thickness has no volume; give --slice-thickness"
        )
    else:
        rows.add(Quantity.VOLUME, count * _pixel_area(grid) * grid.slice_thickness / 1000, method=_THIN)
    if flat:
        rows.add(Quantity.AREA, count * _pixel_area(grid), method=_AREA)


def _pixel_area(grid: Grid) -> float:
    first, second = (grid.affine[:3, axis] for axis in range(3) if axis != slice_axis(grid))
    return float(np.linalg.norm(np.cross(first, second)))


def _add_centroid(
    rows: Rows, grid: Grid, profiles: list["np.ndarray[tuple[int], np.dtype[np.int64]]"]
) -> None:
    names = (Quantity.CENTROID_X, Quantity.CENTROID_Y, Quantity.CENTROID_Z)
    if not grid.orientation_known:
        for quantity in names:
            rows.refuse(quantity, "the file does not say how its axes lie in the patient; give --orientation")
        return
    index = np.array([float((np.arange(len(p)) * p).sum() / p.sum()) for p in profiles])
    for quantity, value in zip(names, grid.to_position(index), strict=True):
        rows.add(quantity, float(value), method=_CENTROID)


def _add_box(rows: Rows, grid: Grid, profiles: list["np.ndarray[tuple[int], np.dtype[np.int64]]"]) -> None:
    ends = [(int(used[0]), int(used[-1])) for used in (np.flatnonzero(profile) for profile in profiles)]
    for which, position in (("MIN", 0), ("MAX", 1)):
        for axis, letter in enumerate(_AXES):
            rows.add(Quantity[f"BOX_{which}_{letter}"], ends[axis][position], method=_BOX)
    for axis, letter in enumerate(_AXES):
        length = (ends[axis][1] - ends[axis][0] + 1) * grid.spacing[axis]
        rows.add(Quantity[f"EXTENT_{letter}"], length, method=_EXTENT)


def _add_diameters(rows: Rows, segmentation: Segmentation) -> None:
    grid = segmentation.grid
    pair = (Quantity.LONGEST_DIAMETER, Quantity.SHORT_DIAMETER)
    if grid.is_sheared:
        for quantity in pair:
            rows.refuse(
                quantity, "the grid is sheared (tilted gantry), so only volumes can be had; use --resample"
            )
        return
    axis = slice_axis(grid)
    found = plane_diameters(segmentation.mask(*rows.target.labels), grid, axis)
    if found is None:
        return
    plane = f"{plane_name(grid, axis)} {'ijk'[axis]}={found.index}"
    for quantity, value, points, method in (
        (pair[0], found.long, found.long_points, _DIAMETER),
        (pair[1], found.short, found.short_points, _WIDTH),
    ):
        ends = tuple((float(x), float(y), float(z)) for x, y, z in points)
        rows.add(quantity, value, method=method, plane=plane, points_mm=ends)


def plane_name(grid: Grid, axis: int) -> str:
    """`axial`, `coronal` or `sagittal` by the letter of the slicing axis; `slice` where that is not known."""
    if grid.unit == "px" or not grid.orientation_known:
        return "slice"
    name = {"S": "axial", "I": "axial", "A": "coronal", "P": "coronal"}.get(
        grid.orientation[axis], "sagittal"
    )
    return f"oblique {name}" if grid.is_oblique else name


def _refuse_rest(rows: Rows, samples: Mapping[str, Sampled]) -> None:
    done = {item.quantity for item in rows.items} | {Quantity.AREA}
    for quantity in Quantity:
        if quantity.info.kind == "mask" and quantity not in done:
            rows.refuse(quantity, not_found(rows.target))
    for name, sampled in samples.items():
        add_intensities(rows, name, sampled)


def _outside(
    segmentation: Segmentation, images: Mapping[str, Image]
) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]] | None":
    """Voxels of the mask's grid without a measurement in some channel on that grid."""
    from medseg.geometry import same_grid

    found = None
    for image in images.values():
        if image.outside is not None and same_grid(image.grid, segmentation.grid):
            found = image.outside if found is None else found | image.outside
    return found
