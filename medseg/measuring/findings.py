"""What a reader of the measurements must know about them as a whole."""

from collections.abc import Iterable

from medseg.domain import Finding, Measurement, Quantity, Target
from medseg.domain.values import as_details
from medseg.measuring.shape import FEW_SLICES, FEW_VOXELS, LARGE_DIFFERENCE

__all__ = ["size_findings"]

_NAMED = 8
_BOX = tuple((Quantity[f"BOX_MIN_{axis}"], Quantity[f"BOX_MAX_{axis}"]) for axis in "IJK")


def size_findings(measurements: Iterable[Measurement]) -> tuple[Finding, ...]:
    """One Finding naming every label and region too small, or sliced too thickly, for an exact volume.

    Small means that voxel and mesh volume differ by more than 5 %, fewer than 64 voxels, or fewer than 5
    voxels across the shortest extent; only where a mesh volume exists. Empty when there is none.
    """
    found: dict[Target, dict[Quantity, float]] = {}
    for item in measurements:
        if item.target.kind in ("label", "region") and item.channel is None and item.value is not None:
            found.setdefault(item.target, {})[item.quantity] = item.value
    small = {target: share for target, numbers in found.items() if (share := _small(numbers)) is not None}
    if not small:
        return ()
    named = [f"{target.name} ({100 * share:.1f} %)" for target, share in list(small.items())[:_NAMED]]
    if len(small) > _NAMED:
        named.append(f"and {len(small) - _NAMED} more")
    largest = max(small.values())
    message = (
        "Small or thickly sliced for their voxels, so that the volume depends on how the boundary is drawn "
        f"(difference between mesh and voxel volume): {', '.join(named)}"
    )
    details = as_details(structures=len(small), largest_difference_percent=round(100 * largest, 1))
    return (Finding("volume.small_structure", "warning", message, details),)


def _small(numbers: dict[Quantity, float]) -> float | None:
    """Share of the voxel volume by which the mesh differs, for a small structure; else None."""
    difference, volume = numbers.get(Quantity.VOLUME_DIFFERENCE), numbers.get(Quantity.VOLUME)
    if difference is None or not volume:
        return None
    share = abs(difference) / volume
    thin = any(high in numbers and numbers[high] - numbers[low] + 1 < FEW_SLICES for low, high in _BOX)
    few = numbers.get(Quantity.VOXEL_COUNT, FEW_VOXELS) < FEW_VOXELS
    return share if share > LARGE_DIFFERENCE or few or thin else None
