"""A model that works on voxels as a file stores them, as a Segmenter: nnU-Net's way, whole in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import (
    Grid,
    Image,
    ModelCard,
    Prompts,
    Provenance,
    Run,
    Segmentation,
    Segmenter,
    SegmenterSpec,
)
from medseg.domain.recipe import StoredGrid
from medseg.errors import InputError
from medseg.geometry import AxisOrder, order_to
from medseg.inference.doubt import ExpectedDice
from medseg.inference.ensemble import ACTIVATIONS
from medseg.inference.inner import reordered, run_inner
from medseg.inference.segmenter import ModelParams, ModelSegmenter, emptiness
from medseg.inference.steps import postprocess
from medseg.inference.stored_prepare import (
    StoredArray,
    decided,
    outputs_to_native,
    prepare_stored,
    with_labels_before,
)
from medseg.inference.stream import Slab
from medseg.inference.temperature import temperature_of, tempered

__all__ = ["StoredSegmenter"]


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
        """Segment on the network's grid and come back to the voxels that were given.

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
        grid = images[self.card.reference].grid
        order = _order(self.card, grid)
        turned = {name: reordered(image, order) for name, image in images.items()}
        stored = prepare_stored(turned, self.card)
        if self.first is not None:
            stored = replace(stored, array=self._with_first(turned, stored, params, run))
        outputs, made_by, findings = self._outputs(images, stored, params, run)
        labels = order.undo(stored.to_native(decided(outputs, self.card.decision, self.card.table.values)))
        if within is not None:
            labels = np.where(within, labels, 0)
        labels = postprocess(labels, grid, self.card.postprocessing)
        if within is None and not self.card.decision.order:
            made_by = replace(made_by, expected_dice=_expected(outputs, temperature_of(self.card)))
        shares = None
        if params.keep_probabilities:
            shares = tempered(order.undo(_shares(outputs, stored)), temperature_of(self.card))
        return Segmentation(
            labels,
            grid,
            self.card.table,
            made_by,
            (*stored.findings, *findings, *emptiness(labels, self.card)),
            probabilities=shares,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: ModelParams) -> int:
        """Channels and outputs on the network's grid, outputs and labels on the native one, and a batch of windows."""
        rule = self.card.grid
        assert isinstance(rule, StoredGrid)  # noqa: S101 - for the type checker
        native = grids[self.card.reference]
        steps = [native.spacing[axis] for axis in rule.axes]
        wanted = (*steps[: 3 - len(rule.spacing)], *rule.spacing)
        voxels = int(np.prod(native.shape, dtype=np.int64))
        model = int(voxels * np.prod(steps) / np.prod(wanted)) if native.unit == "mm" else voxels
        channels, outputs = self.card.network.in_channels, self.card.network.out_channels
        windows = int(np.prod(self.card.window)) * self.card.network.filters[0] * 5
        kept = 4 * voxels * outputs if params.keep_probabilities else 0
        return (
            4 * model * (2 * channels + outputs)
            + voxels * (12 * channels + 4 * outputs + 32)
            + 4 * windows
            + kept
        )

    def _with_first(
        self, turned: Mapping[str, Image], stored: StoredArray, params: ModelParams, run: Run
    ) -> NDArray[np.float32]:
        before = self.card.before
        assert before is not None and self.first is not None  # noqa: S101, PT018 - for the type checker
        found = run_inner(self.first, turned, params, run)
        return with_labels_before(stored, found.labels, before.labels)

    def _outputs(
        self, images: Mapping[str, Image], stored: StoredArray, params: ModelParams, run: Run
    ) -> tuple[NDArray[np.floating[Any]], Provenance, tuple[Any, ...]]:
        """Means over windows, mirrored copies and folds, on the native voxels of the crop."""
        stream = self.model.stream(params, run, 0 if len(self.card.window) == 2 else None)
        extents = stored.array.shape[1:]
        outputs = np.empty((self.card.outputs, *extents), stream.sums)
        moved = np.moveaxis(outputs, stream.axis(extents) + 1, 1)
        for slab in stream.run(stored.array, run):
            moved[:, slab.start : slab.stop] = slab.values[: len(moved)]
        made_by = self.model.made_by(images, params, stream.predictor, run)
        run.check()
        return outputs_to_native(outputs, stored), made_by, stream.findings


def _order(card: ModelCard, grid: Grid) -> AxisOrder:
    """From the axes of the file to those that the rule of the grid starts from."""
    orientation = card.grid.orientation if isinstance(card.grid, StoredGrid) else "stored"
    return order_to(grid, grid.orientation if orientation == "stored" else orientation)


def _expected(outputs: NDArray[np.floating[Any]], temperature: float) -> float:
    """What the model expects of its labels, plane by plane."""
    found = ExpectedDice(len(outputs), temperature)
    for plane in range(outputs.shape[1]):
        one = outputs[None, :, plane : plane + 1].astype(np.float32)
        found.eat(Slab(0, plane, ACTIVATIONS["softmax"](one)[0]))
    return found.value


def _shares(outputs: NDArray[np.floating[Any]], stored: StoredArray) -> NDArray[np.float32]:
    """(L, I, J, K) softmax of outputs; beyond the crop there is background for certain."""
    shares = ACTIVATIONS["softmax"](outputs[None].astype(np.float32))[0]
    return np.stack([stored.to_native(one, float(number == 0)) for number, one in enumerate(shares)])
