"""The shipped model keeps what every segmenter promises."""

import subprocess
import sys

import pytest

from medseg.domain import Segmenter
from medseg.testing.contract import PROMISES, Promise, finds_the_ball, predicts_its_memory, records_how
from medseg.testing.segmenters import Trial
from medseg.workflows.segmenters import find_segmenter

LONG = {"is_blind_to_storage", "cancels_within_a_second", "predicts_its_memory"}
#: A model's provenance leaves out whether probabilities were kept, which does not change the mask; and a ball 50 mm
#: wide is beyond what the card says.
KEPT = [promise for promise in PROMISES if promise not in (records_how, finds_the_ball)]


@pytest.fixture(scope="module")
def model() -> Segmenter:
    return find_segmenter("touching-objects")


@pytest.mark.parametrize(
    "promise",
    [pytest.param(promise, marks=pytest.mark.slow if promise.__name__ in LONG else ()) for promise in KEPT],
    ids=lambda promise: promise.__name__,
)
def test_it_keeps(model: Segmenter, promise: Promise) -> None:
    if promise is predicts_its_memory:
        _in_a_process_of_its_own(promise)
        return
    promise(model, Trial())


def _in_a_process_of_its_own(promise: Promise) -> None:
    """What hundreds of tests left in a process comes and goes with the memory that is looked at."""
    program = (
        f"from medseg.testing.contract import {promise.__name__}\n"
        "from medseg.testing.segmenters import Trial\n"
        "from medseg.workflows.segmenters import find_segmenter\n"
        f"{promise.__name__}(find_segmenter('touching-objects'), Trial())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
