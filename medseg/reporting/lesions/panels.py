"""A picture of each lesion: the slice of its axes, its contour, both axes from end to end, numbers from the Record."""

from collections.abc import Iterator, Sequence

import numpy as np

from medseg.domain import Quantity, Record
from medseg.reporting.extras import Picture
from medseg.reporting.index import Lesion, lesions_of
from medseg.reporting.lesions.words import lesion_words
from medseg.reporting.pictures.canvas import (
    Canvas,
    show_base,
    show_contours,
    show_letters,
    show_line,
    show_scale,
    show_text,
)
from medseg.reporting.pictures.scene import Scene, ScenePlane, Values
from medseg.reporting.pictures.window import Window

__all__ = ["LESION_PICTURES", "PREFIX", "draw_lesions"]

#: Pictures in a report; the table has every lesion.
LESION_PICTURES = 24
#: Names of lesions' pictures begin so.
PREFIX = "lesion-"
_CELL = (44.0, 38.0)
#: Half a voxel: ends further off the slice are said to be drawn as seen from above it.
_OFF_SLICE = 0.5


def draw_lesions(record: Record, scene: Scene, window: Window | None) -> Iterator[Picture]:
    """Pictures of the largest lesions that have axes, at most `LESION_PICTURES`."""
    found = [lesion for lesion in lesions_of(record) if _points(lesion)]
    found.sort(key=lambda lesion: -lesion.amount)
    several = len({lesion.name for lesion in found}) > 1
    for lesion in found[:LESION_PICTURES]:
        yield _picture(record, scene, lesion, window, named=several)


def _picture(record: Record, scene: Scene, lesion: Lesion, window: Window | None, *, named: bool) -> Picture:
    lines = [scene.grid.to_index(np.array(points)) for points in _points(lesion)]
    plane, index = scene.slice_through(lines[0])
    box = scene.point_box(plane, np.concatenate(lines), _CELL[0] / _CELL[1])
    canvas = Canvas(1, 1, _CELL)
    axes = canvas.cell(0)
    show_base(axes, scene, plane, index, (window, box))
    show_contours(axes, scene, plane, scene.labels_on(plane, index))
    for points, style in zip(lines, ("solid", "dashed"), strict=False):
        show_line(axes, scene, plane, points, style)
    show_letters(axes, scene, plane)
    show_scale(axes, box, scene.grid.unit)
    title = f"{lesion.name} {lesion.number}" if named else f"Lesion {lesion.number}"
    show_text(axes, (0.03, 0.97), str(lesion.number), ha="left", va="top", weight="bold")
    words = [
        *lesion_words(lesion, record.mask.grid),
        f"{scene.plane_name(plane).lower()} {scene.slice_name(plane, index)}",
    ]
    look = "mask only" if window is None else window.short
    caption = f"{title}: {', '.join(words)}; {look}{_projected(plane, index, lines)}."
    name = f"{PREFIX}{'-'.join(map(str, lesion.labels))}-{lesion.number}"
    return Picture(name, canvas.png(), caption)


def _projected(plane: ScenePlane, index: int, lines: Sequence[Values]) -> str:
    off = max(float(np.abs(points[:, plane.axis] - index).max()) for points in lines)
    return "; axes lie in a tilted plane and are drawn as seen from above" if off > _OFF_SLICE else ""


def _points(lesion: Lesion) -> list[tuple[tuple[float, float, float], ...]]:
    items = (lesion.find(Quantity.LONGEST_DIAMETER), lesion.find(Quantity.SHORT_DIAMETER))
    found = [item.points_mm for item in items if item is not None and item.points_mm]
    return found if items[0] is not None and items[0].points_mm else []
