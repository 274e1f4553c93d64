"""The network of the architecture `swin_unetr`: MONAI's SwinUNETR, weight for weight, of plain torch modules.

A transformer of shifted windows (Liu et al. 2021, arXiv 2103.14030) whose stages go up through convolutions
(Hatamizadeh et al. 2022, arXiv 2201.01266; with a residual block before each stage: He et al. 2023, SwinUNETR-V2).
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, pad

from medseg.domain.network import Attention, NetworkSpec
from medseg.networks.blocks import OutBlock
from medseg.networks.layers import CONVS
from medseg.networks.unetr import Encoded, Up

__all__ = ["SwinUNETR"]

Sizes = tuple[int, ...]
#: Voxels of a patch along each axis, and stages of the transformer.
PATCH, STAGES = 2, 4
#: Added to what may not attend to each other.
APART = -100.0
#: Corners of a cube of eight tokens that make one of the next stage, by the name of the rule.
_MERGED: dict[str, tuple[Sizes, ...]] = {
    "merging": (
        *((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)),
        *((1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)),
    ),
    "merging_repeated": (
        *((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)),
        *((1, 0, 1), (0, 1, 0), (0, 0, 1), (1, 1, 1)),
    ),
    "mergingv2": tuple(product(range(2), repeat=3)),
}


class SwinUNETR(nn.Module):
    """Skips of all stages, normalised, and of the windows themselves.

    Raises
    ------
    ValueError
        If there are other than four stages, or heads do not share the features.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        first = spec.filters[0]
        self.swinViT = _Transformer(spec, first)
        self.encoder1 = Encoded(spec, spec.in_channels, first)
        self.encoder2 = Encoded(spec, first, first)
        self.encoder3 = Encoded(spec, 2 * first, 2 * first)
        self.encoder4 = Encoded(spec, 4 * first, 4 * first)
        self.encoder10 = Encoded(spec, 16 * first, 16 * first)
        self.decoder5 = Up(spec, 16 * first, 8 * first)
        self.decoder4 = Up(spec, 8 * first, 4 * first)
        self.decoder3 = Up(spec, 4 * first, 2 * first)
        self.decoder2 = Up(spec, 2 * first, first)
        self.decoder1 = Up(spec, first, first)
        self.out = OutBlock(spec, first)

    def forward(self, windows: Tensor) -> Tensor:
        """(N, C, *window) → (N, L, *window) logits."""
        stages = self.swinViT(windows)
        values = self.decoder5(self.encoder10(stages[4]), stages[3])
        values = self.decoder4(values, self.encoder4(stages[2]))
        values = self.decoder3(values, self.encoder3(stages[1]))
        values = self.decoder2(values, self.encoder2(stages[0]))
        logits: Tensor = self.out(self.decoder1(values, self.encoder1(windows)))
        return logits


class _Transformer(nn.Module):
    def __init__(self, spec: NetworkSpec, first: int) -> None:
        super().__init__()
        attention = spec.attention
        assert attention is not None  # noqa: S101 - for the type checker: a NetworkSpec sees to it
        if not len(attention.heads) == len(spec.encoder_blocks) == STAGES:
            raise ValueError(f"a swin_unetr has {STAGES} stages")
        self.patch_embed = nn.ModuleDict(
            {"proj": CONVS[spec.dimensions](spec.in_channels, first, PATCH, PATCH)}
        )
        features = [first << stage for stage in range(STAGES)]
        for stage, size in enumerate(features):
            self.add_module(f"layers{stage + 1}", nn.ModuleList([_Stage(spec, attention, stage, size)]))
            if attention.convolved:
                self.add_module(f"layers{stage + 1}c", nn.ModuleList([_convolved(spec, size)]))
        self.is_convolved = attention.convolved

    def forward(self, windows: Tensor) -> list[Tensor]:
        """Normalised features of the patches and of each stage."""
        values = self.patch_embed["proj"](windows)
        found = [_normalised(values)]
        for stage in range(1, STAGES + 1):
            if self.is_convolved:
                values = self.get_submodule(f"layers{stage}c.0")(values)
            values = self.get_submodule(f"layers{stage}.0")(values)
            found.append(_normalised(values))
        return found


