"""The promises of every segmenter, on this one."""

import pytest
from medseg_outliers import OUTLIERS

from medseg.testing.contract import PROMISES
from medseg.testing.segmenters import Trial


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_promise(promise):
    promise(OUTLIERS, Trial(params={"spread": 7.0}))
