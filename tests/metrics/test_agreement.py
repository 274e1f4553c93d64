"""Agreement against published worked examples, and what is refused."""

import numpy as np
import pytest

from medseg.errors import InputError
from medseg.metrics import bland_altman, icc
from medseg.metrics.summarise import bootstrap_interval

#: Six targets by four judges: table 2 of Shrout and Fleiss 1979.
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
#: Peak flow of 17 people by two meters, first readings, l/min: table 1 of Bland and Altman 1986.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]

#: Model → value in the paper, and interval as the psych package (R) prints it for the same table.
PUBLISHED = [
    ("ICC(1,1)", 0.17, (-0.133, 0.723)),
    ("ICC(2,1)", 0.29, (0.019, 0.761)),
    ("ICC(3,1)", 0.71, (0.342, 0.946)),
]


@pytest.mark.parametrize(("model", "value", "ends"), PUBLISHED)
def test_shrout_and_fleiss(model: str, value: float, ends: tuple[float, float]) -> None:
    found = icc(SHROUT_FLEISS, model)  # type: ignore[arg-type]
    assert round(found.value, 2) == value
    assert (round(found.interval.low, 3), round(found.interval.high, 3)) == ends
    assert (found.subjects, found.readers) == (6, 4)


def test_bland_and_altman() -> None:
    """Mean −2.1 and SD 38.8 l/min in the paper; 95 % interval of the bias −22.0 to 17.8."""
    found = bland_altman(WRIGHT, MINI)
    assert round(found.bias, 1) == -2.1
    assert round(found.sd, 1) == 38.8
    assert (round(found.bias_interval.low), round(found.bias_interval.high, 1)) == (-22, 17.8)
    assert found.limits == pytest.approx(
        (found.bias - 1.96 * found.sd, found.bias + 1.96 * found.sd), abs=0.01
    )
    half = 2.1199 * found.sd * np.sqrt(1 / 17 + 1.96**2 / 32)
    assert found.upper_interval.high - found.limits[1] == pytest.approx(half, rel=1e-3)
    assert found.lower_interval.low == pytest.approx(found.limits[0] - half, rel=1e-3)
    for interval, limit in zip((found.lower_interval, found.upper_interval), found.limits, strict=True):
        assert (interval.low + interval.high) / 2 == pytest.approx(limit)
    assert (found.bias_interval.low + found.bias_interval.high) / 2 == pytest.approx(found.bias)
    assert (found.count, found.bias_interval.level) == (17, 0.95)


def test_a_reader_who_is_always_higher_agrees_in_consistency_only() -> None:
    first = np.array([1.0, 2, 3, 4, 5])
    pair = np.stack([first, first + 2], axis=1)
    assert icc(pair, "ICC(3,1)").value == pytest.approx(1)
    assert icc(pair, "ICC(2,1)").value == pytest.approx(2.5 / 4.5)
    for model in ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)"):
        same = icc(np.stack([first, first], axis=1), model)  # type: ignore[arg-type]
        assert (same.value, same.interval.low, same.interval.high) == (1, 1, 1)


REFUSED = [
    (lambda: icc([[1, 1], [1, 1]]), "no subject differs"),
    (lambda: icc([[1, 2]]), "at least 2"),
    (lambda: icc([[1], [2]]), "two readings"),
    (lambda: icc([[1, 2], [1, float("nan")]]), "every reading"),
    (lambda: bland_altman([1, 2], [1, 2]), "at least 3"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED)
def test_what_agreement_refuses(call: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()  # type: ignore[operator]


def test_intervals_draw_patients_not_cases() -> None:
    """Ten copies of each case are no more evidence than one."""
    values = np.array([0.6, 0.7, 0.8, 0.9])
    once = bootstrap_interval(values)
    copies = np.repeat(values, 10)
    whose = [f"patient {number // 10}" for number in range(40)]
    assert bootstrap_interval(copies, patients=whose) == pytest.approx(once)
    low, high = bootstrap_interval(copies)
    assert low is not None
    assert high is not None
    assert high - low < (once[1] or 0) - (once[0] or 0)


def test_no_interval_for_fewer_than_two_patients() -> None:
    assert bootstrap_interval(np.array([])) == (None, None)
    assert bootstrap_interval(np.array([0.5])) == (None, None)
    assert bootstrap_interval(np.array([0.5, 0.7]), patients=["a", "a"]) == (None, None)
