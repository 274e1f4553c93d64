"""Coarse, then fine: a first model finds where, a second one works in a box around it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Image, Prompts, Run, Segmentation, Segmenter, SegmenterSpec
from medseg.domain.recipe import Before
from medseg.domain.segmentation import Probabilities
from medseg.geometry import same_grid
from medseg.geometry.shares import KeptShares
from medseg.inference.inner import run_inner
from medseg.inference.segmenter import ModelParams

__all__ = ["BoxedSegmenter", "box_around"]

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class BoxedSegmenter:
    """Segments within the box around what another model found.

    Parameters
    ----------
    first, then
        Where, and what.
    before
        Which labels of the first make the box, and its margin.
    """

    first: Segmenter
    then: Segmenter
    before: Before

    @property
    def spec(self) -> SegmenterSpec:
        """That of the second model."""
        return self.then.spec

    @property
    def Params(self) -> type[Any]:  # noqa: N802 - it is a class, and reads as one
        """Those of the second model."""
        return self.then.Params

    def segment(
        self,
        images: Mapping[str, Image],
        params: ModelParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Segment; where the first model finds nothing the second one sees the whole image, with a Finding."""
        reference = images[self.spec.reference or self.spec.channels[0].name]
        where = run_inner(self.first, images, params, run)
        box = box_around(where.mask(*self.before.labels), reference.grid, self.before.margin_mm)
        if box is None:
            answer = self.then.segment(images, params, within=within, prompts=prompts, run=run)
            text = f"{self.first.spec.name} found no region to work in; {self.spec.name} searched the whole image."
            return replace(answer, findings=(*answer.findings, Finding("parts.no_region", "warning", text)))
        cut = {name: _cut(image, box, reference.grid) for name, image in images.items()}
        part = None if within is None else within[box]
        answer = self.then.segment(cut, params, within=part, prompts=prompts, run=run)
        return replace(
            answer,
            labels=_placed(answer.labels, box, reference.grid.shape),
            grid=reference.grid,
            instances=None
            if answer.instances is None
            else _placed(answer.instances, box, reference.grid.shape),
            probabilities=_shares(answer.probabilities, box, reference.grid),
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: ModelParams) -> int:
        """The larger of both, as if the box were the image."""
        return max(self.first.memory_bytes(grids, self.first.Params()), self.then.memory_bytes(grids, params))


def box_around(mask: NDArray[np.bool_], grid: Grid, margin_mm: float) -> Box | None:
    """Smallest box around a mask, wider by a margin on each side, within the grid; None around nothing.

    >>> grid = Grid((9, 9, 9), np.diag([2.0, 1.0, 1.0, 1.0]))
    >>> mask = np.zeros(grid.shape, bool)
    >>> mask[4, 4, 4] = True
    >>> box_around(mask, grid, 2.0)
    (slice(3, 6, None), slice(2, 7, None), slice(2, 7, None))
    """
    sides = []
    for axis, step in enumerate(grid.spacing):
        found = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        if found.size == 0:
            return None
        more = int(np.ceil(margin_mm / step))
        sides.append(slice(max(0, int(found[0]) - more), min(mask.shape[axis], int(found[-1]) + 1 + more)))
    return (sides[0], sides[1], sides[2])


def _cut(image: Image, box: Box, reference: Grid) -> Image:
    """The part of an image on the reference's grid; one on another grid stays whole, and is resampled onto the box."""
    if not same_grid(image.grid, reference):
        return image
    affine = np.array(image.grid.affine)
    affine[:3, 3] += affine[:3, :3] @ [side.start for side in box]
    array = image.array[box]
    outside = None if image.outside is None else image.outside[box]
    return replace(
        image, array=array, outside=outside, grid=replace(image.grid, shape=array.shape, affine=affine)
    )


def _placed(array: NDArray[Any], box: Box, shape: tuple[int, ...]) -> NDArray[Any]:
    whole = np.zeros(shape, array.dtype)
    whole[box] = array
    return whole


def _shares(shares: Probabilities | None, box: Box, grid: Grid) -> Probabilities | None:
    """Beyond the box there is background for certain."""
    if shares is None:
        return None
    if isinstance(shares, KeptShares):
        return shares.on(grid)
    whole = np.zeros((len(shares), *grid.shape), np.float32)
    whole[0] = 1
    whole[(slice(None), *box)] = shares
    return whole
