"""What lies in a folder beside its series: named in a line, and held against a series that may lack it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medseg.domain import Finding, Source
from medseg.domain.source import Verdict
from medseg.domain.values import as_details
from medseg.io.dicom.opened import DICOM_SUFFIXES

__all__ = ["Beside", "with_beside"]

#: Endings of packed and half-loaded copies: what is before them is the name of the file that it was.
_PACKED = (".gz", ".bz2", ".xz", ".zip", ".part", ".tmp", ".crdownload", ".bak")
#: Files so called lie on discs and in exports, and hold no slice.
_HARMLESS = (
    "readme",
    "license",
    "licence",
    "changelog",
    "notice",
    "lockfile",
    "version",
    "md5sum",
    "checksums",
)
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Beside:
    """Files of a folder that are no part of a series.

    Parameters
    ----------
    images
        Files that were read as DICOM.
    broken
        File → why it can't be read, though it is DICOM.
    strange
        Files that are no DICOM.
    """

    images: tuple[Path, ...]
    broken: dict[str, str]
    strange: tuple[Path, ...]


def with_beside(path: Path, sources: Sequence[Source], beside: Beside) -> list[Source]:
    """Sources with what lies beside them: a file that may be a slice makes every series doubtful.

    A damaged DICOM file, and a file that is named as the slices are, may be a slice of any series in the
    folder, so none of them is whole any more. Files without a suffix that are named otherwise are warned
    of; all the rest is listed.
    """
    patterns = {(file.parent, _pattern(file.name)) for file in beside.images}
    slices = [file for file in beside.strange if _is_slice(file, patterns)]
    others = [file for file in beside.strange if file not in slices]
    faults = list(beside.broken.values()) + [_words(file) for file in slices]
    found: list[Finding] = []
    if faults:
        many = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        text = f"{len(faults)} of its files can't be read, so slices may be missing: {faults[0]}{many}"
        found.append(Finding("dicom.damaged", "error", text, as_details(files=len(faults))))
    if others:
        found.append(_listed(others))
    if not sources and faults:
        return [Source(str(path), "dicom", verdict=Verdict.NOT_A_VOLUME, findings=tuple(found))]
    return [
        replace(
            source,
            verdict=Verdict.NOT_A_VOLUME if faults else source.verdict,
            findings=(*source.findings, *found),
        )
        for source in sources
    ]


def _is_slice(file: Path, patterns: set[tuple[Path, str]]) -> bool:
    """Whether a file that is no DICOM is named as DICOM is, or as the slices beside it are."""
    name = file.name
    while name.lower().endswith(_PACKED):
        name = name[: name.rfind(".")]
    named = Path(name).suffix.lower() in DICOM_SUFFIXES
    return named or (file.parent, _pattern(name)) in patterns


def _pattern(name: str) -> str:
    """A name without its numbers: `IM0012.dcm` and `IM7.dcm` are alike.

    >>> _pattern("IM0012"), _pattern("1.2.840.3")
    ('im#', '#')
    """
    return re.sub(r"\d+(\.\d+)*", "#", name.lower())


def _words(file: Path) -> str:
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
    except OSError as error:
        return f"{file.name} can't be opened ({error.strerror or error})"
    if not size:
        return f"{file.name} is empty"
    if packed or file.suffix.lower() in _PACKED:
        return f"{file.name} is packed or half a copy; unpack it"
    return f"{file.name} is named as a slice and is no DICOM file"


def _listed(files: list[Path]) -> Finding:
    names = ", ".join(file.name for file in files[:_NAMED])
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    doubtful = any(not file.suffix and not file.name.lower().startswith(_HARMLESS) for file in files)
    text = f"Beside the DICOM files lie others, which were not read: {names}{more}."
    if doubtful:
        text = f"{text} If one of them is a slice, it is missing."
    return Finding("dicom.beside", "warning" if doubtful else "info", text, as_details(files=len(files)))
