"""What the user states because the file does not: orientation, pixel size, slice thickness."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Image, ReadOptions
from medseg.domain.values import as_details
from medseg.errors import InputError
from medseg.geometry import affine_orientation

__all__ = ["apply_answers"]

#: A stated thickness this close (share) to the file's is the same.
THICKNESS_TOLERANCE = 0.01


def apply_answers(image: Image, options: ReadOptions) -> Image:
    """The image with the user's answers on its grid, each with a Finding.

    Raises
    ------
    InputError
        If the file answers the question itself, and otherwise.
    """
    grid, findings = image.grid, image.findings
    name = image.source.uri if image.source else image.channel
    try:
        if options.spacing is not None:
            grid, findings = _with_spacing(grid, options.spacing, findings)
        if options.orientation is not None:
            grid, findings = _with_orientation(grid, options.orientation, findings)
        if options.slice_thickness is not None:
            grid, findings = _with_thickness(grid, options.slice_thickness, findings)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return image if grid is image.grid else replace(image, grid=grid, findings=findings)


def _with_spacing(
    grid: Grid, spacing: tuple[float, float, float], findings: tuple[Finding, ...]
) -> tuple[Grid, tuple[Finding, ...]]:
    if grid.unit != "px":
        raise InputError(
            f"it has voxels of {_numbers(grid.spacing)} mm; --spacing is for images without a size"
        )
    if not (np.isfinite(spacing).all() and min(spacing) > 0):
        raise InputError(f"a spacing is three positive numbers of mm, not {spacing}")
    finding = Finding(
        "spacing.given",
        "warning",
        f"The image states no physical size; the user stated {_numbers(spacing)} mm per pixel.",
        as_details(spacing=_numbers(spacing)),
    )
    return replace(grid, affine=_scaled(grid, spacing), unit="mm"), (*findings, finding)


def _scaled(grid: Grid, spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """Affine whose axes keep their direction and have the stated lengths; the first voxel stays where it was."""
    affine = grid.affine.copy()
    affine[:3, :3] = grid.direction * np.array(spacing)
    return affine


def _with_orientation(
    grid: Grid, orientation: str, findings: tuple[Finding, ...]
) -> tuple[Grid, tuple[Finding, ...]]:
    if grid.unit == "px":
        raise InputError("pixels have no place in the patient; give --spacing with --orientation")
    if grid.orientation_known:
        if orientation == grid.orientation:
            return grid, findings
        raise InputError(
            f"it states its orientation ({grid.orientation}); --orientation is for files without one"
        )
    finding = Finding(
        "orientation.given",
        "warning",
        f"The file does not say how its axes lie in the patient; the user stated {orientation}.",
        as_details(orientation=orientation),
    )
    kept = tuple(item for item in findings if item.code != "orientation.unknown")
    affine = affine_orientation(grid.spacing, orientation)
    return replace(grid, affine=affine, orientation_known=True), (*kept, finding)


def _with_thickness(
    grid: Grid, thickness: float, findings: tuple[Finding, ...]
) -> tuple[Grid, tuple[Finding, ...]]:
    if grid.unit == "px":
        raise InputError("pixels have no thickness in mm; give --spacing with --slice-thickness")
    stated = grid.slice_thickness
    if stated is not None:
        if abs(thickness - stated) <= THICKNESS_TOLERANCE * stated:
            return grid, findings
        raise InputError(
            f"it states a slice thickness of {stated:g} mm; --slice-thickness is for files without one"
        )
    finding = Finding(
        "thickness.given",
        "info",
        f"The file states no slice thickness; the user stated {thickness:g} mm.",
        as_details(thickness_mm=thickness),
    )
    return replace(grid, slice_thickness=thickness), (*findings, finding)


def _numbers(values: tuple[float, float, float]) -> str:
    return " × ".join(f"{value:g}" for value in values)
