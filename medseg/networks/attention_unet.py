"""The network of the architecture `attention_unet`: MONAI's AttentionUnet, weight for weight, of plain torch modules.

What a level saw is weighted by what comes from below before both are joined (Oktay et al. 2018, arXiv 1804.03999).
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from medseg.domain.network import NetworkSpec
from medseg.networks.layers import CONVS, TRANSPOSED, norm_layer

__all__ = ["attention_unet"]

Sizes = tuple[int, ...]


def attention_unet(spec: NetworkSpec) -> nn.Module:
    """Network with batch norm throughout, but for the joins: those have instance norm and PReLU.

    Raises
    ------
    NotImplementedError
        If a kernel has no middle.
    """
    if any(size % 2 == 0 for size in spec.kernels[0]):
        raise NotImplementedError(f"a kernel needs a middle, and {spec.kernels[0]} has none")
    batch = replace(spec, norm="batch")
    network = nn.Sequential()
    first = spec.filters[0]
    head = _Convs(batch, spec.in_channels, first, (1,) * spec.dimensions)
    network.add_module(
        "model", nn.Sequential(head, _Level(batch, 0), _named(_conv(spec, first, spec.out_channels)))
    )
    return network


class _Level(nn.Module):
    """A level and all below it."""

    def __init__(self, spec: NetworkSpec, level: int) -> None:
        super().__init__()
        own, below = spec.filters[level], spec.filters[level + 1]
        stride = spec.strides[level + 1]
        self.attention = _Attention(spec, own)
        self.upconv = nn.ModuleDict({"up": _risen(spec, below, own, stride)})
        joined = replace(spec, norm="instance_plain")
        self.merge = _with_norm(joined, _conv(spec, 2 * own, own, kernel=3), own, nn.PReLU())
        convs = _Convs(spec, own, below, stride)
        is_last = level + 2 == len(spec.filters)
        self.submodule: nn.Module = convs if is_last else nn.Sequential(convs, _Level(spec, level + 1))

    def forward(self, values: Tensor) -> Tensor:
        risen = self.upconv["up"](self.submodule(values))
        found: Tensor = self.merge(torch.cat((self.attention(risen, values), risen), dim=1))
        return found


class _Convs(nn.Module):
    """Two convolutions, the first of which may be strided."""

    def __init__(self, spec: NetworkSpec, inputs: int, outputs: int, stride: Sizes) -> None:
        super().__init__()
        kernel = spec.kernels[0]
        padding = tuple((size - 1) // 2 for size in kernel)
        conv = CONVS[spec.dimensions]
        self.conv = nn.Sequential(
            _with_norm(spec, conv(inputs, outputs, kernel, stride, padding), outputs, nn.ReLU()),
            _with_norm(spec, conv(outputs, outputs, kernel, 1, padding), outputs, nn.ReLU()),
        )

    def forward(self, values: Tensor) -> Tensor:
        found: Tensor = self.conv(values)
        return found


class _Attention(nn.Module):
    """Features of a level, weighted voxel by voxel by themselves and by what comes from below."""

    def __init__(self, spec: NetworkSpec, features: int) -> None:
        super().__init__()
        inner = features // 2
        self.W_g = nn.Sequential(_named(_conv(spec, features, inner)), norm_layer(spec, inner))
        self.W_x = nn.Sequential(_named(_conv(spec, features, inner)), norm_layer(spec, inner))
        self.psi = nn.Sequential(_named(_conv(spec, inner, 1)), norm_layer(spec, 1), nn.Sigmoid())

    def forward(self, risen: Tensor, values: Tensor) -> Tensor:
        weights = self.psi(torch.relu(self.W_g(risen) + self.W_x(values)))
        found: Tensor = values * weights
        return found


def _risen(spec: NetworkSpec, inputs: int, outputs: int, stride: Sizes) -> nn.Module:
    kernel = spec.kernels[0]
    conv = TRANSPOSED[spec.dimensions](
        inputs,
        outputs,
        kernel,
        stride,
        padding=tuple((size - 1) // 2 for size in kernel),
        output_padding=tuple(step - 1 for step in stride),
    )
    return _with_norm(spec, conv, outputs, nn.ReLU())


def _conv(spec: NetworkSpec, inputs: int, outputs: int, *, kernel: int = 1) -> nn.Module:
    found: nn.Module = CONVS[spec.dimensions](inputs, outputs, kernel, padding=(kernel - 1) // 2)
    return found


def _named(conv: nn.Module) -> nn.Module:
    found = nn.Sequential()
    found.add_module("conv", conv)
    return found


def _with_norm(spec: NetworkSpec, conv: nn.Module, outputs: int, active: nn.Module) -> nn.Module:
    found = nn.Sequential()
    found.add_module("conv", conv)
    after = nn.Sequential()
    after.add_module("N", norm_layer(spec, outputs))
    after.add_module("A", active)
    found.add_module("adn", after)
    return found
