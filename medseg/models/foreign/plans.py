"""nnU-Net v2's plans.json and dataset.json as values of a card; what is not understood is refused by name."""

from dataclasses import dataclass, field
from typing import Any

from medseg.domain import ChannelSpec, Label, LabelTable, NetworkSpec, Region
from medseg.domain.card import Clip, PreStep, RequireRange, Scale, ToUnit, ZScoreInside
from medseg.domain.recipe import Decision, Resize, StoredGrid
from medseg.errors import ModelError
from medseg.models.foreign.reading import Fields

__all__ = ["Configuration", "Labels", "channels_of", "configuration_of", "labels_of"]

#: Fields of a configuration, old and new; another one may change the answer.
_KNOWN = {
    *("data_identifier", "preprocessor_name", "batch_size", "patch_size", "median_image_size_in_voxels"),
    *("spacing", "normalization_schemes", "use_mask_for_norm", "batch_dice", "architecture"),
    *("inherits_from", "previous_stage", "next_stage"),
    *(
        f"resampling_fn_{what}{kwargs}"
        for what in ("data", "seg", "probabilities")
        for kwargs in ("", "_kwargs")
    ),
    *("UNet_class_name", "UNet_base_num_features", "unet_max_num_features", "num_pool_per_axis"),
    *("n_conv_per_stage_encoder", "n_conv_per_stage_decoder", "conv_kernel_sizes", "pool_op_kernel_sizes"),
}
_ARCHITECTURES = {"PlainConvUNet": "plain_conv_unet", "ResidualEncoderUNet": "residual_encoder_unet"}
_ARCH_KNOWN = {
    *("n_stages", "features_per_stage", "conv_op", "kernel_sizes", "strides", "n_conv_per_stage"),
    *(
        "n_blocks_per_stage",
        "n_conv_per_stage_decoder",
        "conv_bias",
        "norm_op",
        "norm_op_kwargs",
        "dropout_op",
    ),
    *("dropout_op_kwargs", "nonlin", "nonlin_kwargs", "deep_supervision"),
}
_NORMS = {"InstanceNorm": "instance", "BatchNorm": "batch"}
#: Reader of the plans → orientation of the array; each gives axes as (z, y, x).
_READERS = {
    "SimpleITKIO": "stored",
    "NibabelIO": "stored",
    "NaturalImage2DIO": "stored",
    "SimpleITKIOWithReorient": "RAS",
    "NibabelIOWithReorient": "RAS",
}
_RESIZE_KNOWN = {
    "resample_data_or_seg_to_shape": {
        *("is_seg", "order", "order_z", "force_separate_z", "separate_z_anisotropy_threshold"),
    },
    "resample_torch_fornnunet": {
        *("is_seg", "force_separate_z", "separate_z_anisotropy_threshold", "memefficient_seg_resampling"),
        *("num_threads", "device", "mode", "aniso_axis_mode"),
    },
    "no_resampling_hack": set(),
}
#: Words for a channel that name its modality beyond doubt.
_MODALITIES = {"ct": "CT", "mr": "MR", "mri": "MR", "pet": "PT", "pt": "PT"}


