"""What a dataset is like: spacings, shapes, intensities in and outside the labels, sizes of classes and objects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Case, Dataset, Image, LabelTable, Run, Segmentation
from medseg.errors import ConfigError, InputError
from medseg.geometry import order_to, same_grid
from medseg.geometry.resample import resample
from medseg.inference import canonical, labels_on_grid, model_grid, network_slice_axis
from medseg.io.datasets import read_channel, read_reference
from medseg.io.datasets.nnunet import ignored_label
from medseg.masks.components import components
from medseg.masks.ignored import table_without
from medseg.training.cache import count_kept_objects

__all__ = ["CaseMeasures", "ChannelMeasures", "Fingerprint", "count_vanishing", "take_fingerprint"]

Declare: TypeAlias = Callable[[Mapping[str, Image]], dict[str, Image]]

#: Values per case and channel that the intensities of the set are estimated from.
_SAMPLED = 10_000
_WHITE = 255


@dataclass(frozen=True, slots=True, eq=False)
class ChannelMeasures:
    """One channel of a case.

    Parameters
    ----------
    modality, value_unit
        As read.
    spacing
        mm (pixels) along right–left, back–front, foot–head, on its own grid.
    zeros
        Share of its voxels that are exactly 0: air that was cut away.
    inside
        A sample of its values where the mask holds a label.
    """

    modality: str | None
    value_unit: str
    spacing: tuple[float, ...]
    zeros: float
    inside: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class CaseMeasures:
    """One case on the grid of its mask, axes in canonical order (right–left, back–front, foot–head).

    Parameters
    ----------
    voxels
        By label value.
    object_voxels
        By label value: sizes of its separate objects (26-connected), largest first.
    slice_axis
        Canonical axis that a 2D network would step along.
    reference
        The channel on whose grid the mask lies.
    """

    id: str
    subject: str
    unit: str
    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]
    slice_axis: int
    reference: str
    channels: dict[str, ChannelMeasures]
    voxels: dict[int, int]
    object_voxels: dict[int, tuple[int, ...]]

    @property
    def voxel_volume(self) -> float:
        """mm³ (px³)."""
        return float(np.prod(self.spacing))


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """All cases that can be learned from, and what their labels mean."""

    dataset: Dataset
    table: LabelTable
    reference: str
    cases: tuple[CaseMeasures, ...]
    unlabelled: tuple[str, ...] = field(default=())

    @property
    def unit(self) -> str:
        """`mm` or `px`."""
        return self.cases[0].unit

    @property
    def spacings(self) -> NDArray[np.float64]:
        """(cases, 3)."""
        return np.array([case.spacing for case in self.cases])

    @property
    def shapes(self) -> NDArray[np.int64]:
        """(cases, 3)."""
        return np.array([case.shape for case in self.cases], np.int64)

    def channel(self, name: str) -> list[ChannelMeasures]:
        """One channel in every case that has it."""
        return [case.channels[name] for case in self.cases if name in case.channels]

    def inside(self, name: str) -> NDArray[np.float32]:
        """Sample of a channel's values in the labels, over all cases."""
        parts = [item.inside for item in self.channel(name)]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def object_mm3(self, value: int) -> NDArray[np.float64]:
        """Volumes of a label's separate objects over all cases, in mm³ (px³)."""
        return np.array(
            [size * case.voxel_volume for case in self.cases for size in case.object_voxels.get(value, ())]
        )


def take_fingerprint(dataset: Dataset, run: Run, declare: Declare = dict) -> Fingerprint:
    """Measure every case that has a mask; cost: every file is read once, one case in memory.

    Parameters
    ----------
    dataset, run
        What is measured; progress and cancel.
    declare
        What the user knows of a case's images and their files do not say: from images by channel to the same.

    Raises
    ------
    ConfigError
        If there is nothing to learn from, or cases in mm and in px are mixed.
    InputError
        If a case can't be read, or a mask lies on none of its images; the case is named.
    """
    with_mask = [case for case in dataset.cases if case.reference is not None]
    if not with_mask:
        raise ConfigError(f"dataset {dataset.name} has no reference masks; there is nothing to learn from")
    cases = []
    for number, case in enumerate(with_mask):
        run.check()
        run.progress(number, len(with_mask), f"measuring: {case.id}")
        cases.append(_measure(case, dataset.table, declare))
    run.progress(len(with_mask), len(with_mask), "measuring")
    _require_one_unit(cases)
    _require_labels(dataset, cases)
    table = _table_of(dataset, cases)
    unlabelled = tuple(case.id for case in cases if not case.voxels)
    return Fingerprint(dataset, table, _reference_of(dataset, cases), tuple(cases), unlabelled)


