"""A bundle as a Segmenter."""

import sys
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import psutil
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
from medseg.domain.recipe import AnchoredGrid, Decision
from medseg.domain.segmenter import ChannelNeed
from medseg.domain.values import Details, as_details
from medseg.errors import InputError
from medseg.inference.anchored import anchored_grid, labels_to_native, prepare_anchored, reach_around
from medseg.inference.apart import Apart, has_members
from medseg.inference.backends import Precision
from medseg.inference.clock import Clock
from medseg.inference.domain import domain_finding
from medseg.inference.doubt import ExpectedDice
from medseg.inference.ensemble import Predictor
from medseg.inference.instances import number_objects
from medseg.inference.kept_shares import SharesOfSlabs, kept_bytes
from medseg.inference.load import choose_backend, load_predictor
from medseg.inference.memory import MemoryPlan, Needs, available_bytes, needs, plan_memory
from medseg.inference.prepare import Prepared, model_grid, prepare
from medseg.inference.reducers import (
    TO_FACES,
    KeptOutputs,
    LabelsOnNative,
    Reducer,
)
from medseg.inference.slices import network_slice_axis
from medseg.inference.steps import postprocess
from medseg.inference.stream import SlabStream
from medseg.inference.temperature import temperature_of
from medseg.inference.verdict import domain_verdict
from medseg.inference.windows import Tiling
from medseg.models import card_digest, load_calibration, model_facts, weights_digest

__all__ = ["ModelParams", "ModelSegmenter", "emptiness", "library_version", "spec_of"]

#: Windows computed at once on an accelerator; a CPU gains nothing from more than one.
ACCELERATOR_BATCH = 4


#: By how much windows overlap at most where speed is asked for.
QUICK_OVERLAP = 0.25
#: What loading a library adds to the memory of a process, measured.
LIBRARY_BYTES = {"openvino": 90_000_000, "torch": 330_000_000, "SimpleITK": 90_000_000}
#: Backends whose version is that of the library of their name.
BACKENDS = ("torch", "openvino")


