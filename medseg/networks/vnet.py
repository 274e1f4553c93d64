"""The network of the architecture `vnet`: MONAI's VNet, weight for weight, of plain torch modules.

Kernels of five voxels, residual levels, batch norm and ELU (Milletari et al. 2016, arXiv 1606.04797).
"""

import torch
from torch import Tensor, nn

from medseg.domain.network import NetworkSpec
from medseg.networks.layers import CONVS, TRANSPOSED, norm_layer

__all__ = ["VNet"]

#: Features of a level, top first, and convolutions of a level on the way down and up.
FEATURES = (16, 32, 64, 128, 256)
DOWN = {32: 1, 64: 2, 128: 3, 256: 2}
UP = {256: 2, 128: 2, 64: 1, 32: 1}
KERNEL = 5


class VNet(nn.Module):
    """Five levels of 16 to 256 features; nothing of it can be chosen but inputs, outputs and biases.

    Raises
    ------
    ValueError
        If features are others, or channels do not divide 16.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        if spec.filters != FEATURES or FEATURES[0] % spec.in_channels:
            raise ValueError(f"a vnet has features {FEATURES}, and 1, 2, 4, 8 or 16 channels")
        self.in_tr = _Input(spec)
        for features, count in DOWN.items():
            self.add_module(f"down_tr{features}", _Down(spec, features, count))
        below = FEATURES[-1]
        for features, count in UP.items():
            self.add_module(f"up_tr{features}", _Up(spec, below, features, count))
            below = features
        self.out_tr = _Output(spec, below)

    def forward(self, values: Tensor) -> Tensor:
        """(N, C, *window) → (N, L, *window) logits."""
        skips = [self.in_tr(values)]
        for features in DOWN:
            skips.append(self.get_submodule(f"down_tr{features}")(skips[-1]))
        values = skips.pop()
        for features in UP:
            values = self.get_submodule(f"up_tr{features}")(values, skips.pop())
        logits: Tensor = self.out_tr(values)
        return logits


class _Input(nn.Module):
    """A convolution, added to the channels themselves, repeated."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.times = FEATURES[0] // spec.in_channels
        self.conv_block = _conv(spec, spec.in_channels, FEATURES[0], bias=spec.bias)
        self.act_function = nn.ELU()

    def forward(self, values: Tensor) -> Tensor:
        repeated = values.repeat(1, self.times, *[1] * (values.dim() - 2))
        found: Tensor = self.act_function(self.conv_block(values) + repeated)
        return found


class _Down(nn.Module):
    def __init__(self, spec: NetworkSpec, features: int, count: int) -> None:
        super().__init__()
        self.down_conv = CONVS[spec.dimensions](features // 2, features, 2, 2, bias=spec.bias)
        self.bn1 = norm_layer(spec, features)
        self.active = nn.ELU()
        self.ops = _convs(spec, features, count, bias=spec.bias)

    def forward(self, values: Tensor) -> Tensor:
        halved = self.active(self.bn1(self.down_conv(values)))
        found: Tensor = self.active(self.ops(halved) + halved)
        return found


class _Up(nn.Module):
    def __init__(self, spec: NetworkSpec, inputs: int, features: int, count: int) -> None:
        super().__init__()
        self.up_conv = TRANSPOSED[spec.dimensions](inputs, features // 2, 2, 2)
        self.bn1 = norm_layer(spec, features // 2)
        self.active = nn.ELU()
        self.ops = _convs(spec, features, count, bias=False)

    def forward(self, values: Tensor, skip: Tensor) -> Tensor:
        joined = torch.cat((self.active(self.bn1(self.up_conv(values))), skip), dim=1)
        found: Tensor = self.active(self.ops(joined) + joined)
        return found


class _Output(nn.Module):
    def __init__(self, spec: NetworkSpec, inputs: int) -> None:
        super().__init__()
        self.conv_block = _conv(spec, inputs, spec.out_channels, bias=spec.bias)
        self.active = nn.ELU()
        self.conv2 = CONVS[spec.dimensions](spec.out_channels, spec.out_channels, 1)

    def forward(self, values: Tensor) -> Tensor:
        found: Tensor = self.conv2(self.active(self.conv_block(values)))
        return found


class _Convolved(nn.Module):
    def __init__(self, spec: NetworkSpec, features: int, *, bias: bool) -> None:
        super().__init__()
        self.conv_block = _conv(spec, features, features, bias=bias)
        self.active = nn.ELU()

    def forward(self, values: Tensor) -> Tensor:
        found: Tensor = self.active(self.conv_block(values))
        return found


def _convs(spec: NetworkSpec, features: int, count: int, *, bias: bool) -> nn.Module:
    return nn.Sequential(*(_Convolved(spec, features, bias=bias) for _ in range(count)))


def _conv(spec: NetworkSpec, inputs: int, outputs: int, *, bias: bool) -> nn.Module:
    found = nn.Sequential()
    found.add_module("conv", CONVS[spec.dimensions](inputs, outputs, KERNEL, padding=KERNEL // 2, bias=bias))
    after = nn.Sequential()
    after.add_module("N", norm_layer(spec, outputs))
    found.add_module("adn", after)
    return found
