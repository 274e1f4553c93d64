"""Probabilities kept beside a mask, read back where they belong to it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from medseg.domain import Finding, Segmentation
from medseg.errors import InputError
from medseg.io.names import stem_of

__all__ = ["has_probabilities", "with_probabilities"]


def with_probabilities(segmentation: Segmentation, path: Path) -> Segmentation:
    """The mask with the probabilities `<stem>.prob.nii.gz` that `write_probabilities` put beside it.

    They are taken only if their names and digest are this mask's; those of another mask are left with a
    Finding. Without such a file the mask comes back as it is. Memory: all of them, float32.
    """
    names, values = _files(path)
    if not (names.is_file() and values.is_file()):
        return segmentation
    if not has_probabilities(segmentation, path):
        text = f"The probabilities {values.name} belong to another mask or were changed; they were not used."
        return replace(
            segmentation,
            findings=(*segmentation.findings, Finding("probabilities.ignored", "warning", text)),
        )
    return replace(segmentation, probabilities=_read(values))


def has_probabilities(segmentation: Segmentation, path: Path) -> bool:
    """Whether probabilities stand beside a mask whose names and digest are this mask's."""
    names, values = _files(path)
    try:
        content = json.loads(names.read_text("utf-8"))
        channels = ["background", *(label.name for label in segmentation.table.labels)]
        fits = content["mask_digest"] == segmentation.digest and content["channels"] == channels
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(fits) and values.is_file()


def _files(mask: Path) -> tuple[Path, Path]:
    stem = stem_of(mask)
    return mask.with_name(f"{stem}.prob.json"), mask.with_name(f"{stem}.prob.nii.gz")


def _read(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    import nibabel as nib

    try:
        found = np.asarray(nib.load(path).dataobj, dtype=np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} can't be read: {error}") from error
    if found.ndim != 4:
        raise InputError(f"{path} holds {found.ndim} axes, and probabilities have four")
    return np.moveaxis(found, -1, 0)
