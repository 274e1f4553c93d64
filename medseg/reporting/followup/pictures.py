"""Both time points side by side on the same plane with the contours of both; and the check of the alignment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, Label, LabelTable, Segmentation
from medseg.geometry.resample import covered_by, resample
from medseg.reporting.extras import Picture
from medseg.reporting.pictures.canvas import (
    Canvas,
    show_base,
    show_contours,
    show_letters,
    show_scale,
    show_slice,
    show_text,
)
from medseg.reporting.pictures.palette import swatch
from medseg.reporting.pictures.scene import Scene, ScenePlane, make_scene
from medseg.reporting.pictures.window import Window, choose_window
from medseg.reporting.planes import acquired_plane

__all__ = ["CONTOURS", "ShownScan", "draw_alignment", "draw_lesion", "on_baseline"]

_CELL = (64.0, 54.0)
_TABLE = LabelTable((Label(1, "baseline"), Label(2, "later")))
#: Whose outline has which colour and line.
CONTOURS = tuple((label.name, swatch(_TABLE, label.value)) for label in _TABLE.labels)
#: Squares along a side of the checkerboard.
_SQUARES = 8


@dataclass(frozen=True, slots=True, eq=False)
class ShownScan:
    """One scan in the baseline's space.

    Parameters
    ----------
    title
        Such as `Scan 2, day 183`.
    mask
        (I, J, K) bool on the baseline's grid: all lesions.
    image
        On the baseline's grid, for display only; None where none was given.
    """

    title: str
    mask: NDArray[np.bool_]
    image: Image | None


def on_baseline(
    title: str, mask: NDArray[np.bool_], grid: Grid, image: Image | None, to: tuple[Grid, NDArray[np.float64]]
) -> ShownScan:
    """A scan resampled onto the baseline's grid for display: masks by the nearest voxel, images linearly.

    Parameters
    ----------
    title, mask, grid, image
        The scan on its own grids.
    to
        The baseline's grid, and (4, 4) position in this scan → position of the baseline.
    """
    target, matrix = to
    there = replace(grid, affine=matrix @ grid.affine)
    shown = resample(mask.astype(np.uint8), there, target, interpolation="nearest") > 0
    if image is None:
        return ShownScan(title, shown, None)
    place = replace(image.grid, affine=matrix @ image.grid.affine)
    values = np.asarray(resample(image.array, place, target), np.float32)
    outside = ~covered_by(place, target)
    return ShownScan(
        title, shown, replace(image, array=values, grid=target, outside=outside if outside.any() else None)
    )


def draw_lesion(
    name: str, scans: Sequence[ShownScan], grid: Grid, where: NDArray[np.float64], caption: str
) -> Picture:
    """Each scan on one slice of the baseline through a place, with the baseline's contours and its own.

    Parameters
    ----------
    name, caption
        Of the picture.
    scans
        The baseline first.
    grid
        Of the baseline's mask, on which all lie.
    where
        (N, 3) positions of the lesion in the baseline's space.
    """
    scenes = [_scene(scan, grid) for scan in scans]
    plane = acquired_plane(scenes[0])
    points = scenes[0].grid.to_index(where)
    index = int(np.clip(round(float(points[:, plane.axis].mean())), 0, scenes[0].grid.shape[plane.axis] - 1))
    box = scenes[0].point_box(plane, points, _CELL[0] / _CELL[1])
    canvas = Canvas(len(scans), 1, _CELL)
    for number, (scan, scene) in enumerate(zip(scans, scenes, strict=True)):
        axes = canvas.cell(number)
        window = None if scene.base is None else choose_window(scene.base)
        show_base(axes, scene, plane, index, (window, box))
        for value, source in ((1, 0), (2, number))[: 2 if number else 1]:
            mask = scenes[source].order.apply(scans[source].mask)
            flat = np.where(np.moveaxis(mask, plane.axis, 0)[index].T, value, 0).astype(np.uint8)
            show_contours(axes, scenes[0], plane, flat)
        show_letters(axes, scene, plane)
        show_scale(axes, box, scene.grid.unit)
        show_text(axes, (0.015, 0.985), scan.title, ha="left", va="top", weight="bold")
    words = f"{caption} {scenes[0].plane_name(plane)}, {scenes[0].slice_name(plane, index)} of the baseline"
    return Picture(name, canvas.png(), f"{words}; later scans are resampled for display.")


def draw_alignment(baseline: ShownScan, later: ShownScan, grid: Grid, words: str) -> Picture | None:
    """A check of the alignment: squares of either scan in turn on three planes; None without images."""
    if baseline.image is None or later.image is None:
        return None
    scenes = _scene(baseline, grid), _scene(later, grid)
    looks = choose_window(baseline.image), choose_window(later.image)
    canvas = Canvas(3, 1, _CELL)
    for number, plane in enumerate(scenes[0].planes[:3]):
        axes = canvas.cell(number)
        index = scenes[0].grid.shape[plane.axis] // 2
        values = [_scaled(scene, plane, index, look) for scene, look in zip(scenes, looks, strict=True)]
        mixed = np.where(_squares(scenes[0], plane, values[0].shape), values[0], values[1])
        frame = scenes[0].frame(plane)
        show_slice(axes, scenes[0], plane, mixed, (Window(0, 1, "1", ""), frame))
        show_letters(axes, scenes[0], plane)
    show_text(canvas.figure.axes[0], (0.015, 0.985), f"Baseline and {later.title}", ha="left", va="top")
    caption = f"Check of the alignment of {later.title} ({words}): squares of both scans in turn, edges must run on."
    return Picture(f"alignment {later.title}", canvas.png(), caption)


def _scene(scan: ShownScan, grid: Grid) -> Scene:
    mask = Segmentation(scan.mask.astype(np.uint8), grid, _TABLE)
    images: Mapping[str, Image] = {} if scan.image is None else {scan.image.channel: scan.image}
    return make_scene(mask, images)


def _scaled(scene: Scene, plane: ScenePlane, index: int, look: Window) -> NDArray[np.float64]:
    values = scene.values_on(scene.base, plane, index) if scene.base is not None else np.zeros((1, 1))
    scaled: NDArray[np.float64] = np.clip((values - look.low) / (look.high - look.low), 0, 1)
    return scaled


def _squares(scene: Scene, plane: ScenePlane, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """A checkerboard of true squares."""
    steps = scene.grid.spacing[plane.row], scene.grid.spacing[plane.column]
    size = max(shape[0] * steps[0], shape[1] * steps[1]) / _SQUARES
    rows, columns = ((np.arange(shape[axis]) * steps[axis] / size).astype(int) for axis in (0, 1))
    even: NDArray[np.bool_] = (rows[:, None] + columns[None, :]) % 2 == 0
    return even
