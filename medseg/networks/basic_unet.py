"""The network of the architecture `basic_unet`: MONAI's BasicUNet, weight for weight, of plain torch modules.

Two convolutions per level, five levels, pooled maxima in between (Falk et al. 2019, doi 10.1038/s41592-018-0261-2).
"""

import torch
from torch import Tensor, nn

from medseg.domain.network import NetworkSpec
from medseg.networks.layers import CONVS, MAXIMA, TRANSPOSED, norm_layer

__all__ = ["BasicUNet"]

LEVELS = 5


class BasicUNet(nn.Module):
    """Features of five levels, and as a sixth number those after the last step up.

    Raises
    ------
    ValueError
        If there are other than five levels and one more number.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        *levels, last = spec.filters
        if len(levels) != LEVELS:
            raise ValueError(f"a basic_unet has {LEVELS} levels, and features after the last step up")
        self.conv_0 = _two(spec, spec.in_channels, levels[0])
        for level in range(1, LEVELS):
            self.add_module(f"down_{level}", _down(spec, levels[level - 1], levels[level]))
        for level in range(LEVELS - 1, 0, -1):
            is_top = level == 1
            risen = levels[level] if is_top else levels[level] // 2
            outputs = last if is_top else levels[level - 1]
            self.add_module(f"upcat_{level}", _Up(spec, levels[level], risen, levels[level - 1], outputs))
        self.final_conv = CONVS[spec.dimensions](last, spec.out_channels, 1)

    def forward(self, values: Tensor) -> Tensor:
        """(N, C, *window) → (N, L, *window) logits."""
        skips = [self.conv_0(values)]
        for level in range(1, LEVELS):
            skips.append(self.get_submodule(f"down_{level}")(skips[-1]))
        values = skips[-1]
        for level in range(LEVELS - 1, 0, -1):
            values = self.get_submodule(f"upcat_{level}")(values, skips[level - 1])
        logits: Tensor = self.final_conv(values)
        return logits


class _Up(nn.Module):
    """To twice the extents, with what was seen there on the way down."""

    def __init__(self, spec: NetworkSpec, inputs: int, risen: int, skipped: int, outputs: int) -> None:
        super().__init__()
        self.upsample = nn.Sequential()
        self.upsample.add_module("deconv", TRANSPOSED[spec.dimensions](inputs, risen, 2, 2))
        self.convs = _two(spec, skipped + risen, outputs)

    def forward(self, values: Tensor, skip: Tensor) -> Tensor:
        found: Tensor = self.convs(torch.cat([skip, self.upsample(values)], dim=1))
        return found


def _down(spec: NetworkSpec, inputs: int, outputs: int) -> nn.Module:
    found = nn.Sequential()
    found.add_module("max_pooling", MAXIMA[spec.dimensions](2))
    found.add_module("convs", _two(spec, inputs, outputs))
    return found


def _two(spec: NetworkSpec, inputs: int, outputs: int) -> nn.Module:
    found = nn.Sequential()
    for number in range(2):
        one = nn.Sequential()
        conv = CONVS[spec.dimensions](outputs if number else inputs, outputs, 3, padding=1, bias=spec.bias)
        one.add_module("conv", conv)
        after = nn.Sequential()
        after.add_module("N", norm_layer(spec, outputs))
        after.add_module("A", nn.LeakyReLU(spec.negative_slope, inplace=True))
        one.add_module("adn", after)
        found.add_module(f"conv_{number}", one)
    return found
