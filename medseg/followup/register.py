"""A later scan on the baseline by a rigid motion, with figures that tell a bad fit from a good one."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image
from medseg.errors import InputError
from medseg.geometry import flip_affine, flip_positions
from medseg.geometry.resample import grid_with_spacing, resample
from medseg.geometry.sitk import to_sitk
from medseg.masks import keep_largest

if TYPE_CHECKING:
    import SimpleITK as sitk

__all__ = ["Registration", "register_rigid"]

#: Voxels that a registration works on are no finer than this (mm): a rigid motion needs no more.
_WORKING_MM = 2.0
#: Shrink factors and smoothing of the levels, coarse to fine, in working voxels.
_SHRINK, _SMOOTH = (4, 2, 1), (2.0, 1.0, 0.0)
#: Voxels along an axis that a level needs at least.
_LEAST_VOXELS = 4
#: Share of the voxels of a body that the metric samples, with a fixed seed.
_SHARE, _SEED = 0.2, 1
_BINS = 50
#: A fit is refused where less than this of the smaller body lies in the other's field of view, where normalised mutual
#: information is below this (1: independent images), or where the way there and back ends further off than this (mm).
LEAST_OVERLAP, LEAST_SIMILARITY, MOST_RESIDUAL_MM = 0.6, 1.04, 2.0
#: Points of a body at which the way there and back is followed.
_POINTS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """A rigid fit.

    Parameters
    ----------
    matrix
        (4, 4) position in the moving scan (RAS+ mm) → position in the fixed one.
    overlap
        Share of the smaller body that lies in the other's field of view.
    similarity
        Normalised mutual information (Studholme 1999) within it: 1 where the images tell nothing of each other.
    residual_mm
        95th percentile, over the body, of how far a point comes back from itself by this fit and the one the other
        way round, which was made independently.
    rotation_degrees, shift_mm
        Of the motion, at the body's centre.
    """

    matrix: NDArray[np.float64]
    overlap: float
    similarity: float
    residual_mm: float
    rotation_degrees: float
    shift_mm: float

    @property
    def fault(self) -> str:
        """Why the fit can't be used, with the figure; empty where it can."""
        if self.overlap < LEAST_OVERLAP:
            return (
                f"only {100 * self.overlap:.0f} % of the smaller body lie in both scans "
                f"({100 * LEAST_OVERLAP:.0f} % are needed)"
            )
        if self.similarity < LEAST_SIMILARITY:
            return (
                f"the scans do not resemble each other where they overlap (normalised mutual information "
                f"{self.similarity:.3f}, {LEAST_SIMILARITY:g} is needed)"
            )
        if self.residual_mm > MOST_RESIDUAL_MM:
            return (
                f"the fits from either side differ by {self.residual_mm:.1f} mm "
                f"({MOST_RESIDUAL_MM:g} mm are allowed)"
            )
        return ""


