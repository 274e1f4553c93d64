"""Pages of PNG, TIFF and JPEG files as arrays of stored values."""

import logging
import lzma
import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.errors import InputError

__all__ = ["MAX_PIXELS", "Page", "each_page", "read_page"]

#: More pixels than this on a page are refused before they are unpacked.
MAX_PIXELS = 1 << 28
#: Values of a page, all its colours counted; and of all pages of a file, of which there are no more than so many.
_MOST_VALUES, _MOST_IN_ALL, _MOST_PAGES = 4 * MAX_PIXELS, 1 << 30, 10_000
#: What these compressions (deflate, its old number, LZMA) can make of a byte at most; below so many bytes nothing is
#: looked at before it is unpacked.
_BEST_RATIO, _FEW_BYTES = {8: 1040, 32946: 1040, 34925: 10_000}, 1 << 28
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_LZMA = 34925
_GREY = {"1": np.uint8, "L": np.uint8, "I;16": np.uint16, "I;16B": np.uint16, "I": np.int32, "F": np.float32}
_EXIF_ORIENTATION = 274


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Stored values: (rows, columns) or (rows, columns, 3); `indices` of a palette picture."""

    values: NDArray[Any]
    indices: NDArray[Any] | None = None
    is_transparent: bool = False
    is_turned: bool = False


def each_page(path: Path) -> Iterator[tuple[str, Page]]:
    """Every page of a file with its number, counted from 0; without a number where there is one page.

    Raises
    ------
    InputError
        If the file is damaged, no picture, or holds more than anybody looks at.
    """
    if not _is_tiff(path):
        yield "", read_page(path, 0)
        return
    with _one_line(path), _opened(path) as file:
        count, values = len(file.pages), 0
        if not 1 <= count <= _MOST_PAGES:
            raise InputError(f"{path} holds {count or 'no'} pages; up to {_MOST_PAGES} are read")
        for number in range(count):
            values += _values_of(path, file.pages[number])
            if values > _MOST_IN_ALL:
                raise InputError(f"{path}: its {count} pages are too large in all; take some out")
            yield str(number) if count > 1 else "", _tiff_page(path, file, number)


def read_page(path: Path, number: int) -> Page:
    """One page, its values as stored (white-is-zero turned into black-is-zero).

    Raises
    ------
    InputError
        If the file is damaged, too large, or of a kind that can't be read without loss.
    """
    with _one_line(path):
        return _read_tiff(path, number) if _is_tiff(path) else _read_picture(path)


def _is_tiff(path: Path) -> bool:
    with _one_line(path), path.open("rb") as file:
        return file.read(4) in _TIFF


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about tags and sizes, which are checked here
            yield
    except InputError:
        raise
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        IndexError,
        KeyError,
        TypeError,
        struct.error,
        lzma.LZMAError,
        zlib.error,
    ) as error:
        # The image libraries raise all of these for damaged files.
        text = str(error).splitlines()
        reason = text[0].replace(str(path), "it") if text else type(error).__name__
        raise InputError(f"{path} can't be read as a picture ({reason}); copy or export it again") from error


def _require_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{path}: {width} × {height} pixels are too many (up to {MAX_PIXELS}); cut out a part"
        )


def _read_picture(path: Path) -> Page:
    from PIL import Image as Picture

    _require_png_depth(path)
    try:
        with Picture.open(path) as picture:
            _require_size(path, *picture.size)
            picture.load()
            return _from_picture(path, picture)
    except Picture.DecompressionBombError as error:
        raise InputError(f"{path}: its pixels are too many; cut out a part") from error


def _from_picture(path: Path, picture: Any) -> Page:
    turned = picture.getexif().get(_EXIF_ORIENTATION, 1) not in (0, 1)
    if picture.mode in _GREY and "transparency" not in picture.info:
        return Page(np.array(picture).astype(_GREY[picture.mode], copy=False), is_turned=turned)
    if picture.mode in ("CMYK", "LAB", "HSV"):
        raise InputError(f"{path} holds {picture.mode} colours; export it as RGB or grey")
    indices = np.array(picture) if picture.mode == "P" else None
    if picture.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in picture.info:
        rgba = np.array(picture.convert("RGBA"))
        transparent = bool((rgba[..., 3] < 255).any())
        return Page(rgba[..., :3], indices, transparent, turned)
    return Page(np.array(picture.convert("RGB")), indices, is_turned=turned)


def _require_png_depth(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(26)
    # Pillow would cut 16-bit colours to 8 bits without a word.
    if head[:4] == b"\x89PNG" and len(head) == 26 and head[24] == 16 and head[25] != 0:
        raise InputError(
            f"{path} holds colours or transparency of 16 bits, which PNG readers cut; export it as TIFF"
        )


def _read_tiff(path: Path, number: int) -> Page:
    with _opened(path) as file:
        return _tiff_page(path, file, number)


def _opened(path: Path) -> Any:
    import tifffile

    # What it logs of damaged files would reach the terminal; what matters of it is raised.
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    return tifffile.TiffFile(path)


def _tiff_page(path: Path, file: Any, number: int) -> Page:
    page = file.pages[number]
    _values_of(path, page)
    _require_whole(path, file, page)
    _require_no_bomb(path, file, page)
    try:
        values = page.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        return _tiff_by_pillow(path, number)
    return _from_tiff(path, page, values)


def _values_of(path: Path, page: Any) -> int:
    """How many a page has, its colours and planes counted; refused where they are too many."""
    _require_size(path, page.imagewidth, page.imagelength)
    if page.size > _MOST_VALUES:
        raise InputError(f"{path}: {page.size} values on a page are too many (up to {_MOST_VALUES})")
    return int(page.size)


def _require_whole(path: Path, file: Any, page: Any) -> None:
    """Refuse strips and tiles that are not there; the library gives zeros for them, or whatever lies in their place."""
    counts = page.databytecounts
    parts = list(zip(page.dataoffsets, counts, strict=False))
    there = sum(start > 0 and count > 0 and start + count <= file.filehandle.size for start, count in parts)
    missing = max(len(parts), math.prod(page.chunked)) - there
    short = (
        page.compression == 1
        and page.bitspersample % 8 == 0
        and sum(counts) * 8 < page.size * page.bitspersample
    )
    if missing or short:
        what = (
            f"{missing} of its {there + missing} strips or tiles are"
            if missing
            else "a part of its pixels is"
        )
        raise InputError(f"{path} is cut short or damaged: {what} not in the file; copy or export it again")


def _require_no_bomb(path: Path, file: Any, page: Any) -> None:
    """Refuse strips and tiles that unpack to more than their pixels; the library would unpack them to the end."""
    ratio = _BEST_RATIO.get(int(page.compression), 0)
    if page.dtype is None or sum(page.databytecounts) * ratio <= _FEW_BYTES:
        return
    most = math.prod(page.chunks) * page.dtype.itemsize
    for start, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        file.filehandle.seek(start)
        unpack: Any = lzma.LZMADecompressor() if page.compression == _LZMA else zlib.decompressobj()
        if len(unpack.decompress(file.filehandle.read(count), most + 1)) > most:
            raise InputError(
                f"{path} is damaged: a part of it unpacks to more than its {most} bytes of pixels"
            )


def _from_tiff(path: Path, page: Any, values: NDArray[Any]) -> Page:
    from tifffile import PHOTOMETRIC

    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
    if values.dtype.kind not in "iuf":
        raise InputError(f"{path} holds values of type {values.dtype}, which are no intensities")
    if page.photometric == PHOTOMETRIC.PALETTE:
        colours = np.moveaxis(page.colormap, 0, -1)
        return Page((colours[values] >> 8).astype(np.uint8), values)
    if page.photometric == PHOTOMETRIC.MINISWHITE and values.dtype.kind == "u":
        top = (1 << int(page.bitspersample)) - 1
        values = (top - values).astype(values.dtype)
    if values.ndim == 3 and page.planarconfig == 2 and values.shape[0] in (3, 4):
        values = np.moveaxis(values, 0, -1)
    if values.ndim == 2:
        return Page(values)
    if page.photometric not in (PHOTOMETRIC.RGB, PHOTOMETRIC.YCBCR) or values.shape[-1] not in (3, 4):
        raise InputError(f"{path} holds {values.shape} values on a page; export it as grey or RGB")
    clear = values.shape[-1] == 4 and bool((values[..., 3] < values[..., 3].max()).any())
    return Page(values[..., :3], is_transparent=clear)


def _tiff_by_pillow(path: Path, number: int) -> Page:
    from PIL import Image as Picture

    with Picture.open(path) as picture:
        picture.seek(number)
        picture.load()
        return _from_picture(path, picture)
