"""The U-Net of the architecture `dynunet`: MONAI's DynUNet, weight for weight, of plain torch modules.

Names of weights and the order in which modules are made and drawn are those of `monai.networks.nets.DynUNet`, which is
nnU-Net's plain form (Isensee et al. 2021, doi 10.1038/s41592-020-01008-z): its weights fit, and the same seed draws the
same ones.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from medseg.domain.network import NetworkSpec
from medseg.networks.blocks import SLOPE, BasicBlock, OutBlock, ResidualBlock, add_dropout
from medseg.networks.layers import TRANSPOSED

__all__ = ["DynUNet"]

Sizes = tuple[int, ...]


class DynUNet(nn.Module):
    """Levels of two convolutions each, instance norm and LeakyReLU; heads at lower levels in training.

    Raises
    ------
    ValueError
        If there are fewer than three levels, or as many heads as levels to go up.
    AssertionError
        If a stride is longer than its kernel.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        if len(spec.kernels) < 3:
            raise ValueError("a dynunet has levels for kernels and strides, and no less than 3")
        filters = spec.filters
        self.input_block = _block(spec, spec.in_channels, filters[0], 0)
        self.downsamples = nn.ModuleList(
            _block(spec, filters[level - 1], filters[level], level) for level in range(1, len(filters) - 1)
        )
        self.bottleneck = _block(spec, filters[-2], filters[-1], len(filters) - 1)
        self.upsamples = nn.ModuleList(_Up(spec, level) for level in range(len(filters) - 1, 0, -1))
        self.output_block = OutBlock(spec, filters[0])
        torch.rand(1)  # MONAI draws one number here, and what is drawn afterwards depends on it
        self.heads = spec.deep_supervision
        if self.heads >= max(1, len(filters) - 1):
            raise ValueError(
                f"{self.heads} levels of deep supervision, and {len(filters) - 1} levels to go up"
            )
        if self.heads:
            self.deep_supervision_heads = nn.ModuleList(
                OutBlock(spec, filters[level + 1]) for level in range(self.heads)
            )
        self.apply(_draw)

    def forward(self, values: Tensor) -> Tensor:
        skips = [self.input_block(values)]
        for down in self.downsamples:
            skips.append(down(skips[-1]))
        values = self.bottleneck(skips[-1])
        levels = []
        for up, skip in zip(self.upsamples, reversed(skips), strict=True):
            values = up(values, skip)
            levels.append(values)
        found: Tensor = self.output_block(values)
        if not (self.training and self.heads):
            return found
        lower = levels[-2::-1]
        more = [head(level) for head, level in zip(self.deep_supervision_heads, lower, strict=False)]
        return torch.stack([found, *(interpolate(one, found.shape[2:]) for one in more)], dim=1)


class _Up(nn.Module):
    """From one level to the next finer one, with what was seen there on the way down."""

    def __init__(self, spec: NetworkSpec, level: int) -> None:
        super().__init__()
        inputs, outputs, stride = spec.filters[level], spec.filters[level - 1], spec.strides[level]
        self.transp_conv = nn.Sequential()
        conv = TRANSPOSED[spec.dimensions](inputs, outputs, kernel_size=stride, stride=stride, bias=False)
        self.transp_conv.add_module("conv", conv)
        add_dropout(self.transp_conv, spec)
        self.conv_block = BasicBlock(spec, 2 * outputs, outputs, spec.kernels[level], (1,) * spec.dimensions)

    def forward(self, values: Tensor, skip: Tensor) -> Tensor:
        found: Tensor = self.conv_block(torch.cat((self.transp_conv(values), skip), dim=1))
        return found


def _block(spec: NetworkSpec, inputs: int, outputs: int, level: int) -> nn.Module:
    kind = ResidualBlock if spec.residual else BasicBlock
    return kind(spec, inputs, outputs, spec.kernels[level], spec.strides[level])


def _draw(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
        nn.init.kaiming_normal_(module.weight, a=SLOPE)
        if module.bias is not None:
            nn.init.constant_(module.bias, 0)
