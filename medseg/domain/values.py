"""How frozen values hold arrays and how they are read and dumped at the edge."""

import hashlib
import json
from typing import Annotated, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, PlainSerializer, PlainValidator, WithJsonSchema

__all__ = ["STRICT", "Affine", "Details", "Scalar", "as_details", "digest_of_plain", "owned", "plain_scalar"]

#: Set as `__pydantic_config__` on every value that is read from a file: an unknown key is an error.
STRICT = ConfigDict(extra="forbid", ser_json_inf_nan="constants", allow_inf_nan=False)

ArrayT = TypeVar("ArrayT", bound=NDArray[Any])

Scalar: TypeAlias = str | int | float | bool | None
#: A small ordered mapping that hashes: ((key, value), …).
Details: TypeAlias = tuple[tuple[str, Scalar], ...]


def owned(array: ArrayT) -> ArrayT:
    """Return a read-only array: the same one if nobody can write to it, else a copy.

    A copy keeps the memory order. Cost: one copy of the array unless it is read-only already.
    """
    root: Any = array
    while isinstance(root, np.ndarray):
        if root.flags.writeable:
            array = array.copy(order="K")
            break
        root = root.base
    array.setflags(write=False)
    return array


def as_details(**values: Scalar) -> Details:
    """Details from keyword arguments, in the order given."""
    return tuple(values.items())


def plain_scalar(value: Any) -> Scalar:
    """A value as a detail holds it: lists as JSON, so that each part comes back whole; else as text.

    >>> plain_scalar(("tumour, left", "node"))
    '["tumour, left", "node"]'
    """
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return json.dumps(list(value), ensure_ascii=False) if isinstance(value, list | tuple) else str(value)


def digest_of_plain(value: Any) -> str:
    """SHA-256 (hex) of plain values: their JSON with sorted keys, exact floats, no spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _to_affine(value: object) -> NDArray[np.float64]:
    affine = np.array(value, dtype=np.float64)
    if affine.shape != (4, 4):
        raise ValueError(f"an affine has shape (4, 4), not {affine.shape}")
    return affine


#: 4×4 float64, index → world; lists of lists in files.
Affine = Annotated[
    NDArray[np.float64],
    PlainValidator(_to_affine),
    PlainSerializer(lambda affine: affine.tolist(), return_type=list[list[float]]),
    WithJsonSchema(
        {
            "type": "array",
            "minItems": 4,
            "maxItems": 4,
            "items": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
        }
    ),
]
