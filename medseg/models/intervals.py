"""The file of a bundle that intervals of its volumes are made from."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from medseg.domain.card import ModelCard
from medseg.domain.intervals import FoldVolume, VolumeCalibration
from medseg.errors import ModelError
from medseg.models.files import read_named

__all__ = ["dump_volumes", "load_calibration"]

_HEAD = ("target", "fold", "reference_ml", "predicted_ml")


def dump_volumes(volumes: Sequence[FoldVolume]) -> bytes:
    """The volumes as CSV, UTF-8."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_HEAD)
    writer.writerows((item.target, item.fold, item.reference_ml, item.predicted_ml) for item in volumes)
    return stream.getvalue().encode()


def load_calibration(card: ModelCard, folder: str | Path) -> VolumeCalibration | None:
    """What the bundle's intervals are made from; None where its card has none.

    Raises
    ------
    ModelError
        If the file is missing, is not the one that the card names, or holds no volumes.
    """
    if card.intervals is None:
        return None
    path = Path(folder) / card.intervals.file
    data = read_named(path, card.intervals.digest)
    try:
        rows = csv.DictReader(io.StringIO(data.decode()))
        volumes = tuple(
            FoldVolume(
                row["target"], int(row["fold"]), float(row["reference_ml"]), float(row["predicted_ml"])
            )
            for row in rows
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} holds no volumes of folds: {error}") from error
    return VolumeCalibration(card.intervals.level, card.intervals.offset_ml, volumes)
