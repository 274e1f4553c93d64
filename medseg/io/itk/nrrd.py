"""NRRD headers (`.nrrd`, `.nhdr`, `.seg.nrrd`), read as they are written: shear and all.

Source of the format: "Definition of NRRD File Format", teem.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid
from medseg.domain.values import Details
from medseg.errors import InputError
from medseg.geometry import flip_affine
from medseg.io.itk.stored import ORIENTATION_UNKNOWN, Stored, data_file, put_once, split_extents
from medseg.io.masks import LABEL_DETAIL
from medseg.io.stream import Packing
from medseg.io.unsized import is_size, unsized_finding, unsized_grid

__all__ = ["parse_layers", "parse_nrrd"]

_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"), "i8"),
    **dict.fromkeys(
        ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"), "u8"
    ),
    "float": "f4",
    "double": "f8",
}
_PACKINGS: dict[str, Packing] = {
    **dict.fromkeys(("raw", "txt", "text", "ascii"), "raw"),
    **dict.fromkeys(("gz", "gzip"), "gzip"),
    **dict.fromkeys(("bz2", "bzip2"), "bzip2"),
}
#: Signs that turn a named space into RAS; other spaces do not say where the patient's axes are.
_SPACES = {
    "right-anterior-superior": (1, 1, 1),
    "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
    "lps": (-1, -1, 1),
}
_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "µm": 0.001, "μm": 0.001, "micron": 0.001}
_VECTOR = re.compile(r"none|\([^)]*\)")
_MAX_HEADER_BYTES = 1 << 20
#: More layers than this, and the header is damaged: a mask has 65535 labels at most.
_MAX_LAYERS = 65535


def parse_nrrd(path: Path) -> Stored:
    """The header of an NRRD file.

    Raises
    ------
    InputError
        If it is damaged, or its values are colours or vectors.
    """
    return _parsed(path, *_read_fields(path))


def parse_layers(path: Path) -> tuple[Stored, int, dict[str, str]]:
    """Placement, number of layers and `key:=value` pairs of a mask whose first axis may be a list of layers.

    With layers (3D Slicer's overlapping segments), each voxel is a row of so many numbers, in a field
    `layers`; 0 says that there is no such axis.

    Raises
    ------
    InputError
        As for `parse_nrrd`.
    """
    fields, pairs, end = _read_fields(path)
    kinds, steps = fields.get("kinds", "").split(), fields.get("space directions", "")
    sizes = fields.get("sizes", "").split()
    if len(sizes) != 4 or not (kinds[:1] == ["list"] or steps.startswith("none")):
        return _parsed(path, fields, pairs, end), 0, pairs
    count = int(sizes[0]) if sizes[0].isdecimal() else 0
    if not 1 <= count <= _MAX_LAYERS:
        raise InputError(f"{path}: the header is damaged ({sizes[0][:20]} layers)")
    if "byte skip" in fields or "byteskip" in fields or fields.get("encoding") in ("txt", "text", "ascii"):
        raise InputError(f"{path}: layers with a skip or as text are not read; save it with gzip")
    if fields.pop("dimension", "4") != "4":
        raise InputError(f"{path}: the header is damaged (its dimension is not 4, and it has 4 sizes)")
    fields |= {"sizes": " ".join(sizes[1:]), "kinds": " ".join(kinds[1:])}
    fields["space directions"] = steps.removeprefix("none")
    stored = _parsed(path, fields, pairs, end)
    rows = replace(stored, dtype=np.dtype([("layers", stored.dtype, (count,))]))
    rows.require_plausible()
    return rows, count, pairs


def _parsed(path: Path, fields: dict[str, str], pairs: dict[str, str], end: int) -> Stored:
    try:
        return _interpret(path, fields, pairs, end)
    except KeyError as error:
        raise InputError(f"{path}: the header is damaged (it has no {error.args[0]!r})") from error
    except (ValueError, IndexError) as error:
        if isinstance(error, InputError):
            raise InputError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
        raise InputError(f"{path}: the header is damaged ({error})") from error


def _read_fields(path: Path) -> tuple[dict[str, str], dict[str, str], int]:
    with path.open("rb") as file:
        head = file.read(_MAX_HEADER_BYTES)
    found = re.search(rb"\r?\n\r?\n", head)
    end = found.end() if found else len(head)
    lines = head[: found.start() if found else end].decode("utf-8", "replace").splitlines()
    if not lines or not lines[0].startswith("NRRD"):
        raise InputError(f"{path} is no NRRD file: it does not begin with NRRD")
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}
    for line in lines[1:]:
        if line.startswith("#"):
            continue
        if ":=" in line:
            key, _, value = line.partition(":=")
            put_once(path, pairs, key.strip(), value.strip())
        elif ":" in line:
            key, _, value = line.partition(":")
            put_once(path, fields, key.strip().lower().replace("datafile", "data file"), value.strip())
    if found is None and "data file" not in fields:
        raise InputError(f"{path} is cut short: its header has no end; copy or export it again")
    return fields, pairs, end


def _interpret(path: Path, fields: dict[str, str], pairs: dict[str, str], end: int) -> Stored:
    sizes = [int(size) for size in fields["sizes"].split()]
    if int(fields.get("dimension", len(sizes))) != len(sizes):
        raise ValueError(f"dimension {fields['dimension'][:20]} and {len(sizes)} sizes")
    vectors = _vectors(fields, len(sizes))
    _require_scalars(path, fields, sizes, vectors)
    shape, volumes = split_extents(path, sizes)
    encoding = fields["encoding"].lower()
    if encoding not in _PACKINGS:
        raise InputError(f"{path}: encoding {encoding!r} is not read; save it as raw or gzip")
    grid, findings = _grid(fields, vectors, shape)
    file, start = path, end
    if "data file" in fields:
        file, start = data_file(path, fields["data file"]), 0
    stored = Stored(
        grid,
        volumes,
        _dtype(path, fields),
        file,
        start + _skipped(path, fields, file, start, encoding),
        _PACKINGS[encoding],
        encoding in ("txt", "text", "ascii"),
        findings,
        _label_names(pairs),
    )
    stored.require_plausible()
    return stored


def _require_scalars(
    path: Path, fields: dict[str, str], sizes: list[int], vectors: list[NDArray[np.float64] | None]
) -> None:
    kinds = fields.get("kinds", "").lower().split()
    spatial = ("domain", "space", "time", "list", "none", "???")
    odd = [kind for kind in kinds if kind not in spatial]
    if odd:
        raise InputError(
            f"{path} holds {odd[0]} values (colours, vectors or tensors), which are no intensities; "
            "convert it to one number per voxel"
        )
    first = bool(vectors) and vectors[0] is None and any(vector is not None for vector in vectors)
    if first or kinds[:1] == ["list"]:
        raise InputError(
            f"{path} holds {sizes[0]} values per voxel (vectors, or overlapping segments); "
            "convert it to one number per voxel"
        )


def _vectors(fields: dict[str, str], axes: int) -> list[NDArray[np.float64] | None]:
    found = _VECTOR.findall(fields.get("space directions", ""))
    if found and len(found) != axes:
        raise ValueError(f"{len(found)} space directions for {axes} axes")
    return [None if text == "none" else _vector(text) for text in found]


def _vector(text: str) -> NDArray[np.float64]:
    return np.array([float(part) for part in text.strip("() ").split(",")])


def _grid(
    fields: dict[str, str], vectors: list[NDArray[np.float64] | None], shape: tuple[int, int, int]
) -> tuple[Grid, tuple[Finding, ...]]:
    scale, findings = _unit(fields)
    columns = [vector for vector in vectors[:3] if vector is not None]
    name = fields.get("space", "").lower().removesuffix("-time").removesuffix("t")
    if name in _SPACES and len(columns) == 3 and all(len(column) >= 3 for column in columns):
        affine = np.eye(4)
        affine[:3, :3] = np.stack([column[:3] for column in columns], axis=1) * scale
        origin = _vector(fields["space origin"]) if "space origin" in fields else np.zeros(3)
        affine[:3, 3] = origin[:3] * scale
        return Grid(shape, _to_ras(affine, _SPACES[name])), findings
    steps = [float(np.linalg.norm(column)) for column in columns]
    if not steps and "spacings" in fields:
        steps = [float(step) for step in fields["spacings"].split()[:3]]
    steps = [step * scale for step in [*steps, 0.0, 0.0, 0.0][:3]]
    if not all(map(is_size, steps)):
        return unsized_grid(shape), (*findings, unsized_finding(steps), ORIENTATION_UNKNOWN)
    return Grid(shape, np.diag([*steps, 1.0]), orientation_known=False), (*findings, ORIENTATION_UNKNOWN)


def _to_ras(affine: NDArray[np.float64], signs: tuple[int, int, int]) -> NDArray[np.float64]:
    if signs == (1, 1, 1):
        return affine
    if signs == (-1, 1, 1):
        affine[1] *= -1  # LAS is LPS with its second axis turned
    return flip_affine(affine)


def _unit(fields: dict[str, str]) -> tuple[float, tuple[Finding, ...]]:
    units = set(re.findall(r'"([^"]*)"', fields.get("space units", fields.get("units", "")))) - {
        "",
        "none",
        "s",
        "ms",
    }
    if not units or units == {"mm"}:
        return 1.0, ()
    unit = min(units)
    if len(units) > 1 or unit not in _MM:
        message = "The file's unit of length is not known; millimetres were assumed."
        return 1.0, (Finding("nrrd.unit_unknown", "info", message),)
    return _MM[unit], (
        Finding("nrrd.unit_converted", "info", f"Lengths were given in {unit} and converted to millimetres."),
    )


def _dtype(path: Path, fields: dict[str, str]) -> np.dtype[Any]:
    name = fields["type"].lower()
    if name not in _TYPES:
        raise InputError(f"{path}: values of type {name!r} are not read; save it with a numeric type")
    big = fields.get("endian", "little").lower() == "big"
    return np.dtype((">" if big else "<") + _TYPES[name])


def _skipped(path: Path, fields: dict[str, str], file: Path, start: int, encoding: str) -> int:
    lines = int(fields.get("line skip", fields.get("lineskip", "0")))
    count = int(fields.get("byte skip", fields.get("byteskip", "0")))
    if (lines or count) and encoding != "raw":
        raise InputError(f"{path}: packed voxels with a skip are not read; save it in one file")
    if count == -1:
        whole = int(np.prod([int(size) for size in fields["sizes"].split()], dtype=object))
        skip = file.stat().st_size - start - whole * _dtype(path, fields).itemsize
        if skip < 0:
            raise ValueError(f"byte skip is -1, and {-skip} bytes of voxels are not there")
        return skip
    if count < 0 or lines < 0:
        raise ValueError(f"skip of {count} bytes and {lines} lines")
    with file.open("rb") as data:
        data.seek(start)
        for _ in range(lines):
            if not data.readline():
                raise ValueError(f"skip of {lines} lines")
        return data.tell() - start + count


def _label_names(pairs: dict[str, str]) -> Details:
    """Names of the segments of a `.seg.nrrd` (3D Slicer), by label value."""
    names: dict[int, str] = {}
    for key, value in pairs.items():
        found = re.fullmatch(r"Segment(\d+)_LabelValue", key)
        if found and value.isdigit() and int(value):
            number = found.group(1)
            names[int(value)] = pairs.get(f"Segment{number}_Name", f"label {value}")
    unique = len(set(names.values())) == len(names)
    return tuple((f"{LABEL_DETAIL}{value}", names[value]) for value in sorted(names)) if unique else ()
