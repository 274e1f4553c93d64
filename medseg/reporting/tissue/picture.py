"""CT tissue in colour on the slice that was measured, with its areas; and area by slice position."""

import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Image, Measurement, Quantity, Record, Segmentation
from medseg.reporting.extras import Picture
from medseg.reporting.numbers import value_text
from medseg.reporting.pictures.canvas import (
    Canvas,
    show_letters,
    show_scale,
    show_slice,
    show_text,
)
from medseg.reporting.pictures.scene import PLANES, Scene, ScenePlane, make_scene
from medseg.reporting.pictures.window import Window, choose_window
from medseg.reporting.tissue.profile import colour_of, display_index, draw_profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_tissue"]

#: Paper size in mm of one slice.
_CELL = (54.0, 46.0)
#: Height in mm of one line of the legend under a pair of slices, and how many tissues stand on it.
_LINE, _PER_LINE = 4.5, 2
#: Anatomy must show through the colour.
_OPACITY = 0.6
#: More slices than this were measured one by one, so only the largest section is drawn.
_MOST_SLICES = 2
_SLICE = re.compile(r"\b([ijk])=(\d+)$")
#: Share of the legend's width that its coloured squares take.
_SQUARE = 0.024
#: Mean HU below which the largest tissue is lung, and the window it is seen in.
_LUNG_HU, _LUNG = -400.0, Window(-1350.0, 150.0, "[hnsf'U]", " (lung)")


def draw_tissue(
    record: Record, segmentation: Segmentation, image: Image, tissues: Segmentation
) -> tuple[Picture, ...]:
    """Pictures of the measured slices with the tissues in colour, and of their areas along the stack.

    Parameters
    ----------
    record
        Holds the tissue measurements; all areas in the pictures come from it.
    segmentation
        The mask with the compartment, whose outline is drawn.
    image
        The CT that was measured, on the mask's grid.
    tissues
        The map of tissues on the same grid, as `measuring.tissue_map` gives it.

    Returns
    -------
    tuple of Picture
        `tissue`: the slice of each level, or where every slice was measured the one with most tissue, without
        and with colour, in the soft-tissue window. `tissue-profile`: area of each tissue by slice position,
        where there are several slices with tissue. Nothing when no area was measured.
    """
    rows = [item for item in record.measurements if _is_area(item, tissues)]
    if not rows:
        return ()
    scene = make_scene(segmentation, {image.channel: image})
    axis = "ijk".index(_place(rows[0])[0])
    across = scene.order.source.index(axis)
    plane = next(plane for plane in PLANES if plane.axis == across)
    shown = _shown(rows)
    pictures = [_sections(record, scene, plane, shown, tissues)]
    levels = {
        display_index(scene, plane, native): _named_level(items[0].target.detail or "", native)
        for native, items in shown.items()
    }
    profile = draw_profile(scene, plane, levels, tissues)
    return (*pictures, profile) if profile else tuple(pictures)


def _is_area(item: Measurement, tissues: Segmentation) -> bool:
    names = {label.name for label in tissues.table.labels}
    is_area = item.quantity is Quantity.TISSUE_AREA and item.value is not None and item.plane is not None
    return is_area and item.target.name in names


def _place(item: Measurement) -> tuple[str, int]:
    """Axis letter and index of a row's slice."""
    found = _SLICE.search(item.plane or "")
    assert found is not None  # noqa: S101 - areas always name their slice
    return found[1], int(found[2])


def _shown(rows: list[Measurement]) -> dict[int, list[Measurement]]:
    """Native slice index → its areas: all slices where there are few, else the one with most tissue."""
    slices: dict[int, list[Measurement]] = {}
    for item in rows:
        slices.setdefault(_place(item)[1], []).append(item)
    if len(slices) <= _MOST_SLICES:
        return slices
    best = max(slices, key=lambda index: sum(float(item.value or 0) for item in slices[index]))
    return {best: slices[best]}


