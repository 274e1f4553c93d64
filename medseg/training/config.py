"""Training configurations: frozen values from YAML, with dotted overrides; unknown keys are errors."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from medseg import settings
from medseg.domain.card import ChannelSpec, Instances, PostStep, PreStep
from medseg.domain.labels import LabelTable
from medseg.domain.network import LATER_FIELDS, NetworkSpec
from medseg.domain.texts import parse_yaml, refuse_unknown_keys
from medseg.domain.values import STRICT
from medseg.errors import ConfigError, InputError
from medseg.io.plain import read_plain
from medseg.training.phantoms import InstanceTraining
from medseg.training.prompt_settings import PromptTraining
from medseg.training.sets import SetConfig, require_sets

__all__ = [
    "Augmentation",
    "DataConfig",
    "GridConfig",
    "LoopConfig",
    "LossConfig",
    "ModelText",
    "OptimiserConfig",
    "PhantomConfig",
    "PromptConfig",
    "StartConfig",
    "TrainConfig",
    "changed_config",
    "config_from",
    "data_of",
    "dump_config",
    "load_config",
]

#: A configuration is text for people; anything larger is something else.
_MOST_BYTES = 1 << 20
#: So much of a value stands in a message.
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class ModelText:
    """What the card says about the model in words."""

    name: str
    title: str
    summary: str
    version: str = "1.0"
    licence: str = ""
    attribution: str = ""
    intended_use: str = "Research only; not a medical device."
    limits: tuple[str, ...] = ()
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Which cases, and how they are divided.

    Parameters
    ----------
    root
        Folder of the dataset; given on the command line as `data.root=…`.
    cases
        Case list whose paths are relative to `root`; itself relative to the configuration's file.
    split
        Split file to use instead of making one; relative to the configuration's file.
    held_out
        Subjects that neither train nor validate: the sample, a test set.
    folds
        Number of folds; at most one per subject.
    seed
        Of the division.
    channels_by
        `name` (and modality), or `position` where the order of the dataset's channels is that of the configuration.
    ignore
        Value of the voxels that nobody judged: no loss, no Dice and no patch is drawn from them. nnU-Net's `ignore` in
        dataset.json needs no word here.
    sets
        Instead of `root` and `cases`: several sets that label different things and train one network. The loss counts
        only what the set of a case holds, and each label is judged by the sets that hold it.
    subjects
        Whether subjects of the same name in two sets are the same people (`shared`, so that they stay in one fold) or
        not (`own`).
    balance
        Of several sets: patches come from each set as often (`sets`), or from each case as often (`cases`).
    """

    root: str | None = None
    cases: str | None = None
    split: str | None = None
    held_out: tuple[str, ...] = ()
    folds: int = 5
    seed: int = 0
    channels_by: Literal["name", "position"] = "name"
    ignore: int | None = None
    sets: tuple[SetConfig, ...] = ()
    subjects: Literal["shared", "own"] | None = None
    balance: Literal["sets", "cases"] = "sets"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if self.sets and (self.root, self.cases, self.ignore) != (None, None, None):
            raise ConfigError(
                "with data.sets each set has its own root, cases and ignore; data has none of them"
            )

    @property
    def anywhere(self) -> "DataConfig":
        """The same without where the files lie."""
        sets = tuple(replace(item, root=None, cases=None) for item in self.sets)
        return replace(self, root=None, cases=None, split=None, sets=sets)


