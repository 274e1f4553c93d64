"""A network as a value: what `networks.build` needs, and nothing that could execute."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict

from medseg.domain.values import STRICT
from medseg.errors import ConfigError

__all__ = ["NetworkSpec"]


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A U-Net from a closed list of architectures.

    Parameters
    ----------
    architecture
        `unet` (MONAI UNet with residual units) or `dynunet` (MONAI DynUNet, nnU-Net's plain form).
    dimensions
        2 or 3.
    in_channels, out_channels
        Image channels, and labels with background.
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
    """

    architecture: Literal["unet", "dynunet"]
    dimensions: Literal[2, 3]
    in_channels: int
    out_channels: int
    filters: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    kernels: tuple[tuple[int, ...], ...]
    residual: bool = False
    deep_supervision: int = 0
    dropout: float = 0.0
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
        if min(self.in_channels, self.out_channels - 1, *self.filters) < 1:
            raise ConfigError("a network needs channels, at least two outputs, and filters")

    @property
    def divisor(self) -> tuple[int, ...]:
        """Per axis: window extents must be multiples of this."""
        product = [1] * self.dimensions
        for stride in self.strides:
            product = [have * step for have, step in zip(product, stride, strict=True)]
        return tuple(product)