def count_vanishing(
    fingerprint: Fingerprint, spacing: tuple[float, float, float], run: Run
) -> dict[int, tuple[int, int]]:
    """By label: its separate objects, and how many have a voxel left after going to `spacing` (mm) and back."""
    total = {value: np.zeros(2, np.int64) for value in fingerprint.table.values}
    chosen = {case.id for case in fingerprint.cases}
    for case in fingerprint.dataset.cases:
        if case.id not in chosen:
            continue
        run.check()
        _, mask = _read_mask(case, fingerprint.table)
        target = model_grid(mask.grid, spacing)
        classes = labels_on_grid(mask.labels, mask.grid, target, fingerprint.table.values)
        counts = count_kept_objects(mask.labels, mask.grid, classes, target, fingerprint.table.values)
        for value in total:
            total[value] += np.array(counts[str(value)])
    return {value: (int(row[0]), int(row[1])) for value, row in total.items()}


def _measure(case: Case, table: LabelTable | None, declare: Declare) -> CaseMeasures:
    images, mask = _read_mask(case, table)
    images = declare(images)
    on = next(name for name, image in images.items() if same_grid(image.grid, mask.grid))
    order = order_to(mask.grid)
    labels = order.apply(mask.labels)
    grid = order.grid(mask.grid)
    # A picture's mask is black and white: its one label is 1.
    values = (1,) if mask.present == (_WHITE,) else mask.present
    labels = (labels > 0).astype(np.uint8) if mask.present == (_WHITE,) else labels
    return CaseMeasures(
        id=case.id,
        subject=case.subject,
        unit=grid.unit,
        spacing=grid.spacing,
        shape=grid.shape,
        slice_axis=network_slice_axis(canonical(images[on])),
        reference=on,
        channels={name: _channel(image, mask) for name, image in images.items()},
        voxels={value: int((labels == value).sum()) for value in values},
        object_voxels={value: _sizes(labels == value) for value in values},
    )


def _read_mask(case: Case, table: LabelTable | None) -> tuple[dict[str, Image], Segmentation]:
    images = {file.channel: read_channel(file) for file in case.images}
    assert case.reference is not None  # noqa: S101 - only such cases are measured
    for image in images.values():
        mask, _ = read_reference(case, table, on=image)
        if same_grid(image.grid, mask.grid):
            return images, mask
    raise InputError(f"case {case.id}: its mask lies on the grid of none of its images")


def _channel(image: Image, mask: Segmentation) -> ChannelMeasures:
    values = image.array
    labelled = mask.labels > 0
    on_mask = values if same_grid(image.grid, mask.grid) else resample(values, image.grid, mask.grid)
    inside = on_mask[labelled].astype(np.float32)
    inside = inside[np.isfinite(inside)]
    if inside.size > _SAMPLED:
        inside = np.random.default_rng(0).choice(inside, _SAMPLED, replace=False)
    zeros = float(np.mean(values == 0))
    return ChannelMeasures(
        image.modality, image.value_unit, canonical(image).grid.spacing, zeros, np.sort(inside)
    )


def _sizes(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    counts = np.bincount(components(mask).ravel())[1:]
    return tuple(sorted((int(size) for size in counts), reverse=True))


def _require_one_unit(cases: Sequence[CaseMeasures]) -> None:
    units: Mapping[str, str] = {case.unit: case.id for case in cases}
    if len(units) > 1:
        raise ConfigError(
            f"case {units['mm']} is in mm and case {units['px']} in pixels; one network can't see both: "
            "give the pixels a spacing, or plan them apart"
        )


def _require_labels(dataset: Dataset, cases: Sequence[CaseMeasures]) -> None:
    if not any(case.voxels for case in cases):
        raise ConfigError(f"all {len(cases)} masks of {dataset.name} are empty; there is nothing to learn")


def _table_of(dataset: Dataset, cases: Sequence[CaseMeasures]) -> LabelTable:
    """The dataset's table; where the masks hold more than it names, or it has none, labels by their values."""
    present = sorted({value for case in cases for value in case.voxels})
    if dataset.table is None:
        return LabelTable.from_values(tuple(present))
    if unknown := sorted(set(present) - set(dataset.table.values)):
        raise ConfigError(
            f"masks of {dataset.name} hold labels {unknown[:8]} that the dataset does not name; "
            f"it names {list(dataset.table.values)[:8]}"
        )
    own = [case for case in dataset.cases if case.labels is None and case.reference is not None]
    found = {ignored_label(case.reference) for case in own if case.reference is not None}
    table = dataset.table
    for value in sorted(value for value in found if value is not None):
        table = table_without(table, value)
    return table


def _reference_of(dataset: Dataset, cases: Sequence[CaseMeasures]) -> str:
    """The channel on whose grid most masks lie; of equal ones the first."""
    counts = {name: sum(case.reference == name for case in cases) for name in dataset.channels}
    return max(counts, key=lambda name: counts[name])