@dataclass(frozen=True, slots=True)
class Configuration:
    """One configuration of the plans, its heirloom resolved.

    Parameters
    ----------
    name, previous
        Its name, and that of the stage whose labels it takes as channels.
    patch, grid, network
        Extents of a window, rule of the grid, and the network for one channel and one output.
    schemes, masked
        Normalisation of each channel, and whether it is taken inside of the border of zeros only.
    """

    name: str
    previous: str | None
    patch: tuple[int, ...]
    grid: StoredGrid
    network: NetworkSpec
    schemes: tuple[str, ...]
    masked: tuple[bool, ...]
    intensities: Fields = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels and regions of a dataset.json: the table, and how outputs become labels."""

    table: LabelTable
    decision: Decision

    @property
    def outputs(self) -> int:
        """Heads of the network."""
        return len(self.decision.order) or len(self.table.labels) + 1


def configuration_of(plans: Fields, name: str) -> Configuration:
    """The configuration called `name`.

    Raises
    ------
    ModelError
        If it is not there, or holds what is not understood.
    """
    values = _resolved(plans, name, ())
    values.require_known(_KNOWN, "fields")
    if (found := values.text("preprocessor_name", "DefaultPreprocessor")) != "DefaultPreprocessor":
        raise ModelError(f"{values.place}: preprocessor {found!r} is not understood; DefaultPreprocessor is")
    if (found := plans.text("label_manager", "LabelManager")) != "LabelManager":
        raise ModelError(f"{plans.place}: label_manager {found!r} is not understood; LabelManager is")
    patch = values.wholes("patch_size")
    intensities = next(
        (
            plans.inner(key)
            for key in (
                "foreground_intensity_properties_per_channel",
                "foreground_intensity_properties_by_modality",
            )
            if key in plans
        ),
        Fields({}, plans.place),
    )
    masked = tuple(values.items("use_mask_for_norm"))
    if not all(isinstance(one, bool) for one in masked):
        raise ModelError(f"{values.place}: use_mask_for_norm is not a list of true and false")
    return Configuration(
        name,
        values.text("previous_stage") if "previous_stage" in values else None,
        patch,
        _grid(plans, values),
        _network(values, len(patch)),
        tuple(str(one) for one in values.items("normalization_schemes")),
        masked,
        intensities,
    )


def channels_of(
    dataset: Fields, configuration: Configuration
) -> tuple[tuple[ChannelSpec, ...], tuple[PreStep, ...]]:
    """Channels of a dataset.json with unique names, and what is done to each before the network.

    Raises
    ------
    ModelError
        If a scheme is not understood, or the numbers that it needs are missing.
    """
    key = "channel_names" if "channel_names" in dataset else "modality"
    given = dataset.inner(key)
    names = [given.text(str(number)) for number in range(len(given.values))]
    if not len(names) == len(configuration.schemes) == len(configuration.masked):
        raise ModelError(
            f"{dataset.place}: {len(names)} channels, and the plans normalise {len(configuration.schemes)}"
        )
    unique = _unique(names)
    channels = tuple(
        ChannelSpec(name, _MODALITIES.get(original.casefold()))
        for name, original in zip(unique, names, strict=True)
    )
    steps: list[PreStep] = []
    for number, (name, scheme) in enumerate(zip(unique, configuration.schemes, strict=True)):
        steps += _scaling(name, scheme, number, configuration)
    return channels, tuple(steps)


def labels_of(dataset: Fields) -> Labels:
    """Labels, regions and their order.

    Raises
    ------
    ModelError
        If labels are no gapless numbers from 0 on, or regions have no order.
    """
    given = {name: value for name, value in dataset.inner("labels").values.items() if name != "ignore"}
    parts = {name: _values(name, value, dataset) for name, value in given.items()}
    if parts.pop("background", None) != (0,):
        raise ModelError(f"{dataset.place}: labels have no background that is 0")
    if not any(len(values) > 1 for values in parts.values()):
        return _plain_labels(parts, dataset)
    order = dataset.wholes("regions_class_order")
    parts = {name: values for name, values in parts.items() if set(values) != {0}}
    if len(order) != len(parts):
        raise ModelError(f"{dataset.place}: {len(parts)} regions, and regions_class_order has {len(order)}")
    single = {values[0]: name for name, values in parts.items() if len(values) == 1}
    written = dict(zip(order, parts, strict=True))
    labels = tuple(
        Label(value, single[value])
        if value in single
        else Label(value, f"{written[value]}, rest", is_part=True)
        for value in sorted(set(order))
    )
    regions = tuple(
        Region(name, tuple(value for value in values if value in written))
        for name, values in parts.items()
        if len(values) > 1
    )
    return Labels(LabelTable(labels, regions), Decision("sigmoid", "logits", order))


def _plain_labels(parts: dict[str, tuple[int, ...]], dataset: Fields) -> Labels:
    table = LabelTable(tuple(Label(values[0], name) for name, values in parts.items()))
    if table.values != tuple(range(1, len(parts) + 1)):
        raise ModelError(
            f"{dataset.place}: labels {table.values} leave gaps, so that outputs have no certain label"
        )
    return Labels(table, Decision("softmax", "logits"))


def _values(name: str, value: Any, dataset: Fields) -> tuple[int, ...]:
    listed = value if isinstance(value, list) else [value]
    return Fields({f"label {name}": listed}, dataset.place).wholes(f"label {name}")


def _resolved(plans: Fields, name: str, seen: tuple[str, ...]) -> Fields:
    configurations = plans.inner("configurations")
    if name not in configurations or name in seen:
        raise ModelError(
            f"{plans.place} has no configuration {name!r} (or one that inherits from itself); there are "
            f"{', '.join(configurations.values)}"
        )
    own = configurations.inner(name)
    if "inherits_from" not in own:
        return own
    parent = _resolved(plans, own.text("inherits_from"), (*seen, name))
    return Fields({**parent.values, **own.values}, own.place)


def _grid(plans: Fields, values: Fields) -> StoredGrid:
    reader = plans.text("image_reader_writer")
    if reader not in _READERS:
        raise ModelError(f"{plans.place}: image_reader_writer {reader!r} is not understood")
    forward = plans.wholes("transpose_forward")
    backward = plans.wholes("transpose_backward")
    if sorted(forward) != [0, 1, 2] or [forward[one] for one in backward] != [0, 1, 2]:
        raise ModelError(f"{plans.place}: transpose_forward and transpose_backward do not undo each other")
    first, second, third = (2 - axis for axis in forward)
    return StoredGrid(
        axes=(first, second, third),
        spacing=values.numbers("spacing"),
        orientation="RAS" if _READERS[reader] == "RAS" else "stored",
        image=_resize(values, "data", 3),
        labels=_resize(values, "seg", 1),
        outputs=_resize(values, "probabilities", 1),
    )


def _resize(values: Fields, what: str, order: int) -> Resize:
    name = values.text(f"resampling_fn_{what}")
    if name not in _RESIZE_KNOWN:
        raise ModelError(f"{values.place}: resampling_fn_{what} {name!r} is not understood")
    if name == "no_resampling_hack":
        return Resize("none")
    given = values.inner(f"resampling_fn_{what}_kwargs")
    given.require_known(_RESIZE_KNOWN[name], "arguments")
    separate = None if given.values.get("force_separate_z") is None else given.flag("force_separate_z")
    thick = given.number("separate_z_anisotropy_threshold", 3.0)
    if given.flag("is_seg", default=False) != (what == "seg"):
        raise ModelError(f"{given.place}: is_seg is {what != 'seg'}, which is not understood")
    if name == "resample_torch_fornnunet":
        for key, only in (("mode", "linear"), ("aniso_axis_mode", "nearest-exact")):
            if given.text(key, only) != only:
                raise ModelError(f"{given.place}: {key} {given.text(key)!r} is not understood; {only!r} is")
        if given.flag("memefficient_seg_resampling", default=False):
            raise ModelError(f"{given.place}: memefficient_seg_resampling is not understood")
        return Resize("linear", 1, 0, thick, separate)
    return Resize("spline", given.whole("order", order), given.whole("order_z", 0), thick, separate)


def _network(values: Fields, dimensions: int) -> NetworkSpec:
    if dimensions not in (2, 3):
        raise ModelError(f"{values.place}: patch_size has {dimensions} extents, not 2 or 3")
    arch = values.inner("architecture") if "architecture" in values else _old_architecture(values)
    name = arch.text("network_class_name").rpartition(".")[2]
    if name not in _ARCHITECTURES:
        raise ModelError(
            f"{arch.place}: network {name!r} is not understood; {' and '.join(_ARCHITECTURES)} are"
        )
    given = arch.inner("arch_kwargs")
    given.require_known(_ARCH_KNOWN, "arguments of the network")
    blocks = "n_conv_per_stage" if name == "PlainConvUNet" else "n_blocks_per_stage"
    norm, eps = _norm(given, dimensions)
    slope = 0.0 if given.text("nonlin").rpartition(".")[2] == "ReLU" else _slope(given)
    stages = given.whole("n_stages")
    filters = given.wholes("features_per_stage")
    if len(filters) != stages or given.text("conv_op").rpartition(".")[2] != f"Conv{dimensions}d":
        raise ModelError(f"{given.place}: stages, features and convolutions do not fit one another")
    return NetworkSpec(
        _ARCHITECTURES[name],  # type: ignore[arg-type]
        3 if dimensions == 3 else 2,
        1,
        1,
        filters,
        _per_stage(given, "strides", dimensions),
        _per_stage(given, "kernel_sizes", dimensions),
        encoder_blocks=given.wholes(blocks),
        decoder_blocks=given.wholes("n_conv_per_stage_decoder"),
        bias=given.flag("conv_bias"),
        norm=norm,  # type: ignore[arg-type]
        norm_eps=eps,
        negative_slope=slope,
    )


def _per_stage(given: Fields, name: str, dimensions: int) -> tuple[tuple[int, ...], ...]:
    """One row per stage; a single number stands for all axes."""
    rows = [row if isinstance(row, list) else [row] * dimensions for row in given.items(name)]
    return Fields({name: rows}, given.place).rows(name)


def _norm(given: Fields, dimensions: int) -> tuple[str, float]:
    name = given.text("norm_op").rpartition(".")[2]
    kind = name.removesuffix(f"Norm{dimensions}d") + "Norm"
    kwargs = given.inner("norm_op_kwargs")
    kwargs.require_known({"eps", "affine"}, "arguments of the norm")
    if (
        kind not in _NORMS
        or name != f"{kind}{dimensions}d"
        or not kwargs.flag("affine", default=kind == "BatchNorm")
    ):
        raise ModelError(f"{given.place}: norm {name!r} is not understood; affine {', '.join(_NORMS)} are")
    return _NORMS[kind], kwargs.number("eps", 1e-5)


def _slope(given: Fields) -> float:
    if given.text("nonlin").rpartition(".")[2] != "LeakyReLU":
        raise ModelError(f"{given.place}: nonlin {given.text('nonlin')!r} is not understood")
    if given.values.get("nonlin_kwargs") is None:
        return 0.01
    kwargs = given.inner("nonlin_kwargs")
    kwargs.require_known({"inplace", "negative_slope"}, "arguments of the nonlinearity")
    return kwargs.number("negative_slope", 0.01)


def _old_architecture(values: Fields) -> Fields:
    """Plans of before 2.2 name the features and leave the rest to the reader."""
    name = values.text("UNet_class_name")
    dimensions = len(values.wholes("patch_size"))
    blocks = values.wholes("n_conv_per_stage_encoder")
    base, most = values.whole("UNet_base_num_features"), values.whole("unet_max_num_features")
    arch = {
        "n_stages": len(blocks),
        "features_per_stage": [min(base * 2**level, most) for level in range(len(blocks))],
        "conv_op": f"Conv{dimensions}d",
        "kernel_sizes": values.items("conv_kernel_sizes"),
        "strides": values.items("pool_op_kernel_sizes"),
        "n_conv_per_stage" if name == "PlainConvUNet" else "n_blocks_per_stage": list(blocks),
        "n_conv_per_stage_decoder": values.items("n_conv_per_stage_decoder"),
        "conv_bias": True,
        "norm_op": f"InstanceNorm{dimensions}d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "LeakyReLU",
        "nonlin_kwargs": None,
    }
    return Fields({"network_class_name": name, "arch_kwargs": arch}, values.place)


def _scaling(name: str, scheme: str, number: int, configuration: Configuration) -> list[PreStep]:
    if scheme == "ZScoreNormalization":
        return [ZScoreInside(name, only_inside=configuration.masked[number])]
    if scheme == "CTNormalization":
        known = configuration.intensities.inner(str(number))
        return [
            Clip(name, known.number("percentile_00_5"), known.number("percentile_99_5")),
            Scale(name, known.number("mean"), max(known.number("std"), 1e-8)),
        ]
    if scheme == "NoNormalization":
        return []
    if scheme == "RescaleTo01Normalization":
        return [ToUnit(name)]
    if scheme == "RGBTo01Normalization":
        return [RequireRange(name, 0, 255), Scale(name, 0, 255)]
    raise ModelError(f"configuration {configuration.name}: normalisation {scheme!r} is not understood")


def _unique(names: list[str]) -> list[str]:
    """Names as they are; those that stand for several channels get a number, pictures' planes their letters."""
    if [name.casefold() for name in names] == ["rgb_to_0_1"] * 3:
        return ["R", "G", "B"]
    return [f"{name}-{number}" if names.count(name) > 1 else name for number, name in enumerate(names)]
