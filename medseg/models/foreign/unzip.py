"""A source as a folder: itself, or a zip unpacked beside the other temporary files; no path leaves its folder."""

import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from medseg.errors import ModelError
from medseg.io.leftovers import scratch_folder

__all__ = ["as_folder"]

#: A zip that promises more than these is refused before anything is unpacked; weights do not compress.
MOST_FILES = 10_000
MOST_BYTES = 64 << 30
MOST_RATIO = 50


@contextmanager
def as_folder(source: Path) -> Iterator[Path]:
    """The source, or the folder that a zip unpacks to for as long as it is used.

    Raises
    ------
    ModelError
        If the zip is damaged, larger than any model, or names paths outside of itself.
    """
    if not _is_zip(source):
        yield source
        return
    with scratch_folder() as folder:
        _unpack(source, folder)
        yield folder


def _is_zip(source: Path) -> bool:
    return source.is_file() and source.suffix.lower() == ".zip"


def _unpack(source: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            members = [item for item in archive.infolist() if not item.is_dir()]
            _require_sane(source, members)
            for member in members:
                target = folder / _inside(source, member)
                target.parent.mkdir(parents=True, exist_ok=True)
                _extract(archive, member, target)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{source} can't be unpacked: {error}; get it again") from error


def _require_sane(source: Path, members: list[zipfile.ZipInfo]) -> None:
    size = sum(member.file_size for member in members)
    packed = max(1, sum(member.compress_size for member in members))
    if len(members) > MOST_FILES or size > MOST_BYTES or size > packed * MOST_RATIO:
        raise ModelError(
            f"{source} promises {len(members)} files of {size} bytes in all, which no model does"
        )


def _inside(source: Path, member: zipfile.ZipInfo) -> PurePosixPath:
    name = PurePosixPath(member.filename)
    outside = name.is_absolute() or ".." in name.parts or PureWindowsPath(member.filename).drive
    if outside or "\\" in member.filename or stat.S_ISLNK(member.external_attr >> 16):
        raise ModelError(f"{source} names {member.filename[:80]!r}, which leads out of its folder")
    return name


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """One file, no longer than its entry says."""
    left = member.file_size
    with archive.open(member) as packed, target.open("xb") as file:
        while left > 0 and (data := packed.read(min(left, 1 << 20))):
            file.write(data)
            left -= len(data)
