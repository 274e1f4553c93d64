"""Networks of MONAI bundles as specifications: each argument is understood, or refused by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from medseg.domain import NetworkSpec
from medseg.domain.network import Attention
from medseg.errors import ConfigError, ModelError
from medseg.models.foreign.bundle_config import Config
from medseg.models.foreign.reading import Fields

__all__ = ["NETWORKS", "network_of", "own_class"]

#: Arguments that change training only, or what a network keeps of its run.
_TRAINING = {
    *("dropout", "dropout_prob", "dropout_rate", "drop_rate", "attn_drop_rate", "dropout_path_rate"),
    *(
        "use_checkpoint",
        "save_attn",
        "dropout_prob_down",
        "dropout_prob_up",
        "dropout_dim",
        "use_flash_attention",
    ),
}
_NORMS = {"instance": "instance_plain", "batch": "batch", "group": "group"}
#: Levels of SwinUNETR and UNETR that halve all axes.
_SWIN_LEVELS, _UNETR_LEVELS = 5, 4
VNET = (16, 32, 64, 128, 256)
#: Each argument of a network, and the values of it that change nothing.
_FIXED = {
    "adn_ordering": ("NDA",),
    "normalize": (True,),
    "patch_norm": (False,),
    "use_hyena": (False,),
    "hyena_stages": (None,),
    "use_conv_final": (True,),
    "trans_bias": (False,),
    "conv_block": (True,),
    "patch_size": (2, [2, 2], [2, 2, 2]),
}


@dataclass(frozen=True, slots=True)
class Norm:
    """A norm as its argument says: kind, what is added to the variance, groups."""

    kind: str
    eps: float = 1e-5
    groups: int = 8


def own_class(target: str) -> bool:
    """Whether a class is the bundle's own, or that of another library than MONAI."""
    return "." in target and not target.startswith("monai.")


def network_of(config: Config) -> NetworkSpec:
    """The network of a bundle.

    Raises
    ------
    ModelError
        If it needs code of its own, is none that is built here, or has an argument that is not understood.
    """
    name = "network_def" if "network_def" in config else "network"
    item = config.raw(name)
    if not isinstance(item, dict) or not isinstance(item.get("_target_"), str):
        raise ModelError(
            f"{config.place}: {name} is no component, but {str(item)[:80]!r}; it would have to be run"
        )
    target = item["_target_"]
    if own_class(target):
        raise ModelError(
            f"{config.place}: the network {target!r} is code of the bundle's own, which is not run"
        )
    kind = target.rpartition(".")[2]
    if kind not in NETWORKS:
        raise ModelError(
            f"{config.place}: the network {kind!r} is not built here; {', '.join(sorted(NETWORKS))} are"
        )
    known, build = NETWORKS[kind]
    given = config.fields(item, known | set(_FIXED) & set(item), _TRAINING)
    for argument, values in _FIXED.items():
        if argument in given and given.values[argument] not in values:
            raise ModelError(f"{given.place}: {argument} {given.values[argument]!r} is not understood")
    try:
        return build(given)
    except ConfigError as error:
        raise ModelError(f"{given.place}: {error}") from error


def _dimensions(given: Fields, default: int | None = None) -> Any:
    found = given.whole("dimensions" if "dimensions" in given else "spatial_dims", default)
    if found not in (2, 3):
        raise ModelError(f"{given.place}: a network has 2 or 3 dimensions, not {found}")
    return found


def _sizes(value: Any, dimensions: int, given: Fields, name: str) -> tuple[int, ...]:
    """One row of a kernel or stride; a single number stands for all axes."""
    return Fields({name: value if isinstance(value, list) else [value] * dimensions}, given.place).wholes(
        name
    )


def _rows(given: Fields, name: str, dimensions: int) -> tuple[tuple[int, ...], ...]:
    return tuple(_sizes(value, dimensions, given, name) for value in given.items(name))


