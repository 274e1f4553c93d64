"""Where an image holds measurements: padding as declared, and the circle of a CT whose file declares none."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Image
from medseg.domain.values import as_details
from medseg.geometry import same_grid
from medseg.masks import components
from medseg.masks.border import circular_field

__all__ = ["find_field", "outside_of"]

#: Code of the Finding on an image whose `outside` are voxels without a number.
_NOT_FINITE = "image.not_finite"


def find_field(image: Image) -> Image:
    """The image with the surroundings of its circular reconstruction field marked `outside`.

    Only for CT in HU whose file declares no padding; a Finding `image.circular_field` says so. Any other
    image, and one without such a circle, comes back as it is.
    """
    if image.outside is not None or image.value_unit != "[hnsf'U]":
        return image
    outside = circular_field(image.array)
    if outside is None:
        return image
    share = float(outside.mean())
    finding = Finding(
        "image.circular_field",
        "info",
        f"{100 * share:.0f} % of the CT lie outside its circular reconstruction field, recognised by a constant "
        "value; they are left out of statistics, and structures that touch them count as cut",
        as_details(channel=image.channel, share=round(share, 4)),
    )
    return replace(image, outside=outside, findings=(*image.findings, finding))


def outside_of(images: Mapping[str, Image], grid: Grid) -> NDArray[np.bool_] | None:
    """Voxels of a grid that lie outside the field of some channel on that grid; None when none do.

    Voxels that hold no number (NaN) are part of that where they reach the image's edge; within it they are holes,
    which cut no structure.
    """
    found = None
    for image in images.values():
        if image.outside is not None and same_grid(image.grid, grid):
            holes = any(item.code == _NOT_FINITE for item in image.findings)
            beyond = _from_the_edge(image.outside) if holes else image.outside
            found = beyond if found is None else found | beyond
    return found


def _from_the_edge(outside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Parts of `outside` that reach an edge of the array along an axis of several voxels."""
    numbered = components(outside)
    ends = [np.unique(np.take(numbered, (0, -1), axis=axis)) for axis in range(3) if outside.shape[axis] > 1]
    reached = np.unique(np.concatenate([*ends, np.zeros(1, numbered.dtype)]))
    found: NDArray[np.bool_] = np.isin(numbered, reached[reached > 0])
    return found
