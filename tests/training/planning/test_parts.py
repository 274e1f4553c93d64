"""Parts of a plan by themselves: what is measured of a set, its grid, its trial, and how it is written."""

from pathlib import Path

import pytest

from medseg.domain import Run
from medseg.errors import Cancelled
from medseg.io import open_dataset
from medseg.training.planning.fingerprint import Fingerprint, take_fingerprint
from medseg.training.planning.probe import _Trial
from medseg.training.planning.spacing import median_shape
from medseg.training.planning.text import _flow
from medseg.training.timing import FoldTiming, read_timing, write_timing
from tests.training.planning.test_plan import decathlon


@pytest.fixture
def measured(tmp_path: Path) -> Fingerprint:
    folder = decathlon(tmp_path / "data", cases=2, spacing=(1.0, 1.0, 4.0))
    return take_fingerprint(open_dataset(folder), Run())


def test_the_median_shape_on_no_spacing_is_that_of_the_voxels(measured: Fingerprint) -> None:
    assert median_shape(measured, None) == (20, 22, 18)
    assert median_shape(measured, (2.0, 1.0, 4.0)) == (10, 22, 18)


def test_a_fingerprint_can_be_stopped(tmp_path: Path) -> None:
    folder = decathlon(tmp_path / "data", cases=2)
    with pytest.raises(Cancelled):
        take_fingerprint(open_dataset(folder), Run(cancel=lambda: True))


def test_a_line_of_a_plan_keeps_the_order_of_its_names() -> None:
    assert _flow({"step": "clip", "channel": "CT", "low": -1}) == "{step: clip, channel: CT, low: -1}"


@pytest.mark.parametrize(
    ("sizes", "slope"), [(((100, 1000), (200, 1500)), 5.0), (((100, 1000), (200, 900)), 0.0)]
)
def test_memory_that_a_trial_expects_grows_with_the_batch_and_never_shrinks(
    sizes: tuple[tuple[int, int], tuple[int, int]], slope: float
) -> None:
    trial = object.__new__(_Trial)
    trial.config = type("C", (), {"loop": type("L", (), {"batch": 10}), "patch": (10, 10)})  # type: ignore[assignment]
    trial.device = type("D", (), {"type": "cpu"})  # type: ignore[assignment]
    peaks = iter(sizes)
    trial._peak = lambda share: next(peaks)  # type: ignore[method-assign]
    found = trial.run(0)
    assert found.predicted_bytes == sizes[1][1] + slope * (1000 - 200)
    assert found.measured_bytes is None


def test_times_of_a_fold_add_up_from_attempt_to_attempt(tmp_path: Path) -> None:
    assert read_timing(tmp_path) is None
    for _ in range(2):
        write_timing(tmp_path, FoldTiming(10.0, 1.0, 5))
    assert read_timing(tmp_path) == FoldTiming(20.0, 2.0, 5)
