"""STL and PLY as masks: the voxels of an image whose centres lie inside the surface."""

from pathlib import Path

import numpy as np

from medseg.domain import (
    Finding,
    Grid,
    Image,
    Label,
    LabelTable,
    Provenance,
    ReadOptions,
    Segmentation,
    Source,
)
from medseg.domain.source import Verdict
from medseg.domain.values import as_details
from medseg.errors import GridMismatchError, InputError
from medseg.geometry import flip_positions
from medseg.io.names import suffix_of
from medseg.io.protocols import MASK_DETAIL
from medseg.io.surface.file import SURFACE_SUFFIXES, SurfaceNotes, read_notes, read_surface, stated_space
from medseg.io.values import freeze
from medseg.masks.surfaces import Surface
from medseg.masks.voxelise import voxelise

__all__ = ["READER", "SurfaceReader"]


class SurfaceReader:
    """Reads one closed surface onto the grid of an image."""

    name = "surface"
    suffixes: tuple[str, ...] = ()  # a surface is a mask only on the grid of an image

    def sniff(self, path: Path, head: bytes) -> bool:  # noqa: ARG002 - an STL has no magic word
        """By the suffix."""
        return suffix_of(path) in SURFACE_SUFFIXES and not path.is_dir()

    def inspect(self, path: Path) -> tuple[Source, ...]:
        """One Source without a grid: a surface has none."""
        surface = read_surface(path)
        return (
            Source(
                str(path),
                self.name,
                verdict=Verdict.NOT_A_VOLUME,
                findings=(Finding("surface.no_grid", "error", "It is a surface, which has no voxels."),),
                description=f"surface of {len(surface.triangles)} triangles",
                details=((MASK_DETAIL, "surface"), ("triangles", len(surface.triangles))),
            ),
        )

    def load(self, source: Source, options: ReadOptions) -> Image:  # noqa: ARG002 - there is none
        """Refused: a surface is no image."""
        raise InputError(f"{source.uri} is a surface and no image; read it as a mask of an image")

    def load_segmentation(
        self,
        source: Source,
        options: ReadOptions,
        on: Image | Grid | None = None,
    ) -> Segmentation:
        """The voxels of `on` inside the surface as label 1, named as the file says or by its stem.

        Raises
        ------
        InputError
            If no image is given, the surface is open, the file is damaged, or says another `options.space`.
        GridMismatchError
            If no part of the surface lies within the image, or the file does not say whether it is RAS or LPS and
            only LPS would lie within it.
        """
        if on is None:
            raise InputError(f"{source.uri} is a surface, which has no voxels; give its image with --image")
        grid = on.grid if isinstance(on, Image) else on
        path = Path(source.uri)
        stated = stated_space(path)
        if stated and options.space not in (None, stated):
            raise InputError(f"{path} says that its positions are {stated}, not {options.space}")
        surface = read_surface(path, options.space)
        try:
            findings = () if stated else _unstated(surface, grid, options.space)
            findings += _fit(surface, grid)
            mask = voxelise(surface, grid)
        except InputError as error:
            raise type(error)(f"{path}: {error}") from error
        return Segmentation(
            freeze(mask.astype(np.uint8)),
            grid,
            LabelTable((_label(read_notes(path)),)),
            Provenance(
                parameters=as_details(
                    format=suffix_of(path)[1:].upper(), space=stated or options.space or "RAS"
                )
            ),
            findings,
        )


READER = SurfaceReader()


def _label(notes: SurfaceNotes) -> Label:
    return Label(1, notes.name, None if notes.color == SurfaceNotes("").color else notes.color)


def _unstated(surface: Surface, grid: Grid, said: str | None) -> tuple[Finding, ...]:
    """What is taken for the space of a file that states none, checked against the image."""
    if said is not None:
        text = f"The surface's file does not say which way its axes grow; the user said {said}."
        return (Finding("surface.space", "info", text),)
    turned = Surface(flip_positions(surface.vertices.astype(np.float64)), surface.triangles)
    if not _within(surface, grid) and _within(turned, grid):
        raise GridMismatchError(
            "the file does not say which way its axes grow, and only as LPS does its surface lie within the image; "
            "say so with --space LPS (or RAS)"
        )
    text = "The surface's file does not say which way its axes grow; it was taken as RAS."
    if _within(surface, grid) and _within(turned, grid):
        text += " As LPS it would lie within the image too; say which it is with --space."
    return (Finding("surface.space", "warning", text),)


def _within(surface: Surface, grid: Grid) -> bool:
    if not len(surface.triangles):
        return True
    index = grid.to_index(surface.vertices)
    low, high = index.min(axis=0), index.max(axis=0)
    return bool((low >= -0.51).all() and (high <= np.array(grid.shape) - 1 + 0.51).all())


def _fit(surface: Surface, grid: Grid) -> tuple[Finding, ...]:
    """Nothing, or a Finding, where the surface lies within the image; half a voxel beyond its border is within."""
    if not len(surface.triangles):
        return ()
    index = grid.to_index(surface.vertices)
    low, high = index.min(axis=0), index.max(axis=0)
    last = np.array(grid.shape) - 1
    if (high < -0.5).any() or (low > last + 0.5).any():
        raise GridMismatchError(
            "the surface lies outside the image; it belongs to another image, or its axes grow another way: see --space"
        )
    if _within(surface, grid):
        return ()
    return (
        Finding(
            "surface.cut",
            "warning",
            "The surface reaches beyond the image and was cut at its border.",
        ),
    )
