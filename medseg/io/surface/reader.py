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
from medseg.io.names import suffix_of
from medseg.io.protocols import MASK_DETAIL
from medseg.io.surface.file import SURFACE_SUFFIXES, SurfaceNotes, read_notes, read_surface
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
        options: ReadOptions,  # noqa: ARG002 - the image's grid answers everything
        on: Image | Grid | None = None,
    ) -> Segmentation:
        """The voxels of `on` inside the surface as label 1, named as the file says or by its stem.

        Raises
        ------
        InputError
            If no image is given, the surface is open, or the file is damaged.
        GridMismatchError
            If no part of the surface lies within the image.
        """
        if on is None:
            raise InputError(f"{source.uri} is a surface, which has no voxels; give its image with --image")
        grid = on.grid if isinstance(on, Image) else on
        path = Path(source.uri)
        surface = read_surface(path)
        try:
            findings = _fit(surface, grid)
            mask = voxelise(surface, grid)
        except InputError as error:
            raise type(error)(f"{path}: {error}") from error
        return Segmentation(
            freeze(mask.astype(np.uint8)),
            grid,
            LabelTable((_label(read_notes(path)),)),
            Provenance(parameters=as_details(format=suffix_of(path)[1:].upper())),
            findings,
        )


READER = SurfaceReader()


def _label(notes: SurfaceNotes) -> Label:
    return Label(1, notes.name, None if notes.color == SurfaceNotes("").color else notes.color)


def _fit(surface: Surface, grid: Grid) -> tuple[Finding, ...]:
    """Nothing, or a Finding, where the surface lies within the image; half a voxel beyond its border is within."""
    if not len(surface.triangles):
        return ()
    index = grid.to_index(surface.vertices)
    low, high = index.min(axis=0), index.max(axis=0)
    last = np.array(grid.shape) - 1
    if (high < -0.5).any() or (low > last + 0.5).any():
        raise GridMismatchError(
            "the surface lies outside the image; it belongs to another image, or its file means LPS and does not say so"
        )
    if (low >= -0.51).all() and (high <= last + 0.51).all():
        return ()
    return (
        Finding(
            "surface.cut",
            "warning",
            "The surface reaches beyond the image and was cut at its border.",
        ),
    )
