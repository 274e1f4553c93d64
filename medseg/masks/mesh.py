"""Marching cubes of a mask at level 0.5: its volume, area, Euler number, vertices and triangles.

Every cube of 2×2×2 voxels has one of 256 patterns, so most numbers follow from how often each pattern occurs
and where; no triangle is ever made for them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MeshNumbers", "MeshPatterns", "mesh_of", "mesh_patterns"]

#: Triangles of the 128 patterns without the last corner, three edges each, in base 16: the table of Lorensen
#: and Cline 1987 in the widely printed order of Bourke 1994.
_TABLE = """
- 083 019 183981 12a 08312a 92a029 2832a8a98 3b2 0b28b0 19023b 1b219b98b 3a1ba3 0a108a8ba 3903b9ba9
98aa8b 478 430734 019847 419471731 12a847 34730412a 92a902847 2a9297273794 8473b2 b47b24204
90184723b 47b94b9b2921 3a13ba784 1ba14b1047b4 47890b9bab03 47b4b99ba 954 954083 054150 854835315
12a954 30812a495 52a542402 2a5325354348 95423b 0b208b495 05401523b 21525828b485 a3ba13954
4950818a18ba 54050b5bab03 54858aa8b 978579 930953573 078017157 153357 978957a12 a12950530573
802825857a52 2a5253357 7957893b2 95797292027b 23b018178157 b21b17715 958857a13a3b 5705097b010aba0
ba0b03a50807570 ba57b5 a65 0835a6 9015a6 1831985a6 165261 165126308 965906026 598582526328 23ba65
b08b20a65 01923b5a6 5a61929b298b 63b653513 08b0b50515b6 3b6036065059 65969bb98 5a6478 43047365a
1905a6847 a65197173794 612651478 125526304347 847905065026 739794329596269 3b2784a65 5a647242027b
01947823b5a6 9219b294b7b45a6 8473b53515b6 51b5b610b7b404b 059065036b63847 65969b4797b9 a4964a
4a649a083 a01a60640 83181686461a 149124264 308129249264 024426 832824426 a49a64b23 08228b49a4a6
3b201606461a 64161a48121b8b1 964936913b63 8b1810b61914641 3b6360064 648b68 7a678a89a 0730a709a67a
a671a7178180 a67a71173 126168189867 269291679093739 780706602 732672 23ba68a89867 20727b09767a9a7
1801781a767a23b b21b17a61671 896867916b63136 091b67 7807063b0b60 7b6
"""
#: Pattern whose last triangle PyRadiomics' published values were made without, though its released tables have
#: it. Numbers follow the published values, triangles the table; see docs/decisions/0006-published-shape.md.
_PUBLISHED_WITHOUT = 62
#: Offsets of a cube's corners, and middles of its edges, in that order.
_CORNERS = ((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1))
_EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7))
#: Extents below which twice an index, and one beyond it, is an int16.
_FITS = 16_000
#: Voxels looked at in one go: small enough to stay in the processor's cache.
_SLAB = 1 << 20
#: Cubes looked at in one go.
_CUBES = 1 << 16
#: The three edges that meet in the last corner: every edge of the lattice is one of these in one cube alone.
_OWN_EDGES = (6, 7, 11)


@dataclass(frozen=True, slots=True)
class MeshNumbers:
    """What the surface of a mask measures.

    Parameters
    ----------
    volume, area
        In the cube and the square of the affine's unit (mm³, mm²).
    euler
        Objects minus tunnels plus cavities; objects are 26-connected, what is not the mask 6-connected.
    """

    volume: float
    area: float
    euler: int


@dataclass(frozen=True, slots=True, eq=False)
class MeshPatterns:
    """The cubes of 2×2×2 voxels that the surface passes through.

    Parameters
    ----------
    codes
        (N,) uint8: bit di + 2 dj + 4 dk is set where the voxel at that offset belongs to the mask.
    cubes
        (N, 3) index of each cube's low corner, -1 beside the first voxel of the array; int16 where twice an index fits.
    """

    codes: NDArray[np.uint8]
    cubes: NDArray[np.signedinteger[Any]]

    def numbers(self, affine: NDArray[np.float64]) -> MeshNumbers:
        """Volume, area and Euler number in the affine's unit; zeros for an empty mask.

        Volume is a sum of determinants about the first cube of the box around the mask, as in PyRadiomics:
        that matters where patterns meet with a gap (two voxels of a face on its diagonal).
        """
        tables = _tables()
        counts = np.bincount(self.codes, minlength=256)
        linear = np.asarray(affine, np.float64)[:3, :3]
        volume = float(counts @ tables.determinants)
        for axis in range(3):
            start = self.cubes[:, axis].min(initial=np.iinfo(self.cubes.dtype).max)
            sums = np.zeros(256)  # of whole numbers, so that parts add up to the very same
            for part in (slice(low, low + _CUBES) for low in range(0, len(self.codes), _CUBES)):
                along = self.cubes[part, axis] - start
                sums += np.bincount(self.codes[part], weights=along, minlength=256)
            volume += float(sums @ tables.normals[:, axis])
        area = float(counts @ _areas(linear))
        return MeshNumbers(
            volume / 6 * abs(float(np.linalg.det(linear))), area, round(float(counts @ tables.euler))
        )

    def doubled_vertices(self) -> NDArray[np.signedinteger[Any]]:
        """(M, 3) twice the index of every vertex of the surface, each once."""
        ways = []
        for edge in _OWN_EDGES:
            one, other = (self.codes >> np.uint8(_bit(corner)) & np.uint8(1) for corner in _EDGES[edge])
            ways.append(np.flatnonzero(one != other))
        found = np.empty((sum(map(len, ways)), 3), self.cubes.dtype)
        start = 0
        for edge, here in zip(_OWN_EDGES, ways, strict=True):
            stop = start + len(here)
            np.multiply(self.cubes[here], 2, out=found[start:stop])
            found[start:stop] += _doubled_middles()[edge]
            start = stop
        return found


def mesh_patterns(mask: NDArray[np.bool_]) -> MeshPatterns:
    """Find the surface cubes of a mask (I, J, K); what lies outside the array is not the mask.

    Memory: a few arrays of one slab, and 14 bytes a surface cube while they are put together. The order is that of
    memory.
    """
    flipped = mask.strides[0] < mask.strides[2]
    view = mask.T if flipped else mask
    axes = (2, 1, 0) if flipped else (0, 1, 2)
    whole = np.dtype(np.int16 if max(mask.shape) < _FITS else np.int32)
    codes, cubes = [np.empty(0, np.uint8)], [np.empty((0, 3), whole)]
    for start, slab in _slabs(view):
        found = _codes(slab, axes)
        flat = found.ravel()
        # 0 and 255 are no surface; 0 − 1 wraps round to 255.
        where = np.flatnonzero(flat - np.uint8(1) < 254)
        codes.append(flat[where])
        place = np.empty((where.size, 3), whole)
        for axis, index in zip(axes, np.unravel_index(where, found.shape), strict=True):
            place[:, axis] = index
        place[:, axes[0]] += start
        cubes.append(place - 1)
    return MeshPatterns(np.concatenate(codes), np.concatenate(cubes))


def mesh_of(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Triangles of the surface of a mask.

    Parameters
    ----------
    mask
        (I, J, K) bool.

    Returns
    -------
    vertices, triangles
        (N, 3) float64 fractional indices midway between a voxel inside and one outside, and (M, 3) int32 rows
        of them, counter-clockwise from outside in index space (turn them round where the affine's determinant
        is negative). Both empty for an empty mask.

    Notes
    -----
    Marching cubes (Lorensen and Cline 1987) as PyRadiomics applies it: a cube whose last corner is inside uses
    the triangles of its complement, turned round. Where two voxels touch along an edge alone the two rules may
    meet with a gap of one square; the numbers are PyRadiomics' nonetheless.

    Examples
    --------
    >>> vertices, triangles = mesh_of(np.ones((1, 1, 1), np.bool_))
    >>> len(vertices), len(triangles)
    (6, 8)
    """
    patterns = mesh_patterns(mask)
    corners = []
    for rank in range(5):
        edges = _tables().triangles[patterns.codes, rank]
        here = edges[:, 0] >= 0
        corners.append(2 * patterns.cubes[here].astype(np.int32)[:, None] + _doubled_middles()[edges[here]])
    doubled = np.concatenate(corners).reshape(-1, 3)
    # One number a vertex sorts several times faster than a row of three; places begin at -1.
    sizes = 2 * np.array(mask.shape, np.int64) + 3
    keys = ((doubled[:, 0] + 1) * sizes[1] + doubled[:, 1] + 1) * sizes[2] + doubled[:, 2] + 1
    _, first, rows = np.unique(keys, return_index=True, return_inverse=True)
    return doubled[first] / 2.0, rows.reshape(-1, 3).astype(np.int32)


