"""Every quantity of structures given as values of a label array: labels, regions, or instances."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, Measurement, Quantity, Target
from medseg.measuring.field import find_field, outside_of
from medseg.measuring.intensity import Sampled, add_intensities, refuse_intensities, sample
from medseg.measuring.rows import Rows, not_found
from medseg.measuring.shape import (
    StructureSurface,
    add_axes,
    add_border,
    add_euler,
    add_form,
    add_mesh_size,
    add_spans,
)
from medseg.measuring.size import add_count, add_diameters, add_place, volume_factor
from medseg.measuring.structure import Structure, mask_in_box
from medseg.measuring.tally import Box, Part, tally

__all__ = ["measure_regions"]

#: Of a structure that is not there, these are answered (0) or have no row.
_WITHOUT_ROW = {
    *(Quantity.AREA, Quantity.PROBABILITY_VOLUME),
    *(Quantity.VOLUME_BY_ICV, Quantity.VOLUME_BY_HEIGHT, Quantity.VOLUME_BY_SURFACE),
}
_PROBABILITY = "sum of the structure's probabilities × |det(affine)|, over the whole grid"


def measure_regions(
    labels: NDArray[Any],
    grid: Grid,
    targets: Iterable[tuple[Target, tuple[int, ...]]],
    images: Mapping[str, Image] | None = None,
    *,
    channels: Mapping[tuple[int, ...], Sequence[int]] | None = None,
    probabilities: NDArray[np.floating[Any]] | None = None,
    only: Collection[Quantity] | None = None,
    refused: Mapping[str, str] | None = None,
) -> tuple[Measurement, ...]:
    """Measure structures of a label array, each within its own box.

    Parameters
    ----------
    labels
        (I, J, K) whole numbers from 0 (labels, or ids of instances).
    grid
        Their grid.
    targets
        Each target with the values of the array that make it up.
    images
        Images by channel; one on another grid of the same world space is measured on its own voxels, with
        labels taken at their centres. Voxels marked `outside`, and those around the circular field of a CT
        that declares none, stay out and count as border.
    channels, probabilities
        (C, I, J, K) probabilities, and for each target's values the channels that add up to it.
    only
        Quantities to measure; the others cost nothing. None measures all.
    refused
        Reason by name of a target that is not measured at all: its voxels are not known.

    Returns
    -------
    tuple of Measurement
        By target: size, place, form, border, then each channel's statistics. A structure that is not there
        has 0 voxels and volume 0 with status `ok`, and everything else `not_computed`; a cut structure's
        sizes are lower bounds.

    Notes
    -----
    Definitions: IBSI reference manual where a code is given, else as stated in `Quantity`.
    Memory: one structure's box a few times over, and its values once.
    """
    images = {name: find_field(image) for name, image in (images or {}).items()}
    outside = outside_of(images, grid)
    counts = tally(labels, outside)
    samples = {name: sample(labels, grid, counts, image) for name, image in images.items()}
    wanted = None if only is None else frozenset(only)
    measured: list[Measurement] = []
    for target, values in targets:
        part = counts.part(values)
        rows = Rows(target, grid, cut=part.on_border > 0, only=wanted)
        if refused and target.name in refused:
            _refuse_all(rows, refused[target.name], samples)
            measured += rows.items
            continue
        add_count(rows, part.count)
        if part.box is None:
            _refuse_rest(rows)
        else:
            structure = _structure(labels, grid, part, values, outside)
            _add_mask(rows, structure, probabilities, (channels or {}).get(values))
        for name, sampled in samples.items():
            add_intensities(rows, name, sampled, values, here=part.count > 0)
        measured += rows.items
    return tuple(measured)


def _structure(
    labels: NDArray[Any],
    grid: Grid,
    part: Part,
    values: tuple[int, ...],
    outside: NDArray[np.bool_] | None,
) -> Structure:
    box = part.box
    if box is None:
        raise ValueError("an empty structure has no box")
    return Structure(grid, part, mask_in_box(labels, box, values), _around(outside, box))


def _around(outside: NDArray[np.bool_] | None, box: Box) -> NDArray[np.bool_] | None:
    if outside is None:
        return None
    near = outside[tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box)]
    return near if near.any() else None


def _add_mask(
    rows: Rows,
    structure: Structure,
    probabilities: NDArray[np.floating[Any]] | None,
    channels: Sequence[int] | None,
) -> None:
    surface = StructureSurface(structure)
    add_mesh_size(rows, surface)
    if probabilities is not None:
        _add_probability(rows, probabilities, channels)
    add_diameters(rows, structure)
    add_spans(rows, surface)
    add_place(rows, structure)
    add_form(rows, surface)
    add_axes(rows, structure)
    add_euler(rows, surface)
    add_border(rows, structure)


def _add_probability(
    rows: Rows, probabilities: NDArray[np.floating[Any]], channels: Sequence[int] | None
) -> None:
    quantity = Quantity.PROBABILITY_VOLUME
    if not rows.wants((quantity,)):
        return
    factor = volume_factor(rows.grid)
    if isinstance(factor, str):
        rows.refuse(quantity, factor)
    elif channels is None:
        rows.refuse(quantity, "the kept probabilities are not those of the label table")
    else:
        total = sum(float(probabilities[channel].sum(dtype=np.float64)) for channel in channels)
        rows.add(quantity, total * factor, method=_PROBABILITY)


def _refuse_all(rows: Rows, reason: str, samples: Mapping[str, Sampled]) -> None:
    """Of a structure whose voxels are not known, nothing is: not even that there are none."""
    for quantity in Quantity:
        if quantity.info.kind == "mask" and quantity not in _WITHOUT_ROW:
            rows.refuse(quantity, reason)
    for name, sampled in samples.items():
        refuse_intensities(rows, name, sampled, reason)


def _refuse_rest(rows: Rows) -> None:
    done = {item.quantity for item in rows.items} | _WITHOUT_ROW
    for quantity in Quantity:
        if quantity.info.kind == "mask" and quantity not in done:
            rows.refuse(quantity, not_found(rows.target))
