"""Peak memory of a call, with what runs in child processes and in libraries that Python does not see."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

import psutil

from medseg.domain import Run
from medseg.methods.child import in_child

__all__ = ["peak_bytes", "watch_peak"]

_MMAP_THRESHOLD = -3


def peak_bytes(call: Callable[[], object]) -> int | None:
    """Largest growth of resident memory while `call` runs, in this process and its children together.

    The call runs twice: first so that libraries and the child process are loaded, then to be measured. None
    where the system can't tell (other than Linux with glibc).
    """
    if not _returns_free_memory():
        return None
    call()
    grown = watch_peak()
    call()
    return grown()


def watch_peak() -> Callable[[], int | None]:
    """Give back free memory and begin to watch; what is returned tells the largest growth since then, in bytes.

    Of this process and the children it has now. It tells None where the system can't tell.
    """
    if not _returns_free_memory():
        return lambda: None
    families = _family()
    try:
        for process in families:
            (process / "clear_refs").write_text("5")
        before = {process: _kilobytes(process, "VmRSS") for process in families}
    except OSError:
        return lambda: None
    return lambda: sum(
        1024 * (_kilobytes(process, "VmHWM") - start) for process, start in before.items() if process.exists()
    )


def _returns_free_memory() -> bool:
    """Make this process and the child that works for it give back what is freed; whether they can."""
    gc.collect()
    return trim() and in_child(Run(), trim)


def trim() -> bool:
    """Give back free memory, now and from now on; reused memory would hide growth. Whether that is possible."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return False
    libc.mallopt(_MMAP_THRESHOLD, 1 << 16)
    libc.malloc_trim(0)
    return True


def _family() -> list[Path]:
    me = psutil.Process()
    return [Path("/proc") / str(one.pid) for one in (me, *me.children(recursive=True))]


def _kilobytes(process: Path, what: str) -> int:
    for line in (process / "status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1])
    return 0
