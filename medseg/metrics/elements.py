"""The elements a mask's surface is made of, where they lie and how large they are.

A mask's surface passes the corners where eight voxels meet of which some, not all, are inside. Which of the
eight are inside gives a code from 1 to 254, and the code gives the area of the marching-cubes triangles
around that corner (Lorensen and Cline 1987; the areas per code are those that Nikolov et al. 2018, arXiv
1809.04430, published with their surface-distance package, Apache-2.0). In 2D four pixels meet, and elements
are pieces of a contour with a length.
"""

from functools import cache
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

__all__ = ["contour_lengths", "surface_areas", "surface_elements"]

#: Bit of each of the eight voxels around a corner: the one before it along all axes is the highest.
_BITS = {place: 128 >> (4 * place[0] + 2 * place[1] + place[2]) for place in product((0, 1), repeat=3)}

#: One code of each kind → triangles as normals in eighths of a unit cube, with how often each occurs. All
#: other codes are turned, mirrored or inverted ones of these 14, and their triangles turn with them.
_KINDS: dict[int, tuple[tuple[tuple[int, int, int], int], ...]] = {
    0b00000000: (),
    0b00000001: (((1, 1, 1), 1),),
    0b00000011: (((2, 2, 0), 2),),
    0b00000110: (((1, 1, 1), 2),),
    0b00000111: (((4, 0, 0), 1), ((2, 2, 2), 1), ((1, 1, 1), 1)),
    0b00001111: (((4, 0, 0), 2),),
    0b00010110: (((1, 1, 1), 3),),
    0b00010111: (((1, 1, 1), 2), ((2, 2, 2), 2)),
    0b00011000: (((1, 1, 1), 2),),
    0b00011001: (((0, 2, 2), 2), ((1, 1, 1), 1)),
    0b00011011: (((1, 1, 1), 1), ((3, 3, 3), 1), ((0, 2, 2), 1), ((2, 0, 2), 1)),
    0b00011110: (((4, 0, 0), 1), ((1, 1, 1), 2), ((2, 2, 2), 1)),
    0b00111100: (((2, 2, 0), 4),),
    0b01101001: (((1, 1, 1), 4),),
}


def surface_areas(spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """(256,) area of the surface around a corner by its code, in squared units of `spacing` (mm²).

    A triangle with normal n on the unit cube has the area |(n₀ s₁s₂, n₁ s₀s₂, n₂ s₀s₁)| at spacing s.

    >>> surface_areas((1.0, 2.0, 3.0))[[0, 0b00001111, 255]].tolist()
    [0.0, 6.0, 0.0]
    """
    first, second, third = spacing
    sides = np.array([second * third, first * third, first * second])
    areas = np.linalg.norm(_normals() * sides, axis=2).sum(axis=1)
    result: NDArray[np.float64] = areas
    return result


def contour_lengths(spacing: tuple[float, float]) -> NDArray[np.float64]:
    """(16,) length of the contour around a corner of four pixels by its code, in units of `spacing` (mm).

    One pixel in or out: half a pixel's diagonal. Two across the corner: twice that. Two side by side: the
    pixel's edge between them and the other two.

    >>> contour_lengths((3.0, 4.0))[[0b0001, 0b0110, 0b0011, 0b0101]].tolist()
    [2.5, 5.0, 4.0, 3.0]
    """
    first, second = spacing
    half = 0.5 * float(np.hypot(first, second))
    lengths = np.full(16, half)
    lengths[[0b0110, 0b1001]] = 2 * half
    lengths[[0b0011, 0b1100]] = second
    lengths[[0b0101, 0b1010]] = first
    lengths[[0b0000, 0b1111]] = 0.0
    return lengths


def surface_elements(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Code of every corner of a mask (I, J, K) or (I, J): one more along each axis than there are voxels.

    Corner (i, j, k) lies half a voxel before voxel (i, j, k). Outside the array nothing is inside. Corners
    of code 0, or of all voxels inside, carry no surface. Memory: two bytes per voxel beside the mask.
    """
    codes = np.pad(mask, 1).view(np.uint8)
    for step, axis in enumerate(reversed(range(mask.ndim))):
        before = codes[_along(axis, slice(None, -1))]
        codes = (before << np.uint8(1 << step)) | codes[_along(axis, slice(1, None))]
    return codes


def _along(axis: int, part: slice) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, part)


@cache
def _normals() -> NDArray[np.float64]:
    """(256, 5, 3) sizes of the triangles' normals on the unit cube, zero where a code has fewer."""
    table = np.zeros((256, 5, 3))
    for code, kind in _KINDS.items():
        triangles = np.array([normal for normal, count in kind for _ in range(count)]).reshape(-1, 3) / 8
        for order in permutations(range(3)):
            for flips in product((0, 1), repeat=3):
                turned = _turn(code, order, flips)
                for same in (turned, 255 - turned):
                    table[same, : len(triangles)] = triangles[:, order]
    table.setflags(write=False)
    return table


def _turn(code: int, order: tuple[int, ...], flips: tuple[int, ...]) -> int:
    """The code after its voxels were moved: axis `order[a]` becomes axis a, mirrored where `flips[a]`."""
    places = [place for place, bit in _BITS.items() if code & bit]
    first, second, third = order
    return sum(
        _BITS[place[first] ^ flips[0], place[second] ^ flips[1], place[third] ^ flips[2]] for place in places
    )
