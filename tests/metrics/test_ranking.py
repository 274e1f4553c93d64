"""A doubt as a ranking: areas by hand, the oracle at 0, chance at 1."""

import numpy as np
import pytest

from medseg.metrics.ranking import rank_by_doubt, risk_coverage_area

BY_HAND = [
    ("the worst last", [0.1, 0.2, 0.6], [1, 2, 3], (0.1 + 0.15 + 0.3) / 3),
    ("the worst first", [0.1, 0.2, 0.6], [3, 2, 1], (0.6 + 0.4 + 0.3) / 3),
    ("no doubt told apart", [0.1, 0.2, 0.6], [1, 1, 1], 0.3),
    ("two alike", [0.2, 0.4, 0.6], [1, 1, 2], (0.3 + 0.3 + 0.4) / 3),
    ("one case", [0.5], [1], 0.5),
]


@pytest.mark.parametrize(
    ("risks", "doubts", "area"), [row[1:] for row in BY_HAND], ids=[row[0] for row in BY_HAND]
)
def test_areas_by_hand(risks: "list[float]", doubts: "list[float]", area: float) -> None:
    assert risk_coverage_area(risks, doubts) == pytest.approx(area)


def test_equal_doubts_are_the_mean_of_all_their_orders() -> None:
    rng = np.random.default_rng(0)
    risks = rng.random(8)
    doubts = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    orders = [risk_coverage_area(risks, doubts + 1e-6 * rng.random(8)) for _ in range(4000)]
    assert risk_coverage_area(risks, doubts) == pytest.approx(np.mean(orders), abs=3e-3)


def test_the_oracle_is_0_and_chance_1() -> None:
    risks = np.random.default_rng(1).gamma(1.0, 0.1, 400)
    oracle = rank_by_doubt(risks.tolist(), risks.tolist())
    assert oracle.excess == oracle.share == oracle.high == 0
    doubts = np.random.default_rng(2).random(400).tolist()
    chance = rank_by_doubt(risks.tolist(), doubts)
    assert chance.share_low < 1 < chance.share_high
    assert chance.random == pytest.approx(risks.mean() - risk_coverage_area(risks, risks))


def test_a_noisy_doubt_lies_between_and_its_interval_holds_it() -> None:
    risks = np.random.default_rng(3).gamma(1.0, 0.1, 300)
    doubts = risks + np.random.default_rng(4).normal(0, 0.1, 300)
    found = rank_by_doubt(risks.tolist(), doubts.tolist())
    assert 0 < found.low <= found.excess <= found.high < found.random
    assert 0 < found.share_low <= found.share <= found.share_high < 1


@pytest.mark.parametrize(("risks", "doubts"), [([0.1], [1.0]), ([0.2, 0.2], [1.0, 2.0]), ([0.1, 0.2], [1.0])])
def test_what_can_not_be_ranked(risks: "list[float]", doubts: "list[float]") -> None:
    with pytest.raises(ValueError, match="two cases of different risk"):
        rank_by_doubt(risks, doubts)
