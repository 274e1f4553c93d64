"""A bundle as a Segmenter."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, create_model

from medseg.domain import (
    Finding,
    Grid,
    Image,
    ModelCard,
    Params,
    Prompts,
    Provenance,
    Run,
    Segmentation,
    SegmenterSpec,
)
from medseg.domain.card import ChannelSpec
from medseg.domain.provenance import ImageDigest
from medseg.domain.segmenter import ChannelNeed
from medseg.domain.values import Details, as_details
from medseg.inference.ensemble import Predictor
from medseg.inference.instances import number_objects
from medseg.inference.load import load_predictor
from medseg.inference.prepare import Prepared, model_grid, prepare
from medseg.inference.reducers import KeptOutputs, LabelsOnNative, Reducer, probabilities_on_native
from medseg.inference.slices import network_slice_axis
from medseg.inference.steps import postprocess
from medseg.inference.stream import SlabStream
from medseg.inference.windows import Tiling
from medseg.models import card_digest, model_facts, weights_digest

__all__ = ["ModelParams", "ModelSegmenter", "emptiness"]

#: Windows computed at once on an accelerator; a CPU gains nothing from more than one.
ACCELERATOR_BATCH = 4
#: Feature maps alive at once at the finest level of a U-Net, in multiples of its filters.
LIVE_FEATURES = 5


#: Backends whose version is that of the library of their name.
BACKENDS = ("torch", "openvino")


class ModelParams(Params):
    """What may be chosen for any model; defaults come from its card."""

    beside_answer: ClassVar[frozenset[str]] = frozenset({"keep_probabilities"})
    overlap: float = Field(0.5, ge=0, le=0.9, description="Share by which neighbouring windows overlap.")
    mirror: bool = Field(
        default=True, description="Average over mirrored copies along the axes that the model's card allows."
    )
    keep_probabilities: bool = Field(
        default=False, description="Keep the probability of every class beside the labels."
    )


@dataclass(frozen=True)
class ModelSegmenter:
    """Segments with the model in a bundle.

    Parameters
    ----------
    card
        What to run.
    folder
        Where the bundle lies; weights are read on first use.
    predictor
        Stands in for the bundle's networks.
    """

    card: ModelCard
    folder: Path
    predictor: Predictor | None = None

    @property
    def spec(self) -> SegmenterSpec:
        """Description, from the card."""
        return SegmenterSpec(
            name=self.card.name,
            title=self.card.title,
            summary=self.card.summary,
            source=f"model bundle {self.card.name} {self.card.version}",
            kind="model",
            channels=tuple(_need(channel) for channel in self.card.channels),
            reference=self.card.reference,
            needs_mm=self.card.spacing is not None,
            dimensions=(self.card.network.dimensions,) if self.card.network.dimensions == 3 else (2, 3),
            version=card_digest(self.card),
        )

    @property
    def Params(self) -> type[ModelParams]:  # noqa: N802 - it is a class, and reads as one
        """Parameters with this card's defaults."""
        fields: Any = {}
        for name, default in (("overlap", self.card.overlap), ("mirror", bool(self.card.mirror_axes))):
            info = copy(ModelParams.model_fields[name])
            info.default = default
            fields[name] = (info.annotation, info)
        made: type[ModelParams] = create_model("ModelParams", __base__=ModelParams, **fields)
        return made

    def segment(
        self,
        images: Mapping[str, Image],
        params: ModelParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,  # noqa: ARG002 - the protocol's signature
        run: Run,
    ) -> Segmentation:
        """Segment on the model grid and come back to the reference channel's grid.

        Raises
        ------
        InputError
            If channels hardly overlap, or the device is not there.
        ModelError
            If the weights are damaged.
        """
        run.check()
        prepared = prepare(images, self.card)
        reference = images[self.card.reference]
        stream = self.stream(params, run, _flat_axis(self.card, reference))
        found, kept = self._reduced(stream, prepared, reference.grid, params, run)
        labels = found.labels
        if within is not None:
            labels = np.where(within, labels, 0).astype(labels.dtype)
        labels = postprocess(labels, reference.grid, self.card.postprocessing)
        labels, instances = number_objects(
            labels, kept.values, prepared.grid, reference.grid, self.card.postprocessing
        )
        probabilities = None
        if params.keep_probabilities:
            shares = np.stack([kept.values[output] for output in range(self.card.classes)])
            probabilities = probabilities_on_native(shares, prepared.grid, reference.grid)
        return Segmentation(
            labels,
            reference.grid,
            self.card.table,
            self.made_by(images, params, stream.predictor, run),
            (*prepared.findings, *stream.findings, *emptiness(labels, self.card)),
            instances=instances,
            probabilities=probabilities,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: ModelParams) -> int:
        """Channels and classes on the model grid, five arrays on the native one, and a batch of windows."""
        native = grids[self.card.reference]
        model = int(np.prod(model_grid(native, self.card.spacing).shape, dtype=np.int64))
        voxels = int(np.prod(native.shape, dtype=np.int64))
        classes = self.card.network.out_channels
        windows = int(np.prod(self.card.window)) * self.card.network.filters[0] * LIVE_FEATURES
        kept = 8 * voxels * classes if params.keep_probabilities else 0
        return 4 * model * (2 * len(self.card.channels) + 3 * classes) + 20 * voxels + 4 * windows + kept

    def stream(self, params: ModelParams, run: Run, flat: int | None) -> SlabStream:
        """Windows of this model, by the card's rule; `flat` is the axis that a network of slices steps along."""
        mirror = self.card.mirror_axes if params.mirror else ()
        predictor = self.predictor or load_predictor(self.card, self.folder, mirror, run)
        window = self.card.window
        if flat is not None:
            window = (*window[:flat], 1, *window[flat:])
        batch = 1 if predictor.device == "cpu" else ACCELERATOR_BATCH
        rule = self.card.windows
        tiling = Tiling(window, params.overlap, rule.placing, rule.weighting)
        return SlabStream(predictor, tiling, flat, batch, np.dtype(rule.sums))

    def _reduced(
        self, stream: SlabStream, prepared: Prepared, native: Grid, params: ModelParams, run: Run
    ) -> tuple[LabelsOnNative, KeptOutputs]:
        """Labels on the native grid, and the outputs that later steps need whole."""
        axis = stream.axis(prepared.grid.shape)
        labels = LabelsOnNative(prepared.grid, native, axis, self.card.table.values)
        whole = range(self.card.classes) if params.keep_probabilities else ()
        kept = KeptOutputs(prepared.grid, [*whole, *self.card.distance_channels])
        reducers: tuple[Reducer, ...] = (labels, kept)
        for slab in stream.run(prepared.array, run):
            for reducer in reducers:
                reducer.eat(slab)
            run.check()
        return labels, kept

    def made_by(
        self, images: Mapping[str, Image], params: ModelParams, predictor: Predictor, run: Run
    ) -> Provenance:
        """How an answer came about."""
        return Provenance(
            segmenter=self.card.name,
            parameters=(*params.details, ("version", self.card.version), *_origin(self.card)),
            weights_digest=weights_digest(self.card) if self.card.weights else None,
            images=tuple(
                ImageDigest(channel.name, images[channel.name].digest) for channel in self.card.channels
            ),
            run=as_details(
                device=predictor.device,
                seed=run.seed,
                **({predictor.name: version(predictor.name)} if predictor.name in BACKENDS else {}),
            ),
            model=model_facts(self.card),
        )


def _origin(card: ModelCard) -> Details:
    """Where a model of another program comes from, digest of its source included."""
    return tuple((f"origin.{name}", value) for name, value in card.origin)


def _flat_axis(card: ModelCard, reference: Image) -> int | None:
    """Axis that a 2D network steps along."""
    return network_slice_axis(reference) if card.network.dimensions == 2 else None


def emptiness(labels: NDArray[Any], card: ModelCard) -> tuple[Finding, ...]:
    """Said where a model found nothing: it may be that there is nothing, or that the image is none of its kind."""
    if labels.any():
        return ()
    names = ", ".join(item.name for item in card.table.labels[:8])
    text = (
        f"The model {card.name} found nothing of what it looks for ({names}): there is none in this image, or it is "
        "no image of the kind that the model knows."
    )
    return (Finding("model.empty", "warning", text),)


def _need(channel: ChannelSpec) -> ChannelNeed:
    return ChannelNeed(channel.name, channel.modality, channel.value_unit)
