"""NAME=VALUE on the command line: each name has one value."""

import pytest

from medseg.cli.measure_options import value_kinds
from medseg.cli.options import pairs
from medseg.errors import ConfigError


def test_names_and_values_as_they_are_given() -> None:
    assert pairs(["low=1", " high = 2=3", "low=1"], "--param") == {"low": "1", "high": " 2=3"}
    assert pairs(None, "--param") == {}
    assert value_kinds(["HU"]) == {"*": "HU"}
    assert value_kinds(["ct=HU", "pet=SUVbw", "ct=HU"]) == {"ct": "HU", "pet": "SUVbw"}


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (["low=5", "low=6"], "--param gives low twice, as '5' and as '6'"),
        (["low=5", "low =6"], "--param gives low twice"),
        (["low"], "--param takes NAME=VALUE, not 'low'"),
        (["=5"], "--param takes NAME=VALUE, not '=5'"),
    ],
)
def test_of_two_values_none_is_chosen(items: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        pairs(items, "--param")


def test_a_channel_holds_values_of_one_kind() -> None:
    with pytest.raises(ConfigError, match="--values says HU and SUVbw of one channel"):
        value_kinds(["a=HU", "a=SUVbw"])
