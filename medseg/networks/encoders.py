"""U-Nets as nnU-Net builds them, under its names of weights: plain or residual encoder, plain decoder.

nnU-Net keeps each weight under two to four names; here each stands once, under the first of them. Isensee et al. 2021
(nnU-Net, Nat Methods 18:203) and 2024 (nnU-Net revisited, MICCAI) describe the two networks.
"""

import torch
from torch import Tensor, nn

from medseg.domain.network import NetworkSpec
from medseg.networks.layers import CONVS, POOLS, TRANSPOSED, norm_layer

__all__ = ["PlainConvUNet", "ResidualEncoderUNet"]


class _ConvNorm(nn.Module):
    """Convolution of padded windows, norm, and leaky ReLU where it is `active`."""

    def __init__(
        self,
        spec: NetworkSpec,
        channels: tuple[int, int],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        *,
        bias: bool,
        active: bool = True,
    ) -> None:
        super().__init__()
        padding = tuple((size - 1) // 2 for size in kernel)
        self.conv = CONVS[spec.dimensions](*channels, kernel, stride, padding, bias=bias)
        self.norm = norm_layer(spec, channels[1])
        self.active = nn.LeakyReLU(spec.negative_slope, inplace=True) if active else nn.Identity()

    def forward(self, values: Tensor) -> Tensor:
        """Features of the same extents divided by the stride."""
        done: Tensor = self.active(self.norm(self.conv(values)))
        return done


class _Stack(nn.Module):
    """Convolutions one after another; the first one may be strided."""

    def __init__(
        self,
        spec: NetworkSpec,
        channels: tuple[int, int],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        count: int,
    ) -> None:
        super().__init__()
        ones = (1,) * spec.dimensions
        self.convs = nn.Sequential(
            *(
                _ConvNorm(
                    spec,
                    (channels[0] if number == 0 else channels[1], channels[1]),
                    kernel,
                    stride if number == 0 else ones,
                    bias=spec.bias,
                )
                for number in range(count)
            )
        )

    def forward(self, values: Tensor) -> Tensor:
        """Features of the last convolution."""
        done: Tensor = self.convs(values)
        return done


class _Block(nn.Module):
    """Two convolutions and a skip around them; the skip pools where strided and projects where channels change."""

    def __init__(
        self, spec: NetworkSpec, channels: tuple[int, int], kernel: tuple[int, ...], stride: tuple[int, ...]
    ) -> None:
        super().__init__()
        ones = (1,) * spec.dimensions
        self.conv1 = _ConvNorm(spec, channels, kernel, stride, bias=spec.bias)
        self.conv2 = _ConvNorm(spec, (channels[1], channels[1]), kernel, ones, bias=spec.bias, active=False)
        around: list[nn.Module] = [POOLS[spec.dimensions](stride, stride)] if max(stride) > 1 else []
        if channels[0] != channels[1]:
            around.append(_ConvNorm(spec, channels, ones, ones, bias=False, active=False))
        self.skip = nn.Sequential(*around)
        self.active = nn.LeakyReLU(spec.negative_slope, inplace=True)

    def forward(self, values: Tensor) -> Tensor:
        """Sum of both ways, activated."""
        done: Tensor = self.active(self.conv2(self.conv1(values)) + self.skip(values))
        return done


class _Blocks(nn.Module):
    def __init__(
        self,
        spec: NetworkSpec,
        channels: tuple[int, int],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        count: int,
    ) -> None:
        super().__init__()
        ones = (1,) * spec.dimensions
        self.blocks = nn.Sequential(
            _Block(spec, channels, kernel, stride),
            *(_Block(spec, (channels[1], channels[1]), kernel, ones) for _ in range(count - 1)),
        )

    def forward(self, values: Tensor) -> Tensor:
        """Features of the last block."""
        done: Tensor = self.blocks(values)
        return done


class _Encoder(nn.Module):
    """Features of every level, finest first."""

    def __init__(self, spec: NetworkSpec, *, residual: bool) -> None:
        super().__init__()
        ones = (1,) * spec.dimensions
        below = spec.in_channels
        self.stem: nn.Module | None = None
        if residual:
            self.stem = _Stack(spec, (below, spec.filters[0]), spec.kernels[0], ones, 1)
            below = spec.filters[0]
        stages: list[nn.Module] = []
        for filters, kernel, stride, count in zip(
            spec.filters, spec.kernels, spec.strides, spec.encoder_blocks, strict=True
        ):
            sizes = (below, filters)
            if residual:
                stages.append(_Blocks(spec, sizes, kernel, stride, count))
            else:
                stages.append(nn.Sequential(_Stack(spec, sizes, kernel, stride, count)))
            below = filters
        self.stages = nn.Sequential(*stages)

    def forward(self, values: Tensor) -> list[Tensor]:
        """One tensor per level."""
        if self.stem is not None:
            values = self.stem(values)
        found = []
        for stage in self.stages:
            values = stage(values)
            found.append(values)
        return found


class _Decoder(nn.Module):
    """From the coarsest level up; the one output is that of the finest."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        stages, ups = [], []
        levels = len(spec.filters)
        for number, count in enumerate(spec.decoder_blocks):
            level = levels - 2 - number
            above, below = spec.filters[level], spec.filters[level + 1]
            stride = spec.strides[level + 1]
            ups.append(TRANSPOSED[spec.dimensions](below, above, stride, stride, bias=spec.bias))
            ones = (1,) * spec.dimensions
            stages.append(_Stack(spec, (2 * above, above), spec.kernels[level], ones, count))
        self.stages = nn.ModuleList(stages)
        self.transpconvs = nn.ModuleList(ups)
        last = CONVS[spec.dimensions](spec.filters[0], spec.out_channels, 1)
        self.seg_layers = nn.ModuleDict({str(levels - 2): last})

    def forward(self, levels: list[Tensor]) -> Tensor:
        """Logits of the finest level."""
        values = levels[-1]
        for up, stage, skip in zip(self.transpconvs, self.stages, levels[-2::-1], strict=True):
            values = stage(torch.cat((up(values), skip), 1))
        logits: Tensor = next(iter(self.seg_layers.values()))(values)
        return logits


class _UNet(nn.Module):
    def __init__(self, spec: NetworkSpec, *, residual: bool) -> None:
        super().__init__()
        self.encoder = _Encoder(spec, residual=residual)
        self.decoder = _Decoder(spec)

    def forward(self, windows: Tensor) -> Tensor:
        """(N, C, *window) → (N, L, *window) logits."""
        logits: Tensor = self.decoder(self.encoder(windows))
        return logits


class PlainConvUNet(_UNet):
    """Stacks of convolutions down, transposed convolutions up."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__(spec, residual=False)


class ResidualEncoderUNet(_UNet):
    """A stem and residual blocks down, transposed convolutions up."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__(spec, residual=True)
