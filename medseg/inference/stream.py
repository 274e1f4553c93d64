"""The loop: windows of an array → slabs in which every window has had its say.

Windows run row after row along one axis. Once a row is done, nothing will change the planes before the next row's
first one: they are divided by the weights that they got, handed over, and forgotten. Only planes that later windows
still reach are held, so memory does not grow with the length of a scan.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Run
from medseg.domain.values import as_details
from medseg.inference.backends import BackendMemoryError
from medseg.inference.disk import forget_pages, zeros_on_disk
from medseg.inference.ensemble import Predictor
from medseg.inference.windows import Tiling, stream_axis

__all__ = ["Slab", "SlabStream"]


@dataclass(frozen=True, slots=True, eq=False)
class Slab:
    """Finished planes of all outputs.

    Parameters
    ----------
    axis
        Of the array, along which slabs follow one another.
    start
        Index of the first plane.
    values
        (L, planes, …) float32: outputs, then `axis`, then the other axes in their order.
    """

    axis: int
    start: int
    values: NDArray[np.float32]

    @property
    def stop(self) -> int:
        """Index after the last plane."""
        return self.start + int(self.values.shape[1])


@dataclass
class SlabStream:
    """Windows through a predictor, and slabs out of it.

    Parameters
    ----------
    predictor
        What is averaged over windows.
    tiling
        Windows along the three axes of an array.
    flat
        Axis along which a window is one voxel thick and a 2D network does not see it; None for a 3D network.
    batch
        Windows at once. Too little memory halves it, then the device is left for the CPU; each is a Finding.
    sums
        Type in which weighted outputs and weights are added up; each sum is rounded to it.
    on_disk
        Whether sums lie in a temporary file, where memory is short.
    padding
        What lies around an array that is smaller than a window.
    """

    predictor: Predictor
    tiling: Tiling
    flat: int | None = None
    batch: int = 1
    sums: np.dtype[Any] = np.dtype(np.float32)  # noqa: RUF009 - it never changes
    on_disk: bool = False
    padding: Literal["zeros", "nearest"] = "zeros"
    _known: dict[bytes, NDArray[np.float32]] = field(default_factory=dict)
    _findings: list[Finding] = field(default_factory=list)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What happened on the way."""
        return tuple(dict.fromkeys(self._findings))

    def axis(self, extents: Sequence[int]) -> int:
        """Axis along which slabs come."""
        return self.flat if self.flat is not None else stream_axis(extents, self.tiling.window)

    def run(self, array: NDArray[np.float32], run: Run) -> Iterator[Slab]:
        """Slabs of (C, I, J, K) float32, in order; values hold until the next; cancel is polled per batch."""
        extents = array.shape[1:]
        if self.tiling.placing == "whole":
            one = tuple(1 if axis == self.flat else size for axis, size in enumerate(extents))
            whole = replace(self, tiling=replace(self.tiling, window=one, placing="stepped"))
            yield from whole.run(array, run)
            return
        axis = self.axis(extents)
        before, after = _margins(extents, self.tiling.window)
        if any(after):
            mode: Any = "edge" if self.padding == "nearest" else "constant"
            array = np.pad(array, ((0, 0), *zip(before, after, strict=True)), mode)
        self._known = {}  # threads and exactness may be others than those of an earlier run
        with self.predictor.running(run):
            for start, values in self._rows(array, axis, run):
                yield _cropped(Slab(axis, start, values), before, extents)

    def _rows(
        self, array: NDArray[np.float32], axis: int, run: Run
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """First plane and values of all rows, in order; values are written over when the next ones are asked for."""
        starts = self.tiling.starts(array.shape[1:])
        weights = np.moveaxis(self.tiling.weights(), axis, 0)
        across = list(product(*(places for other, places in enumerate(starts) if other != axis)))
        extents = [self.tiling.window[axis], *(n for other, n in enumerate(array.shape[1:]) if other != axis)]
        told = _Told(run, len(starts[axis]) * len(across), self.batch)
        sums: _Sums | None = None
        for start, after in zip(starts[axis], [*starts[axis][1:], array.shape[axis + 1]], strict=True):
            for place, share in self._row(array, axis, start, across, told):
                sums = sums or _Sums.empty(len(share), extents, self.sums, on_disk=self.on_disk)
                sums.add(share, weights, place)
            assert sums is not None  # noqa: S101 - for the type checker: every row has windows
            yield start, sums.finished(after - start)
            sums.move_on(after - start)
        run.note("windows.all", told.windows)
        run.note("windows.known", told.known)
        self._known = {}

    def _row(
        self, array: NDArray[np.float32], axis: int, start: int, across: list[tuple[int, ...]], told: "_Told"
    ) -> Iterator[tuple[tuple[int, ...], NDArray[np.float32]]]:
        """Place and answer of each window of a row, in order."""
        done = 0
        while done < len(across):
            places = across[done : done + self.batch]
            shares = self._predict(array, axis, start, places, told)
            if shares is not None:
                yield from zip(places, shares, strict=True)
                done += len(places)

    def _predict(
        self, array: NDArray[np.float32], axis: int, start: int, places: list[tuple[int, ...]], told: "_Told"
    ) -> NDArray[np.float32] | None:
        """(N, L, window with `axis` first) of the windows at `places`; None if smaller batches must be tried."""
        told.run.check()
        moved = np.moveaxis(array, axis + 1, 1)
        boxes = [self._box(axis, (start, *place)) for place in places]
        windows = np.stack([moved[box] for box in boxes])
        windows = windows[:, :, 0] if self.flat is not None else np.moveaxis(windows, 2, axis + 2)
        try:
            shares = self._shares(np.ascontiguousarray(windows), told)
        except BackendMemoryError:
            self._step_down()
            return None
        told.more(len(places))
        return shares[:, :, None] if self.flat is not None else np.moveaxis(shares, axis + 2, 2)

    def _shares(self, windows: NDArray[np.float32], told: "_Told") -> NDArray[np.float32]:
        """What the predictor says; of a window of one value, as air is, what it said of the last one of that value.

        On a CPU only, one window at a time: there the same bytes give the same bytes, whatever else is computed.
        """
        value = _value_of_all(windows) if len(windows) == 1 and self.predictor.device == "cpu" else None
        if value is None:
            return self.predictor(windows)
        if value in self._known:
            told.known += 1
        else:
            self._known = {value: self.predictor(windows).copy()}
        return self._known[value]

    def _box(self, axis: int, place: tuple[int, ...]) -> tuple[slice, ...]:
        sizes = [
            self.tiling.window[axis],
            *(size for other, size in enumerate(self.tiling.window) if other != axis),
        ]
        return (
            slice(None),
            *(slice(first, first + size) for first, size in zip(place, sizes, strict=True)),
        )

    def _step_down(self) -> None:
        if self.batch > 1:
            self.batch //= 2
            what = f"windows were computed {self.batch} at a time"
        elif self.predictor.device != "cpu":
            self.predictor.to_cpu()
            what = "the model ran on the CPU"
        else:
            raise MemoryError("there is no room for one window")
        self._findings.append(
            Finding(
                "device.out_of_memory",
                "info",
                f"The accelerator's memory was not enough, so {what}; the result is the same within rounding.",
                as_details(batch=self.batch, device=self.predictor.device),
            )
        )


@dataclass
class _Told:
    """Progress, in batches of the size that the run started with."""

    run: Run
    windows: int
    batch: int
    done: int = 0
    known: int = 0

    def more(self, windows: int) -> None:
        self.done += windows
        total = math.ceil(self.windows / self.batch)
        self.run.progress(math.ceil(self.done / self.batch), total, "windows")


@dataclass
class _Sums:
    """Weighted sums of what windows said, and sums of the weights, over the planes that a row of windows reaches."""

    values: NDArray[np.float32]
    weights: NDArray[np.float32]

    @classmethod
    def empty(cls, outputs: int, extents: Sequence[int], kind: np.dtype[Any], *, on_disk: bool) -> "_Sums":
        """Nothing said yet."""
        shape = (outputs, *extents)
        values = zeros_on_disk(shape, kind) if on_disk else np.zeros(shape, kind)
        return cls(values, np.zeros(extents, kind))

    def add(self, share: NDArray[np.float32], weights: NDArray[np.float32], place: tuple[int, ...]) -> None:
        """What one window said: (L, *window), the axis of the slabs first; all of its planes are held."""
        across = tuple(
            slice(first, first + size) for first, size in zip(place, weights.shape[1:], strict=True)
        )
        for sums, values in zip(self.values, share, strict=True):
            sums[:, *across] += values * weights
        self.weights[:, *across] += weights
        forget_pages(self.values)

    def finished(self, planes: int) -> NDArray[np.float32]:
        """(L, planes, …) means of the first planes, in place."""
        values = self.values[:, :planes]
        for one in values:
            np.divide(one, self.weights[:planes], out=one)
            forget_pages(values)
        return values

    def move_on(self, planes: int) -> None:
        """Forget the first planes."""
        for line in (*self.values, self.weights):
            line[:-planes] = line[planes:] if 2 * planes >= len(line) else line[planes:].copy()
            line[-planes:] = 0
            forget_pages(line)


def _value_of_all(windows: NDArray[np.float32]) -> bytes | None:
    """The bytes of the one value that each channel has in all voxels of a window; None where one has two.

    Compared by bytes: 0 and −0 are two values.
    """
    (window,) = windows
    flat = window.reshape(len(window), -1).view(np.uint32)
    first = flat[:, :1]
    # Most windows show in a few voxels that they are not of one value.
    if (flat[:, :: max(1, flat.shape[1] // 64)] != first).any() or (flat != first).any():
        return None
    return bytes(first.tobytes())


def _margins(extents: Sequence[int], window: Sequence[int]) -> tuple[list[int], list[int]]:
    """Voxels of nothing before and after, along each axis that is shorter than a window."""
    lack = [max(0, size - extent) for extent, size in zip(extents, window, strict=True)]
    return [one // 2 for one in lack], [one - one // 2 for one in lack]


def _cropped(slab: Slab, before: Sequence[int], extents: Sequence[int]) -> Slab:
    """Without what was put around the array; an axis that had something added has one row of windows."""
    others = [other for other in range(len(extents)) if other != slab.axis]
    skip = before[slab.axis]
    planes = slice(skip, skip + extents[slab.axis]) if skip or extents[slab.axis] < slab.stop else slice(None)
    box = (slice(None), planes, *(slice(before[one], before[one] + extents[one]) for one in others))
    return Slab(slab.axis, slab.start, slab.values[box])
