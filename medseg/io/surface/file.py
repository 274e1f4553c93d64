"""Surfaces as files: binary STL and binary PLY, in RAS+ mm, and what they say about themselves."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain.labels import Color
from medseg.errors import InputError, OutputError, UnsupportedFormatError
from medseg.geometry import flip_positions
from medseg.io.atomic import staged_file
from medseg.io.names import stem_of, suffix_of
from medseg.masks.surfaces import Surface

__all__ = [
    "SURFACE_SUFFIXES",
    "Space",
    "SurfaceNotes",
    "read_notes",
    "read_surface",
    "stated_space",
    "write_surface",
]

SURFACE_SUFFIXES = (".ply", ".stl")
COORDINATES = "RAS+ mm"
#: Which way x and y grow; 3D Slicer looks for this word in either format, and takes a file without it as LPS.
Space: TypeAlias = Literal["RAS", "LPS"]
_SPACE = "SPACE=RAS"

_STL_HEADER, _STL_FACET = 80, 50
_FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
#: A PLY header is text of a few hundred bytes; a longer one is no header.
_LONGEST_HEADER = 65_536
_PLY_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "<i2", "int16": "<i2",
    "ushort": "<u2", "uint16": "<u2", "int": "<i4", "int32": "<i4", "uint": "<u4", "uint32": "<u4",
    "float": "<f4", "float32": "<f4", "double": "<f8", "float64": "<f8",
}  # fmt: skip
_COUNT = re.compile(r"[0-9]{1,12}")
#: What 3D Slicer and others write into the header of either format.
_SPACES: dict[Space, re.Pattern[bytes]] = {
    "RAS": re.compile(rb"(?:space|coordinates?)\s*[=:]?\s*(?:RAS|right.anterior.superior)", re.IGNORECASE),
    "LPS": re.compile(rb"(?:space|coordinates?)\s*[=:]?\s*(?:LPS|left.posterior.superior)", re.IGNORECASE),
}
#: What `write_surface` says of the label.
_STL_NAME = re.compile(rb"^medseg [^;]*; [^;]*; (.*)", re.DOTALL)
_PLY_NAME = re.compile(rb"^comment label (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SurfaceNotes:
    """What a file says beside its triangles.

    Parameters
    ----------
    name
        Of the label.
    color
        RGB of every vertex (PLY).
    volume_change
        Of a smoothed surface against the measured one, as a share; None says that it is the measured one.
    """

    name: str
    color: Color = (200, 200, 200)
    volume_change: float | None = None

    @property
    def smoothing(self) -> str:
        """One phrase: whether it was smoothed, and at what cost."""
        if self.volume_change is None:
            return "not smoothed"
        return f"smoothed for looking: volume change {100 * self.volume_change:+.2f} %"


def write_surface(surface: Surface, path: str | Path, notes: SurfaceNotes, *, force: bool = False) -> Path:
    """Write a surface as STL or PLY by its suffix; it is read again and compared before it gets its name.

    Positions are float32, RAS+ mm: the STL header and a PLY comment say so. STL holds no colour and no
    shared vertices.

    Raises
    ------
    InputError
        If there is no triangle.
    UnsupportedFormatError
        If the suffix is another.
    OutputError
        If the file exists and may not be replaced, or can't be written.
    """
    path = Path(path)
    if not len(surface.triangles):
        raise InputError(f"{path} is not written: {notes.name} has no voxels, so no surface")
    encode = {".stl": _stl_bytes, ".ply": _ply_bytes}.get(suffix_of(path))
    if encode is None:
        raise _unknown(path)
    with staged_file(path, force=force) as staged:
        staged.write_bytes(encode(surface, notes))
        if not np.array_equal(_corners(read_surface(staged)), _corners(surface)):
            raise OutputError(f"{path} was not written: reading it again gave another surface")
    return path


def stated_space(path: str | Path) -> Space | None:
    """Which way x and y grow, as the file says; None where it does not say it.

    Raises
    ------
    InputError
        If it can't be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = _head(file.read(_LONGEST_HEADER))
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}") from error
    return _stated(head)


def _stated(head: bytes) -> Space | None:
    if COORDINATES.encode() in head:
        return "RAS"
    return next((space for space, words in _SPACES.items() if words.search(head)), None)


