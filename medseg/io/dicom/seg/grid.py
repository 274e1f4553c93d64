"""The grid that a SEG's frames span: empty slices between them are part of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.domain.source import Verdict
from medseg.errors import InputError
from medseg.geometry import flip_affine
from medseg.geometry.slices import judge_slices
from medseg.io.dicom.image.figures import stated, stated_many
from medseg.io.dicom.seg.frames import SegFrame
from medseg.io.dicom.tags import group_item

__all__ = ["seg_grid"]

#: Frames nearer than this (mm) to each other lie on one slice.
_SAME_PLACE_MM = 1e-3
#: A grid with more slices than this is no scan but a mistake in a position, …
_MOST_SLICES = 1000
#: … unless so many slices for each that shows something.
_MOST_PER_FRAME = 20
_MOST_VOXELS = 1 << 30
#: Slices whose step is their thickness, up to rounding in headers, touch, so none is missing between them.
_ROUNDING = 0.01
#: A frame this far (mm) beside the line of its stack is of another.
_BESIDE_MM = 0.1


def seg_grid(
    ds: Any, frames: tuple[SegFrame, ...], name: str, *, step: NDArray[np.float64] | None = None
) -> tuple[Grid, NDArray[np.intp]]:
    """Grid of a SEG, and the slice k of each frame.

    Frames are placed by their positions alone. The step between slices is the stated one where that divides all
    distances, else that between neighbours where the slices are thick enough to touch. A SEG keeps only the slices
    that show something, so their distances alone say nothing: the grid is in pixels then, and nothing has a volume.

    Parameters
    ----------
    step
        (3,) LPS vector between slices as the image has it, or as the user says; taken where it divides all distances.

    Raises
    ------
    InputError
        If orientations differ, or the positions are no multiples of one step.
    """
    if not frames[0].is_placed:
        return _without_place(ds, frames, name)
    spacing, stated, thickness = _measures(ds, name)
    positions = np.array([frame.position for frame in frames])
    orientation = np.array(frames[0].orientation)
    if np.abs(np.array([frame.orientation for frame in frames]) - orientation).max() > 1e-4:
        raise InputError(f"{name} holds frames of several orientations, which is no single mask")
    normal = np.cross(orientation[:3], orientation[3:])
    offsets = positions @ normal
    unique = _unique(offsets)
    first = int(np.argmin(offsets))
    ranks = np.zeros(len(offsets), dtype=np.intp)
    vector: NDArray[np.float64] | None = normal * (stated or thickness or 1.0)
    if len(unique) > 1:
        places = np.array([positions[np.abs(offsets - place).argmin()] for place in unique])
        vector = _given(step, places, normal)
        if vector is None:
            vector = _step(places, orientation, (stated, thickness), name)
        if vector is None:
            return _without_step(ds, np.searchsorted(unique, offsets - _SAME_PLACE_MM))
        ranks = np.rint((offsets - unique[0]) / float(vector @ normal)).astype(np.intp)
    _require_sane(int(ranks.max()) + 1, len(unique), ds, name)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = orientation[:3] * spacing[1], orientation[3:] * spacing[0]
    affine[:3, 2], affine[:3, 3] = vector, positions[first]
    shape = (int(ds.Columns), int(ds.Rows), int(ranks.max()) + 1)
    uid = ds.get("FrameOfReferenceUID")
    grid = Grid(
        shape,
        flip_affine(affine),
        frame_of_reference=str(uid) if uid else None,
        slice_thickness=thickness,
    )
    return grid, ranks


def _require_sane(slices: int, used: int, ds: Any, name: str) -> None:
    """A wrong position would claim memory for slices that nobody segmented."""
    if slices > _MOST_SLICES + _MOST_PER_FRAME * used:
        raise InputError(f"the frames of {name} span {slices} slices and show {used}: a position is wrong")
    if slices * int(ds.Rows) * int(ds.Columns) > _MOST_VOXELS:
        raise InputError(f"{name} spans {slices} slices of {ds.Rows} × {ds.Columns}; no scan is that large")


def _without_place(ds: Any, frames: tuple[SegFrame, ...], name: str) -> tuple[Grid, NDArray[np.intp]]:
    """The mask of a projection: one picture, measured in pixels."""
    segments = [frame.segment for frame in frames]
    if len(set(segments)) < len(segments):
        raise InputError(f"the frames of {name} do not say where in the patient they lie")
    grid = Grid((int(ds.Columns), int(ds.Rows), 1), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px")
    return grid, np.zeros(len(frames), dtype=np.intp)


def _measures(ds: Any, name: str) -> tuple[tuple[float, ...], float | None, float | None]:
    item = group_item(ds, ds.PerFrameFunctionalGroupsSequence[0], "PixelMeasuresSequence")
    spacing = None if item is None else stated_many(name, item, None, "PixelSpacing", 2)
    if spacing is None or min(spacing) <= 0:
        raise InputError(f"{name} does not state the size of its pixels")
    step, thickness = (stated(name, item, None, key) for key in ("SpacingBetweenSlices", "SliceThickness"))
    return spacing, abs(step) if step else None, thickness if thickness and thickness > 0 else None


def _unique(offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    ranked = np.sort(offsets)
    unique: NDArray[np.float64] = ranked[np.concatenate([[True], np.diff(ranked) > _SAME_PLACE_MM])]
    return unique


def _given(
    step: NDArray[np.float64] | None, places: NDArray[np.float64], normal: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """The image's step, towards the normal, where every frame lies on a slice of it."""
    if step is None or abs(float(step @ normal)) < _SAME_PLACE_MM:
        return None
    step = step * np.sign(float(step @ normal))
    fits = _divides(float(step @ normal), (places - places[0]) @ normal)
    return step if fits else None


