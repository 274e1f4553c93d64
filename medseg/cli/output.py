"""What commands print: results to stdout, everything else to stderr."""

import io
import json
import os
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medseg import settings
from medseg.errors import OutputError

if TYPE_CHECKING:
    from medseg.domain import Finding

__all__ = [
    "emit",
    "log_bug",
    "prepare_streams",
    "print_error",
    "print_findings",
    "print_table",
    "printable",
    "say",
    "show",
]

SCHEMA = "medseg.cli/1.0"
#: Messages quote what files say, and a file may say any amount.
_LONGEST = 2000
#: What a terminal obeys (all controls but tab and new line), and what turns the order of reading.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

#: What would end a cell or a row of a table in a pipe.
_BREAKS = re.compile("[\t\r\n]+")


def say(line: str) -> None:
    """A message for people, on stderr, if it is open."""
    if sys.stderr is not None:
        print(printable(line), file=sys.stderr)


def show(line: str) -> None:
    """A result in words, on stdout.

    Raises
    ------
    OutputError
        If stdout is closed: the result would be lost.
    """
    if sys.stdout is None:
        raise OutputError("standard output is closed, and the result was to go there")
    print(printable(line))


def printable(text: str) -> str:
    r"""Text without what steers a terminal: names come from files, and files from anywhere.

    >>> printable("a\x1b[2Jb")
    'a\ufffd[2Jb'
    """
    return _STEERING.sub("\ufffd", text)


def prepare_streams() -> None:
    """What the output's encoding can't hold is written as an escape; no file takes the place of a closed stream."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def emit(command: str, result: Any, findings: "Iterable[Finding]" = ()) -> None:
    """The one JSON object of `--json`, on stdout."""
    items = [
        {"code": item.code, "severity": item.severity, "message": item.message, "details": dict(item.details)}
        for item in findings
    ]
    _show_json({"schema": SCHEMA, "command": command, "result": result, "findings": items})


def _show_json(value: Any) -> None:
    # Escaped where the output is no UTF-8, and where a terminal would obey: both mean the same in JSON.
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    text = json.dumps(value, ensure_ascii=encoding.lower().replace("-", "") != "utf8")
    show(_STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def print_error(command: str, error: BaseException, *, as_json: bool, note: str = "") -> None:
    """One line on stderr, or one JSON object on stdout."""
    message = " ".join(str(error).split()) or type(error).__name__
    if len(message) > _LONGEST:
        message = f"{message[:_LONGEST]}…"
    if note:
        message = f"{type(error).__name__}: {message}; {note}"
    if as_json:
        body = {"class": type(error).__name__, "message": message}
        _show_json({"schema": SCHEMA, "command": command, "error": body})
    else:
        say(f"medseg {command}: {message}" if command != "medseg" else f"medseg: {message}")


def print_findings(findings: "Iterable[Finding]") -> None:
    """Findings as lines on stderr, worst first."""
    rank = {"error": 0, "warning": 1, "info": 2}
    for finding in sorted(findings, key=lambda item: rank[item.severity]):
        say(f"{finding.severity}: {finding.message} [{finding.code}]")


def print_table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """A table on stdout: aligned for a terminal, tab-separated into a pipe."""
    if sys.stdout is None or not sys.stdout.isatty():
        show("\t".join(head))
        for row in rows:
            show("\t".join("" if cell is None else _BREAKS.sub(" ", str(cell)) for cell in row))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*head, title=title, title_justify="left")
    for row in rows:
        table.add_row(*("" if cell is None else escape(printable(str(cell))) for cell in row))
    Console().print(table)


def log_bug(error: BaseException) -> Path:
    """Write the traceback to a log that its owner alone may read, as it may name files; return its path."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    path = settings.log_folder() / f"medseg-{stamp}.log"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError:
        traceback.print_exception(error, file=sys.stderr)
    return path
