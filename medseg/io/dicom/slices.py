"""The slices of a series as they were taken: where contours and frames lie among them, and their even grid."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Source
from medseg.domain.source import Verdict
from medseg.errors import InputError
from medseg.geometry.slices import StackVerdict
from medseg.io.dicom.image.headers import Header, read_header
from medseg.io.dicom.image.regular import Stack, even_steps, upright
from medseg.io.dicom.image.volumes import judge_volume, stack_grid

__all__ = ["Slices", "even_finding", "series_slices"]

#: More than half of a place between two slices must be inside: what only one of two far slices shows is not.
_INSIDE = 0.5 + 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """The stored slices of one volume.

    Parameters
    ----------
    grid
        In-plane axes and first position of the slices, and how many there are; its step is right for even ones only.
    verdict
        Of uneven slices (or tilted ones that are to stand upright); None where `grid` is right as it stands.
    """

    grid: Grid
    verdict: StackVerdict | None = None

    def index(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 3) fractional (i, j, k) of RAS+ positions; k counts stored slices, beyond the ends in even steps."""
        index = self.grid.to_index(positions)
        if self.verdict is None or len(self.verdict.offsets) < 2:
            return index
        offsets = self.verdict.offsets
        step = float(np.linalg.norm(self.verdict.step)) * float(np.cos(np.radians(self.verdict.tilt_degrees)))
        place, last = index[:, 2] * step, len(offsets) - 1
        within = np.interp(place, offsets, np.arange(len(offsets), dtype=np.float64))
        beyond = np.minimum(place, 0) / step + np.maximum(place - offsets[last], 0) / step
        return np.column_stack([index[:, :2], within + beyond])

    @property
    def even_grid(self) -> Grid:
        """The grid on which the image lies once it is on a regular one."""
        if self.verdict is None:
            return self.grid
        return self._evened(np.zeros(self.grid.shape, np.float32)).grid

    def even_planes(self, planes: Mapping[int, NDArray[np.bool_]]) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """(k, (I, J)) of a mask on the even grid, from its planes on stored slices: brought there as the image is.

        A place between two slices is inside where more than half of the way between them is: where both show the
        structure, or the nearer one does. Memory: four copies as float32 where the slices are uneven.
        """
        if self.verdict is None:
            yield from planes.items()
            return
        stored = np.zeros(self.grid.shape, np.float32, order="F")
        for k, plane in planes.items():
            stored[:, :, k] = plane
        found = self._evened(stored).array > _INSIDE
        yield from enumerate(np.moveaxis(found, 2, 0))

    def even_values(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """(I, J, K) of values on stored slices, on the even grid, as the image is brought there."""
        values = np.asarray(stored, np.float32)
        return values if self.verdict is None else np.asarray(self._evened(values).array, np.float32)

    def _evened(self, array: NDArray[Any]) -> Stack:
        assert self.verdict is not None  # noqa: S101 - the callers checked
        stack = Stack(array, self.grid, None)
        return upright(stack) if self.verdict.verdict is Verdict.SHEARED else even_steps(stack, self.verdict)


def series_slices(source: Source, *, resample: bool) -> Slices:
    """The slices of a series; uneven ones only where it is to be resampled, as the image must be then.

    Raises
    ------
    InputError
        If they are uneven and `resample` is not asked for, or form no stack.
    """
    uneven = source.verdict in (Verdict.GAP, Verdict.VARIABLE)
    if source.grid is not None and not (resample and source.verdict is Verdict.SHEARED):
        return Slices(source.grid)
    if source.grid is None and not (resample and uneven):
        reason = " ".join(item.message for item in source.findings) or f"verdict {source.verdict.value}"
        hint = "; put it on a regular grid with --resample" if uneven else ""
        raise InputError(
            f"{source.uri} is no regular stack of slices, so masks have no grid: {reason.rstrip('.')}{hint}"
        )
    headers: dict[str, Header] = {}
    for instance in source.instances:
        header = headers.get(instance.file) or read_header(Path(instance.file))
        if header is None or header.fault:
            raise InputError(f"{instance.file} has changed since it was inspected")
        headers[instance.file] = header
    first = headers[source.instances[0].file]
    frames = [headers[item.file].frames[item.frame] for item in source.instances]
    found = judge_volume(frames, (first.rows, first.columns))
    return Slices(source.grid or stack_grid(first, frames[0], found), found)


def even_finding(slices: Slices) -> tuple[Finding, ...]:
    """What a mask says that was drawn on uneven slices and brought onto their even grid."""
    if slices.verdict is None:
        return ()
    text = (
        f"The mask was made on slices that form no regular grid ({slices.verdict.verdict.value}) and was brought "
        "onto one as the image was; between two slices it is where both have it, or the nearer one."
    )
    return (Finding("mask.even", "warning", text),)
