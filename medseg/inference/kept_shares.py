"""Probabilities that a run was asked to keep: slab by slab, compressed, on the grid of the network."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from medseg.domain import Grid
from medseg.geometry.shares import KeptShares, ShareKeeper
from medseg.inference.ensemble import ACTIVATIONS
from medseg.inference.reducers import Reducer
from medseg.inference.stream import Slab
from medseg.inference.temperature import tempered

__all__ = ["SharesOfLogits", "SharesOfSlabs", "kept_bytes"]

#: Of a share that is kept, at most: what is compressed of a trained network is far smaller.
_BYTES = 2


@dataclass
class SharesOfSlabs:
    """Keeps the shares of all classes.

    Parameters
    ----------
    source, native, axis
        Grid of the network, that of the answer, and the axis of slabs.
    classes
        The first outputs of a slab.
    temperature
        Of the model's probabilities.
    """

    source: Grid
    native: Grid
    axis: int
    classes: int
    temperature: float = 1.0
    _keeper: ShareKeeper = field(init=False)

    def __post_init__(self) -> None:
        self._keeper = ShareKeeper(self.source, self.native, self.axis, self.classes)

    def eat(self, slab: Slab) -> None:
        """Compress what a slab says, a plane of all classes at a time."""
        for plane in range(slab.values.shape[1]):
            shares = tempered(slab.values[: self.classes, plane : plane + 1], self.temperature)
            for number, planes in enumerate(shares):
                self._keeper.add(number, planes)

    @property
    def kept(self) -> KeptShares:
        """Shares of all classes, once the last slab is eaten."""
        return self._keeper.done()


@dataclass(frozen=True)
class SharesOfLogits:
    """Hands on a softmax of what slabs say, a plane at a time, to those that eat shares."""

    classes: int
    eaters: Sequence[Reducer]

    def eat(self, slab: Slab) -> None:
        """Make shares of the outputs of classes."""
        for plane in range(slab.values.shape[1]):
            values = slab.values[None, : self.classes, plane : plane + 1].astype(np.float32)
            shares = ACTIVATIONS["softmax"](values)[0]
            for eater in self.eaters:
                eater.eat(Slab(slab.axis, slab.start + plane, shares))


def kept_bytes(classes: int, voxels: int) -> int:
    """What keeping takes at most, on a grid of so many voxels."""
    return _BYTES * classes * voxels
