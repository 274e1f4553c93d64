"""Scans in order of time by their dates; what a user says by number holds only for records given in order."""

from dataclasses import replace

import numpy as np
import pytest

from medseg.domain import Image, Source
from medseg.domain.plan import LesionPlan, MeasurePlan
from medseg.domain.provenance import Provenance
from medseg.errors import InputError
from medseg.followup.graph import Correction
from medseg.workflows.followup import FollowOptions, FollowScan, follow_up
from medseg.workflows.measure import measure
from tests.followup.scenes import grid, scan

AT = (20.0, 20.0, 20.0)


def seen(day: str | None, radius: float) -> FollowScan:
    on = grid((40, 40, 40), frame="1.2.3")
    mask = replace(scan([(AT, radius)], on), made_by=Provenance("net", weights_digest="ab" * 32))
    source = Source(day or "x", "dicom", acquired=day)
    image = Image(np.full(on.shape, radius, np.float32), on, "CT", channel="ct", source=source)
    record = measure(mask, image, subject="p", plan=MeasurePlan(lesions=LesionPlan()))
    return FollowScan(record, mask, {"ct": image}, day or "undated")


FIRST, SECOND, THIRD = seen("2020-01-01", 5.0), seen("2020-06-01", 6.0), seen("2021-01-01", 7.0)


def test_dates_give_the_order() -> None:
    found = follow_up([FIRST, THIRD, SECOND])
    assert [point.days for point in found.points] == [0, 152, 366]
    assert [point.record for point in found.points] == ["2020-01-01", "2020-06-01", "2021-01-01"]
    assert {point.days_from for point in found.points} == {"acquisition dates"}


@pytest.mark.parametrize(
    "options",
    [
        FollowOptions(transforms={1: np.eye(4)}),
        FollowOptions(corrections=(Correction(1, "lesion", 1, None),)),
    ],
    ids=["transforms", "links"],
)
def test_numbers_of_scans_hold_for_records_in_order(options: FollowOptions) -> None:
    assert len(follow_up([FIRST, SECOND, THIRD], options).points) == 3
    with pytest.raises(InputError, match="not in order of time"):
        follow_up([FIRST, THIRD, SECOND], options)


def test_an_earlier_scan_than_the_baseline_is_refused() -> None:
    with pytest.raises(InputError, match="152 days before the baseline"):
        follow_up([SECOND, FIRST])


def test_one_date_that_is_missing_leaves_all_days_open() -> None:
    found = follow_up([FIRST, seen(None, 6.5)])
    assert [point.days for point in found.points] == [None, None]
    assert "followup.no_dates" in {item.code for item in found.findings}


def test_days_that_are_given_take_the_place_of_dates() -> None:
    found = follow_up([FIRST, SECOND], FollowOptions(days=(0, 200)))
    assert [(point.days, point.days_from) for point in found.points] == [(0, "given"), (200, "given")]
