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
        (3,) vector from one slice to the next along the straight line on which the slices lie: their own
        for uniform and sheared stacks, the smallest one for the others; zero for a single slice.
    offsets
        Distance of each slice along the normal from the first, in k order.
    missing
        Number of slices that a gap lacks.
    tilt_degrees
        Angle between that line and the normal; 0 unless the stack is tilted.
    sideways_mm
        How far slices lie off that line where they form no straight stack, which no resampling repairs.
    """

    verdict: Verdict
    order: tuple[int, ...]
    step: NDArray[np.float64]
    offsets: NDArray[np.float64]
    missing: int = 0
    tilt_degrees: float = 0.0
    sideways_mm: float = 0.0


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
        step, which is a twentieth of the median one at least) or `variable spacing` (also when slices are shifted
        sideways). Without slices: `not a volume`.

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
    if steps.min() <= DUPLICATE_SHARE * np.median(steps):
        return StackVerdict(Verdict.DUPLICATES, ranked, zero, offsets)
    path = places[order] - places[order[0]]
    even = path[-1] / (count - 1)
    if _off_line(path, np.arange(count), even) <= STEP_TOLERANCE * float(np.linalg.norm(even)):
        step, tilt = _upright(even, normal, count - 1)
        verdict = Verdict.SHEARED if tilt else Verdict.UNIFORM
        return StackVerdict(verdict, ranked, step, offsets, tilt_degrees=tilt)
    return _uneven(ranked, normal, path, offsets)


def _off_line(path: NDArray[np.float64], places: NDArray[Any], step: NDArray[np.float64]) -> float:
    """Largest distance of a slice from its place on a straight line."""
    return float(np.linalg.norm(path - places[:, None] * step, axis=1).max())


def _upright(
    step: NDArray[np.float64], normal: NDArray[np.float64], steps: float
) -> tuple[NDArray[np.float64], float]:
    """The step and its tilt in degrees; turned onto the normal where rounded positions explain the tilt."""
    along = normal * float(step @ normal)
    length = float(np.linalg.norm(step))
    sine = float(np.linalg.norm(step - along)) / length
    if sine <= SHEAR_TOLERANCE:
        return step, 0.0
    if sine * steps <= STEP_TOLERANCE:
        return along, 0.0
    return step, float(np.degrees(np.arcsin(min(1.0, sine))))


def _uneven(
    order: tuple[int, ...],
    normal: NDArray[np.float64],
    path: NDArray[np.float64],
    offsets: NDArray[np.float64],
) -> StackVerdict:
    steps = np.diff(offsets)
    smallest = float(steps.min())
    line = path[-1] / offsets[-1]
    sideways = _off_line(path, offsets, line)
    if sideways > STEP_TOLERANCE * smallest:
        return StackVerdict(Verdict.VARIABLE, order, normal * smallest, offsets, sideways_mm=sideways)
    line, tilt = _upright(line, normal, float(offsets[-1]) / smallest)
    # Rounding of one step would grow with a long gap, so the unit is the mean over all of them.
    unit = float(steps[steps < 1.5 * smallest].mean())
    multiples = np.rint(steps / unit)
    unit = float(offsets[-1] / multiples.sum())
    ranks = np.concatenate([[0.0], np.cumsum(multiples)])
    missing = int(multiples.sum()) - len(steps)
    # A lattice as fine as the tolerance of the other steps fits anything: two slices lie nearly at one place.
    fine = smallest < STEP_TOLERANCE * float(np.median(steps))
    if fine or missing == 0 or np.abs(offsets - ranks * unit).max() > STEP_TOLERANCE * unit:
        return StackVerdict(Verdict.VARIABLE, order, line * smallest, offsets, tilt_degrees=tilt)
    return StackVerdict(Verdict.GAP, order, line * unit, offsets, missing, tilt)
