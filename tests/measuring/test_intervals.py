"""A volume has the interval that the model stated for the mask as it left it, and no other."""

from dataclasses import replace

import numpy as np
import pytest

from medseg.domain import Grid, Label, LabelTable, Quantity, Region, Segmentation
from medseg.domain.intervals import VolumeInterval
from medseg.domain.provenance import Edit, Provenance
from medseg.measuring import measure
from medseg.measuring.intervals import interval_findings

GRID = Grid((20, 20, 20), np.eye(4))
TABLE = LabelTable((Label(1, "front"), Label(2, "back")), (Region("whole", (1, 2)),))


def stated(target: str, volume_ml: float) -> VolumeInterval:
    return VolumeInterval(target, volume_ml, 0.9 * volume_ml, 1.1 * volume_ml, 0.9, 0.78, 199, 3)


def mask(*, at_border: bool = False) -> Segmentation:
    """125 voxels in front, 75 behind; 0.2 ml in all."""
    labels = np.zeros(GRID.shape, np.uint8)
    first = 0 if at_border else 5
    labels[first : first + 5, 5:10, 5:10] = 1
    labels[first : first + 5, 10:13, 5:10] = 2
    intervals = (stated("front", 0.125), stated("back", 0.075), stated("whole", 0.2))
    return Segmentation(labels, GRID, TABLE, Provenance("a-model", intervals=intervals))


def intervals(segmentation: Segmentation) -> dict[str, tuple[float, float] | None]:
    return {
        item.target.name: None if item.interval is None else (item.interval.low, item.interval.high)
        for item in measure(segmentation, {}, only=None)
        if item.quantity is Quantity.VOLUME
    }


def test_labels_and_regions_carry_their_own() -> None:
    found = intervals(mask())
    assert found["front"] == pytest.approx((0.1125, 0.1375))
    assert found["back"] == pytest.approx((0.0675, 0.0825))
    assert found["whole"] == pytest.approx((0.18, 0.22))
    assert interval_findings(mask()) == ()


def test_nothing_else_has_one() -> None:
    others = [item for item in measure(mask(), {}) if item.quantity is not Quantity.VOLUME]
    assert others
    assert all(item.interval is None for item in others)


def edited(before: Segmentation) -> Segmentation:
    made_by = replace(before.made_by, edits=(Edit("close"),))
    return replace(before, made_by=made_by)


def other_voxels(before: Segmentation) -> Segmentation:
    labels = before.labels.copy()
    labels[5, 5, 5] = 0
    return replace(before, labels=labels)


def test_an_edited_mask_has_none_and_says_why() -> None:
    assert set(intervals(edited(mask())).values()) == {None}
    (finding,) = interval_findings(edited(mask()))
    assert "changed after the model" in finding.message


def test_a_volume_that_is_not_the_stated_one_has_none() -> None:
    found = intervals(other_voxels(mask()))
    assert (found["front"], found["whole"]) == (None, None)
    assert found["back"] is not None


def test_what_the_border_cuts_has_none() -> None:
    assert set(intervals(mask(at_border=True)).values()) == {None}
