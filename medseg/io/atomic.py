"""Files and folders that are whole or absent: written beside their name, then renamed."""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from medseg.errors import OutputError
from medseg.io.exchange import exchange
from medseg.io.leftovers import aside_name, staged_name
from medseg.io.names import suffix_of
from medseg.io.outlets import descriptor_of, is_device, poured
from medseg.io.unfinished import announce, apart, may_replace, name_in_turn, settle

__all__ = ["require_absent", "require_apart", "staged_file", "staged_folder", "write_bytes"]

_REASONS = {
    errno.ENOSPC: "the disk is full; make room and try again",
    errno.EDQUOT: "the disk quota is used up; make room and try again",
    errno.EACCES: "no permission; choose another place",
    errno.EPERM: "no permission; choose another place",
    errno.EROFS: "the disk is read-only; choose another place",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
}


def require_absent(path: str | Path, *, force: bool = False) -> None:
    """Refuse a name that is taken, before any work is done; what a killed run of `together` left there is not.

    Raises
    ------
    OutputError
        If a file exists there and may not be replaced, or a folder, device or pipe has that name.
    """
    path = Path(path)
    if descriptor_of(path) is not None:
        return
    try:
        if is_device(path):
            raise OutputError(f"{path} is a device or a pipe, and is never replaced; give the name of a file")
        if path.is_dir():
            raise OutputError(f"{path} is a folder; give the name of a file in it")
        if not force and (path.exists() or path.is_symlink()) and not may_replace(path):
            raise OutputError(f"{path} exists already; choose another name, or replace it with --force")
    except PermissionError as error:
        raise _refusal(path, error) from error


def require_apart(outputs: Iterable[str | Path | None], inputs: Iterable[str | Path | None]) -> None:
    """Refuse an output that is a file which is read, also under another name; `--force` is for older outputs.

    Raises
    ------
    OutputError
        Naming it.
    """
    read = [Path(path) for path in inputs if path is not None]
    for out in outputs:
        if out is not None and any(_is_same_file(Path(out), path) for path in read):
            raise OutputError(f"{out} is a file that is read; give the output another name")


def _is_same_file(one: Path, other: Path) -> bool:
    try:
        return one.is_file() and one.samefile(other)
    except (OSError, ValueError):
        return False


@contextmanager
def staged_file(path: str | Path, *, force: bool = False) -> Iterator[Path]:
    """Give a free name beside `path`; what was written there becomes `path` when the block succeeds.

    The name keeps the suffixes, by which libraries choose the format. Missing folders are made. Inside `together` it
    gets its name with the others of that run. If the
    block fails or is interrupted, nothing stays behind and what stood at `path` is as it was. Of several that write
    the same new file one wins, and the others are refused. `/dev/stdout` is written to.

    Raises
    ------
    OutputError
        If `path` exists and may not be replaced, the disk is full, or there is no permission.
    """
    path = Path(path)
    require_absent(path, force=force)
    stream = descriptor_of(path)
    staged = staged_name(path, suffix_of(path))
    waits = False
    try:
        if stream is not None:
            with poured(stream, suffix_of(path)) as staged:
                yield staged
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        settle(path.parent)
        yield staged
        _flush(staged)
        require_absent(path, force=force)
        waits = name_in_turn(staged, path, partial(_name_in_a_line, force=force))
        if not waits:
            _name(staged, path, force=force)
    except OSError as error:
        if isinstance(error, OutputError) or error.errno is None:
            raise
        raise _refusal(path, error) from error
    finally:
        if not waits:
            with suppress(OSError):
                staged.unlink(missing_ok=True)


@contextmanager
def staged_folder(path: str | Path, *, force: bool = False) -> Iterator[Path]:
    """Give an empty folder beside `path` that becomes `path` when the block succeeds.

    An empty folder at `path` counts as absent. With `force` the old folder stays until the new one is
    complete.

    Raises
    ------
    OutputError
        As for `staged_file`; also if `path` is the working folder or holds it.
    """
    path = Path(path).absolute()
    _require_free_folder(path, force=force)
    staged = staged_name(path)
    try:
        staged.mkdir(parents=True)
        settle(path.parent)
        with apart():
            yield staged
        _require_free_folder(path, force=force)
        _swap(staged, path, force=force)
    except OSError as error:
        if isinstance(error, OutputError) or error.errno is None:
            raise
        raise _refusal(path, error) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def write_bytes(path: str | Path, data: bytes, *, force: bool = False) -> Path:
    """Write a whole file or none; returns its path.

    Raises
    ------
    OutputError
        If it exists and may not be replaced, the disk is full, or there is no permission.
    """
    path = Path(path)
    with staged_file(path, force=force) as staged:
        staged.write_bytes(data)
    return path


def _require_free_folder(path: Path, *, force: bool) -> None:
    if path.is_dir():
        if force and (path == Path.cwd() or path in Path.cwd().parents or path == Path.home()):
            raise OutputError(f"{path} is the working or home folder and can't be replaced as a whole")
        if not force and any(path.iterdir()) and not may_replace(path):
            raise OutputError(
                f"folder {path} exists already; choose another name, or replace it with --force"
            )
    elif path.exists() or path.is_symlink():
        raise OutputError(f"{path} is a file; give the name of a folder")


def _swap(staged: Path, path: Path, *, force: bool) -> None:
    announce(path, staged)
    if not (force or may_replace(path)) or not path.exists():
        with suppress(OSError):
            path.rmdir()  # an empty one counts as absent
        try:
            # A folder never replaces one that another has filled meanwhile.
            staged.replace(path)
        except OSError:
            _require_free_folder(path, force=force)
            raise
        return
    if exchange(staged, path):
        return  # the old folder goes under the staged name
    old = aside_name(path)  # killed here, the next run gives it its name back
    path.replace(old)
    try:
        staged.replace(path)
    except BaseException:
        old.replace(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _name(staged: Path, path: Path, *, force: bool) -> None:
    if not (force or may_replace(path)):
        try:
            # A link, unlike a rename, never replaces what another has put there meanwhile.
            os.link(staged, path)
        except FileExistsError:
            require_absent(path)
            raise
        except OSError:
            require_absent(path)  # a file system without links
        else:
            return
    staged.replace(path)


def _name_in_a_line(staged: Path, path: Path, *, force: bool) -> None:
    try:
        _name(staged, path, force=force)
    except OutputError:
        raise
    except OSError as error:
        raise _refusal(path, error) from error


def _flush(staged: Path) -> None:
    # A rename can reach the disk before the bytes do; after a power cut the file would be empty.
    descriptor = os.open(staged, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal(path: Path, error: OSError) -> OutputError:
    reason = _REASONS.get(error.errno or 0, error.strerror or "the system refused")
    return OutputError(f"{path} can't be written: {reason}")
