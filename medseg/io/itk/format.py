"""NRRD and MetaImage, the files that ITK and 3D Slicer write: `.nrrd`, `.nhdr`, `.mha`, `.mhd`.

Read here rather than by ITK, which returns damaged packed voxels without a word; written by ITK.
"""

import errno
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, ReadOptions, Segmentation, Source
from medseg.domain.source import Verdict
from medseg.errors import InputError
from medseg.geometry import flip_affine
from medseg.geometry.sitk import to_sitk
from medseg.io.itk.metaimage import parse_metaimage
from medseg.io.itk.nrrd import parse_nrrd
from medseg.io.itk.seg_nrrd import parse_seg_nrrd, read_seg_nrrd
from medseg.io.itk.stored import Stored, read_stored
from medseg.io.names import suffix_of
from medseg.io.protocols import MASK_DETAIL
from medseg.io.values import drop_nonfinite, freeze

__all__ = ["READER", "WRITER", "ItkReader", "ItkWriter"]

_NRRD = (".nrrd", ".nhdr", ".seg.nrrd")


class ItkReader:
    """Reads one volume; a 4D file lists its volumes by number."""

    name = "itk"
    suffixes = (".nrrd", ".nhdr", ".mha", ".mhd", ".seg.nrrd")

    def sniff(self, path: Path, head: bytes) -> bool:
        """By the first bytes, or the suffix."""
        known = suffix_of(path) in self.suffixes and not path.is_dir()
        return head.startswith(b"NRRD000") or known or _is_meta(head)

    def inspect(self, path: Path) -> tuple[Source, ...]:
        """One Source per volume."""
        layered = _layers(path)
        stored = layered or _parse(path)
        make = partial(
            Source,
            str(path),
            self.name,
            stored.grid,
            Verdict.SHEARED if stored.grid.is_sheared else Verdict.UNIFORM,
            stored.findings,
            value_unit="[arb'U]",
            details=stored.details,
        )
        if layered:
            details = (*stored.details, (MASK_DETAIL, "seg.nrrd"))
            text = "mask of overlapping segments"
            return (replace(make(details=details), verdict=Verdict.NOT_A_VOLUME, description=text),)
        if stored.volumes == 1:
            return (make(),)
        return tuple(
            make(volume=str(number), description=f"volume {number} of {stored.volumes}, counted from 0")
            for number in range(stored.volumes)
        )

    def load(self, source: Source, options: ReadOptions) -> Image:  # noqa: ARG002 - nothing to choose here
        """Values as stored, on the grid in RAS+ mm."""
        stored = _parse(Path(source.uri))
        array, left = read_stored(stored, int(source.volume or 0))
        values, outside, more = drop_nonfinite(array, source.uri)
        findings = (*stored.findings, *left, *more)
        placed = replace(source, grid=stored.grid, findings=findings)
        return Image(freeze(values), stored.grid, findings=findings, source=placed, outside=outside)

    def load_segmentation(
        self, source: Source, options: ReadOptions, on: Image | Grid | None = None
    ) -> Segmentation | None:
        """The mask of a file that describes segments (3D Slicer); None for any other."""
        return None if source.volume else read_seg_nrrd(source, options, on)


class ItkWriter:
    """Writes packed NRRD and MHA, whose directions hold a shear too."""

    name = "itk"
    suffixes = (".nrrd", ".mha", ".seg.nrrd")

    def write(self, array: NDArray[Any], grid: Grid, path: Path) -> None:
        """Write (I, J, K) values.

        Raises
        ------
        InputError
            If the grid is in `px` or of unknown orientation: the formats would claim what nobody knows.
        """
        import SimpleITK as sitk

        if grid.unit != "mm" or not grid.orientation_known:
            lacking = "size" if grid.unit != "mm" else "orientation"
            remedy = (
                "--spacing, or write .png or .tif" if grid.unit != "mm" else "--orientation, or write .nii.gz"
            )
            raise InputError(f"{path} would claim a known {lacking}, and there is none; give {remedy}")
        image = to_sitk(array)
        image.SetSpacing(grid.spacing)
        lps = flip_affine(grid.affine)
        image.SetOrigin(lps[:3, 3].tolist())
        image.SetDirection((lps[:3, :3] / np.array(grid.spacing)).ravel().tolist())
        try:
            sitk.WriteImage(image, str(path), useCompression=True)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise OSError(_errno(path), f"ITK could not write: {reason}") from error


READER = ItkReader()
WRITER = ItkWriter()


def _parse(path: Path) -> Stored:
    with path.open("rb") as file:
        is_nrrd = file.read(4) == b"NRRD"
    return parse_nrrd(path) if is_nrrd or suffix_of(path) in _NRRD else parse_metaimage(path)


def _layers(path: Path) -> Stored | None:
    """Placement of a mask with layers (overlapping segments of 3D Slicer), which is no image."""
    found = parse_seg_nrrd(path)
    return found[0] if found and found[1] else None


def _is_meta(head: bytes) -> bool:
    return head.lstrip()[:10] == b"ObjectType" or (head.lstrip()[:5] == b"NDims" and b"DimSize" in head)


def _errno(path: Path) -> int:
    # ITK does not say why; a full disk is the reason that a user can do something about.
    return errno.ENOSPC if shutil.disk_usage(path.parent).free < 1 << 20 else errno.EIO
