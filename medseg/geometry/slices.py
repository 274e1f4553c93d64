"""All verdicts on slice positions, made by one pure function of positions, orientations and shapes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain.source import Verdict

__all__ = ["StackVerdict", "judge_slices", "same_orientation", "slice_normal"]

#: Direction cosines within this are one orientation: headers round to 4 to 6 digits (0.06°).
ORIENTATION_TOLERANCE = 1e-3
#: Slices closer than this share of the median step lie at one position.
DUPLICATE_SHARE = 0.01
#: A slice this share of a step off its even place is still in place: positions are rounded in headers.
STEP_TOLERANCE = 0.05
#: Sine of the angle between step and normal above which a stack is sheared (0.06°); `Grid.is_sheared` agrees.
SHEAR_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class StackVerdict:
    """What a set of slices is.

    Parameters
    ----------
    verdict
        See `Verdict`.
    order
        Index of the slice at each k, sorted along the normal.
    step
        (3,) vector from one slice to the next: exact for uniform and sheared stacks, the smallest step
        along the normal for the others; zero for a single slice.
    offsets
        Distance of each slice along the normal from the first, in k order.
    missing
        Number of slices that a gap lacks.
    tilt_degrees
        Angle between step and normal of a sheared stack.
    """

    verdict: Verdict
    order: tuple[int, ...]
    step: NDArray[np.float64]
    offsets: NDArray[np.float64]
    missing: int = 0
    tilt_degrees: float = 0.0


def slice_normal(orientation: NDArray[Any]) -> NDArray[np.float64]:
    """Unit normal of a slice from its six direction cosines: row direction × column direction."""
    normal: NDArray[np.float64] = np.cross(orientation[:3], orientation[3:])
    unit: NDArray[np.float64] = normal / np.linalg.norm(normal)
    return unit


def same_orientation(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Whether two sets of six direction cosines agree within rounding."""
    return bool(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).max() <= ORIENTATION_TOLERANCE)


def judge_slices(
    positions: NDArray[Any], orientations: NDArray[Any], shapes: list[tuple[int, int]]
) -> StackVerdict:
    """Judge slices by where they lie; tags such as SliceThickness have no say.

    Parameters
    ----------
    positions
        (N, 3) mm, the first pixel's centre of each slice.
    orientations
        (N, 6) direction cosines: along a row, then along a column.
    shapes
        Rows and columns of each slice.

    Returns
    -------
    StackVerdict
        `mixed` when orientations or shapes differ; else, by the steps along the normal: `duplicates`,
        `uniform`, `sheared` (even, but not along the normal), `gap` (whole multiples of the smallest
        step) or `variable spacing`. Without slices: `not a volume`.

    Examples
    --------
    >>> flat = np.tile([1, 0, 0, 0, 1, 0], (3, 1))
    >>> judge_slices(np.array([[0, 0, 0], [0, 0, 2], [0, 0, 6]]), flat, [(4, 4)] * 3).verdict.value
    'gap'
    """
    count = len(positions)
    zero = np.zeros(3)
    if count == 0:
        return StackVerdict(Verdict.NOT_A_VOLUME, (), zero, np.zeros(0))
    if len(set(shapes)) > 1 or not all(same_orientation(orientations[0], item) for item in orientations[1:]):
        return StackVerdict(Verdict.MIXED, tuple(range(count)), zero, np.zeros(count))
    normal = slice_normal(np.asarray(orientations[0], np.float64))
    places = np.asarray(positions, np.float64)
    along = places @ normal
    order = np.argsort(along, kind="stable")
    offsets = along[order] - along[order[0]]
    ranked = tuple(int(index) for index in order)
    if count == 1:
        return StackVerdict(Verdict.UNIFORM, ranked, zero, offsets)
    steps = np.diff(offsets)
    if steps.min() <= DUPLICATE_SHARE * np.median(steps) or steps.max() <= 0:
        return StackVerdict(Verdict.DUPLICATES, ranked, zero, offsets)
    even = (places[order[-1]] - places[order[0]]) / (count - 1)
    expected = places[order[0]] + np.arange(count)[:, None] * even
    length = float(np.linalg.norm(even))
    if np.linalg.norm(places[order] - expected, axis=1).max() <= STEP_TOLERANCE * length:
        return _even(ranked, even, normal, offsets)
    return _uneven(ranked, normal, steps, offsets)


def _even(
    order: tuple[int, ...],
    step: NDArray[np.float64],
    normal: NDArray[np.float64],
    offsets: NDArray[np.float64],
) -> StackVerdict:
    aside = step - normal * float(step @ normal)
    sine = float(np.linalg.norm(aside) / np.linalg.norm(step))
    if sine <= SHEAR_TOLERANCE:
        return StackVerdict(Verdict.UNIFORM, order, step, offsets)
    return StackVerdict(
        Verdict.SHEARED, order, step, offsets, tilt_degrees=float(np.degrees(np.arcsin(sine)))
    )


def _uneven(
    order: tuple[int, ...],
    normal: NDArray[np.float64],
    steps: NDArray[np.float64],
    offsets: NDArray[np.float64],
) -> StackVerdict:
    smallest = float(steps.min())
    multiples = steps / smallest
    if np.abs(multiples - np.rint(multiples)).max() <= STEP_TOLERANCE:
        missing = int(np.rint(multiples).sum()) - len(steps)
        # Multiples all of one are even along the normal and jump sideways: no missing slice explains that.
        if missing:
            return StackVerdict(Verdict.GAP, order, normal * smallest, offsets, missing)
    return StackVerdict(Verdict.VARIABLE, order, normal * smallest, offsets)
