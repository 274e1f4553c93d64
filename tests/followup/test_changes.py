"""What may be said of a change: the error's order, what keeps it from being said, figures by hand."""

import math

import numpy as np
import pytest

from medseg.domain import Interval, Measurement, Quantity, Status, Target
from medseg.domain.followup import ChangeError, KnownError, LesionEvent, Track
from medseg.followup import ChangeRules
from medseg.followup.changes import follow_groups
from tests.followup.scenes import grid, point, scan

SEEN = scan([], grid((4, 4, 4)))
RETEST = ChangeError("test-retest", 1 / 1.3, 1.3, "40 pairs", pairs=40)
NOISE = ChangeError("lower bound", 1 / 1.05, 1.05, "shifts of one scan")


def lesion(volume, number=1, *, status=Status.OK, quantity=Quantity.VOLUME, unit="ml"):
    reason = None if status is Status.OK else "at the border"
    return Measurement(Target("lesion", "tumour", (1,), number), quantity, volume, unit, status, reason)


def total(volume, interval=None):
    whole = Target("label", "tumour", (1,))
    rows = [Measurement(whole, Quantity.LESION_VOLUME, volume, "ml")]
    return [*rows, Measurement(whole, Quantity.VOLUME, volume, "ml", interval=interval)]


def track(number, *kinds):
    events = tuple(
        LesionEvent(n, None if kind in ("gone", "not assessable") else number, kind, kind)
        for n, kind in enumerate(kinds)
    )
    return Track(number, f"2.25.{number}", "tumour", events)


def changes(volumes, *, known=(), days=None, faults=(), alpha=0.05, statuses=None):
    """Changes of one lesion with these volumes, by (scan, against)."""
    statuses = statuses or [Status.OK] * len(volumes)
    points = [
        point(SEEN, None if days is None else days[n], faults if n == len(volumes) - 1 else ())
        for n in range(len(volumes))
    ]
    measured = [[lesion(v, status=s)] for v, s in zip(volumes, statuses, strict=True)]
    one = track(1, "first seen", *["followed"] * (len(volumes) - 1))
    groups = follow_groups(points, [one], measured, ChangeRules(tuple(known), alpha))
    return {(item.point, item.against): item for item in groups[0].changes}


def known(error, of="lesion", **more):
    return KnownError(Quantity.VOLUME, error, of, **more)


@pytest.mark.parametrize(
    ("after", "errors", "call"),
    [
        (1.2, [known(RETEST)], "within error"),
        (1.4, [known(RETEST)], "grown"),
        (0.7, [known(RETEST)], "shrunk"),
        (1.2, [known(NOISE)], "larger than segmentation noise"),
        (0.8, [known(NOISE)], "smaller than segmentation noise"),
        # Test–retest comes first, however narrow a lower bound is.
        (1.2, [known(NOISE), known(RETEST)], "within error"),
        (9.0, [], "error unknown"),
        # Neither follows from the other: an error of sums is none of lesions.
        (9.0, [known(RETEST, of="sum")], "error unknown"),
        (9.0, [known(RETEST, structure="node")], "error unknown"),
        (9.0, [known(RETEST, weights="ab" * 32)], "error unknown"),
        (1.4, [known(RETEST, structure="tumour")], "grown"),
    ],
)
def test_what_may_be_said(after, errors, call) -> None:
    found = changes([1.0, after], known=errors)[1, "baseline"]
    assert found.call == call
    assert found.absolute == pytest.approx(after - 1)
    assert found.percent == pytest.approx(100 * (after - 1))


def test_an_error_measured_with_other_weights_does_not_count() -> None:
    points = [point(SEEN), point(SEEN, weights="cd" * 32)]
    rules = ChangeRules((known(RETEST, weights="cd" * 32),))
    one = track(1, "first seen", "followed")
    found = follow_groups(points, [one], [[lesion(1.0)], [lesion(2.0)]], rules)
    assert found[0].changes[0].call == "grown"


def test_two_intervals_are_the_conservative_last() -> None:
    def sums(first, second, ends):
        measured = [
            total(first, Interval(first * 0.9, first * 1.1, 0.95, "split")),
            total(second, Interval(second * ends[0], second * ends[1], 0.95, "split")),
        ]
        group = follow_groups([point(SEEN), point(SEEN)], [], measured, ChangeRules())[0]
        return group.change(Quantity.LESION_VOLUME, 1)

    # Grown where even the lower end of the later interval lies above the upper end of the earlier one.
    assert sums(10.0, 11.0 / 0.9 * 1.001, (0.9, 1.1)).call == "grown"
    assert sums(10.0, 11.0 / 0.9 * 0.999, (0.9, 1.1)).call == "within error"
    assert sums(10.0, 9.0 / 1.1 * 0.999, (0.9, 1.1)).call == "shrunk"
    found = sums(10.0, 12.0, (0.9, 1.1))
    assert found.error.kind == "intervals"
    assert (found.error.low, found.error.high) == pytest.approx((0.9 / 1.1, 1.1 / 0.9))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"faults": ("another slice thickness: 1 and 5 mm",)}, "another slice thickness: 1 and 5 mm"),
        ({"statuses": [Status.OK, Status.TRUNCATED_LOWER_BOUND]}, "cut at scan 2: at the border"),
        ({"statuses": [Status.TRUNCATED_LOWER_BOUND, Status.OK]}, "cut at scan 1: at the border"),
    ],
)
def test_what_keeps_a_change_from_being_said(arguments, reason) -> None:
    found = changes([1.0, 9.0], known=[known(RETEST)], **arguments)[1, "baseline"]
    assert (found.call, found.reason) == ("not comparable", reason)
    assert found.absolute is found.percent is found.p is None


