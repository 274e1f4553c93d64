"""Run lengths of COCO masks: counts of off and on pixels in turn, down the columns; plain or packed as text.

Source of the format: the data format of COCO, and the packing that its own reader (`maskApi`) does; own code.
"""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.errors import InputError

__all__ = ["counts_of", "mask_of", "pack", "unpack"]

_LONGEST = 7  # signs of five bits: more than 2³¹ pixels are in no picture
_PACKED = re.compile(r"[0-o]*")


def mask_of(counts: Any, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(width, height) bool of counts (a list of whole numbers, or packed text).

    Raises
    ------
    InputError
        If they are no counts, or do not add up to the pixels of the shape.

    Examples
    --------
    >>> mask_of([1, 2, 3], (2, 3)).T.astype(int).tolist()
    [[0, 0], [1, 0], [1, 0]]
    """
    runs = unpack(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs):
        raise InputError("run lengths are whole numbers from 0")
    if sum(runs) != shape[0] * shape[1]:
        raise InputError(f"run lengths add up to {sum(runs)} pixels, not {shape[0]} × {shape[1]}")
    on = np.arange(len(runs)) % 2 == 1
    mask: NDArray[np.bool_] = np.repeat(on, np.array(runs, dtype=np.int64)).reshape(shape)
    return mask


def counts_of(mask: NDArray[np.bool_]) -> list[int]:
    """Counts of a (width, height) mask, the first of pixels that are off (0 if the first is on)."""
    flat = mask.reshape(-1)
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *runs] if flat.size and flat[0] else [int(run) for run in runs]


def pack(counts: list[int]) -> str:
    """Counts as text: differences to the count before the last, five bits a sign, the lowest first.

    >>> pack([1, 2, 3]), pack([6, 40, 2, 3])
    ('123', '6X12kN')
    """
    signs: list[str] = []
    for place, count in enumerate(counts):
        rest = count - counts[place - 2] if place > 2 else count
        more = True
        while more:
            bits = rest & 31
            rest >>= 5
            more = rest != (-1 if bits & 16 else 0)
            signs.append(chr(48 + bits + 32 * more))
    return "".join(signs)


def unpack(text: str) -> list[int]:
    """Counts of packed text.

    Raises
    ------
    InputError
        If the text is damaged.

    >>> unpack("6X12kN")
    [6, 40, 2, 3]
    """
    if not _PACKED.fullmatch(text):
        raise InputError("packed run lengths hold signs that they never have")
    counts: list[int] = []
    value = shift = 0
    for sign in text:
        bits = ord(sign) - 48
        value |= (bits & 31) << 5 * shift
        shift += 1
        if shift > _LONGEST:
            raise InputError("packed run lengths hold a number of no picture")
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << 5 * shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise InputError("packed run lengths end within a number")
    return counts
