"""Where a NIfTI file says its voxels lie: its two forms, its units, and what to do when they disagree."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid
from medseg.domain.values import as_details
from medseg.errors import InputError
from medseg.geometry import Agreement, compare_grids
from medseg.io.unsized import is_size, unsized_finding, unsized_grid

__all__ = ["Form", "Forms", "place"]

Form: TypeAlias = Literal["qform", "sform"]

#: Voxel edges of the two forms may differ by this share; beyond, two different sizes are claimed.
EDGE_TOLERANCE = 0.01
#: Corners may differ by less than this (voxels): float32 quaternions alone move them by up to 0.8.
CORNER_TOLERANCE = 1.0

_MM_PER_UNIT = {1: 1000.0, 2: 1.0, 3: 0.001}
_UNIT_NAMES = {1: "metres", 3: "micrometres"}


@dataclass(frozen=True, slots=True, eq=False)
class Forms:
    """What a header says, in its own unit; a form is None when its code is 0 or its numbers are unusable.

    Parameters
    ----------
    shape
        Three extents.
    spacing
        `pixdim`, absolute.
    unit_code
        Spatial part of `xyzt_units`.
    qform, sform
        4×4, index → world.
    broken
        Forms that claim to be valid and are not.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    unit_code: int
    qform: NDArray[np.float64] | None
    sform: NDArray[np.float64] | None
    broken: tuple[Form, ...] = ()


def place(forms: Forms, choice: Form | None = None) -> tuple[Grid, tuple[Finding, ...]]:
    """Grid in mm and what must be said about it.

    One valid form: that. Both: the sform, unless they contradict each other. None: the voxel sizes alone,
    axes taken as they are stored and `orientation_known` false.

    Raises
    ------
    InputError
        If the forms contradict each other and `choice` does not say which to believe, or the chosen one
        is not there.
    """
    scale, findings = _scale(forms)
    findings += tuple(_broken(form) for form in forms.broken)
    grids = {
        name: _grid(form, forms.shape, scale)
        for name, form in (("qform", forms.qform), ("sform", forms.sform))
        if form is not None
    }
    if choice is not None:
        if choice not in grids:
            raise InputError(f"there is no valid {choice} in this file; leave out --affine {choice}")
        return grids[choice], (*findings, *_chosen(grids, choice))
    if not grids:
        return _unplaced(forms, scale, findings)
    if len(grids) == 1:
        (grid,) = grids.values()
        return grid, (*findings, *_against_pixdim(grid, forms, scale))
    return grids["sform"], (*findings, *_agreement(grids["qform"], grids["sform"]))


def _scale(forms: Forms) -> tuple[float, tuple[Finding, ...]]:
    scale = _MM_PER_UNIT.get(forms.unit_code)
    if scale is None:
        message = "The file does not say its unit of length; millimetres were assumed."
        return 1.0, (Finding("nifti.unit_unknown", "info", message),)
    if scale == 1.0:
        return scale, ()
    message = f"Lengths were given in {_UNIT_NAMES[forms.unit_code]} and converted to millimetres."
    return scale, (Finding("nifti.unit_converted", "info", message, as_details(factor=scale)),)


def _broken(form: Form) -> Finding:
    return Finding(
        "nifti.form_broken",
        "warning",
        f"The file claims a valid {form}, but its numbers describe no placement; it was left out.",
    )


def _grid(form: NDArray[np.float64], shape: tuple[int, int, int], scale: float) -> Grid:
    affine = form.copy()
    affine[:3] *= scale
    return Grid(shape, affine)


def _unplaced(forms: Forms, scale: float, findings: tuple[Finding, ...]) -> tuple[Grid, tuple[Finding, ...]]:
    steps = [step * scale for step in forms.spacing]
    if not all(map(is_size, steps)):
        return unsized_grid(forms.shape), (*findings, unsized_finding(steps), _unknown())
    grid = Grid(forms.shape, np.diag([*steps, 1.0]), orientation_known=False)
    return grid, (*findings, _unknown())


def _against_pixdim(grid: Grid, forms: Forms, scale: float) -> tuple[Finding, ...]:
    """A Finding where the only form has other voxels than `pixdim`; the form holds, as the standard says."""
    stated = np.array(forms.spacing) * scale
    known = np.array([is_size(step) for step in stated]) & (np.array(forms.shape) > 1)
    edges = np.abs(stated[known] / np.array(grid.spacing)[known] - 1)
    if not edges.size or edges.max() <= EDGE_TOLERANCE:
        return ()
    sizes = " × ".join(f"{step:.6g}" for step in stated)
    text = (
        f"The file's sform has voxels of {_size(grid)} mm and its pixdim says {sizes} mm; the sform was used. "
        "Whichever program wrote it, one of the two is wrong."
    )
    return (Finding("nifti.pixdim_differs", "warning", text, as_details(pixdim=sizes, sform=_size(grid))),)


def _unknown() -> Finding:
    return Finding(
        "orientation.unknown",
        "warning",
        "The file does not say how its axes lie in the patient: left and right, front and "
        "back, and positions in the world are unknown; --orientation states them.",
    )


def _agreement(qform: Grid, sform: Grid) -> tuple[Finding, ...]:
    if fault := _contradiction(qform, sform):
        raise InputError(
            f"qform and sform contradict each other: {fault}; voxels of {_size(qform)} mm "
            f"({qform.voxel_volume:.6g} mm3) by the qform, {_size(sform)} mm ({sform.voxel_volume:.6g} mm3) "
            "by the sform; choose with --affine qform or --affine sform"
        )
    found = compare_grids(qform, sform)
    if found.agreement is Agreement.SAME:
        return ()
    return (
        Finding(
            "nifti.forms_differ",
            "info" if found.agreement is Agreement.SNAPPED else "warning",
            f"qform and sform differ by up to {found.corner_mm:.3g} mm ({found.corner_voxels:.2g} voxel) at a "
            "corner, as rounding of the header explains; the sform was used.",
            as_details(corner_mm=found.corner_mm, corner_voxels=found.corner_voxels),
        ),
    )


def _chosen(grids: dict[str, Grid], choice: Form) -> tuple[Finding, ...]:
    if len(grids) < 2 or not _contradiction(grids["qform"], grids["sform"]):
        return ()
    message = f"qform and sform contradict each other; the user chose the {choice}."
    return (Finding("nifti.form_chosen", "warning", message, as_details(form=choice)),)


def _contradiction(qform: Grid, sform: Grid) -> str:
    edges = np.abs(np.array(qform.spacing) / np.array(sform.spacing) - 1)
    if edges.max() > EDGE_TOLERANCE:
        return f"a voxel edge differs by {edges.max():.0%}"
    cosines = qform.direction.T @ sform.direction
    if (np.abs(cosines).argmax(axis=1) != np.arange(3)).any() or cosines.diagonal().min() < 0:
        return f"an axis is flipped or permuted ({qform.orientation} and {sform.orientation})"
    corner = compare_grids(qform, sform).corner_voxels
    return f"a corner moves by {corner:.2f} voxels" if corner >= CORNER_TOLERANCE else ""


def _size(grid: Grid) -> str:
    return " × ".join(f"{step:.6g}" for step in grid.spacing)
