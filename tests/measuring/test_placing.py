"""Where a value lies among reference values: closed form inside, refused outside."""

from dataclasses import replace
from statistics import NormalDist

import pytest

from medseg.domain import Interval, Measurement, Provenance, Quantity, Status, Target
from medseg.domain.measurement import Placement
from medseg.domain.provenance import ModelFacts
from medseg.domain.reference import Limits, Person, ReferenceRow, ReferenceTable
from medseg.domain.values import as_details
from medseg.measuring import place_among

PART = Target("label", "Hippocampus", (1,))
SOURCE = "A. Author, Journal 1:1, 2020"
NET = Provenance("net", weights_digest="ab" * 32, model=ModelFacts("net", "2.0"))
WOMAN = Person(age=63, sex="female")
ROW = ReferenceRow(
    "hippocampus",
    Quantity.VOLUME,
    "ml",
    SOURCE,
    sex="female",
    age=Limits(60, 70),
    n=120,
    percentiles=((2.5, 2.0), (50.0, 3.0), (97.5, 5.0)),
)
RANGE = replace(ROW, percentiles=(), low=2.0, high=5.0)
NORMAL = replace(ROW, percentiles=(), mean=3.0, sd=0.5)


def volume(value: float | None, **more: object) -> Measurement:
    return replace(Measurement(PART, Quantity.VOLUME, 1.0, "ml"), value=value, **more)


def cut(value: float, status: Status) -> Measurement:
    return volume(value, status=status, reason="it touches the border")


def table(*rows: ReferenceRow, segmenter: str = "", version: str = "") -> ReferenceTable:
    return ReferenceTable("table.csv", rows, segmenter, version)


def place(
    item: Measurement, *rows: ReferenceRow, person: Person = WOMAN, made_by: Provenance = NET, **of: str
) -> Placement:
    (found,) = place_among([item], table(*rows, **of), person, made_by)
    assert found.placement is not None
    assert replace(found, placement=None) == item, "nothing else changes"
    return found.placement


@pytest.mark.parametrize(
    ("row", "value", "outcome", "percentile", "words"),
    [
        (ROW, 3.0, "percentile", 50.0, "50th percentile"),
        (ROW, 2.5, "percentile", 26.25, "26th percentile"),  # halfway from 2.5 to 50
        (ROW, 4.0, "percentile", 73.75, "74th percentile"),
        (ROW, 2.0, "percentile", 2.5, "2.5th percentile"),
        (ROW, 5.0, "percentile", 97.5, "97.5th percentile"),
        (ROW, 1.999, "below", None, "below the 2.5th percentile"),
        (ROW, 0.0, "below", None, "below the 2.5th percentile"),
        (ROW, 5.001, "above", None, "above the 97.5th percentile"),
        (RANGE, 3.0, "within", None, "within the range"),
        (RANGE, 2.0, "within", None, "within the range"),
        (RANGE, 1.9, "below", None, "below the range"),
        (RANGE, 5.1, "above", None, "above the range"),
        (replace(RANGE, low=None), 0.1, "within", None, "within the range"),
        (replace(RANGE, high=None), 99.0, "within", None, "within the range"),
        (NORMAL, 3.0, "percentile", 50.0, "50th percentile"),
        (NORMAL, 3.5, "percentile", 84.1344746, "84th percentile"),
        (NORMAL, 3.99, "above", None, "above the 97.5th percentile"),  # 1.98 SD
        (NORMAL, 2.01, "below", None, "below the 2.5th percentile"),
    ],
)
def test_inside_by_interpolation_beyond_without_a_number(
    row: ReferenceRow, value: float, outcome: str, percentile: float | None, words: str
) -> None:
    found = place(volume(value), row)
    assert (found.outcome, found.words) == (outcome, words)
    assert found.percentile == (None if percentile is None else pytest.approx(percentile))
    assert found.group == "female, 60 to 70 years, n = 120"
    assert found.source == f"{SOURCE} (table.csv, segmenter not named)"


def test_the_outermost_values_are_told() -> None:
    assert (place(volume(3.0), ROW).low, place(volume(3.0), ROW).high) == (2.0, 5.0)
    end = NormalDist(3.0, 0.5).inv_cdf(0.975)
    assert place(volume(3.0), NORMAL).high == pytest.approx(end) == pytest.approx(3.98, abs=0.001)


