"""What is called a change without one, at most as often as is said."""

import numpy as np
import pytest

from medseg.domain import Quantity
from medseg.domain.followup import ChangeError, KnownError
from medseg.errors import ConfigError
from medseg.followup import ChangeRules
from medseg.followup.chance import change_p, holm, nadir_p

#: Within-subject SD of the logarithm, and its range of no change.
SIGMA = 0.1
FACTOR = float(np.exp(1.96 * np.sqrt(2) * SIGMA))
ERROR = ChangeError("test-retest", 1 / FACTOR, FACTOR, "drawn")


@pytest.mark.parametrize(
    ("ratio", "expected"), [(1.0, 1.0), (FACTOR, 0.05), (1 / FACTOR, 0.05), (FACTOR**2, 8.86e-5)]
)
def test_the_ends_of_the_range_have_five_per_cent(ratio: float, expected: float) -> None:
    assert change_p(ratio, ERROR) == pytest.approx(expected, rel=0.01)


def test_an_asymmetric_range_counts_on_either_side() -> None:
    wide_below = ChangeError("intervals", 0.5, 1.1, "made so")
    assert change_p(1.1, wide_below) == pytest.approx(change_p(0.5, wide_below))
    assert change_p(1.1, wide_below) < change_p(1 / 1.1, wide_below)


def test_a_range_without_an_end_calls_nothing() -> None:
    assert change_p(0.2, ChangeError("intervals", 0.0, 1.5, "made so")) == 1.0


@pytest.mark.parametrize("before", [1, 2, 5])
def test_growth_from_the_smallest_of_several_is_as_likely_as_drawn(before: int) -> None:
    rng = np.random.default_rng(before)
    drawn = np.exp(rng.normal(0, SIGMA, (200_000, before + 1)))
    above = float((drawn[:, -1] / drawn[:, :-1].min(axis=1) > FACTOR).mean())
    assert nadir_p(FACTOR, ERROR, before) / 2 == pytest.approx(above, abs=0.002)


def test_nine_per_cent_after_five_visits() -> None:
    assert nadir_p(FACTOR, ERROR, 1) / 2 == pytest.approx(0.025, abs=0.0005)
    assert nadir_p(FACTOR, ERROR, 5) / 2 == pytest.approx(0.09, abs=0.005)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == ()
    assert holm([0.9, 0.8]) == (1.0, 1.0)


@pytest.mark.parametrize("low", [-0.1, 1.0, 1.2])
def test_a_range_lies_around_no_change(low: float) -> None:
    with pytest.raises(ConfigError, match="around the factor 1"):
        ChangeError("test-retest", low, 1.3, "x")


@pytest.mark.parametrize("alpha", [0.0, 0.5, -1.0])
def test_alpha_is_a_chance(alpha: float) -> None:
    with pytest.raises(ConfigError, match="alpha"):
        ChangeRules((KnownError(Quantity.VOLUME, ERROR, "lesion"),), alpha)
