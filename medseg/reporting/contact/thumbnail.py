"""The picture of a case on the contact sheet: its main structure where its section is largest, with its outline."""

from collections.abc import Mapping

from medseg.domain import Image, Record, Segmentation
from medseg.reporting.extras import Picture
from medseg.reporting.page.headline import main_targets
from medseg.reporting.pictures.canvas import Canvas, show_base, show_contours, show_letters, show_scale
from medseg.reporting.pictures.scene import make_scene
from medseg.reporting.pictures.window import choose_window
from medseg.reporting.planes import acquired_plane

__all__ = ["draw_thumbnail"]

#: On paper, in mm: 290 by 232 dots.
_CELL = (41.0, 33.0)


def draw_thumbnail(record: Record, segmentation: Segmentation, images: Mapping[str, Image]) -> Picture:
    """One slice with the outlines of all labels; the caption describes it for who can't see it.

    The slice is that of the largest section of the structure that the Record's headline names first, in the plane
    that was acquired; of an empty mask the middle one.
    """
    scene = make_scene(segmentation, images)
    targets = main_targets(record)
    labels = targets[0].labels if targets else segmentation.table.values
    mask = scene.mask(labels)
    plane = acquired_plane(scene)
    index = scene.largest_section(plane, mask)
    window = None if scene.base is None else choose_window(scene.base)
    box = scene.view_box(plane, scene.labels > 0, _CELL[0] / _CELL[1])
    canvas = Canvas(1, 1, _CELL)
    axes = canvas.cell(0)
    show_base(axes, scene, plane, index, (window, box))
    show_contours(axes, scene, plane, scene.labels_on(plane, index))
    show_letters(axes, scene, plane)
    show_scale(axes, box, scene.grid.unit)
    what = (
        f"largest section of {targets[0].name}"
        if targets and mask.any()
        else "middle slice, nothing segmented"
    )
    ground = "without an image" if scene.base is None else f"on {scene.base.modality or 'the image'}"
    place = f"{scene.plane_name(plane).lower()}, {scene.slice_name(plane, index)}"
    return Picture("thumbnail", canvas.png(), f"{what[0].upper()}{what[1:]}, outlined {ground}; {place}.")
