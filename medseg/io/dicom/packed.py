"""Series that lie behind one file: those that a DICOMDIR lists, and those in a zip or a tar."""

import shutil
import weakref
from functools import lru_cache
from pathlib import Path
from typing import Any

from medseg.errors import InputError
from medseg.io.dicom.archives import Kind, Member, members_of, said_in_a_line
from medseg.io.dicom.files import dicom_files
from medseg.io.dicom.opened import looks_like_dicom, open_dicom
from medseg.io.leftovers import new_scratch_folder

__all__ = ["holds_dicom", "listed_files", "unpacked_files", "why_not"]

_HEAD_BYTES = 132
#: An archive with so many bytes before its first DICOM file is taken for one of something else.
_LOOKED_AT = 1 << 28


def holds_dicom(path: Path, kind: Kind) -> bool:
    """Whether an archive holds a file that begins as DICOM does; False too for one that can't be unpacked."""
    try:
        return _finds_dicom(path, kind)
    except InputError:
        return False


def why_not(path: Path, kind: Kind) -> str:
    """Why an archive is not read, in a line."""
    try:
        _finds_dicom(path, kind)
    except InputError as error:
        return str(error)
    return f"{path} is an archive in which no DICOM file is found; unpack it and give what is in it"


def _finds_dicom(path: Path, kind: Kind) -> bool:
    looked_at = 0
    with said_in_a_line(path):
        for member in members_of(path, kind):
            if looks_like_dicom(member.file.read(_HEAD_BYTES)):
                return True
            looked_at += member.size
            if kind == "tar" and looked_at > _LOOKED_AT:
                break
    return False


def unpacked_files(path: Path, kind: Kind) -> list[Path]:
    """The files of an archive, unpacked into a folder of this process, which goes when it ends.

    Raises
    ------
    InputError
        As for `members_of`.
    """
    stat = path.stat()
    return list(dicom_files(_unpack(path, kind, stat.st_mtime_ns, stat.st_size).folder))


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
def _unpack(path: Path, kind: Kind, _changed: int, _size: int) -> _Unpacked:
    found = _Unpacked()
    try:
        with said_in_a_line(path):
            for number, member in enumerate(members_of(path, kind)):
                target = found.folder / f"{number // 1000:03d}" / f"{number:06d}-{member.name}"
                target.parent.mkdir(exist_ok=True)
                _extract(member, target)
    except BaseException:
        found.discard()
        raise
    return found


def _extract(member: Member, target: Path) -> None:
    """One file, no longer than its entry says."""
    left = member.size
    with target.open("xb") as file:
        while left > 0 and (data := member.file.read(min(left, 1 << 20))):
            file.write(data)
            left -= len(data)