def read_surface(path: str | Path, space: Space | None = None) -> Surface:
    """Read a binary STL or a binary little-endian PLY of triangles, in RAS+ mm.

    Positions are turned into RAS+ mm where the header or a comment says LPS, as 3D Slicer's do (`SPACE=LPS`), or
    where `space` says so of a file that says nothing; else they are taken as RAS+ mm. Equal corners of an STL become
    one vertex.

    Raises
    ------
    UnsupportedFormatError
        If it is an ASCII file, a PLY of other polygons, or has another suffix.
    InputError
        If it is damaged: sizes that do not fit, positions that are not finite, vertices that are not there.
    """
    path = Path(path)
    decode = {".stl": _read_stl, ".ply": _read_ply}.get(suffix_of(path))
    if decode is None:
        raise _unknown(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}") from error
    vertices, triangles = decode(content, path)
    if (_stated(_head(content)) or space) == "LPS":
        vertices = flip_positions(vertices.astype(np.float64))
    try:
        return Surface(vertices, triangles)
    except InputError as error:
        raise InputError(f"{path} is damaged: {error}") from error


def read_notes(path: str | Path) -> SurfaceNotes:
    """Name and colour that a file of `write_surface` says; of another, its stem and no colour of its own.

    Raises
    ------
    InputError
        If it can't be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_HEADER)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}") from error
    head = _head(content)
    found = (_PLY_NAME if content.startswith(b"ply") else _STL_NAME).search(head)
    name = " ".join(found.group(1).decode("ascii", "replace").split()) if found else ""
    own = b"medseg surface" in head and len(content) >= len(head) + 15
    first = content[len(head) + 12 : len(head) + 15] if own else b""
    return (
        SurfaceNotes(name or stem_of(path), (first[0], first[1], first[2]))
        if own
        else SurfaceNotes(name or stem_of(path))
    )


def _head(content: bytes) -> bytes:
    """What either format says in words."""
    if not content.startswith(b"ply"):
        return content[:_STL_HEADER]
    found = content[:_LONGEST_HEADER].find(b"end_header\n")
    return content[: found + len(b"end_header\n")] if found >= 0 else b""


def _stl_bytes(surface: Surface, notes: SurfaceNotes) -> bytes:
    # A binary header must not start with "solid", by which readers know ASCII files.
    header = f"medseg {_SPACE} {COORDINATES}; {notes.smoothing}; {_ascii(notes.name)}".encode()
    facets = np.zeros(len(surface.triangles), _FACET)
    corners = surface.vertices[surface.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    facets["normal"] = np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)
    facets["corners"] = corners
    count = np.array([len(facets)], "<u4")
    return header[:_STL_HEADER].ljust(_STL_HEADER) + count.tobytes() + facets.tobytes()


def _read_stl(content: bytes, path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    start = _STL_HEADER + 4
    count = int.from_bytes(content[_STL_HEADER:start], "little")
    if len(content) < start or len(content) != start + count * _STL_FACET:
        if content[:5].lower() == b"solid":
            raise UnsupportedFormatError(f"{path} is an ASCII STL; save it as binary STL or PLY")
        raise InputError(
            f"{path} is damaged: {len(content)} bytes do not fit a binary STL of {count} triangles"
        )
    corners = np.frombuffer(content, _FACET, offset=start)["corners"].reshape(-1, 3)
    # Bytes tell rows apart faster than three floats do; −0 is 0.
    rows = np.ascontiguousarray(corners + np.float32(0)).view(np.dtype((np.void, 12))).ravel()
    _, first, place = np.unique(rows, return_index=True, return_inverse=True)
    return corners[first], place.reshape(-1, 3)


def _ply_bytes(surface: Surface, notes: SurfaceNotes) -> bytes:
    header = (
        "ply\nformat binary_little_endian 1.0\n"
        f"comment medseg surface, coordinates {COORDINATES} (x to the right, y to the front, z to the head)\n"
        f"comment {_SPACE}\ncomment label {_ascii(notes.name)}\ncomment {notes.smoothing}\n"
        f"element vertex {len(surface.vertices)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\n"
        f"element face {len(surface.triangles)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    vertices = np.zeros(len(surface.vertices), [("at", "<f4", 3), ("color", "u1", 3)])
    vertices["at"], vertices["color"] = surface.vertices, notes.color
    faces = np.zeros(len(surface.triangles), [("count", "u1"), ("corners", "<i4", 3)])
    faces["count"], faces["corners"] = 3, surface.triangles
    return header.encode() + vertices.tobytes() + faces.tobytes()


def _read_ply(content: bytes, path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    head, _, body = content[:_LONGEST_HEADER].partition(b"end_header\n")
    if not content.startswith(b"ply\n") or len(head) == len(content[:_LONGEST_HEADER]):
        raise InputError(f"{path} is damaged: it has no PLY header (lines end in a line feed)")
    start = len(head) + len(b"end_header\n")
    del body
    elements = _ply_elements(head.decode("latin-1"), path)
    (_, count, vertex), (_, faces, face) = elements
    if len(content) != start + count * vertex.itemsize + faces * face.itemsize:
        raise InputError(
            f"{path} is damaged: {len(content) - start} bytes of data do not fit "
            f"{count} vertices and {faces} triangles"
        )
    points = np.frombuffer(content, vertex, count, start)
    corners = np.frombuffer(content, face, faces, start + count * vertex.itemsize)
    if (corners["count"] != 3).any():
        raise UnsupportedFormatError(f"{path} holds polygons that are not triangles; triangulate it first")
    return np.stack([points[axis] for axis in "xyz"], axis=1), corners["corners"].astype(np.int64)


def _ply_elements(header: str, path: Path) -> list[tuple[str, int, np.dtype[Any]]]:
    """Name, count and row type of the two elements: vertices, then triangles."""
    lines = [line.split() for line in header.splitlines()[1:] if line.split()[:1] not in ([], ["comment"])]
    if not lines or lines[0] != ["format", "binary_little_endian", "1.0"]:
        raise UnsupportedFormatError(f"{path} is not a binary little-endian PLY; save it as one")
    elements: list[tuple[str, int, list[Any]]] = []
    for words in lines[1:]:
        if words[0] == "element" and len(words) == 3 and _COUNT.fullmatch(words[2]):
            elements.append((words[1], int(words[2]), []))
        elif words[0] == "property" and elements:
            elements[-1][2].extend(_ply_fields(words[1:], path))
        elif words[0] != "obj_info":
            raise InputError(f"{path} is damaged: header line {' '.join(words)[:60]!r}")
    try:
        found = [(name, count, np.dtype(fields)) for name, count, fields in elements]
    except ValueError as error:
        raise InputError(f"{path} is damaged: a property occurs twice") from error
    if [name for name, *_ in found] != ["vertex", "face"] or not _has_fields(found):
        raise UnsupportedFormatError(f"{path} is not a PLY of vertices (x, y, z) and triangles only")
    return found


def _has_fields(elements: list[tuple[str, int, np.dtype[Any]]]) -> bool:
    (_, _, vertex), (_, _, face) = elements
    return set("xyz") <= set(vertex.names or ()) and face.names == ("count", "corners")


def _ply_fields(words: list[str], path: Path) -> list[Any]:
    if len(words) == 2 and words[0] in _PLY_TYPES:
        return [(words[1], _PLY_TYPES[words[0]])]
    lists = len(words) == 4 and words[0] == "list" and words[3] in ("vertex_indices", "vertex_index")
    if lists and {words[1], words[2]} <= _PLY_TYPES.keys() and "f" not in _PLY_TYPES[words[2]]:
        return [("count", _PLY_TYPES[words[1]]), ("corners", _PLY_TYPES[words[2]], 3)]
    raise InputError(f"{path} is damaged: header property {' '.join(words)[:60]!r}")


def _corners(surface: Surface) -> NDArray[np.float32]:
    corners: NDArray[np.float32] = surface.vertices.astype(np.float32)[surface.triangles]
    return corners


def _ascii(name: str) -> str:
    """A name on one line of a header."""
    return " ".join(name.split()).encode("ascii", "backslashreplace").decode()


def _unknown(path: Path) -> UnsupportedFormatError:
    return UnsupportedFormatError(f"{path} is no surface file; its suffix must be .stl or .ply")
