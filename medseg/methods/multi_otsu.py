"""Multi-Otsu: the thresholds that separate the histogram best into several classes."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.methods.base import answer, class_table, only_image, require_values, usable
from medseg.methods.otsu import between_values, histogram_of

__all__ = ["MULTI_OTSU", "MultiOtsu", "MultiOtsuParams", "multi_otsu_thresholds"]


class MultiOtsuParams(Params):
    """What may be chosen."""

    classes: int = Field(3, ge=2, le=5, description="Number of classes; each is a label, darkest first.")
    bins: int = Field(128, ge=8, le=512, description="Number of histogram bins between minimum and maximum.")


class MultiOtsu:
    """Segmenter behind `medseg segment multi-otsu`."""

    spec = SegmenterSpec(
        name="multi-otsu",
        title="Multi-Otsu thresholds",
        summary="One label per class, by the thresholds that separate the image's values best into several.",
        source="Liao, Chen and Chung 2001, A fast algorithm for multilevel thresholding, J Inf Sci Eng 17(5)",
    )
    Params = MultiOtsuParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: MultiOtsuParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,  # noqa: ARG002 - the protocol's signature
        run: Run,
    ) -> Segmentation:
        """Put every measured voxel inside `within` into a class; label 1 is the darkest.

        Raises
        ------
        InputError
            If there are fewer different values than classes.
        """
        image = only_image(images)
        considered = usable(image, within)
        run.check()
        thresholds = multi_otsu_thresholds(image.array[considered], params.classes, params.bins)
        labels = considered.astype(np.uint8)
        for done, threshold in enumerate(thresholds):
            run.check()
            labels += considered & (image.array > threshold)
            run.progress(done + 1, len(thresholds), "threshold")
        shown = ", ".join(f"{item:g}" for item in thresholds)
        return answer(
            self.spec.name,
            image,
            labels,
            params,
            table=class_table(params.classes),
            thresholds=shown,
            unit=image.value_unit,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: MultiOtsuParams) -> int:  # noqa: ARG002
        """The voxels considered, labels, and the count of those (8 bytes each)."""
        return sum(11 * int(np.prod(grid.shape)) for grid in grids.values())


def multi_otsu_thresholds(values: NDArray[np.number], classes: int, bins: int = 128) -> tuple[float, ...]:
    """Thresholds (in the values' unit, rising) that maximise the variance between classes.

    A class holds values above one threshold, up to and with the next; the results lie half-way between the
    values on both sides.

    Raises
    ------
    InputError
        If fewer bins hold values than there are classes.

    Examples
    --------
    >>> low, high = multi_otsu_thresholds(np.array([0.0, 0, 5, 5, 9, 9]), 3, bins=10)
    >>> 0 < low < 5 < high < 9
    True
    """
    from skimage.filters import threshold_multiotsu

    counts, edges = histogram_of(values, bins) if values.size else (np.zeros(1), np.zeros(2))
    require_values(
        int(np.count_nonzero(counts)) if edges[0] < edges[-1] else 1, classes, MULTI_OTSU.spec.name
    )
    centres = (edges[:-1] + edges[1:]) / 2
    found = threshold_multiotsu(classes=classes, hist=(counts, centres))
    last = np.searchsorted(centres, found)
    return tuple(between_values(values, float(edges[index + 1])) for index in last)


MULTI_OTSU = MultiOtsu()
