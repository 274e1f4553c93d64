"""De-identified export: sources and derived objects together, under one map of UIDs and one shift of dates."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medseg.domain import Finding, InputRef, Quantity, Record, Source
from medseg.domain.plan import PetPlan
from medseg.domain.record import Review
from medseg.errors import InputError, OutputError
from medseg.io.atomic import staged_folder
from medseg.io.dicom.checked import reread, to_bytes
from medseg.io.dicom.deid.check import Traces, blank, collect, require_clean_object, require_clean_text, scrub
from medseg.io.dicom.deid.deidentify import (
    Cleaning,
    clean,
    findings_on,
    pixels_of,
    read_whole,
    require_clean_pixels,
)
from medseg.io.dicom.deid.key import Disguise, Key, identity_of, read_key
from medseg.io.dicom.deid.vocabulary import without_typed
from medseg.io.dicom.derived.origin import Origin, read_origin
from medseg.io.unfinished import may_replace
from medseg.reporting import record_from_json, record_to_json
from medseg.workflows.objects import Material
from medseg.workflows.record import read_record, result_digest

__all__ = ["DeidentifyOptions", "Hidden", "deidentify_export", "findings_in", "hide"]

#: Header facts of an image that people may have typed → the attribute whose words they are.
_TYPED_DETAILS = {"kernel": "ConvolutionKernel", "model": "ManufacturerModelName"}

#: Numbers from which height and weight follow, beside the size that was divided.
_OF_THE_BODY = (
    Quantity.VOLUME_BY_HEIGHT,
    Quantity.VOLUME_BY_SURFACE,
    Quantity.TISSUE_HEIGHT_INDEX,
    Quantity.TISSUE_SURFACE_INDEX,
)
#: The delineation that takes sex, height and weight.
_PERCIST = "percist"
#: Pages inside a FHIR bundle.
_ATTACHMENT = re.compile(r'"data":"[A-Za-z0-9+/=]*"')
#: Folder of the sources inside the export; name of the Record without identity.
SOURCE, RECORD = "source", "record.json"


@dataclass(frozen=True, slots=True)
class DeidentifyOptions:
    """How an export is de-identified.

    Parameters
    ----------
    key
        File with the secret; made if it is not there. The same key gives the same pseudonym, UIDs and dates.
        None takes a random one and forgets it.
    keep_characteristics
        Retain Patient Characteristics (113108): sex, age, size, weight, pregnancy, smoking.
    sources
        Whether the source series are written, too. Without them, the key must know the series already, or the
        source must be de-identified.
    """

    key: Path | None = None
    keep_characteristics: bool = False
    sources: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """What objects may be made from, and what their makers need to know to check them.

    Parameters
    ----------
    record
        Under the pseudonym, not reviewed, without places of files.
    material
        The same for the makers of DICOM objects; None where the Record has no DICOM source.
    """

    record: Record
    material: Material | None
    cleaning: Cleaning
    traces: Traces
    key: Key
    options: DeidentifyOptions
    series: tuple[Origin, ...] = ()
    findings: tuple[Finding, ...] = ()
    texts: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def changes_objects(self) -> bool:
        """False where the source is de-identified already and stays as it is."""
        return self.cleaning.disguise.known_as is None


def hide(
    record: Record,
    material: Material | None,
    options: DeidentifyOptions,
    *,
    out: Path,
    others: Iterable[Source] = (),
) -> Hidden:
    """Everything that is needed to make objects without identity; nothing is written.

    `others` are further DICOM series of the Record (a PET beside its CT), whose sources are written as well.

    Raises
    ------
    InputError
        If pixels may hold names, the key file lies in `out`, or derived objects alone would refer to nothing.
    OutputError
        If `out` holds files.
    """
    if out.is_dir() and any(out.iterdir()) and not may_replace(out):
        raise OutputError(f"{out} exists already, and what lies in it may say who it is; give a new folder")
    if options.key is not None and out.resolve() in options.key.resolve().parents:
        raise InputError("the key file would lie among the files that are given away; choose another place")
    key = read_key(options.key)
    series = _all_series(material, others)
    datasets = [ds for origin in series for ds in origin.datasets]
    cleaning = Cleaning(
        _disguise(record, datasets, key, options), keep_characteristics=options.keep_characteristics
    )
    findings = _look_at(series, options) if cleaning.disguise.known_as is None else ()
    traces = collect(datasets if cleaning.disguise.known_as is None else (), cleaning)
    _add_own_names(record, traces, cleaning.disguise.pseudonym)
    told = record if options.keep_characteristics else _without_characteristics(record)
    bare = _pseudonymous(told, traces, cleaning, series)
    bare = replace(bare, findings=tuple(dict.fromkeys((*bare.findings, *findings))))
    hidden = None if material is None else _hidden_material(material, bare)
    return Hidden(bare, hidden, cleaning, traces, key, options, series, findings)


def deidentify_export(made: Mapping[str, bytes], hidden: Hidden, out: Path) -> dict[str, Path]:
    """Clean, check and write what was made of `Hidden`, with its sources and its Record, as one new folder.

    Objects are those of the makers, which still have the source's headers. Each is read again after cleaning and
    searched for everything that was taken out of the source; the pixels of sources are compared byte by byte.

    Returns
    -------
    dict
        Name inside the folder → path.

    Raises
    ------
    OutputError
        If anything of the source still stands in any file, or the folder exists and holds files.
    """
    texts = {name: data for name, data in made.items() if not name.endswith(".dcm")}
    texts[RECORD] = record_to_json(hidden.record)
    for name, data in texts.items():
        require_clean_text(
            _without_attachment(data.decode("utf-8")), hidden.traces, hidden.cleaning.disguise, name
        )
    objects = {name: _derived(data, hidden) for name, data in made.items() if name.endswith(".dcm")}
    names = list(texts) + list(objects)
    with staged_folder(out) as folder:
        for name, data in (texts | objects).items():
            (folder / name).write_bytes(data)
        if hidden.options.sources:
            for name, data in _sources(hidden):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(data)
                names.append(name)
        _remember(hidden)
    return {name: out / name for name in names}


def _without_attachment(text: str) -> str:
    """JSON without the pages in it: drawn from the Record without identity, and base64 spells names by chance."""
    return _ATTACHMENT.sub("", text)


def findings_in(out: Path) -> tuple[Finding, ...]:
    """What the one who gives a de-identified export away must know: a face, SUVs that can't be computed any more."""
    return tuple(item for item in read_record(out / RECORD).findings if item.code.startswith("deid."))


