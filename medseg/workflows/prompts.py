"""Prompts as files, and as what a mask says: where it is sure of an object, and where of its surroundings."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from medseg.domain import Grid, Prompts, Segmentation
from medseg.domain.prompts import Stroke
from medseg.domain.texts import plain_json
from medseg.errors import InputError
from medseg.io.atomic import write_bytes
from medseg.io.plain import read_plain
from medseg.masks.contours import Outline, outlines, slice_axis
from medseg.masks.distances import depth_of
from medseg.masks.fractions import bounds, crop
from medseg.masks.morphology import grown

__all__ = ["prompts_of_mask", "read_prompts", "write_prompts"]

#: Slices of a mask that are marked, at most: a solver fills what lies between them.
_MOST_SLICES = 40


def read_prompts(path: Path) -> Prompts:
    """Prompts of a JSON file.

    Raises
    ------
    InputError
        If it holds none.
    """
    try:
        return TypeAdapter(Prompts).validate_json(plain_json(read_plain(path)))
    except ValidationError as error:
        raise InputError(f"{path} holds no prompts: {error.errors()[0]['msg']}") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} holds no prompts: {error}") from error


def write_prompts(prompts: Prompts, path: Path, *, force: bool = False) -> None:
    """Write prompts as JSON; read back they give the same mask with the same segmenter and image.

    Raises
    ------
    OutputError
        If the file exists and may not be replaced, or can't be written.
    """
    write_bytes(path, TypeAdapter(Prompts).dump_json(prompts, indent=1) + b"\n", force=force)


def prompts_of_mask(mask: Segmentation, margin_mm: float = 4.0) -> Prompts:
    """A mask as prompts, so that a prompted segmenter finds its boundary anew, within a margin to either side.

    Parameters
    ----------
    mask
        Each label becomes an object.
    margin_mm
        Voxels of a label farther than this from what is not it are marked as the object; those between one and two
        margins outside of all labels as what is no object. A label that is thinner is marked at its deepest voxels.

    Returns
    -------
    Lassos on at most forty slices of each label.

    Raises
    ------
    InputError
        If the mask is empty.
    """
    if not mask.labels.any():
        raise InputError("this mask is empty, so there is nothing to start from")
    axis = slice_axis(mask.grid)
    strokes: list[Stroke] = []
    box = bounds(mask.labels > 0)
    assert box is not None  # noqa: S101 - the mask is not empty
    reach = tuple(int(np.ceil(2 * margin_mm / step)) + 1 for step in mask.grid.spacing)
    around = grown(box, mask.labels.shape, reach)
    labels, grid = crop(mask.labels, mask.grid, around)
    outside = depth_of(labels == 0, grid.spacing)
    shell = (outside > margin_mm) & (outside <= 2 * margin_mm)
    strokes += _lassos(shell, grid, axis, label=1, positive=False)
    for label in mask.present:
        depth = depth_of(labels == label, grid.spacing)
        sure = depth > min(margin_mm, 0.999 * float(depth.max()))
        strokes += _lassos(sure, grid, axis, label=label, positive=True)
    return Prompts((), (), tuple(strokes))


def _lassos(
    region: NDArray[np.bool_], grid: Grid, axis: int, *, label: int, positive: bool
) -> Iterator[Stroke]:
    """Regions of slices, a lasso for each with all its holes; evenly spread where there are many slices."""
    used = np.flatnonzero(region.any(axis=tuple(other for other in range(3) if other != axis)))
    chosen = used[np.unique(np.linspace(0, len(used) - 1, min(len(used), _MOST_SLICES)).round().astype(int))]
    kept = np.zeros(region.shape, np.bool_)
    np.moveaxis(kept, axis, 0)[chosen] = np.moveaxis(region, axis, 0)[chosen]
    by_slice: dict[int, list[Outline]] = {}
    for outline in outlines(kept, axis):
        by_slice.setdefault(outline.index, []).append(outline)
    for found in by_slice.values():
        # On the edges of voxels, but for those of the image: a seed lies inside it.
        ring = np.clip(_keyhole([item.points for item in found]), -0.49, np.array(grid.shape) - 0.51)
        positions = grid.to_position(ring)
        path = tuple((float(x), float(y), float(z)) for x, y, z in positions)
        yield Stroke(path, 0.0, positive, closed=True, label=label)


def _keyhole(rings: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """One polygon of several: each ring is walked round and left to the first one's start, on bridges without width."""
    start = rings[0][:1]
    return np.concatenate([part for ring in rings for part in (ring, ring[:1], start)])
