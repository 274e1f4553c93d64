"""The network of the architecture `segresnet`: MONAI's SegResNet, weight for weight, of plain torch modules.

Blocks of norm, ReLU and convolution with skips around them (Myronenko 2018, arXiv 1810.11654, without its autoencoder).
"""

from torch import Tensor, nn

from medseg.domain.network import NetworkSpec
from medseg.networks.layers import CONVS, TRANSPOSED, norm_layer

__all__ = ["SegResNet"]

_LINEAR = {2: "bilinear", 3: "trilinear"}


class SegResNet(nn.Module):
    """Residual blocks down, fewer up, sums instead of joined features.

    Raises
    ------
    ValueError
        If features do not double from level to level, or a level is not halved.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        first, levels = spec.filters[0], len(spec.filters)
        halved = all(set(stride) == {2} for stride in spec.strides[1:])
        if spec.filters != tuple(first << level for level in range(levels)) or not halved:
            raise ValueError("a segresnet doubles its features from level to level, and halves all axes")
        self.convInit = _conv(spec, spec.in_channels, first)
        self.down_layers = nn.ModuleList(_down(spec, level) for level in range(levels))
        above = range(levels - 2, -1, -1)
        self.up_layers = nn.ModuleList(
            nn.Sequential(*(_Block(spec, spec.filters[level]) for _ in range(count)))
            for level, count in zip(above, spec.decoder_blocks, strict=True)
        )
        self.up_samples = nn.ModuleList(_up(spec, level) for level in above)
        self.conv_final = nn.Sequential(
            norm_layer(spec, first),
            nn.ReLU(inplace=True),
            _conv(spec, first, spec.out_channels, kernel=1, bias=True),
        )

    def forward(self, values: Tensor) -> Tensor:
        """(N, C, *window) → (N, L, *window) logits."""
        values = self.convInit(values)
        levels = []
        for down in self.down_layers:
            values = down(values)
            levels.append(values)
        for up, blocks, skip in zip(self.up_samples, self.up_layers, levels[-2::-1], strict=True):
            values = blocks(up(values) + skip)
        logits: Tensor = self.conv_final(values)
        return logits


class _Block(nn.Module):
    """Norm, ReLU and convolution, twice, added to the input."""

    def __init__(self, spec: NetworkSpec, features: int) -> None:
        super().__init__()
        self.norm1 = norm_layer(spec, features)
        self.norm2 = norm_layer(spec, features)
        self.act = nn.ReLU(inplace=True)
        self.conv1 = _conv(spec, features, features)
        self.conv2 = _conv(spec, features, features)

    def forward(self, values: Tensor) -> Tensor:
        found = self.conv1(self.act(self.norm1(values)))
        found = self.conv2(self.act(self.norm2(found)))
        summed: Tensor = found + values
        return summed


def _down(spec: NetworkSpec, level: int) -> nn.Module:
    features = spec.filters[level]
    first = _conv(spec, features // 2, features, stride=2) if level else nn.Identity()
    return nn.Sequential(first, *(_Block(spec, features) for _ in range(spec.encoder_blocks[level])))


def _up(spec: NetworkSpec, level: int) -> nn.Module:
    features = spec.filters[level]
    larger = nn.Sequential()
    if spec.upsample == "deconv":
        larger.add_module("deconv", TRANSPOSED[spec.dimensions](features, features, 2, 2))
    else:
        upsampling = nn.Upsample(scale_factor=2, mode=_LINEAR[spec.dimensions], align_corners=False)
        larger.add_module("upsample_non_trainable", upsampling)
    return nn.Sequential(_conv(spec, spec.filters[level + 1], features, kernel=1), larger)


def _conv(
    spec: NetworkSpec, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, bias: bool = False
) -> nn.Module:
    found = nn.Sequential()
    conv = CONVS[spec.dimensions](inputs, outputs, kernel, stride, (kernel - 1) // 2, bias=bias)
    found.add_module("conv", conv)
    return found
