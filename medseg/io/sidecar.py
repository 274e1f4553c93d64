"""The sidecar of a mask: names, grid and history in `<stem>.seg.json`, bound to the mask by digest."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from medseg.domain import Finding, Grid, LabelTable, Provenance, Segmentation, digest_of
from medseg.domain.values import STRICT
from medseg.io.names import stem_of

__all__ = ["SIDECAR_SCHEMA", "Sidecar", "dump_sidecar", "has_sidecar", "read_sidecar", "sidecar_path"]

SIDECAR_SCHEMA: Literal["medseg.mask/1.0"] = "medseg.mask/1.0"


@dataclass(frozen=True, slots=True, eq=False)
class Sidecar:
    """What a mask file can't hold.

    Parameters
    ----------
    mask_digest
        `Segmentation.digest` of the mask it belongs to.
    grid, table, made_by, findings
        As of the Segmentation; the grid in full precision.
    """

    mask_digest: str
    grid: Grid
    table: LabelTable
    made_by: Provenance
    findings: tuple[Finding, ...] = ()
    schema: Literal["medseg.mask/1.0"] = SIDECAR_SCHEMA
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


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


def dump_sidecar(segmentation: Segmentation) -> bytes:
    """The sidecar of a segmentation as JSON."""
    sidecar = Sidecar(
        segmentation.digest,
        segmentation.grid,
        segmentation.table,
        segmentation.made_by,
        segmentation.findings,
    )
    return _ADAPTER.dump_json(sidecar, indent=1)


def read_sidecar(mask: Path, values: NDArray[Any]) -> tuple[Sidecar | None, tuple[Finding, ...]]:
    """The sidecar beside a mask if it belongs to these values (smallest unsigned type), else a Finding."""
    path = sidecar_path(mask)
    try:
        sidecar = _ADAPTER.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None, ()
    except (OSError, ValidationError, ValueError):
        return None, (_ignored(path, "can't be read as one"),)
    if sidecar.mask_digest != digest_of(values):
        return None, (_ignored(path, "belongs to other voxels: the mask was changed or replaced since"),)
    return sidecar, ()


def _ignored(path: Path, why: str) -> Finding:
    return Finding(
        "sidecar.ignored",
        "warning",
        f"The mask's sidecar {path.name} {why}; its names and history were not used.",
    )
