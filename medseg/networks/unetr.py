"""The network of the architecture `unetr`: MONAI's UNETR, weight for weight, of plain torch modules.

A transformer over patches of 16 voxels, whose hidden states go up through convolutions (Hatamizadeh et al. 2022, WACV,
arXiv 2103.10504).
"""

from math import prod

import torch
from torch import Tensor, nn

from medseg.domain.network import Attention, NetworkSpec
from medseg.networks.blocks import BasicBlock, OutBlock, ResidualBlock
from medseg.networks.layers import CONVS, TRANSPOSED

__all__ = ["UNETR", "Encoded", "Up"]

#: Voxels of a patch along each axis, and blocks of the transformer.
PATCH, DEPTH = 16, 12
#: After how many blocks hidden states are taken for the skips.
TAKEN = (4, 7, 10)


class UNETR(nn.Module):
    """Takes windows of one size only: each patch has a place of its own.

    Raises
    ------
    ValueError
        If the window is no multiple of patches, or heads do not share the features.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        assert spec.attention is not None  # noqa: S101 - for the type checker: a NetworkSpec sees to it
        hidden, features = spec.filters[-1], spec.filters[:-1]
        self.vit = _Transformer(spec, spec.attention, hidden)
        self.encoder1 = Encoded(spec, spec.in_channels, features[0])
        self.encoder2 = _Risen(spec, hidden, features[1], 2)
        self.encoder3 = _Risen(spec, hidden, features[2], 1)
        self.encoder4 = _Risen(spec, hidden, features[3], 0)
        self.decoder5 = Up(spec, hidden, features[3])
        self.decoder4 = Up(spec, features[3], features[2])
        self.decoder3 = Up(spec, features[2], features[1])
        self.decoder2 = Up(spec, features[1], features[0])
        self.out = OutBlock(spec, features[0])

    def forward(self, windows: Tensor) -> Tensor:
        """(N, C, *window) → (N, L, *window) logits."""
        last, (second, third, fourth) = self.vit(windows)
        values = self.decoder5(last, self.encoder4(fourth))
        values = self.decoder4(values, self.encoder3(third))
        values = self.decoder3(values, self.encoder2(second))
        logits: Tensor = self.out(self.decoder2(values, self.encoder1(windows)))
        return logits


class Encoded(nn.Module):
    """A block of convolutions, residual where the specification says so."""

    def __init__(self, spec: NetworkSpec, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = _block(spec, inputs, outputs)

    def forward(self, values: Tensor) -> Tensor:
        found: Tensor = self.layer(values)
        return found


class Up(nn.Module):
    """To twice the extents, with what was seen there on the way down."""

    def __init__(self, spec: NetworkSpec, inputs: int, outputs: int) -> None:
        super().__init__()
        self.transp_conv = _transposed(spec, inputs, outputs)
        self.conv_block = _block(spec, 2 * outputs, outputs)

    def forward(self, values: Tensor, skip: Tensor) -> Tensor:
        found: Tensor = self.conv_block(torch.cat((self.transp_conv(values), skip), dim=1))
        return found


def _transposed(spec: NetworkSpec, inputs: int, outputs: int) -> nn.Module:
    """To twice the extents, without a bias."""
    found = nn.Sequential()
    found.add_module("conv", TRANSPOSED[spec.dimensions](inputs, outputs, 2, 2, bias=False))
    return found


def _block(spec: NetworkSpec, inputs: int, outputs: int) -> nn.Module:
    kind = ResidualBlock if spec.residual else BasicBlock
    return kind(spec, inputs, outputs, (3,) * spec.dimensions, (1,) * spec.dimensions)


class _Risen(nn.Module):
    """Hidden states to the extents of a level."""

    def __init__(self, spec: NetworkSpec, inputs: int, outputs: int, more: int) -> None:
        super().__init__()
        self.transp_conv_init = _transposed(spec, inputs, outputs)
        self.blocks = nn.ModuleList(
            nn.Sequential(_transposed(spec, outputs, outputs), _block(spec, outputs, outputs))
            for _ in range(more)
        )

    def forward(self, values: Tensor) -> Tensor:
        values = self.transp_conv_init(values)
        for block in self.blocks:
            values = block(values)
        return values


class _Transformer(nn.Module):
    def __init__(self, spec: NetworkSpec, attention: Attention, features: int) -> None:
        super().__init__()
        if any(size % PATCH for size in attention.window) or features % attention.heads[0]:
            raise ValueError(f"windows of a unetr are multiples of {PATCH}, and its features of its heads")
        self.extents = tuple(size // PATCH for size in attention.window)
        self.patch_embedding = _Patches(spec, attention, prod(self.extents), features)
        self.blocks = nn.ModuleList(_Block(attention, features) for _ in range(DEPTH))
        self.norm = nn.LayerNorm(features)

    def forward(self, windows: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Hidden states after all blocks, and after some."""
        tokens = self.patch_embedding(windows)
        taken = []
        for number, block in enumerate(self.blocks, start=1):
            tokens = block(tokens)
            if number in TAKEN:
                taken.append(self._placed(tokens))
        return self._placed(self.norm(tokens)), taken

    def _placed(self, tokens: Tensor) -> Tensor:
        """(N, tokens, features) → (N, features, *extents)."""
        return tokens.transpose(1, 2).reshape(tokens.shape[0], tokens.shape[2], *self.extents)


