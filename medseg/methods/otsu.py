"""Otsu's threshold: the split of the histogram that separates two classes best."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Label, LabelTable, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.masks.seeds import FOREGROUND
from medseg.methods.base import answer, only_image, require_contrast, usable

__all__ = ["OTSU", "Otsu", "OtsuParams", "between_values", "histogram_of", "otsu_threshold"]

_BELOW = LabelTable((Label(1, "background side"),))


class OtsuParams(Params):
    """What may be chosen."""

    bins: int = Field(
        256, ge=2, le=65536, description="Number of histogram bins between minimum and maximum."
    )
    side: Literal["above", "below"] = Field(
        "above", description="Which class is the object: values above the threshold, or at and below it."
    )


class Otsu:
    """Segmenter behind `medseg segment otsu`."""

    spec = SegmenterSpec(
        name="otsu",
        title="Otsu threshold",
        summary="One label by the threshold that separates the image's values best into two classes.",
        source="Otsu 1979, A threshold selection method from gray-level histograms, IEEE Trans SMC 9(1)",
    )
    Params = OtsuParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: OtsuParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,  # noqa: ARG002 - the protocol's signature
        run: Run,
    ) -> Segmentation:
        """Threshold the only channel; voxels outside `within` or without a measurement are background.

        Raises
        ------
        InputError
            If fewer than two different values are left to split.
        """
        image = only_image(images)
        considered = usable(image, within)
        run.check()
        threshold = otsu_threshold(image.array[considered], self.spec.name, params.bins)
        run.check()
        considered &= image.array > threshold if params.side == "above" else image.array <= threshold
        run.progress(1, 1, "threshold")
        table = FOREGROUND if params.side == "above" else _BELOW
        return answer(
            self.spec.name,
            image,
            considered,
            params,
            table=table,
            threshold=threshold,
            unit=image.value_unit,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: OtsuParams) -> int:  # noqa: ARG002
        """The mask, its labels, and the count of those (8 bytes each); the values once more fit in."""
        return sum(11 * int(np.prod(grid.shape)) for grid in grids.values())


def otsu_threshold(values: NDArray[np.number], method: str = "otsu", bins: int = 256) -> float:
    """Threshold (in the values' unit) that maximises the variance between two classes.

    The classes are *at or below* and *above*; the result lies half-way between the values on both sides.
    `method` is named where there is nothing to split.

    Raises
    ------
    InputError
        If there are fewer than two different values.

    Examples
    --------
    >>> 0 < otsu_threshold(np.array([0, 0, 0, 10, 10]), bins=10) < 10
    True
    """
    require_contrast(values, method)
    counts, edges = histogram_of(values, bins)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = values.size - below
    sums = np.cumsum(counts * centres)
    mean_below = sums[:-1] / np.maximum(below, 1)
    mean_above = (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    between = below * above.astype(np.float64) * (mean_below - mean_above) ** 2
    return between_values(values, float(edges[1:-1][np.argmax(between)]))


def histogram_of(values: NDArray[np.number], bins: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Counts and edges of equal bins from minimum to maximum, however close those are."""
    try:
        return np.histogram(values, bins=bins)
    except ValueError:  # the bins' edges are too close for the values' own type
        values = values.astype(np.float64)
        low, high = values.min(), values.max()
        edges = np.linspace(low, high, bins + 1)
        return np.histogram((values - low) / (high - low), bins=bins, range=(0, 1))[0], edges


def between_values(values: NDArray[np.number], edge: float) -> float:
    """Half-way between the largest value below a bin's edge and the smallest at or above it.

    Unlike a bin's centre or edge it leaves every value on its bin's side of `value > threshold`.

    Examples
    --------
    >>> between_values(np.array([1, 4, 8]), 4.0)
    2.5
    """
    low, high = values.min(), values.max()
    below = values.max(where=values < edge, initial=low)
    above = values.min(where=values >= edge, initial=high)
    middle = (float(below) + float(above)) / 2
    # Neighbours in float32 have nothing between them: what the comparison would round up is the lower one.
    return float(below) if np.asarray(middle, values.dtype) >= above else middle


OTSU = Otsu()
