"""Which image is which channel: by name, by modality, by position only when told."""

import pytest

from medseg.domain.channels import pair_channels
from medseg.errors import InputError

NEEDED = {"mr": "MR", "pet": "PT"}
MATCHED = [
    ({"mr": None, "pet": None}, {"mr": "mr", "pet": "pet"}),
    ({"pet": None, "mr": None}, {"mr": "mr", "pet": "pet"}),
    ({"PET": None, "MR": None}, {"mr": "MR", "pet": "PET"}),
    ({"PET": None, "MRI": None}, {"mr": "MRI", "pet": "PET"}),
    ({"a": "PT", "b": "MR"}, {"mr": "b", "pet": "a"}),
    ({"t1": "MR", "pet": None, "ct": None}, {"mr": "t1", "pet": "pet"}),
    ({"mr": None, "pet": None, "ct": None, "flair": None}, {"mr": "mr", "pet": "pet"}),
]


@pytest.mark.parametrize(("given", "pairs"), MATCHED)
def test_matched(given: dict[str, str | None], pairs: dict[str, str]) -> None:
    assert pair_channels(NEEDED, given) == pairs


UNMATCHED = [
    {"a": None, "b": None},
    {"t1": "MR", "t2": "MR", "pet": "PT"},
    {"MR": None, "Mr": None, "pet": None},
    {"mr": None},
    {},
]


@pytest.mark.parametrize("given", UNMATCHED)
def test_unmatched(given: dict[str, str | None]) -> None:
    with pytest.raises(InputError):
        pair_channels(NEEDED, given)


def test_by_position_only_when_told() -> None:
    assert pair_channels(NEEDED, {"a": None, "b": None}, by_position=True) == {"mr": "a", "pet": "b"}
    with pytest.raises(InputError, match="by position"):
        pair_channels(NEEDED, {"a": None}, by_position=True)
