"""Inputs of a Record, read again as they were read and checked by digest."""

from dataclasses import replace
from pathlib import Path

from medseg.domain import Image, InputRef, Quantity, Record, Segmentation
from medseg.errors import GridMismatchError, InputError
from medseg.geometry import compare_grids
from medseg.io import read, read_segmentation
from medseg.io.probabilities import with_probabilities
from medseg.masks.ignored import IGNORED, without_ignored
from medseg.masks.onto import onto_grid
from medseg.reporting.record.older import read_options_of

__all__ = ["ChangedInput", "as_recorded", "reopen_image", "reopen_mask", "require_digest"]


class ChangedInput(InputError):
    """An input is there and is not what was measured."""


def require_digest(item: InputRef, digest: str, note: str = "") -> None:
    """Refuse voxels that are not those that were measured.

    Raises
    ------
    ChangedInput
        If the digests differ.
    """
    if item.digest != digest:
        what = item.channel or "mask"
        raise ChangedInput(
            f"this {what} is not the one that was measured: its voxels differ "
            f"(digest {digest[:8]} against {item.digest[:8]}){note}"
        )


def reopen_mask(record: Record, path: Path) -> Segmentation:
    """The mask of a Record, brought onto the grid that it was measured on as it was then.

    With its probabilities where the Record holds a number of them.

    Raises
    ------
    InputError
        If it is not there; `ChangedInput` if its voxels or its place are others, with the first difference.
    """
    item = record.mask
    if not item.path and not path.is_file():
        raise InputError("the record does not say where its mask lies")
    options = read_options_of(record)
    found = read_segmentation(path, options=options, on=item.grid)
    if any(
        row.quantity is Quantity.PROBABILITY_VOLUME and row.value is not None for row in record.measurements
    ):
        found = with_probabilities(found, path)
    ignored = next((item.detail("value") for item in record.findings if item.code == IGNORED), None)
    found = without_ignored(found, None if ignored is None else int(ignored))
    try:
        placed = onto_grid(found, item.grid, resample=options.resample)
    except GridMismatchError:
        require_digest(item, found.digest, _first_difference(record, found))
        _require_place(item, compare_grids(found.grid, item.grid).fault)
        raise
    require_digest(item, placed.digest, _first_difference(record, placed))
    # Names and history may have come from elsewhere; the same voxels have those that were measured.
    return replace(placed, table=record.table, made_by=record.made_by)


def reopen_image(record: Record, item: InputRef, path: Path) -> Image:
    """An image of a Record, as it was read.

    Raises
    ------
    InputError
        If it is not there; `ChangedInput` if its voxels or its place are others.
    """
    if not item.path and not path.exists():
        raise InputError(f"the record does not say where image {item.channel!r} lies")
    options = read_options_of(record, series=item.series_uid, volume=item.volume)
    found = read(path, options=options)
    require_digest(item, found.digest)
    _require_place(item, compare_grids(found.grid, item.grid).fault)
    return found


def as_recorded(item: InputRef, image: Image) -> Image:
    """The image with the modality and unit that the Record states: a declared unit is in no file."""
    unit = item.value_unit or image.value_unit
    return replace(image, channel=item.channel, modality=item.modality, value_unit=unit)


def _require_place(item: InputRef, fault: str) -> None:
    if fault:
        what = f"image {item.channel!r}" if item.channel else "the mask"
        raise ChangedInput(f"{what} lies elsewhere than when it was measured: {fault}")


def _first_difference(record: Record, found: Segmentation) -> str:
    """The first structure whose voxel count is another, in words."""
    for row in record.measurements:
        if row.quantity is Quantity.VOXEL_COUNT and row.target.kind == "label" and row.value is not None:
            count = int(found.mask(*row.target.labels).sum())
            if count != row.value:
                return f"; {row.target.name} has {count} voxels where {row.value} were measured"
    return "; the number of voxels per label is the same, so some moved"
