"""How to run, not what to compute."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from medseg.errors import Cancelled

__all__ = ["BackendName", "Device", "Note", "Progress", "Run", "noted"]

Device: TypeAlias = Literal["auto", "cpu", "cuda", "mps"]
#: What runs a network; `auto` is chosen by device and by what is installed.
BackendName: TypeAlias = Literal["auto", "torch", "openvino"]
#: Called with the name of a figure about the run and its value, each once: `seconds.network`, `bytes.predicted`.
Note: TypeAlias = Callable[[str, float], None]
#: Called with (done, total, what); total is None while unknown.
Progress: TypeAlias = Callable[[int, int | None, str], None]


def _silent(_done: int, _total: int | None, _what: str) -> None:
    return None


def _unheard(_name: str, _value: float) -> None:
    return None


def _never() -> bool:
    return False


@contextmanager
def noted(run: "Run", name: str) -> Iterator[None]:
    """Tell the run how many seconds the block took."""
    start = time.perf_counter()
    yield
    run.note(name, time.perf_counter() - start)


@dataclass(frozen=True, slots=True)
class Run:
    """Device, backend, threads, seed, and the lines to the caller: progress, cancel, figures.

    None of these may change an answer beyond rounding; parameters do that and are recorded as such.
    """

    device: Device = "auto"
    memory_bytes: int | None = None
    threads: int | None = None
    seed: int = 0
    deterministic: bool = False
    backend: BackendName = "auto"
    progress: Progress = field(default=_silent, compare=False)
    cancel: Callable[[], bool] = field(default=_never, compare=False)
    note: Note = field(default=_unheard, compare=False)

    def check(self) -> None:
        """Raise `Cancelled` if the user asked to stop; call it between steps of under a second."""
        if self.cancel():
            raise Cancelled("stopped by the user; nothing was written")