def _step(
    places: NDArray[np.float64],
    orientation: NDArray[np.float64],
    known: tuple[float | None, float | None],
    name: str,
) -> NDArray[np.float64] | None:
    """Vector between slices, by (stated spacing, thickness) and positions; None where these leave it open."""
    count = len(places)
    stated, thickness = known
    found = judge_slices(places, np.tile(orientation, (count, 1)), [(1, 1)] * count)
    straight = (places[-1] - places[0]) / float(found.offsets[-1])
    if stated is not None and _divides(stated, found.offsets) and _on_line(places, straight, found.offsets):
        known_step: NDArray[np.float64] = straight * stated
        return known_step
    # Frames may lie far apart, and any two of them beside one another.
    far = found.verdict == Verdict.VARIABLE and _divides(float(np.diff(found.offsets).min()), found.offsets)
    if not far and found.verdict not in (Verdict.UNIFORM, Verdict.SHEARED, Verdict.GAP):
        raise InputError(f"the frames of {name} are no regular stack ({found.verdict.value})")
    along = float(found.step @ np.cross(orientation[:3], orientation[3:]))
    touching = thickness is not None and along <= thickness * (1 + _ROUNDING)
    return found.step if touching else None


def _on_line(
    places: NDArray[np.float64], straight: NDArray[np.float64], offsets: NDArray[np.float64]
) -> bool:
    """Whether positions lie on the straight line from the first to the last, by their offsets along the normal."""
    line = places[0] + offsets[:, None] * straight
    return bool(np.linalg.norm(places - line, axis=1).max() < _BESIDE_MM)


def _without_step(ds: Any, ranks: NDArray[np.intp]) -> tuple[Grid, NDArray[np.intp]]:
    """Frames one after another, in pixels: how far they lie apart in slices is not known."""
    shape = (int(ds.Columns), int(ds.Rows), int(ranks.max()) + 1)
    return Grid(shape, np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px"), ranks


def _divides(step: float, places: NDArray[np.float64]) -> bool:
    multiples = (places - places[0]) / step
    return bool(
        np.abs(multiples - np.rint(multiples)).max() < 0.05 and np.diff(np.rint(multiples)).min() >= 1
    )
