"""What commands print: results to stdout, everything else to stderr."""

import json
import sys
import traceback
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medseg import settings

if TYPE_CHECKING:
    from medseg.domain import Finding

__all__ = ["emit", "log_bug", "print_error", "print_findings", "print_table", "say"]

SCHEMA = "medseg.cli/1.0"


def say(line: str) -> None:
    """A message for people, on stderr."""
    print(line, file=sys.stderr)


def emit(command: str, result: Any, findings: "Iterable[Finding]" = ()) -> None:
    """The one JSON object of `--json`, on stdout."""
    items = [
        {"code": item.code, "severity": item.severity, "message": item.message, "details": dict(item.details)}
        for item in findings
    ]
    print(
        json.dumps(
            {"schema": SCHEMA, "command": command, "result": result, "findings": items}, ensure_ascii=False
        )
    )


def print_error(command: str, error: BaseException, *, as_json: bool, note: str = "") -> None:
    """One line on stderr, or one JSON object on stdout."""
    message = " ".join(str(error).split()) or type(error).__name__
    if note:
        message = f"{type(error).__name__}: {message}; {note}"
    if as_json:
        body = {"class": type(error).__name__, "message": message}
        print(json.dumps({"schema": SCHEMA, "command": command, "error": body}, ensure_ascii=False))
    else:
        say(f"medseg {command}: {message}" if command != "medseg" else f"medseg: {message}")


def print_findings(findings: "Iterable[Finding]") -> None:
    """Findings as lines on stderr, worst first."""
    rank = {"error": 0, "warning": 1, "info": 2}
    for finding in sorted(findings, key=lambda item: rank[item.severity]):
        say(f"{finding.severity}: {finding.message} [{finding.code}]")


def print_table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """A table on stdout: aligned for a terminal, tab-separated into a pipe."""
    if not sys.stdout.isatty():
        print("\t".join(head))
        for row in rows:
            print("\t".join("" if cell is None else str(cell) for cell in row))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*head, title=title, title_justify="left")
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    Console().print(table)


def log_bug(error: BaseException) -> Path:
    """Write the traceback to a log and return its path."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    path = settings.log_folder() / f"medseg-{stamp}.log"
    try:
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        traceback.print_exception(error, file=sys.stderr)
    return path
