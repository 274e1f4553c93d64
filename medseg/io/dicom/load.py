"""A volume's slices, decoded, rescaled and put on a grid."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Image, ReadOptions, Source
from medseg.domain.source import Verdict
from medseg.errors import InputError, ResourceError
from medseg.geometry import flip_affine
from medseg.geometry.slices import StackVerdict
from medseg.io.dicom.headers import Frame, Header, read_header
from medseg.io.dicom.volumes import judge, lps_affine

__all__ = ["load_volume"]

#: A volume of more voxels than this is refused: no scan is that large, a damaged header is.
MOST_VOXELS = 1 << 33
_RESAMPLABLE = (Verdict.GAP, Verdict.VARIABLE)


def load_volume(source: Source, options: ReadOptions) -> Image:
    """Image of one Source.

    Irregular stacks are refused with their Finding, or interpolated linearly along the normal when
    `options.resample` asks; slices that fill a gap count as `outside`, and the Finding stays.

    Raises
    ------
    InputError
        As said; or if a file is damaged or changed since it was inspected.
    """
    _require_regular(source, options)
    frames, header = _frames(source)
    if source.grid is not None and source.grid.unit == "px":
        array, outside = _values(frames, header)
        return Image(
            array, source.grid, source.modality, findings=source.findings, source=source, outside=outside
        )
    found = judge(frames, (header.rows, header.columns))
    array, outside = _values(frames, header)
    grid, findings = source.grid, source.findings
    if grid is None:
        array, outside, grid = _regular(array, outside, frames[0], header, found)
        findings = (*findings, _resampled(found))
    elif found.verdict is Verdict.SHEARED and options.resample:
        array, outside, grid = _straightened(array, outside, grid)
        findings = (*findings, _resampled(found))
    return Image(
        array,
        grid,
        source.modality,
        value_unit=source.value_unit or "[arb'U]",
        findings=findings,
        source=source,
        outside=outside if outside is not None and outside.any() else None,
    )


def _require_regular(source: Source, options: ReadOptions) -> None:
    if source.grid is not None:
        return
    reason = " ".join(item.message for item in source.findings) or f"its verdict is {source.verdict.value}"
    if source.verdict in _RESAMPLABLE:
        if options.resample:
            return
        raise InputError(
            f"{source.uri}: {source.verdict.value}: {reason} Put it on a regular grid with --resample"
        )
    raise InputError(f"{source.uri}: {source.verdict.value}: {reason}")


def _frames(source: Source) -> tuple[list[Frame], Header]:
    headers: dict[str, Header] = {}
    frames = []
    for instance in source.instances:
        if instance.file not in headers:
            header = read_header(Path(instance.file))
            if header is None or header.fault:
                raise InputError(f"{instance.file} has changed since it was inspected")
            headers[instance.file] = header
        frames.append(headers[instance.file].frames[instance.frame])
    return frames, headers[source.instances[0].file]


def _values(frames: list[Frame], header: Header) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """(I, J, K) physical values, and where the stored ones are padding."""
    shape = (header.columns, header.rows, len(frames))
    if int(np.prod(shape, dtype=np.int64)) > MOST_VOXELS:
        raise ResourceError(f"{Path(header.file).name}: a volume of {shape} voxels can't be held")
    whole = all(float(frame.slope).is_integer() and float(frame.intercept).is_integer() for frame in frames)
    array = np.empty(shape, np.int32 if whole else np.float32, order="F")
    outside = np.zeros(shape, np.bool_, order="F") if header.padding is not None else None
    stored = _Pixels()
    for k, frame in enumerate(frames):
        plane = stored.plane(frame, (header.rows, header.columns)).T
        if outside is not None and header.padding is not None:
            outside[..., k] = (plane >= header.padding[0]) & (plane <= header.padding[1])
        if whole:
            array[..., k] = plane.astype(np.int64) * int(frame.slope) + int(frame.intercept)
        else:
            array[..., k] = plane.astype(np.float64) * frame.slope + frame.intercept
    return (_narrow(array) if whole else array), outside


class _Pixels:
    """Decodes slices; the file last opened stays open for its other frames."""

    def __init__(self) -> None:
        self.file = ""
        self.dataset: Any = None

    def plane(self, frame: Frame, shape: tuple[int, int]) -> NDArray[Any]:
        """Stored values (rows, columns) of one frame."""
        import pydicom
        from pydicom.pixels.utils import pixel_array

        name = Path(frame.file).name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                if frame.file != self.file:
                    self.dataset, self.file = pydicom.dcmread(frame.file), frame.file
                    _require_enough(self.dataset, name)
                several = int(self.dataset.get("NumberOfFrames", 1) or 1) > 1
                plane: NDArray[Any] = pixel_array(self.dataset, index=frame.number if several else None)
            except InputError:
                raise
            except Exception as error:
                raise InputError(
                    f"{name}: its pixels can't be decoded: {' '.join(str(error).split())[:200]}"
                ) from error
        if plane.shape != shape:
            raise InputError(f"{name}: its pixels are {plane.shape}, and the header says {shape}")
        return plane


def _require_enough(dataset: Any, name: str) -> None:
    if (
        "PixelData" not in dataset
        and "FloatPixelData" not in dataset
        and "DoubleFloatPixelData" not in dataset
    ):
        raise InputError(f"{name} holds no pixels; the file is truncated or was exported without them")
    if dataset.file_meta.TransferSyntaxUID.is_compressed or "PixelData" not in dataset:
        return
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    needed = dataset.Rows * dataset.Columns * frames * int(dataset.BitsAllocated) // 8
    if len(dataset.PixelData) < needed:
        raise InputError(
            f"{name} is truncated: {len(dataset.PixelData)} of {needed} bytes of pixels are there"
        )


def _narrow(array: NDArray[Any]) -> NDArray[Any]:
    low, high = int(array.min()), int(array.max())
    for dtype in (np.uint8, np.int16, np.uint16):
        if low >= np.iinfo(dtype).min and high <= np.iinfo(dtype).max:
            return array.astype(dtype, order="F")
    return array


def _regular(
    array: NDArray[Any], outside: NDArray[np.bool_] | None, first: Frame, header: Header, found: StackVerdict
) -> tuple[NDArray[Any], NDArray[np.bool_], Grid]:
    """Linear interpolation along the normal onto even steps; what fills a gap is marked."""
    step = float(np.linalg.norm(found.step))
    count = int(float(found.offsets[-1]) / step + 1e-3) + 1
    places = np.arange(count) * step
    right = np.clip(np.searchsorted(found.offsets, places - 1e-6 * step), 1, len(found.offsets) - 1)
    left = right - 1
    width = found.offsets[right] - found.offsets[left]
    share = np.clip((places - found.offsets[left]) / width, 0, 1)
    low, high = array[..., left].astype(np.float32), array[..., right].astype(np.float32)
    values = np.asfortranarray(low + (high - low) * share.astype(np.float32))
    on_slice = np.minimum(share, 1 - share) < 1e-3
    filled = (
        (width > 1.5 * step) & ~on_slice if found.verdict is Verdict.GAP else np.zeros(count, dtype=np.bool_)
    )
    gone = np.broadcast_to(filled, values.shape).copy()
    if outside is not None:
        gone |= outside[..., left] & (share < 1) | outside[..., right] & (share > 0)
    grid = Grid(
        (header.columns, header.rows, count),
        flip_affine(lps_affine(first, found.step)),
        frame_of_reference=header.frame_of_reference,
        slice_thickness=header.thickness,
    )
    return values, gone, grid


def _straightened(
    array: NDArray[Any], outside: NDArray[np.bool_] | None, grid: Grid
) -> tuple[NDArray[Any], NDArray[np.bool_], Grid]:
    """A sheared stack on a grid with right angles that covers all of it."""
    from medseg.geometry.resample import covered_by, resample

    target = upright_grid(grid)
    values = resample(array, grid, target, fill=float(array.min()))
    gone = ~covered_by(grid, target)
    if outside is not None:
        gone |= resample(outside.astype(np.uint8), grid, target, interpolation="nearest") > 0
    return values, gone, target


def upright_grid(grid: Grid) -> Grid:
    """Grid with the in-plane axes of a sheared one, slices along their normal, over its whole field of view."""
    direction = grid.direction
    normal = np.cross(direction[:, 0], direction[:, 1])
    normal /= np.linalg.norm(normal)
    normal *= np.sign(normal @ direction[:, 2])
    axes = np.stack([direction[:, 0], direction[:, 1], normal], axis=1)
    step = float(grid.affine[:3, 2] @ normal)
    spacing = np.array([grid.spacing[0], grid.spacing[1], step])
    reach = np.linalg.solve(axes, (grid.corners - grid.affine[:3, 3]).T).T / spacing
    low, high = np.floor(reach.min(axis=0) + 1e-6), np.ceil(reach.max(axis=0) - 1e-6)
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = grid.affine[:3, 3] + affine[:3, :3] @ low
    return replace(grid, shape=tuple(int(n) for n in high - low + 1), affine=affine)  # type: ignore[arg-type]


def _resampled(found: StackVerdict) -> Finding:
    text = (
        f"The stack ({found.verdict.value}) was resampled onto a regular grid; its values are interpolated."
    )
    return Finding("dicom.resampled", "warning", text)
