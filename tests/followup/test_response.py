"""Target-sum categories: a table per rule set, at its limits."""

import pytest

from medseg.domain import Measurement, Quantity, Status, Target
from medseg.domain.followup import FollowUp, LesionEvent, Track
from medseg.errors import ConfigError, InputError
from medseg.followup.response import PickedTarget, TargetPlan, target_sums
from tests.followup.scenes import grid, point, scan

SEEN = scan([], grid((4, 4, 4)))
LONG, SHORT, PRODUCT = Quantity.LONGEST_DIAMETER, Quantity.SHORT_DIAMETER, Quantity.BIDIMENSIONAL_PRODUCT


def row(number, quantity, value, status=Status.OK):
    reason = None if status is Status.OK else "cut"
    return Measurement(Target("lesion", "tumour", (1,), number), quantity, value, "mm", status, reason)


def judged(lengths, *, criteria="recist-1.1", quantity=LONG, nodes=(), faults=(), status=Status.OK):
    """Categories of targets whose lengths per scan are given; None: gone."""
    count = len(lengths[0])
    tracks = []
    for n in range(count):
        events = [LesionEvent(0, n + 1, "first seen", "")]
        for p in range(1, len(lengths)):
            lost = lengths[p][n] is None
            events.append(LesionEvent(p, None if lost else n + 1, "gone" if lost else "followed", ""))
            if lost:
                break
        tracks.append(Track(n + 1, f"2.25.{n}", "tumour", tuple(events)))
    measured = [
        [
            row(
                n + 1,
                SHORT if n + 1 in nodes else quantity,
                v,
                status if p == len(lengths) - 1 else Status.OK,
            )
            for n, v in enumerate(values)
            if v is not None
        ]
        for p, values in enumerate(lengths)
    ]
    points = tuple(point(SEEN, faults=faults if p == len(lengths) - 1 else ()) for p in range(len(lengths)))
    draft = FollowUp("s", points, tuple(tracks), (), ())
    targets = tuple(PickedTarget(n + 1, f"organ {n}", n + 1 in nodes) for n in range(count))
    return target_sums(draft, TargetPlan(targets, criteria), measured)


@pytest.mark.parametrize(
    ("lengths", "category"),
    [
        ([[50.0, 50.0], [35.0, 35.0]], "PR"),  # −30 %
        ([[50.0, 50.0], [35.5, 35.0]], "SD"),  # −29.5 %
        ([[50.0, 50.0], [60.0, 60.0]], "PD"),  # +20 % and 20 mm
        ([[50.0, 50.0], [60.0, 59.0]], "SD"),  # +19 %
        ([[10.0, 10.0], [12.0, 12.4]], "SD"),  # +22 % and 4.4 mm
        ([[10.0, 10.0], [12.5, 12.5]], "PD"),  # +25 % and 5 mm
        (
            [[50.0, 50.0], [30.0, 30.0], [36.0, 36.0]],
            "PD",
        ),  # from the smallest sum, though −28 % from baseline
        ([[50.0, 50.0], [None, None]], "CR"),
        ([[50.0, 50.0], [None, 5.0]], "PR"),
    ],
)
def test_recist_by_the_sum(lengths, category) -> None:
    assert judged(lengths)[-1].category == category


def test_a_node_below_ten_millimetres_is_normal_and_still_counts() -> None:
    found = judged([[40.0, 16.0], [None, 9.0]], nodes=(2,))[-1]
    assert (found.category, found.value) == ("CR", 9.0)
    assert judged([[40.0, 16.0], [None, 10.0]], nodes=(2,))[-1].category == "PR"


def test_what_is_cut_is_not_evaluable_unless_it_is_progression_already() -> None:
    cut = Status.TRUNCATED_LOWER_BOUND
    assert judged([[50.0], [50.0]], status=cut)[-1].category == "not evaluable"
    assert judged([[50.0, 10.0], [50.0, 10.0]], faults=("other model",))[-1].category == "not evaluable"


