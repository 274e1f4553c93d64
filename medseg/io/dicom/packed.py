"""Series that lie behind one file: those that a DICOMDIR lists, and those in a zip."""

import shutil
import weakref
import zipfile
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from medseg.errors import InputError
from medseg.io.dicom.files import dicom_files
from medseg.io.dicom.opened import looks_like_dicom, open_dicom
from medseg.io.leftovers import new_scratch_folder

__all__ = ["holds_dicom", "is_zip", "listed_files", "unzipped"]

_ZIP = b"PK\x03\x04"
#: A zip that promises more than these is refused before anything is unpacked.
MOST_FILES = 100_000
MOST_BYTES = 32 << 30
#: Zipped studies are a half to a tenth of their size, masks a hundredth; deflate itself ends at a thousandth.
MOST_RATIO = 200
#: Up to so many bytes any ratio will do.
FEW_BYTES = 1 << 28
_HEAD_BYTES = 132


def is_zip(head: bytes) -> bool:
    """Whether first bytes are those of a zip."""
    return head.startswith(_ZIP)


def holds_dicom(path: Path) -> bool:
    """Whether a zip holds a file that begins as DICOM does."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(_is_dicom(archive, member) for member in _members(archive))
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return False


def unzipped(path: Path) -> list[Path]:
    """The files of a zip, unpacked into a folder of this process, which goes when it ends.

    Raises
    ------
    InputError
        If the zip is damaged, locked with a password, or larger than any study.
    """
    stat = path.stat()
    return list(dicom_files(_unpack(path, stat.st_mtime_ns, stat.st_size).folder))


def listed_files(path: Path) -> list[Path] | None:
    """The files that a DICOMDIR lists, or those of its folder where it lists none; None for any other file.

    Raises
    ------
    InputError
        If it lists files that are not there.
    """
    from pydicom.errors import InvalidDicomError

    try:
        records = open_dicom(path, pixels=False).get("DirectoryRecordSequence")
    except (InvalidDicomError, OSError):
        return None
    except Exception:  # noqa: BLE001 - what is damaged is said when it is read as an image
        return None
    if records is None:
        return None
    names = [_parts(record) for record in records if record.get("ReferencedFileID")]
    files = [path.parent.joinpath(*parts) for parts in names]
    there = [file for file in files if file.is_file()]
    if not there:
        return list(dicom_files(path.parent))
    if len(there) < len(files):
        missing = next(file for file in files if not file.is_file())
        raise InputError(
            f"{path} lists {len(files)} files, and {len(files) - len(there)} are not there: {missing.name}, for one; "
            "give the folder to read what is there"
        )
    return there


def _parts(record: Any) -> list[str]:
    value = record.ReferencedFileID
    parts = [value] if isinstance(value, str) else [str(part) for part in value]
    if any(part in ("", ".", "..") or "/" in part or "\\" in part for part in parts):
        raise InputError(f"a DICOMDIR names {'/'.join(parts)[:80]!r}, which leads out of its folder")
    return parts


class _Unpacked:
    """A folder that goes when it is no longer held: quietly, unlike a TemporaryDirectory that nobody closed."""

    def __init__(self) -> None:
        self.folder = new_scratch_folder()
        self.discard = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


@lru_cache(maxsize=4)
def _unpack(path: Path, _changed: int, _size: int) -> _Unpacked:
    unpacked = _Unpacked()
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive)
            _require_sane(path, members)
            for number, member in enumerate(members):
                name = f"{number:06d}-{PurePosixPath(member.filename).name}"
                target = unpacked.folder / f"{number // 1000:03d}" / name
                target.parent.mkdir(exist_ok=True)
                _extract(archive, member, target)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        unpacked.discard()
        raise InputError(f"{path} can't be unpacked: {error}") from error
    return unpacked


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Files of a zip; hidden ones and what macOS puts beside them are left out."""
    found = []
    for member in archive.infolist():
        parts = PurePosixPath(member.filename).parts
        hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
        if parts and not member.is_dir() and not hidden and parts[-1].upper() != "DICOMDIR":
            found.append(member)
    return sorted(found, key=lambda member: member.filename)


def _require_sane(path: Path, members: list[zipfile.ZipInfo]) -> None:
    size = sum(member.file_size for member in members)
    packed = max(1, sum(member.compress_size for member in members))
    swells = size > FEW_BYTES and size > packed * MOST_RATIO
    if len(members) > MOST_FILES or size > MOST_BYTES or swells:
        raise InputError(
            f"{path} promises {len(members)} files of {size} bytes in all, from {packed}; unpack it yourself"
        )


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """One file, no longer than its entry says."""
    left = member.file_size
    with archive.open(member) as packed, target.open("xb") as file:
        while left > 0 and (data := packed.read(min(left, 1 << 20))):
            file.write(data)
            left -= len(data)


def _is_dicom(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    with archive.open(member) as packed:
        return looks_like_dicom(packed.read(_HEAD_BYTES))