def _slabs(view: NDArray[np.bool_]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Overlapping slabs of the mask with one layer of zeros around it."""
    first, second, third = (extent + 2 for extent in view.shape)
    step = max(1, _SLAB // (second * third))
    for start in range(0, first - 1, step):
        stop = min(start + step + 1, first)
        slab = np.zeros((stop - start, second, third), np.uint8)
        low, high = max(start, 1), min(stop, first - 1)
        slab[low - start : high - start, 1:-1, 1:-1] = view[low - 1 : high - 1]
        yield start, slab


def _codes(slab: NDArray[np.uint8], axes: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Code of every cube; each array axis sets the bits of the voxel axis it stands for."""
    codes = slab
    for axis, stands_for in enumerate(axes):
        near = tuple(slice(None, -1) if other == axis else slice(None) for other in range(3))
        far = tuple(slice(1, None) if other == axis else slice(None) for other in range(3))
        shifted = codes[far] << np.uint8(1 << stands_for)
        shifted |= codes[near]
        codes = shifted
    return codes


def _bit(corner: int) -> int:
    di, dj, dk = _CORNERS[corner]
    return di + 2 * dj + 4 * dk


@cache
def _doubled_middles() -> NDArray[np.int16]:
    corners = np.array(_CORNERS, np.int16)
    return np.array([corners[one] + corners[other] for one, other in _EDGES], np.int16)


@dataclass(frozen=True, slots=True, eq=False)
class _Tables:
    """Per code: edges of its triangles (256, 5, 3), -1 where there is none; sums over those that numbers count."""

    triangles: NDArray[np.int8]
    counted: NDArray[np.int8]
    determinants: NDArray[np.float64]
    normals: NDArray[np.float64]
    euler: NDArray[np.float64]


@cache
def _tables() -> _Tables:
    triangles = _triangles()
    counted = triangles.copy()
    for pattern in (_PUBLISHED_WITHOUT, _PUBLISHED_WITHOUT ^ 255):
        counted[_code_of(pattern), -1] = -1
    corners = _corners_of(counted)
    used = counted[..., 0] >= 0
    normals = np.cross(corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :])
    determinants = np.where(used, np.linalg.det(corners), 0).sum(axis=1)
    return _Tables(triangles, counted, determinants, (normals * used[..., None]).sum(axis=1), _euler())


