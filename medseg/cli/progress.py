"""Progress with time left, on stderr: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from medseg.cli.output import say
from medseg.domain import Run
from medseg.errors import ConfigError

__all__ = ["running"]

#: Seconds between two lines when stderr is no terminal.
_LINE_EVERY_S = 10.0


@contextmanager
def running(device: str = "auto", *, quiet: bool = False, **how: Any) -> Iterator[Run]:
    """A Run whose progress is shown while the block runs; `how` are other fields of it."""
    if device not in ("auto", "cpu", "cuda", "mps"):
        raise ConfigError(f"--device is auto, cpu, cuda or mps, not {device!r}")
    run = Run(device=device, **how)  # type: ignore[arg-type]
    if quiet:
        yield run
    elif sys.stderr is not None and sys.stderr.isatty():
        yield from _with_bar(run)
    else:
        yield replace(run, progress=_Lines())


def _with_bar(run: Run) -> Iterator[Run]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def show(done: int, total: int | None, what: str) -> None:
            name = what.partition(":")[0]
            if name not in tasks:
                tasks[name] = bar.add_task(what, total=total)
            bar.update(tasks[name], completed=done, total=total, description=what)

        yield replace(run, progress=show)


class _Lines:
    """Progress as occasional lines, for logs."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.last = self.start

    def __call__(self, done: int, total: int | None, what: str) -> None:
        now = time.monotonic()
        if now - self.last < _LINE_EVERY_S:
            return
        self.last = now
        left = ""
        if total and done:
            left = f", about {(now - self.start) / done * (total - done):.0f} s left"
        say(f"{what}: {done}/{total if total is not None else '?'}{left}")
