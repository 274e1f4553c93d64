"""What became of each case of a study: one row of a database per case, written by one process alone.

SQLite in WAL mode: a row is committed when its case ends, and a killed run leaves every committed row. A second
process that would write is refused, and anyone may read meanwhile.
"""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from medseg.errors import OutputError

__all__ = ["LEDGER", "CaseRow", "CohortLedger", "why_again"]

#: Its name in the folder of a study.
LEDGER = "cohort.sqlite"
_SCHEMA = "medseg.cohort/1.0"
CaseState: TypeAlias = Literal["running", "done", "failed", "left out"]

_TABLES = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cases (
    name TEXT PRIMARY KEY, position INTEGER, present INTEGER, state TEXT, reason TEXT, why TEXT, stage TEXT,
    seconds REAL, peak_bytes INTEGER, tries INTEGER, worker TEXT, input TEXT, model TEXT, settings TEXT, outputs TEXT,
    facts TEXT, ended_at TEXT
) WITHOUT ROWID;
"""
_COLUMNS = (
    "name", "state", "reason", "why", "stage", "seconds", "peak_bytes", "tries", "worker", "input", "model",
    "settings", "outputs", "facts",
)  # fmt: skip
#: Columns that hold JSON.
_JSON = ("input", "outputs", "facts")


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as the ledger has it.

    Parameters
    ----------
    state, reason
        `running` of a case that a stopped run left; the reason of one that failed or is left out.
    why
        Why it was done again; empty where it was new.
    stage
        What it was at: `read`, `segment`, `measure`, `report`, `done`.
    seconds, peak_bytes
        What it took; None where its process died, or where nobody can tell.
    tries, worker
        How often it was begun in the last run, and where the last one was.
    input, model, settings, outputs
        Digests, by channel and by file; of the model its own, of the settings that of all that is asked.
    facts
        What tables and page say of it: see `case`.
    """

    name: str
    state: CaseState
    reason: str = ""
    why: str = ""
    stage: str = ""
    seconds: float | None = None
    peak_bytes: int | None = None
    tries: int = 0
    worker: str = ""
    input: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    settings: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def why_again(before: CaseRow | None, now: CaseRow) -> str:
    """Why a case is done again, in one line; empty where it stands, or was never begun.

    `now` has the digests of input, model, settings and outputs as they are found.
    """
    if before is None:
        return ""
    if before.state == "running":
        return f"an earlier run ended while it was at work on it ({before.stage or 'read'})"
    if before.state == "failed":
        return f"it failed before: {before.reason}"
    if before.state == "left out":
        return f"it was left out before: {before.reason}"
    said = [
        *_changes(before.input, now.input, "input {} changed", "input {} is gone"),
        *(["the method or model changed"] if before.model != now.model else []),
        *(["the settings changed"] if before.settings != now.settings else []),
        *_changes(before.outputs, now.outputs, "{} was changed since", "{} is gone"),
    ]
    return "; ".join(said)


def _changes(before: Mapping[str, str], now: Mapping[str, str], other: str, gone: str) -> Iterator[str]:
    for name in dict.fromkeys([*before, *now]):
        if before.get(name) != now.get(name):
            yield (gone if now.get(name, "absent") == "absent" else other).format(name)


class CohortLedger:
    """The ledger of one folder, open for its only writer until it is closed.

    Raises
    ------
    OutputError
        If another process works there, the file is no ledger, or it can't be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LEDGER
        try:
            self._base = sqlite3.connect(
                self.path, isolation_level=None, timeout=1.0, check_same_thread=False
            )
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.executescript(_TABLES)
        except sqlite3.Error as error:
            raise self._refusal(error) from error
        self._lock = _Lock(folder)
        self._run("INSERT OR IGNORE INTO about VALUES ('schema', ?)", (_SCHEMA,))
        (found,) = self._run("SELECT value FROM about WHERE name = 'schema'").fetchone()
        if not str(found).startswith("medseg.cohort/1."):
            raise OutputError(f"{self.path} is of a newer medseg ({found}); give another --out")

    def expect(self, names: list[str]) -> None:
        """Note which cases the study has now, in their order; rows of others stay, and are counted nowhere."""
        self._run("BEGIN")
        self._run("UPDATE cases SET present = 0")
        self._base.executemany(
            "INSERT INTO cases (name, position, present) VALUES (?, ?, 1) "
            "ON CONFLICT (name) DO UPDATE SET present = 1, position = excluded.position",
            ((name, number) for number, name in enumerate(names)),
        )
        self._run("COMMIT")

    def find(self, name: str) -> CaseRow | None:
        """The row of a case; None of one that was never begun."""
        words = ", ".join(_COLUMNS)
        query = f"SELECT {words} FROM cases WHERE name = ? AND state IS NOT NULL"  # noqa: S608 - constants
        found = self._run(query, (name,)).fetchone()
        return None if found is None else _row(found)

    def put(self, row: CaseRow) -> None:
        """Write the row of a case; it is committed when this returns."""
        values = [_plain(name, getattr(row, name)) for name in _COLUMNS]
        sets = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
        marks = ", ".join("?" * (len(_COLUMNS) + 1))
        self._run(
            f"INSERT INTO cases ({', '.join(_COLUMNS)}, ended_at) VALUES ({marks}) "  # noqa: S608 - constants
            f"ON CONFLICT (name) DO UPDATE SET {sets}, ended_at = excluded.ended_at",
            (*values, datetime.now(UTC).isoformat(timespec="seconds")),
        )

    def rows(self) -> Iterator[CaseRow]:
        """Rows of the study's cases in their order, one at a time."""
        words = ", ".join(_COLUMNS)
        query = f"SELECT {words} FROM cases WHERE present = 1 AND state IS NOT NULL ORDER BY position"  # noqa: S608
        for found in self._run(query):
            yield _row(found)

    def close(self) -> None:
        """Close it, so that the next run may write."""
        self._base.close()
        self._lock.release()

    def _run(self, words: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._base.execute(words, values)
        except sqlite3.Error as error:
            raise self._refusal(error) from error

    def _refusal(self, error: sqlite3.Error) -> OutputError:
        if "full" in str(error):
            return OutputError(f"{self.path} can't be written: the disk is full; make room and start again")
        if "not a database" in str(error):
            return OutputError(f"{self.path} is no ledger of a study; give another --out, or remove it")
        return OutputError(f"{self.path} can't be written: {error}")


class _Lock:
    """One writer for each folder: a lock that the system takes back when its process ends."""

    def __init__(self, folder: Path) -> None:
        path = folder / f"{LEDGER}.lock"
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            import fcntl  # noqa: PLC0415 - not on every system
        except ImportError:  # there two runs at once are the user's to avoid
            return
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._handle)
            message = f"another 'medseg cohort' works in {folder}; wait for it, or give another --out"
            raise OutputError(message) from error

    def release(self) -> None:
        os.close(self._handle)


def _row(found: tuple[Any, ...]) -> CaseRow:
    values = dict(zip(_COLUMNS, found, strict=True))
    return CaseRow(**{name: json.loads(value) if name in _JSON else value for name, value in values.items()})


def _plain(name: str, value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if name in _JSON else value