class ModelParams(Params):
    """What may be chosen for any model; defaults come from its card."""

    beside_answer: ClassVar[frozenset[str]] = frozenset({"keep_probabilities"})
    overlap: float = Field(0.5, ge=0, le=0.9, description="Share by which neighbouring windows overlap.")
    mirror: bool = Field(
        default=True, description="Average over mirrored copies along the axes that the model's card allows."
    )
    speed: Literal["exact", "balanced", "fast"] = Field(
        "exact",
        description="exact: the card's windows in float32; balanced: windows overlap by a quarter at most and are not "
        "mirrored; fast: the same in bfloat16.",
    )
    keep_probabilities: bool = Field(
        default=False, description="Keep the probability of every class beside the labels."
    )

    @property
    def details(self) -> Details:
        """As of all parameters; the exact way, which was the only one once, goes without saying."""
        return tuple(item for item in super().details if item != ("speed", "exact"))


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
        return spec_of(self.card)

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
        if params.keep_probabilities and self.card.decision != Decision():
            raise InputError(
                f"{self.card.name} decides otherwise than by shares of classes, and keeps no probabilities"
            )
        run.check()
        clock = Clock()
        reference = images[self.card.reference]
        flat = _flat_axis(self.card, reference)
        needed = self._needs(reference.grid, params, flat)
        planned = self.planned(needed, run, resampled=self._grid(reference.grid) is not reference.grid)
        with clock.on("resample"):
            prepared = _prepared(images, self.card)
            verdict = domain_verdict(prepared, reference.grid, self.card, self.folder)
        with clock.on("start"):
            stream = replace(self.stream(params, run, flat), on_disk=planned.sums_on_disk)
            members = None
            if within is None and (verdict is None or verdict.level == "in range"):
                members = self._members(stream, params, prepared.grid, reference.grid)
            stream = stream if members is None else members.stream
        course = _Course(run, planned, clock, members)
        shares = self._shares(stream, prepared.grid, reference.grid) if params.keep_probabilities else None
        found, kept, doubt = self._reduced(stream, prepared, reference.grid, course, shares)
        made_by = self.made_by(images, params, stream.predictor, run)
        if doubt is not None and within is None:
            made_by = replace(made_by, expected_dice=doubt.value)
        with clock.on("decide"):
            labels, instances = self._finished(found, kept, within, prepared.grid, reference.grid)
            if members is not None:
                made_by = replace(made_by, intervals=members.intervals(labels))
        clock.tell(run)
        said = (*domain_finding(verdict, self.card.name), *emptiness(labels, self.card))
        return Segmentation(
            labels,
            reference.grid,
            self.card.table,
            made_by,
            (*prepared.findings, *stream.findings, *said),
            instances=instances,
            probabilities=None if shares is None else shares.kept,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: ModelParams) -> int:
        """What it can't do without: channels, a batch of windows, labels; sums of windows as far as they are small."""
        native = grids[self.card.reference]
        flat = 0 if self.card.network.dimensions == 2 else None
        return self._needs(native, params, flat).least

    def planned(self, needed: Needs, run: Run, *, resampled: bool) -> MemoryPlan:
        """By the run's budget, else by what is free; tells what is predicted."""
        before = psutil.Process().memory_info().rss
        libraries = self._libraries(run, resampled=resampled)
        budget = run.memory_bytes - before if run.memory_bytes is not None else available_bytes()
        planned = plan_memory(needed, budget - libraries)
        run.note("bytes.predicted", float(before + libraries + planned.predicted_bytes))
        return planned

    def _needs(self, native: Grid, params: ModelParams, flat: int | None) -> Needs:
        model = self._grid(native)
        return needs(self.card, native, model, self._kept(params, model), flat=flat, apart=self._apart())

    def _libraries(self, run: Run, *, resampled: bool) -> int:
        """What libraries that are not loaded yet will take."""
        backend = "" if self.predictor is not None else choose_backend(self.card, run).backend
        more = {"SimpleITK"} if resampled else set()
        return sum(LIBRARY_BYTES.get(name, 0) for name in {backend} | more if name not in sys.modules)

    def _apart(self) -> int:
        """Networks whose outputs are kept apart, for intervals of volumes."""
        return len(self.card.weights) if self.card.intervals is not None and len(self.card.weights) > 1 else 0

    def _grid(self, native: Grid) -> Grid:
        if isinstance(self.card.grid, AnchoredGrid):
            return anchored_grid(native, self.card.grid)
        return model_grid(native, self.card.spacing)

    def _kept(self, params: ModelParams, model: Grid) -> int:
        """Bytes of outputs that are kept: distances whole, probabilities compressed."""
        voxels = prod(model.shape)
        shares = kept_bytes(self.card.classes, voxels) if params.keep_probabilities else 0
        return shares + 4 * voxels * len(self.card.distance_channels)

    def _shares(self, stream: SlabStream, source: Grid, native: Grid) -> SharesOfSlabs:
        axis = stream.axis(source.shape)
        return SharesOfSlabs(source, native, axis, self.card.classes, temperature_of(self.card))

    def stream(self, params: ModelParams, run: Run, flat: int | None) -> SlabStream:
        """Windows of this model, by the card's rule; `flat` is the axis that a network of slices steps along."""
        mirror = self.card.mirror_axes if params.mirror and params.speed == "exact" else ()
        overlap = params.overlap if params.speed == "exact" else min(params.overlap, QUICK_OVERLAP)
        precision: Precision = "bf16" if params.speed == "fast" else "f32"
        predictor = self.predictor or load_predictor(self.card, self.folder, mirror, run, precision=precision)
        window = self.card.window
        if flat is not None:
            window = (*window[:flat], 1, *window[flat:])
        batch = 1 if predictor.device == "cpu" else ACCELERATOR_BATCH
        rule = self.card.windows
        tiling = Tiling(window, overlap, rule.placing, rule.weighting)
        return SlabStream(predictor, tiling, flat, batch, np.dtype(rule.sums), padding=rule.padding)

    def _members(self, stream: SlabStream, params: ModelParams, source: Grid, native: Grid) -> Apart | None:
        """Members told apart, for intervals of volumes; None where this run is not what was calibrated."""
        as_calibrated = self.Params()
        calibrated = all(
            getattr(params, name) == getattr(as_calibrated, name) for name in ("overlap", "mirror", "speed")
        )
        if self.card.intervals is None or native.unit == "px" or not (calibrated and has_members(stream)):
            return None
        calibration = load_calibration(self.card, self.folder)
        return None if calibration is None else Apart(stream, self.card, source, native, calibration)

    def _finished(
        self,
        found: LabelsOnNative,
        kept: KeptOutputs,
        within: NDArray[np.bool_] | None,
        source: Grid,
        native: Grid,
    ) -> tuple[NDArray[Any], NDArray[np.uint32] | None]:
        """Labels after the card's steps, and numbers of objects where it asks for them."""
        labels: NDArray[Any] = found.labels
        steps, decision = self.card.postprocessing, self.card.decision
        if decision.is_first:
            whole = self._grid(native)
            labels = postprocess(labels, whole, steps) if decision.finished_first else labels
            labels = labels_to_native(labels, whole, native, decision)
        if within is not None:
            labels = np.where(within, labels, 0).astype(labels.dtype)
        if not decision.finished_first:
            labels = postprocess(labels, native, steps)
        return number_objects(labels, kept.values, source, native, steps)

    def _reduced(
        self,
        stream: SlabStream,
        prepared: Prepared,
        native: Grid,
        course: "_Course",
        shares: SharesOfSlabs | None,
    ) -> tuple[LabelsOnNative, KeptOutputs, ExpectedDice | None]:
        """Labels on the native grid, the outputs that later steps need whole, and what is expected of the labels."""
        if self.card.windows.placing == "whole":
            _require_whole(self.card, prepared.grid.shape, stream.flat)
        labels = self._labels(prepared.grid, native, stream.axis(prepared.grid.shape), course.plan)
        kept = KeptOutputs(prepared.grid, self.card.distance_channels)
        by_shares = self.card.decision == Decision()
        doubt = ExpectedDice(self.card.classes, temperature_of(self.card)) if by_shares else None
        asked: tuple[Reducer | None, ...] = (labels, kept, doubt, course.members, shares)
        reducers = [reducer for reducer in asked if reducer is not None]
        for slab in course.clock.each("network", stream.run(prepared.array, course.run)):
            with course.clock.on("decide"):
                for reducer in reducers:
                    reducer.eat(slab)
            course.run.check()
        return labels, kept, doubt

    def _labels(self, source: Grid, native: Grid, axis: int, plan: MemoryPlan) -> LabelsOnNative:
        """What decides labels, on the native grid or, where they are decided first, on that of the model."""
        decision, whole = self.card.decision, self._grid(native)
        is_anchored = isinstance(self.card.grid, AnchoredGrid)
        return LabelsOnNative.between(
            source,
            whole if decision.is_first else native,
            axis,
            self.card.table.values,
            chunk_bytes=plan.chunk_bytes,
            decision=decision,
            reach=reach_around(source, whole) if is_anchored else TO_FACES,
        )

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
                **library_version(predictor),
            ),
            model=model_facts(self.card),
        )


