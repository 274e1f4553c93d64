"""NIfTI-1 and NIfTI-2: single files, `.nii` and `.nii.gz`, and pairs of `.hdr` and `.img`.

The header is read by nibabel, the placement decided in `forms`, the voxels read here: a gzip file to
its very end, so that a damaged one is noticed by its checksum.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Image, ReadOptions, Source
from medseg.domain.source import Verdict
from medseg.errors import InputError
from medseg.io.names import suffix_of
from medseg.io.nifti.forms import Form, Forms, place
from medseg.io.nifti.pair import VOXELS as _VOXELS
from medseg.io.nifti.pair import header_of, voxels_of
from medseg.io.stream import LEFT_OVER, ends_after, fill, packing_of, require_plausible, shaped, unpacked
from medseg.io.values import drop_nonfinite, freeze, rescale

__all__ = ["READER", "WRITER", "NiftiReader", "NiftiWriter", "header_bytes", "write_volumes"]

_SIZES = {348: 1, 540: 2}
_REFUSED = {
    128: "RGB colour",
    2304: "RGBA colour",
    32: "complex",
    1792: "complex",
    2048: "complex",
    1536: "128-bit float",
    1: "one bit per voxel",
}
#: A quaternion may be longer than 1 by the rounding of a header written with few digits.
QUATERNION_TOLERANCE = 1e-3
#: Lengths closer to 1 than this are 1: the step of float32.
QUATERNION_ROUNDING = 2e-7
_GZIP_LEVEL = 4
_DATA_START = 352
_SLAB_BYTES = 1 << 25


@dataclass(frozen=True, slots=True, eq=False)
class _Header:
    forms: Forms
    dtype: np.dtype[Any]
    slope: float
    intercept: float
    volumes: int
    offset: int
    file: Path

    @property
    def volume_bytes(self) -> int:
        count = self.dtype.itemsize
        for extent in self.forms.shape:
            count *= extent
        return count


class NiftiReader:
    """Reads one volume; a 4D file lists its volumes by number."""

    name = "nifti"
    suffixes = (".nii", ".nii.gz", ".hdr", ".hdr.gz")

    def sniff(self, path: Path, head: bytes) -> bool:
        """By the size of the header in its first four bytes, or the suffix."""
        start = _gunzipped(head)[:4]
        sizes = (int.from_bytes(start, "little"), int.from_bytes(start, "big"))
        return (
            any(size in _SIZES for size in sizes)
            or (suffix_of(path) in self.suffixes and not path.is_dir())
            or (suffix_of(path) in _VOXELS and header_of(path) != path)
        )

    def inspect(self, path: Path) -> tuple[Source, ...]:
        """One Source per volume; forms that contradict each other are a Finding, and no grid."""
        header = _read_header(path)
        try:
            grid, findings = place(header.forms)
        except InputError as error:
            grid, findings = None, (Finding("nifti.forms_contradict", "error", str(error)),)
        make = partial(
            Source,
            str(path),
            self.name,
            grid,
            Verdict.SHEARED if grid is not None and grid.is_sheared else Verdict.UNIFORM,
            findings,
            value_unit="[arb'U]",
        )
        if header.volumes == 1:
            return (make(),)
        return tuple(
            make(volume=str(number), description=f"volume {number} of {header.volumes}, counted from 0")
            for number in range(header.volumes)
        )

    def load(self, source: Source, options: ReadOptions) -> Image:
        """Values with slope and intercept applied, on the grid in mm."""
        path = Path(source.uri)
        header = _read_header(path)
        try:
            grid, findings = place(header.forms, options.affine)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        stored, left = _read_voxels(header, int(source.volume or 0))
        scaled = rescale(stored, header.slope, header.intercept, str(path))
        values, outside, more = drop_nonfinite(scaled, str(path))
        findings = (*findings, *left, *more)
        placed = replace(source, grid=grid, findings=findings)
        return Image(freeze(values), grid, findings=findings, source=placed, outside=outside)


class NiftiWriter:
    """Writes both forms, the sform exact to float32 and the qform coded 0 where it can't hold a shear."""

    name = "nifti"
    suffixes = (".nii", ".nii.gz")

    def write(self, array: NDArray[Any], grid: Grid, path: Path) -> None:
        """Write (I, J, K) values, or (I, J, K, C) channels, with slope 1 and mm as unit.

        A grid of unknown orientation is written with both codes 0, which says just that.

        Raises
        ------
        InputError
            If the grid is in `px`: NIfTI would call the pixels millimetres.
        """
        with _begun(path, array, grid) as file:
            for part in _fortran_slabs(array):
                file.write(part)


