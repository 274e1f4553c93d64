"""Examples in docstrings give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import medseg

MODULES = sorted(
    name
    for _, name, _ in pkgutil.walk_packages(medseg.__path__, "medseg.")
    if not name.startswith("medseg.shipped") and not name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    result = doctest.testmod(module)
    assert result.failed == 0
