"""What a MONAI bundle does before its network, as values of a card.

A closed list; each transform is understood with its arguments, or refused by name.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from medseg.domain.card import Clip, PreStep, Scale
from medseg.domain.own_range import Normalise, PercentileRange, Rescale
from medseg.domain.recipe import AnchoredGrid
from medseg.errors import ConfigError, ModelError
from medseg.models.foreign.bundle_config import Config
from medseg.models.foreign.bundle_transforms import (
    is_true,
    keys_of,
    known_transform,
    require_only,
    transforms_of,
)
from medseg.models.foreign.reading import Fields

__all__ = ["BEFORE_NETWORK", "StepsBefore", "steps_before"]

_FLOATS = ("float", "float32", "float64", None)


@dataclass
class StepsBefore:
    """What stands before the network, as far as it is read.

    Parameters
    ----------
    channels
        Names, in order of the network.
    key
        What the image is called in the configuration.
    """

    channels: tuple[str, ...]
    key: str = ""
    orientation: str = "stored"
    spacing: tuple[float, ...] | None = None
    scaled_before: int = 0
    cropped_after: int | None = None
    margin: int = 0
    steps: list[PreStep] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Steps of each channel."""
        return sum(step.channel == self.channels[0] for step in self.steps)

    def add(self, *steps: PreStep) -> None:
        """Steps of the first channel, for all of them."""
        for name in self.channels:
            self.steps += [replace(step, channel=name) for step in steps]

    @property
    def grid(self) -> AnchoredGrid:
        """The rule of the grid."""
        spacing = None
        if self.spacing is not None:
            first, second, third = self.spacing
            spacing = (first, second, third)
        return AnchoredGrid(
            self.orientation,
            spacing,
            self.scaled_before if spacing is not None else 0,
            self.cropped_after,
            self.margin,
        )


def steps_before(config: Config, channels: tuple[str, ...]) -> StepsBefore:
    """What `preprocessing` says.

    Raises
    ------
    ModelError
        Naming the transform, or the argument, that is not understood.
    """
    found = StepsBefore(channels)
    for item in transforms_of(config, "preprocessing"):
        handler, known, ignored = known_transform(item, BEFORE_NETWORK, config)
        given = config.fields(item, known | {"keys"}, ignored | {"allow_missing_keys", "lazy"})
        if item.get("lazy") is True:
            raise ModelError(f"{given.place}: lazy transforms are not understood")
        keys = keys_of(given)
        if not found.key:
            found.key = _image_key(keys, given)
        if found.key in keys:
            try:
                handler(found, given)
            except ConfigError as error:
                raise ModelError(f"{given.place}: {error}") from error
    return found


def _image_key(keys: list[str], given: Fields) -> str:
    images = [key for key in keys if key not in ("label", "mask", "seg")]
    if len(images) != 1:
        raise ModelError(f"{given.place}: {len(images)} images are joined, which is not understood: {images}")
    return images[0]


def _nothing(_: StepsBefore, __: Fields) -> None:
    """It changes no value and no grid."""


def _cast(_: StepsBefore, given: Fields) -> None:
    if (
        given.values.get("dtype", "float32") not in _FLOATS
        or given.values.get("data_type", "tensor") != "tensor"
    ):
        raise ModelError(f"{given.place}: type {given.values.get('dtype')!r} is not understood; float32 is")


def _channel_first(found: StepsBefore, given: Fields) -> None:
    place = given.values.get("channel_dim")
    if place not in (None, "no_channel") and len(found.channels) == 1:
        raise ModelError(f"{given.place}: channel_dim {place!r} of an image of one channel is not understood")


def _orientation(found: StepsBefore, given: Fields) -> None:
    if found.spacing is not None or found.cropped_after is not None:
        raise ModelError(f"{given.place}: turning after Spacing or CropForeground is not understood")
    closest = given.flag("as_closest_canonical", default=False)
    found.orientation = "RAS" if closest else given.text("axcodes")
    _ = found.grid  # refuses what is no orientation


def _spacing(found: StepsBefore, given: Fields) -> None:
    if found.spacing is not None or found.cropped_after is not None:
        raise ModelError(f"{given.place}: Spacing twice, or after CropForeground, is not understood")
    require_only(given, "mode", ("bilinear", 1))
    require_only(given, "padding_mode", ("border",))
    for name in ("diagonal", "scale_extent", "recompute_affine"):
        require_only(given, name, (False,))
    require_only(given, "align_corners", (None, False))
    pixdim = given.values.get("pixdim")
    steps = list(given.numbers("pixdim")) if isinstance(pixdim, list) else [given.number("pixdim")]
    steps = (steps + [steps[-1]] * 3)[:3]
    found.spacing = tuple(max(step, 0.0) for step in steps)
    found.scaled_before = found.count


