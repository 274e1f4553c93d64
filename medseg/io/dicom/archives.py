"""Files in a zip or a tar, one after another, no longer than their entries say."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, TypeAlias, cast

from medseg.errors import InputError

__all__ = ["Kind", "Member", "archive_kind", "members_of", "said_in_a_line"]

Kind: TypeAlias = Literal["zip", "tar", "other"]

_ZIP = b"PK\x03\x04"
#: First bytes of archives that are not unpacked here: 7-Zip, RAR, Zstandard.
_OTHERS = (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x28\xb5\x2f\xfd")
_PACKED: tuple[tuple[bytes, Any], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
)
#: Where a tar's first block says that it is one.
_USTAR, _USTAR_AT, _BLOCK = b"ustar", 257, 512
#: An archive that promises more than these is refused before so much is unpacked.
MOST_FILES = 100_000
MOST_BYTES = 32 << 30
#: Packed studies are a half to a tenth of their size, masks a hundredth; deflate itself ends at a thousandth.
MOST_RATIO = 200
#: Up to so many bytes any ratio will do.
FEW_BYTES = 1 << 28
#: A tar's long names and remarks, which are kept in memory.
_MOST_REMARK = 1 << 20
_DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
)


@dataclass(frozen=True, slots=True)
class Member:
    """One file: its name without folders, and its bytes."""

    name: str
    size: int
    file: IO[bytes]


def archive_kind(path: Path, head: bytes) -> Kind | None:
    """What archive a file is by its first bytes; None for a file that is none."""
    if head.startswith(_ZIP):
        return "zip"
    if head.startswith(_OTHERS):
        return "other"
    for magic, unpack in _PACKED:
        if head.startswith(magic):
            try:
                with unpack(path) as file:
                    head = file.read(_BLOCK)
            except _DAMAGE:
                return None
    return "tar" if head[_USTAR_AT:].startswith(_USTAR) else None


def members_of(path: Path, kind: Kind) -> Iterator[Member]:
    """Files of an archive; hidden ones, and what macOS puts beside them, are left out.

    Whoever reads them does so inside `said_in_a_line`: damage is met on the way.

    Raises
    ------
    InputError
        If it is larger than any study, or of a kind that is not unpacked here.
    """
    if kind == "zip":
        return _of_zip(path)
    if kind == "tar":
        return _of_tar(path)
    raise InputError(f"{path} is an archive that is not unpacked here; unpack it and give what is in it")


@contextmanager
def said_in_a_line(path: Path) -> Iterator[None]:
    """What a damaged archive, or one locked with a password, raises while it is unpacked, as an InputError."""
    try:
        yield
    except InputError:
        raise
    except _DAMAGE as error:
        raise InputError(f"{path} can't be unpacked: {error}") from error


def _of_zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        members = [one for one in archive.infolist() if not one.is_dir() and _is_wanted(one.filename)]
        size = sum(one.file_size for one in members)
        _require_sane(path, len(members), size, max(1, sum(one.compress_size for one in members)))
        for one in sorted(members, key=lambda one: one.filename):
            with archive.open(one) as file:
                yield Member(PurePosixPath(one.filename).name, one.file_size, file)


def _of_tar(path: Path) -> Iterator[Member]:
    """As a stream, since what is packed can't be read in another order; its sizes are known one by one."""
    packed, count = max(1, path.stat().st_size), 0
    with tarfile.open(path, "r|*", tarinfo=_Entry) as archive:
        for one in archive:
            # Also what is not taken has to be unpacked on the way.
            _require_sane(path, count, one.offset_data + one.size, packed)
            if one.isdir() or not _is_wanted(one.name):
                continue
            if one.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or one.issparse():
                raise InputError(
                    f"{path} holds links or other things that are no plain files; unpack it yourself"
                )
            count += 1
            file = cast("IO[bytes]", archive.extractfile(one))
            yield Member(PurePosixPath(one.name).name, one.size, file)


class _Entry(tarfile.TarInfo):
    """An entry that is whole, and whose name and remarks do not fill the memory."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> "_Entry":
        try:
            found = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if bytes(buf) == bytes(_BLOCK):
                raise  # the mark of the end
            # The library takes a damaged entry for the end too, and the slices behind it would be missing.
            raise tarfile.ReadError(f"{error}; it is cut short or damaged") from error
        plain = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE)
        if found.type not in plain and found.size > _MOST_REMARK:
            raise tarfile.ReadError(f"a name or remark of {found.size} bytes")
        return found


def _is_wanted(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith((".", "__MACOSX")) and part != ".." for part in parts)
    return bool(parts) and not hidden and parts[-1].upper() != "DICOMDIR"


def _require_sane(path: Path, files: int, size: int, packed: int) -> None:
    swells = size > FEW_BYTES and size > packed * MOST_RATIO
    if files > MOST_FILES or size > MOST_BYTES or swells:
        raise InputError(
            f"{path} promises {files} files of {size} bytes in all, from {packed}; unpack it yourself"
        )
