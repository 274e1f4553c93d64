"""Objects with numbers: foreground and a predicted distance, decoded by a seeded watershed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.domain.card import Instances, PostStep
from medseg.geometry.resample import resample
from medseg.masks.components import components
from medseg.masks.sizes import SAME_VOLUME
from medseg.masks.split import flood_basins

__all__ = ["decode_instances", "number_objects"]


def decode_instances(
    mask: NDArray[np.bool_], distance_mm: NDArray[np.float32], depth_mm: float
) -> NDArray[np.uint32]:
    """Objects of a foreground, told apart where the distance to their boundary falls between them.

    Parameters
    ----------
    mask
        (I, J, K) bool: the foreground.
    distance_mm
        (I, J, K) float32: of each voxel to the boundary of the object that it lies in, towards neighbours too.
    depth_mm
        An object's maximum rises by at least this much above the pass to a deeper object's.

    Returns
    -------
    (I, J, K) uint32 ids, largest first; every voxel of the mask has one, an empty mask gives zeros.

    Notes
    -----
    Foreground and distance with a seeded watershed: Bai and Urtasun 2017 (Deep watershed transform, CVPR); seeds are
    h-maxima (Soille 2003). Images come in canonical order, so ties do not depend on how a file is stored.
    """
    parts = components(mask).astype(np.uint32)
    found = np.zeros(mask.shape, np.uint32)
    count = 0
    for number, box in _boxes(parts):
        one = parts[box] == number
        basins = flood_basins(one, distance_mm[box], depth_mm)
        found[box][one] = basins[one] + count
        count += int(basins.max())
    sizes = np.bincount(found.ravel(), minlength=count + 1)
    rank = np.zeros(count + 1, np.uint32)
    rank[np.argsort(-sizes[1:], kind="stable") + 1] = np.arange(1, count + 1)
    ranked: NDArray[np.uint32] = rank[found]
    return ranked


def number_objects(
    labels: NDArray[Any],
    outputs: Mapping[int, NDArray[np.float32]],
    source: Grid,
    native: Grid,
    steps: Sequence[PostStep],
) -> tuple[NDArray[Any], NDArray[np.uint32] | None]:
    """Labels without objects that are too small, and ids of all objects; None where no step asks for them.

    Parameters
    ----------
    labels
        (I, J, K) on `native`.
    outputs
        (I, J, K) of the network on `source`, by number: those that the steps name.
    source, native
        Model grid, and that of the answer.
    steps
        Of the card; ids of later labels follow those of earlier ones.
    """
    wanted = [step for step in steps if isinstance(step, Instances)]
    if not wanted:
        return labels, None
    ids = np.zeros(native.shape, np.uint32)
    labels = labels.copy()
    for step in wanted:
        mask = labels == step.label
        distance = resample(outputs[step.channel], source, native) * np.float32(step.scale_mm)
        found = decode_instances(mask, distance.astype(np.float32), step.depth_mm)
        # Ids fall with size, so what is too small has the last ones.
        volumes = np.bincount(found.ravel()) * native.voxel_volume
        kept = int((volumes[1:] >= step.minimum_mm3 * (1 - SAME_VOLUME)).sum())
        labels[mask & (found > kept)] = 0
        inside = (found > 0) & (found <= kept)
        ids[inside] = found[inside] + ids.max()
    return labels, ids


def _boxes(ids: NDArray[np.uint32]) -> list[tuple[int, tuple[slice, ...]]]:
    """(id, its box with a voxel around)."""
    from scipy.ndimage import find_objects

    return [
        (number, tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box))
        for number, box in enumerate(find_objects(ids.astype(np.int32)), start=1)
        if box is not None
    ]
