"""Deflated DICOM, looked at before a library unpacks it whole: a few megabytes can stand for gigabytes."""

import zlib
from pathlib import Path

from medseg.errors import InputError

__all__ = ["require_bounded"]

#: Transfer syntaxes whose whole dataset is packed: Deflated Explicit VR, Deflated Image Frame has its pixels alone.
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_META_BYTES, _BLOCK = 4096, 1 << 20
#: More than this, unpacked, is no dataset that anybody keeps packed.
MOST_BYTES = 1 << 31


def require_bounded(path: Path) -> None:
    """Refuse a deflated file that unpacks to more than can be meant; reads others' first bytes alone.

    Raises
    ------
    InputError
        If it does. What is damaged passes: its reader says how.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_META_BYTES)
            start = _start(head)
            if start is None:
                return
            file.seek(start)
            inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            size = 0
            while not inflate.eof and (packed := inflate.unconsumed_tail or file.read(_BLOCK)):
                size += len(inflate.decompress(packed, _BLOCK))
                if size > MOST_BYTES:
                    raise InputError(
                        f"{path.name}: it unpacks to more than {MOST_BYTES >> 20} MiB, and is refused"
                    )
    except (OSError, zlib.error) as error:
        if isinstance(error, InputError):
            raise


def _start(head: bytes) -> int | None:
    """Where the packed dataset begins: after the group of file meta information, whose length comes first."""
    if head[128:132] != b"DICM" or _DEFLATED not in head:
        return None
    if head[132:140] != b"\x02\x00\x00\x00UL\x04\x00":
        return None
    return 144 + int.from_bytes(head[140:144], "little")
