"""The error tree: two parents, one message, a fixed exit code, and pickling between processes."""

import pickle

import pytest

from medseg import errors

TREE = [
    ("InputError", ValueError, 2),
    ("GridMismatchError", ValueError, 2),
    ("LabelError", ValueError, 2),
    ("UnsupportedFormatError", ValueError, 2),
    ("ConfigError", ValueError, 2),
    ("ModelError", ValueError, 2),
    ("OutputError", OSError, 2),
    ("PartialFailure", RuntimeError, 3),
    ("MissingExtra", ImportError, 4),
    ("ResourceError", MemoryError, 5),
    ("Cancelled", Exception, 130),
]


@pytest.mark.parametrize(("name", "builtin", "exit_code"), TREE)
def test_every_error(name: str, builtin: type[Exception], exit_code: int) -> None:
    error = getattr(errors, name)("grids differ; resample")
    assert isinstance(error, builtin)
    assert isinstance(error, errors.MedsegError)
    assert error.exit_code == exit_code
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == "grids differ; resample"


def test_the_table_is_complete() -> None:
    assert {name for name, _, _ in TREE} | {"MedsegError"} == set(errors.__all__)