def _convolved(spec: NetworkSpec, features: int) -> nn.Module:
    return Encoded(replace(spec, norm="instance_plain", residual=True), features, features)


def _normalised(values: Tensor) -> Tensor:
    last = values.movedim(1, -1)
    return layer_norm(last, last.shape[-1:]).movedim(-1, 1)


class _Stage(nn.Module):
    """Blocks whose windows are shifted every other time, then half as many tokens along each axis."""

    def __init__(self, spec: NetworkSpec, attention: Attention, stage: int, features: int) -> None:
        super().__init__()
        self.window = attention.window
        self.blocks = nn.ModuleList(
            _Block(attention, stage, features, shifted=number % 2 == 1)
            for number in range(spec.encoder_blocks[stage])
        )
        self.downsample = _Merging(spec.dimensions, attention.merging, features)

    def forward(self, values: Tensor) -> Tensor:
        tokens = values.movedim(1, -1)
        extents = tokens.shape[1:-1]
        window = tuple(min(pair) for pair in zip(extents, self.window, strict=True))
        # An axis that one window covers is not shifted.
        shift = tuple(
            own // 2 if extent > own else 0 for extent, own in zip(extents, self.window, strict=True)
        )
        apart = _apart(_padded(extents, window), window, shift, values) if any(shift) else None
        for block in self.blocks:
            tokens = block(tokens, window, shift, apart)
        merged: Tensor = self.downsample(tokens)
        return merged.movedim(-1, 1)


class _Block(nn.Module):
    """Attention within windows, then a perceptron, each added to its input."""

    def __init__(self, attention: Attention, stage: int, features: int, *, shifted: bool) -> None:
        super().__init__()
        self.is_shifted = shifted
        self.norm1 = nn.LayerNorm(features)
        self.attn = _Attention(attention, stage, features)
        self.norm2 = nn.LayerNorm(features)
        hidden = attention.hidden[stage]
        self.mlp = nn.ModuleDict(
            {"linear1": nn.Linear(features, hidden), "linear2": nn.Linear(hidden, features)}
        )

    def forward(self, tokens: Tensor, window: Sizes, shift: Sizes, apart: Tensor | None) -> Tensor:
        tokens = tokens + self._attended(self.norm1(tokens), window, shift, apart)
        added: Tensor = tokens + self.mlp["linear2"](gelu(self.mlp["linear1"](self.norm2(tokens))))
        return added

    def _attended(self, tokens: Tensor, window: Sizes, shift: Sizes, apart: Tensor | None) -> Tensor:
        extents = tokens.shape[1:-1]
        whole = _padded(extents, window)
        lack = [size - extent for size, extent in zip(whole, extents, strict=True)]
        tokens = pad(tokens, [0, 0, *(one for size in reversed(lack) for one in (0, size))])
        axes = tuple(range(1, len(extents) + 1))
        moves = self.is_shifted and any(shift)
        if moves:
            tokens = torch.roll(tokens, [-step for step in shift], axes)
        found = self.attn(_split(tokens, window), apart if moves else None)
        tokens = _joined(found, window, (tokens.shape[0], *whole))
        if moves:
            tokens = torch.roll(tokens, list(shift), axes)
        return tokens[(slice(None), *(slice(0, extent) for extent in extents))]