def _all_series(material: Material | None, others: Iterable[Source]) -> tuple[Origin, ...]:
    if material is None:
        return ()
    found = [material.origin]
    for source in others:
        origin = read_origin(source)
        names = {_name(item) for item in found}
        if _name(origin) not in names:
            found.append(origin)
    return tuple(found)


def _name(origin: Origin) -> tuple[str, str]:
    """Series and first object: two volumes of one series are two."""
    return str(origin.first.get("SeriesInstanceUID")), str(origin.first.get("SOPInstanceUID"))


def _disguise(record: Record, datasets: list[Any], key: Key, options: DeidentifyOptions) -> Any:
    if not datasets:
        return Disguise(key.secret, f"subject {record.subject}")
    first = datasets[0]
    identity = identity_of(first)
    if any(identity_of(ds) != identity for ds in datasets):
        raise InputError("the record's series are of different patients; one export has one pseudonym")
    found = Disguise(key.secret, identity, _latest(datasets))
    series = str(first.get("SeriesInstanceUID"))
    if options.sources or key.knows(found.pseudonym, series):
        return found
    if str(first.get("PatientIdentityRemoved") or "").upper() == "YES":
        return replace(found, known_as=str(first.get("PatientID") or record.subject))
    raise InputError(
        "derived objects alone would refer to images that nobody has: give the key file that the source was "
        "de-identified with, or write the sources as well"
    )


