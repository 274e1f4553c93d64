"""The model card: all that is needed to run a bundle and to judge whether to believe it."""

from dataclasses import dataclass
from math import isfinite, prod
from typing import ClassVar, Literal, TypeAlias

from pydantic import ConfigDict

from medseg.domain.calibration import Calibration
from medseg.domain.card_files import DomainFile, IntervalsFile
from medseg.domain.clicks import ClickRule
from medseg.domain.labels import LabelTable
from medseg.domain.network import NetworkSpec
from medseg.domain.own_range import Normalise, PercentileRange, Rescale
from medseg.domain.recipe import AnchoredGrid, Before, Decision, StoredGrid, WindowRule
from medseg.domain.values import STRICT, Details
from medseg.errors import ConfigError

__all__ = [
    "CARD_SCHEMA",
    "ChannelSpec",
    "Clip",
    "FillHoles",
    "Instances",
    "KeepLargest",
    "ModelCard",
    "PostStep",
    "PreStep",
    "Quality",
    "RemoveSmall",
    "RequireRange",
    "Scale",
    "ToUnit",
    "WeightsFile",
    "ZScore",
    "ZScoreInside",
]

CARD_SCHEMA = "medseg.card/1.0"
#: Windows that overlap by more take a step of a voxel or none.
MOST_OVERLAP = 0.95
#: Of a window: 1024 × 1024 × 1024.
MOST_VOXELS = 1 << 30
#: mm: no scanner and no model works on finer or coarser voxels.
_SPACINGS_MM = (0.001, 100.0)
#: A smaller divisor makes values that no network has seen, or none at all.
_SMALLEST_DIVISOR = 1e-12


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """One input channel: name, modality, and the value taken outside its field of view (before scaling)."""

    name: str
    modality: str | None = None
    fill: float = 0.0
    value_unit: str | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Clip:
    """Limit values to [low, high], in the channel's unit."""

    channel: str
    low: float
    high: float
    step: Literal["clip"] = "clip"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ConfigError(f"step clip: [{self.low}, {self.high}] leaves no values apart")


@dataclass(frozen=True, slots=True)
class Scale:
    """(value − offset) / divisor; the divisor is finite and not 0."""

    channel: str
    offset: float
    divisor: float
    step: Literal["scale"] = "scale"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not isfinite(self.offset) or not isfinite(self.divisor) or abs(self.divisor) < _SMALLEST_DIVISOR:
            raise ConfigError(f"step scale: (value − {self.offset}) / {self.divisor} gives no numbers")


@dataclass(frozen=True, slots=True)
class ZScore:
    """(value − mean) / SD of the image itself, after an optional clip to percentiles.

    Mean, SD and percentiles are taken over all voxels or those that are not zero.
    """

    channel: str
    over: Literal["all", "nonzero"] = "all"
    clip_percentiles: tuple[float, float] | None = None
    step: Literal["zscore"] = "zscore"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        ends = self.clip_percentiles
        if ends is not None and not 0 <= ends[0] < ends[1] <= 100:
            raise ConfigError(f"step zscore: clip_percentiles {ends} are no range within 0 to 100")


@dataclass(frozen=True, slots=True)
class KeepLargest:
    """Keep the largest component of the union of labels (26-connected in 3D, 8 in 2D)."""

    labels: tuple[int, ...]
    step: Literal["keep_largest"] = "keep_largest"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class RemoveSmall:
    """Remove components below a volume (mm³; px² on px data)."""

    labels: tuple[int, ...]
    minimum_mm3: float
    step: Literal["remove_small"] = "remove_small"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class FillHoles:
    """Give a label the background that it encloses in three dimensions (of a single slice: in two)."""

    label: int
    step: Literal["fill_holes"] = "fill_holes"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Instances:
    """Number the objects of a label by a seeded watershed on a distance that the network predicts.

    Parameters
    ----------
    label
        Whose objects.
    channel
        Output of the network, after those of the classes: 0 to 1 for the distance to the object's boundary.
    scale_mm
        Distance that 1 stands for (mm; pixels on `px` data).
    depth_mm
        Two objects are told apart where the distance falls by at least this much between them.
    minimum_mm3
        Smaller objects are background (mm³; px³ on `px` data).
    """

    label: int
    channel: int
    scale_mm: float
    depth_mm: float
    minimum_mm3: float = 0.0
    step: Literal["instances"] = "instances"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not (self.scale_mm > 0 and self.depth_mm > 0 and self.minimum_mm3 >= 0):
            raise ConfigError(
                f"step instances: scale_mm and depth_mm are positive, minimum_mm3 is not negative: {self}"
            )


