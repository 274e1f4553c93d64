"""The sidecar of a mask: names, grid and history in `<stem>.seg.json`, bound to the mask by digest."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter

from medseg.domain import Finding, Grid, LabelTable, Provenance, Segmentation, digest_of
from medseg.domain.segmentation import smallest_unsigned
from medseg.domain.texts import plain_json
from medseg.domain.values import STRICT, as_details
from medseg.geometry.place import place_on
from medseg.io.names import stem_of
from medseg.io.plain import read_plain
from medseg.masks.changes import Footprint, footprint_of

__all__ = [
    "OTHER_PLACE",
    "SIDECAR_SCHEMA",
    "UNFINISHED",
    "Recalled",
    "Sidecar",
    "dump_sidecar",
    "has_sidecar",
    "recall",
    "sidecar_path",
]

SIDECAR_SCHEMA: Literal["medseg.mask/1.1"] = "medseg.mask/1.1"
#: Codes of Findings that a batch goes by.
OTHER_PLACE, UNFINISHED = "sidecar.other_grid", "sidecar.unfinished"
_STOPPED = Finding(
    UNFINISHED,
    "warning",
    "The run that was to replace this mask was stopped before it did; its sidecar is that of the new mask already, so "
    "the names and history of this one are not known.",
)
_ANOTHER = "belongs to a mask on another grid"
_OTHER_VOXELS = "belongs to other voxels: the mask was changed or replaced since"


@dataclass(frozen=True, slots=True, eq=False)
class Sidecar:
    """What a mask file can't hold.

    Parameters
    ----------
    mask_digest
        `Segmentation.digest` of the mask it belongs to.
    grid, table, made_by, findings
        As of the Segmentation; the grid in full precision.
    footprint
        Voxels per label and a digest per slice, by which a later change is told; None before version 1.1.
    replaces
        Digest of the mask that this one takes the place of. The sidecar gets its name before the mask does, so a
        run that is killed between the two leaves it beside that mask.
    """

    mask_digest: str
    grid: Grid
    table: LabelTable
    made_by: Provenance
    findings: tuple[Finding, ...] = ()
    footprint: Footprint | None = None
    replaces: str | None = None
    schema: Literal["medseg.mask/1.0", "medseg.mask/1.1"] = SIDECAR_SCHEMA
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True, eq=False)
class Recalled:
    """A mask's voxels with what its sidecar knows of them.

    Parameters
    ----------
    values, grid
        (I, J, K) labels: as the file holds them, or on the sidecar's grid where the file stores the same voxels
        in another order of axes, or a part of them.
    sidecar
        None if there is none that belongs to them.
    changed
        Whether the voxels are no longer those that the sidecar was written for.
    findings
        What a reader must know of all that.
    """

    values: NDArray[Any]
    grid: Grid
    sidecar: Sidecar | None = None
    changed: bool = False
    findings: tuple[Finding, ...] = ()


_ADAPTER = TypeAdapter(Sidecar)


def sidecar_path(mask: str | Path) -> Path:
    """Where the sidecar of a mask stands.

    >>> sidecar_path("out/tumour.nii.gz").name
    'tumour.seg.json'
    """
    mask = Path(mask)
    return mask.with_name(f"{stem_of(mask)}.seg.json")


def has_sidecar(path: str | Path) -> bool:
    """Whether a sidecar stands beside this file, which then is a mask."""
    path = Path(path)
    return path.is_file() and sidecar_path(path).is_file()


def dump_sidecar(segmentation: Segmentation, *, replaces: str | None = None) -> bytes:
    """The sidecar of a segmentation as JSON; `replaces` is the digest of the mask whose place it takes."""
    sidecar = Sidecar(
        segmentation.digest,
        segmentation.grid,
        segmentation.table,
        segmentation.made_by,
        segmentation.findings,
        footprint_of(segmentation.labels),
        replaces,
    )
    return _ADAPTER.dump_json(sidecar, indent=1)


def recall(mask: Path, values: NDArray[Any], grid: Grid) -> Recalled:
    """What the sidecar beside a mask knows of its voxels (smallest unsigned type), wherever the file stores them.

    The same voxels in another order of axes, or cropped, are put back on the sidecar's grid. Voxels that differ on
    that grid are a mask that was changed since; those on another grid belong to another mask.
    """
    sidecar, findings = _read(sidecar_path(mask))
    if sidecar is None:
        return Recalled(values, grid, findings=findings)
    digest = digest_of(values)
    if sidecar.mask_digest == digest and sidecar.grid.shape == grid.shape:
        return Recalled(values, grid, sidecar)
    if digest == sidecar.replaces:
        return Recalled(values, grid, findings=(_STOPPED,))
    placed = place_on(values, grid, sidecar.grid)
    if placed is None:
        return Recalled(values, grid, findings=(_ignored(sidecar_path(mask), _ANOTHER),))
    placed = smallest_unsigned(placed)
    changed = sidecar.mask_digest != digest_of(placed)
    if changed and sidecar.footprint is None:
        return Recalled(values, grid, findings=(_ignored(sidecar_path(mask), _OTHER_VOXELS),))
    return Recalled(placed, sidecar.grid, sidecar, changed, _placed(grid, sidecar.grid))


def _read(path: Path) -> tuple[Sidecar | None, tuple[Finding, ...]]:
    if not os.path.lexists(path):
        return None, ()
    try:
        return _ADAPTER.validate_json(plain_json(read_plain(path))), ()
    except ValueError:  # ours and pydantic's are such
        return None, (_ignored(path, "can't be read as one"),)


def _placed(file: Grid, kept: Grid) -> tuple[Finding, ...]:
    if file.shape == kept.shape and file.orientation == kept.orientation:
        return ()
    text = (
        f"The file stores the mask otherwise ({file.orientation}, {_extents(file)}) than it was written "
        f"({kept.orientation}, {_extents(kept)}); the voxels were put back in their places, none was resampled."
    )
    return (
        Finding("mask.placed", "info", text, as_details(stored=file.orientation, image=kept.orientation)),
    )


def _extents(grid: Grid) -> str:
    return " × ".join(str(extent) for extent in grid.shape)


def _ignored(path: Path, why: str) -> Finding:
    return Finding(
        "sidecar.ignored",
        "warning",
        f"The mask's sidecar {path.name} {why}; its names and history were not used.",
    )
