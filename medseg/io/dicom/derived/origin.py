"""Headers of the images that a derived object refers to, read again and checked."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Source
from medseg.errors import GridMismatchError, InputError
from medseg.geometry import Agreement, AxisOrder
from medseg.geometry.compare import GridComparison
from medseg.geometry.place import match_order
from medseg.io.dicom.opened import open_dicom

__all__ = ["Origin", "lies_on_series", "on_origin", "read_headers", "read_origin", "series_slice"]

#: A point this near to the middle of a slice lies in it.
_IN_SLICE_MM = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """One series: its headers without pixels, and where each slice stands.

    Parameters
    ----------
    datasets
        One pydicom dataset per file, in k order; a multi-frame object is one dataset.
    slices
        Per k: (index into `datasets`, frame number from 0).
    grid
        The series' grid, as it was read.
    """

    datasets: tuple[Any, ...]
    slices: tuple[tuple[int, int], ...]
    grid: Grid

    @property
    def first(self) -> Any:
        """The header that patient and study are taken from."""
        return self.datasets[0]

    @property
    def is_multiframe(self) -> bool:
        """Whether one object holds all slices."""
        return len(self.datasets) < len(self.slices)


def read_origin(source: Source) -> Origin:
    """Headers of a Source's slices, checked against the UIDs that it names.

    Raises
    ------
    InputError
        If the source is no regular DICOM stack, a file is gone, or holds another object than when it was read.
    """
    if source.format != "dicom" or not source.instances:
        raise InputError(f"{source.uri} is no DICOM series, so nothing can refer to it; give --dicom FOLDER")
    if source.grid is None or source.grid.unit == "px":
        raise InputError(f"{source.uri} is no regular stack of slices in the patient")
    headers = read_headers(source)
    place = {file: number for number, file in enumerate(headers)}
    slices = tuple((place[item.file], item.frame) for item in source.instances)
    return Origin(tuple(headers.values()), slices, source.grid)


def read_headers(source: Source) -> dict[str, Any]:
    """File → its header without pixels, in k order, checked against the UIDs that a DICOM Source names.

    Raises
    ------
    InputError
        If a file is gone, holds another object than when it was read, or bears the UID of another one.
    """
    headers: dict[str, Any] = {}
    named: dict[str, str] = {}
    for item in source.instances:
        if item.file not in headers:
            headers[item.file] = _header(Path(item.file))
        if item.uid and str(headers[item.file].get("SOPInstanceUID", "")) != item.uid:
            raise InputError(
                f"{Path(item.file).name} holds another object than when it was read; read it again"
            )
        if item.uid and (other := named.setdefault(item.uid, item.file)) != item.file:
            raise InputError(
                f"{Path(other).name} and {Path(item.file).name} bear one SOPInstanceUID, so nothing can refer to one "
                "of them; export them again from where they come from"
            )
    return headers


def on_origin(array: NDArray[Any], grid: Grid, origin: Origin) -> NDArray[Any]:
    """An array (…, I, J, K) on the origin's grid: as it is, or with axes flipped and permuted back; no resampling.

    A NIfTI made from the series often stores its voxels in another order.

    Raises
    ------
    GridMismatchError
        If the voxels are not those of the series; the message names the likely fault.
    """
    order, compared = _matched(grid, origin.grid)
    if compared.agreement is Agreement.OTHER:
        raise GridMismatchError(f"the mask does not lie on the voxels of the DICOM series: {compared.fault}")
    return np.asarray(order.apply(array))


def series_slice(points_mm: NDArray[Any], origin: Origin) -> int | None:
    """The slice k of a series that all points (N, 3), RAS mm, lie in; None if there is none."""
    grid = origin.grid
    k = grid.to_index(points_mm)[:, 2]
    nearest = round(float(k[0]))
    normal = np.cross(grid.direction[:, 0], grid.direction[:, 1])
    step = abs(float(normal @ grid.affine[:3, 2]))
    inside = 0 <= nearest < grid.shape[2]
    return nearest if inside and np.abs(k - nearest).max() * step <= _IN_SLICE_MM else None


def lies_on_series(grid: Grid, series: Grid) -> bool:
    """Whether a mask's voxels are those of a series, in whatever axis order."""
    return _matched(grid, series)[1].agreement is not Agreement.OTHER


def _matched(grid: Grid, series: Grid) -> tuple[AxisOrder, GridComparison]:
    return match_order(_anywhere(grid), _anywhere(series))


def _anywhere(grid: Grid) -> Grid:
    """The grid without its frame of reference: a NIfTI names none."""
    return replace(grid, frame_of_reference=None)


def _header(path: Path) -> Any:
    from pydicom.errors import InvalidDicomError

    try:
        return open_dicom(path, pixels=False)
    except FileNotFoundError as error:
        raise InputError(f"{path} is not there any more") from error
    except (OSError, InvalidDicomError) as error:
        raise InputError(f"{path.name} can't be read again: {error}") from error
