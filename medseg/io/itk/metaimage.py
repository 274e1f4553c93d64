"""MetaImage headers (`.mha`, `.mhd`), read as they are written. Source of the format: ITK's MetaIO."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from medseg.domain import Finding, Grid
from medseg.errors import InputError
from medseg.geometry import flip_affine
from medseg.io.itk.stored import ORIENTATION_UNKNOWN, Stored, data_file, split_extents

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
        fields[found.group(1).decode("utf-8", "replace")] = found.group(2).decode("utf-8", "replace").strip()
        end = found.end()
    return fields, end


def _interpret(path: Path, fields: dict[str, str], end: int) -> Stored:
    if int(fields.get("ElementNumberOfChannels", "1")) > 1:
        raise InputError(
            f"{path} holds {fields['ElementNumberOfChannels']} values per voxel (colours or vectors), which are "
            "no intensities; convert it to one number per voxel"
        )
    shape, volumes = split_extents(path, [int(size) for size in fields["DimSize"].split()])
    grid, findings = _grid(fields, shape)
    name = fields["ElementDataFile"]
    file, start = (path, end) if name.upper() == "LOCAL" else (data_file(path, name), 0)
    dtype = _dtype(path, fields)
    skip = int(fields.get("HeaderSize", "0"))
    if skip == -1:
        start = file.stat().st_size - volumes * int(np.prod(shape, dtype=object)) * dtype.itemsize
        skip = 0
    stored = Stored(
        grid,
        volumes,
        dtype,
        file,
        max(0, start + skip),
        "zlib" if _is_true(fields, "CompressedData") else "raw",
        text=not _is_true(fields, "BinaryData", default=True),
        findings=findings,
    )
    stored.require_plausible()
    return stored


def _grid(fields: dict[str, str], shape: tuple[int, int, int]) -> tuple[Grid, tuple[Finding, ...]]:
    steps = _numbers(fields, "ElementSpacing", "ElementSize")
    findings: tuple[Finding, ...] = ()
    if not steps:
        message = "The file states no voxel size; 1 mm was assumed."
        findings = (Finding("spacing.unknown", "warning", message),)
    spacing = np.abs([*steps, 1.0, 1.0, 1.0][:3])
    matrix = _numbers(fields, "TransformMatrix", "Rotation", "Orientation")
    axes = round(len(matrix) ** 0.5)
    if axes < 3 or "?" in fields.get("AnatomicalOrientation", ""):
        return Grid(shape, np.diag([*spacing, 1.0]), orientation_known=False), (
            *findings,
            ORIENTATION_UNKNOWN,
        )
    # One row of the matrix per array axis.
    columns = np.array(matrix).reshape(axes, axes)[:3, :3].T
    affine = np.eye(4)
    affine[:3, :3] = columns * spacing
    affine[:3, 3] = [*_numbers(fields, "Offset", "Position", "Origin"), 0.0, 0.0, 0.0][:3]
    return Grid(shape, flip_affine(affine)), findings


def _numbers(fields: dict[str, str], *names: str) -> list[float]:
    text = next((fields[name] for name in names if name in fields), "")
    return [float(part) for part in text.split()]


def _dtype(path: Path, fields: dict[str, str]) -> np.dtype[Any]:
    name = fields["ElementType"].upper().removesuffix("_ARRAY")
    if name not in _TYPES:
        raise InputError(f"{path}: values of type {name} are not read; save it with a numeric type")
    big = _is_true(fields, "BinaryDataByteOrderMSB") or _is_true(fields, "ElementByteOrderMSB")
    return np.dtype((">" if big else "<") + _TYPES[name])


def _is_true(fields: dict[str, str], name: str, *, default: bool = False) -> bool:
    return fields.get(name, str(default)).strip().lower() in ("true", "1", "yes")