def _norm(given: Fields, name: str, default: Norm) -> Norm:
    if name not in given:
        return default
    value = given.values[name]
    kind, arguments = (value, {}) if isinstance(value, str) else _pair(value, given, name)
    inner = Fields(arguments, f"{given.place}, {name}")
    inner.require_known({"affine", "eps", "num_groups"}, "arguments of the norm")
    kind = kind.lower()
    if kind not in _NORMS:
        raise ModelError(f"{given.place}: norm {kind!r} is not understood; {', '.join(_NORMS)} are")
    affine = inner.flag("affine", default=kind != "instance")
    if not affine and kind != "instance":
        raise ModelError(f"{given.place}: a {kind} norm without weights is not understood")
    known = "instance" if kind == "instance" and affine else _NORMS[kind]
    return Norm(known, inner.number("eps", 1e-5), inner.whole("num_groups", 8) if kind == "group" else 8)


def _pair(value: Any, given: Fields, name: str) -> tuple[str, dict[str, Any]]:
    if (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], dict)
    ):
        return value[0], value[1]
    raise ModelError(f"{given.place}: {name} {str(value)[:60]!r} is not understood")


def _slope(given: Fields, name: str, default: float) -> float:
    """Of a leaky ReLU; another activation is refused."""
    if name not in given:
        return default
    value = given.values[name]
    kind, arguments = (value, {}) if isinstance(value, str) else _pair(value, given, name)
    inner = Fields(arguments, f"{given.place}, {name}")
    inner.require_known({"negative_slope", "inplace"}, "arguments of the activation")
    if kind.lower() != "leakyrelu":
        raise ModelError(f"{given.place}: activation {kind!r} is not understood; leakyrelu is")
    return inner.number("negative_slope", 0.01)


def _only_activation(given: Fields, name: str, known: str) -> None:
    value = given.values.get(name, known)
    kind, arguments = (value, {}) if isinstance(value, str) else _pair(value, given, name)
    inner = Fields(arguments, f"{given.place}, {name}")
    inner.require_known({"inplace", "init"}, "arguments of the activation")
    if kind.lower() != known:
        raise ModelError(f"{given.place}: activation {kind!r} is not understood; {known} is")


def _halved(dimensions: int, levels: int) -> tuple[tuple[int, ...], ...]:
    return ((1,) * dimensions, *((2,) * dimensions,) * (levels - 1))


def _in_out(given: Fields, default_in: int | None = None, default_out: int | None = None) -> tuple[int, int]:
    return given.whole("in_channels", default_in), given.whole("out_channels", default_out)


def _unet(given: Fields) -> NetworkSpec:
    dimensions = _dimensions(given)
    filters = given.wholes("channels")
    strides = _rows(given, "strides", dimensions)[: len(filters) - 1]
    kernel, up = (
        _sizes(given.values.get(name, 3), dimensions, given, name)
        for name in ("kernel_size", "up_kernel_size")
    )
    if kernel != up or not given.flag("bias", default=True):
        raise ModelError(
            f"{given.place}: kernels of two sizes, and convolutions without bias, are not understood"
        )
    _only_activation(given, "act", "prelu")
    norm = _norm(given, "norm", Norm("instance_plain"))
    units = given.whole("num_res_units", 0)
    return NetworkSpec(
        "unet",
        dimensions,
        *_in_out(given),
        filters,
        ((1,) * dimensions, *strides),
        (kernel,) * len(filters),
        residual=units > 0,
        units=units or 2,
        norm=norm.kind,  # type: ignore[arg-type]
        norm_eps=norm.eps,
        groups=norm.groups,
    )


def _attention_unet(given: Fields) -> NetworkSpec:
    dimensions = _dimensions(given)
    filters = given.wholes("channels")
    kernel, up = (
        _sizes(given.values.get(name, 3), dimensions, given, name)
        for name in ("kernel_size", "up_kernel_size")
    )
    if kernel != up:
        raise ModelError(f"{given.place}: kernels of two sizes are not understood")
    strides = _rows(given, "strides", dimensions)[: len(filters) - 1]
    return NetworkSpec(
        "attention_unet",
        dimensions,
        *_in_out(given),
        filters,
        ((1,) * dimensions, *strides),
        (kernel,) * len(filters),
        norm="batch",
    )


