"""Places in words that need no array: numbers of slices from 1, ends of the scan at which a structure is cut."""

import re

from medseg.domain import Grid, Quantity, Status, Target
from medseg.reporting.index import Index

__all__ = ["cut_words", "plane_text", "slice_text"]

_PLANE = re.compile(r"(?P<name>.*?)\s*\b(?P<axis>[ijk])=(?P<number>\d+)$")
_RESLICED = re.compile(r"axial resliced z=(?P<z>-?\d+(?:\.\d+)?) mm$")
_ENDS = {"R": "right", "L": "left", "A": "front", "P": "back", "S": "head", "I": "foot"}
_OPPOSITE = {"R": "L", "L": "R", "A": "P", "P": "A", "S": "I", "I": "S"}
_BOXES = (
    (Quantity.BOX_MIN_I, Quantity.BOX_MAX_I),
    (Quantity.BOX_MIN_J, Quantity.BOX_MAX_J),
    (Quantity.BOX_MIN_K, Quantity.BOX_MAX_K),
)
_CUT = (Status.TRUNCATED_LOWER_BOUND, Status.TRUNCATED_UNRELIABLE)


def slice_text(index: int, count: int) -> str:
    """A slice as people count it.

    >>> slice_text(57, 120)
    'slice 58 of 120'
    """
    return f"slice {index + 1} of {count}"


def plane_text(plane: str, grid: Grid) -> str:
    """Plane and slice of a Measurement in words; what it doesn't know stays as it stands.

    >>> import numpy as np
    >>> plane_text("axial k=29", Grid((10, 10, 57), np.eye(4)))
    'axial slice 30 of 57'
    """
    resliced = _RESLICED.fullmatch(plane)
    if resliced:
        height = float(resliced["z"])
        return f"resliced, axial at {'S' if height >= 0 else 'I'} {abs(height):.1f} mm"
    found = _PLANE.fullmatch(plane)
    if found is None:
        return plane
    axis = "ijk".index(found["axis"])
    name = found["name"].strip()
    if name in ("", "slice") and grid.shape[axis] == 1:
        return "single slice"
    name = "" if name == "slice" else name
    return f"{name} {slice_text(int(found['number']), grid.shape[axis])}".strip()


def cut_words(index: Index, target: Target, grid: Grid) -> str | None:
    """Where a structure is cut; None where it lies inside the field of view, or where nobody looked."""
    border = index.find(target, Quantity.BORDER_VOXELS)
    if border is None or border.value is None:
        cut = any(item.status in _CUT for item in index.by_target.get(target, ()))
        return "cut by the border of the scan" if cut else None
    if not border.value:
        return None
    ends = _ends(index, target, grid)
    if not ends:
        return "cut by the edge of what was measured"
    return f"cut at the {_joined(ends)} of the scan"


def _ends(index: Index, target: Target, grid: Grid) -> list[str]:
    found = []
    for axis, (low, high) in enumerate(_BOXES):
        if grid.shape[axis] == 1:
            continue
        first, last = index.find(target, low), index.find(target, high)
        if first is not None and first.value == 0:
            found.append(_end(grid, axis, upper=False))
        if last is not None and last.value == grid.shape[axis] - 1:
            found.append(_end(grid, axis, upper=True))
    return found


def _end(grid: Grid, axis: int, *, upper: bool) -> str:
    if grid.unit != "mm" or not grid.orientation_known:
        return f"{'last' if upper else 'first'} {('column', 'row', 'slice')[axis]}"
    letter = grid.orientation[axis]
    return f"{_ENDS[letter if upper else _OPPOSITE[letter]]} end"


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
