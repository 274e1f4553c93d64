"""Public names: sorted, existing, few."""

import importlib
import pkgutil

import pytest

import medseg

ROOMS = sorted(
    name for _, name, is_package in pkgutil.walk_packages(medseg.__path__, "medseg.") if is_package
)
LIMITS = {"medseg.domain": 32, "medseg.workflows": 25}
HARD_LIMIT = 15


def test_the_facade_lists_what_it_has() -> None:
    assert list(medseg.__all__) == sorted(medseg.__all__)
    for name in medseg.__all__:
        assert getattr(medseg, name) is not None
    assert set(medseg.__all__) <= set(dir(medseg))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = medseg.nothing


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_exports_sorted_existing_names(room: str) -> None:
    module = importlib.import_module(room)
    names = getattr(module, "__all__", [])
    assert list(names) == sorted(names)
    assert len(names) <= LIMITS.get(room, HARD_LIMIT)
    for name in names:
        assert hasattr(module, name), f"{room}.{name} is listed and missing"
