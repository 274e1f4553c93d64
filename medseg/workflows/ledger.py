"""What a batch has written and what for, in a file of lines beside its outputs.

Masks and Records say themselves what was asked for; pages, tables, converted and edited files don't, so the ledger
does. It is a line per step, added at the end: a case is entered before its outputs are written and once more after,
so a run that was killed is known for what it is, and a line that was cut is no line.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from medseg._version import __version__
from medseg.domain.values import STRICT, digest_of_plain
from medseg.errors import OutputError
from medseg.io.names import stem_of, suffix_of
from medseg.io.sidecar import sidecar_path
from medseg.io.unfinished import may_replace, put_all, together
from medseg.workflows.batch import CaseResult, Standing

__all__ = ["Ledger", "file_digest", "ledger_path", "mask_digest", "open_ledger"]

_BLOCK = 1 << 24
#: Headers whose voxels lie in a file of the same stem.
_HEADERS = (".mhd", ".nhdr", ".hdr", ".img")


@dataclass(frozen=True, slots=True)
class _Head:
    """The first line."""

    command: str
    schema: Literal["medseg.batch/1.0"] = "medseg.batch/1.0"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class _Entry:
    """A case: what was asked for, by parts; once it is done, digests of what was written, and the result to keep.

    Until then the digests are those of what stood before. A case that is `gone` was entered, and nothing of it was
    written.
    """

    case: str
    asked: dict[str, str]
    done: bool = False
    outputs: dict[str, str] = field(default_factory=dict)
    result: Any = None
    gone: bool = False
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


_HEAD, _ENTRY = TypeAdapter(_Head), TypeAdapter(_Entry)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The memory of one batch; every step is on disk before the next one."""

    path: Path
    command: str
    entries: dict[str, _Entry]

    def standing(self, case: str, asked: Mapping[str, str], outputs: Sequence[Path]) -> tuple[Standing, Any]:
        """What is to be done about a case, and the result that was kept with it.

        Raises
        ------
        OutputError
            If an output stands that no batch wrote, or that somebody changed and that is asked for otherwise now.
        """
        entry = self.entries.get(self._key(case, outputs))
        there = [path for path in outputs if path.exists()]
        if entry is None:
            if there:
                raise OutputError(f"{there[0]} exists and no batch wrote it; use --force to replace it")
            return Standing(), None
        why = _differences(entry.asked, _with_version(asked))
        changed = [path for path in there if self._changed(entry, path) and not may_replace(path)]
        if changed and not entry.done:
            raise OutputError(
                f"{changed[0]} was put there or changed after a run that was stopped, and no batch wrote it so; use "
                "--force to replace it"
            )
        if changed and why:
            raise OutputError(
                f"{changed[0]} was changed since and is asked for otherwise now ({why}); use --force to replace it"
            )
        if why or not entry.done or len(there) < len(outputs):
            missing = "a file of it was not there" if entry.done else "an earlier run did not finish it"
            stands = bool(there) or not outputs
            return Standing(replaces=stands, reason=(why or missing) if stands else ""), None
        names = ", ".join(path.name for path in changed)
        return Standing(kept=True, reason=f"changed since: {names}" if names else ""), entry.result

    def knows(self, case: str, outputs: Sequence[Path]) -> bool:
        """Whether a batch wrote these outputs of a case, or began to."""
        return self._key(case, outputs) in self.entries

    def settle(
        self,
        case: str,
        asked: Mapping[str, str],
        outputs: Sequence[Path],
        make: Callable[[bool], Any],
        *,
        force: bool,
    ) -> tuple[CaseResult, Any]:
        """Do a case unless it stands: the line of the table, and what `make` gave, now or then.

        `make` is told whether it may replace what stands; it gives plain values.
        """
        with together(*outputs):
            standing, result = (Standing(), None) if force else self.standing(case, asked, outputs)
            if not standing.kept:
                before = self.entries.get(self._key(case, outputs))
                self.begin(case, asked, outputs)
                try:
                    result = make(force or standing.replaces)
                    put_all()
                except BaseException:
                    # Nothing was written: what stands is what stood, and belongs to whom it belonged.
                    self._restore(case, outputs, before)
                    raise
                self.finish(case, outputs, result)
        output = str(outputs[0]) if outputs else ""
        return CaseResult(case, standing.state, 0.0, output, standing.reason), result

    def begin(self, case: str, asked: Mapping[str, str], outputs: Sequence[Path]) -> None:
        """Enter a case before its outputs are written."""
        before = self.entries.get(self._key(case, outputs))
        stood = {} if before is None else before.outputs
        self._add(_Entry(self._key(case, outputs), _with_version(asked), outputs=stood))

    def finish(self, case: str, outputs: Sequence[Path], result: Any = None) -> None:
        """Enter what was written; `result` is what a later run needs of it, as plain values."""
        digests = {self._name(path): file_digest(path) for path in outputs}
        key = self._key(case, outputs)
        self._add(_Entry(key, self.entries[key].asked, done=True, outputs=digests, result=result))

    def _key(self, case: str, outputs: Sequence[Path]) -> str:
        """A case with the names of its outputs: another format of it is another output."""
        return " ".join([case, *(self._name(path) for path in outputs)])

    def _restore(self, case: str, outputs: Sequence[Path], before: _Entry | None) -> None:
        self._add(before or _Entry(self._key(case, outputs), {}, gone=True))

    def _changed(self, entry: _Entry, path: Path) -> bool:
        return entry.outputs.get(self._name(path)) != file_digest(path)

    def _name(self, path: Path) -> str:
        return Path(os.path.relpath(path.resolve(), self.path.parent.resolve())).as_posix()

    def _add(self, entry: _Entry) -> None:
        self.entries[entry.case] = entry
        if entry.gone:
            del self.entries[entry.case]
        lines = [_ENTRY.dump_json(entry)]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                if file.tell() == 0:
                    lines.insert(0, _HEAD.dump_json(_Head(self.command)))
                # A line that was cut before ends here, so that it spoils no other one.
                file.write(b"".join(b"\n" + line for line in lines) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"{self.path} can't be written: {error.strerror or error}") from error