def register_rigid(fixed: Image, moving: Image) -> Registration:
    """Find the rigid motion that brings one scan of a patient onto another.

    Parameters
    ----------
    fixed, moving
        In mm, with known orientation; other grids, spacings and contrasts are allowed.

    Returns
    -------
    Registration
        Its `fault` says why it must not be used.

    Raises
    ------
    InputError
        If an image has no size, no orientation, is sheared, or no body can be told from air.

    Notes
    -----
    Mattes mutual information over 3 levels, from the bodies' centres, both ways (SimpleITK). The same images and
    threads give the same figures to a hundredth of a millimetre. Memory: both at 2 mm, a few times.
    """
    one, two = _Body.of(fixed), _Body.of(moving)
    there = _fit(one, two)
    back = _fit(two, one)
    points = one.sample()
    residual = np.linalg.norm(_moved(_moved(points, there), back) - points, axis=1)
    matrix = np.asarray(np.linalg.inv(there), np.float64)
    angle = np.degrees(np.arccos(np.clip((np.trace(matrix[:3, :3]) - 1) / 2, -1, 1)))
    centre = points.mean(axis=0)
    return Registration(
        matrix=matrix,
        overlap=max(two.sees(_moved(points, there)), one.sees(_moved(two.sample(), matrix))),
        similarity=_similarity(one, two, there),
        residual_mm=float(np.percentile(residual, 95)),
        rotation_degrees=float(angle),
        shift_mm=float(np.linalg.norm(_moved(centre[None], there)[0] - centre)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Body:
    """An image at the working spacing, and the body in it."""

    values: NDArray[np.float32]
    mask: NDArray[np.bool_]
    grid: Grid

    @classmethod
    def of(cls, image: Image) -> "_Body":
        if image.grid.unit != "mm" or not image.grid.orientation_known or image.grid.is_sheared:
            raise InputError(
                f"image {image.channel!r} has no size in mm, no known orientation, or is sheared: it can't be "
                "registered; give --transform, or --same-space if both scans share one space"
            )
        step = np.maximum(image.grid.spacing, _WORKING_MM)
        grid = grid_with_spacing(image.grid, (float(step[0]), float(step[1]), float(step[2])))
        values = np.nan_to_num(np.asarray(image.array, np.float32))
        if image.outside is not None:
            values = np.where(image.outside, values[~image.outside].min(), values)
        small = np.asarray(
            resample(values, image.grid, grid, interpolation="linear", fill=float(values.min()))
        )
        return cls(small, _body_of(small, image.channel), grid)

    def sample(self) -> NDArray[np.float64]:
        """(N, 3) positions spread over the body."""
        found = np.argwhere(self.mask)
        return self.grid.to_position(found[:: max(1, len(found) // _POINTS)])

    def sees(self, positions: NDArray[np.float64]) -> float:
        """Share of positions in the field of view."""
        index = self.grid.to_index(positions)
        return float(((index >= -0.5) & (index <= np.array(self.grid.shape) - 0.5)).all(axis=1).mean())

    def image(self) -> "sitk.Image":
        return to_sitk(self.values, self.grid)


def _body_of(values: NDArray[np.float32], channel: str) -> NDArray[np.bool_]:
    """The largest object brighter than Otsu's threshold of the logarithm, its holes filled."""
    from scipy.ndimage import binary_fill_holes
    from skimage.filters import threshold_otsu

    low, high = np.percentile(values, (0.5, 99.5))
    if not high > low:
        raise InputError(f"image {channel!r} is uniform: nothing in it can be registered")
    bright = np.log1p(np.clip((values - low) / (high - low), 0, 1) * 20)
    body: NDArray[np.bool_] = binary_fill_holes(keep_largest(bright > threshold_otsu(bright)))
    return body


def _fit(fixed: _Body, moving: _Body) -> NDArray[np.float64]:
    """(4, 4) position in `fixed` → position in `moving`, RAS."""
    import SimpleITK as sitk

    one, two = fixed.image(), moving.image()
    start = _centred(fixed, moving)
    method: Any = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(_BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(_SHARE, _SEED)
    method.SetMetricFixedMask(to_sitk(_grown(fixed.mask), fixed.grid))
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-4, 200, 0.5, 1e-6)
    method.SetOptimizerScalesFromPhysicalShift()
    levels = _levels(fixed, moving)
    method.SetShrinkFactorsPerLevel([shrink for shrink, _ in levels])
    method.SetSmoothingSigmasPerLevel([smooth for _, smooth in levels])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    method.SetInitialTransform(start, inPlace=True)
    try:
        method.Execute(one, two)
    except RuntimeError as error:
        words = str(error).strip().splitlines()[-1]
        raise InputError(f"the scans could not be registered ({words}); give --transform") from error
    return _affine_of(start)


def _levels(*bodies: _Body) -> list[tuple[int, float]]:
    """Shrink factor and smoothing of each level that leaves enough voxels along every axis.

    Raises
    ------
    InputError
        If there are too few to begin with.
    """
    thin = min(min(body.grid.shape) for body in bodies)
    if thin < _LEAST_VOXELS:
        raise InputError(
            f"a scan has {thin} slices at {_WORKING_MM:g} mm or more, too few to be registered; give --transform, or "
            "--same-space if both scans share one space"
        )
    pairs = zip(_SHRINK, _SMOOTH, strict=True)
    return [(shrink, smooth) for shrink, smooth in pairs if shrink == 1 or thin // shrink >= _LEAST_VOXELS]


def _centred(fixed: _Body, moving: _Body) -> Any:
    import SimpleITK as sitk

    here, there = (
        flip_positions(body.grid.to_position(np.argwhere(body.mask).mean(axis=0))) for body in (fixed, moving)
    )
    start = sitk.Euler3DTransform()
    start.SetCenter(here.tolist())
    start.SetTranslation((there - here).tolist())
    return start


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The body with its rim, where its outline tells most."""
    from scipy.ndimage import binary_dilation

    grown: NDArray[np.bool_] = binary_dilation(mask, iterations=3)
    return grown


def _affine_of(transform: Any) -> NDArray[np.float64]:
    """(4, 4) in RAS of an affine ITK transform."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    steps = [np.array(transform.TransformPoint(tuple(step))) - origin for step in np.eye(3).tolist()]
    lps = np.eye(4)
    lps[:3, :3], lps[:3, 3] = np.array(steps).T, origin
    flip = flip_affine(np.eye(4))
    ras: NDArray[np.float64] = flip @ lps @ flip
    return ras


def _moved(points: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    moved: NDArray[np.float64] = points @ matrix[:3, :3].T + matrix[:3, 3]
    return moved


def _similarity(fixed: _Body, moving: _Body, there: NDArray[np.float64]) -> float:
    """Normalised mutual information of the voxels of the fixed body that the moving scan holds."""
    seen = replace(moving.grid, affine=np.linalg.inv(there) @ moving.grid.affine)
    other = resample(moving.values, seen, fixed.grid, interpolation="linear", fill=np.nan)
    use = fixed.mask & np.isfinite(other)
    if use.sum() < _BINS:
        return 1.0
    both = [np.clip(item[use], *np.percentile(item[use], (1, 99))) for item in (fixed.values, other)]
    joint = np.histogram2d(both[0], both[1], bins=32)[0] / use.sum()

    def entropy(share: NDArray[np.float64]) -> float:
        held = share[share > 0]
        return float(-(held * np.log(held)).sum())

    together = entropy(joint)
    return (entropy(joint.sum(axis=0)) + entropy(joint.sum(axis=1))) / together if together else 1.0