@pytest.mark.parametrize(
    ("criteria", "quantity", "values", "category"),
    [
        ("rano-2010", PRODUCT, (400.0, 200.0), "PR"),
        ("rano-2010", PRODUCT, (400.0, 204.0), "SD"),
        ("rano-2010", PRODUCT, (400.0, 500.0), "PD"),
        ("rano-2.0", PRODUCT, (400.0, 499.0), "SD"),
        ("rano-2.0-volume", Quantity.VOLUME, (10.0, 3.5), "PR"),
        ("rano-2.0-volume", Quantity.VOLUME, (10.0, 3.6), "SD"),
        ("rano-2.0-volume", Quantity.VOLUME, (10.0, 14.0), "PD"),
        ("rano-2010", PRODUCT, (400.0, None), "CR"),
    ],
)
def test_rano(criteria, quantity, values, category) -> None:
    found = judged([[values[0]], [values[1]]], criteria=criteria, quantity=quantity)[-1]
    assert found.category == category
    assert found.reader  # what a reader must still add


def test_percist_needs_lean_body_mass_and_takes_the_hottest_at_each_time() -> None:
    found = judged([[5.0]] * 2, criteria="percist", quantity=Quantity.SUV_PEAK)[-1]
    assert found.category == "not evaluable"
    assert "lean body mass" in found.reason

    def peaks(first, second):
        tracks = tuple(
            Track(
                n,
                f"2.25.{n}",
                "tumour",
                (LesionEvent(0, n, "first seen", ""), LesionEvent(1, n, "followed", "")),
            )
            for n in (1, 2)
        )
        measured = [
            [
                Measurement(Target("lesion", "tumour", (1,), n), Quantity.SUV_PEAK, value, "g/ml{SUVlbm}")
                for n, value in enumerate(values, 1)
            ]
            for values in (first, second)
        ]
        draft = FollowUp("s", (point(SEEN), point(SEEN)), tracks, (), ())
        return target_sums(draft, TargetPlan((PickedTarget(1),), "percist"), measured)[-1]

    assert peaks((5.0, 3.0), (2.0, 3.4)).value == 3.4
    assert peaks((5.0, 3.0), (2.0, 3.4)).category == "PR"  # −32 % and 1.6
    assert peaks((2.0, 1.0), (2.7, 1.0)).category == "SD"  # +35 % and 0.7
    assert peaks((2.0, 1.0), (2.0, 2.9)).category == "PD"


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ((), "no target"),
        ((PickedTarget(1, "liver"), PickedTarget(1, "liver")), "twice"),
        ((PickedTarget(1),), "needs its organ"),
        (tuple(PickedTarget(n, f"organ {n}") for n in range(1, 7)), "at most 5"),
        (tuple(PickedTarget(n, "liver") for n in range(1, 4)), "2 of one organ"),
        (tuple(PickedTarget(n, f"place {n}", node=True) for n in range(1, 4)), "nodes being one"),
    ],
)
def test_targets_that_the_rules_do_not_allow(targets, words) -> None:
    with pytest.raises(ConfigError, match=words):
        TargetPlan(targets)


def test_a_target_is_a_lesion_of_the_baseline() -> None:
    draft = FollowUp("s", (point(SEEN), point(SEEN)), (), (), ())
    with pytest.raises(InputError, match="no lesion of the baseline"):
        target_sums(draft, TargetPlan((PickedTarget(3, "liver"),)), [[], []])


def test_a_split_target_is_the_sum_of_its_parts_and_a_merged_one_counts_once() -> None:
    split = (
        Track(
            1, "2.25.1", "tumour", (LesionEvent(0, 1, "first seen", ""), LesionEvent(1, 1, "split", "", (2,)))
        ),
        Track(2, "2.25.2", "tumour", (LesionEvent(1, 2, "split off", "", (1,)),)),
    )
    points = (point(SEEN), point(SEEN))
    measured = [[row(1, LONG, 40.0)], [row(1, LONG, 15.0), row(2, LONG, 14.0)]]
    found = target_sums(
        FollowUp("s", points, split, (), ()), TargetPlan((PickedTarget(1, "liver"),)), measured
    )
    assert (found[0].value, found[0].category) == (29.0, "SD")
    merged = (
        Track(
            1,
            "2.25.1",
            "tumour",
            (LesionEvent(0, 1, "first seen", ""), LesionEvent(1, 1, "merged", "", (2,))),
        ),
        Track(
            2,
            "2.25.2",
            "tumour",
            (LesionEvent(0, 2, "first seen", ""), LesionEvent(1, None, "merged away", "", (1,))),
        ),
    )
    measured = [[row(1, LONG, 20.0), row(2, LONG, 10.0)], [row(1, LONG, 33.0)]]
    two = TargetPlan((PickedTarget(1, "liver"), PickedTarget(2, "liver")))
    assert target_sums(FollowUp("s", points, merged, (), ()), two, measured)[0].value == 33.0
