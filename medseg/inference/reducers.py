"""What becomes of slabs: labels on the native grid, and outputs that are kept on the model grid."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.domain.recipe import Decision
from medseg.errors import ModelError
from medseg.inference.disk import forget_pages
from medseg.inference.ensemble import ACTIVATIONS
from medseg.inference.memory import MOST_CHUNK_BYTES
from medseg.inference.stream import Slab

__all__ = [
    "TO_FACES",
    "AxisWeights",
    "KeptOutputs",
    "LabelsOnNative",
    "Reducer",
    "labels_on_native",
    "lines_between",
    "regions_written",
]

Reach: TypeAlias = Sequence[tuple[float, float]]
#: What is decided where a card says nothing else.
_USUAL = Decision()
#: Grids that lean against each other by more than this (voxels over the whole grid) are refused.
LEANS = 1e-3
#: From the centres of the outer voxels to their faces (voxels), and a little for rounding.
AT_FACE = 0.5 + 1e-6
#: That, before and after, along each axis.
TO_FACES = ((AT_FACE, AT_FACE),) * 3
#: The same around a crop whose surroundings are filled with nothing before interpolation (MONAI): almost a voxel.
AROUND_CROP = 1 - 1e-6


class Reducer(Protocol):
    """Eats slabs, from the first plane to the last."""

    def eat(self, slab: Slab) -> None:
        """Take what is needed of a slab, whose values are written over afterwards."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class AxisWeights:
    """Linear interpolation along one axis: of each target index the two source indices, and the second one's weight."""

    lower: NDArray[np.intp]
    upper: NDArray[np.intp]
    weight: NDArray[np.floating[Any]]
    inside: NDArray[np.bool_]

    def is_identity(self, extent: int) -> bool:
        """Whether it changes nothing of an axis of this extent, so that it can be left out."""
        alike = len(self.lower) == extent and not self.weight.any()
        return alike and bool((self.lower == np.arange(extent)).all())

    def part(self, start: int, stop: int) -> "AxisWeights":
        """Of some targets."""
        return AxisWeights(
            self.lower[start:stop], self.upper[start:stop], self.weight[start:stop], self.inside[start:stop]
        )

    def apply(self, values: NDArray[Any], axis: int, first: int = 0) -> NDArray[Any]:
        """Values at the targets; `values` begin with source index `first`."""
        shape = [1] * values.ndim
        shape[axis] = -1
        weight = self.weight.reshape(shape)
        found = values.take(self.lower - first, axis=axis)
        above = values.take(self.upper - first, axis=axis)
        above -= found
        above *= weight
        found += above
        return found


def lines_between(
    source: Grid, native: Grid, *, reach: Reach = TO_FACES
) -> tuple[AxisWeights, AxisWeights, AxisWeights]:
    """Interpolation along each axis from `source` to `native`, whose axes are parallel.

    Beyond the centres of the outer voxels values stay as they are there, up to `reach` voxels before and after
    them.

    Raises
    ------
    ModelError
        If axes are not parallel.
    """
    index_map = np.linalg.inv(source.affine) @ native.affine
    scale = np.diag(np.diag(index_map[:3, :3]))
    if (np.abs(index_map[:3, :3] - scale) @ np.array(native.shape)).max() > LEANS:
        raise ModelError("the model's grid leans against the image's; its axes must be parallel to them")
    first, second, third = (
        _line(index_map[axis, axis], index_map[axis, 3], source.shape[axis], native.shape[axis], reach[axis])
        for axis in range(3)
    )
    return first, second, third


def _line(scale: float, offset: float, source: int, target: int, reach: tuple[float, float]) -> AxisWeights:
    place = scale * np.arange(target) + offset
    if source == target and np.allclose(place, np.arange(target), atol=1e-9):
        place = np.arange(target, dtype=np.float64)
    inside = (place >= -reach[0]) & (place <= source - 1 + reach[1])
    place = np.clip(place, 0, source - 1)
    lower = np.floor(place).astype(np.intp)
    return AxisWeights(lower, np.minimum(lower + 1, source - 1), (place - lower).astype(np.float32), inside)


