"""Pages of PNG, TIFF and JPEG files as arrays of stored values."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.errors import InputError

__all__ = ["MAX_PIXELS", "Page", "page_count", "read_page"]

#: More pixels than this on a page are refused before they are unpacked.
MAX_PIXELS = 1 << 28
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_GREY = {"1": np.uint8, "L": np.uint8, "I;16": np.uint16, "I;16B": np.uint16, "I": np.int32, "F": np.float32}
_EXIF_ORIENTATION = 274


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Stored values: (rows, columns) or (rows, columns, 3); `indices` of a palette picture."""

    values: NDArray[Any]
    indices: NDArray[Any] | None = None
    is_transparent: bool = False
    is_turned: bool = False


def page_count(path: Path) -> int:
    """Number of pages; 1 except for TIFF.

    Raises
    ------
    InputError
        If the file is damaged or no picture.
    """
    if not _is_tiff(path):
        return 1
    import tifffile

    with _one_line(path), tifffile.TiffFile(path) as file:
        count = len(file.pages)
    if not count:
        raise InputError(f"{path} holds no page")
    return count


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
    import tifffile

    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[number]
        _require_size(path, page.imagewidth, page.imagelength)
        try:
            values = page.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            return _tiff_by_pillow(path, number)
        return _from_tiff(path, page, values)


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
