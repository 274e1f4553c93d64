"""PNG, TIFF and JPEG: pixels without a physical size, whatever resolution tag they carry (the `px` rule)."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Image, ReadOptions, Source
from medseg.errors import InputError
from medseg.io.names import suffix_of
from medseg.io.protocols import INDEX_VOLUME
from medseg.io.raster.pages import Page, each_page, read_page
from medseg.io.values import drop_nonfinite, freeze

__all__ = ["PX_AFFINE", "READER", "WRITER", "RasterReader", "RasterWriter"]

_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_COLOURS = ("R", "G", "B")

#: i = column, j = row: array axes grow to the viewer's right and down, in pixels.
PX_AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])
PX_AFFINE.setflags(write=False)

_ALPHA = Finding(
    "raster.alpha_dropped", "info", "The picture is partly transparent; transparency was ignored."
)
_TURNED = Finding(
    "raster.turned",
    "warning",
    "The picture asks to be shown turned or mirrored (EXIF); its pixels were read as they are stored.",
)


@dataclass(frozen=True, slots=True, eq=False)
class _Plane:
    volume: str | None
    values: NDArray[Any]
    description: str = ""


class RasterReader:
    """Reads one plane; colours whose planes differ, and pages, are listed as volumes."""

    name = "raster"
    suffixes = (".png", ".tif", ".tiff", ".jpg", ".jpeg")

    def sniff(self, path: Path, head: bytes) -> bool:
        """By the first bytes, or the suffix."""
        return head.startswith(_MAGIC) or (suffix_of(path) in self.suffixes and not path.is_dir())

    def inspect(self, path: Path) -> tuple[Source, ...]:
        """One Source per plane. Colour pictures are read for it: only pixels tell whether planes are equal."""
        sources: list[Source] = []
        for number, page in each_page(path):
            for plane in _planes(page, number):
                make = partial(Source, str(path), self.name, _grid(plane.values), findings=_findings(page))
                sources.append(make(value_unit="[arb'U]", volume=plane.volume, description=plane.description))
        return tuple(sources)

    def load(self, source: Source, options: ReadOptions) -> Image:  # noqa: ARG002 - nothing to choose here
        """Values as stored, (columns, rows, 1), in `px`."""
        path = Path(source.uri)
        number, _, _ = (source.volume or "").partition(".")
        several = number.isdigit()
        page = read_page(path, int(number) if several else 0)
        for plane in _planes(page, number if several else ""):
            if plane.volume == source.volume:
                break
        else:
            raise InputError(f"{path} has no volume {source.volume!r}")
        values, outside, more = drop_nonfinite(np.ascontiguousarray(plane.values), str(path))
        findings = (*_findings(page), *more)
        grid = _grid(plane.values)
        placed = replace(source, grid=grid, findings=findings)
        array = freeze(values).T[..., None]
        outside = None if outside is None else outside.T[..., None]
        return Image(array, grid, findings=findings, source=placed, outside=outside)


class RasterWriter:
    """Writes one slice in `px`: 8 or 16 bit as PNG, any number as TIFF."""

    name = "raster"
    suffixes = (".png", ".tif", ".tiff")

    def write(self, array: NDArray[Any], grid: Grid, path: Path) -> None:
        """Write (columns, rows, 1) values as they are.

        Raises
        ------
        InputError
            If the grid is no plain one in `px`, or the values do not fit the format.
        """
        if grid.unit != "px" or not np.array_equal(grid.affine, PX_AFFINE):
            raise InputError(
                f"{path} would lose the size and place of the voxels; write .nii.gz, .nrrd or .mha"
            )
        if array.shape[2] != 1:
            raise InputError(f"{path} holds one slice, and there are {array.shape[2]}")
        rows = np.ascontiguousarray(array[:, :, 0].T)
        if suffix_of(path) == ".png":
            _write_png(rows, path)
        else:
            _write_tiff(rows, path)


READER = RasterReader()
WRITER = RasterWriter()


def _planes(page: Page, number: str) -> tuple[_Plane, ...]:
    """Planes of a page: one if its colours agree, else three; beside them the indices of a palette."""
    lead = f"{number}." if number else ""
    about = f"page {number}, counted from 0" if number else ""
    if page.values.ndim == 2:
        return (_Plane(number or None, page.values, about),)
    red = page.values[..., 0]
    if all(np.array_equal(red, page.values[..., other]) for other in (1, 2)):
        colours: tuple[_Plane, ...] = (_Plane(number or None, red, about),)
    else:
        colours = tuple(
            _Plane(f"{lead}{name}", page.values[..., channel], f"colour plane {name}")
            for channel, name in enumerate(_COLOURS)
        )
    if page.indices is None or len(colours) == 1:
        return colours
    return (*colours, _Plane(f"{lead}{INDEX_VOLUME}", page.indices, "numbers of the palette's entries"))


def _grid(rows: NDArray[Any]) -> Grid:
    return Grid((rows.shape[1], rows.shape[0], 1), PX_AFFINE, unit="px", orientation_known=False)


def _findings(page: Page) -> tuple[Finding, ...]:
    return (_ALPHA,) * page.is_transparent + (_TURNED,) * page.is_turned


def _write_png(rows: NDArray[Any], path: Path) -> None:
    from PIL import Image as Picture

    if rows.dtype not in (np.uint8, np.uint16):
        top = rows.max()
        if rows.dtype.kind not in "iu" or rows.min() < 0 or top > 65535:
            raise InputError(f"{path}: PNG holds whole numbers from 0 to 65535; write .tif")
        rows = rows.astype(np.uint8 if top < 256 else np.uint16)
    with path.open("xb") as file:
        Picture.fromarray(rows).save(file, format="PNG")


def _write_tiff(rows: NDArray[Any], path: Path) -> None:
    import tifffile

    tifffile.imwrite(path, rows, photometric="minisblack", compression="zlib", metadata=None)