def _dynunet(given: Fields) -> NetworkSpec:
    dimensions = _dimensions(given)
    strides, kernels = _rows(given, "strides", dimensions), _rows(given, "kernel_size", dimensions)
    most = 320 if dimensions == 3 else 512
    usual = tuple(min(32 << level, most) for level in range(len(strides)))
    filters = usual if given.values.get("filters") is None else given.wholes("filters")[: len(strides)]
    if _rows(given, "upsample_kernel_size", dimensions) != strides[1:]:
        raise ModelError(
            f"{given.place}: upsample_kernel_size is other than the strides, which is not understood"
        )
    norm = _norm(given, "norm_name", Norm("instance"))
    if _slope(given, "act_name", 0.01) != 0.01:
        raise ModelError(f"{given.place}: a slope other than 0.01 is not understood")
    return NetworkSpec(
        "dynunet",
        dimensions,
        *_in_out(given),
        filters,
        strides,
        kernels,
        residual=given.flag("res_block", default=False),
        norm=norm.kind,  # type: ignore[arg-type]
        norm_eps=norm.eps,
        groups=norm.groups,
    )


def _basic_unet(given: Fields) -> NetworkSpec:
    dimensions = _dimensions(given, 3)
    filters = given.wholes("features") if "features" in given else (32, 32, 64, 128, 256, 32)
    if given.text("upsample", "deconv") != "deconv":
        raise ModelError(f"{given.place}: upsample {given.text('upsample')!r} is not understood; 'deconv' is")
    norm = _norm(given, "norm", Norm("instance"))
    return NetworkSpec(
        "basic_unet",
        dimensions,
        *_in_out(given, 1, 2),
        filters,
        (*_halved(dimensions, len(filters) - 1), (1,) * dimensions),
        ((3,) * dimensions,) * len(filters),
        bias=given.flag("bias", default=True),
        norm=norm.kind,  # type: ignore[arg-type]
        norm_eps=norm.eps,
        groups=norm.groups,
        negative_slope=_slope(given, "act", 0.1),
    )


def _segresnet(given: Fields) -> NetworkSpec:
    dimensions = _dimensions(given, 3)
    down = given.wholes("blocks_down") if "blocks_down" in given else (1, 2, 2, 4)
    up = given.wholes("blocks_up") if "blocks_up" in given else (1, 1, 1)
    mode = given.text("upsample_mode", "nontrainable")
    if mode not in ("nontrainable", "deconv") or given.text("norm_name", "group").lower() not in (
        "group",
        "",
    ):
        raise ModelError(f"{given.place}: upsample_mode {mode!r} or its norm is not understood")
    _only_activation(given, "act", "relu")
    norm = _norm(given, "norm", Norm("group"))
    if given.text("norm_name", ""):
        norm = Norm("group", groups=given.whole("num_groups", 8))
    first = given.whole("init_filters", 8)
    return NetworkSpec(
        "segresnet",
        dimensions,
        *_in_out(given, 1, 2),
        tuple(first << level for level in range(len(down))),
        _halved(dimensions, len(down)),
        ((3,) * dimensions,) * len(down),
        encoder_blocks=down,
        decoder_blocks=up,
        norm=norm.kind,  # type: ignore[arg-type]
        norm_eps=norm.eps,
        groups=norm.groups,
        upsample="deconv" if mode == "deconv" else "linear",
    )


def _swin_unetr(given: Fields) -> NetworkSpec:
    dimensions = _dimensions(given, 3)
    first = given.whole("feature_size", 24)
    depths = given.wholes("depths") if "depths" in given else (2, 2, 2, 2)
    heads = given.wholes("num_heads") if "num_heads" in given else (3, 6, 12, 24)
    ratio = given.number("mlp_ratio", 4.0)
    norm = _norm(given, "norm_name", Norm("instance_plain"))
    merging = given.text("downsample", "merging")
    if merging not in ("merging", "mergingv2"):
        raise ModelError(f"{given.place}: downsample {merging!r} is not understood")
    attention = Attention(
        heads,
        tuple(int((first << stage) * ratio) for stage in range(len(heads))),
        _sizes(given.values.get("window_size", 7), dimensions, given, "window_size"),
        bias=given.flag("qkv_bias", default=True),
        merging=merging,  # type: ignore[arg-type]
        convolved=given.flag("use_v2", default=False),
    )
    return NetworkSpec(
        "swin_unetr",
        dimensions,
        *_in_out(given),
        (first, *(first << level for level in range(_SWIN_LEVELS))),
        _halved(dimensions, _SWIN_LEVELS + 1),
        ((3,) * dimensions,) * (_SWIN_LEVELS + 1),
        residual=True,
        encoder_blocks=depths,
        norm=norm.kind,  # type: ignore[arg-type]
        norm_eps=norm.eps,
        groups=norm.groups,
        attention=attention,
    )


