"""Probabilities kept beside a mask, read back where they belong to it."""

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from medseg.domain import Finding, Segmentation, digest_of
from medseg.domain.segmentation import Probabilities
from medseg.domain.texts import parse_json
from medseg.io.kept import read_kept
from medseg.io.names import stem_of
from medseg.io.plain import read_plain

__all__ = [
    "KEPT_SCHEMA",
    "PROBABILITIES_SCHEMA",
    "are_probabilities",
    "has_probabilities",
    "probability_files",
    "with_probabilities",
]

Values: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


#: Of values on the native grid, and of values on the grid of the network, kept in float16.
PROBABILITIES_SCHEMA, KEPT_SCHEMA = "medseg.probabilities/1.0", "medseg.probabilities/1.1"


def with_probabilities(segmentation: Segmentation, path: Path) -> Segmentation:
    """The mask with the probabilities `<stem>.prob.nii.gz` that `write_probabilities` put beside it.

    They are taken only if names, digest of the mask and digest of the values are those that were written; others are
    left with a Finding. Without such a file the mask comes back as it is. Memory: compressed, one class at a time;
    of what was written on the native grid all of them, float32.
    """
    names, file = probability_files(path)
    if not (names.is_file() and file.is_file()):
        return segmentation
    values = _own_values(segmentation, names, file)
    if values is not None:
        return replace(segmentation, probabilities=values)
    text = f"The probabilities {file.name} belong to another mask or were changed; they were not used."
    finding = Finding("probabilities.ignored", "warning", text)
    return replace(segmentation, findings=(*segmentation.findings, finding))


def has_probabilities(segmentation: Segmentation, path: Path) -> bool:
    """Whether the probabilities that were written with this mask stand beside it, as they were written."""
    return _own_values(segmentation, *probability_files(path)) is not None


def are_probabilities(path: Path) -> bool:
    """Whether a file holds the probabilities of a mask beside it, by its name and the JSON that says so."""
    return stem_of(path).endswith(".prob") and _content(path.with_name(f"{stem_of(path)}.json")) is not None


def probability_files(mask: Path) -> tuple[Path, Path]:
    """JSON with names and digests, and the file with the values, of the probabilities of a mask."""
    stem = stem_of(mask)
    return mask.with_name(f"{stem}.prob.json"), mask.with_name(f"{stem}.prob.nii.gz")


def _own_values(segmentation: Segmentation, names: Path, file: Path) -> Probabilities | None:
    content = _content(names)
    channels = ["background", *(label.name for label in segmentation.table.labels)]
    if content is None or content.get("channels") != channels or not file.is_file():
        return None
    if content.get("mask_digest") != segmentation.digest:
        return None
    if content["schema"] == KEPT_SCHEMA:
        try:
            return read_kept(file, content, segmentation.grid, len(channels))
        except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error):
            return None
    values = _read(file)
    if values is None or values.shape != (*segmentation.grid.shape, len(channels)):
        return None
    # Before digests of values were written, those of the mask had to do.
    known = content.get("values_digest")
    return np.moveaxis(values, -1, 0) if known in (None, digest_of(values)) else None


def _content(names: Path) -> dict[str, Any] | None:
    try:
        found = parse_json(read_plain(names))
    except (OSError, ValueError):
        return None
    ours = isinstance(found, dict) and found.get("schema") in (PROBABILITIES_SCHEMA, KEPT_SCHEMA)
    return found if ours else None


def _read(path: Path) -> Values | None:
    """(I, J, K, C) float32; None if the file is damaged."""
    import nibabel as nib

    try:
        return np.asarray(nib.load(path).dataobj, dtype=np.float32)
    except (OSError, ValueError, EOFError, nib.filebasedimages.ImageFileError):
        return None
