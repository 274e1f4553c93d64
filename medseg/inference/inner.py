"""Running one model within another: each in the axes that it works in."""

from collections.abc import Mapping
from dataclasses import replace

from medseg.domain import Image, Run, Segmentation, Segmenter
from medseg.domain.params import Params
from medseg.geometry import AxisOrder, order_to

__all__ = ["order_for", "reordered", "run_inner"]


def order_for(segmenter: Segmenter, image: Image) -> AxisOrder:
    """Flips and permutation to the axes that a segmenter works in."""
    return order_to(image.grid, image.grid.orientation if segmenter.spec.axes == "stored" else "RAS")


def reordered(image: Image, order: AxisOrder) -> Image:
    """The same voxels in another order of axes: views."""
    outside = None if image.outside is None else order.apply(image.outside)
    return replace(image, array=order.apply(image.array), grid=order.grid(image.grid), outside=outside)


def run_inner(segmenter: Segmenter, images: Mapping[str, Image], params: Params, run: Run) -> Segmentation:
    """What another model finds in images of that order of axes, with those parameters that it knows too."""
    reference = segmenter.spec.reference or segmenter.spec.channels[0].name
    given = {need.name: images[need.name] for need in segmenter.spec.channels}
    orders = {name: order_for(segmenter, image) for name, image in given.items()}
    known = {
        name: value
        for name, value in params.model_dump().items()
        if name in segmenter.Params.model_fields and name in ("overlap", "mirror", "speed")
    }
    own = segmenter.Params(**known)
    found = segmenter.segment(
        {name: reordered(image, orders[name]) for name, image in given.items()}, own, run=run
    )
    order = orders[reference]
    return replace(found, labels=order.undo(found.labels), grid=given[reference].grid, probabilities=None)
