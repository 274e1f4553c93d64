"""A volume's slices, decoded, rescaled and put on a grid."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Image, ReadOptions, Source
from medseg.domain.source import Verdict
from medseg.errors import InputError, ResourceError
from medseg.io.dicom.decode import stored_plane
from medseg.io.dicom.image.bits import Bits
from medseg.io.dicom.image.headers import Frame, Header, read_header
from medseg.io.dicom.image.regular import Stack, even_steps, resampled_finding, upright
from medseg.io.dicom.image.volumes import SIDEWAYS, judge_volume, stack_grid
from medseg.io.dicom.opened import open_dicom
from medseg.io.stream import LEFT_OVER

__all__ = ["load_volume"]

#: A volume of more voxels than this is refused: no scan is that large, a damaged header is.
MOST_VOXELS = 1 << 33
_RESAMPLABLE = (Verdict.GAP, Verdict.VARIABLE)


def load_volume(source: Source, options: ReadOptions) -> Image:
    """Image of one Source.

    Irregular stacks are refused with their Finding, or interpolated linearly along their line when
    `options.resample` asks; slices that fill a gap count as `outside`, and the Finding stays. Slices that
    lie on no straight line are always refused.

    Raises
    ------
    InputError
        As said; or if a file is damaged or changed since it was inspected.
    """
    _require_regular(source, options)
    frames, header = _frames(source)
    if source.grid is not None and source.grid.unit == "px":
        array, outside, said = _values(frames, header)
        findings = (*source.findings, *said)
        return Image(array, source.grid, source.modality, findings=findings, source=source, outside=outside)
    found = judge_volume(frames, (header.rows, header.columns))
    frames = [_to_suv(frame, source) for frame in frames]
    array, outside, said = _values(frames, header)
    stack = Stack(array, source.grid or stack_grid(header, frames[0], found), outside)
    findings = (*source.findings, *said)
    if options.resample and found.verdict is not Verdict.UNIFORM:
        stack = upright(stack) if found.verdict is Verdict.SHEARED else even_steps(stack, found)
        findings = (*findings, resampled_finding(found))
    return _image(source, stack, findings)


def _image(source: Source, stack: Stack, findings: tuple[Finding, ...]) -> Image:
    return Image(
        stack.array,
        stack.grid,
        source.modality,
        value_unit=source.value_unit or "[arb'U]",
        findings=findings,
        source=source,
        outside=stack.outside if stack.outside is not None and stack.outside.any() else None,
    )


def _require_regular(source: Source, options: ReadOptions) -> None:
    if source.grid is not None:
        return
    found = [item.message for item in source.findings if item.code.startswith("dicom.")]
    reason = " ".join(found) or f"its verdict is {source.verdict.value}"
    sideways = any(item.code == SIDEWAYS for item in source.findings)
    if source.verdict in _RESAMPLABLE and not sideways:
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


def _to_suv(frame: Frame, source: Source) -> Frame:
    """The frame with a slope and intercept that give SUV, where the series' tags gave a factor."""
    factor = source.detail("pet_suv_factor")
    if not isinstance(factor, float):
        return frame
    return replace(frame, slope=frame.slope * factor, intercept=frame.intercept * factor)


def _values(
    frames: list[Frame], header: Header
) -> tuple[NDArray[Any], NDArray[np.bool_] | None, tuple[Finding, ...]]:
    """(I, J, K) physical values, where the stored ones are padding, and what was found in their bits."""
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
    return (_narrow(array) if whole else array), outside, stored.findings


class _Pixels:
    """Decodes slices; the file last opened stays open for its other frames."""

    def __init__(self) -> None:
        self.file = ""
        self.dataset: Any = None
        self._left_over = False
        self._bits = Bits()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found in the bytes of all slices so far."""
        return (*self._bits.findings, *((LEFT_OVER,) if self._left_over else ()))

    def plane(self, frame: Frame, shape: tuple[int, int]) -> NDArray[Any]:
        """Stored values (rows, columns) of one frame."""
        name = Path(frame.file).name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                if frame.file != self.file:
                    self.dataset, self.file = open_dicom(frame.file), frame.file
                    self._left_over |= _require_enough(self.dataset, name)
                plane = self._bits.own(stored_plane(self.dataset, frame.file, frame.number), self.dataset)
            except InputError:
                raise
            except Exception as error:
                raise InputError(
                    f"{name}: its pixels can't be decoded: {' '.join(str(error).split())[:200]}"
                ) from error
        if plane.shape != shape:
            raise InputError(f"{name}: its pixels are {plane.shape}, and the header says {shape}")
        return plane


def _require_enough(dataset: Any, name: str) -> bool:
    """Refuse a file that lacks pixels; whether it holds more than its header describes."""
    if (
        "PixelData" not in dataset
        and "FloatPixelData" not in dataset
        and "DoubleFloatPixelData" not in dataset
    ):
        raise InputError(f"{name} holds no pixels; the file is truncated or was exported without them")
    if dataset.file_meta.TransferSyntaxUID.is_compressed or "PixelData" not in dataset:
        return False
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    needed = dataset.Rows * dataset.Columns * frames * int(dataset.BitsAllocated) // 8
    if len(dataset.PixelData) < needed:
        raise InputError(
            f"{name} is truncated: {len(dataset.PixelData)} of {needed} bytes of pixels are there"
        )
    return bool(len(dataset.PixelData) > needed + 1)  # one byte makes a length even


def _narrow(array: NDArray[Any]) -> NDArray[Any]:
    low, high = int(array.min()), int(array.max())
    for dtype in (np.uint8, np.int16, np.uint16):
        if low >= np.iinfo(dtype).min and high <= np.iinfo(dtype).max:
            return array.astype(dtype, order="F")
    return array
