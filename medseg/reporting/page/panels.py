"""Pictures of a Record: planes through the largest section, the diameter, PET over MR, a montage."""

from collections.abc import Iterator, Mapping

import numpy as np

from medseg.domain import Image, Measurement, Quantity, Record, Segmentation, Target
from medseg.reporting.extras import Picture
from medseg.reporting.lesions.panels import draw_lesions
from medseg.reporting.numbers import value_text
from medseg.reporting.organs import named_list
from medseg.reporting.page.headline import main_targets
from medseg.reporting.pictures.canvas import (
    Canvas,
    show_base,
    show_contours,
    show_letters,
    show_line,
    show_scale,
    show_text,
)
from medseg.reporting.pictures.fused import draw_fused
from medseg.reporting.pictures.scene import Scene, ScenePlane, Values, make_scene
from medseg.reporting.pictures.window import Window, Windows, choose_window
from medseg.reporting.planes import acquired_plane

__all__ = ["draw"]

#: Paper sizes in mm: a pair on page one, a single slice that has the column for itself, a montage cell.
_CELL, _LARGE_CELL, _MONTAGE_CELL = (54.0, 39.0), (54.0, 66.0), (46.0, 40.0)
_MONTAGE = (4, 3)


def draw(
    record: Record,
    segmentation: Segmentation,
    images: Mapping[str, Image],
    *,
    full: bool = True,
    windows: Windows = (),
) -> tuple[Picture, ...]:
    """Pictures for the page, as PNG with captions; numbers in them come from the Record.

    Parameters
    ----------
    record
        Says which structure matters most and where its diameters lie.
    segmentation
        The mask; its grid gives the slices.
    images
        Channels by name, on any grid of the same space; none draws the mask alone.
    full
        Whether pictures are drawn that only a full page shows: each lesion, and the montage.
    windows
        Those that a reader has set.

    Returns
    -------
    tuple of Picture
        `axial`, `coronal`, `sagittal` (one of them for a single slice), each without and with contour;
        `diameter`, `fused` (PET over another channel), `lesion-…` (the largest lesions) and `montage` where
        they apply.
    """
    scene = make_scene(segmentation, images)
    target = _largest(record)
    labels = target.labels if target else segmentation.table.values
    window = None if scene.base is None else choose_window(scene.base, windows)
    return tuple(_all(record, scene, labels, window, full=full))


def _all(
    record: Record, scene: Scene, labels: tuple[int, ...], window: Window | None, *, full: bool
) -> Iterator[Picture]:
    mask = scene.mask(labels)
    for plane in scene.planes:
        yield _pair(scene, plane, scene.largest_section(plane, mask), window)
    yield from _diameter(record, scene, labels, window)
    if scene.pet is not None and window is not None:
        plane = acquired_plane(scene)
        index = scene.largest_section(plane, mask)
        box = scene.view_box(plane, scene.labels > 0, _CELL[0] / _CELL[1])
        yield draw_fused(scene, plane, index, (window, box), _CELL)
    if full:
        yield from draw_lesions(record, scene, window)
    if full and len(scene.planes) > 1:
        yield _montage(scene, acquired_plane(scene), window)


def _largest(record: Record) -> Target | None:
    sizes = {
        item.target: item.value or 0
        for item in record.measurements
        if item.quantity in (Quantity.VOLUME, Quantity.AREA)
    }
    return max(main_targets(record), key=lambda target: sizes[target], default=None)


def _pair(scene: Scene, plane: ScenePlane, index: int, window: Window | None) -> Picture:
    cell = _CELL if len(scene.planes) > 1 else _LARGE_CELL
    box = scene.view_box(plane, scene.labels > 0, cell[0] / cell[1])
    canvas = Canvas(2, 1, cell)
    for number in range(2):
        axes = canvas.cell(number)
        show_base(axes, scene, plane, index, (window, box))
        show_letters(axes, scene, plane)
        show_scale(axes, box, scene.grid.unit)
        if number:
            show_contours(axes, scene, plane, scene.labels_on(plane, index))
    found = "largest section" if scene.mask(scene.table.values).any() else "middle slice, nothing segmented"
    words = [scene.plane_name(plane), f"{found}: {scene.slice_name(plane, index)}", _window(window)]
    names = [
        label.name for label in scene.table.labels if (scene.labels_on(plane, index) == label.value).any()
    ]
    seen = f"with the outline of {named_list(names)} in the right half" if names else "without any outline"
    alt = f"{scene.plane_name(plane)} slice twice, plain on the left and {seen}: {_look(scene)}."
    return Picture(plane.name, canvas.png(), _sentence(words, scene), alt)


