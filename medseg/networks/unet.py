"""The U-Net of the architecture `unet`: MONAI's UNet, weight for weight, of plain torch modules.

Names of weights and the order in which modules are made are those of `monai.networks.nets.UNet`: its weights fit, and
the same seed draws the same ones (Kerfoot et al. 2018, doi 10.1007/978-3-030-12029-0_40).
"""

import torch
from torch import Tensor, nn

from medseg.domain.network import NetworkSpec
from medseg.networks.layers import CONVS, TRANSPOSED, norm_layer

__all__ = ["unet"]

Sizes = tuple[int, ...]


def unet(spec: NetworkSpec) -> nn.Module:
    """Network with a skip around each level; residual units if the specification says so.

    Raises
    ------
    NotImplementedError
        If a kernel has no middle.
    """
    if any(size % 2 == 0 for size in spec.kernels[0]):
        raise NotImplementedError(f"a kernel needs a middle, and {spec.kernels[0]} has none")
    network = nn.Sequential()
    network.add_module(
        "model",
        _level(spec, spec.in_channels, spec.out_channels, spec.filters, spec.strides[1:], is_top=True),
    )
    return network


class _Residual(nn.Module):
    """Convolutions, and what they are added to."""

    def __init__(self, conv: nn.Module, residual: nn.Module) -> None:
        super().__init__()
        self.conv = conv
        self.residual = residual

    def forward(self, values: Tensor) -> Tensor:
        skipped: Tensor = self.residual(values)
        found: Tensor = self.conv(values)
        return found + skipped


class _Skip(nn.Module):
    """The input beside what a lower level makes of it."""

    def __init__(self, submodule: nn.Module) -> None:
        super().__init__()
        self.submodule = submodule

    def forward(self, values: Tensor) -> Tensor:
        below: Tensor = self.submodule(values)
        return torch.cat([values, below], dim=1)


def _level(
    spec: NetworkSpec,
    inputs: int,
    outputs: int,
    filters: Sizes,
    strides: tuple[Sizes, ...],
    *,
    is_top: bool,
) -> nn.Module:
    """Down, a skip around all levels below, up; made from the bottom, as drawing follows."""
    first, stride = filters[0], strides[0]
    if len(filters) > 2:
        below = _level(spec, first, first, filters[1:], strides[1:], is_top=False)
        joined = 2 * first
    else:
        below = _down(spec, first, filters[1], (1,) * spec.dimensions)
        joined = first + filters[1]
    down = _down(spec, inputs, first, stride)
    return nn.Sequential(down, _Skip(below), _up(spec, joined, outputs, stride, is_top=is_top))


def _down(spec: NetworkSpec, inputs: int, outputs: int, stride: Sizes) -> nn.Module:
    if spec.residual:
        return _residual(spec, inputs, outputs, stride, units=spec.units)
    return _convolution(spec, inputs, outputs, stride)


def _up(spec: NetworkSpec, inputs: int, outputs: int, stride: Sizes, *, is_top: bool) -> nn.Module:
    conv = TRANSPOSED[spec.dimensions](
        inputs,
        outputs,
        kernel_size=spec.kernels[0],
        stride=stride,
        padding=_same(spec),
        output_padding=tuple(step - 1 for step in stride),
    )
    is_last = is_top and not spec.residual
    found = _with_norm(spec, conv, outputs, bare=is_last)
    if not spec.residual:
        return found
    ones = (1,) * spec.dimensions
    return nn.Sequential(found, _residual(spec, outputs, outputs, ones, units=1, bare=is_top))


def _residual(
    spec: NetworkSpec, inputs: int, outputs: int, stride: Sizes, *, units: int, bare: bool = False
) -> nn.Module:
    ones = (1,) * spec.dimensions
    convs = nn.Sequential()
    for number in range(units):
        unit = _convolution(
            spec,
            outputs if number else inputs,
            outputs,
            ones if number else stride,
            bare=bare and number == units - 1,
        )
        convs.add_module(f"unit{number}", unit)
    if stride != ones:
        residual: nn.Module = CONVS[spec.dimensions](inputs, outputs, spec.kernels[0], stride, _same(spec))
    elif inputs != outputs:
        residual = CONVS[spec.dimensions](inputs, outputs, 1, 1, 0)
    else:
        residual = nn.Identity()
    return _Residual(convs, residual)


def _convolution(
    spec: NetworkSpec, inputs: int, outputs: int, stride: Sizes, *, bare: bool = False
) -> nn.Module:
    conv = CONVS[spec.dimensions](
        inputs, outputs, kernel_size=spec.kernels[0], stride=stride, padding=_same(spec)
    )
    return _with_norm(spec, conv, outputs, bare=bare)


def _with_norm(spec: NetworkSpec, conv: nn.Module, outputs: int, *, bare: bool) -> nn.Module:
    found = nn.Sequential()
    found.add_module("conv", conv)
    if not bare:
        after = nn.Sequential()
        after.add_module("N", norm_layer(spec, outputs))
        after.add_module("D", nn.Dropout(spec.dropout))
        after.add_module("A", nn.PReLU())
        found.add_module("adn", after)
    return found


def _same(spec: NetworkSpec) -> Sizes:
    return tuple((size - 1) // 2 for size in spec.kernels[0])
