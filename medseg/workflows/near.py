"""The part of an image around prompts: all that a segmenter which works near them needs to see."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, Params, Prompts, SegmenterSpec
from medseg.masks.fractions import Box, crop

__all__ = ["cut_out", "part_near"]

#: Voxels beyond the margin: one for rounding, one so that a face of the box is no border of the image.
_SPARE = 2


def part_near(spec: SegmenterSpec, params: Params, prompts: Prompts | None, grid: Grid) -> Box | None:
    """Bounds of the voxels that can matter to the answer; None where that may be all.

    Of a segmenter that is `near_prompts`: its prompts, its parameter `margin_mm` around them, and two voxels. A scan
    of a hundred million voxels is then no more work than the part that is looked at.
    """
    if not spec.near_prompts or prompts is None or prompts.is_empty:
        return None
    reach = float(getattr(params, "margin_mm"))  # noqa: B009 - the spec promises it, the type of all parameters doesn't
    low, high = _bounds(prompts)
    corners = np.array([[(low, high)[n >> axis & 1][axis] for axis in range(3)] for n in range(8)])
    index = grid.to_index(corners)
    margin = np.ceil(reach / np.array(grid.spacing)) + _SPARE
    first = np.floor(index.min(axis=0) - margin).astype(int).clip(0)
    last = np.minimum(np.ceil(index.max(axis=0) + margin).astype(int) + 1, grid.shape)
    if (first >= last).any():
        return None  # they all lie beside the image, as the segmenter will say
    return slice(first[0], last[0]), slice(first[1], last[1]), slice(first[2], last[2])


def cut_out(image: Image, box: Box) -> Image:
    """That part of an image, where it lies; a view, no copy."""
    array, grid = crop(image.array, image.grid, box)
    outside = None if image.outside is None else image.outside[box]
    return replace(image, array=array, grid=grid, outside=outside)


def _bounds(prompts: Prompts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Opposite corners, in world coordinates, of the box that holds all prompts with their radius."""
    lows = [point.position for point in prompts.points] + [box.low for box in prompts.boxes]
    highs = [point.position for point in prompts.points] + [box.high for box in prompts.boxes]
    for stroke in prompts.strokes:
        positions = np.array(stroke.positions, np.float64).reshape(-1, 3)
        radius = 0.0 if stroke.closed else stroke.radius_mm
        lows += [tuple(item - radius) for item in positions]
        highs += [tuple(item + radius) for item in positions]
    # The corners of a box need not be the lower and the upper one.
    every = np.array([*lows, *highs])
    return every.min(axis=0), every.max(axis=0)