def _latest(datasets: list[Any]) -> str:
    names = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "AcquisitionDateTime")
    days = (str(ds.get(name) or "")[:8] for ds in datasets for name in names)
    return max((day for day in days if day.isdecimal() and len(day) == 8), default="")


def _look_at(series: tuple[Origin, ...], options: DeidentifyOptions) -> tuple[Finding, ...]:
    found: dict[Finding, None] = {}
    for origin in series:
        for ds in origin.datasets:
            require_clean_pixels(ds)
        keep = options.keep_characteristics
        found |= dict.fromkeys(findings_on(origin.first, keep_characteristics=keep))
    return tuple(found)


def _add_own_names(record: Record, traces: Traces, pseudonym: str) -> None:
    """Names that no header holds: of files, of the subject, of the reviewer."""
    words = {item.name for item in record.table.labels} | {item.name for item in record.table.regions}
    for item in record.inputs:
        # A plain word, such as `image`, says nothing; neither does a mask's file named like its structure.
        parts = [part for part in Path(item.path).parts if any(c.isdigit() or c in "_^, " for c in part)]
        stems = [part.split(".")[0] for part in parts if "_" in part]
        traces.add_names((name for name in (*parts, *stems) if name not in words), "file name")
    traces.add_names([record.subject] if record.subject != pseudonym else [], "subject")
    traces.add_names([record.review.reviewer or "", record.review.organization or ""], "reviewer")


def _without_characteristics(record: Record) -> Record:
    """The Record without age, sex and size of the patient, and without the numbers that tell them."""
    plan = record.plan
    tissue = None if plan.tissue is None else replace(plan.tissue, height_m=None, weight_kg=None)
    normal = None if plan.normal is None else replace(plan.normal, height_m=None, weight_kg=None)
    pet, by_body = _pet_without_size(plan.pet)
    kept = tuple(
        replace(item, placement=None)
        for item in record.measurements
        if item.quantity not in _OF_THE_BODY and not (by_body and item.target.detail == _PERCIST)
    )
    bare = replace(plan, tissue=tissue, pet=pet, normal=normal, reference=None)
    if bare == plan and kept == record.measurements:
        return record
    text = (
        "Age, sex and size of the patient were removed, and with them sizes divided by those of the body, numbers by "
        "PERCIST and places among reference values; keep them with --keep-patient-characteristics."
    )
    findings = (*record.findings, Finding("deid.characteristics", "info", text))
    told = replace(record, plan=bare, measurements=kept, findings=findings)
    return replace(told, result_digest=result_digest(told))


def _pet_without_size(plan: PetPlan | None) -> tuple[PetPlan | None, bool]:
    """How the PET was measured without the patient's size, and whether PERCIST rested on it: it says so in words."""
    if plan is None or (plan.sex, plan.height_m, plan.weight_kg) == (None, None, None):
        return plan, False
    others = tuple(name for name in plan.delineations if name != _PERCIST)
    return replace(plan, delineations=others, sex=None, height_m=None, weight_kg=None), True


def _pseudonymous(record: Record, traces: Traces, cleaning: Cleaning, series: tuple[Origin, ...]) -> Record:
    """The Record under its pseudonym: no review, no places, UIDs and dates as everywhere else."""
    findings = record.findings
    if record.review.state == "reviewed":
        text = "It was reviewed before it was de-identified; the signature names a person and does not carry over."
        findings = (*findings, Finding("review.removed", "info", text))
    folders = {_name(origin)[0]: f"{SOURCE}/series-{n}" for n, origin in enumerate(series, start=1)}
    bare = replace(
        record,
        subject=cleaning.disguise.pseudonym,
        inputs=tuple(_bare_input(item, folders) for item in record.inputs),
        findings=findings,
        panels=(),
        review=Review(),
    )
    places = _places(record)

    def cleaned(value: Any) -> Any:
        if isinstance(value, str):
            for old, new in places:
                value = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", new, value)
            return scrub(value, traces, cleaning.disguise)
        if isinstance(value, list):
            return [cleaned(item) for item in value]
        return {key: cleaned(item) for key, item in value.items()} if isinstance(value, dict) else value

    plain = json.loads(record_to_json(bare))
    return record_from_json(json.dumps(cleaned(plain), ensure_ascii=False).encode())


