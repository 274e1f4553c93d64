"""Where an image holds measurements: padding as declared, and the circle of a CT whose file declares none."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Image
from medseg.domain.values import as_details
from medseg.geometry import same_grid
from medseg.masks.border import circular_field

__all__ = ["find_field", "outside_of"]


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
    """Voxels of a grid without a measurement in some channel on that grid; None when all have one."""
    found = None
    for image in images.values():
        if image.outside is not None and same_grid(image.grid, grid):
            found = image.outside if found is None else found | image.outside
    return found
