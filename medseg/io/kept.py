"""Probabilities on the grid of the network: a NIfTI file of float16 values beside its JSON, class by class."""

import gzip
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from medseg.domain import Grid
from medseg.geometry.shares import LARGEST_RELATIVE_ERROR, KeptShares, ShareKeeper
from medseg.io.nifti.format import header_bytes, write_volumes

__all__ = ["described", "read_kept", "write_kept"]

_GRID = TypeAdapter(Grid)
#: Of values in the file.
_TYPE = np.dtype("<f4")


def described(shares: KeptShares) -> dict[str, Any]:
    """What a reader of the file must know: its grid in full, how values were rounded, and what that did to volumes."""
    return {
        "grid": _GRID.dump_python(shares.source, mode="json"),
        "rounding": {
            "to": "float16",
            "largest_relative_error": LARGEST_RELATIVE_ERROR,
            "added_to_sums": list(shares.rounded_by),
            "added_to_volumes_ml": [shares.rounded_by_ml(number) for number in range(len(shares))],
        },
        "values_digest": _digest(shares.kept(number) for number in range(len(shares))),
    }


def write_kept(shares: KeptShares, path: Path) -> None:
    """Write (I, J, K, C) on the grid of the network; float32 in the file, as NIfTI has no float16. Memory: one class.

    Raises
    ------
    InputError
        If the grid is in `px`.
    """
    volumes = (shares.kept(number).astype(_TYPE) for number in range(len(shares)))
    write_volumes(volumes, len(shares), _TYPE, shares.source, path)


def read_kept(path: Path, content: dict[str, Any], native: Grid, classes: int) -> KeptShares | None:
    """What `write_kept` wrote, by what its JSON says; None if it is something else by now. Memory: one class.

    Raises
    ------
    ValueError
        If the JSON is none of ours.
    """
    source = _GRID.validate_python(content["grid"])
    rounded_by: Sequence[float] = content["rounding"]["added_to_sums"]
    keeper = ShareKeeper(source, native, 2, classes)
    hasher = hashlib.sha256()
    with gzip.open(path) as file:
        if not _has_header(file, source, classes):
            return None
        for number in range(classes):
            values = _next(file, source)
            if values is None:
                return None
            hasher.update(_bytes_of(values))
            keeper.add(number, np.moveaxis(values, 2, 0))
        left = file.read(1)
    if left or hasher.hexdigest() != content["values_digest"] or len(rounded_by) != classes:
        return None
    return KeptShares(source, native, 2, keeper.done().pieces, tuple(float(value) for value in rounded_by))


def _has_header(file: gzip.GzipFile, source: Grid, classes: int) -> bool:
    expected = header_bytes(np.broadcast_to(_TYPE.type(0), (*source.shape, classes)), source) + bytes(4)
    return file.read(len(expected)) == expected


def _next(file: gzip.GzipFile, source: Grid) -> NDArray[np.float16] | None:
    count = int(np.prod(source.shape))
    data = file.read(count * _TYPE.itemsize)
    if len(data) < count * _TYPE.itemsize:
        return None
    return np.frombuffer(data, _TYPE).reshape(source.shape, order="F").astype(np.float16)


def _digest(volumes: Iterator[NDArray[np.float16]]) -> str:
    hasher = hashlib.sha256()
    for values in volumes:
        hasher.update(_bytes_of(values))
    return hasher.hexdigest()


def _bytes_of(values: NDArray[np.float16]) -> bytes:
    return values.astype("<f2").tobytes(order="F")
