"""Blocks of convolutions that several of MONAI's U-Nets share, under its names of weights."""

from collections.abc import Sequence

from torch import Tensor, nn

from medseg.domain.network import NetworkSpec
from medseg.networks.layers import CONVS, norm_layer

__all__ = ["SLOPE", "BasicBlock", "OutBlock", "ResidualBlock", "add_dropout", "convolution"]

Sizes = tuple[int, ...]
#: Slope of a LeakyReLU below zero, which the drawing of weights allows for.
SLOPE = 0.01


class BasicBlock(nn.Module):
    """Two convolutions with norm and activation."""

    def __init__(self, spec: NetworkSpec, inputs: int, outputs: int, kernel: Sizes, stride: Sizes) -> None:
        super().__init__()
        self.conv1 = convolution(spec, inputs, outputs, kernel, stride)
        self.conv2 = convolution(spec, outputs, outputs, kernel, (1,) * spec.dimensions)
        self.lrelu = nn.LeakyReLU(SLOPE, inplace=True)
        self.norm1 = norm_layer(spec, outputs)
        self.norm2 = norm_layer(spec, outputs)

    def forward(self, values: Tensor) -> Tensor:
        found = self.lrelu(self.norm1(self.conv1(values)))
        activated: Tensor = self.lrelu(self.norm2(self.conv2(found)))
        return activated


class ResidualBlock(BasicBlock):
    """The same, added to its input, which a convolution fits where extents or features change."""

    def __init__(self, spec: NetworkSpec, inputs: int, outputs: int, kernel: Sizes, stride: Sizes) -> None:
        super().__init__(spec, inputs, outputs, kernel, stride)
        ones = (1,) * spec.dimensions
        self.downsample = inputs != outputs or stride != ones
        if self.downsample:
            self.conv3 = convolution(spec, inputs, outputs, ones, stride)
            self.norm3 = norm_layer(spec, outputs)

    def forward(self, values: Tensor) -> Tensor:
        found = self.lrelu(self.norm1(self.conv1(values)))
        found = self.norm2(self.conv2(found))
        found += self.norm3(self.conv3(values)) if self.downsample else values
        activated: Tensor = self.lrelu(found)
        return activated


class OutBlock(nn.Module):
    """Features to classes, voxel by voxel."""

    def __init__(self, spec: NetworkSpec, inputs: int) -> None:
        super().__init__()
        ones = (1,) * spec.dimensions
        self.conv = convolution(spec, inputs, spec.out_channels, ones, ones, bias=True)

    def forward(self, values: Tensor) -> Tensor:
        found: Tensor = self.conv(values)
        return found


def convolution(
    spec: NetworkSpec, inputs: int, outputs: int, kernel: Sizes, stride: Sizes, *, bias: bool = False
) -> nn.Module:
    """A convolution that keeps extents but for its stride, called `conv`."""
    found = nn.Sequential()
    conv = CONVS[spec.dimensions](
        inputs, outputs, kernel_size=kernel, stride=stride, padding=_padding(kernel, stride), bias=bias
    )
    found.add_module("conv", conv)
    add_dropout(found, spec)
    return found


def add_dropout(block: nn.Sequential, spec: NetworkSpec) -> None:
    """Dropout after a convolution, where the specification has some."""
    if spec.dropout:
        dropout = nn.Sequential()
        dropout.add_module("D", nn.Dropout(spec.dropout))
        block.add_module("adn", dropout)


def _padding(kernel: Sequence[int], stride: Sequence[int]) -> Sizes:
    padding = [(size - step + 1) / 2 for size, step in zip(kernel, stride, strict=True)]
    if min(padding) < 0:
        raise AssertionError(f"a stride of {tuple(stride)} is longer than its kernel of {tuple(kernel)}")
    return tuple(int(size) for size in padding)
