"""Export: a Record and what it names as objects that hospital systems read."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

from medseg.domain import Finding, Image, Record, Segmentation, Source
from medseg.domain.provenance import GIVEN
from medseg.domain.study import PatientFacts
from medseg.errors import GridMismatchError, InputError
from medseg.io.atomic import staged_file
from medseg.io.dicom.derived.attributes import Uids
from medseg.io.dicom.derived.maker import MakerKind, declared_maker
from medseg.io.dicom.derived.origin import lies_on_series, read_headers, read_origin
from medseg.io.dicom.seg.kind import Packing, SegChoice
from medseg.io.unfinished import together
from medseg.reporting.record.json import content_digest
from medseg.workflows.deidentify import DeidentifyOptions, Hidden, deidentify_export, hide
from medseg.workflows.fhir import FhirSources, fhir_bundle
from medseg.workflows.followup_record import tracking_uids
from medseg.workflows.identified import dicom_sources, mask_first, patient_of_images, patient_of_record
from medseg.workflows.lookup import find_inputs
from medseg.workflows.objects import MAKERS, Made, Material
from medseg.workflows.record import read_record
from medseg.workflows.reopen import reopen_mask, require_digest

__all__ = ["KINDS", "ExportOptions", "Exported", "export", "export_files", "series_of"]

#: What can be asked for, in the order in which it is made.
KINDS = ("seg", "sr", "rtstruct", "dicom-pdf", "secondary-capture", "key-images", "fhir")
#: Kinds that name the patient where they are asked to; the headers of DICOM objects do always.
_NAMING = {"fhir", "dicom-pdf", "secondary-capture"}


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How a Record is exported.

    Parameters
    ----------
    kinds
        Of `KINDS`; at least one.
    seg_kind, packing
        BINARY, FRACTIONAL (needs probabilities), LABELMAP, or AUTO: see `io.dicom.seg.kind`.
    sr_all, fhir_all
        Whether SR and FHIR state every number, or those that people read.
    dicom
        Folder of the source series, where the Record's images are no DICOM or lie elsewhere now.
    stable_uids
        Derive UIDs from the Record's content: the same input gives the same UIDs.
    force
        Whether files that exist may be replaced; a de-identified export wants a new folder all the same.
    deidentify
        How sources and objects are de-identified together; None leaves the identity in.
    made_by, by
        What made a mask that came from elsewhere, and how; an unknown origin is declared as such.
    identified
        Whether FHIR and the pages of the report name the patient, by name, id, birth date and sex as the source has
        them now. DICOM objects always carry the patient of their source in their headers.
    windows
        (channel, low, high): grey values of the pictures in PDF and captures, as a reader has set them.
    followup
        JSON of a follow-up with this Record among its scans: lesions keep their tracking UIDs.
    """

    kinds: tuple[str, ...]
    seg_kind: SegChoice = "AUTO"
    packing: Packing = "AUTO"
    sr_all: bool = False
    fhir_all: bool = False
    dicom: Path | None = None
    stable_uids: bool = False
    force: bool = False
    deidentify: DeidentifyOptions | None = None
    made_by: str | None = None
    by: MakerKind | None = None
    identified: bool = False
    windows: tuple[tuple[str, float, float], ...] = ()
    followup: Path | None = None

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            raise InputError(
                f"export one or more of {', '.join(KINDS)}; not {', '.join(unknown) or 'nothing'}"
            )
        if self.identified and (self.deidentify is not None or not _NAMING & set(self.kinds)):
            raise InputError(
                "--identified is for --fhir, --dicom-pdf and --secondary-capture, and not together with --deidentify; "
                "SEG, SR and RTSTRUCT carry the patient of their source anyway"
            )


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written; of a SEG how many frames it holds, and which viewers can't show it."""

    path: Path
    frames: int | None = None
    findings: tuple[Finding, ...] = ()


def export_files(
    path: Path, out: Path, options: ExportOptions, *, among: Sequence[Path] = ()
) -> dict[str, Exported]:
    """Make every object asked for, read each again and compare, then give all of them their names in `out`.

    `among` are files that hold the inputs, where they are not where the Record says: see `find_inputs`.

    Returns
    -------
    dict
        Name of the file → where it was written.

    Raises
    ------
    InputError
        If the mask or the source is missing or changed, or an object can't say what the Record says.
    GridMismatchError
        If the mask does not lie on the voxels of the source series.
    """
    with together(out):
        record = find_inputs(read_record(path), path.parent, among)
        return _exported(_Inputs(record, path.parent), out, options)


def export(
    record: Record, segmentation: Segmentation, images: Mapping[str, Image], out: Path, options: ExportOptions
) -> dict[str, Exported]:
    """The same from values: a Record, its mask, and its images by channel, as `open_record` gives them.

    Raises
    ------
    InputError, GridMismatchError
        As `export_files`; also if mask or images are not those of the Record, by digest.
    """
    require_digest(record.mask, segmentation.digest)
    for item in record.images:
        require_digest(item, images[item.channel].digest)
    with together(out):
        return _exported(_Inputs(record, Path(), segmentation, images), out, options)


