"""Measuring in a window: which images take part, where a number is shown, and what is drawn for it."""

from typing import TYPE_CHECKING, Any

from napari.layers import Labels

from medseg.domain import Image, Measurement, Quantity, Segmentation
from medseg.domain.plan import LesionPlan
from medseg.geometry import same_grid
from medseg.workflows.drawn import outline_positions, surface_positions
from medseg.workflows.measure import lesion_mask
from napari_medseg.bridge.layers import image_of, labels_layer
from napari_medseg.bridge.placement import Placement, placement_like
from napari_medseg.bridge.places import axes_layer, layer_index, place_of
from napari_medseg.bridge.window import window_of
from napari_medseg.workspace import EditedMask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari import Viewer

__all__ = [
    "DRAWN",
    "channels_of",
    "draw_axes",
    "draw_lesions",
    "draw_outlines",
    "draw_surface",
    "mask_place",
    "show_place",
]

#: Name in the metadata of a layer that only shows what was measured, and is no mask to work on.
DRAWN = "medseg drawn"
_AXES = (Quantity.LONGEST_DIAMETER, Quantity.SHORT_DIAMETER)


def channels_of(viewer: "Viewer", mask: EditedMask) -> tuple[dict[str, Image], bool]:
    """Images that a mask is measured on, by channel, as they are shown now; and whether their space is declared one.

    Its own image and every other one in the same frame of reference, or on the same grid.
    """
    window = window_of(viewer)
    own = window.session.images.get(mask.image or "")
    found: dict[str, Image] = {}
    for uid, image in window.session.images.items():
        layer = window.layer(uid)
        if layer is None or not (uid == mask.image or _shares_space(image, mask.before, own)):
            continue
        now = image_of(*layer.as_layer_data_tuple()[:2])
        name = now.channel or "image"
        found[name if name not in found else f"{name} {layer.name}"] = now
    return found, False


def mask_place(viewer: "Viewer", mask: EditedMask) -> Placement | None:
    """Where a mask lies in the window now; None where its layer is gone."""
    layer = window_of(viewer).layer(mask.uid)
    return None if layer is None else placement_like(layer.as_layer_data_tuple()[1], mask.before.grid)


def show_place(viewer: "Viewer", mask: EditedMask, item: Measurement, items: "Sequence[Measurement]") -> None:
    """Move every plane to where a number is, and choose its label."""
    place = mask_place(viewer, mask)
    where = None if place is None else place_of(item, items, place)
    if where is None:
        return
    viewer.dims.point = (*viewer.dims.point[: viewer.dims.ndim - 3], *where)
    viewer.scene.camera.center = tuple(where)
    layer = window_of(viewer).layer(mask.uid)
    if isinstance(layer, Labels) and len(item.target.labels) == 1:
        layer.selected_label = item.target.labels[0]


def draw_axes(viewer: "Viewer", mask: EditedMask, items: "Sequence[Measurement]") -> bool:
    """Longest and short diameters as lines in the slice where they were measured; whether there are any."""
    place = mask_place(viewer, mask)
    lesions = [item for item in items if item.target.kind == "lesion"]
    found = None if place is None else axes_layer(lesions or items, _AXES, place)
    return _put(viewer, found, f"{_name(viewer, mask)}: axes")


def draw_lesions(viewer: "Viewer", mask: EditedMask, plan: LesionPlan) -> bool:
    """Numbered lesions as labels of their own."""
    found = lesion_mask(mask.now(), plan)
    data, meta, kind = labels_layer(found, "", mask_place(viewer, mask))
    return _put(viewer, (data, {**meta, "metadata": {}}, kind), f"{_name(viewer, mask)}: lesions")


def draw_outlines(viewer: "Viewer", mask: EditedMask) -> bool:
    """Outlines of every label in the slices as taken."""
    place = mask_place(viewer, mask)
    lines = outline_positions(mask.now())
    if place is None or not lines:
        return False
    colors = {label.name: [part / 255 for part in label.rgb] for label in mask.table.labels}
    meta = {
        **place.arguments(),
        "shape_type": "path",
        "edge_width": 0.5,
        "edge_color": [colors.get(name, [1.0, 0.0, 1.0]) for name, _ in lines],
        "face_color": "transparent",
    }
    return _put(
        viewer,
        ([layer_index(place, points) for _, points in lines], meta, "shapes"),
        f"{_name(viewer, mask)}: outlines",
    )


def draw_surface(viewer: "Viewer", mask: EditedMask, label: str) -> bool:
    """The surface of a label, for 3D."""
    place = mask_place(viewer, mask)
    found = surface_positions(mask.now(), label)
    if place is None or found is None:
        return False
    points, faces = found
    return _put(
        viewer,
        ((layer_index(place, points), faces), place.arguments(), "surface"),
        f"{_name(viewer, mask)}: {label}",
    )


def _name(viewer: "Viewer", mask: EditedMask) -> str:
    layer = window_of(viewer).layer(mask.uid)
    return mask.name if layer is None else layer.name


def _put(viewer: "Viewer", found: tuple[Any, dict[str, Any], str] | None, name: str) -> bool:
    """Add a layer in the place of an older one of this name."""
    if found is None:
        return False
    data, meta, kind = found
    if name in viewer.layers:
        viewer.layers.remove(name)
    active = viewer.layers.selection.active
    getattr(viewer, f"add_{kind}")(data, **{**meta, "name": name, "metadata": {DRAWN: True}})
    viewer.layers.selection.active = active
    return True


def _shares_space(image: Image, mask: Segmentation, own: Image | None) -> bool:
    frames = {mask.grid.frame_of_reference, None if own is None else own.grid.frame_of_reference} - {None}
    return same_grid(image.grid, mask.grid) or image.grid.frame_of_reference in frames
