"""What each network of an ensemble would have measured alone: the spread that intervals of volumes are made from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, LabelTable
from medseg.domain.card import PostStep
from medseg.domain.intervals import VolumeCalibration, VolumeInterval
from medseg.inference.conformal import volume_interval
from medseg.inference.reducers import LabelsOnNative
from medseg.inference.steps import postprocess
from medseg.inference.stream import Slab

__all__ = ["MemberLabels", "intervals_of", "target_volumes"]


class MemberLabels:
    """Labels on the native grid of each member, from slabs of an ensemble whose members follow apart.

    Memory: as many label arrays as members.

    Parameters
    ----------
    members, outputs
        How many networks, and outputs of each; the first `outputs` of a slab are those of all together.
    source, native, axis, values
        As of `LabelsOnNative`.
    """

    def __init__(
        self,
        members: int,
        outputs: int,
        source: Grid,
        native: Grid,
        *,
        axis: int,
        values: tuple[int, ...],
    ) -> None:
        self._outputs = outputs
        self._members = [LabelsOnNative(source, native, axis, values) for _ in range(members)]

    def eat(self, slab: Slab) -> None:
        """Give each member its outputs."""
        for number, member in enumerate(self._members, start=1):
            own = slab.values[number * self._outputs : (number + 1) * self._outputs]
            member.eat(replace(slab, values=own))

    @property
    def labels(self) -> list[NDArray[np.uint16]]:
        """Of each member."""
        return [member.labels for member in self._members]


def target_volumes(labels: NDArray[np.uint16], grid: Grid, table: LabelTable) -> dict[str, float]:
    """Volume in ml of every label and region."""
    counts = np.bincount(labels.ravel(order="K"), minlength=max(table.values, default=0) + 1)
    of_labels = {label.name: counts[label.value] for label in table.labels}
    of_regions = {region.name: counts[list(region.labels)].sum() for region in table.regions}
    return {
        name: float(count) * grid.voxel_volume / 1000 for name, count in {**of_labels, **of_regions}.items()
    }


def intervals_of(
    volumes_ml: Mapping[str, float],
    members: Sequence[NDArray[np.uint16]],
    grid: Grid,
    table: LabelTable,
    *,
    steps: Sequence[PostStep],
    calibration: VolumeCalibration,
) -> tuple[VolumeInterval, ...]:
    """Interval of each label and region that was calibrated; `steps` are done to each member's labels first."""
    alone = [target_volumes(postprocess(labels, grid, steps), grid, table) for labels in members]
    found = (
        volume_interval(name, volume, [volumes[name] for volumes in alone], calibration)
        for name, volume in volumes_ml.items()
    )
    return tuple(item for item in found if item is not None)