@dataclass(frozen=True, slots=True)
class ZScoreInside:
    """(value − mean) / SD over the crop, or over the voxels that are no border of zeros; those then stay as they are.

    In float32, as nnU-Net's ZScoreNormalization; the border is what is 0 in all channels and open to the outside.
    """

    channel: str
    only_inside: bool = False
    step: Literal["zscore_inside"] = "zscore_inside"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class ToUnit:
    """(value − minimum) / range over the crop, as nnU-Net's RescaleTo01Normalization."""

    channel: str
    step: Literal["to_unit"] = "to_unit"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class RequireRange:
    """Refuse an image with values outside of [low, high]: it is none of the kind that the model knows."""

    channel: str
    low: float
    high: float
    step: Literal["require_range"] = "require_range"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ConfigError(f"step require_range: [{self.low}, {self.high}] leaves no values")


PreStep: TypeAlias = (
    Clip | Scale | ZScore | ZScoreInside | ToUnit | RequireRange | Normalise | Rescale | PercentileRange
)
PostStep: TypeAlias = KeepLargest | RemoveSmall | FillHoles | Instances


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One fold's weights with their SHA-256."""

    file: str
    digest: str
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Quality:
    """One measured figure and the command that measures it; a single case has no interval."""

    label: str
    quantity: str
    mean: float
    low: float | None
    high: float | None
    level: float
    cases: int
    command: str
    note: str = ""
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything about a model that a machine or a reader needs.

    Parameters
    ----------
    name, title, summary, version
        What it is called and does.
    channels, reference
        Inputs in network order; the channel whose native grid the answer has.
    spacing
        Model grid in mm along canonical RAS axes (right–left, back–front, foot–head); None keeps the
        native grid (2D models on `px` data, or along slices).
    window, overlap
        Extents of an inference window on the model grid, and the share by which windows overlap.
    network, preprocessing, postprocessing
        What is built and done.
    mirror_axes
        Axes of the network (canonical ones unless `grid` says otherwise) along which windows are mirrored and averaged
        at inference; empty for none.
    table
        Output 1… in order of the table's labels.
    weights
        One file per fold; probabilities are averaged.
    trained
        Data, cases, split digest, seed, config digest, versions: as pairs.
    quality
        Measured by cross-validation.
    intervals
        Of volumes; None where they can't be had.
    domain
        What scans it was trained on; None where that is not kept.
    licence, attribution, intended_use, limits
        What may be done with it, whose data it is, what it is for and where it fails.
    grid
        Another rule for the model grid than `spacing`, which is then None.
    windows, decision
        How windows are laid and summed, and how outputs become labels.
    before
        A model that runs first, and what this one takes of it.
    origin
        Where a model of another program comes from: kind, name and digest of what was read, as pairs.
    calibration
        Temperature of its probabilities; None where none was fitted, and they are as the networks say them.
    clicks
        How a promptable network is told of clicks; None of a network that needs none.
    """

    name: str
    title: str
    summary: str
    version: str
    channels: tuple[ChannelSpec, ...]
    reference: str
    spacing: tuple[float, float, float] | None
    window: tuple[int, ...]
    network: NetworkSpec
    preprocessing: tuple[PreStep, ...]
    table: LabelTable
    weights: tuple[WeightsFile, ...]
    postprocessing: tuple[PostStep, ...] = ()
    overlap: float = 0.5
    mirror_axes: tuple[int, ...] = ()
    trained: Details = ()
    quality: tuple[Quality, ...] = ()
    intervals: IntervalsFile | None = None
    domain: DomainFile | None = None
    licence: str = ""
    attribution: str = ""
    intended_use: str = "Research only; not a medical device."
    limits: tuple[str, ...] = ()
    grid: StoredGrid | AnchoredGrid | None = None
    windows: WindowRule = WindowRule()
    decision: Decision = Decision()
    before: Before | None = None
    origin: Details = ()
    calibration: Calibration | None = None
    clicks: ClickRule | None = None
    schema: str = CARD_SCHEMA
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        names = [channel.name for channel in self.channels]
        if self.reference not in names:
            raise ConfigError(
                f"card {self.name!r}: reference channel {self.reference!r} is not among {names}"
            )
        self._require_decision()
        outputs = self.outputs + len(self.distance_channels)
        if (
            len(names) + self.given_channels + self.click_channels != self.network.in_channels
            or outputs != self.network.out_channels
        ):
            raise ConfigError(f"card {self.name!r}: channels or labels do not fit the network")
        if self.distance_channels != tuple(range(self.outputs, outputs)):
            raise ConfigError(
                f"card {self.name!r}: distances are the outputs after the {self.outputs} classes, "
                f"not {self.distance_channels}"
            )
        self._require_clicks()
        self._require_grid()
        if len(self.window) != self.network.dimensions:
            raise ConfigError(
                f"card {self.name!r}: window {self.window} for a {self.network.dimensions}D network"
            )
        if any(size % step for size, step in zip(self.window, self.network.divisor, strict=True)):
            raise ConfigError(
                f"card {self.name!r}: window {self.window} is no multiple of {self.network.divisor}"
            )
        if unknown := {step.channel for step in self.preprocessing} - set(names):
            raise ConfigError(f"card {self.name!r}: preprocessing names channels {sorted(unknown)}")
        # In a file's own order no axis is known to run right–left; who trained the model chose what it mirrors.
        if self.grid is None and 0 in self.mirror_axes and self.table.is_lateralised:
            raise ConfigError(f"card {self.name!r}: a table with sides forbids mirroring axis 0")

    def _require_decision(self) -> None:
        """Labels that outputs write are labels of the table."""
        if self.decision != Decision() and (self.intervals is not None or self.distance_channels):
            raise ConfigError(
                f"card {self.name!r}: distances and intervals of volumes belong to the usual decision only"
            )
        if self.decision.is_first and isinstance(self.grid, StoredGrid):
            raise ConfigError(f"card {self.name!r}: on a stored grid labels are decided last")
        if self.given_channels and not isinstance(self.grid, StoredGrid):
            raise ConfigError(
                f"card {self.name!r}: labels of an earlier model are channels on a stored grid only"
            )
        if unknown := set(self.decision.order) - set(self.table.values):
            raise ConfigError(f"card {self.name!r}: outputs write labels {sorted(unknown)} that no table has")

    def _require_clicks(self) -> None:
        """A promptable network has one object, and no other rule of grids, windows or outputs."""
        usual = self.spacing is None and self.grid is None and self.before is None
        usual = usual and self.decision == Decision() and not (self.postprocessing or self.mirror_axes)
        if self.clicks is not None and not (usual and self.classes == 2 and self.network.dimensions == 3):
            raise ConfigError(
                f"card {self.name!r}: a promptable network is 3D, has one label, and neither a spacing nor another "
                "grid, steps afterwards, mirroring or a model before it"
            )

    def _require_grid(self) -> None:
        """Spacing, windows, overlap and mirrored axes that a grid can have."""
        if self.grid is not None and self.spacing is not None:
            raise ConfigError(f"card {self.name!r}: spacing and grid are two rules for one grid")
        low, high = _SPACINGS_MM
        if self.spacing is not None and not all(low <= step <= high for step in self.spacing):
            raise ConfigError(
                f"card {self.name!r}: spacing {self.spacing} mm is that of no image; each is {low:g} to {high:g}"
            )
        if not self.window or min(self.window) < 1 or not 0 <= self.overlap <= MOST_OVERLAP:
            raise ConfigError(
                f"card {self.name!r}: a window has at least one voxel along each axis and overlaps by 0 to "
                f"{MOST_OVERLAP}, not {self.window} by {self.overlap}"
            )
        if prod(self.window) > MOST_VOXELS:
            raise ConfigError(
                f"card {self.name!r}: a window of {self.window} voxels is larger than any scan (up to {MOST_VOXELS})"
            )
        dimensions = len(self.window) if isinstance(self.grid, StoredGrid) else 3
        if set(self.mirror_axes) - set(range(dimensions)) or len(set(self.mirror_axes)) < len(
            self.mirror_axes
        ):
            raise ConfigError(
                f"card {self.name!r}: axes to mirror are some of 0 to {dimensions - 1}, not {self.mirror_axes}"
            )

    @property
    def classes(self) -> int:
        """Labels and background: the outputs that are probabilities."""
        return len(self.table.labels) + 1

    @property
    def given_channels(self) -> int:
        """Channels that are labels of the model that ran first."""
        return len(self.before.labels) if self.before is not None and self.before.gives == "labels" else 0

    @property
    def click_channels(self) -> int:
        """Channels that clicks and the answer before are drawn into."""
        return 0 if self.clicks is None else self.clicks.channels

    @property
    def outputs(self) -> int:
        """Outputs that become labels: classes with background, or regions."""
        return len(self.decision.order) or self.classes

    @property
    def distance_channels(self) -> tuple[int, ...]:
        """Outputs that are distances, in order."""
        return tuple(sorted({step.channel for step in self.postprocessing if isinstance(step, Instances)}))