def ledger_path(folder: Path, command: str) -> Path:
    """Where the ledger of a command's outputs in a folder stands.

    >>> ledger_path(Path("pages"), "report").name
    'medseg-report.jsonl'
    """
    return folder / f"medseg-{command}.jsonl"


def open_ledger(path: Path, command: str) -> Ledger:
    """The ledger at a path, or a new one; nothing is written yet.

    Raises
    ------
    OutputError
        If the file is none, or of another command.
    """
    if not path.exists():
        return Ledger(path, command, {})
    try:
        head, *lines = [line for line in path.read_bytes().split(b"\n") if line.strip()] or [b""]
        if not lines and not head.endswith(b"}"):
            return Ledger(path, command, {})  # cut before its first line was whole
        found = _HEAD.validate_json(head)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} is no ledger of a batch; give another --out, or remove it") from error
    if found.command != command:
        raise OutputError(
            f"{path.parent} holds what 'medseg {found.command}' wrote; give 'medseg {command}' another folder"
        )
    entries: dict[str, _Entry] = {}
    for line in lines:
        try:
            entry = _ENTRY.validate_json(line)
        except ValidationError:
            continue
        entries[entry.case] = entry
    return Ledger(path, command, {case: entry for case, entry in entries.items() if not entry.gone})


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, or of names and bytes of all files of a folder; `absent` where there is none."""
    if path.is_dir():
        files = sorted(item for item in path.rglob("*") if item.is_file())
        return digest_of_plain([[item.relative_to(path).as_posix(), file_digest(item)] for item in files])
    if not path.is_file():
        return "absent"
    if suffix_of(path) in _HEADERS:
        files = sorted(
            item for item in path.parent.iterdir() if item.is_file() and stem_of(item) == stem_of(path)
        )
        return digest_of_plain([[item.name, _bytes_digest(item)] for item in files])
    return _bytes_digest(path)


def _bytes_digest(path: Path) -> str:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            hasher.update(block)
    return hasher.hexdigest()


def mask_digest(path: Path) -> str:
    """`file_digest` of a mask with its sidecar, whose names and history are a part of it."""
    return digest_of_plain([file_digest(path), file_digest(sidecar_path(path))])


def _with_version(asked: Mapping[str, str]) -> dict[str, str]:
    return {**asked, "medseg": __version__}


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    names = [*now, *(name for name in before if name not in now)]
    return "; ".join(f"{name} changed" for name in names if before.get(name) != now.get(name))
