"""Frames of a SEG beside what is known of their series: its step, its uneven slices, and where it goes on."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Segmentation
from medseg.errors import GridMismatchError
from medseg.geometry import flip_positions
from medseg.io.dicom.seg.frames import SegFrame, read_seg_frames
from medseg.io.dicom.seg.read import seg_at
from medseg.io.dicom.slices import Slices, even_finding

__all__ = ["beyond_frames", "named_by_seg", "normal_of", "seg_on_slices", "step_along"]

#: A frame this far (steps, pixels) off a slice lies on none.
_OFF = 0.2


def named_by_seg(ds: Any) -> tuple[set[str], set[str]]:
    """(series, SOP instances) that a SEG says it was made from."""
    series = ds.get("ReferencedSeriesSequence") or ()
    instances = {
        str(item.get("ReferencedSOPInstanceUID", ""))
        for part in series
        for item in part.get("ReferencedInstanceSequence") or ()
    }
    return {str(part.get("SeriesInstanceUID", "")) for part in series} - {""}, instances - {""}


def normal_of(ds: Any, name: str) -> NDArray[np.float64] | None:
    """(3,) LPS normal of the frames; None where they have no place in the patient."""
    frame = _first(ds, name)
    if frame is None or not frame.is_placed:
        return None
    orientation = np.array(frame.orientation)
    normal: NDArray[np.float64] = np.cross(orientation[:3], orientation[3:])
    return normal


def step_along(ds: Any, name: str, grid: Grid) -> NDArray[np.float64] | None:
    """(3,) LPS step of an image's grid along the frames' normal; None where either has no place."""
    normal = normal_of(ds, name)
    if normal is None or grid.unit != "mm":
        return None
    columns = flip_positions(grid.affine[:3, :3].T)
    step: NDArray[np.float64] = columns[
        int(np.abs(columns / np.array(grid.spacing)[:, None] @ normal).argmax())
    ]
    return step


def seg_on_slices(ds: Any, name: str, slices: Slices) -> Segmentation:
    """A SEG of uneven slices, brought with them onto their even grid, fractions by linear interpolation.

    Raises
    ------
    GridMismatchError
        If a frame lies on none of the slices.
    """
    frames = read_seg_frames(ds, name)
    places = _places(frames, slices, (int(ds.Columns), int(ds.Rows)), name)
    stored = seg_at(ds, name, frames, places, slices.grid)
    grid = slices.even_grid
    labels = np.zeros(grid.shape, stored.labels.dtype, order="F")
    used = set(places.tolist())
    for value in stored.present:
        planes = {k: stored.labels[:, :, k] == value for k in used}
        for k, plane in slices.even_planes(planes):
            labels[:, :, k][plane] = value
    findings = (*stored.findings, *even_finding(slices))
    shares = None if stored.probabilities is None else _even_shares(np.asarray(stored.probabilities), slices)
    return replace(stored, labels=labels, grid=grid, findings=findings, probabilities=shares)


def _even_shares(stored: NDArray[Any], slices: Slices) -> NDArray[np.float32]:
    """(C, I, J, K) fractions on the even grid; what the structures leave is background."""
    even = np.zeros((len(stored), *slices.even_grid.shape), np.float32)
    for channel in range(1, len(stored)):
        even[channel] = np.clip(slices.even_values(stored[channel]), 0, 1)
    even[0] = np.clip(1 - even[1:].sum(axis=0), 0, 1)
    return even


def beyond_frames(found: Segmentation, ds: Any) -> Segmentation:
    """A SEG that was read without its images, with an empty slice at either end where its series goes on, or may.

    A SEG keeps only the slices that show something, so that they end says nothing of the field of view.
    """
    named = len(named_by_seg(ds)[1])
    if found.grid.shape[2] == 1 or named == found.grid.shape[2]:
        return found
    affine = found.grid.affine.copy()
    affine[:3, 3] -= affine[:3, 2]
    columns, rows, count = found.grid.shape
    grid = replace(found.grid, shape=(columns, rows, count + 2), affine=affine)
    probabilities = found.probabilities
    if probabilities is not None:
        probabilities = np.pad(np.asarray(probabilities), [(0, 0), (0, 0), (0, 0), (1, 1)])
        probabilities[0, :, :, [0, -1]] = 1
    labels = np.pad(found.labels, [(0, 0), (0, 0), (1, 1)])
    return replace(found, labels=labels, grid=grid, probabilities=probabilities)


def _first(ds: Any, name: str) -> SegFrame | None:
    frames = read_seg_frames(ds, name) if ds.get("PerFrameFunctionalGroupsSequence") else ()
    return frames[0] if frames else None


def _places(
    frames: tuple[SegFrame, ...], slices: Slices, size: tuple[int, int], name: str
) -> NDArray[np.intp]:
    """The stored slice k of each frame."""
    if not frames or not all(frame.is_placed for frame in frames):
        raise GridMismatchError(f"the frames of {name} do not say where in the patient they lie")
    index = slices.index(flip_positions(np.array([frame.position for frame in frames])))
    axes = flip_positions(np.array(frames[0].orientation).reshape(2, 3))
    turned = np.abs(axes - slices.grid.direction[:, :2].T).max() > 1e-3
    if size != slices.grid.shape[:2] or turned or np.abs(index[:, :2]).max() > _OFF:
        raise GridMismatchError(f"{name} does not lie on the pixels of the images, whose slices are uneven")
    places = np.rint(index[:, 2]).astype(np.intp)
    off = (np.abs(index[:, 2] - places) > _OFF) | (places < 0) | (places >= slices.grid.shape[2])
    if off.any():
        raise GridMismatchError(
            f"{int(off.sum())} of {len(off)} frames of {name} lie on no slice of the series"
        )
    return places
