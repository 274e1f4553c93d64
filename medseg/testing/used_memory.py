"""Peak memory of a call, with what runs in child processes and in libraries that Python does not see."""

import ctypes
from collections.abc import Callable
from pathlib import Path

__all__ = ["peak_bytes"]

_MMAP_THRESHOLD = -3


def peak_bytes(call: Callable[[], object]) -> int | None:
    """Largest growth of resident memory while `call` runs, children that lived before included.

    Run the call once on something small before, so that libraries and child processes are loaded. None where
    the system can't tell (other than Linux with glibc).
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return None
    # Every array its own mapping, given back when it is freed: else reused memory would hide growth.
    libc.mallopt(_MMAP_THRESHOLD, 1 << 16)
    libc.malloc_trim(0)
    families = _family()
    try:
        for process in families:
            (process / "clear_refs").write_text("5")
        before = {process: _kilobytes(process, "VmRSS") for process in families}
    except OSError:
        return None
    call()
    return sum(
        1024 * (_kilobytes(process, "VmHWM") - start) for process, start in before.items() if process.exists()
    )


def _family() -> list[Path]:
    import psutil

    me = psutil.Process()
    return [Path("/proc") / str(one.pid) for one in (me, *me.children(recursive=True))]


def _kilobytes(process: Path, what: str) -> int:
    for line in (process / "status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1])
    return 0
