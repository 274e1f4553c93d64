"""What a user types for an operation: read, checked, and told in one line where it is wrong."""

import pytest

from medseg.errors import ConfigError
from medseg.masks.operations import OPERATIONS
from medseg.masks.requests import Request, describe_operations, params_of, parse_request


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("keep-largest", Request("keep-largest")),
        ("close=2", Request("close", (("radius_mm", "2"),))),
        ("margin=5,superior=10", Request("margin", (("margin_mm", "5"), ("superior", "10")))),
        ("dilate = 2 , label = liver", Request("dilate", (("radius_mm", "2"),), ("liver",))),
        (
            "crop-box,low=[0,1,2],high=[3,4,5]",
            Request("crop-box", (("low", "[0,1,2]"), ("high", "[3,4,5]"))),
        ),
        ("union=a.nii.gz,of=x", Request("union", (("other", "a.nii.gz"), ("of", "x")))),
    ],
)
def test_it_is_read(text: str, expected: Request) -> None:
    assert parse_request(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clsoe=2", "did you mean 'close'"),
        ("keeplargest", "did you mean 'keep-largest'"),
        ("zzz", "there are keep-largest"),
        ("close,radius=2", "did you mean 'radius_mm'"),
        ("close=2,radius_mm=3", "twice"),
        ("close=2,what", "no key=value"),
        ("close=-1", "greater than 0"),
        ("close=two", "valid number"),
        ("split-plane=[0,0,0]", "normal is missing"),
        ("crop-box,low=[0,0],high=[1,1,1]", "crop-box: parameter low"),
        ("crop-box,low=[0,0,],high=[1,1,1]", "no list"),
        ("union", "other is missing"),
        ("fill-holes,plane=saggital", "plane"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as seen:
        params_of(parse_request(text))
    assert "\n" not in str(seen.value)


def test_the_list_shows_every_operation_with_units_and_meanings() -> None:
    found = describe_operations()
    assert [item["name"] for item in found] == list(OPERATIONS)
    for item in found:
        assert item["summary"].endswith(".")
        for name, part in item["parameters"].items():
            assert part["meaning"].endswith(".")
            assert part["range"], (item["name"], name)
            if name.endswith(("_mm", "_mm3")):
                assert part["unit"] in ("mm", "mm3")
