"""Canny's edges in three dimensions, closed and filled."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.domain.run import Progress
from medseg.masks.components import keep_largest, label_parts
from medseg.masks.contours import slice_axis
from medseg.methods.base import answer, only_image, refuse_sheared, require_contrast, usable
from medseg.methods.child import here_or_in_child
from medseg.methods.edges import Peaks, gradient, magnitude_of, peaks_of, smoothed_image
from medseg.methods.otsu import otsu_threshold
from medseg.methods.seeded import distance_from

__all__ = ["CANNY", "Canny", "CannyParams"]


class CannyParams(Params):
    """What may be chosen."""

    sigma_mm: float = Field(
        1.5,
        ge=0,
        le=50,
        description="Standard deviation of the Gaussian that smooths before the gradient is taken.",
        json_schema_extra={"unit": "mm"},
    )
    high: float | None = Field(
        None,
        gt=0,
        description="Gradient that an edge reaches somewhere; Otsu's threshold of the peaks where none is given.",
        json_schema_extra={"unit": "unit of the image per mm"},
    )
    low_share: float = Field(
        0.4, gt=0, le=1, description="Share of `high` that every voxel of an edge reaches."
    )
    closing_mm: float = Field(
        2.0,
        ge=0,
        le=50,
        description="Radius of the ball that closes gaps in the edges before they are filled.",
        json_schema_extra={"unit": "mm"},
    )
    fill: Literal["auto", "volume", "slices"] = Field(
        "auto",
        description="Whether edges must enclose a space, or a piece of each slice by itself; auto is slices "
        "where the closing does not reach the next one.",
    )
    keep: Literal["all", "largest"] = Field("all", description="Which of the filled parts to keep.")


class Canny:
    """Segmenter behind `medseg segment canny`."""

    spec = SegmenterSpec(
        name="canny",
        title="Canny edges, filled",
        summary="What closed edges enclose: peaks of the gradient in mm, linked by hysteresis, closed and filled.",
        source="Canny 1986, A computational approach to edge detection, IEEE Trans PAMI 8(6)",
    )
    Params = CannyParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: CannyParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,  # noqa: ARG002 - the protocol's signature
        run: Run,
    ) -> Segmentation:
        """Find edges, and what they enclose; an object that is open to the border of the image is not filled.

        Raises
        ------
        InputError
            If the grid is sheared, or all values are the same.
        """
        image = only_image(images)
        refuse_sheared(image.grid, self.spec.name)
        measured = usable(image)
        considered = usable(image, within)
        require_contrast(image.array[considered], self.spec.name)
        run.check()
        work = (image.array, measured, considered, image.grid, params)
        found, high = here_or_in_child(run, image.array.size, enclosed_by_edges, *work)
        run.progress(4, 4, "filled edges")
        return answer(
            self.spec.name, image, found, params, high_used=high, unit=f"{image.value_unit}/{image.grid.unit}"
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: CannyParams) -> int:  # noqa: ARG002
        """The image once more, its gradient and length, distances, parts, and masks."""
        return sum(50 * int(np.prod(grid.shape)) + 6_000_000 for grid in grids.values())


def _axis_to_fill(grid: Grid, params: CannyParams) -> int | None:
    """Axis of the slices that are filled one by one; None to fill the volume."""
    axis = slice_axis(grid)
    bridged = params.closing_mm >= grid.spacing[axis]
    return None if params.fill == "volume" or (params.fill == "auto" and bridged) else axis


def enclosed_by_edges(
    values: NDArray[np.number],
    measured: NDArray[np.bool_],
    usable: NDArray[np.bool_],
    grid: Grid,
    params: CannyParams,
    *,
    progress: Progress,
) -> tuple[NDArray[np.bool_], float]:
    """(mask (I, J, K) of what edges enclose, the high threshold used).

    Parameters
    ----------
    values, measured, usable
        (I, J, K); edges are sought in usable voxels only, and no way leads through what was not measured.
    grid
        Of all three.
    params
        As of the method.
    progress
        Told of each of four steps but the last.
    """
    spacing = grid.spacing
    smooth = smoothed_image(values, usable, spacing, params.sigma_mm)
    slopes = gradient(smooth, spacing)
    del smooth
    magnitude = magnitude_of(slopes)
    progress(1, 4, "gradient")
    peaks = peaks_of(magnitude, slopes, usable, spacing)
    del slopes
    heights = magnitude[tuple(peaks.places.T)]
    progress(2, 4, "peaks of the gradient")
    high = params.high or _high_of(heights)
    peaks = _linked(peaks, heights, high, params.low_share, values.shape)
    del magnitude, heights
    edges = np.zeros(values.shape, np.bool_)
    edges[tuple(peaks.places.T)] = True
    progress(3, 4, "linked edges")
    walls = _closed(edges, spacing, params.closing_mm)
    filled = _filled(walls, measured, _axis_to_fill(grid, params)) & usable
    _trim(filled, peaks)
    return (keep_largest(filled) if params.keep == "largest" else filled), high


def _linked(
    peaks: Peaks, heights: NDArray[np.float32], high: float, share: float, shape: tuple[int, ...]
) -> Peaks:
    """Hysteresis: peaks of at least `share` of the high threshold that hang together with one that reaches it."""
    peaks, heights = peaks.those(heights >= high * share), heights[heights >= high * share]
    edges = np.zeros(shape, np.bool_)
    edges[tuple(peaks.places.T)] = True
    parts, count = label_parts(edges)
    of_peak = parts[tuple(peaks.places.T)]
    strong = np.zeros(count + 1, np.bool_)
    strong[of_peak[heights >= high]] = True
    return peaks.those(strong[of_peak])


def _high_of(heights: NDArray[np.float32]) -> float:
    if not heights.size:
        return 0.0
    lowest, highest = float(heights.min()), float(heights.max())
    # Equal peaks (one clean step) have nothing to be split.
    return lowest if highest - lowest <= 1e-3 * highest else otsu_threshold(heights, CANNY.spec.name)


def _closed(mask: NDArray[np.bool_], spacing: tuple[float, float, float], radius: float) -> NDArray[np.bool_]:
    """Closing with a ball: grown and shrunk by distances between voxel centres."""
    grown = distance_from(mask, spacing) <= radius
    return mask | (distance_from(~grown, spacing) > radius) if mask.any() else mask


def _filled(walls: NDArray[np.bool_], measured: NDArray[np.bool_], axis: int | None) -> NDArray[np.bool_]:
    """Walls, and what no way over faces leads out of to the rim of what was measured."""
    if axis is not None and walls.shape[axis] > 1:
        filled = np.empty_like(walls)
        for number in range(walls.shape[axis]):
            cut = tuple(slice(number, number + 1) if other == axis else slice(None) for other in range(3))
            filled[cut] = _filled(walls[cut], measured[cut], None)
        return filled
    parts, count = label_parts(~walls & measured, 6)
    outer = np.zeros(count + 1, np.bool_)
    outer[np.unique(parts[_rim(measured)])] = True
    outer[0] = False
    enclosed: NDArray[np.bool_] = ~outer[parts]
    return enclosed


def _rim(measured: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The first and last measured voxel on every line along the axes; an axis of one voxel has no rim.

    So what borders on a gap amid the image, such as a slab without measurements, does not lead out.
    """
    rim = np.zeros_like(measured)
    for axis, extent in enumerate(measured.shape):
        if extent > 1:
            first = measured.argmax(axis=axis, keepdims=True)
            last = extent - 1 - np.flip(measured, axis).argmax(axis=axis, keepdims=True)
            np.put_along_axis(rim, first, True, axis)  # noqa: FBT003 - NumPy takes it by place only
            np.put_along_axis(rim, last, True, axis)  # noqa: FBT003
    return rim & measured


def _trim(filled: NDArray[np.bool_], edges: Peaks) -> None:
    """Take off edge voxels whose centres lie beyond the edge itself, and edges that enclose nothing."""
    last = np.array(filled.shape) - 1
    uphill, downhill = (
        filled[tuple(np.clip(np.rint(edges.places + sign * 1.5 * edges.step), 0, last).astype(np.intp).T)]
        for sign in (1, -1)
    )
    beyond = np.where(uphill == downhill, ~uphill, np.where(uphill, edges.offset > 0, edges.offset < 0))
    filled[tuple(edges.places[beyond].T)] = False


CANNY = Canny()
