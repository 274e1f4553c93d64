"""Export: a Record and what it names as objects that hospital systems read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Literal

from medseg.domain import ReadOptions, Record, Segmentation, Source
from medseg.errors import GridMismatchError, InputError, MedsegError
from medseg.workflows.record import read_record
from medseg.workflows.reopen import reopen_mask

if TYPE_CHECKING:
    from medseg.io.dicom.derived import Uids
    from medseg.io.dicom.origin import Origin

__all__ = ["KINDS", "ExportOptions", "export_files"]

#: What can be asked for, in the order in which it is made.
KINDS = ("seg", "sr", "rtstruct", "dicom-pdf", "secondary-capture", "fhir")


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How a Record is exported.

    Parameters
    ----------
    kinds
        Of `KINDS`; at least one.
    seg_kind
        BINARY, FRACTIONAL (needs probabilities), LABELMAP.
    dicom
        Folder of the source series, where the Record's images are no DICOM or lie elsewhere now.
    stable_uids
        Derive UIDs from the Record's content: the same input gives the same UIDs.
    force
        Whether files that exist may be replaced.
    """

    kinds: tuple[str, ...]
    seg_kind: Literal["BINARY", "FRACTIONAL", "LABELMAP"] = "BINARY"
    dicom: Path | None = None
    stable_uids: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            raise InputError(
                f"export one or more of {', '.join(KINDS)}; not {', '.join(unknown) or 'nothing'}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What objects are made from, and those that others refer to."""

    record: Record
    segmentation: Segmentation
    origin: "Origin"
    uids: "Uids"
    options: ExportOptions
    objects: dict[str, Any] = field(default_factory=dict)


def export_files(path: Path, out: Path, options: ExportOptions) -> dict[str, Path]:
    """Make every object asked for, read each again and compare, then give all of them their names in `out`.

    Returns
    -------
    dict
        File stem → path.

    Raises
    ------
    InputError
        If the mask or the source is missing or changed, or an object can't say what the Record says.
    GridMismatchError
        If the mask does not lie on the voxels of the source series.
    """
    from medseg.io.atomic import require_absent, write_bytes

    record = read_record(path)
    made: dict[str, bytes] = {}
    if set(options.kinds) - {"fhir"}:
        material = _material(record, path.parent, options)
        for kind in KINDS:
            if kind in options.kinds and kind in _MAKERS:
                made |= dict(_MAKERS[kind](material))
    if "fhir" in options.kinds:
        from medseg.reporting.fhir import to_fhir

        made["report.fhir.json"] = to_fhir(record)
    for name in made:
        require_absent(out / name, force=options.force)
    return {name: write_bytes(out / name, data, force=options.force) for name, data in made.items()}


def _material(record: Record, folder: Path, options: ExportOptions) -> Material:
    from medseg.io.dicom.derived import Uids
    from medseg.io.dicom.origin import read_origin
    from medseg.reporting.record_json import content_digest

    segmentation = reopen_mask(record, folder / record.mask.path)
    origin = read_origin(_source(record, folder, segmentation, options.dicom))
    return Material(
        record,
        segmentation,
        origin,
        Uids(content_digest(record) if options.stable_uids else token_hex(16)),
        options,
    )


def _source(record: Record, folder: Path, segmentation: Segmentation, dicom: Path | None) -> Source:
    """The DICOM series on whose voxels the mask lies: among the Record's images, else in the folder given."""
    from medseg.io.dicom.origin import lies_on

    faults: list[str] = []
    found = list(_candidates(record, folder, dicom, faults))
    for source in found:
        if source.grid is not None and lies_on(segmentation.grid, source.grid):
            return source
    if found:
        raise GridMismatchError(
            f"the mask lies on the voxels of none of the {len(found)} DICOM series; resample it to one of them first"
        )
    reason = f" ({faults[0]})" if faults else ""
    raise InputError(f"the record names no DICOM series{reason}; give the source with --dicom FOLDER")


def _candidates(record: Record, folder: Path, dicom: Path | None, faults: list[str]) -> Iterator[Source]:
    from medseg import io
    from medseg.io.choose import choose

    if dicom is not None:
        yield from (source for source in io.inspect(dicom) if source.grid is not None and source.instances)
        return
    for item in record.images:
        if item.series_uid is None:
            continue
        path = folder / item.path
        try:
            options = ReadOptions(series=item.series_uid, volume=item.volume)
            yield choose(path, io.inspect(path), options)
        except MedsegError as error:
            faults.append(str(error))


def _seg(material: Material) -> Iterator[tuple[str, bytes]]:
    from medseg.io.dicom.checked import checked_seg

    yield "segmentation.dcm", checked_seg(_seg_object(material), material.segmentation, material.origin)


def _seg_object(material: Material) -> Any:
    """The SEG, made once: an SR beside it refers to the same object."""
    from medseg.io.dicom.seg_write import SegOptions, make_seg

    if "seg" not in material.objects:
        options = SegOptions(material.options.seg_kind, material.record.review, material.uids)
        material.objects["seg"] = make_seg(material.segmentation, material.origin, options)
    return material.objects["seg"]


def _sr(material: Material) -> Iterator[tuple[str, bytes]]:
    from medseg.io.dicom.checked import checked_sr
    from medseg.io.dicom.sr_write import SrInput, make_sr

    seg = _seg_object(material) if "seg" in material.options.kinds else None
    sr = make_sr(material.record, SrInput(material.origin, seg, uids=material.uids))
    yield "measurements.dcm", checked_sr(sr, material.record)


_MAKERS: dict[str, Callable[[Material], Iterator[tuple[str, bytes]]]] = {"seg": _seg, "sr": _sr}
