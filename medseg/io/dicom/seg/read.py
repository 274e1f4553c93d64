"""Reading DICOM SEG: frames onto the grid of their positions, segments to labels, overlaps to parts and regions."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Provenance, Segmentation
from medseg.domain.values import as_details
from medseg.errors import InputError
from medseg.io.dicom.derived.maker import stated_maker
from medseg.io.dicom.image.figures import stated
from medseg.io.dicom.seg.frames import SegFrame, placed_frames, read_seg_frames, require_honest
from medseg.io.dicom.seg.grid import seg_grid
from medseg.io.dicom.seg.table import described_segments
from medseg.io.dicom.structures.overlaps import Atoms
from medseg.io.dicom.structures.segments import Segment

__all__ = ["read_dataset", "read_seg", "seg_at", "seg_of"]

_STEP_UNKNOWN = Finding(
    "seg.step_unknown",
    "warning",
    "The SEG does not say how far its slices lie apart and keeps only those that show something, so nothing has a "
    "volume; give its images with --image, or the voxels' size with --spacing.",
)
_FRACTIONS_LEFT = Finding(
    "seg.fractions_left",
    "warning",
    "The fractions of the SEG are larger than 2 GB in memory and were left out: only its labels are measured.",
)
_TYPES = ("BINARY", "FRACTIONAL", "LABELMAP")
#: Probabilities are kept up to this size; beyond, only the labels are.
_MOST_PROBABILITY_BYTES = 2 << 30


def read_seg(path: Path) -> Segmentation:
    """A SEG as labels on the grid that its frames' positions span; empty slices between them are zero.

    Segments that overlap become disjoint parts (labels with `is_part`), and each a Region over its parts, so
    that every segment's voxels are kept. FRACTIONAL: labels are where the fraction is at least half, and the
    largest one where several are; the fractions are kept as probabilities up to 2 GB.

    Raises
    ------
    InputError
        In one line, if the file is damaged, claims more frames than it holds, or its frames form no stack.
    """
    return seg_of(read_dataset(path), path.name)


def seg_of(ds: Any, name: str, *, step: NDArray[np.float64] | None = None) -> Segmentation:
    """The same of a dataset; `name` is what messages call it, `step` what `seg_grid` takes."""
    with _one_line(name):
        require_honest(ds, name)
        frames = read_seg_frames(ds, name)
        grid, places = seg_grid(ds, frames, name, step=step)
    found = seg_at(ds, name, frames, places, grid)
    if frames[0].is_placed and grid.unit == "px":
        found = replace(found, findings=(*found.findings, _STEP_UNKNOWN))
    return found


def seg_at(
    ds: Any, name: str, frames: tuple[SegFrame, ...], places: NDArray[np.intp], grid: Grid
) -> Segmentation:
    """The same with each frame on the slice of `grid` that `places` says."""
    with _one_line(name):
        require_honest(ds, name)
        return _segmentation(ds, frames, places, grid)


@contextmanager
def _one_line(name: str) -> Iterator[None]:
    """A damaged dataset fails anywhere; what it says then is one line."""
    try:
        yield
    except InputError as error:
        if name in str(error):
            raise
        raise type(error)(f"{name}: {error}") from error
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} is a damaged SEG: {error}") from error


def _segmentation(
    ds: Any, frames: tuple[SegFrame, ...], places: NDArray[np.intp], grid: Grid
) -> Segmentation:
    kind = str(ds.SegmentationType)
    if kind not in _TYPES:
        raise InputError(f"its SegmentationType is {kind[:40]!r}, and known are {', '.join(_TYPES)}")
    said = stated_maker(ds.get("SegmentSequence") or (), "SegmentAlgorithmType", "SegmentAlgorithmName")
    made_by = Provenance(parameters=as_details(format="DICOM SEG", type=kind, **said))
    described = described_segments(ds)
    _require_distinct(described)
    if kind != "LABELMAP":
        described, frames = _numbered(described, frames)
    if kind == "FRACTIONAL":
        return _fractional(ds, placed_frames(ds, frames, places), described, grid, made_by)
    if kind == "LABELMAP":
        labels, background = _label_map(ds, frames, places, grid)
        present = set(np.unique(labels).tolist()) - {0}
        kept = tuple(item for item in described if item.number and item.number != background)
        table = Atoms(tuple(kept)).plain_table(present)
        unnamed = sorted(present - {item.number for item in kept})
        return Segmentation(labels, grid, table, made_by, _undescribed(unnamed))
    atoms = Atoms(described)
    labels = np.zeros(grid.shape, dtype=np.uint16, order="F")
    for place, frame, pixels in placed_frames(ds, frames, places):
        atoms.add(labels[:, :, place].T, pixels != 0, frame.segment)
    labels, table, findings = atoms.finished(labels)
    return Segmentation(labels, grid, table, made_by, findings)


def _label_map(
    ds: Any, frames: tuple[SegFrame, ...], places: NDArray[np.intp], grid: Grid
) -> tuple[NDArray[Any], int]:
    """Labels with 0 as background; a pixel padding value names another background."""
    background = int(ds.get("PixelPaddingValue", 0) or 0)
    labels = np.zeros(grid.shape, dtype=np.uint16, order="F")
    for place, _, pixels in placed_frames(ds, frames, places):
        values = pixels.T.astype(np.uint16)
        if background:
            values = np.where(values == background, 0, values)
        labels[:, :, place] = values
    return labels, background


def _fractional(
    ds: Any,
    placed: Iterable[tuple[int, SegFrame, NDArray[Any]]],
    described: tuple[Segment, ...],
    grid: Grid,
    made_by: Provenance,
) -> Segmentation:
    top = stated("its header", ds, None, "MaximumFractionalValue")
    if not top or top < 0:
        raise InputError("it holds fractions and does not say of what (MaximumFractionalValue)")
    labels = np.zeros(grid.shape, dtype=np.uint16, order="F")
    best = np.zeros(grid.shape, dtype=np.float32, order="F")
    channel = {item.number: place for place, item in enumerate(sorted(described, key=lambda x: x.number), 1)}
    size = (len(described) + 1) * int(np.prod(grid.shape)) * 4
    kept = (
        np.zeros((len(described) + 1, *grid.shape), np.float32) if size <= _MOST_PROBABILITY_BYTES else None
    )
    for place, frame, pixels in placed:
        if pixels.max(initial=0) > top:
            raise InputError(f"it holds {int(pixels.max())} and states {top:g} as its MaximumFractionalValue")
        share = pixels.T.astype(np.float32) / top
        better = (share >= 0.5) & (share > best[:, :, place])
        best[:, :, place][better] = share[better]
        labels[:, :, place][better] = frame.segment
        if kept is not None:
            kept[channel[frame.segment], :, :, place] = share
    if kept is not None:
        kept[0] = np.clip(1 - kept[1:].sum(axis=0), 0, 1)
    text = "The SEG holds fractions; a voxel belongs to the structure that has at least half of it."
    kind = str(ds.get("SegmentationFractionalType", ""))
    findings = (Finding("seg.fractional", "info", text, as_details(type=kind)),)
    table = Atoms(described).plain_table(set())
    more = () if kept is not None else (_FRACTIONS_LEFT,)
    return Segmentation(labels, grid, table, made_by, findings + more, probabilities=kept)


def _require_distinct(described: tuple[Segment, ...]) -> None:
    number, count = Counter(item.number for item in described).most_common(1)[0] if described else (0, 1)
    if count > 1:
        raise InputError(f"two of its segments have the number {number}, so their voxels can't be told apart")


def _numbered(
    described: tuple[Segment, ...], frames: tuple[SegFrame, ...]
) -> tuple[tuple[Segment, ...], tuple[SegFrame, ...]]:
    """Segments and frames with a free number in place of 0, which is the background's and no label can have."""
    numbers = [item.number for item in described]
    if 0 not in numbers:
        return described, frames
    free = next(number for number in range(1, len(numbers) + 1) if number not in numbers)
    return (
        tuple(replace(item, number=free, values=(free,)) if item.number == 0 else item for item in described),
        tuple(replace(frame, segment=free) if frame.segment == 0 else frame for frame in frames),
    )


def _undescribed(numbers: list[int]) -> tuple[Finding, ...]:
    if not numbers:
        return ()
    text = f"The SEG describes no segment {', '.join(map(str, numbers[:10]))}, which its pixels show."
    return (Finding("labels.unnamed", "warning", text),)


def read_dataset(path: Path) -> Any:
    """A DICOM file's dataset.

    Raises
    ------
    InputError
        If it is none.
    """
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        # From memory, which yields no more than there is: a file is asked for as many bytes as it claims.
        return dcmread(BytesIO(path.read_bytes()))
    except (OSError, InvalidDicomError, EOFError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"{path.name} can't be read as DICOM: {error}") from error