@dataclass(frozen=True, slots=True)
class GridConfig:
    """Model grid and windows; see ModelCard for their meaning."""

    spacing: tuple[float, float, float] | None
    window: tuple[int, ...]
    overlap: float = 0.5
    mirror_axes: tuple[int, ...] = ()
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Dice plus cross-entropy: their weights, and whether Dice pools the batch."""

    dice: float = 1.0
    cross_entropy: float = 1.0
    batch_dice: bool = False
    include_background: bool = False
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class OptimiserConfig:
    """AdamW: peak learning rate, weight decay, schedule; `clip` limits the gradient's norm."""

    lr: float = 1e-3
    weight_decay: float = 1e-5
    schedule: Literal["one_cycle", "poly", "constant"] = "one_cycle"
    warmup: float = 0.1
    clip: float = 12.0
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Random changes of a patch; probabilities per patch, ranges as half-widths; zero switches one off.

    Parameters
    ----------
    flip_axes
        Patch axes that are mirrored with probability 0.5; a lateralised table forbids axis 0.
    affine
        Probability of rotating (radians), scaling (share) and shearing together.
    scale_intensity, shift_intensity, contrast, noise, smooth
        (probability, half-width) of a factor, an offset (in standard deviations), the logarithm of a gamma,
        the noise's standard deviation, and the smoothing's in voxels.
    drop_channel
        Probability that one of several channels is blanked.
    """

    flip_axes: tuple[int, ...] = ()
    affine: float = 0.0
    rotate: float = 0.26
    scale: float = 0.15
    shear: float = 0.0
    scale_intensity: tuple[float, float] = (0.0, 0.1)
    shift_intensity: tuple[float, float] = (0.0, 0.1)
    contrast: tuple[float, float] = (0.0, 0.3)
    noise: tuple[float, float] = (0.0, 0.1)
    smooth: tuple[float, float] = (0.0, 1.0)
    drop_channel: float = 0.0
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class LoopConfig:
    """How long and in which portions.

    Parameters
    ----------
    steps, batch
        Optimiser steps, and patches in each.
    patch
        Extents of a patch on the model grid; the window's when None.
    foreground
        Share of patches centred on a labelled voxel.
    checkpoint_every
        Steps between checkpoints and points of the learning curve.
    precision
        `auto`: mixed on an accelerator; on a CPU bfloat16 where the processor has it.
    workers
        Processes that cut patches; None picks by device.
    seed
        Of weights, patches and augmentation.
    average
        Decay of the running mean of weights that is kept as the model; 0 keeps the last ones.
    """

    steps: int
    batch: int = 2
    patch: tuple[int, ...] | None = None
    foreground: float = 0.5
    checkpoint_every: int = 100
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    workers: int | None = None
    seed: int = 0
    average: float = 0.0
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class StartConfig:
    """A model whose weights are the start.

    Parameters
    ----------
    model
        Its folder.
    digest
        SHA-256 over its weights: a run goes on from the same start.
    freeze
        `encoder` holds still what leads from the image to the lowest level.
    """

    model: str
    digest: str = ""
    freeze: Literal["nothing", "encoder"] = "nothing"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """All that decides what a trained model will be."""

    model: ModelText
    data: DataConfig
    channels: tuple[ChannelSpec, ...]
    reference: str
    labels: LabelTable
    grid: GridConfig
    network: NetworkSpec
    loop: LoopConfig
    preprocessing: tuple[PreStep, ...] = ()
    postprocessing: tuple[PostStep, ...] = ()
    loss: LossConfig = field(default_factory=LossConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)
    start: StartConfig | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        has_sides = self.labels.is_lateralised or self.labels.names_sides
        if has_sides and 0 in (*self.augmentation.flip_axes, *self.grid.mirror_axes):
            raise ConfigError(
                "a label table with left and right forbids axis 0 in augmentation.flip_axes and grid.mirror_axes"
            )
        if any(isinstance(step, Instances) for step in self.postprocessing):
            raise ConfigError(
                "postprocessing: a network with distances is trained on phantoms; "
                "see the configuration touching_objects"
            )
        if self.data.ignore is not None and (self.data.ignore < 1 or self.data.ignore in self.labels.values):
            raise ConfigError(
                f"data.ignore is a value of the masks that is no label and not 0, not {self.data.ignore}"
            )
        if self.data.sets:
            require_sets(self.data.sets, self.labels)
        if len(self.patch) != self.network.dimensions:
            raise ConfigError(
                f"loop.patch {self.patch} has not the {self.network.dimensions} extents of the network"
            )
        if any(size % step for size, step in zip(self.patch, self.network.divisor, strict=True)):
            raise ConfigError(f"loop.patch {self.patch} is no multiple of {self.network.divisor}")
        if min(self.loop.steps, self.loop.batch, self.loop.checkpoint_every, self.data.folds) < 1:
            raise ConfigError("loop.steps, loop.batch, loop.checkpoint_every and data.folds start at 1")

    @property
    def patch(self) -> tuple[int, ...]:
        """Extents of a training patch."""
        return self.loop.patch or self.grid.window

    @property
    def digest(self) -> str:
        """SHA-256 over all that decides the result; not words, where the data lie, or how many processes help."""
        neutral = replace(
            self,
            data=self.data.anywhere,
            loop=replace(self.loop, workers=None),
            start=None if self.start is None else replace(self.start, model=""),
        )
        plain = _ADAPTER.dump_python(neutral, mode="json")
        del plain["model"]
        if self.start is None:
            del plain["start"]  # as it was before there was one
        defaults = {item.name: item.default for item in fields(self.network)}
        for name in LATER_FIELDS:  # the same
            if getattr(self.network, name) == defaults[name]:
                del plain["network"][name]
        if self.data.channels_by == "name":
            del plain["data"]["channels_by"]  # as it was before there was a choice
        if self.data.ignore is None:
            del plain["data"]["ignore"]  # the same
        if not self.data.sets:
            for name in ("sets", "subjects", "balance"):
                del plain["data"][name]  # the same
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class PhantomConfig:
    """All that decides what a network will be that is trained on phantoms and needs no data."""

    phantoms: InstanceTraining
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class PromptConfig:
    """All that decides what a promptable network will be."""

    prompts: PromptTraining
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


AnyConfig: TypeAlias = TrainConfig | PhantomConfig | PromptConfig
_ADAPTER: TypeAdapter[TrainConfig] = TypeAdapter(TrainConfig)
#: Key of a configuration that is of another kind → which.
_KINDS: dict[str, type[PhantomConfig | PromptConfig]] = {"phantoms": PhantomConfig, "prompts": PromptConfig}


def load_config(config: str | Path, overrides: Sequence[str] = ()) -> AnyConfig:
    """Configuration from a YAML file, or by the name of one that comes with medseg, with `key=value` overrides.

    Values are YAML (`optimiser.lr=0.001`, `loop.patch=[32,32,32]`). Relative `data.cases` and `data.split` are resolved
    against the file's folder, and against the working folder in an override. One with the key `phantoms` needs no data,
    one with the key `prompts` is of a promptable network.

    Raises
    ------
    ConfigError
        If the file is missing or wrong, or a key is unknown; the nearest key is named.
    """
    path = _find(config)
    values = _read(path)
    _resolve_files(values, path.parent)
    for override in overrides:
        _set(values, override)
    return _validated(values, path.name)


def changed_config(base: TrainConfig, overrides: Sequence[str]) -> TrainConfig:
    """A configuration with `key=value` overrides; raises as `load_config`."""
    values = _ADAPTER.dump_python(base, mode="json")
    for override in overrides:
        _set(values, override)
    made = _validated(values, "the configuration")
    if not isinstance(made, TrainConfig):
        raise ConfigError(
            "phantoms and prompts have configurations of their own: touching_objects, promptable"
        )
    return made


def data_of(overrides: Sequence[str]) -> DataConfig:
    """What `data.…=` overrides say of the data by themselves; raises as `load_config`."""
    values: dict[str, Any] = {"data": {}}
    for override in overrides:
        if override.startswith("data."):
            _set(values, override)
    refuse_unknown_keys(values["data"], DataConfig, "data.")
    try:
        return TypeAdapter(DataConfig).validate_python(values["data"])
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"data.{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _validated(values: dict[str, Any], name: str) -> AnyConfig:
    kind = next((kind for key, kind in _KINDS.items() if key in values), TrainConfig)
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    try:
        refuse_unknown_keys(values, kind, "")
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error
    try:
        made: AnyConfig = adapter.validate_python(values)
    except ValidationError as error:
        # Of a step that may be of several kinds, each kind complains; our own words know which was meant.
        first = next((item for item in error.errors() if "error" in item.get("ctx", {})), error.errors()[0])
        where = ".".join(str(part) for part in first["loc"])
        # Our own constructors say all; pydantic's words need the value beside them.
        own = first.get("ctx", {}).get("error")
        what = str(own) if own else f"{where}: {first['msg']}, not {repr(first['input'])[:_SHOWN]}"
        raise ConfigError(f"{name}: {what}") from error
    return made


def config_from(values: dict[str, Any]) -> TrainConfig:
    """A configuration from what its YAML holds, files as they are named there."""
    return _ADAPTER.validate_python(values)


def dump_config(config: AnyConfig) -> bytes:
    """The configuration as YAML with every default written out."""
    adapter: TypeAdapter[Any] = TypeAdapter(type(config))
    text: str = yaml.safe_dump(adapter.dump_python(config, mode="json"), sort_keys=False, allow_unicode=True)
    return text.encode()


def _find(config: str | Path) -> Path:
    path = Path(config)
    if path.is_file():
        return path
    named = settings.config_folder() / f"{config}.yaml"
    if named.is_file():
        return named
    known = sorted(item.stem for item in settings.config_folder().glob("*.yaml"))
    near = get_close_matches(str(config), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}"
    raise ConfigError(
        f"no configuration file {str(config)!r} and none of that name comes with medseg; {hint}"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        values = parse_yaml(read_plain(path, most=_MOST_BYTES).decode("utf-8"))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise ConfigError(f"can't read configuration {path}: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is no configuration: it holds no mapping")
    return values


def _resolve_files(values: dict[str, Any], folder: Path) -> None:
    """Name files as they lie: beside the configuration, of its one set or of each of several."""
    groups = [values.get("data"), values.get("prompts")]
    sets = [group.get("sets") for group in groups if isinstance(group, dict)]
    for part in (groups[0], *chain.from_iterable(item for item in sets if isinstance(item, list))):
        for key in ("cases", "split") if isinstance(part, dict) else ():
            if isinstance(part.get(key), str):
                part[key] = str((folder / part[key]).resolve())


def _set(values: Any, override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"an override is key=value, such as optimiser.lr=0.001, not {override!r}")
    *parents, last = key.split(".")
    for parent in parents:
        inner = _named(values, parent) if isinstance(values, list) else values.setdefault(parent, {})
        if not isinstance(inner, dict | list):
            raise ConfigError(f"override {key}: {parent} is no group of keys")
        values = inner
    if not isinstance(values, dict):
        raise ConfigError(f"override {key}: {parents[-1]} is a list; name one of its entries")
    try:
        values[last] = parse_yaml(text)
    except ValueError as error:
        raise ConfigError(f"override {key}: {text[:_SHOWN]!r} is no YAML value: {error}") from error


def _named(entries: list[Any], name: str) -> Any:
    """The entry of this name: `data.sets.NAME.root`."""
    return next((item for item in entries if isinstance(item, dict) and item.get("name") == name), None)
