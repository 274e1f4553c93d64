"""Which code a figure of a benchmark is about."""

import subprocess
from pathlib import Path

__all__ = ["commit_tried"]


def commit_tried() -> str:
    """Short name of the commit that is tried, with a + where files differ from it."""
    words = ["git", "describe", "--always", "--abbrev=7", "--exclude=*", "--dirty=+"]
    folder = Path(__file__).resolve().parent
    ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    return ended.stdout.strip() or "unknown"
