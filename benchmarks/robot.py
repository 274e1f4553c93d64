"""The robot user: seeds one after the other, each where a careful person would click next.

The rule. The first seed lies in the centre of the largest missed part, which is the largest part of the reference.
Each later one lies in the centre of the largest error: the largest connected part of what is missed (a positive
seed) or of what is too much (a negative one), whichever is larger. The centre is the voxel farthest from the part's
border in mm; of several the one with the lowest index. Parts touch by faces. A place that holds a seed already gets
none again: the next largest part is taken.

A contour's anchors lie at equal lengths along the longest outline of the slice with most of the reference.
"""

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Prompts
from medseg.domain.prompts import Point
from medseg.masks.components import label_parts
from medseg.masks.contours import outlines, slice_axis

__all__ = ["anchors", "next_seed"]

#: Parts looked at until one is found whose centre holds no seed.
TRIES = 5


def next_seed(
    answer: NDArray[np.bool_], reference: NDArray[np.bool_], grid: Grid, before: Prompts
) -> Point | None:
    """Where the robot clicks next, in world coordinates; None where it sees nothing to correct."""
    taken = {point.position for point in before.points}
    wrong = [(reference & ~answer, True), (answer & ~reference, False)]
    parts = []
    for mask, positive in wrong if before.points else wrong[:1]:
        ids, count = label_parts(mask, 6)
        sizes = np.bincount(ids.ravel(), minlength=count + 1)[1:]
        largest = np.argsort(-sizes, kind="stable")[:TRIES]
        parts += [(-int(sizes[n]), not positive, int(n) + 1, ids) for n in largest]
    for _, negative, number, ids in sorted(parts, key=lambda part: part[:3])[:TRIES]:
        position = _centre(ids == number, grid)
        if position not in taken:
            return Point(position, positive=not negative)
    return None


def anchors(reference: NDArray[np.bool_], grid: Grid, count: int) -> Prompts:
    """So many points around the object, in order along its outline, in world coordinates."""
    axis = slice_axis(grid)
    sizes = reference.sum(axis=tuple(other for other in range(3) if other != axis))
    slot = int(np.argmax(sizes))
    slab = np.zeros_like(reference)
    np.moveaxis(slab, axis, 0)[slot] = np.moveaxis(reference, axis, 0)[slot]
    rings = [grid.to_position(np.vstack([line.points, line.points[:1]])) for line in outlines(slab, axis)]
    along = [np.append(0, np.cumsum(np.linalg.norm(np.diff(ring, axis=0), axis=1))) for ring in rings]
    longest = int(np.argmax([lengths[-1] for lengths in along]))
    ring, lengths = rings[longest], along[longest]
    wanted = np.arange(count) * lengths[-1] / count
    places = np.stack([np.interp(wanted, lengths, ring[:, side]) for side in range(3)], axis=1)
    return Prompts(points=tuple(Point((x, y, z)) for x, y, z in places.tolist()))


def _centre(part: NDArray[np.bool_], grid: Grid) -> tuple[float, float, float]:
    """Position of the voxel farthest from the part's border; the image's rim is border too, a lone slice is not."""
    from scipy.ndimage import distance_transform_edt, find_objects

    box = find_objects(part.astype(np.uint8))[0]
    pad = [(0, 0) if extent == 1 else (1, 1) for extent in part.shape]
    depth = np.round(distance_transform_edt(np.pad(part[box], pad), sampling=grid.spacing), 6)
    index = np.array(np.unravel_index(int(np.argmax(depth)), depth.shape), np.float64)
    index += [one.start - before for one, (before, _) in zip(box, pad, strict=True)]
    first, second, third = grid.to_position(index).tolist()
    return first, second, third