def _range(found: StepsBefore, given: Fields) -> None:
    low, high = given.number("a_min"), given.number("a_max")
    wanted = given.values.get("b_min"), given.values.get("b_max")
    if wanted == (None, None):
        wanted = (0.0, 1.0)
        if given.flag("clip", default=False):
            raise ModelError(f"{given.place}: clip without b_min and b_max is not understood")
    start, stop = Fields({"b": list(wanted)}, given.place).numbers("b")
    if start == stop or low == high:
        raise ModelError(f"{given.place}: a range of no width is not understood")
    divisor = (high - low) / (stop - start)
    found.add(Scale(found.channels[0], low - start * divisor, divisor))
    if given.flag("clip", default=False):
        found.add(Clip(found.channels[0], start, stop))


def _by_channel(found: StepsBefore, given: Fields) -> None:
    """Statistics of several channels together are no step of one."""
    if len(found.channels) > 1 and not is_true(given.values.get("channel_wise", False)):
        raise ModelError(f"{given.place}: statistics over all channels together are not understood")


def _normalise(found: StepsBefore, given: Fields) -> None:
    _by_channel(found, given)
    nonzero = is_true(given.values.get("nonzero", False))
    fixed = given.values.get("subtrahend"), given.values.get("divisor")
    if fixed == (None, None):
        found.add(Normalise(found.channels[0], nonzero))
        return
    if nonzero or None in fixed:
        raise ModelError(
            f"{given.place}: subtrahend or divisor by themselves, or with nonzero, are not understood"
        )
    offsets, divisors = (
        given.numbers(name) if isinstance(given.values[name], list) else (given.number(name),)
        for name in ("subtrahend", "divisor")
    )
    if not len(offsets) == len(divisors) == len(found.channels):
        raise ModelError(f"{given.place}: subtrahend and divisor do not name {len(found.channels)} channels")
    for name, offset, divisor in zip(found.channels, offsets, divisors, strict=True):
        found.steps.append(Scale(name, offset, divisor))


def _rescale(found: StepsBefore, given: Fields) -> None:
    _by_channel(found, given)
    require_only(given, "factor", (None,))
    found.add(Rescale(found.channels[0], given.number("minv", 0.0), given.number("maxv", 1.0)))


def _percentiles(found: StepsBefore, given: Fields) -> None:
    _by_channel(found, given)
    require_only(given, "relative", (False,))
    lower, upper, low, high = (given.number(name) for name in ("lower", "upper", "b_min", "b_max"))
    clip = given.flag("clip", default=False)
    found.add(PercentileRange(found.channels[0], lower, upper, low, high, clip))


def _crop(found: StepsBefore, given: Fields) -> None:
    if found.cropped_after is not None:
        raise ModelError(f"{given.place}: CropForeground twice is not understood")
    for name, only in (("select_fn", None), ("channel_indices", None), ("k_divisible", 1)):
        require_only(given, name, (only,))
    if given.text("source_key", found.key) != found.key:
        raise ModelError(f"{given.place}: source_key {given.text('source_key')!r} is not the image")
    found.margin = given.whole("margin", 0)
    if found.margin and not given.flag("allow_smaller", default=False):
        raise ModelError(f"{given.place}: a margin that may lie beyond the image is not understood")
    found.cropped_after = found.count


_CASTING = ({"dtype", "data_type"}, {"device", "track_meta", "wrap_sequence"})
#: Transform without its `d` → what it says, arguments that are understood, arguments that change nothing here.
BEFORE_NETWORK: dict[str, tuple[Callable[[StepsBefore, Fields], None], set[str], set[str]]] = {
    "LoadImage": (
        _nothing,
        set(),
        {"reader", "image_only", "dtype", "ensure_channel_first", "simple_keys", "meta_keys", "overwriting"},
    ),
    "EnsureChannelFirst": (
        _channel_first,
        {"channel_dim"},
        {"strict_check", "meta_keys", "meta_key_postfix"},
    ),
    "EnsureType": (_cast, *_CASTING),
    "CastToType": (_cast, {"dtype"}, set()),
    "ToTensor": (_nothing, set(), {"dtype", "device", "track_meta", "wrap_sequence"}),
    "ToDevice": (_nothing, set(), {"device", "non_blocking"}),
    "Orientation": (_orientation, {"axcodes", "as_closest_canonical"}, set()),
    "Spacing": (
        _spacing,
        {"pixdim", "mode", "padding_mode", "diagonal", "scale_extent", "recompute_affine", "align_corners"},
        {"dtype", "ensure_same_shape", "meta_keys"},
    ),
    "ScaleIntensityRange": (_range, {"a_min", "a_max", "b_min", "b_max", "clip"}, {"dtype"}),
    "NormalizeIntensity": (_normalise, {"nonzero", "channel_wise", "subtrahend", "divisor"}, {"dtype"}),
    "ScaleIntensity": (_rescale, {"minv", "maxv", "factor", "channel_wise"}, {"dtype"}),
    "ScaleIntensityRangePercentiles": (
        _percentiles,
        {"lower", "upper", "b_min", "b_max", "clip", "relative", "channel_wise"},
        {"dtype"},
    ),
    "CropForeground": (
        _crop,
        {"source_key", "select_fn", "channel_indices", "margin", "allow_smaller", "k_divisible"},
        {"mode", "start_coord_key", "end_coord_key"},
    ),
}
