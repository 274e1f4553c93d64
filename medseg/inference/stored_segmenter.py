"""A model that works on voxels as a file stores them, as a Segmenter: nnU-Net's way, slab by slab."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from medseg.domain import (
    Grid,
    Image,
    ModelCard,
    Prompts,
    Run,
    Segmentation,
    Segmenter,
    SegmenterSpec,
)
from medseg.domain.recipe import StoredGrid
from medseg.errors import InputError
from medseg.geometry import AxisOrder, order_to
from medseg.inference.clock import Clock
from medseg.inference.doubt import ExpectedDice
from medseg.inference.inner import reordered, run_inner
from medseg.inference.kept_shares import SharesOfLogits, SharesOfSlabs, kept_bytes
from medseg.inference.memory import MemoryPlan, Needs, needs
from medseg.inference.reducers import LabelsOnNative, Reducer
from medseg.inference.segmenter import ModelParams, ModelSegmenter, emptiness
from medseg.inference.steps import postprocess
from medseg.inference.stored_prepare import (
    StoredArray,
    decided,
    grid_of_network,
    lines_to_crop,
    network_grid,
    outputs_to_native,
    prepare_stored,
    with_labels_before,
)
from medseg.inference.stream import Slab, SlabStream
from medseg.inference.temperature import temperature_of

__all__ = ["StoredSegmenter", "WholeOutputs"]


@dataclass(frozen=True)
class StoredSegmenter:
    """Segments with a bundle whose card has a `StoredGrid`.

    Parameters
    ----------
    model
        The bundle: what to run, and where its weights lie.
    first
        The model that runs before it, where the card names one.
    """

    model: ModelSegmenter
    first: Segmenter | None = None

    @property
    def card(self) -> ModelCard:
        """What to run."""
        return self.model.card

    @property
    def folder(self) -> Path:
        """Where the bundle lies."""
        return self.model.folder

    @property
    def spec(self) -> SegmenterSpec:
        """Description, from the card."""
        return replace(self.model.spec, axes="stored", needs_mm=len(self.card.window) == 3)

    @property
    def Params(self) -> type[ModelParams]:  # noqa: N802 - it is a class, and reads as one
        """Parameters with this card's defaults."""
        return self.model.Params

    def segment(
        self,
        images: Mapping[str, Image],
        params: ModelParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,  # noqa: ARG002 - the protocol's signature
        run: Run,
    ) -> Segmentation:
        """Segment on the network's grid, slab by slab, and come back to the voxels that were given.

        Raises
        ------
        InputError
            If channels lie on different grids, hold other values than the model takes, or the device is not there.
        ModelError
            If the weights are damaged.
        """
        if params.keep_probabilities and self.card.decision.order:
            raise InputError(f"{self.card.name} finds regions, which have no probabilities of labels to keep")
        run.check()
        clock = Clock()
        grid = images[self.card.reference].grid
        planned = self.model.planned(self._needs(grid, params), run, resampled=False)
        order = _order(self.card, grid)
        turned = {name: reordered(image, order) for name, image in images.items()}
        with clock.on("resample"):
            stored = prepare_stored(turned, self.card)
            if self.first is not None:
                stored = replace(stored, array=self._with_first(turned, stored, params, run))
        with clock.on("start"):
            stream = self.model.stream(params, run, 0 if len(self.card.window) == 2 else None)
            stream = replace(stream, on_disk=planned.sums_on_disk)
        eaters = self._eaters(stream, stored, turned[self.card.reference].grid, params, planned)
        for slab in clock.each("network", stream.run(stored.array, run)):
            with clock.on("decide"):
                eaters.eat(slab)
            run.check()
        made_by = self.model.made_by(images, params, stream.predictor, run)
        if within is None and eaters.doubt is not None:
            made_by = replace(made_by, expected_dice=eaters.doubt.value)
        with clock.on("decide"):
            labels = order.undo(stored.to_native(eaters.labels.labels))
            labels = labels if within is None else np.where(within, labels, 0)
            labels = postprocess(labels, grid, self.card.postprocessing)
        clock.tell(run)
        return Segmentation(
            labels,
            grid,
            self.card.table,
            made_by,
            (*stored.findings, *stream.findings, *emptiness(labels, self.card)),
            probabilities=None if eaters.shares is None else eaters.shares.kept.on(grid),
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: ModelParams) -> int:
        """What it can't do without, where nothing is cropped; sums of windows as far as they are small."""
        return self._needs(grids[self.card.reference], params).least

    def _needs(self, grid: Grid, params: ModelParams) -> Needs:
        rule = self.card.grid
        assert isinstance(rule, StoredGrid)  # noqa: S101 - for the type checker
        native = _order(self.card, grid).grid(grid)
        model = grid_of_network(native, rule)
        voxels, cells, channels = prod(native.shape), prod(model.shape), len(self.card.channels)
        kept = kept_bytes(self.card.classes, cells) if params.keep_probabilities else 0
        found = needs(self.card, native, model, kept, flat=0 if len(self.card.window) == 2 else None)
        # The crop in float32, one channel in double precision before and after a spline, and what is inside.
        spline = 16 * voxels + 8 * cells if rule.image.how == "spline" and model.shape != native.shape else 0
        scaling = (4 * channels + 2) * voxels + 4 * channels * cells + spline
        return replace(found, scaling=scaling, native=found.native + voxels)

    def _eaters(
        self, stream: SlabStream, stored: StoredArray, native: Grid, params: ModelParams, plan: MemoryPlan
    ) -> "_Eaters":
        """What becomes of slabs: labels on the crop, shares where they are kept, and what is expected of the labels."""
        card, axis = self.card, stream.axis(stored.array.shape[1:])
        labels: _Labels = WholeOutputs(stored, axis, card, stream.sums)
        lines = lines_to_crop(stored)
        if lines is not None:
            by_spline = stored.rule.outputs.how == "spline"
            labels = LabelsOnNative(
                stored.cropped,
                lines,
                axis,
                card.table.values,
                chunk_bytes=plan.chunk_bytes // 2,  # values are interpolated in double precision
                decision=card.decision,
                rounded_to=stream.sums if by_spline else np.dtype(np.float32),
            )
        if card.decision.order:
            return _Eaters(labels)
        temperature = temperature_of(card)
        shares = None
        if params.keep_probabilities:
            source = network_grid(native, stored)
            shares = SharesOfSlabs(source, native, axis, card.classes, temperature)
        doubt = ExpectedDice(card.classes, temperature)
        return _Eaters(labels, doubt, shares, of_logits=card.decision.average == "logits")

    def _with_first(
        self, turned: Mapping[str, Image], stored: StoredArray, params: ModelParams, run: Run
    ) -> NDArray[np.float32]:
        before = self.card.before
        assert before is not None and self.first is not None  # noqa: S101, PT018 - for the type checker
        found = run_inner(self.first, turned, params, run)
        return with_labels_before(stored, found.labels, before.labels)