def test_years_and_doubling_by_hand() -> None:
    found = changes([1.0, 2.0], known=[known(RETEST)], days=[0, 200])[1, "baseline"]
    assert found.per_year == pytest.approx(365.25 / 200)
    assert found.doubling_days == pytest.approx(200)
    low, high = found.doubling_range
    assert low == pytest.approx(200 * math.log(2) / (math.log(2) + math.log(1.3)))
    assert high == pytest.approx(200 * math.log(2) / (math.log(2) - math.log(1.3)))


@pytest.mark.parametrize(
    ("after", "days"), [(2.0, None), (1.2, [0, 200]), (0.5, [0, 200])], ids=["no days", "within", "shrunk"]
)
def test_no_doubling_but_of_growth_beyond_error(after, days) -> None:
    found = changes([1.0, after], known=[known(RETEST)], days=days)[1, "baseline"]
    assert found.doubling_days is found.doubling_range is None


def test_nothing_per_year_below_half_a_year() -> None:
    assert changes([1.0, 2.0], days=[0, 182])[1, "baseline"].per_year is None
    assert changes([1.0, 2.0], days=[0, 183])[1, "baseline"].per_year is not None


def test_the_nadir_is_the_smallest_before_and_growth_from_it_needs_more() -> None:
    found = changes([1.0, 0.8, 0.9, 0.8 * 1.33], known=[known(RETEST)])
    nadir = found[3, "nadir"]
    assert (nadir.since, nadir.percent) == (1, pytest.approx(33))
    # Beyond the range of two values, but not of the smallest of three.
    assert nadir.call == "within error"
    assert (1, "nadir") not in found
    assert changes([1.0, 0.5, 0.5, 1.0], known=[known(RETEST)])[3, "nadir"].call == "grown"


def test_gone_is_no_shrinkage() -> None:
    one = track(1, "first seen", "gone")
    groups = follow_groups([point(SEEN)] * 2, [one], [[lesion(1.0)], []], ChangeRules((known(RETEST),)))
    found = groups[0].change(Quantity.VOLUME, 1)
    assert (found.call, found.absolute, found.percent, found.p) == ("gone", -1.0, -100.0, None)


def test_what_can_not_be_looked_for_has_no_volume() -> None:
    one = track(1, "first seen", "not assessable")
    groups = follow_groups([point(SEEN)] * 2, [one], [[lesion(1.0)], []], ChangeRules((known(RETEST),)))
    assert groups[0].value(Quantity.VOLUME, 1) is None
    assert groups[0].change(Quantity.VOLUME, 1).call == "not comparable"


def test_a_sum_over_other_places_is_not_compared() -> None:
    one = track(1, "first seen", "not assessable")
    measured = [[*total(3.0), lesion(1.0)], [*total(2.0)]]
    groups = follow_groups([point(SEEN)] * 2, [one], measured, ChangeRules((known(RETEST, of="sum"),)))
    found = groups[0].change(Quantity.LESION_VOLUME, 1)
    assert found.call == "not comparable"
    assert "lesion 1 is not assessable" in found.reason


def test_unchanged_patients_seldom_have_any_event() -> None:
    """Six lesions over one to five later visits without a change: at most alpha of the patients have any event."""
    rng = np.random.default_rng(4)
    sigma = math.log(1.3) / (1.96 * math.sqrt(2))
    rules = ChangeRules((known(RETEST),))
    for visits in (1, 3, 5):
        tracks = [track(n, "first seen", *["followed"] * visits) for n in range(1, 7)]
        points = [point(SEEN)] * (visits + 1)
        false = 0
        patients = 300
        for _ in range(patients):
            volumes = np.exp(rng.normal(0, sigma, (visits + 1, 6)))
            measured = [[lesion(float(v), n) for n, v in enumerate(row, 1)] for row in volumes]
            groups = follow_groups(points, tracks, measured, rules)
            false += any(item.call != "within error" for group in groups for item in group.changes)
        # 5 % and what 300 patients may stray above it (99.9 %).
        assert false / patients <= 0.05 + 3.1 * math.sqrt(0.05 * 0.95 / patients)


def test_parts_are_summed_and_uptake_is_the_largest() -> None:
    first = Track(
        1, "2.25.1", "tumour", (LesionEvent(0, 1, "first seen", ""), LesionEvent(1, 1, "split", "", (2,)))
    )
    second = Track(2, "2.25.2", "tumour", (LesionEvent(1, 2, "split off", "", (1,)),))

    def uptake(value, number):
        return lesion(value, number, quantity=Quantity.SUV_MAX, unit="g/ml{SUVbw}")

    measured = [[lesion(4.0), uptake(5.0, 1)], [lesion(2.5), lesion(1.0, 2), uptake(3.0, 1), uptake(7.0, 2)]]
    group = follow_groups([point(SEEN)] * 2, [first, second], measured, ChangeRules())[0]
    assert group.tracks == (1, 2)
    assert group.value(Quantity.VOLUME, 1) == 3.5
    assert group.value(Quantity.SUV_MAX, 1) == 7.0