class _Attention(nn.Module):
    """Attention of the tokens of a window, with a bias by how they lie to each other."""

    relative_position_index: Tensor

    def __init__(self, attention: Attention, stage: int, features: int) -> None:
        super().__init__()
        self.heads = attention.heads[stage]
        if features % self.heads:
            raise ValueError(f"{features} features can't be shared by {self.heads} heads")
        spans = [2 * size - 1 for size in attention.window]
        self.relative_position_bias_table = nn.Parameter(torch.zeros(prod(spans), self.heads))
        self.register_buffer("relative_position_index", _offsets(attention.window))
        self.qkv = nn.Linear(features, 3 * features, bias=attention.bias)
        self.proj = nn.Linear(features, features)

    def forward(self, tokens: Tensor, apart: Tensor | None) -> Tensor:
        """(windows, tokens, features) of the same; `apart` is added between tokens."""
        count, length, features = tokens.shape
        parts = self.qkv(tokens).reshape(count, length, 3, self.heads, features // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        index = self.relative_position_index[:length, :length].reshape(-1)
        bias = self.relative_position_bias_table[index].reshape(length, length, -1).permute(2, 0, 1)
        shares = (query * (features // self.heads) ** -0.5) @ key.transpose(-2, -1) + bias
        if apart is not None:
            grouped = shares.view(count // len(apart), len(apart), self.heads, length, length)
            shares = (grouped + apart[:, None]).view(count, self.heads, length, length)
        found: Tensor = self.proj(
            (shares.softmax(dim=-1) @ value).transpose(1, 2).reshape(count, length, features)
        )
        return found


class _Merging(nn.Module):
    """Half as many tokens along each axis, twice as many features."""

    def __init__(self, dimensions: int, kind: str, features: int) -> None:
        super().__init__()
        corners = 1 << dimensions
        self.reduction = nn.Linear(corners * features, 2 * features, bias=False)
        self.norm = nn.LayerNorm(corners * features)
        if dimensions == 2:
            self.corners: tuple[Sizes, ...] = tuple(
                (second, first) for first, second in product(range(2), repeat=2)
            )
        else:
            self.corners = _MERGED[kind]

    def forward(self, tokens: Tensor) -> Tensor:
        odd = [size % 2 for size in tokens.shape[1:-1]]
        tokens = (
            pad(tokens, [0, 0, *(one for size in reversed(odd) for one in (0, size))]) if any(odd) else tokens
        )
        parts = [
            tokens[(slice(None), *(slice(start, None, 2) for start in corner))] for corner in self.corners
        ]
        merged: Tensor = self.reduction(self.norm(torch.cat(parts, dim=-1)))
        return merged


def _offsets(window: Sizes) -> Tensor:
    """(tokens, tokens): where the bias of two tokens of a window stands, by how far they lie apart along each axis."""
    places = torch.stack(torch.meshgrid(*(torch.arange(size) for size in window), indexing="ij")).flatten(1)
    found = torch.zeros(prod(window), prod(window), dtype=torch.int64)
    for axis, size in enumerate(window):
        found = found * (2 * size - 1) + (places[axis][:, None] - places[axis][None] + size - 1)
    return found


def _padded(extents: Sequence[int], window: Sizes) -> Sizes:
    """Extents that windows cover without a rest."""
    return tuple(-(-extent // size) * size for extent, size in zip(extents, window, strict=True))


def _split(tokens: Tensor, window: Sizes) -> Tensor:
    """(N, *extents, features) → (windows, tokens of a window, features)."""
    sizes = [
        part
        for extent, size in zip(tokens.shape[1:-1], window, strict=True)
        for part in (extent // size, size)
    ]
    dimensions = len(window)
    split = tokens.reshape(tokens.shape[0], *sizes, tokens.shape[-1])
    outer = [1 + 2 * axis for axis in range(dimensions)]
    inner = [2 + 2 * axis for axis in range(dimensions)]
    return split.permute(0, *outer, *inner, split.dim() - 1).reshape(-1, prod(window), tokens.shape[-1])


def _joined(found: Tensor, window: Sizes, whole: Sizes) -> Tensor:
    """The way back: (N, *extents, features), with N and extents in `whole`."""
    dimensions = len(window)
    counts = [extent // size for extent, size in zip(whole[1:], window, strict=True)]
    split = found.reshape(whole[0], *counts, *window, found.shape[-1])
    order = [place for axis in range(dimensions) for place in (1 + axis, 1 + dimensions + axis)]
    return split.permute(0, *order, split.dim() - 1).reshape(*whole, found.shape[-1])


def _apart(whole: Sizes, window: Sizes, shift: Sizes, like: Tensor) -> Tensor:
    """(windows, tokens, tokens): what is added between tokens that only the shift has brought together."""
    regions = torch.zeros((1, *whole, 1), device=like.device)
    sides = [
        (slice(-size), slice(-size, -step), slice(-step, None))
        for size, step in zip(window, shift, strict=True)
    ]
    for number, box in enumerate(product(*sides)):
        regions[(slice(None), *box)] = number
    of_token = _split(regions, window)[..., 0]
    differs = of_token[:, None] != of_token[:, :, None]
    return differs * APART