class _Labels(Reducer, Protocol):
    """A reducer that ends in labels."""

    @property
    def labels(self) -> NDArray[Any]:
        """On the native voxels of the crop, once the last slab is eaten."""
        ...


@dataclass
class _Eaters:
    """What becomes of slabs."""

    labels: _Labels
    doubt: ExpectedDice | None = None
    shares: SharesOfSlabs | None = None
    of_logits: bool = True

    def eat(self, slab: Slab) -> None:
        """Hand it to each."""
        self.labels.eat(slab)
        others: list[Reducer] = [eater for eater in (self.doubt, self.shares) if eater is not None]
        if others and self.of_logits:
            others = [SharesOfLogits(slab.values.shape[0], others)]
        for eater in others:
            eater.eat(slab)


class WholeOutputs:
    """Labels by way of all outputs at once, where what a card interpolates them by is not linear.

    Memory: all outputs on the network's grid and on the native voxels of the crop.
    """

    def __init__(self, stored: StoredArray, axis: int, card: ModelCard, kind: np.dtype[Any]) -> None:
        self._stored, self._card = stored, card
        self._outputs = np.empty((card.outputs, *stored.array.shape[1:]), kind)
        self._moved = np.moveaxis(self._outputs, axis + 1, 1)

    def eat(self, slab: Slab) -> None:
        """Keep it."""
        self._moved[:, slab.start : slab.stop] = slab.values[: len(self._moved)]

    @property
    def labels(self) -> NDArray[Any]:
        """On the native voxels of the crop."""
        native = outputs_to_native(self._outputs, self._stored)
        return decided(native, self._card.decision, self._card.table.values)


def _order(card: ModelCard, grid: Grid) -> AxisOrder:
    """From the axes of the file to those that the rule of the grid starts from."""
    orientation = card.grid.orientation if isinstance(card.grid, StoredGrid) else "stored"
    return order_to(grid, grid.orientation if orientation == "stored" else orientation)
