"""Reading what strangers wrote: text within limits, JSON as plain values, fields by name."""

import hashlib
import math
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medseg.domain.texts import parse_json
from medseg.errors import ModelError

__all__ = ["Fields", "digest_of_file", "read_fields"]

#: Plans of nnU-Net with all fingerprints are some 100 KB.
MAX_JSON_BYTES = 16 << 20
_BLOCK = 1 << 22


def read_fields(path: Path) -> "Fields":
    """A JSON object.

    Raises
    ------
    ModelError
        If it is missing, no regular file, too large, no JSON, or no object.
    """
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode) or state.st_size > MAX_JSON_BYTES:
            raise ModelError(f"{path} is no file, or larger than {MAX_JSON_BYTES} bytes")
        values = parse_json(path.read_bytes(), finite=False)  # nnU-Net writes NaN where nothing was measured
    except OSError as error:
        raise ModelError(f"can't read {path}: {error.strerror or error}; copy the whole folder") from error
    except ValueError as error:
        raise ModelError(f"{path} is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path} holds no object of names and values")
    return Fields(values, str(path))


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    hasher = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            hasher.update(block)
    return hasher.hexdigest()


class Fields:
    """Values by name, asked for with the type that they must have; the place of a fault is told.

    Parameters
    ----------
    values
        As JSON has them.
    place
        Which file, and which object of it.
    """

    def __init__(self, values: Mapping[str, Any], place: str) -> None:
        self.values = dict(values)
        self.place = place

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def require_known(self, names: set[str], what: str) -> None:
        """Refuse names that nobody here knows: they may change the answer."""
        if unknown := sorted(set(self.values) - names):
            raise ModelError(
                f"{self.place}: {what} {', '.join(map(repr, unknown))} not understood; "
                "it was made by a newer or a changed version"
            )

    def text(self, name: str, default: str | None = None) -> str:
        """A string."""
        value = self.values.get(name, default)
        if not isinstance(value, str):
            raise self._wrong(name, "text")
        return value

    def flag(self, name: str, default: bool | None = None) -> bool:  # noqa: FBT001 - a value, not a switch
        """True or false."""
        value = self.values.get(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A finite number."""
        value = self.values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self._wrong(name, "a number")
        return float(value)

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number."""
        value = self.number(name, default)
        if not value.is_integer():
            raise self._wrong(name, "a whole number")
        return int(value)

    def inner(self, name: str) -> "Fields":
        """An object."""
        value = self.values.get(name)
        if not isinstance(value, dict):
            raise self._wrong(name, "an object")
        return Fields(value, f"{self.place}, {name}")

    def items(self, name: str) -> list[Any]:
        """A list."""
        value = self.values.get(name)
        if not isinstance(value, list | tuple):
            raise self._wrong(name, "a list")
        return list(value)

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of finite numbers."""
        found = self.items(name)
        if not all(_is_number(one) for one in found):
            raise self._wrong(name, "a list of numbers")
        return tuple(float(one) for one in found)

    def wholes(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers."""
        found = self.items(name)
        if not all(_is_number(one) and float(one).is_integer() for one in found):
            raise self._wrong(name, "a list of whole numbers")
        return tuple(int(one) for one in found)

    def rows(self, name: str) -> tuple[tuple[int, ...], ...]:
        """A list of lists of whole numbers."""
        found = self.items(name)
        return tuple(Fields({name: row}, self.place).wholes(name) for row in found)

    def _wrong(self, name: str, wanted: str) -> ModelError:
        if name not in self.values:
            return ModelError(f"{self.place} has no {name!r}; copy the whole folder, or train it again")
        return ModelError(f"{self.place}: {name!r} is not {wanted}: {str(self.values[name])[:80]!r}")


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
