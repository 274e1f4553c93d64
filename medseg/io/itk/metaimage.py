"""MetaImage headers (`.mha`, `.mhd`), read as they are written. Source of the format: ITK's MetaIO."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid
from medseg.errors import InputError
from medseg.geometry import flip_affine
from medseg.io.itk.stored import ORIENTATION_UNKNOWN, Stored, data_file, put_once, split_extents
from medseg.io.unsized import is_size, unsized_finding, unsized_grid

__all__ = ["parse_metaimage"]

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_LINE = re.compile(rb"\s*([^\s=][^=\n]*?)\s*=\s*([^\n]*)\n")
_MAX_HEADER_BYTES = 1 << 20
_AS_STORED = Finding(
    "metaimage.as_stored",
    "warning",
    "The header gives a slope and an offset for its values, which readers of this format leave out: values are as "
    "they are stored.",
)


def parse_metaimage(path: Path) -> Stored:
    """The header of a MetaImage file.

    Raises
    ------
    InputError
        If it is damaged, or its values are colours or vectors.
    """
    fields, end = _read_fields(path)
    try:
        return _interpret(path, fields, end)
    except KeyError as error:
        raise InputError(f"{path}: the header is damaged (it has no {error.args[0]!r})") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise InputError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
        raise InputError(f"{path}: the header is damaged ({error})") from error


def _read_fields(path: Path) -> tuple[dict[str, str], int]:
    with path.open("rb") as file:
        head = file.read(_MAX_HEADER_BYTES)
    fields: dict[str, str] = {}
    end = 0
    while "ElementDataFile" not in fields:
        found = _LINE.match(head, end)
        if found is None:
            raise InputError(
                f"{path} is cut short or no MetaImage: its header has no end; copy or export it again"
            )
        name, value = (part.decode("utf-8", "replace") for part in found.groups())
        put_once(path, fields, name, value.strip())
        end = found.end()
    return fields, end


def _interpret(path: Path, fields: dict[str, str], end: int) -> Stored:
    if int(fields.get("ElementNumberOfChannels", "1")) != 1:
        raise InputError(
            f"{path} holds {fields['ElementNumberOfChannels']} values per voxel (colours or vectors), which are "
            "no intensities; convert it to one number per voxel"
        )
    sizes = [int(size) for size in fields["DimSize"].split()]
    if int(fields.get("NDims", len(sizes))) != len(sizes):
        raise ValueError(f"NDims is {fields['NDims'][:20]}, and DimSize has {len(sizes)} numbers")
    shape, volumes = split_extents(path, sizes)
    grid, findings = _grid(fields, shape)
    if _is_scaled(fields):
        findings = (*findings, _AS_STORED)
    name = fields["ElementDataFile"]
    file, start = (path, end) if name.upper() == "LOCAL" else (data_file(path, name), 0)
    dtype = _dtype(path, fields)
    compressed = _is_true(fields, "CompressedData")
    start += _skipped(
        fields, file.stat().st_size - start, volumes * math.prod(shape) * dtype.itemsize, compressed
    )
    stored = Stored(
        grid,
        volumes,
        dtype,
        file,
        start,
        "zlib" if compressed else "raw",
        text=not _is_true(fields, "BinaryData", default=True),
        findings=findings,
    )
    stored.require_plausible()
    return stored


def _is_scaled(fields: dict[str, str]) -> bool:
    """Whether physical values are others than those that are stored."""
    slope, offset = (fields.get(f"ElementToIntensityFunction{end}", "") for end in ("Slope", "Offset"))
    return float(slope or 1) != 1 or float(offset or 0) != 0


def _skipped(fields: dict[str, str], available: int, needed: int, compressed: bool) -> int:  # noqa: FBT001
    """Bytes between the header and the voxels: HeaderSize, where -1 says that the voxels end the file."""
    skip = int(fields.get("HeaderSize", "0"))
    if skip < -1:
        raise ValueError(f"HeaderSize is {skip}")
    if skip and compressed:
        raise InputError("packed voxels with a HeaderSize are not read; save it again")
    if skip == -1 and needed > available:
        raise ValueError(f"HeaderSize is -1, and {available} of {needed} bytes of voxels are there")
    return available - needed if skip == -1 else skip


def _grid(fields: dict[str, str], shape: tuple[int, int, int]) -> tuple[Grid, tuple[Finding, ...]]:
    # Elements may be larger or smaller than the step between them, which is what counts.
    named = "ElementSpacing" if "ElementSpacing" in fields else "ElementSize"
    steps = [*_numbers(fields, named), 0.0, 0.0, 0.0][:3]
    matrix = _numbers(fields, "TransformMatrix", "Rotation", "Orientation")
    axes = round(len(matrix) ** 0.5)
    # One row of the matrix per array axis.
    known = axes >= 3 and "?" not in fields.get("AnatomicalOrientation", "")
    columns = np.array(matrix).reshape(axes, axes)[:3, :3].T if known else np.eye(3)
    said = () if known else (ORIENTATION_UNKNOWN,)
    if not all(map(is_size, steps)):
        direction = flip_affine(_affine(columns))[:3, :3] if known else None
        return unsized_grid(shape, direction, orientation_known=known), (unsized_finding(steps), *said)
    if not known:
        return Grid(shape, np.diag([*steps, 1.0]), orientation_known=False), said
    affine = _affine(columns * steps)
    affine[:3, 3] = [*_numbers(fields, "Offset", "Position", "Origin"), 0.0, 0.0, 0.0][:3]
    return Grid(shape, flip_affine(affine)), said


def _affine(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3, :3] = columns
    return affine


def _numbers(fields: dict[str, str], *names: str) -> list[float]:
    """Of one thing that has several names in this format."""
    said = [[float(part) for part in fields[name].split()] for name in names if name in fields]
    if any(other != said[0] for other in said):
        there = " and ".join(name for name in names if name in fields)
        raise ValueError(f"{there} mean one thing, and say another each")
    return said[0] if said else []


def _dtype(path: Path, fields: dict[str, str]) -> np.dtype[Any]:
    name = fields["ElementType"].upper().removesuffix("_ARRAY")
    if name not in _TYPES:
        raise InputError(f"{path}: values of type {name} are not read; save it with a numeric type")
    big = _is_true(fields, "BinaryDataByteOrderMSB") or _is_true(fields, "ElementByteOrderMSB")
    return np.dtype((">" if big else "<") + _TYPES[name])


def _is_true(fields: dict[str, str], name: str, *, default: bool = False) -> bool:
    return fields.get(name, str(default)).strip().lower() in ("true", "1", "yes")
