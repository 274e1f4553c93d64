"""Files of a bundle that its card names with their digests."""

import hashlib
from pathlib import Path

from medseg.errors import ModelError

__all__ = ["read_named"]


def read_named(path: Path, digest: str) -> bytes:
    """The bytes of a bundle's file, which are those that the card means.

    Raises
    ------
    ModelError
        If it can't be read, or has another SHA-256.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"can't read {path}: {error.strerror or error}; copy the bundle again") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise ModelError(f"{path} is not the file its card names (other digest); copy the bundle again")
    return data
