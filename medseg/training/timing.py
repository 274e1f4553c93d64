"""What a fold took: seconds, how many of them it waited for data, and memory; added up over attempts."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from medseg.io.atomic import write_bytes

__all__ = ["FoldTiming", "read_timing", "write_timing"]

_FILE = "timing.json"


@dataclass(frozen=True, slots=True)
class FoldTiming:
    """Seconds of training in all and of waiting for data, and the largest memory of the process where that is known."""

    seconds: float
    waiting_s: float
    peak_bytes: int | None

    def __add__(self, other: "FoldTiming") -> "FoldTiming":
        return FoldTiming(
            self.seconds + other.seconds,
            self.waiting_s + other.waiting_s,
            max((one for one in (self.peak_bytes, other.peak_bytes) if one is not None), default=None),
        )


def read_timing(fold: Path) -> FoldTiming | None:
    """What a fold's folder says; None where it says nothing."""
    try:
        return FoldTiming(**json.loads((fold / _FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def write_timing(fold: Path, timing: FoldTiming) -> None:
    """Add an attempt to what the fold's folder says."""
    before = read_timing(fold)
    both = timing if before is None else before + timing
    write_bytes(fold / _FILE, json.dumps(asdict(both)).encode(), force=True)