def write_volumes(
    volumes: Iterable[NDArray[Any]], count: int, dtype: np.dtype[Any], grid: Grid, path: Path
) -> None:
    """Write (I, J, K, C) as `NiftiWriter` does, volume by volume, of which one is held at a time; raises as it does."""
    shown = np.broadcast_to(dtype.type(0), (*grid.shape, count))
    with _begun(path, shown, grid) as file:
        for volume in volumes:
            for part in _fortran_slabs(volume.astype(dtype, copy=False)):
                file.write(part)


READER = NiftiReader()
WRITER = NiftiWriter()


def _gunzipped(head: bytes) -> bytes:
    if not head.startswith(b"\x1f\x8b"):
        return head
    try:
        return zlib.decompressobj(31).decompress(head, 1024)
    except zlib.error:
        return b""


def _read_header(path: Path) -> _Header:
    from nibabel import Nifti1Header, Nifti2Header

    path = header_of(path)
    with unpacked(path, packing_of(path)) as file:
        block = file.read(540)
    kind = max(
        (_SIZES.get(int.from_bytes(block[:4], "little"), 0), _SIZES.get(int.from_bytes(block[:4], "big"), 0))
    )
    size = 540 if kind == 2 else 348
    if not kind or len(block) < size:
        raise InputError(
            f"{path} is no NIfTI file: its header is {'cut short' if kind else 'something else'}"
        )
    magic = block[4:8] if kind == 2 else block[344:348]
    is_pair = magic[:3] in (b"ni1", b"ni2")
    if not is_pair and magic[:3] not in (b"n+1", b"n+2"):
        raise InputError(f"{path} is no NIfTI file (its header has no magic number; Analyze is not read)")
    header_type: Any = Nifti2Header if kind == 2 else Nifti1Header
    header = header_type(block[:size], check=False)
    return _interpret(voxels_of(path) if is_pair else path, header, 0 if is_pair else size)


def _interpret(path: Path, header: Any, size: int) -> _Header:
    dim = [int(value) for value in header["dim"]]
    if not 1 <= dim[0] <= 7 or any(extent < 1 for extent in dim[1 : dim[0] + 1]):
        raise InputError(f"{path}: the header is damaged (dimensions {dim})")
    extents = [*dim[1 : dim[0] + 1], 1, 1, 1]
    shape = (extents[0], extents[1], extents[2])
    volumes = 1
    for extent in extents[3:]:
        volumes *= extent
    dtype = _stored_type(path, header)
    slope, intercept = _scaling(path, header)
    offset = float(header["vox_offset"])
    if not (np.isfinite(offset) and (offset >= size or offset == 0)):
        raise InputError(f"{path}: the header is damaged (voxels at byte {offset})")
    start = int(offset) or {0: 0, 348: _DATA_START}.get(size, 544)
    result = _Header(forms_of(header, shape), dtype, slope, intercept, volumes, start, path)
    require_plausible(path, start + result.volume_bytes * volumes, 0, packing_of(path))
    return result


def _stored_type(path: Path, header: Any) -> np.dtype[Any]:
    code = int(header["datatype"])
    if code in _REFUSED:
        raise InputError(
            f"{path} holds {_REFUSED[code]} values, which are no intensities; convert it to one number per voxel"
        )
    try:
        dtype: np.dtype[Any] = np.dtype(header.get_data_dtype())
    except Exception as error:  # nibabel raises its own type for codes nobody knows
        raise InputError(f"{path}: the header is damaged (data type {code})") from error
    if dtype.kind not in "iuf":
        raise InputError(f"{path}: values of type {dtype} are no intensities")
    if (bits := int(header["bitpix"])) not in (0, 8 * dtype.itemsize):
        raise InputError(
            f"{path}: the header is damaged (voxels of {bits} bits, which values of type {dtype} do not have)"
        )
    return dtype


def _scaling(path: Path, header: Any) -> tuple[float, float]:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    # The standard says 0 for not scaled, and a library of the field writes NaN for both then.
    if slope == 0 or (np.isnan(slope) and (np.isnan(intercept) or intercept == 0)):
        return 1.0, 0.0
    if not (np.isfinite(slope) and np.isfinite(intercept)):
        raise InputError(f"{path}: the header is damaged (slope {slope}, intercept {intercept})")
    return slope, intercept


def forms_of(header: Any, shape: tuple[int, int, int]) -> Forms:
    """What a header of nibabel's says of the place of its voxels."""
    steps = [abs(float(value)) for value in header["pixdim"][1:4]]
    valid: dict[Form, NDArray[np.float64] | None] = {"qform": None, "sform": None}
    broken: list[Form] = []
    for name, code in (("qform", "qform_code"), ("sform", "sform_code")):
        form: Form = "qform" if name == "qform" else "sform"
        if int(header[code]) > 0:
            valid[form] = _usable(_matrix(header, form, steps), shape)
            broken += [form] if valid[form] is None else []
    spacing = (steps[0], steps[1], steps[2])
    return Forms(shape, spacing, int(header["xyzt_units"]) & 7, valid["qform"], valid["sform"], tuple(broken))


