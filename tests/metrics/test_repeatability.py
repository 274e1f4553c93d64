"""Repeatability against the golden figures of a real test–retest study, closed forms, and what nesting costs."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medseg.domain import Quantity
from medseg.domain.repeatability import FEWEST_SUBJECTS, PairedValue, Repeatability
from medseg.errors import InputError
from medseg.metrics import Measured, repeatability_by_size, repeatability_of

OF = Measured("gland", Quantity.VOLUME, "ml")

#: Structure → pairs, wCV in %, RC in ml, factor on the log scale, ICC(2,1): as `shared/clinical-rules.md` has them.
PROSTATE = [
    ("WholeGland", 15, 10.1, 17.87, 1.324, 0.949),
    ("PeripheralZone", 15, 18.9, 4.20, 1.724, 0.859),
    ("TumorROI_PZ_1", 11, 21.6, 0.2337, 1.839, 0.858),
]


def prostate(data: "Callable[[str], Path]", structure: str) -> list[PairedValue]:
    with data("qin_prostate/volumes_test_retest.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["structure"] == structure]
    values = [(float(row["scan1_mm3"]) / 1000, float(row["scan2_mm3"]) / 1000) for row in rows]
    return [PairedValue(number, *value) for number, value in enumerate(values, 1)]


def pairs(values: "list[tuple[float, float]]") -> list[PairedValue]:
    return [PairedValue(number, *value) for number, value in enumerate(values)]


@pytest.mark.parametrize(("structure", "count", "wcv", "rc", "factor", "icc"), PROSTATE)
def test_the_golden_figures(
    data: Callable[[str], Path], structure: str, count: int, wcv: float, rc: float, factor: float, icc: float
) -> None:
    found = repeatability_of(prostate(data, structure), OF)
    assert (found.pairs, found.subjects, found.is_preliminary) == (count, count, True)
    assert 100 * found.wcv.value == pytest.approx(wcv, abs=0.05)
    assert found.rc.value == pytest.approx(rc, abs=0.005)
    assert found.log_factor.value == pytest.approx(factor, abs=0.0005)
    assert found.icc.value == pytest.approx(icc, abs=0.0005)


def test_of_the_whole_gland_errors_grow_with_the_size_so_the_log_scale_leads(
    data: Callable[[str], Path],
) -> None:
    gland, zone = (repeatability_of(prostate(data, name), OF) for name in ("WholeGland", "PeripheralZone"))
    assert gland.growth.value == pytest.approx(0.61, abs=0.005)
    assert (gland.scale, zone.scale) == ("log", "absolute")
    assert (gland.rc.interval.low, gland.rc.interval.high) == pytest.approx((13.2, 27.7), abs=0.05)
    factor = gland.log_factor.value
    assert gland.no_change(50.0) == pytest.approx((50 / factor, 50 * factor))
    assert gland.no_change_percent == pytest.approx((100 / factor - 100, 100 * factor - 100))
    assert zone.no_change(10.0) == pytest.approx((10 - zone.rc.value, 10 + zone.rc.value))


def test_differences_of_one_size_have_a_closed_form() -> None:
    """|d| = 2 everywhere: wSD = √2, RC = 1.96·√2·√2 = 3.92; no bias, and nothing grows."""
    found = repeatability_of(pairs([(10 + n, 12 + n) if n % 2 else (12 + n, 10 + n) for n in range(8)]), OF)
    assert found.wsd.value == pytest.approx(np.sqrt(2))
    assert found.rc.value == pytest.approx(3.92)
    assert found.bias.value == pytest.approx(0)
    assert found.bias_test.p == pytest.approx(1)
    assert (found.growth, found.scale) == (None, "absolute")


def test_a_second_scan_that_is_always_larger_is_a_bias() -> None:
    found = repeatability_of(pairs([(n, n + 1 + 0.01 * n) for n in range(5, 15)]), OF)
    assert found.bias.value == pytest.approx(-1.095)
    assert found.bias_test.p < 1e-6
    assert found.bias.interval.high < 0


@pytest.mark.parametrize("count", [10, 40])
def test_the_interval_holds_the_truth_as_often_as_it_says(count: int) -> None:
    """Simulated studies of known wSD: 95 % of the intervals of the repeatability coefficient hold it."""
    rng = np.random.default_rng(7)
    truth, held, studies = 1.96 * np.sqrt(2) * 0.5, 0, 400
    for _ in range(studies):
        level = rng.uniform(5, 50, count)
        scans = level[:, None] + rng.normal(0, 0.5, (count, 2))
        interval = repeatability_of(pairs([tuple(row) for row in scans]), OF).rc.interval
        held += interval.low <= truth <= interval.high
    assert held / studies == pytest.approx(0.95, abs=0.03)


def test_ten_lesions_of_each_patient_are_known_no_better_than_their_patients() -> None:
    """Copies of a lesion are no evidence: figures stay, and so do their intervals."""
    once = [PairedValue(n, 10.0 + n, 10.5 + n * 1.1) for n in range(12)]
    copies = [
        PairedValue(n, pair.first, pair.second, str(k)) for k in range(10) for n, pair in enumerate(once)
    ]
    one, ten = repeatability_of(once, OF), repeatability_of(copies, OF)
    assert (ten.subjects, ten.pairs) == (12, 120)
    for name in ("wsd", "rc", "wcv", "log_factor", "bias"):
        alone, nested = getattr(one, name), getattr(ten, name)
        assert nested.value == pytest.approx(alone.value)
        assert (nested.interval.low, nested.interval.high) == pytest.approx(
            (alone.interval.low, alone.interval.high)
        )
    assert ten.bias_test.p == pytest.approx(one.bias_test.p)
    assert ten.icc.interval is None


def test_a_patient_with_most_of_the_lesions_widens_the_interval() -> None:
    even = [PairedValue(n // 2, 10 + n, 11 + n) for n in range(20)]
    uneven = [PairedValue(max(0, n - 10), 10 + n, 11 + n) for n in range(20)]
    wide, narrow = (repeatability_of(item, OF).wsd.interval for item in (uneven, even))
    assert wide.high - wide.low > narrow.high - narrow.low


def test_enough_subjects_are_no_longer_preliminary() -> None:
    values = [(10.0 + n, 10.1 + n) for n in range(FEWEST_SUBJECTS)]
    assert not repeatability_of(pairs(values), OF).is_preliminary
    assert repeatability_of(pairs(values[:-1]), OF).is_preliminary


def test_a_zero_has_no_logarithm_and_a_negative_mean_no_coefficient() -> None:
    with_zero = repeatability_of(pairs([(0.0, 1.0), (2.0, 2.1), (3.0, 3.3)]), OF)
    assert (with_zero.log_factor, with_zero.no_change_percent) == (None, None)
    assert with_zero.wcv is not None
    hounsfield = repeatability_of(pairs([(-100.0, -90.0), (-80.0, -85.0), (20.0, 22.0)]), OF)
    assert (hounsfield.wcv, hounsfield.log_factor) == (None, None)
    assert hounsfield.rc.value > 0


def test_sizes_are_told_apart() -> None:
    """Small structures that differ by 20 % and large ones that differ by 2 %: each part has its own figures."""
    small = [(1 + 0.01 * n, (1 + 0.01 * n) * 1.2) for n in range(8)]
    large = [(100 + n, (100 + n) * 1.02) for n in range(8)]
    everyone = pairs([*small, *large])
    low, high = repeatability_by_size(everyone, OF, edges=[10])
    assert (low.pairs, high.pairs, low.of_size, high.of_size) == (8, 8, (pytest.approx(1.1), 10), (10, None))
    assert low.wcv.value == pytest.approx(0.2 / 2.2 * np.sqrt(2))
    assert high.wcv.value == pytest.approx(0.02 / 2.02 * np.sqrt(2))
    assert [part.pairs for part in repeatability_by_size(everyone, OF)] == [5, 6, 5]
    assert repeatability_by_size(everyone[:9], OF) == ()


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.floats(0.1, 1e3), st.floats(0.1, 1e3)), min_size=3, max_size=20),
    st.floats(0.01, 100),
)
def test_another_unit_scales_the_coefficient_and_leaves_shares(
    values: list[tuple[float, float]], k: float
) -> None:
    one = repeatability_of(pairs(values), OF)
    other = repeatability_of(pairs([(a * k, b * k) for a, b in values]), OF)
    assert other.rc.value == pytest.approx(one.rc.value * k, rel=1e-6, abs=1e-9)
    assert other.wcv.value == pytest.approx(one.wcv.value, rel=1e-6, abs=1e-9)
    assert other.log_factor.value == pytest.approx(one.log_factor.value, rel=1e-6)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0.1, 1e3), st.floats(0.1, 1e3)), min_size=3, max_size=20))
def test_which_scan_is_the_first_turns_the_bias_alone(values: list[tuple[float, float]]) -> None:
    one = repeatability_of(pairs(values), OF)
    other = repeatability_of(pairs([(b, a) for a, b in values]), OF)
    assert other.rc == one.rc
    assert other.log_factor.value == pytest.approx(one.log_factor.value)
    assert other.bias.value == pytest.approx(-one.bias.value, abs=1e-9)


REFUSED = [
    ([(1.0, 2.0), (2.0, 3.0)], "at least 3 pairs"),
    ([(1.0, 2.0), (2.0, 3.0), (3.0, float("inf"))], "finite"),
]


@pytest.mark.parametrize(("values", "words"), REFUSED)
def test_what_is_refused(values: list[tuple[float, float]], words: str) -> None:
    with pytest.raises(InputError, match=words):
        repeatability_of(pairs(values), OF)


def test_the_log_scale_needs_its_factor() -> None:
    one = repeatability_of(pairs([(1.0, 2.0), (2.0, 3.0), (3.0, 3.5)]), OF)
    with pytest.raises(InputError, match="no factor"):
        Repeatability("gland", Quantity.VOLUME, "ml", 3, 3, 1.0, 3.0, one.wsd, one.rc, scale="log")
