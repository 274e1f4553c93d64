"""Named delineations: what each keeps, the threshold it used, and the empty cases."""

import numpy as np
import pytest

from medseg.definitions.uptake import FixedThreshold, PercistThreshold, ShareOfMaximum
from medseg.masks.delineate import delineate

VALUES = np.array([[[1.0, 2.5, 4.0, 10.0, 20.0]]])
INSIDE = np.array([[[True, True, True, True, False]]])


@pytest.mark.parametrize(
    ("rule", "kept", "threshold"),
    [
        (FixedThreshold(2.5), [0, 1, 1, 1, 0], 2.5),
        (FixedThreshold(4.0), [0, 0, 1, 1, 0], 4.0),
        (FixedThreshold(11), [0, 0, 0, 0, 0], 11),
        (ShareOfMaximum(0.41), [0, 0, 0, 1, 0], 4.1),
        (ShareOfMaximum(0.25), [0, 1, 1, 1, 0], 2.5),
        (PercistThreshold(2.0, 0.25), [0, 0, 1, 1, 0], 3.5),
        (PercistThreshold(2.0, 0.25, "aorta"), [0, 0, 0, 1, 0], 4.5),
    ],
)
def test_rules(rule: object, kept: list[int], threshold: float) -> None:
    found = delineate(VALUES, INSIDE, rule)  # type: ignore[arg-type]
    assert found.mask[0, 0].astype(int).tolist() == kept
    assert found.threshold == pytest.approx(threshold)


def test_a_share_can_refer_to_another_maximum() -> None:
    assert delineate(VALUES, INSIDE, ShareOfMaximum(0.5), maximum=20).mask.sum() == 1


def test_nothing_inside_has_no_share() -> None:
    found = delineate(VALUES, np.zeros_like(INSIDE), ShareOfMaximum(0.41))
    assert found.threshold is None
    assert not found.mask.any()
    assert delineate(VALUES, np.zeros_like(INSIDE), FixedThreshold(2.5)).threshold == 2.5


def test_values_that_are_not_finite_never_belong() -> None:
    values = VALUES.copy()
    values[0, 0, 3] = np.nan
    found = delineate(values, INSIDE, ShareOfMaximum(0.5))
    assert found.mask[0, 0].tolist() == [False, True, True, False, False]
