"""FreeSurfer's volumes, `.mgz` and `.mgh`, read by nibabel."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, ReadOptions, Source
from medseg.domain.source import Verdict
from medseg.errors import InputError
from medseg.io.itk.stored import ORIENTATION_UNKNOWN
from medseg.io.names import suffix_of
from medseg.io.unsized import is_size, unsized_finding, unsized_grid
from medseg.io.values import drop_nonfinite, freeze

__all__ = ["READER", "FreeSurferReader"]

#: A volume of more voxels than this is refused: its header is damaged.
MOST_VOXELS = 1 << 33


class FreeSurferReader:
    """Reads one volume; a file of several frames lists them by number."""

    name = "freesurfer"
    suffixes = (".mgz", ".mgh")

    def sniff(self, path: Path, head: bytes) -> bool:  # noqa: ARG002 - the format has no magic word
        """By the suffix."""
        return suffix_of(path) in self.suffixes and not path.is_dir()

    def inspect(self, path: Path) -> tuple[Source, ...]:
        """One Source per frame."""
        image = _open(path)
        grid, findings = _place(image)
        sheared = Verdict.SHEARED if grid.is_sheared else Verdict.UNIFORM
        make = partial(Source, str(path), self.name, grid, sheared, findings, value_unit="[arb'U]")
        frames = _frames(image)
        if frames == 1:
            return (make(),)
        return tuple(
            make(volume=str(number), description=f"volume {number} of {frames}, counted from 0")
            for number in range(frames)
        )

    def load(self, source: Source, options: ReadOptions) -> Image:  # noqa: ARG002 - nothing to choose here
        """Values as stored, on the grid in RAS+ mm."""
        path = Path(source.uri)
        image = _open(path)
        grid, findings = _place(image)
        values, outside, more = drop_nonfinite(_values(path, image, int(source.volume or 0)), str(path))
        return Image(freeze(values), grid, findings=(*findings, *more), source=source, outside=outside)


READER = FreeSurferReader()


def _open(path: Path) -> Any:
    from nibabel import MGHImage

    try:
        image = MGHImage.from_filename(str(path))
        shape = image.shape
    except Exception as error:  # a damaged header fails anywhere inside nibabel
        raise InputError(f"{path} is damaged or no FreeSurfer volume ({type(error).__name__})") from error
    if not 3 <= len(shape) <= 4 or min(shape) < 1 or int(np.prod(shape, dtype=object)) > MOST_VOXELS:
        raise InputError(f"{path}: the header is damaged (dimensions {tuple(map(int, shape))})")
    return image


def _frames(image: Any) -> int:
    return int(image.shape[3]) if len(image.shape) == 4 else 1


def _place(image: Any) -> tuple[Grid, tuple[Any, ...]]:
    shape = tuple(int(extent) for extent in image.shape[:3])
    steps = [float(step) for step in image.header["delta"]]
    known = int(image.header["goodRASFlag"]) > 0
    said = () if known else (ORIENTATION_UNKNOWN,)
    if not all(map(is_size, steps)):
        return unsized_grid(shape), (unsized_finding(steps), ORIENTATION_UNKNOWN)  # type: ignore[arg-type]
    if not known:
        return Grid(shape, np.diag([*steps, 1.0]), orientation_known=False), said  # type: ignore[arg-type]
    return Grid(shape, np.asarray(image.affine, np.float64)), said  # type: ignore[arg-type]


def _values(path: Path, image: Any, frame: int) -> NDArray[Any]:
    try:
        whole = image.dataobj[..., frame] if len(image.shape) == 4 else image.dataobj[...]
    except Exception as error:  # packed data that end early fail in gzip, zlib or nibabel
        raise InputError(f"{path} is cut short or damaged ({error}); copy or export it again") from error
    values = np.asfortranarray(whole)
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))
