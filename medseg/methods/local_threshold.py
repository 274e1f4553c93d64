"""Local threshold: voxels brighter than the mean of what lies around them."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.methods.base import answer, only_image, usable

__all__ = ["LOCAL_THRESHOLD", "LocalThreshold", "LocalThresholdParams", "box_sum"]

#: Values that are worked on at a time (with their neighbourhood): memory and the wait for a cancel follow it.
_BLOCK = 1 << 21
#: Differences below this share of the largest value are rounding.
_EVEN = 1e-7


class LocalThresholdParams(Params):
    """What may be chosen."""

    window_mm: float = Field(
        60.0,
        gt=0,
        le=1000,
        description="Side of the cube around a voxel that it is compared with; larger than the object.",
        json_schema_extra={"unit": "mm"},
    )
    weight: float = Field(
        0.3,
        ge=-5,
        le=5,
        description="Standard deviations of the cube's values by which a voxel must exceed their mean.",
    )
    offset: float = Field(
        0.0,
        description="Further values by which a voxel must exceed the mean.",
        json_schema_extra={"unit": "unit of the image"},
    )


class LocalThreshold:
    """Segmenter behind `medseg segment local-threshold`."""

    spec = SegmenterSpec(
        name="local-threshold",
        title="Local threshold",
        summary="One label for voxels brighter than the mean of a cube around them, by a share of its SD.",
        source="Niblack 1986, An introduction to digital image processing, Prentice-Hall, pages 115–116",
    )
    Params = LocalThresholdParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: LocalThresholdParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,  # noqa: ARG002 - the protocol's signature
        run: Run,
    ) -> Segmentation:
        """Compare each voxel with the measured voxels inside `within` of the cube around it."""
        image = only_image(images)
        found = usable(image, within)
        sides = _sides(params, image.grid)
        blocks = list(_blocks(image.grid, sides))
        # Each block is read from `considered` and written to `found`: blocks overlap in what they read.
        considered = found.copy()
        for done, (padded, inner, core) in enumerate(blocks):
            run.check()
            values = image.array[:, :, padded]
            bright = _brighter(values, considered[:, :, padded], sides, (params, run))
            found[:, :, core] &= bright[:, :, inner]
            run.progress(done + 1, len(blocks), "local threshold")
        return answer(self.spec.name, image, found, params, unit=image.value_unit)

    def memory_bytes(self, grids: Mapping[str, Grid], params: LocalThresholdParams) -> int:
        """Two masks and for one block nine arrays of 8 bytes; or the mask, its labels, and the count of those."""
        total = 0
        for grid in grids.values():
            widest = max(padded.stop - padded.start for padded, _, _ in _blocks(grid, _sides(params, grid)))
            voxels = int(np.prod(grid.shape))
            total += max(11 * voxels, 2 * voxels + 72 * grid.shape[0] * grid.shape[1] * widest)
        return total


def box_sum(values: NDArray[np.float64], sides: tuple[float, float, float]) -> NDArray[np.float64]:
    """Sum over the box around each element, (I, J, K); beyond the array is zero.

    Parameters
    ----------
    values
        (I, J, K).
    sides
        Sides of the box in elements; elements that it cuts count by the share inside, so that any side in mm
        is kept on any spacing. Sides of at most 1 sum nothing but the element.

    Notes
    -----
    Own. The sum over 2r + 1 + 2f elements is (1 − f) × that over 2r + 1 plus f × that over 2r + 3.

    Examples
    --------
    >>> box_sum(np.ones((5, 1, 1)), (2.0, 1.0, 1.0)).ravel().tolist()
    [1.5, 2.0, 2.0, 2.0, 1.5]
    """
    from scipy.ndimage import uniform_filter1d

    total = values
    for axis, side in enumerate(sides):
        reach = max(0.0, (min(side, 2.0 * values.shape[axis] + 1) - 1) / 2)
        size, share = 2 * int(reach) + 1, reach - int(reach)
        parts = [
            weight * width * uniform_filter1d(total, width, axis=axis, mode="constant")
            for width, weight in ((size, 1 - share), (size + 2, share))
            if weight
        ]
        total = sum(parts[1:], parts[0])
    return total


def _brighter(
    values: NDArray[Any],
    considered: NDArray[np.bool_],
    sides: tuple[float, float, float],
    how: tuple[LocalThresholdParams, Run],
) -> NDArray[np.bool_]:
    """Where values exceed mean + weight × SD + offset of those considered in the box around them."""
    params, run = how
    count = box_sum(considered.astype(np.float64), sides)
    np.maximum(count, 1e-9, out=count)
    run.check()
    # Values are taken from their mean, so that the variance of large ones does not drown in rounding.
    middle = float(values[considered].mean(dtype=np.float64)) if considered.any() else 0.0
    centred = values.astype(np.float64) - middle
    centred[~considered] = 0
    mean = box_sum(centred, sides) / count
    run.check()
    variance = box_sum(centred**2, sides) / count - mean**2
    run.check()
    limit = mean + params.weight * np.sqrt(np.maximum(variance, 0)) + params.offset
    # Where all is even, rounding of the sums must not decide.
    return np.asarray(centred > limit + _EVEN * np.abs(centred).max())


def _sides(params: LocalThresholdParams, grid: Grid) -> tuple[float, float, float]:
    """Sides of the cube in voxels; across a single slice there is nothing to look at."""
    first, second, third = (
        params.window_mm / step if n > 1 else 1.0 for step, n in zip(grid.spacing, grid.shape, strict=True)
    )
    return first, second, third


def _blocks(grid: Grid, sides: tuple[float, float, float]) -> Iterator[tuple[slice, slice, slice]]:
    """(slices read, those of them that are answered, the same in the image) along the last axis."""
    extent = grid.shape[2]
    reach = int(np.ceil((sides[2] + 1) / 2))
    step = max(reach, _BLOCK // (grid.shape[0] * grid.shape[1]), 1)
    for start in range(0, extent, step):
        stop = min(start + step, extent)
        low, high = max(0, start - reach), min(extent, stop + reach)
        yield slice(low, high), slice(start - low, stop - low), slice(start, stop)


LOCAL_THRESHOLD = LocalThreshold()
