"""Outliers: voxels far brighter than most, by the median and the spread around it."""

import numpy as np
from pydantic import Field

from medseg.domain import Params, SegmenterSpec
from medseg.methods.base import answer, only_image, usable


class OutliersParams(Params):
    """What may be chosen."""

    spread: float = Field(5.0, gt=0, description="Robust standard deviations above the median.")


class Outliers:
    """Segmenter behind `medseg segment outliers`."""

    spec = SegmenterSpec(
        name="outliers",
        title="Outliers",
        summary="One label for voxels that lie far above the median.",
        source="Hampel 1974, The influence curve and its role in robust estimation, J Am Stat Assoc 69",
    )
    Params = OutliersParams

    def segment(self, images, params, *, within=None, prompts=None, run):  # noqa: ARG002 - of the protocol
        """Compare the only channel with median + spread × 1.4826 × median absolute deviation."""
        image = only_image(images)
        found = usable(image, within)
        values = image.array[found].astype(np.float64)
        run.check()
        middle = np.median(values)
        threshold = middle + params.spread * 1.4826 * np.median(np.abs(values - middle))
        run.progress(1, 1, "threshold")
        found &= image.array > threshold
        return answer("outliers", image, found, params, threshold=float(threshold))

    def memory_bytes(self, grids, params):  # noqa: ARG002
        """The mask, and the values twice in 8 bytes."""
        return sum(25 * int(np.prod(grid.shape)) for grid in grids.values())


OUTLIERS = Outliers()