def _code_of(pattern: int) -> int:
    """The table counts corners round the cube, the code along the axes."""
    return sum(1 << _bit(corner) for corner in range(8) if pattern >> corner & 1)


def _triangles() -> NDArray[np.int8]:
    rows = _TABLE.split()
    table = np.full((256, 5, 3), -1, np.int8)
    for pattern in range(256):
        code = _code_of(pattern)
        complemented = pattern >= 128
        row = rows[pattern ^ 255 if complemented else pattern].strip("-")
        edges = np.array([int(digit, 16) for digit in row], np.int8).reshape(-1, 3)
        # As printed, triangles face the inside.
        table[code, : len(edges)] = edges if complemented else edges[:, ::-1]
    return table


def _corners_of(triangles: NDArray[np.int8]) -> NDArray[np.float64]:
    corners: NDArray[np.float64] = _doubled_middles()[triangles] / 2.0
    return corners


def _areas(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """(256,) area of each code's triangles under the 3×3 part of an affine."""
    triangles = _tables().counted
    corners = _corners_of(triangles) @ linear.T
    cross = np.cross(corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :])
    sizes: NDArray[np.float64] = np.linalg.norm(cross, axis=-1) / 2
    areas: NDArray[np.float64] = np.where(triangles[..., 0] >= 0, sizes, 0).sum(axis=1)
    return areas


def _euler() -> NDArray[np.float64]:
    """(256,) share of a lattice point in vertices − edges + faces − voxels of the union of closed voxels."""
    code = np.arange(256)
    on: Any = (code[:, None] >> np.arange(8) & 1).reshape(256, 2, 2, 2).astype(bool)
    points = on.any(axis=(1, 2, 3)).astype(float)
    edges = sum(on.any(axis=pair).sum(axis=1) for pair in ((1, 2), (1, 3), (2, 3)))
    faces = sum(on.any(axis=axis).sum(axis=(1, 2)) for axis in (1, 2, 3))
    share: NDArray[np.float64] = points - edges / 2 + faces / 4 - on.sum(axis=(1, 2, 3)) / 8
    return share
