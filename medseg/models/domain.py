"""The file of a bundle that says what its training's scans were like."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medseg.domain.card import ModelCard
from medseg.errors import ModelError
from medseg.models.files import read_named

__all__ = ["dump_features", "load_features", "parse_features"]


def dump_features(names: Sequence[str], features: NDArray[np.float64]) -> bytes:
    """(subjects, features) as CSV, UTF-8: a row for each subject, who is not named."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([f"{value:.6g}" for value in row] for row in features)
    return stream.getvalue().encode()


def load_features(card: ModelCard, folder: str | Path) -> tuple[tuple[str, ...], NDArray[np.float64]] | None:
    """Names and (subjects, features) of the bundle; None where its card has none.

    Raises
    ------
    ModelError
        If the file is missing, is not the one that the card names, or holds no numbers.
    """
    if card.domain is None:
        return None
    path = Path(folder) / card.domain.file
    data = read_named(path, card.domain.digest)
    try:
        return parse_features(data)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def parse_features(data: bytes) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names and (scans, features) of what `dump_features` gave.

    Raises
    ------
    ModelError
        If it holds anything else.
    """
    try:
        head, *rows = csv.reader(io.StringIO(data.decode()))
        features = np.array([[float(value) for value in row] for row in rows])
    except ValueError as error:
        raise ModelError(f"this holds no features of scans: {error}") from error
    if features.ndim != 2 or features.shape[1] != len(head) or not np.isfinite(features).all():
        raise ModelError("this holds no features of scans: rows differ in length, or are no numbers")
    return tuple(head), features