def _sections(
    record: Record,
    scene: Scene,
    plane: ScenePlane,
    shown: dict[int, list[Measurement]],
    tissues: Segmentation,
) -> Picture:
    assert scene.base is not None  # noqa: S101 - made with one
    window = _window(record, scene.base, shown)
    colours = scene.order.apply(tissues.labels)
    compartment = scene.mask(next(iter(shown.values()))[0].target.labels)
    box = scene.view_box(plane, compartment | (colours > 0), _CELL[0] / _CELL[1])
    lines = -(-max(len(items) for items in shown.values()) // _PER_LINE)
    canvas = Canvas(2, len(shown), (_CELL[0], _CELL[1] + lines * _LINE))
    share = lines * _LINE / (_CELL[1] + lines * _LINE)
    names = []
    for row, (native, items) in enumerate(shown.items()):
        index = display_index(scene, plane, native)
        for column in range(2):
            axes = _above_legend(canvas.cell(2 * row + column), share)
            show_slice(axes, scene, plane, scene.values_on(scene.base, plane, index), (window, box))
            if column:
                _show_tissues(axes, scene, plane, np.moveaxis(colours, plane.axis, 0)[index].T, tissues)
                inside = np.moveaxis(compartment, plane.axis, 0)[index].T
                _show_outline(axes, scene, plane, inside)
            axes.set_xlim(box[0], box[1])
            axes.set_ylim(box[3], box[2])
            show_letters(axes, scene, plane)
            show_scale(axes, box, scene.grid.unit)
        height = 1 / canvas.rows
        below = canvas.figure.add_axes((0.012, 1 - (row + 1) * height, 0.98, height * share))
        _show_legend(below, lines, record, items, tissues)
        names.append(f"{_level(items[0])}{scene.slice_name(plane, index)}")
    areas = "; ".join(_areas(record, items) for items in shown.values())
    outline = "; white: the compartment" if compartment.any() else ""
    caption = f"Tissue by ranges of HU, {' and '.join(names)}: {areas}; {window.text}{outline}."
    return Picture("tissue", canvas.png(), caption)


def _window(record: Record, image: Image, shown: dict[int, list[Measurement]]) -> Window:
    """Soft tissue, unless most of what is drawn is lung by the mean that the Record holds."""
    largest = max((item for items in shown.values() for item in items), key=lambda item: item.value or 0)
    for item in record.measurements:
        if item.quantity is Quantity.TISSUE_MEAN and item.target == largest.target:
            return _LUNG if (item.value or 0) < _LUNG_HU else choose_window(image)
    return choose_window(image)


def _above_legend(axes: "Axes", share: float) -> "Axes":
    left, bottom, width, height = axes.get_position().bounds
    axes.set_position((left, bottom + height * share, width, height * (1 - share)))
    return axes


def _level(item: Measurement) -> str:
    detail = item.target.detail or ""
    return "" if _SLICE.search(detail) else f"level {detail}, "


def _areas(record: Record, items: list[Measurement]) -> str:
    return ", ".join(f"{item.target.name} {value_text(item, record.mask.grid)}" for item in items)


def _show_tissues(
    axes: "Axes", scene: Scene, plane: ScenePlane, labels: NDArray[np.unsignedinteger], tissues: Segmentation
) -> None:
    painted = np.zeros((*labels.shape, 4))
    for label in tissues.table.labels:
        painted[labels == label.value] = (*(part / 255 for part in label.rgb), _OPACITY)
    left, right, top, bottom = scene.frame(plane)
    axes.imshow(
        painted,
        extent=(left, right, bottom, top),
        origin="upper" if plane.rows_down else "lower",
        interpolation="nearest",
        aspect="equal",
    )


def _show_outline(axes: "Axes", scene: Scene, plane: ScenePlane, inside: NDArray[np.bool_]) -> None:
    if not inside.any():
        return
    mask = np.pad(inside, 1).astype(np.float64)
    columns = (np.arange(mask.shape[1]) - 1) * scene.grid.spacing[plane.column]
    rows = (np.arange(mask.shape[0]) - 1) * scene.grid.spacing[plane.row]
    axes.contour(columns, rows, mask, levels=[0.5], colors=["white"], linewidths=0.4)


def _show_legend(
    axes: "Axes", lines: int, record: Record, items: list[Measurement], tissues: Segmentation
) -> None:
    axes.set_axis_off()
    for number, item in enumerate(items):
        line, place = divmod(number, _PER_LINE)
        x, y = place / _PER_LINE, 1 - (line + 0.5) / lines
        colour = colour_of(tissues, item.target.name)
        show_text(axes, (x, y), "■", va="center", fontsize=7.0, color=colour)
        text = f"{item.target.name} {value_text(item, record.mask.grid)}"
        show_text(axes, (x + _SQUARE, y), text, va="center", fontsize=5.6)


def _named_level(detail: str, native: int) -> str:
    """A level as it was named; a slice by its number from 1."""
    return f"slice {native + 1}" if _SLICE.search(detail) else detail