def _diameter(
    record: Record, scene: Scene, labels: tuple[int, ...], window: Window | None
) -> Iterator[Picture]:
    found = {
        item.quantity: item
        for item in record.measurements
        if item.target.labels == labels and item.points_mm and item.target.kind in ("label", "region")
    }
    longest = found.get(Quantity.LONGEST_DIAMETER)
    if longest is None:
        return
    points = _display_index(scene, longest)
    plane, index = scene.slice_through(points)
    box = scene.view_box(plane, scene.labels > 0, _CELL[0] / _CELL[1])
    canvas = Canvas(1, 1, _CELL)
    axes = canvas.cell(0)
    show_base(axes, scene, plane, index, (window, box))
    show_contours(axes, scene, plane, scene.labels_on(plane, index))
    words = []
    for item, style in ((longest, "solid"), (found.get(Quantity.SHORT_DIAMETER), "dashed")):
        if item is not None:
            show_line(axes, scene, plane, _display_index(scene, item), style)
            words.append(f"{value_text(item, record.mask.grid)} ({style})")
    show_letters(axes, scene, plane)
    show_scale(axes, box, scene.grid.unit)
    caption = [f"Diameters: {' × '.join(words)}", scene.slice_name(plane, index), _window(window)]
    alt = (
        f"Slice with outline, longest diameter as a solid line, the perpendicular one dashed: {_look(scene)}."
    )
    yield Picture("diameter", canvas.png(), _sentence(caption, scene), alt)


def _montage(scene: Scene, plane: ScenePlane, window: Window | None) -> Picture:
    columns, rows = _MONTAGE
    others = tuple(axis for axis in range(3) if axis != plane.axis)
    used = np.flatnonzero((scene.labels > 0).any(axis=others))
    if not used.size:
        used = np.arange(scene.grid.shape[plane.axis])
    count = min(columns * rows, used.size)
    picked = used[np.unique(np.linspace(0, used.size - 1, count).round().astype(int))]
    if plane.axis == 2:
        picked = picked[::-1]
    box = scene.view_box(plane, scene.labels > 0, _MONTAGE_CELL[0] / _MONTAGE_CELL[1])
    canvas = Canvas(columns, -(-len(picked) // columns), _MONTAGE_CELL)
    for number, index in enumerate(int(index) for index in picked):
        axes = canvas.cell(number)
        show_base(axes, scene, plane, index, (window, box))
        show_contours(axes, scene, plane, scene.labels_on(plane, index))
        show_letters(axes, scene, plane)
        number_here = str(scene.native_index(plane, index) + 1)
        show_text(axes, (0.02, 0.98), number_here, ha="left", va="top", fontsize=5.0)
    show_scale(axes, box, scene.grid.unit)
    words = [
        f"{scene.plane_name(plane)} slices through all structures by number",
        f"{len(picked)} of {used.size}",
    ]
    alt = f"{len(picked)} {scene.plane_name(plane).lower()} slices side by side, each with the outlines drawn on it."
    return Picture("montage", canvas.png(), _sentence([*words, _window(window)], scene), alt)


def _display_index(scene: Scene, item: Measurement) -> Values:
    return scene.grid.to_index(np.array(item.points_mm))


def _look(scene: Scene) -> str:
    """The kind of image under the outlines."""
    return "the mask alone" if scene.base is None else f"{scene.base.modality or 'grey'} image"


def _window(window: Window | None) -> str:
    return "mask only, no image was given" if window is None else window.text


def _sentence(words: list[str], scene: Scene) -> str:
    note = ""
    if scene.base is not None and scene.is_resampled(scene.base):
        note = "; image interpolated to the mask's grid for display only"
    return f"{', '.join(words)}{note}."
