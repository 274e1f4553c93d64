"""Every quantity of structures given as values of a label array: labels, regions, or instances."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, Measurement, Quantity, Run, Target
from medseg.domain.segmentation import Probabilities
from medseg.measuring.field import find_field, outside_of
from medseg.measuring.intensity import Sampled, add_intensities, refuse_intensities, sample
from medseg.measuring.rows import Rows, not_found
from medseg.measuring.shape import (
    StructureSurface,
    add_axes,
    add_border_count,
    add_border_share,
    add_euler,
    add_form,
    add_mesh_size,
    add_spans,
)
from medseg.measuring.size import add_count, add_diameters, add_place, volume_factor
from medseg.measuring.structure import Structure, mask_in_box
from medseg.measuring.tally import Box, Part, Tally, tally

__all__ = ["Weights", "measure_regions", "measure_sums"]

#: Of a structure that is not there, these are answered (0) or have no row.
_WITHOUT_ROW = {
    *(Quantity.AREA, Quantity.PROBABILITY_VOLUME),
    *(Quantity.VOLUME_BY_ICV, Quantity.VOLUME_BY_HEIGHT, Quantity.VOLUME_BY_SURFACE),
}
_PROBABILITY = "sum of the structure's probabilities × |det(affine)|, over the whole grid"


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Probabilities that were kept with a mask.

    Parameters
    ----------
    probabilities
        (C, I, J, K), of which one class at a time is looked at.
    channels
        For each target's values the channels that add up to it.
    """

    probabilities: Probabilities
    channels: Mapping[tuple[int, ...], Sequence[int]]


def measure_regions(
    labels: NDArray[Any],
    grid: Grid,
    targets: Iterable[tuple[Target, tuple[int, ...]]],
    images: Mapping[str, Image] | None = None,
    *,
    weights: Weights | None = None,
    only: Collection[Quantity] | None = None,
    refused: Mapping[str, str] | None = None,
    run: Run | None = None,
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
    weights
        Probabilities, for the volumes weighted by them.
    only
        Quantities to measure; the others cost nothing. None measures all.
    refused
        Reason by name of a target that is not measured at all: its voxels are not known.
    run
        Progress by target; asked whether to stop between the parts of each.

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
    run = run or Run()
    images = {name: find_field(image) for name, image in (images or {}).items()}
    outside = outside_of(images, grid)
    counts = tally(labels, outside)
    samples = {name: sample(labels, grid, counts, image) for name, image in images.items()}
    wanted = None if only is None else frozenset(only)
    measured: list[Measurement] = []
    todo = tuple(targets)
    for done, (target, values) in enumerate(todo):
        run.check()
        run.progress(done, len(todo), f"measuring {target.name}")
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
            _add_mask(rows, structure, weights, values, run)
        for name, sampled in samples.items():
            run.check()
            add_intensities(rows, name, sampled, values, here=part.count > 0)
        measured += rows.items
    return tuple(measured)


def measure_sums(
    counts: Tally,
    grid: Grid,
    targets: Iterable[tuple[Target, tuple[int, ...]]],
    *,
    refused: Mapping[str, str] | None = None,
) -> tuple[Measurement, ...]:
    """What of `measure_regions` the sums over voxels alone give: counts, place, principal axes, border.

    Each of its rows is, in every part, one of theirs; so it can be had after each stroke on a mask whose sums are kept
    up (`Tally.updated`). A structure that is not there has only its counts.
    """
    measured: list[Measurement] = []
    for target, values in targets:
        if refused and target.name in refused:
            continue
        part = counts.part(values)
        rows = Rows(target, grid, cut=part.on_border > 0)
        add_count(rows, part.count)
        if part.box is not None:
            add_place(rows, part)
            add_axes(rows, part)
            add_border_count(rows, part)
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
    rows: Rows, structure: Structure, weights: Weights | None, values: tuple[int, ...], run: Run
) -> None:
    surface, part = StructureSurface(structure), structure.part
    steps: tuple[Callable[[], None], ...] = (
        lambda: add_mesh_size(rows, surface),
        lambda: _add_probability(rows, weights, values),
        lambda: add_diameters(rows, structure),
        lambda: add_spans(rows, surface),
        lambda: add_place(rows, part),
        lambda: add_form(rows, surface),
        lambda: add_axes(rows, part),
        lambda: add_euler(rows, surface),
        lambda: add_border_count(rows, part),
        lambda: add_border_share(rows, structure),
    )
    for step in steps:
        run.check()
        step()


def _add_probability(rows: Rows, weights: Weights | None, values: tuple[int, ...]) -> None:
    quantity = Quantity.PROBABILITY_VOLUME
    if weights is None or not rows.wants((quantity,)):
        return
    channels = weights.channels.get(values)
    factor = volume_factor(rows.grid)
    if isinstance(factor, str):
        rows.refuse(quantity, factor)
    elif channels is None:
        rows.refuse(quantity, "the kept probabilities are not those of the label table")
    else:
        kept = weights.probabilities
        total = sum(float(kept[channel].sum(dtype=np.float64)) for channel in channels)
        rows.add(quantity, total * factor, method=_PROBABILITY + _rounding(kept, channels))


def _rounding(kept: Probabilities, channels: Sequence[int]) -> str:
    """What keeping probabilities small did to a volume, in words; nothing of an array, which is as it was."""
    if isinstance(kept, np.ndarray):
        return ""
    added = sum(kept.rounded_by_ml(channel) for channel in channels)
    return f"; kept on the network's grid in float16, which changed it by {added:+.2g} ml"


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
