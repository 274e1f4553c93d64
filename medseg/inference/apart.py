"""What each network of an ensemble would have measured alone: the spread that intervals of volumes are made from."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, LabelTable, ModelCard
from medseg.domain.intervals import VolumeCalibration, VolumeInterval
from medseg.inference.conformal import volume_interval
from medseg.inference.ensemble import Ensemble
from medseg.inference.reducers import LabelsOnNative
from medseg.inference.steps import postprocess
from medseg.inference.stream import Slab, SlabStream

__all__ = ["Apart", "MemberLabels", "has_members", "target_volumes"]


class MemberLabels:
    """Labels on the native grid of each member, from slabs of an ensemble whose members follow apart.

    Memory: as many label arrays as members.

    Parameters
    ----------
    members
        What becomes of each member's slabs.
    outputs
        Of each; the first `outputs` of a slab are those of all together.
    """

    def __init__(self, members: list[LabelsOnNative], outputs: int) -> None:
        self._members = members
        self._outputs = outputs

    def eat(self, slab: Slab) -> None:
        """Give each member its outputs."""
        for number, member in enumerate(self._members, start=1):
            own = slab.values[number * self._outputs : (number + 1) * self._outputs]
            member.eat(replace(slab, values=own))

    @property
    def labels(self) -> list[NDArray[np.uint16]]:
        """Of each member."""
        return [member.labels for member in self._members]


class Apart:
    """An ensemble whose members are told apart, so that its volumes get intervals.

    Parameters
    ----------
    stream
        Of several networks; see `has_members`. The attribute `stream` is the one to run.
    card, calibration
        Of the model.
    source, native
        Model grid, and that of the answer.
    """

    def __init__(
        self, stream: SlabStream, card: ModelCard, source: Grid, native: Grid, calibration: VolumeCalibration
    ) -> None:
        predictor = stream.predictor
        assert isinstance(predictor, Ensemble)  # noqa: S101 - asked before
        axis = stream.axis(source.shape)
        members = [LabelsOnNative.between(source, native, axis, card.table.values) for _ in predictor.members]
        self.stream = replace(stream, predictor=replace(predictor, apart=True))
        self._labels = MemberLabels(members, card.network.out_channels)
        self._card, self._native, self._calibration = card, native, calibration

    def eat(self, slab: Slab) -> None:
        """Give each member its outputs."""
        self._labels.eat(slab)

    def intervals(self, labels: NDArray[np.uint16]) -> tuple[VolumeInterval, ...]:
        """Interval of each calibrated label and region of the answer; the card's steps are done to each member too."""
        grid, table, steps = self._native, self._card.table, self._card.postprocessing
        alone = [target_volumes(postprocess(own, grid, steps), grid, table) for own in self._labels.labels]
        found = (
            volume_interval(name, volume, [volumes[name] for volumes in alone], self._calibration)
            for name, volume in target_volumes(labels, grid, table).items()
        )
        return tuple(item for item in found if item is not None)


def has_members(stream: SlabStream) -> bool:
    """Whether several networks work together, each of which can be told apart."""
    return isinstance(stream.predictor, Ensemble) and len(stream.predictor.members) > 1


def target_volumes(labels: NDArray[np.uint16], grid: Grid, table: LabelTable) -> dict[str, float]:
    """Volume in ml of every label and region."""
    counts = np.bincount(labels.ravel(order="K"), minlength=max(table.values, default=0) + 1)
    of_labels = {label.name: counts[label.value] for label in table.labels}
    of_regions = {region.name: counts[list(region.labels)].sum() for region in table.regions}
    return {
        name: float(count) * grid.voxel_volume / 1000 for name, count in {**of_labels, **of_regions}.items()
    }
