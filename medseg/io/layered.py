"""A mask of several volumes in one file: each volume a structure, and structures may overlap."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Image, Label, LabelTable, Segmentation, Source
from medseg.domain.values import as_details
from medseg.errors import LabelError
from medseg.io.masks import read_table
from medseg.io.overlaps import labels_of_masks
from medseg.io.values import freeze

__all__ = ["MOST_LAYERS", "are_layers", "layered_segmentation"]

#: A file of more volumes is a series in time, not a mask.
MOST_LAYERS = 1000
_WHOLE = (slice(None),) * 3


def are_layers(sources: tuple[Source, ...]) -> bool:
    """Whether volumes are those of one 4D file, counted from 0, all on one grid."""
    counted = [source.volume for source in sources] == [str(number) for number in range(len(sources))]
    return 1 < len(sources) <= MOST_LAYERS and counted and all(source.grid is not None for source in sources)


def layered_segmentation(name: str, layers: Iterable[Image], labels: Path | None) -> Segmentation | None:
    """Labels 1, 2, … of volumes that hold 0 and one other value each; None if one of them holds more.

    Raises
    ------
    LabelError
        If all of them are empty.
    """
    masks: list[NDArray[np.bool_]] = []
    grid: Grid | None = None
    for image in layers:
        mask = _as_mask(image)
        if mask is None:
            return None
        grid = grid or image.grid
        masks.append(mask)
    if grid is None or not any(mask.any() for mask in masks):
        raise LabelError(f"{name} holds {len(masks)} volumes, all of them empty; choose one with --volume")
    return _united(grid, masks, labels)


def _united(grid: Grid, masks: list[NDArray[np.bool_]], labels: Path | None) -> Segmentation:
    named = {} if labels is None else {item.value: item for item in read_table(labels).labels}
    structures = tuple(named.get(value, Label(value, f"label {value}")) for value in range(1, len(masks) + 1))
    array, table, findings = labels_of_masks(structures, _drawn(masks), grid.shape)
    text = f"The mask is a file of {len(masks)} volumes, each of which was taken for one structure, from 1."
    finding = Finding("labels.layers", "info", text, as_details(layers=len(masks)))
    return Segmentation(
        freeze(array), grid, LabelTable(table.labels, table.regions), findings=(finding, *findings)
    )


def _drawn(
    masks: list[NDArray[np.bool_]],
) -> Iterator[tuple[int, tuple[slice, ...], NDArray[np.bool_]]]:
    for value, mask in enumerate(masks, start=1):
        yield value, _WHOLE, mask


def _as_mask(image: Image) -> NDArray[np.bool_] | None:
    mask: NDArray[np.bool_] = image.array != 0
    values = image.array[mask]
    if image.outside is not None or (values.size and (values.min() != values.max() or values.min() < 0)):
        return None
    return mask
