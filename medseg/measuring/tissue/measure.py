"""CT tissue by ranges of Hounsfield units inside a compartment: areas, volumes, indexes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.definitions.tissue import Tissue, TissueTable, load_tissues
from medseg.domain import Grid, Image, Label, LabelTable, Measurement, Quantity, Segmentation, Target
from medseg.domain.plan import TissuePlan
from medseg.errors import InputError
from medseg.masks import slice_axis
from medseg.measuring.rows import Rows, not_found
from medseg.measuring.tissue.choice import choose_tissues
from medseg.measuring.tissue.counts import count_tissues, slice_of, tissue_planes
from medseg.measuring.tissue.image import choose_channel, unfit_reason
from medseg.measuring.tissue.levels import find_levels, labels_named, level_slices
from medseg.measuring.tissue.rows import SliceSpan, TissueRows, require_body

__all__ = ["measure_tissue", "tissue_map"]

_ALL = "all slices"


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A plan after its words were looked up."""

    plan: TissuePlan
    tissues: tuple[Tissue, ...]
    titles: tuple[str, ...]
    version: str
    labels: tuple[int, ...]

    def compartment(self, segmentation: Segmentation) -> NDArray[np.bool_] | None:
        return segmentation.mask(*self.labels) if self.labels else None


def measure_tissue(
    segmentation: Segmentation,
    images: Mapping[str, Image],
    plan: TissuePlan,
    *,
    table: TissueTable | None = None,
) -> tuple[Measurement, ...]:
    """Areas, volumes and mean attenuation of tissues inside a compartment of a CT.

    Parameters
    ----------
    segmentation
        Mask of the compartment, and of levels such as vertebrae, on the CT's own grid.
    images
        Channels by name; the one that the plan names, or the only one in HU.
    plan
        Compartment, tissues, levels, height and weight.
    table
        Ranges; by default those that come with medseg.

    Returns
    -------
    tuple of Measurement
        Per tissue a volume (ml) and mean (HU) over all slices, at the one level, or over the slab between two
        levels (both slices included, each with its full step); then per slice an area (cm²) and mean: at the
        levels, or without levels in every slice that holds some of the compartment. At levels also area /
        height² and area / body surface (cm²/m²) where height and weight are given. An empty compartment has
        volume 0 with status `ok` and all else `not_computed`. Without a CT in HU on the mask's grid one row
        says why.

    Raises
    ------
    InputError
        If the plan names a channel, label, tissue or slice that is not there, or an implausible body.

    Notes
    -----
    Slices lie across `masks.slice_axis`. A voxel is in a tissue when its value, rounded to whole HU, lies in the
    range, both limits included; padding is left out. A slab is a lower bound where the compartment leaves a
    slice; the ends of the stack matter only over all slices. A sheared grid has volumes and no areas. Body
    surface: Mosteller 1987, sqrt(cm × kg / 3600). Ranges: see `tissue.yaml`.
    Memory: two boolean arrays.
    """
    asked = _ask(segmentation, plan, table)
    require_body(plan)
    image, reason = choose_channel(images, plan.channel)
    reason = reason or unfit_reason(segmentation.grid, image)
    if image is None or reason:
        return _refused(segmentation.grid, asked, plan, reason)
    return tuple(_rows(segmentation, image, asked))


def tissue_map(
    segmentation: Segmentation,
    image: Image,
    plan: TissuePlan,
    *,
    table: TissueTable | None = None,
) -> tuple[NDArray[np.uint8], LabelTable]:
    """The tissues of a plan as labels (I, J, K) uint8 with their names and colours, to draw or to save.

    Values are those of the table of tissues. Where ranges overlap, the tissue that was named first wins. An
    empty compartment gives zeros. Memory: the labels and one boolean array.

    Raises
    ------
    InputError
        As for `measure_tissue`, and if the image is no CT in HU on the mask's own grid.
    """
    asked = _ask(segmentation, plan, table)
    if reason := unfit_reason(segmentation.grid, image):
        raise InputError(reason)
    axis = slice_axis(segmentation.grid)
    inside = asked.compartment(segmentation)
    labels = np.zeros(segmentation.grid.shape, np.uint8, order="F" if axis == 2 else "C")
    for index, plane in enumerate(np.moveaxis(labels, axis, 0)):
        whole = np.ones(plane.shape, np.bool_)
        within = whole if inside is None else slice_of(inside, axis, index)
        found = tissue_planes(image, within, asked.tissues, (axis, index))
        for tissue, voxels in zip(asked.tissues, found, strict=True):
            plane[voxels & (plane == 0)] = tissue.value
    names = zip(asked.tissues, asked.titles, strict=True)
    return labels, LabelTable(tuple(Label(tissue.value, title, tissue.color) for tissue, title in names))


def _ask(segmentation: Segmentation, plan: TissuePlan, table: TissueTable | None) -> _Asked:
    table = table or load_tissues()
    chosen = choose_tissues(table, plan)
    labels = labels_named(segmentation.table, plan.compartment) if plan.compartment else ()
    tissues, titles = tuple(item[0] for item in chosen), tuple(item[1] for item in chosen)
    return _Asked(plan, tissues, titles, table.version, labels)


def _refused(grid: Grid, asked: _Asked, plan: TissuePlan, reason: str) -> tuple[Measurement, ...]:
    title = asked.titles[0] if len(asked.titles) == 1 else "Tissue"
    rows = Rows(Target("tissue", title, asked.labels, detail=_ALL), grid, cut=False)
    rows.refuse(Quantity.TISSUE_VOLUME, reason, channel=plan.channel or None)
    return tuple(rows.items)


def _rows(segmentation: Segmentation, image: Image, asked: _Asked) -> Iterator[Measurement]:
    axis = slice_axis(segmentation.grid)
    levels = find_levels(segmentation, asked.plan, axis)
    inside = asked.compartment(segmentation)
    if inside is not None and not inside.any():
        yield from _empty(segmentation.grid, asked)
        return
    counts = count_tissues(image, inside, asked.tissues, axis, slices=level_slices(levels))
    makers = [
        TissueRows(image, counts, number, tissue, title, asked.labels, asked.plan, asked.version)
        for number, (tissue, title) in enumerate(zip(asked.tissues, asked.titles, strict=True))
    ]
    used = np.flatnonzero(counts.inside)
    for maker in makers:
        if len(levels) == 2:
            yield from maker.slab(levels)
        elif not levels:
            yield from maker.volume(SliceSpan(_ALL, 0, len(counts.inside) - 1, ends=True))
    for maker in makers:
        for level in levels:
            yield from maker.level(level, alone=len(levels) == 1)
        if not levels:
            for index in used:
                yield from maker.section(int(index))


def _empty(grid: Grid, asked: _Asked) -> Iterator[Measurement]:
    for title in asked.titles:
        rows = Rows(Target("tissue", title, asked.labels, detail=_ALL), grid, cut=False)
        rows.add(Quantity.TISSUE_VOLUME, 0.0, method="no voxel carries the compartment's label")
        reason = not_found(Target("label", asked.plan.compartment, asked.labels))
        for quantity in (Quantity.TISSUE_AREA, Quantity.TISSUE_MEAN):
            rows.refuse(quantity, reason)
        yield from rows.items
