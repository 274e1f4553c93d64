"""Two names exchanged in one step, where the system can do that."""

import ctypes
import os
import sys
from pathlib import Path

__all__ = ["exchange"]

#: Of `renameat2` (Linux 3.15): paths are not relative to an open folder, and both names stay.
_HERE, _EXCHANGE = -100, 2


def exchange(one: Path, other: Path) -> bool:
    """Let two files or folders have each other's name; False, and nothing done, where that can't be in one step."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    if rename is None:
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)
