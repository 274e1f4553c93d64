"""Another series over the one that is shown, for the eye: blended or in squares; and a volume of a series."""

from typing import TYPE_CHECKING

from medseg.domain import Image
from medseg.errors import InputError
from medseg.workflows.look import checkered, on_grid_for_display
from napari_medseg.bridge.layers import VOLUMES, image_layer
from napari_medseg.bridge.signs import image_behind

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer

__all__ = ["lay_over", "take_volume"]

#: Side of a square of the checkerboard (mm).
_SQUARE_MM = 20.0


def lay_over(
    viewer: "Viewer", moving: "Layer", base: "Layer", *, squares: bool = False, same_space: bool = False
) -> list["Layer"]:
    """Show one series on the grid of another; the layers that came. They are marked, and are never measured.

    Parameters
    ----------
    squares
        A checkerboard of both, instead of one over the other.
    same_space
        Declared by the user, where the files don't say that both share one space.

    Raises
    ------
    InputError
        If a layer holds no image of medseg, or their places can't be compared.
    """
    over, under = (_image(layer, viewer) for layer in (moving, base))
    moved = on_grid_for_display(over, under.grid, same_space=same_space)
    if not squares:
        layer = _add(viewer, moved, f"{moving.name} on {base.name} (display only)")
        layer.blending, layer.opacity = ("additive", 1.0) if over.is_pet else ("translucent_no_depth", 0.5)
        layer.contrast_limits = moving.contrast_limits
        return [layer]
    made = []
    for image, like, odd in ((under, base, False), (moved, moving, True)):
        layer = _add(viewer, checkered(image, _SQUARE_MM, odd=odd), f"{like.name} squares (display only)")
        layer.blending, layer.contrast_limits = "additive", like.contrast_limits
        like.visible = False
        made.append(layer)
    return made


def take_volume(viewer: "Viewer", series: "Layer") -> "Layer":
    """The volume of a series that is shown, as an image of its own: what is segmented and measured.

    Raises
    ------
    InputError
        If the layer is no series.
    """
    if not series.metadata.get(VOLUMES):
        raise InputError(f"{series.name} is no series of volumes")
    image = _image(series, viewer)
    volume = image.source.volume if image.source is not None and image.source.volume else image.channel
    data, meta, _ = image_layer(image, f"{series.name} {volume}")
    return viewer.add_image(data, **{**meta, "contrast_limits": series.contrast_limits})


def _image(layer: "Layer", viewer: "Viewer") -> Image:
    image = image_behind(layer, viewer)
    if image is None:
        raise InputError(
            f"{layer.name} was not opened by medseg, so nobody knows where it lies in the patient"
        )
    return image


def _add(viewer: "Viewer", image: Image, name: str) -> "Layer":
    data, meta, _ = image_layer(image, name)
    return viewer.add_image(data, **meta)