def _bare_input(item: InputRef, folders: Mapping[str, str]) -> InputRef:
    details = tuple((key, _bare_detail(key, value)) for key, value in item.details)
    return replace(item, path=folders.get(item.series_uid or "", ""), details=details)


def _bare_detail(key: str, value: Any) -> Any:
    """A header fact without what may have been typed."""
    if key == "contrast" and value:
        return "REMOVED"
    return without_typed(_TYPED_DETAILS[key], str(value)) if key in _TYPED_DETAILS and value else value


def _places(record: Record) -> list[tuple[str, str]]:
    """Names of input files as findings and settings may say them → neutral ones, longest first."""
    found: dict[str, str] = {}
    for number, item in enumerate(record.inputs, start=1):
        if item.path:
            found |= {item.path: f"input-{number}", Path(item.path).name: f"input-{number}"}
    words = {item.name for item in record.table.labels} | {item.name for item in record.table.regions}
    words |= {item.channel for item in record.inputs} | {"mask", "image"}
    return sorted(
        ((old, new) for old, new in found.items() if old not in words), key=lambda pair: -len(pair[0])
    )


def _hidden_material(material: Material, bare: Record) -> Material:
    mask = replace(material.segmentation, made_by=bare.made_by, findings=bare.findings)
    hidden = replace(material, record=bare, segmentation=mask, objects={})
    if {"dicom-pdf", "secondary-capture"} & set(material.kinds):
        # Its pictures need the images, which only the Record with their places can find.
        hidden.objects["pdf"] = material.page(bare)
    return hidden


def _derived(data: bytes, hidden: Hidden) -> bytes:
    """A derived object under the disguise, read again and searched."""
    if hidden.changes_objects:
        ds = reread(data)
        clean(ds, replace(hidden.cleaning, derived=True))
        data = to_bytes(ds)
    require_clean_object(data, reread(data), hidden.traces, hidden.cleaning.disguise)
    return data


def _sources(hidden: Hidden) -> Iterator[tuple[str, bytes]]:
    for number, origin in enumerate(hidden.series, start=1):
        for place, header in enumerate(origin.datasets, start=1):
            name = f"{SOURCE}/series-{number}/{hidden.record.subject}-{number}-{place:05d}.dcm"
            yield name, _source(header, hidden)


def _source(header: Any, hidden: Hidden) -> bytes:
    ds = read_whole(header)
    pixels = pixels_of(ds)
    clean(ds, hidden.cleaning)
    blank(ds, hidden.traces)
    data = to_bytes(ds)
    again = reread(data)
    if pixels_of(again) != pixels:
        raise OutputError("nothing was written: the pixels of a source changed on the way")
    require_clean_object(data, again, hidden.traces, hidden.cleaning.disguise)
    return data


def _remember(hidden: Hidden) -> None:
    """The key knows the source from now on; a source that stays as it is needs no key."""
    if not hidden.changes_objects:
        return
    datasets = [ds for origin in hidden.series for ds in origin.datasets]
    hidden.key.remember(
        hidden.cleaning.disguise,
        {str(ds.get("StudyInstanceUID") or "") for ds in datasets},
        {str(ds.get("SeriesInstanceUID") or "") for ds in datasets},
    )
    hidden.key.save()
