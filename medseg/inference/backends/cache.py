"""Compiled networks kept in the user's cache folder: whole or absent, checked when read, made again when in doubt."""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from medseg import settings

__all__ = ["keep", "kept"]

#: Bytes of a digest before the content.
DIGEST = hashlib.sha256().digest_size


def kept(key: str) -> bytes | None:
    """What was kept under a key (hex); None if there is nothing, or not what was written."""
    try:
        data = _path(key).read_bytes()
    except OSError:
        return None
    digest, content = data[:DIGEST], data[DIGEST:]
    return content if hashlib.sha256(content).digest() == digest else None


def keep(key: str, content: bytes) -> None:
    """Keep content under a key; where that can't be written nothing is kept, which costs time and nothing else.

    Written beside and renamed: of two writers the last wins, and a killed one leaves what was there.
    """
    path = _path(key)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{key[:16]}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(content).digest())
                file.write(content)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)


def _path(key: str) -> Path:
    return settings.user_cache_folder() / "networks" / f"{key}.bin"
