"""Layers of torch by number of dimensions."""

from typing import Any

from torch import nn

__all__ = ["CONVS", "NORMS", "TRANSPOSED"]

CONVS: dict[int, Any] = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, Any] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORMS: dict[int, Any] = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
