"""Layers of torch by number of dimensions, and those that a specification names."""

from typing import Any

from torch import nn

from medseg.domain.network import NetworkSpec

__all__ = ["CONVS", "MAXIMA", "POOLS", "TRANSPOSED", "norm_layer"]

# Of either dimension: torch's own types name only the tuples of one.
CONVS: dict[int, Any] = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, Any] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
POOLS: dict[int, Any] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}
MAXIMA: dict[int, Any] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
_INSTANCE: dict[int, Any] = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
_BATCH: dict[int, Any] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def norm_layer(spec: NetworkSpec, features: int) -> nn.Module:
    """The norm of a specification for so many features."""
    if spec.norm == "group":
        return nn.GroupNorm(spec.groups, features, eps=spec.norm_eps)
    if spec.norm == "batch":
        batch: nn.Module = _BATCH[spec.dimensions](features, eps=spec.norm_eps)
        return batch
    affine = spec.norm == "instance"
    instance: nn.Module = _INSTANCE[spec.dimensions](features, eps=spec.norm_eps, affine=affine)
    return instance
