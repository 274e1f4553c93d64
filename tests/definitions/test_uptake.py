"""Delineations by name."""

import pytest

from medseg.definitions.uptake import FixedThreshold, ShareOfMaximum, rule_named
from medseg.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("fixed-2.5", FixedThreshold(2.5)),
        ("fixed-4", FixedThreshold(4)),
        ("41%", ShareOfMaximum(0.41)),
        ("50 %", ShareOfMaximum(0.5)),
    ],
)
def test_names(name: str, rule: object) -> None:
    assert rule_named(name) == rule


@pytest.mark.parametrize("name", ["", "fixed", "2.5", "given", "0%", "100%", "fixed-0", "otsu"])
def test_no_names(name: str) -> None:
    with pytest.raises(ConfigError):
        rule_named(name)
