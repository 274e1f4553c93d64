"""Where the seconds of a run go."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from medseg.domain import Run

__all__ = ["Clock"]

Item = TypeVar("Item")


class Clock:
    """Seconds by part, told to the run when all is done."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        """Count what the block takes."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[part] = self._seconds.get(part, 0.0) + time.perf_counter() - start

    def each(self, part: str, items: Iterable[Item]) -> Iterator[Item]:
        """Count what it takes to get each item, and not what is done with it."""
        source = iter(items)
        while True:
            with self.on(part):
                item = next(source, None)
            if item is None:
                return
            yield item

    def tell(self, run: Run) -> None:
        """Say it to the run, as `seconds.PART`."""
        for part, seconds in self._seconds.items():
            run.note(f"seconds.{part}", seconds)