def _matrix(header: Any, form: Form, steps: list[float]) -> NDArray[np.float64] | None:
    if form == "sform":
        matrix: NDArray[np.float64] = header.get_sform().astype(np.float64)
        return matrix
    return _from_quaternion(header, steps)


def _from_quaternion(header: Any, steps: list[float]) -> NDArray[np.float64] | None:
    """Affine of the qform; None for a quaternion longer than 1.

    A quaternion of length 1 within rounding has no first part (`nifti1_io`, nifti_quatern_to_mat44): to take
    the root of the rounding error would turn an axial grid stored LPS with a tilt by up to 0.05°.
    """
    from nibabel.quaternions import quat2mat

    rest = np.array([float(header[f"quatern_{part}"]) for part in "bcd"])
    square = float(rest @ rest)
    if not square <= 1 + QUATERNION_TOLERANCE:
        return None
    first = 0.0 if 1 - square < QUATERNION_ROUNDING else float(np.sqrt(1 - square))
    handedness = -1.0 if float(header["pixdim"][0]) < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = quat2mat([first, *rest]) * [*steps[:2], steps[2] * handedness]
    affine[:3, 3] = [float(header[f"qoffset_{axis}"]) for axis in "xyz"]
    return affine


def _usable(matrix: NDArray[np.float64] | None, shape: tuple[int, int, int]) -> NDArray[np.float64] | None:
    if matrix is None or not np.isfinite(matrix).all():
        return None
    columns = matrix[:3, :3]
    lengths = np.linalg.norm(columns, axis=0)
    if shape[2] == 1 and lengths[2] == 0 and (lengths[:2] > 0).all():
        columns[:, 2] = np.cross(columns[:, 0] / lengths[0], columns[:, 1] / lengths[1])
        lengths[2] = 1.0
    flat = lengths.min() <= 0 or abs(np.linalg.det(columns / np.maximum(lengths, 1e-30))) < 1e-6
    return None if flat else matrix


def _read_voxels(header: _Header, volume: int) -> tuple[NDArray[Any], tuple[Finding, ...]]:
    needed, path = header.volume_bytes, header.file
    with unpacked(path, packing_of(path)) as file:
        file.seek(header.offset + volume * needed)
        values = fill(path, file, needed)
        whole = ends_after(file, (header.volumes - 1 - volume) * needed)
    return shaped(values, header.dtype, header.forms.shape), () if whole else (LEFT_OVER,)


def header_bytes(array: NDArray[Any], grid: Grid) -> bytes:
    """The header that a file of these values has: NIfTI-1, of more than 32767 voxels along an axis NIfTI-2."""
    from nibabel import Nifti1Header, Nifti2Header

    large = max(array.shape) > np.iinfo(np.int16).max
    header_type: Any = Nifti2Header if large else Nifti1Header
    header = header_type()
    header.set_data_dtype(array.dtype)
    header.set_data_shape(array.shape)
    header.set_zooms((*grid.spacing, *(1.0,) * (array.ndim - 3)))
    header.set_xyzt_units("mm")
    header.set_slope_inter(1, 0)
    header["descrip"] = b"written by medseg"
    if grid.orientation_known:
        header.set_sform(grid.affine, code=1)
        if not grid.is_sheared:
            header.set_qform(grid.affine, code=1)
    header["magic"] = b"n+2" if large else b"n+1"
    header["vox_offset"] = 544 if large else _DATA_START
    block: bytes = header.binaryblock
    return block


@contextmanager
def _begun(path: Path, array: NDArray[Any], grid: Grid) -> Iterator[IO[bytes]]:
    """A file with its header, ready for voxels."""
    if grid.unit != "mm":
        raise InputError(
            f"{path}: NIfTI can't say that a pixel has no size; write .png or .tif, or give --spacing"
        )
    header = header_bytes(array, grid)
    with _create(path) as file:
        file.write(header + bytes(4))  # four zeros: no extensions
        yield file


@contextmanager
def _create(path: Path) -> Iterator[IO[bytes]]:
    with path.open("xb") as raw:
        if suffix_of(path) == ".nii":
            yield raw
            return
        # No name and no time in the gzip header: equal content gives equal files.
        with gzip.GzipFile(filename="", mode="wb", compresslevel=_GZIP_LEVEL, fileobj=raw, mtime=0) as file:
            yield file  # type: ignore[misc]


def _fortran_slabs(array: NDArray[Any]) -> Iterator[memoryview]:
    little = array.dtype.newbyteorder("<")
    flat = array.reshape(*array.shape[:3], -1)
    for volume in range(flat.shape[3]):
        one = flat[..., volume]
        step = max(1, _SLAB_BYTES // max(1, one[..., :1].nbytes))
        for start in range(0, one.shape[2], step):
            part = np.asfortranarray(one[..., start : start + step], dtype=little)
            yield part.reshape(-1, order="F").view(np.uint8).data
