"""What may lie in one volume: slices of one patient, in one frame of reference, each once, and no pictures of them."""

import filecmp
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from medseg.domain import Finding
from medseg.domain.values import as_details
from medseg.io.dicom.image.headers import Header

__all__ = ["is_secondary_capture", "one_of_each", "set_aside", "strangers"]

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_NAMED = 3


def is_secondary_capture(header: Header) -> bool:
    """Whether a file is a picture of an image, whose values nobody measured."""
    return header.sop_class == _SECONDARY_CAPTURE or header.sop_class.startswith(f"{_SECONDARY_CAPTURE}.")


def set_aside(headers: Sequence[Header]) -> list[Header]:
    """Headers of a series, those of secondary pictures among its images marked with a fault.

    A Secondary Capture is never a slice of a series of images, nor is a secondary image among primary CT slices.
    """
    fit = [header for header in headers if not header.fault]
    images = [header for header in fit if not is_secondary_capture(header)]
    primary = [header for header in images if _is(header, "PRIMARY")]
    words = "it is a secondary picture among the slices of a series, which is no slice"
    return [
        replace(header, fault=("dicom.secondary", words), frames=())
        if not header.fault and _is_beside(header, images, primary)
        else header
        for header in headers
    ]


def strangers(headers: Sequence[Header]) -> Finding | None:
    """What forbids to take the files of a series for one volume: several patients, frames of reference, modalities."""
    kinds = {
        "patients": {header.patient for header in headers if header.patient.strip()},
        "frames of reference": {header.frame_of_reference for header in headers if header.frame_of_reference},
        "modalities": {header.modality for header in headers},
    }
    found = [f"{len(values)} different {what}" for what, values in kinds.items() if len(values) > 1]
    if not found:
        return None
    text = (
        f"The {len(headers)} files of this series are of {' and '.join(found)}, though they bear one "
        "SeriesInstanceUID: they are no volume; sort them apart and give them UIDs of their own."
    )
    return Finding("dicom.strangers", "error", text, as_details(files=len(headers)))


def one_of_each(headers: Sequence[Header]) -> tuple[list[Header], tuple[Finding, ...]]:
    """Each file once: exact copies are left out, and named; others that bear one UID are named, too."""
    kept: dict[str, list[Header]] = {}
    copies: list[str] = []
    for header in headers:
        uid = header.frames[0].sop_uid if header.frames else ""
        known = kept.setdefault(uid or header.file, [])
        if any(_same_bytes(header.file, other.file) for other in known):
            copies.append(Path(header.file).name)
        else:
            known.append(header)
    found = [header for group in kept.values() for header in group]
    findings: list[Finding] = []
    if copies:
        text = f"{len(copies)} of the files are exact copies of others and were left out: {_names(copies)}."
        findings.append(Finding("dicom.copies", "info", text, as_details(copies=len(copies))))
    if alike := [Path(header.file).name for group in kept.values() if len(group) > 1 for header in group]:
        text = (
            f"{len(alike)} files differ and bear the SOPInstanceUID of another one: {_names(alike)}. What refers to "
            "slices by it (DICOM SEG, SR, RTSTRUCT) can't be written for them."
        )
        findings.append(Finding("dicom.shared_uid", "warning", text, as_details(files=len(alike))))
    return found, tuple(findings)


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _is_beside(header: Header, images: Sequence[Header], primary: Sequence[Header]) -> bool:
    if is_secondary_capture(header):
        return bool(images)
    return header.modality == "CT" and _is(header, "SECONDARY") and bool(primary)


def _is(header: Header, word: str) -> bool:
    return len(header.image_type) > 1 and header.image_type[1].upper() == word


def _same_bytes(one: str, other: str) -> bool:
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False