class LabelsOnNative:
    """Labels on the native grid: each output is interpolated linearly, then the card's rule decides.

    Of classes the largest wins, the first of equals; of regions each that is above the threshold writes its label. A
    native plane is decided once both model planes beside it are there; one class is held at a time. Beyond the model
    grid there is background for certain.

    Parameters
    ----------
    shape
        Of the answer.
    lines
        Interpolation to it along each axis; between grids, see `LabelsOnNative.between`.
    axis
        Along which slabs come.
    values
        Label of each class from the second on; the first is background.
    chunk_bytes
        Of one class on the native planes that are decided at once; labels do not depend on it.
    decision
        The rule.
    rounded_to
        Type to which values are rounded after they were interpolated in double precision; None interpolates as they
        come.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        lines: Sequence[AxisWeights],
        axis: int,
        values: tuple[int, ...],
        *,
        chunk_bytes: int = MOST_CHUNK_BYTES,
        decision: Decision = _USUAL,
        rounded_to: np.dtype[Any] | None = None,
    ) -> None:
        self._along = lines[axis]
        self._across = [line for other, line in enumerate(lines) if other != axis]
        kind = np.uint8 if max(values) < 1 << 8 else np.uint16
        self._values = np.array((0, *values), kind)
        self._decision = decision
        self._outputs = len(decision.order) or len(self._values)
        self._labels = np.zeros(shape, kind)
        self._rounded_to = rounded_to
        self._chunk_bytes = chunk_bytes
        self._view = np.moveaxis(self._labels, axis, 0)
        if self._along.upper[-1] < self._along.upper[0]:
            # Native planes are decided in the order of the slabs, whichever way they are stored.
            self._view, self._along = self._view[::-1], _reversed(self._along)
        self._done = 0
        self._rest: NDArray[np.float32] | None = None
        self._rest_start = 0

    @classmethod
    def between(
        cls,
        source: Grid,
        native: Grid,
        axis: int,
        values: tuple[int, ...],
        *,
        reach: Reach = TO_FACES,
        **how: Any,
    ) -> "LabelsOnNative":
        """From a grid to another one with parallel axes.

        Answers hold up to `reach` voxels beyond the centres of the outer voxels, before and after, along each axis.
        """
        return cls(native.shape, lines_between(source, native, reach=reach), axis, values, **how)

    @property
    def labels(self) -> NDArray[Any]:
        """(I, J, K) label values, once the last slab is eaten."""
        return self._labels

    def eat(self, slab: Slab) -> None:
        """Decide all native planes that lie within what has come."""
        values = slab.values[: self._outputs]
        if self._decision.interpolated == "shares":
            values = ACTIVATIONS[self._decision.activation](values[None])[0]
        ready = int(np.searchsorted(self._along.upper, slab.stop))
        for start, stop in _chunks(self._done, ready, 4 * self._view[0].size, self._chunk_bytes):
            self._decide(values, slab.start, start, stop)
            forget_pages(slab.values)
        self._done = max(ready, self._done)
        if self._done < len(self._view):
            self._keep(values, slab.start, min(int(self._along.lower[self._done]), slab.stop))

    def _keep(self, values: NDArray[np.float32], first: int, start: int) -> None:
        """Planes that later ones are decided with too."""
        rest = [self._rest[:, start - self._rest_start :]] if self._rest is not None and start < first else []
        self._rest = np.concatenate([*rest, values[:, max(start - first, 0) :]], axis=1)
        self._rest_start = start

    def _planes(
        self, values: NDArray[np.float32], number: int, first: int, low: int, high: int
    ) -> NDArray[np.float32]:
        """Model planes of one class, of those kept and those of the slab at hand."""
        there = values[number, max(low - first, 0) : high - first]
        if low >= first:
            return there
        assert self._rest is not None  # noqa: S101 - for the type checker: what is before the slab was kept
        before = self._rest[number, low - self._rest_start : high - self._rest_start]
        return np.concatenate([before, there])

    def _decide(self, values: NDArray[np.float32], first: int, start: int, stop: int) -> None:
        line = self._along.part(start, stop)
        low, high = int(line.lower[0]), int(line.upper[-1]) + 1
        planes = (
            self._on_native(self._planes(values, number, first, low, high), line, low)
            for number in self._decision.sequence or range(len(values))
        )
        winner = self._winner(planes)
        inside = line.inside[:, None, None] & np.logical_and.outer(
            self._across[0].inside, self._across[1].inside
        )
        winner[~inside] = 0
        self._view[start:stop] = winner

    def _winner(self, planes: Iterator[NDArray[np.float32]]) -> NDArray[Any]:
        """Labels of outputs that come one by one."""
        if self._decision.activation == "sigmoid":
            return regions_written(planes, self._decision, self._values.dtype)
        best = next(planes)
        winner = np.zeros(best.shape, self._values.dtype)
        for value, share in zip(self._values[1:], planes, strict=True):
            better = share > best
            winner[better] = value
            np.copyto(best, share, where=better)
        return winner

    def _on_native(self, planes: NDArray[Any], line: AxisWeights, first: int) -> NDArray[Any]:
        if self._rounded_to is None:
            return self._interpolated(planes, line, first)
        return self._interpolated(planes.astype(np.float64), line, first).astype(self._rounded_to)

    def _interpolated(self, planes: NDArray[Any], line: AxisWeights, first: int) -> NDArray[Any]:
        for axis, across in enumerate(self._across, start=1):
            if not across.is_identity(planes.shape[axis]):
                planes = across.apply(planes, axis)
        if not line.weight.any():
            return planes[line.lower - first]
        return line.apply(planes, 0, first)


class KeptOutputs:
    """Some outputs of the network on the model grid, float32.

    Parameters
    ----------
    source
        Model grid.
    outputs
        Which.
    """

    def __init__(self, source: Grid, outputs: Sequence[int]) -> None:
        self.values = {output: np.empty(source.shape, np.float32) for output in outputs}

    def eat(self, slab: Slab) -> None:
        """Copy them."""
        for output, array in self.values.items():
            np.moveaxis(array, slab.axis, 0)[slab.start : slab.stop] = slab.values[output]


def labels_on_native(
    probabilities: NDArray[np.float32], source: Grid, native: Grid, values: tuple[int, ...]
) -> NDArray[Any]:
    """(I, J, K) label values on `native` from (L, …) class probabilities on `source`; see `LabelsOnNative`."""
    reducer = LabelsOnNative.between(source, native, 0, values)
    reducer.eat(Slab(0, 0, probabilities))
    return reducer.labels


def regions_written(planes: Iterator[NDArray[np.float32]], decision: Decision, kind: Any) -> NDArray[Any]:
    """Labels of outputs that come one by one, in the order of the decision: each above the threshold writes its own.

    Later ones write over earlier ones.
    """
    of_logits = decision.average == "logits" and decision.interpolated != "shares"
    threshold = decision.threshold
    if of_logits:
        # In float32, one half is what a sigmoid gives up to here.
        threshold = log(threshold / (1 - threshold)) or 1e-7
    labels: NDArray[Any] | None = None
    for number, share in zip(decision.sequence or range(len(decision.order)), planes, strict=True):
        labels = np.zeros(share.shape, kind) if labels is None else labels
        labels[share > np.float32(threshold)] = decision.order[number]
    assert labels is not None  # noqa: S101 - for the type checker: a decision by sigmoid has outputs
    return labels


def _reversed(line: AxisWeights) -> AxisWeights:
    return AxisWeights(line.lower[::-1], line.upper[::-1], line.weight[::-1], line.inside[::-1])


def _chunks(start: int, stop: int, plane_bytes: int, chunk_bytes: int) -> Iterator[tuple[int, int]]:
    step = max(1, chunk_bytes // plane_bytes)
    for first in range(start, stop, step):
        yield first, min(first + step, stop)