@dataclass(frozen=True, slots=True, eq=False)
class _Inputs:
    """A Record with its mask and images, or with the folder from which they are read again."""

    record: Record
    folder: Path
    mask: Segmentation | None = None
    images: Mapping[str, Image] | None = None

    def segmentation(self, record: Record) -> Segmentation:
        """The mask, with the names and the history that `record` gives it: what the user declared is in it."""
        if self.mask is None:
            return reopen_mask(record, self.folder / record.mask.path)
        return replace(self.mask, table=record.table, made_by=record.made_by)

    def sources(self, dicom: Path | None, faults: list[str]) -> Iterator[Source]:
        """DICOM series that the mask may lie on: those in a folder that was given, else those of the images."""
        if dicom is None and self.images is not None:
            yield from (item for image in self.images.values() if (item := series_of(image)) is not None)
        else:
            yield from dicom_sources(self.record, self.folder, dicom, faults)

    def patient(self, dicom: Path | None) -> PatientFacts:
        """Whom the images show, by their source."""
        if dicom is None and self.images is not None:
            return patient_of_images(self.images)
        return patient_of_record(self.record, self.folder, dicom)


def series_of(image: Image) -> Source | None:
    """The DICOM series that an image is of; None where it is of none."""
    source = image.source
    return source if source is not None and source.format == "dicom" and source.instances else None


def _exported(inputs: _Inputs, out: Path, options: ExportOptions) -> dict[str, Exported]:
    record = named = _declared(inputs.record, options)
    material = _material(record, inputs, options) if _needs_source(record, options) else None
    patient = inputs.patient(options.dicom) if options.identified else None
    if material is not None:
        material = replace(material, patient=patient)
    hidden = None
    if options.deidentify is not None:
        others = inputs.sources(None, [])
        hidden = hide(record, material, options.deidentify, out=out, others=others)
        record, material = hidden.record, hidden.material
    made = _made(material, options.kinds)
    if "fhir" in options.kinds:
        uids = _tracking_uids(named, material, options)
        sources = FhirSources(_headers(named, inputs, options.dicom), uids, material, hidden, patient)
        made.append(fhir_bundle(record, sources, everything=options.fhir_all))
    if hidden is not None:
        return _write_hidden(made, hidden, out)
    with ExitStack() as stack:
        # All are written beside their names first, so that none gets its name when one can't be written.
        for item in made:
            staged = stack.enter_context(staged_file(out / item.name, force=options.force))
            staged.write_bytes(item.data)
    return {item.name: Exported(out / item.name, item.frames, item.findings) for item in made}


def _declared(record: Record, options: ExportOptions) -> Record:
    """The Record with what the user says of a mask that came without a history."""
    if options.made_by is None or options.by is None:
        return record
    made = record.made_by
    if made.segmenter != GIVEN:
        raise InputError(f"this mask says what made it ({made.segmenter}); only a given one can be declared")
    said = declared_maker(options.by, options.made_by)
    kept = tuple(item for item in made.parameters if item[0] not in dict(said))
    return replace(record, made_by=replace(made, parameters=(*kept, *said)))


def _needs_source(record: Record, options: ExportOptions) -> bool:
    """Whether the DICOM series is needed: by an object of it, or to hide whose it is."""
    named = options.dicom is not None or any(item.series_uid for item in record.images)
    return bool(set(options.kinds) - {"fhir"}) or (options.deidentify is not None and named)


def _made(material: Material | None, kinds: tuple[str, ...]) -> list[Made]:
    if material is None:
        return []
    return [item for kind in KINDS if kind in kinds and kind in MAKERS for item in MAKERS[kind](material)]


def _headers(record: Record, inputs: _Inputs, dicom: Path | None) -> list[Any]:
    """Headers of the series that were measured, that of the mask first."""
    sources = mask_first(record, inputs.sources(dicom, []), alone=dicom is not None)
    return [ds for source in sources for ds in read_headers(source).values()]


def _tracking_uids(record: Record, material: Material | None, options: ExportOptions) -> Uids | None:
    """What the export tracks structures by; None where a UID would stand in no other object."""
    if material is not None and {"seg", "sr"} & set(options.kinds):
        return material.uids
    if not options.stable_uids and options.followup is None:
        return None
    return _uids(record, options)


def _uids(record: Record, options: ExportOptions) -> Uids:
    known = () if options.followup is None else tracking_uids(options.followup, record)
    return Uids(content_digest(record) if options.stable_uids else token_hex(16), known)


def _write_hidden(made: list[Made], hidden: Hidden, out: Path) -> dict[str, Exported]:
    written = deidentify_export({item.name: item.data for item in made}, hidden, out)
    known = {item.name: item for item in made}
    return {
        name: Exported(path, known[name].frames, known[name].findings) if name in known else Exported(path)
        for name, path in written.items()
    }


def _material(record: Record, inputs: _Inputs, options: ExportOptions) -> Material:
    segmentation = inputs.segmentation(record)
    origin = read_origin(_source(inputs, segmentation, options.dicom))
    return Material(
        record,
        inputs.folder,
        segmentation,
        origin,
        _uids(record, options),
        options.seg_kind,
        options.packing,
        options.kinds,
        options.sr_all,
        images=inputs.images,
        windows=options.windows,
    )


def _source(inputs: _Inputs, segmentation: Segmentation, dicom: Path | None) -> Source:
    """The DICOM series on whose voxels the mask lies: among the Record's images, else in the folder given."""
    faults: list[str] = []
    found = list(inputs.sources(dicom, faults))
    for source in found:
        if source.grid is not None and lies_on_series(segmentation.grid, source.grid):
            return source
    if found:
        raise GridMismatchError(
            f"the mask lies on the voxels of none of the {len(found)} DICOM series; resample it to one of them first"
        )
    reason = f" ({faults[0]})" if faults else ""
    raise InputError(f"the record names no DICOM series{reason}; give the source with --dicom FOLDER")
