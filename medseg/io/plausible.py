"""Voxel sizes that no scan has: refused where no instrument reaches, warned of where none in a clinic does."""

from dataclasses import replace
from pathlib import Path

from medseg.domain import Finding, Grid, Image, Source
from medseg.domain.source import Verdict
from medseg.domain.values import as_details
from medseg.errors import InputError

__all__ = ["plausible_image", "plausible_source"]

#: Edges in mm outside these are no voxels of anything: a nanometre, 10 m.
LEAST_MM, MOST_MM = 1e-6, 1e4
#: Edges in mm outside these are rarely meant: finer than any scanner of patients, coarser than a hand.
FINE_MM, COARSE_MM = 1e-3, 100.0


def plausible_source(source: Source) -> Source:
    """The source with a Finding on voxels that are hardly meant; refused where they can't be."""
    found = None if source.grid is None else _finding(source.grid)
    if found is None or found in source.findings:
        return source
    verdict = Verdict.NOT_A_VOLUME if found.severity == "error" else source.verdict
    return replace(source, verdict=verdict, findings=(*source.findings, found))


def plausible_image(image: Image) -> Image:
    """The image with the same Finding.

    Raises
    ------
    InputError
        If its voxels can't be.
    """
    found = _finding(image.grid)
    if found is None or found in image.findings:
        return image
    if found.severity == "error":
        name = image.source.uri if image.source else image.channel
        raise InputError(f"{Path(name).name}: {found.message}")
    return replace(image, findings=(*image.findings, found))


def _finding(grid: Grid) -> Finding | None:
    # A single slice has no step to the next one.
    edges = [step for step, extent in zip(grid.spacing, grid.shape, strict=True) if extent > 1] or [1.0]
    if grid.unit != "mm" or FINE_MM <= min(edges) <= max(edges) <= COARSE_MM:
        return None
    can_be = LEAST_MM <= min(edges) <= max(edges) <= MOST_MM
    size = " × ".join(f"{step:g}" for step in grid.spacing)
    text = f"Voxels of {size} mm are implausible: the unit or the header may be wrong, and so every size."
    return Finding("spacing.implausible", "warning" if can_be else "error", text, as_details(size=size))
