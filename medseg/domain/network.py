"""A network as a value: what `networks.build` needs, and nothing that could execute."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict

from medseg.domain.values import STRICT
from medseg.errors import ConfigError

__all__ = ["LATER_FIELDS", "Attention", "NetworkSpec"]

#: Fields of a NetworkSpec that came later: left out of digests at their defaults, so that digests from before stay.
LATER_FIELDS = (
    "encoder_blocks",
    "decoder_blocks",
    "bias",
    "norm",
    "norm_eps",
    "negative_slope",
    "units",
    "groups",
    "upsample",
    "attention",
)

#: More levels halve the largest image to less than a voxel; more blocks no one has trained.
MOST_LEVELS = 16
MOST_BLOCKS = 64


@dataclass(frozen=True, slots=True)
class Attention:
    """How the transformer of a `swin_unetr` or `unetr` attends.

    Parameters
    ----------
    heads, hidden
        Per stage: heads, and features within the perceptron.
    window
        `swin_unetr`: tokens along each axis that attend to one another; `unetr`: voxels of the only window it can take.
    bias
        Whether queries, keys and values have one.
    patches
        How voxels become tokens: by a strided convolution, or by one matrix for the values of a patch.
    merging
        `swin_unetr`: in which order eight neighbours make a token of the next stage, by MONAI's names;
        `merging_repeated` takes two of them twice and leaves two out, as MONAI's `merging` did until 1.4.
    convolved
        `swin_unetr`: whether a residual block stands before each stage (SwinUNETR-V2).
    """

    heads: tuple[int, ...]
    hidden: tuple[int, ...]
    window: tuple[int, ...]
    bias: bool = True
    patches: Literal["conv", "perceptron"] = "conv"
    merging: Literal["merging", "merging_repeated", "mergingv2"] = "merging"
    convolved: bool = False
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not (self.heads and self.window) or len(self.heads) != len(self.hidden):
            raise ConfigError("attention needs heads and hidden features for each stage, and a window")
        if min(*self.heads, *self.hidden, *self.window) < 1:
            raise ConfigError("heads, hidden features and windows of attention start at 1")


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A U-Net from a closed list of architectures.

    Parameters
    ----------
    architecture
        `unet` (MONAI UNet with residual units), `dynunet` (MONAI DynUNet, nnU-Net's plain form), `plain_conv_unet`
        or `residual_encoder_unet` (both as nnU-Net v2 builds them, under its names of weights), `segresnet`,
        `swin_unetr`, `unetr`, `basic_unet`, `attention_unet`, `vnet` (MONAI's), or `onnx` (a file with its own graph,
        of which the rest says inputs and outputs only).
    dimensions
        2 or 3.
    in_channels, out_channels
        Image channels, and labels with background (or regions, each an output of its own).
    filters
        Features per level, top first; one level more than there are downsamplings.
    strides
        Downsampling per level and axis, the first is all ones; window extents must be multiples of their product.
    kernels
        Kernel per level and axis.
    residual, deep_supervision
        Residual blocks; number of lower levels with a loss of their own.
    dropout
        Share of features dropped in training.
    encoder_blocks, decoder_blocks
        Of nnU-Net's networks and `segresnet`: convolutions or residual blocks per level, top first; the same per step
        up, coarsest first. Of `swin_unetr` and `unetr`: blocks of the transformer per stage.
    bias
        Whether convolutions have one, where the architecture leaves it open.
    norm, norm_eps, groups
        Norm, what it adds to the variance, and groups of features of a `group` norm; `instance_plain` has no weights.
    negative_slope
        Of the leaky ReLU below zero, where the architecture leaves it open.
    units
        Of a residual `unet`: convolutions within the skip of a level.
    upsample
        Of `segresnet`: transposed convolutions, or linear interpolation.
    attention
        Of `swin_unetr` and `unetr`.
    """

    architecture: Literal[
        "unet",
        "dynunet",
        "plain_conv_unet",
        "residual_encoder_unet",
        "segresnet",
        "swin_unetr",
        "unetr",
        "basic_unet",
        "attention_unet",
        "vnet",
        "onnx",
    ]
    dimensions: Literal[2, 3]
    in_channels: int
    out_channels: int
    filters: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    kernels: tuple[tuple[int, ...], ...]
    residual: bool = False
    deep_supervision: int = 0
    dropout: float = 0.0
    encoder_blocks: tuple[int, ...] = ()
    decoder_blocks: tuple[int, ...] = ()
    bias: bool = True
    norm: Literal["instance", "instance_plain", "batch", "group"] = "instance"
    norm_eps: float = 1e-5
    negative_slope: float = 0.01
    units: int = 2
    groups: int = 8
    upsample: Literal["deconv", "linear"] = "deconv"
    attention: Attention | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not len(self.filters) == len(self.strides) == len(self.kernels):
            raise ConfigError(
                f"a network needs as many filters as strides and kernels, not "
                f"{len(self.filters)}, {len(self.strides)}, {len(self.kernels)}"
            )
        if any(len(item) != self.dimensions for item in (*self.strides, *self.kernels)):
            raise ConfigError(
                f"strides and kernels of a {self.dimensions}D network need {self.dimensions} entries each"
            )
        if min(size for item in (*self.strides, *self.kernels) for size in item) < 1:
            raise ConfigError("strides and kernels of a network start at 1")
        if min(self.in_channels, self.out_channels, *self.filters) < 1:
            raise ConfigError("a network needs channels, outputs, and filters")
        if self.has_blocks:
            self._require_blocks()
        if min(self.units, self.groups) < 1 or self.units > MOST_BLOCKS or len(self.filters) > MOST_LEVELS:
            raise ConfigError(
                f"a network has up to {MOST_LEVELS} levels of up to {MOST_BLOCKS} units, and groups from 1 on"
            )
        if (self.attention is not None) != (self.architecture in ("swin_unetr", "unetr")):
            raise ConfigError(f"a {self.architecture} and attention do not go together, or one lacks")

    @property
    def has_blocks(self) -> bool:
        """Whether it says how many blocks each level has."""
        return self.architecture in ("plain_conv_unet", "residual_encoder_unet", "segresnet")

    def _require_blocks(self) -> None:
        levels = len(self.filters)
        if levels < 2 or (len(self.encoder_blocks), len(self.decoder_blocks)) != (levels, levels - 1):
            raise ConfigError(
                f"a {self.architecture} of {levels} levels needs {levels} encoder_blocks and {levels - 1} "
                f"decoder_blocks, not {len(self.encoder_blocks)} and {len(self.decoder_blocks)}"
            )
        if min(*self.encoder_blocks, *self.decoder_blocks) < 1 or levels > MOST_LEVELS:
            raise ConfigError(
                f"a {self.architecture} has up to {MOST_LEVELS} levels, each of at least one block"
            )
        if max(*self.encoder_blocks, *self.decoder_blocks) > MOST_BLOCKS:
            raise ConfigError(f"a level of a {self.architecture} has up to {MOST_BLOCKS} blocks")
        if any(size % 2 == 0 for kernel in self.kernels for size in kernel):
            raise ConfigError(f"kernels of a {self.architecture} are odd, not {self.kernels}")

    @property
    def divisor(self) -> tuple[int, ...]:
        """Per axis: window extents must be multiples of this."""
        product = [1] * self.dimensions
        for stride in self.strides:
            product = [have * step for have, step in zip(product, stride, strict=True)]
        return tuple(product)