@pytest.mark.parametrize(
    ("item", "rows", "person", "words"),
    [
        (volume(3.0), (ROW,), Person(age=63), "differ by sex, which is not given; give --sex"),
        (volume(3.0), (ROW,), Person(sex="female"), "differ by age, which is not given; give --age"),
        (volume(3.0), (ROW,), Person(age=63, sex="male"), "are not of male persons"),
        (
            volume(3.0),
            (ROW,),
            Person(age=59.9, sex="female"),
            "59.9 years lies outside the reference values (60 to 70",
        ),
        (volume(3.0), (ROW,), Person(age=70, sex="female"), "70 years lies outside"),
        (
            volume(3.0),
            (ROW, replace(ROW, age=Limits(80, 90))),
            Person(age=75, sex="female"),
            "75 years lies outside the reference values (60 to 70, 80 to 90 years)",
        ),
        (
            volume(3.0),
            (replace(ROW, icv_ml=Limits(1200, 1400)),),
            WOMAN,
            "differ by intracranial volume, which is not given; give --icv",
        ),
        (
            volume(3.0),
            (replace(ROW, height_m=Limits(1.5, 1.7)),),
            replace(WOMAN, height_m=1.8),
            "1.8 m lies outside",
        ),
        (volume(3.0), (replace(ROW, unit="mm3"),), WOMAN, "are in mm3, and this one in ml"),
        (
            volume(None, status=Status.NOT_COMPUTED, reason="no size"),
            (ROW,),
            WOMAN,
            "there is no value: no size",
        ),
        (cut(3.0, Status.TRUNCATED_UNRELIABLE), (ROW,), WOMAN, "not that of the whole: it touches"),
        (cut(3.0, Status.TRUNCATED_LOWER_BOUND), (ROW,), WOMAN, "only a lower bound is known: it touches"),
        (cut(1.0, Status.TRUNCATED_LOWER_BOUND), (RANGE,), WOMAN, "only a lower bound is known: it touches"),
    ],
)
def test_what_would_be_a_guess_is_refused(
    item: Measurement, rows: tuple[ReferenceRow, ...], person: Person, words: str
) -> None:
    found = place(item, *rows, person=person)
    assert found.outcome == "refused"
    assert words in found.words
    assert (found.percentile, found.low, found.high, found.group) == (None, None, None, "")


def test_a_lower_bound_above_is_above() -> None:
    assert place(cut(5.5, Status.TRUNCATED_LOWER_BOUND), ROW).words == "above the 97.5th percentile"


@pytest.mark.parametrize(
    ("made_by", "of", "words"),
    [
        (NET, {}, None),
        (NET, {"segmenter": "net"}, None),
        (NET, {"segmenter": "net", "version": "2.0"}, None),
        (NET, {"segmenter": "other"}, "are of masks by other, and this one is by net"),
        (
            NET,
            {"segmenter": "net", "version": "1.0"},
            "are of version 1.0 of net, and this mask is of version 2.0",
        ),
        (Provenance("otsu"), {"segmenter": "otsu", "version": "1"}, "one that is not known"),
        (Provenance(), {"segmenter": "net"}, "this one is by an unknown origin"),
        (Provenance(parameters=as_details(algorithm="nnU-Net 2.8")), {"segmenter": "nnU-Net 2.8"}, None),
    ],
)
def test_values_of_another_segmenter_are_no_reference(
    made_by: Provenance, of: dict[str, str], words: str | None
) -> None:
    found = place(volume(3.0), ROW, made_by=made_by, **of)
    assert found.outcome == ("percentile" if words is None else "refused")
    assert words is None or words in found.words


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(2.5, 4.0, (26.25, 73.75)), (1.5, 4.0, None), (2.5, 6.0, None)],
)
def test_an_interval_gives_that_of_the_percentile_where_both_ends_lie_inside(
    low: float, high: float, expected: tuple[float, float] | None
) -> None:
    found = place(volume(3.0, interval=Interval(low, high, 0.9, "conformal")), ROW)
    assert found.interval == (None if expected is None else pytest.approx(expected))


def test_what_the_table_is_not_about_has_no_place() -> None:
    lesion = replace(volume(3.0), target=Target("lesion", "Hippocampus", (1,), 1))
    share = replace(volume(3.0), target=replace(PART, detail="41%"))
    other = replace(volume(3.0), quantity=Quantity.MESH_VOLUME)
    for item in (lesion, share, other):
        assert place_among([item], table(ROW), WOMAN, NET) == (item,)
    assert place(share, replace(ROW, detail="41%")).outcome == "percentile"


def test_of_several_groups_the_persons_own_is_taken() -> None:
    men = replace(ROW, sex="male", percentiles=((2.5, 3.0), (97.5, 6.0)))
    older = replace(ROW, age=Limits(70, 80), percentiles=((2.5, 1.0), (97.5, 4.0)))
    tables = (ROW, men, older)
    assert place(volume(3.0), *tables).percentile == pytest.approx(50)
    assert place(volume(4.5), *tables, person=replace(WOMAN, sex="male")).percentile == pytest.approx(50)
    assert place(volume(2.5), *tables, person=replace(WOMAN, age=70)).percentile == pytest.approx(50)
