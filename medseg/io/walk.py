"""Files below a folder, through links to folders too, each folder once."""

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["files_below"]


def files_below(folder: Path) -> Iterator[Path]:
    """Files of a folder and of those in it and linked from it, in order of their names; no hidden ones.

    A folder that is reached twice, as by a link to one above, is walked once.
    """
    seen: set[str] = set()
    for name, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(item for item in folders if not item.startswith("."))
        real = os.path.realpath(name)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(name) / file for file in sorted(files) if not file.startswith("."))
