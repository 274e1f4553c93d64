"""What can be compared in a window, and the masks of it as they are shown now."""

from typing import TYPE_CHECKING

from medseg.domain import Segmentation
from medseg.errors import InputError
from napari_medseg.bridge.now import mask_names, mask_now
from napari_medseg.bridge.window import UID, window_of

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["comparable", "two_masks"]


def comparable(viewer: "Viewer") -> dict[str, str]:
    """Masks and then images by uid, with the names of their layers."""
    images = window_of(viewer).session.images
    names = {layer.metadata.get(UID): f"image {layer.name}" for layer in viewer.layers}
    return mask_names(viewer) | {uid: names[uid] for uid in images if uid in names}


def two_masks(viewer: "Viewer", first: str | None, second: str | None) -> tuple[Segmentation, Segmentation]:
    """Both masks as they are shown now.

    Raises
    ------
    InputError
        If there are no two masks, or one of them is an image.
    """
    masks = window_of(viewer).session.masks
    if first is None or second is None or first == second:
        raise InputError("choose two different masks")
    if first not in masks or second not in masks:
        raise InputError("numbers are of two masks; images stand side by side only")
    return mask_now(viewer, first), mask_now(viewer, second)