def spec_of(card: ModelCard) -> SegmenterSpec:
    """What a card says of a segmenter."""
    return SegmenterSpec(
        name=card.name,
        title=card.title,
        summary=card.summary,
        source=f"model bundle {card.name} {card.version}",
        kind="model",
        channels=tuple(_need(channel) for channel in card.channels),
        reference=card.reference,
        needs_mm=_needs_mm(card),
        dimensions=(card.network.dimensions,) if card.network.dimensions == 3 else (2, 3),
        version=card_digest(card),
    )


def library_version(predictor: Predictor) -> dict[str, str]:
    """Version of the library behind a predictor, by its name; nothing where it is none of medseg's."""
    return {predictor.name: version(predictor.name)} if predictor.name in BACKENDS else {}


def _require_whole(card: ModelCard, shape: tuple[int, ...], flat: int | None) -> None:
    """Refuse an image that the network can't halve as often as it does, as one window."""
    extents = [size for axis, size in enumerate(shape) if axis != flat]
    if any(size % step for size, step in zip(extents, card.network.divisor, strict=True)):
        raise InputError(
            f"{card.name} sees an image as one window, whose extents must be multiples of {card.network.divisor}, not "
            f"{tuple(extents)}; crop or pad the image"
        )


def _prepared(images: Mapping[str, Image], card: ModelCard) -> Prepared:
    """What the network sees, by the card's rule of the grid."""
    return prepare_anchored(images, card) if isinstance(card.grid, AnchoredGrid) else prepare(images, card)


@dataclass(frozen=True, slots=True)
class _Course:
    """How one segmentation runs: for whom, with what memory, and where its seconds go."""

    run: Run
    plan: MemoryPlan
    clock: Clock
    members: Apart | None


def _origin(card: ModelCard) -> Details:
    """Where a model of another program comes from, digest of its source included."""
    return tuple((f"origin.{name}", value) for name, value in card.origin)


def _flat_axis(card: ModelCard, reference: Image) -> int | None:
    """Axis that a 2D network steps along."""
    if card.network.dimensions != 2:
        return None
    if isinstance(card.grid, AnchoredGrid) and card.grid.slices is not None:
        return card.grid.slices
    return network_slice_axis(reference)


def _needs_mm(card: ModelCard) -> bool:
    """Whether its grid has a spacing."""
    return (card.grid.spacing if isinstance(card.grid, AnchoredGrid) else card.spacing) is not None


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
