"""How frozen values hold arrays and how they are read and dumped at the edge."""

import hashlib
import json
import math
from typing import Annotated, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    SerializationInfo,
    WithJsonSchema,
)

__all__ = [
    "AS_PAIRS",
    "STRICT",
    "Affine",
    "Details",
    "Scalar",
    "as_details",
    "digest_of_plain",
    "is_frozen",
    "owned",
    "plain_scalar",
    "same_values",
]

#: Set as `__pydantic_config__` on every value that is read from a file: an unknown key is an error.
STRICT = ConfigDict(extra="forbid", ser_json_inf_nan="constants", allow_inf_nan=False)

ArrayT = TypeVar("ArrayT", bound=NDArray[Any])

Scalar: TypeAlias = str | int | float | bool | None
#: JSON types of a scalar.
_PLAIN = ["string", "integer", "number", "boolean", "null"]
#: Context of a dump that writes details as the lists of pairs of before Record 1.4: digests are taken over those.
AS_PAIRS = {"details": "pairs"}


def _pairs_of(value: object) -> object:
    """Pairs of an object; the lists that pairs are in files become the tuples that they are here."""
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, list):
        return pairs
    return tuple(tuple(pair) if isinstance(pair, list | tuple) else pair for pair in pairs)


def _object_of(details: tuple[tuple[str, Scalar], ...], info: SerializationInfo) -> Any:
    """An object; pairs where a digest asks for them, or a key stands twice, so that nothing is lost."""
    found = dict(details)
    if not all(math.isfinite(value) for value in found.values() if isinstance(value, float)):
        raise ValueError("NaN or infinity never leave the code")
    if info.context == AS_PAIRS or len(found) < len(details):
        return [list(pair) for pair in details]
    return found


#: A small ordered mapping that hashes: ((key, value), …); an object in files.
Details: TypeAlias = Annotated[
    tuple[tuple[str, Scalar], ...],
    BeforeValidator(_pairs_of),
    PlainSerializer(_object_of, when_used="json"),
    WithJsonSchema(
        {
            "description": "Named values; pairs in files of before Record 1.4, and where a name stands twice.",
            "anyOf": [
                {"type": "object", "additionalProperties": {"type": _PLAIN}},
                {
                    "type": "array",
                    "items": {
                        "type": "array",
                        "minItems": 2,
                        "maxItems": 2,
                        "prefixItems": [{"type": "string"}, {"type": _PLAIN}],
                    },
                },
            ],
        }
    ),
]


def owned(array: ArrayT) -> ArrayT:
    """Return a read-only array: the same one if nobody can write to it, else a copy.

    A copy keeps the memory order. Cost: one copy of the array unless it is read-only already.
    """
    if not is_frozen(array):
        array = array.copy(order="K")
    array.setflags(write=False)
    return array


def is_frozen(array: NDArray[Any]) -> bool:
    """Whether nobody can write to an array, nor to one that it is a view of."""
    root: Any = array
    while isinstance(root, np.ndarray):
        if root.flags.writeable:
            return False
        root = root.base
    return True


def same_values(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two arrays hold the same, NaN as NaN; plane by plane, so that nothing of their size is made.

    >>> same_values(np.zeros((2, 3, 4)), np.zeros((2, 3, 4), np.uint8))
    True
    """
    if one.shape != other.shape:
        return False
    if one.__array_interface__ == other.__array_interface__:
        return True  # one memory
    nan = one.dtype.kind == other.dtype.kind == "f"
    if one.ndim < 2:
        return bool(np.array_equal(one, other, equal_nan=nan))
    slowest = max(range(one.ndim), key=lambda axis: abs(one.strides[axis]))
    planes = zip(np.moveaxis(one, slowest, 0), np.moveaxis(other, slowest, 0), strict=True)
    return all(np.array_equal(a, b, equal_nan=nan) for a, b in planes)


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