def _unetr(given: Fields) -> NetworkSpec:
    dimensions = _dimensions(given, 3)
    first, hidden = given.whole("feature_size", 16), given.whole("hidden_size", 768)
    norm = _norm(given, "norm_name", Norm("instance_plain"))
    patches = given.text("proj_type", given.text("pos_embed", "conv"))
    if patches not in ("conv", "perceptron"):
        raise ModelError(f"{given.place}: proj_type {patches!r} is not understood")
    attention = Attention(
        (given.whole("num_heads", 12),),
        (given.whole("mlp_dim", 3072),),
        _sizes(given.values.get("img_size"), dimensions, given, "img_size"),
        bias=given.flag("qkv_bias", default=False),
        patches=patches,  # type: ignore[arg-type]
    )
    return NetworkSpec(
        "unetr",
        dimensions,
        *_in_out(given),
        (*(first << level for level in range(_UNETR_LEVELS)), hidden),
        _halved(dimensions, _UNETR_LEVELS + 1),
        ((3,) * dimensions,) * (_UNETR_LEVELS + 1),
        residual=given.flag("res_block", default=True),
        norm=norm.kind,  # type: ignore[arg-type]
        norm_eps=norm.eps,
        groups=norm.groups,
        attention=attention,
    )


def _vnet(given: Fields) -> NetworkSpec:
    dimensions = _dimensions(given, 3)
    _only_activation(given, "act", "elu")
    return NetworkSpec(
        "vnet",
        dimensions,
        *_in_out(given, 1, 1),
        VNET,
        _halved(dimensions, len(VNET)),
        ((5,) * dimensions,) * len(VNET),
        bias=given.flag("bias", default=False),
        norm="batch",
    )


_SHAPE = {"spatial_dims", "dimensions", "in_channels", "out_channels"}
_LAYERS = {"channels", "strides", "kernel_size", "up_kernel_size"}
#: Class of MONAI → arguments that are understood, and what makes a specification of them.
NETWORKS: Mapping[str, tuple[set[str], Callable[[Fields], NetworkSpec]]] = {
    "UNet": (_SHAPE | _LAYERS | {"num_res_units", "act", "norm", "bias"}, _unet),
    "AttentionUnet": (_SHAPE | _LAYERS, _attention_unet),
    "DynUNet": (
        _SHAPE
        | {"kernel_size", "strides", "upsample_kernel_size", "filters", "norm_name", "act_name", "res_block"}
        | {"deep_supervision", "deep_supr_num"},
        _dynunet,
    ),
    "BasicUNet": (_SHAPE | {"features", "act", "norm", "bias", "upsample"}, _basic_unet),
    "SegResNet": (
        _SHAPE
        | {
            "init_filters",
            "act",
            "norm",
            "norm_name",
            "num_groups",
            "blocks_down",
            "blocks_up",
            "upsample_mode",
        },
        _segresnet,
    ),
    "SwinUNETR": (
        _SHAPE
        | {"img_size", "feature_size", "depths", "num_heads", "window_size", "qkv_bias", "mlp_ratio"}
        | {"norm_name", "downsample", "use_v2"},
        _swin_unetr,
    ),
    "UNETR": (
        _SHAPE
        | {"img_size", "feature_size", "hidden_size", "mlp_dim", "num_heads", "proj_type", "pos_embed"}
        | {"norm_name", "res_block", "qkv_bias"},
        _unetr,
    ),
    "VNet": (_SHAPE | {"act", "bias"}, _vnet),
}
