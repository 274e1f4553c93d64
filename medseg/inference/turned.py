"""A model that works in an order of axes of its own, as a Segmenter."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, Prompts, Run, Segmentation, SegmenterSpec
from medseg.geometry import order_to
from medseg.geometry.shares import reordered_shares
from medseg.inference.inner import reordered
from medseg.inference.segmenter import ModelParams, ModelSegmenter

__all__ = ["TurnedSegmenter"]


@dataclass(frozen=True)
class TurnedSegmenter:
    """Turns images from the file's own order to an orientation, and the answer back.

    Parameters
    ----------
    model
        What segments.
    orientation
        `stored` or three letters.
    """

    model: ModelSegmenter
    orientation: str

    @property
    def spec(self) -> SegmenterSpec:
        """That of the model."""
        return replace(self.model.spec, axes="stored")

    @property
    def Params(self) -> type[ModelParams]:  # noqa: N802 - it is a class, and reads as one
        """Those of the model."""
        return self.model.Params

    def segment(
        self,
        images: Mapping[str, Image],
        params: ModelParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Segment; raises as the model does."""
        grid = images[self.model.card.reference].grid
        order = order_to(grid, grid.orientation if self.orientation == "stored" else self.orientation)
        turned = {name: reordered(image, order) for name, image in images.items()}
        inside = None if within is None else order.apply(within)
        answer = self.model.segment(turned, params, within=inside, prompts=prompts, run=run)
        return replace(
            answer,
            labels=order.undo(answer.labels),
            grid=grid,
            instances=None if answer.instances is None else order.undo(answer.instances),
            probabilities=reordered_shares(answer.probabilities, order.inverse, grid),
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: ModelParams) -> int:
        """That of the model."""
        return self.model.memory_bytes(grids, params)
