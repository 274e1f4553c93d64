"""Which library decodes which transfer syntax: one each, so that no digit depends on what else is installed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.errors import InputError

__all__ = ["decoder_of", "stored_plane"]

_EXTENDED = "1.2.840.10008.1.2.4.51"
#: Transfer syntax UID → pydicom's name of the decoder; the others are pydicom's own.
_DECODERS = {
    "1.2.840.10008.1.2.4.50": "gdcm",  # JPEG baseline, 8 bits
    _EXTENDED: "gdcm",  # JPEG extended, 8 bits; those of 12 are read by gdcm alone, see below
    "1.2.840.10008.1.2.4.57": "gdcm",  # JPEG lossless
    "1.2.840.10008.1.2.4.70": "gdcm",  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pylibjpeg",  # JPEG 2000
    "1.2.840.10008.1.2.4.91": "pylibjpeg",
    "1.2.840.10008.1.2.5": "pylibjpeg",  # RLE
}


def decoder_of(dataset: Any) -> str:
    """Name of the decoder for a dataset's pixels; empty leaves it to pydicom.

    >>> from types import SimpleNamespace
    >>> decoder_of(SimpleNamespace(file_meta=SimpleNamespace(TransferSyntaxUID="1.2.840.10008.1.2.4.70")))
    'gdcm'
    """
    return _DECODERS.get(str(dataset.file_meta.TransferSyntaxUID), "")


def stored_plane(dataset: Any, file: str, frame: int) -> NDArray[Any]:
    """Stored values (rows, columns) of a frame of a dataset that was read from `file`.

    Raises
    ------
    InputError
        If gdcm can't read JPEG of 12 bits; other decoders raise their own errors.
    """
    from pydicom.pixels.utils import pixel_array

    if dataset.file_meta.TransferSyntaxUID == _EXTENDED and int(dataset.BitsStored) != 8:
        plane: NDArray[Any] = _extended(file, Path(file).stat().st_mtime_ns)[frame]
        return plane
    several = int(dataset.get("NumberOfFrames", 1) or 1) > 1
    found: NDArray[Any] = pixel_array(
        dataset, index=frame if several else None, decoding_plugin=decoder_of(dataset)
    )
    return found


@lru_cache(maxsize=1)
def _extended(file: str, _changed: int) -> NDArray[Any]:
    """(frames, rows, columns) of a file of JPEG extended of 12 bits.

    pydicom refuses them for gdcm, whose own reader decodes them as dcmtk does (a test compares them).
    """
    import gdcm  # type: ignore[import-untyped,unused-ignore]

    reader = gdcm.ImageReader()
    reader.SetFileName(file)
    with _without_chatter():
        if not reader.Read():
            raise InputError("gdcm can't read it")
        image = reader.GetImage()
        # gdcm hands bytes over as text.
        data = image.GetBuffer().encode("utf-8", "surrogateescape")
    kind = np.int16 if image.GetPixelFormat().GetPixelRepresentation() else np.uint16
    return np.frombuffer(data, kind).reshape(-1, image.GetDimension(1), image.GetDimension(0))


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keeps what the library writes straight to the error stream (`Unsupported JPEG data precision`) from users."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
