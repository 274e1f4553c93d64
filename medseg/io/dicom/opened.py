"""Opening a DICOM file: with its preamble, or without, as old exports and some archives write it."""

import re
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["DICOM_SUFFIXES", "is_dicom", "looks_like_dicom", "open_dicom", "open_header"]

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_MAGIC = b"DICM"
#: Bytes that tell a file with a preamble, or the first element of one without.
_HEAD_BYTES = 132
_VR = re.compile(rb"[A-Z]{2}")
#: The first element of a file without preamble is short: a group length, a character set, a UID.
_FIRST_BYTES = 256


def looks_like_dicom(head: bytes) -> bool:
    """Whether first bytes are those of DICOM: the magic word, or an element of group 0002 or 0008.

    >>> looks_like_dicom(bytes(128) + b"DICM"), looks_like_dicom(b"<html>")
    (True, False)
    """
    if head[128:132] == _MAGIC:
        return True
    if len(head) < 12 or head[:2] not in (b"\x02\x00", b"\x08\x00") or head[3] != 0:
        return False
    if _VR.fullmatch(head[4:6]):
        return True
    return 0 < int.from_bytes(head[4:8], "little") <= _FIRST_BYTES


def is_dicom(path: Path) -> bool:
    """Whether a file's first bytes are those of DICOM; False for one that can't be opened."""
    try:
        with path.open("rb") as file:
            return looks_like_dicom(file.read(_HEAD_BYTES))
    except OSError:
        return False


def open_dicom(path: str | Path, *, pixels: bool = True) -> Any:
    """The dataset of a file; one without preamble gets the transfer syntax that its bytes show.

    Raises
    ------
    pydicom.errors.InvalidDicomError
        If neither its first bytes nor its suffix say DICOM; damaged ones raise what pydicom raises.
    """
    with Path(path).open("rb") as file:
        return _read(file, pixels=pixels)


def open_header(path: Path) -> tuple[Any, bool]:
    """The dataset before its pixels, and whether anything follows it: pixels, for an image.

    Raises
    ------
    pydicom.errors.InvalidDicomError
        As for `open_dicom`.
    """
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    with path.open("rb") as file:
        dataset = _read(file, pixels=False)
        deflated = dataset.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
        return dataset, deflated or bool(file.read(1))


def _read(file: BinaryIO, *, pixels: bool) -> Any:
    import pydicom
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    bare = looks_like_dicom(file.read(_HEAD_BYTES)) or Path(file.name).suffix.lower() in DICOM_SUFFIXES
    file.seek(0)
    dataset = pydicom.dcmread(file, stop_before_pixels=not pixels, force=bare)
    if "TransferSyntaxUID" not in dataset.file_meta and len(dataset):
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset
