"""Which image tissue is looked for in, and why one will not do."""

from collections.abc import Mapping

from medseg.domain import Grid, Image
from medseg.errors import InputError
from medseg.geometry import compare_grids, same_grid

__all__ = ["HU", "choose_channel", "unfit_reason"]

HU = "[hnsf'U]"
_DECLARE = "tissue needs a CT in Hounsfield units"


def choose_channel(images: Mapping[str, Image], name: str) -> tuple[Image | None, str]:
    """The named channel, or the only one in HU; without one the reason.

    Raises
    ------
    InputError
        If no channel has that name, or several are in HU and none was named.
    """
    if name:
        if name not in images:
            raise InputError(f"there is no channel {name!r} to look for tissue in; {_listed(images)}")
        return images[name], ""
    found = [channel for channel, image in images.items() if image.value_unit == HU]
    if len(found) > 1:
        raise InputError(f"channels {', '.join(found)} are all in HU; name the one to look for tissue in")
    if found:
        return images[found[0]], ""
    if len(images) == 1:
        return next(iter(images.values())), ""
    return None, f"{_DECLARE}; {_listed(images)}"


def unfit_reason(grid: Grid, image: Image | None) -> str:
    """Why tissue can't be measured in an image with a mask on `grid`; "" when it can."""
    if image is None:
        return f"{_DECLARE}, and no image was given"
    if grid.unit == "px":
        return "the image has no physical size (px), so tissue has no area; give --spacing if it is known"
    if image.value_unit != HU:
        return (
            f"{_DECLARE}, and channel {image.channel!r} is {image.modality or 'of unknown modality'} in "
            f"{image.value_unit}; if the file holds HU without saying so, declare it with --values HU"
        )
    if not same_grid(grid, image.grid):
        fault = compare_grids(grid, image.grid).fault or "their corners differ by rounding"
        return (
            f"tissue is counted on the CT's own voxels, and the mask lies on another grid ({fault}); "
            "bring the mask to the CT with --resample"
        )
    return ""


def _listed(images: Mapping[str, Image]) -> str:
    named = [f"{name} ({image.value_unit})" for name, image in images.items()]
    return f"there are {', '.join(named)}" if named else "no image was given"
