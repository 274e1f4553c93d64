"""The journal on disk: what is done is there at once, and a killed window's work can be had again.

A file begins with the mask as it came, and grows by one entry for each change, undo and redo. Each entry has its length
and a checksum, so that a file that was cut is read up to its last whole entry. It is only ever added to. Whoever writes
it holds a lock, so a file without one is the work of a window that is gone.
"""

import json
import os
import struct
import threading
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Queue
from typing import Any, Literal, TypeAlias

import numpy as np
from pydantic import TypeAdapter, ValidationError

from medseg.domain import Finding, Grid, LabelTable, Segmentation
from medseg.domain.provenance import Provenance
from medseg.errors import InputError
from napari_medseg.workspace.journal import Entry
from napari_medseg.workspace.lock import is_locked, lock
from napari_medseg.workspace.patch import Patch

__all__ = ["SUFFIX", "Autosave", "Kept", "Mark", "read_kept", "unfinished"]

Mark: TypeAlias = Literal["undo", "redo", "saved"]

SUFFIX = ".medseg-journal"
_MAGIC = b"medseg journal 1\n"
_HEAD = struct.Struct(">II")
_TABLE, _MADE_BY, _GRID = TypeAdapter(LabelTable), TypeAdapter(Provenance), TypeAdapter(Grid)
_FINDINGS, _ENTRY = TypeAdapter(tuple[Finding, ...]), TypeAdapter(Entry)
_MARKS = ("undo", "redo", "saved")


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What a journal file holds.

    Parameters
    ----------
    before
        The mask as it came.
    events
        Changes and marks, in order.
    name, mask
        What the mask was called, and its file; empty for one that is in no file yet.
    whole_bytes
        Length of the file up to its last whole entry.
    is_cut
        Whether there is more, which can't be read.
    """

    before: Segmentation
    events: tuple[Entry | Mark, ...]
    name: str
    mask: str
    whole_bytes: int
    is_cut: bool

    @property
    def unsaved(self) -> int:
        """Changes, undos and redos since the mask was last saved; one more where it never was in a file."""
        marks = [number for number, item in enumerate(self.events) if item == "saved"]
        if marks:
            return len(self.events) - marks[-1] - 1
        return len(self.events) + (not self.mask)


class Autosave:
    """Writes a journal file, in a thread of its own: a stroke does not wait for the disk.

    Parameters
    ----------
    path
        Its file; the folder is made.
    before
        The mask as it came.
    name, mask
        See `Kept`.
    link
        Where a link to it is put, so that it is found though it lies beside its mask.
    go_on_at
        Byte of a file that is there, after its last whole entry, to go on at.
    """

    def __init__(
        self,
        path: Path,
        before: Segmentation,
        *,
        name: str = "",
        mask: str = "",
        link: Path | None = None,
        go_on_at: int | None = None,
    ) -> None:
        self.path = path
        self.link = link
        self.fault = ""
        self._about = {"name": name, "mask": mask}
        self._go_on_at = go_on_at
        self._queue: Queue[bytes | Segmentation | None] = Queue()
        self._file: Any = None
        self._queue.put(before)
        self._thread = threading.Thread(target=self._work, name="medseg autosave", daemon=True)
        self._thread.start()

    def add(self, event: Entry | Mark) -> None:
        """Put a change or a mark at the end."""
        self._queue.put(_event_payload(event))

    def settle(self) -> None:
        """Wait until all that was added is on disk."""
        self._queue.join()

    def close(self, *, forget: bool = False) -> None:
        """Let go of the file; `forget` removes it."""
        self._queue.put(None)
        self._thread.join()
        if forget:
            self.path.unlink(missing_ok=True)
            if self.link is not None:
                self.link.unlink(missing_ok=True)

    def _work(self) -> None:
        while True:
            item = self._queue.get()
            try:
                if item is None:
                    break
                self._write(item)
            except OSError as error:
                self.fault = f"changes are not kept on disk: {error.strerror or error} ({self.path})"
            finally:
                self._queue.task_done()
        if self._file is not None:
            self._file.close()

    def _write(self, item: bytes | Segmentation) -> None:
        if isinstance(item, Segmentation):
            self._open(item)
        elif self._file is not None and not self.fault:
            self._append(item)

    def _open(self, before: Segmentation) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        if not lock(self._file):
            self._file.close()
            self._file = None
            raise OSError(0, "another window works on it")
        if self._go_on_at is not None:
            self._file.truncate(self._go_on_at)
            self._file.seek(self._go_on_at)
            return
        self._file.write(_MAGIC)
        self._append(_start_payload(before, self._about))
        if self.link is not None and not self.link.is_symlink():
            self.link.parent.mkdir(parents=True, exist_ok=True)
            self.link.symlink_to(self.path.absolute())

    def _append(self, payload: bytes) -> None:
        end = self._file.tell()
        data = _HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        try:
            written = self._file.write(data)
            if written != len(data):
                raise OSError(0, "the disk is full")
        except OSError:
            with suppress(OSError):
                self._file.truncate(end)
            raise


def read_kept(path: Path) -> Kept:
    """What a journal file holds, up to its last whole entry.

    Raises
    ------
    InputError
        If not even the mask as it came can be read.
    """
    data = path.read_bytes()
    if not data.startswith(_MAGIC):
        raise InputError(f"{path.name} is no journal of medseg")
    payloads: list[bytes] = []
    end = len(_MAGIC)
    while (payload := _next(data, end)) is not None:
        payloads.append(payload)
        end += _HEAD.size + len(payload)
    try:
        about, before = _start_of(payloads[0])
        events = tuple(_event_of(item) for item in payloads[1:])
    except (IndexError, KeyError, ValueError, ValidationError, zlib.error) as error:
        raise InputError(f"{path.name} can't be read as a journal: its first entry is not whole") from error
    return Kept(before, events, about["name"], about["mask"], end, end < len(data))


def unfinished(folder: Path) -> tuple[Path, ...]:
    """Journals in a folder that no window works on; the newest first."""
    if not folder.is_dir():
        return ()
    left = [path for path in folder.glob(f"*{SUFFIX}") if path.is_file() and not is_locked(path)]
    return tuple(sorted(left, key=lambda path: path.stat().st_mtime, reverse=True))


def _next(data: bytes, at: int) -> bytes | None:
    if at + _HEAD.size > len(data):
        return None
    length, checksum = _HEAD.unpack_from(data, at)
    payload = data[at + _HEAD.size : at + _HEAD.size + length]
    return payload if len(payload) == length and zlib.crc32(payload) == checksum else None


def _start_payload(before: Segmentation, about: dict[str, str]) -> bytes:
    head = {
        **about,
        "grid": _GRID.dump_python(before.grid, mode="json"),
        "table": _TABLE.dump_python(before.table, mode="json"),
        "made_by": _MADE_BY.dump_python(before.made_by, mode="json"),
        "findings": _FINDINGS.dump_python(before.findings, mode="json"),
        "dtype": before.labels.dtype.str,
        "digest": before.digest,
    }
    return _framed(head, zlib.compress(before.labels.tobytes(order="F"), 1))


def _start_of(payload: bytes) -> tuple[dict[str, Any], Segmentation]:
    head, blob = _unframed(payload)
    grid = _GRID.validate_python(head["grid"])
    labels = np.frombuffer(zlib.decompress(blob), head["dtype"]).reshape(grid.shape, order="F")
    before = Segmentation(
        labels,
        grid,
        _TABLE.validate_python(head["table"]),
        _MADE_BY.validate_python(head["made_by"]),
        _FINDINGS.validate_python(head["findings"]),
    )
    if before.digest != head["digest"]:
        raise ValueError("the voxels are not those that were written")
    return head, before


def _event_payload(event: Entry | Mark) -> bytes:
    if isinstance(event, str):
        return _framed({"mark": event}, b"")
    patch = event.patch
    head: dict[str, Any] = {"entry": _ENTRY.dump_python(replace(event, patch=None), mode="json")}
    if patch is None:
        return _framed(head, b"")
    head["patch"] = {
        "corner": patch.corner,
        "shape": patch.shape,
        "bytes": [len(patch.changed), len(patch.old), len(patch.new)],
    }
    return _framed(head, patch.changed + patch.old + patch.new)


def _event_of(payload: bytes) -> Entry | Mark:
    head, blob = _unframed(payload)
    if head.get("mark") in _MARKS:
        mark: Mark = head["mark"]
        return mark
    entry: Entry = _ENTRY.validate_python(_as_tuples(head["entry"]))
    if "patch" not in head:
        return entry
    about = head["patch"]
    one, two, _ = about["bytes"]
    i, j, k = about["corner"]
    width, height, depth = about["shape"]
    patch = Patch((i, j, k), (width, height, depth), blob[:one], blob[one : one + two], blob[one + two :])
    return replace(entry, patch=patch)


def _as_tuples(entry: dict[str, Any]) -> dict[str, Any]:
    """Values of a request's parameters that are lists in JSON were tuples."""
    for request in entry["requests"]:
        request["parameters"] = tuple(
            (name, tuple(value) if isinstance(value, list) else value)
            for name, value in request["parameters"]
        )
    return entry


def _framed(head: dict[str, Any], blob: bytes) -> bytes:
    return json.dumps(head, separators=(",", ":")).encode() + b"\n" + blob


def _unframed(payload: bytes) -> tuple[dict[str, Any], bytes]:
    head, _, blob = payload.partition(b"\n")
    found: dict[str, Any] = json.loads(head)
    return found, blob
