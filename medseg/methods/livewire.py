"""Livewire (intelligent scissors): a contour that runs along edges from anchor to anchor on one slice."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.errors import InputError
from medseg.masks.contours import slice_axis
from medseg.masks.rasterise import rasterise
from medseg.masks.seeds import object_table
from medseg.methods.base import answer, only_image, usable
from medseg.methods.edges import gradient, magnitude_of, peaks_of, smoothed_image

__all__ = ["LIVEWIRE", "Livewire", "LivewireParams"]

#: Shares of the two edge costs, gradient and peak; Mortensen and Barrett give both the same weight.
_GRADIENT, _PEAK = 0.5, 0.5
#: The wire may leave the box of its anchors by this share of the box's size, and by some pixels.
_SWAY, _SWAY_PIXELS = 0.5, 8


class LivewireParams(Params):
    """What may be chosen."""

    sigma_mm: float = Field(
        1.0,
        ge=0,
        le=50,
        description="Standard deviation of the Gaussian that smooths the slice before edges are sought.",
        json_schema_extra={"unit": "mm"},
    )
    snap_mm: float = Field(
        2.0,
        ge=0,
        le=50,
        description="How far an anchor may move to the strongest edge near it.",
        json_schema_extra={"unit": "mm"},
    )
    stiffness: float = Field(
        0.1,
        gt=0,
        le=10,
        description="Cost of a millimetre on a perfect edge, where one off any edge costs 1 more; "
        "larger makes straighter contours.",
    )


@dataclass(frozen=True, slots=True)
class _Contour:
    """Anchors in order: pixel indices on a slice, and what the contour encloses."""

    anchors: NDArray[np.float64]
    slice: int
    label: int


class Livewire:
    """Segmenter behind `medseg segment livewire`."""

    spec = SegmenterSpec(
        name="livewire",
        title="Livewire",
        summary="Contours that run along edges from anchor to anchor, each on one slice, filled.",
        source="Mortensen, Barrett 1995, Intelligent scissors for image composition, SIGGRAPH 191",
        kind="prompted",
        needs_prompts=True,
    )
    Params = LivewireParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: LivewireParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Draw and fill each contour; a negative stroke takes its inside away from those before it.

        A stroke's positions are one contour's anchors, and so are the points of one label on one slice.

        Raises
        ------
        InputError
            If anchors are fewer than three, off one slice or off the image, or the slice around them is
            constant.
        """
        image = only_image(images)
        considered = usable(image, within)
        axis = slice_axis(image.grid)
        contours = _contours(prompts or Prompts(), image.grid, axis)
        labels = np.zeros(image.grid.shape, np.uint16)
        for done, contour in enumerate(contours):
            run.check()
            front = np.moveaxis(labels, axis, 0)[contour.slice]
            inside = _enclosed(image, axis, contour, params, run)
            front[inside] = max(contour.label, 0)
            run.progress(done + 1, len(contours), "contours")
        labels[~considered] = 0
        table = object_table(tuple(sorted({contour.label for contour in contours if contour.label > 0})))
        slices = len({contour.slice for contour in contours})
        return answer(
            self.spec.name, image, labels, params, table=table, contours=len(contours), slices=slices
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: LivewireParams) -> int:  # noqa: ARG002
        """Labels, masks and a count of the image, and what is worked out on one slice."""
        total = 0
        for grid in grids.values():
            voxels = int(np.prod(grid.shape))
            total += 13 * voxels + 120 * (voxels // grid.shape[slice_axis(grid)])
        return total


def _contours(prompts: Prompts, grid: Grid, axis: int) -> list[_Contour]:
    """Contours of strokes in their order, then of points."""
    if prompts.boxes:
        raise InputError(f"{LIVEWIRE.spec.name} takes strokes and points as anchors of a contour, no boxes")
    if any(not point.positive for point in prompts.points):
        raise InputError(
            f"{LIVEWIRE.spec.name}: a point is an anchor of a contour; take away with a negative stroke"
        )
    found = []
    for number, stroke in enumerate(prompts.strokes, start=1):
        index = grid.to_index(np.array(stroke.positions))
        found.append(_contour(index, grid, axis, stroke.label if stroke.positive else 0, f"stroke {number}"))
    groups: dict[tuple[int, int], list[NDArray[np.float64]]] = {}
    for point in prompts.points:
        place = grid.to_index(np.array(point.position))
        groups.setdefault((point.label, int(np.rint(place[axis]))), []).append(place)
    for (label, _), places in groups.items():
        found.append(_contour(np.array(places), grid, axis, label, f"the points of object {label}"))
    if not any(contour.label for contour in found):
        raise InputError(f"{LIVEWIRE.spec.name} needs at least one stroke or three points around an object")
    return found


def _contour(index: NDArray[np.float64], grid: Grid, axis: int, label: int, who: str) -> _Contour:
    near = np.rint(index).astype(int)
    if (near < 0).any() or (near >= grid.shape).any():
        raise InputError(f"{LIVEWIRE.spec.name}: {who} leaves the image")
    first, last = int(near[:, axis].min()), int(near[:, axis].max())
    if first != last:
        raise InputError(
            f"{LIVEWIRE.spec.name}: the anchors of {who} lie on slices {first} to {last} (from 0, axis {axis} of the "
            "image in its order nearest to RAS), not on one; give each slice its own stroke, in the plane of "
            "acquisition"
        )
    anchors = np.delete(near, axis, axis=1)
    kept = np.concatenate([[True], (np.diff(anchors, axis=0) != 0).any(axis=1)])
    if (anchors[0] == anchors[-1]).all():
        kept[-1] = len(anchors) == 1
    anchors = anchors[kept].astype(np.float64)
    if len(anchors) < 3:
        raise InputError(
            f"{LIVEWIRE.spec.name}: a contour needs three anchors, not {len(anchors)} ({who} on slice {first})"
        )
    return _Contour(anchors, first, label)


def _enclosed(
    image: Image, axis: int, contour: _Contour, params: LivewireParams, run: Run
) -> NDArray[np.bool_]:
    """(A, B) bool: pixels of the slice inside the contour."""
    plane = np.moveaxis(image.array, axis, 0)[contour.slice]
    usable_plane = _measured(image, axis, contour.slice)
    sides = [length for other, length in enumerate(image.grid.spacing) if other != axis]
    window = _window(contour.anchors, plane.shape)
    corner = np.array([side.start for side in window])
    wire = _wire(
        smoothed_image(plane[window], usable_plane[window], (sides[0], sides[1]), params.sigma_mm),
        (sides[0], sides[1]),
        contour.anchors - corner,
        params,
        run,
    )
    inside: NDArray[np.bool_] = rasterise(wire + corner, (plane.shape[0], plane.shape[1]))
    return inside


def _measured(image: Image, axis: int, number: int) -> NDArray[np.bool_]:
    plane: NDArray[np.bool_] = np.isfinite(np.moveaxis(image.array, axis, 0)[number])
    return plane if image.outside is None else plane & ~np.moveaxis(image.outside, axis, 0)[number]


def _window(anchors: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[slice, slice]:
    sway = np.ptp(anchors, axis=0) * _SWAY + _SWAY_PIXELS
    low = np.maximum(np.floor(anchors.min(axis=0) - sway), 0).astype(int)
    high = np.minimum(np.ceil(anchors.max(axis=0) + sway) + 1, shape).astype(int)
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _wire(
    smooth: NDArray[np.float32],
    spacing: tuple[float, float],
    anchors: NDArray[np.float64],
    params: LivewireParams,
    run: Run,
) -> NDArray[np.float64]:
    """(N, 2) fractional indices of the closed contour, moved onto the edge between pixels."""
    from skimage.graph import MCP_Geometric

    slopes = gradient(smooth, spacing)
    magnitude = magnitude_of(slopes)
    top = float(magnitude.max())
    if top == 0:
        raise InputError(
            f"{LIVEWIRE.spec.name} needs edges to run along; the slice around these anchors is constant"
        )
    peaks = peaks_of(magnitude, slopes, np.ones(magnitude.shape, np.bool_), spacing)
    ridge = np.zeros(smooth.shape, np.bool_)
    ridge[tuple(peaks.places.T)] = True
    onto = np.zeros((*smooth.shape, 2))
    onto[tuple(peaks.places.T)] = peaks.offset[:, None] * peaks.step
    costs = params.stiffness + _GRADIENT * (1 - magnitude / top) + _PEAK * ~ridge
    snapped = [_snapped(magnitude, anchor, spacing, params.snap_mm) for anchor in anchors]
    path: list[tuple[int, ...]] = []
    for start, end in pairwise([*snapped, snapped[0]]):
        run.check()
        search = MCP_Geometric(costs, fully_connected=True, sampling=spacing)
        search.find_costs([start], [end])
        path += search.traceback(end)[:-1]
    pixels = np.array(path, dtype=np.intp)
    line: NDArray[np.float64] = pixels + onto[tuple(pixels.T)]
    return line


def _snapped(
    magnitude: NDArray[np.float32], anchor: NDArray[np.float64], spacing: tuple[float, float], reach: float
) -> tuple[int, int]:
    """The strongest edge within reach of an anchor; of equal ones the nearest."""
    away = np.sqrt(
        sum(
            ((np.arange(extent) - place) * length).reshape((-1, 1) if axis == 0 else (1, -1)) ** 2
            for axis, (extent, place, length) in enumerate(zip(magnitude.shape, anchor, spacing, strict=True))
        )
    )
    near = np.argwhere(away <= reach)
    if not len(near):
        return int(anchor[0]), int(anchor[1])
    order = np.lexsort((away[tuple(near.T)], -magnitude[tuple(near.T)]))
    return int(near[order[0], 0]), int(near[order[0], 1])


LIVEWIRE = Livewire()