class _Patches(nn.Module):
    """Windows as tokens, each with its place added."""

    def __init__(self, spec: NetworkSpec, attention: Attention, count: int, features: int) -> None:
        super().__init__()
        self.is_matrix = attention.patches == "perceptron"
        if self.is_matrix:
            values = spec.in_channels * PATCH**spec.dimensions
            self.patch_embeddings: nn.Module = nn.Sequential(nn.Identity(), nn.Linear(values, features))
        else:
            self.patch_embeddings = CONVS[spec.dimensions](spec.in_channels, features, PATCH, PATCH)
        self.position_embeddings = nn.Parameter(torch.zeros(1, count, features))

    def forward(self, windows: Tensor) -> Tensor:
        if self.is_matrix:
            found = self.patch_embeddings(_unrolled(windows))
        else:
            found = self.patch_embeddings(windows).flatten(2).transpose(1, 2)
        placed: Tensor = found + self.position_embeddings
        return placed


def _unrolled(windows: Tensor) -> Tensor:
    """(N, C, *window) → (N, patches, values of a patch): voxels of a patch in order, each with all its channels."""
    dimensions = windows.dim() - 2
    sizes = [part for size in windows.shape[2:] for part in (size // PATCH, PATCH)]
    split = windows.reshape(*windows.shape[:2], *sizes)
    outer = [2 + 2 * axis for axis in range(dimensions)]
    inner = [3 + 2 * axis for axis in range(dimensions)]
    ordered = split.permute(0, *outer, *inner, 1)
    return ordered.reshape(len(windows), prod(split.shape[axis] for axis in outer), -1)


class _Block(nn.Module):
    """Attention, then a perceptron, each added to its input."""

    def __init__(self, attention: Attention, features: int) -> None:
        super().__init__()
        self.mlp = nn.ModuleDict(
            {
                "linear1": nn.Linear(features, attention.hidden[0]),
                "linear2": nn.Linear(attention.hidden[0], features),
            }
        )
        self.norm1 = nn.LayerNorm(features)
        self.attn = _Attention(attention, features)
        self.norm2 = nn.LayerNorm(features)
        # MONAI keeps the norm of a cross attention that is not there.
        self.norm_cross_attn = nn.LayerNorm(features)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        found = nn.functional.gelu(self.mlp["linear1"](self.norm2(tokens)))
        added: Tensor = tokens + self.mlp["linear2"](found)
        return added


class _Attention(nn.Module):
    def __init__(self, attention: Attention, features: int) -> None:
        super().__init__()
        self.heads = attention.heads[0]
        self.out_proj = nn.Linear(features, features)
        self.qkv = nn.Linear(features, 3 * features, bias=attention.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        count, length, features = tokens.shape
        parts = self.qkv(tokens).reshape(count, length, 3, self.heads, features // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        shares = (query @ key.transpose(-2, -1) * (features // self.heads) ** -0.5).softmax(dim=-1)
        found: Tensor = self.out_proj((shares @ value).transpose(1, 2).reshape(count, length, features))
        return found
