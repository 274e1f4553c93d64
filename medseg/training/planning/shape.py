"""Rules for the network: patch, depth, where it pools, kernels, filters, batch."""

from dataclasses import dataclass
from math import ceil, prod

from medseg.training.planning.budget import Budget

__all__ = ["NetworkShape", "choose_network"]

#: No axis is pooled below this many voxels, and none while it is this many times coarser than the finest.
_SMALLEST_EDGE = 4
_FACTOR = 2.0
#: Levels that a network has at most: beyond, features hold no more than the image's mean.
_MOST_POOLS = 6
#: A batch sees at most this share of all voxels of the set, else it learns them by heart.
_MOST_SHARE = 0.05
_BATCH = (2, 8)
#: Patches of a batch together, in multiples of the largest patch, by dimensions.
_PATCHES_IN_BATCH = {2: 8, 3: 2}
#: A patch that holds less of the median case than this sees no context.
_SMALL_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """Patch and network, with the reasons for each."""

    patch: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    kernels: tuple[tuple[int, ...], ...]
    filters: tuple[int, ...]
    batch: int
    covered: float
    why: dict[str, str]


def choose_network(
    spacing: tuple[float, ...], shape: tuple[int, ...], cases: int, budget: Budget
) -> NetworkShape:
    """Patch and network for a median case of `shape` voxels of `spacing` mm (pixels), in 2D or 3D.

    The patch has the same extent in mm along each axis where the images are large enough; axes are pooled while they
    have 8 voxels and are not coarser than twice the finest (Isensee et al. 2021, Nat Methods 18:203).
    """
    dimensions = len(spacing)
    most = budget.patch_voxels[dimensions]
    wanted = _isotropic(spacing, most, shape)
    strides, kernels = _levels(spacing, wanted)
    divisor = tuple(prod(level[axis] for level in strides) for axis in range(dimensions))
    patch = _fitting(wanted, divisor, most)
    first, largest = budget.filters
    filters = tuple(min(first * 2**level, largest) for level in range(len(strides)))
    covered = prod(min(1.0, size / extent) for size, extent in zip(patch, shape, strict=True))
    batch = _batch(prod(patch), most, prod(shape) * cases, dimensions)
    return NetworkShape(
        patch,
        strides,
        kernels,
        filters,
        batch,
        covered,
        _reasons(strides, kernels, covered, batch, budget),
    )


def _isotropic(spacing: tuple[float, ...], most: int, shape: tuple[int, ...]) -> list[float]:
    """Edges equal in mm that hold `most` voxels, none longer than the median case; others get what one is cut by."""
    edges = [0.0] * len(spacing)
    free = set(range(len(spacing)))
    voxels = float(most)
    while free:
        side_mm = (voxels * prod(spacing[axis] for axis in free)) ** (1 / len(free))
        cut = [axis for axis in free if side_mm / spacing[axis] >= shape[axis]]
        for axis in cut or free:
            edges[axis] = float(shape[axis]) if cut else side_mm / spacing[axis]
            voxels /= max(1.0, edges[axis]) if cut else 1.0
        free = free - set(cut) if cut else set()
    return edges


def _levels(
    spacing: tuple[float, ...], edges: list[float]
) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    strides = [tuple(1 for _ in spacing)]
    kernels = [_kernel(spacing)]
    sizes, steps = list(edges), list(spacing)
    while len(strides) <= _MOST_POOLS:
        finest = min(steps)
        stride = tuple(
            2 if size >= 2 * _SMALLEST_EDGE and step < _FACTOR * finest else 1
            for size, step in zip(sizes, steps, strict=True)
        )
        if max(stride) == 1:
            break
        sizes = [size / part for size, part in zip(sizes, stride, strict=True)]
        steps = [step * part for step, part in zip(steps, stride, strict=True)]
        strides.append(stride)
        kernels.append(_kernel(tuple(steps)))
    return tuple(strides), tuple(kernels)


def _kernel(steps: tuple[float, ...]) -> tuple[int, ...]:
    """1 along an axis whose neighbours lie more than twice as far apart as the nearest ones."""
    return tuple(3 if step <= _FACTOR * min(steps) else 1 for step in steps)


def _fitting(edges: list[float], divisor: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Multiples of the divisor that hold the edges where that fits, else are within them."""
    up = [max(1, ceil(edge / part)) * part for edge, part in zip(edges, divisor, strict=True)]
    while prod(up) > most:
        over = [
            size / edge if size > part else 0.0 for size, edge, part in zip(up, edges, divisor, strict=True)
        ]
        worst = over.index(max(over))
        if not over[worst]:
            break
        up[worst] -= divisor[worst]
    return tuple(up)


def _batch(patch: int, most: int, all_voxels: int, dimensions: int) -> int:
    low, high = _BATCH
    fits = min(high, _PATCHES_IN_BATCH[dimensions] * most // patch)
    seen = int(_MOST_SHARE * all_voxels / patch)
    return max(low, min(fits, seen))


def _reasons(
    strides: tuple[tuple[int, ...], ...],
    kernels: tuple[tuple[int, ...], ...],
    covered: float,
    batch: int,
    budget: Budget,
) -> dict[str, str]:
    flat = any(1 in kernel for kernel in kernels)
    pools = "evenly" if all(len(set(level)) == 1 for level in strides) else "along the finer axes first"
    held = f"holds {covered:.0%} of a median case" if covered < 1 else "holds a median case whole"
    context = (
        "" if covered >= _SMALL_SHARE else "; that is little context, and a coarse model before it would help"
    )
    return {
        "grid.window": f"as many voxels as the budget trains on, equal in extent where the images allow it; it {held}"
        + context,
        "network.strides": f"{len(strides) - 1} poolings, {pools}, as long as an edge has {2 * _SMALLEST_EDGE} voxels",
        "network.kernels": "1 along thick slices until the others are as coarse"
        if flat
        else "3 along every axis: none is more than twice as coarse as another",
        "network.filters": f"doubled at each level up to {budget.filters[1]}",
        "loop.batch": f"{batch} patches: what the budget holds, and at most {_MOST_SHARE:.0%} of all voxels at once",
    }
