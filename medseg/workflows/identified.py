"""Whose images a Record was measured on: read again from its source each time, checked, and never kept."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from medseg import io
from medseg.domain import Image, ReadOptions, Record, Source
from medseg.domain.study import Identity, PatientFacts
from medseg.errors import InputError, MedsegError
from medseg.io.choose import choose
from medseg.io.dicom.deid.key import identity_of
from medseg.io.dicom.derived.origin import lies_on_series, read_headers
from medseg.io.dicom.derived.study import identity_in, studies_of
from medseg.workflows.reopen import reopen_image

__all__ = ["dicom_sources", "mask_first", "patient_of_images", "patient_of_record", "sources_of_mask"]

#: What to do where the Record itself names no series.
_GIVE = "give the source with --dicom FOLDER"


def patient_of_images(images: Mapping[str, Image]) -> PatientFacts:
    """Patient and days of acquisition of images by channel, which were checked to be those that were measured.

    Raises
    ------
    InputError
        If none of them is DICOM, or they do not name one patient.
    """
    sources = [(name, item.source) for name, item in images.items() if item.source is not None]
    return _facts(sources, "measure on the DICOM series")


def patient_of_record(record: Record, folder: Path, dicom: Path | None) -> PatientFacts:
    """The same of a Record on disk: its DICOM images are read again and checked by digest.

    Of a folder given it is the series on whose voxels the mask lies.
    """
    if dicom is not None:
        return _facts([("", item) for item in sources_of_mask(record, folder, dicom)], _GIVE)
    try:
        images = {
            item.channel: reopen_image(record, item, folder / item.path)
            for item in record.images
            if item.series_uid is not None
        }
    except MedsegError as error:
        raise InputError(f"nobody can be named without the source that was measured: {error}") from error
    return _facts([(name, item.source) for name, item in images.items() if item.source is not None], _GIVE)


def sources_of_mask(record: Record, folder: Path, dicom: Path | None) -> tuple[Source, ...]:
    """The series that were measured, that of the mask first; of a folder given, that of the mask alone."""
    return mask_first(record, dicom_sources(record, folder, dicom, []), alone=dicom is not None)


def mask_first(record: Record, sources: Iterable[Source], *, alone: bool) -> tuple[Source, ...]:
    """Series with those that the mask lies on first; `alone` leaves out the others."""
    found = list(sources)
    of_mask = [item for item in found if item.grid and lies_on_series(record.mask.grid, item.grid)]
    others = [] if alone else [item for item in found if item not in of_mask]
    return (*of_mask, *others)


def dicom_sources(record: Record, folder: Path, dicom: Path | None, faults: list[str]) -> Iterator[Source]:
    """The DICOM series of a Record, or of the folder given; `faults` gets why one can't be read."""
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


def _facts(sources: Sequence[tuple[str, Source]], advice: str) -> PatientFacts:
    headers = [
        (name, list(read_headers(source).values())) for name, source in sources if source.format == "dicom"
    ]
    if not headers:
        raise InputError(f"no DICOM series says who the patient is; {advice}, or leave out --identified")
    identity = _patient_of([ds for _, those in headers for ds in those])
    days = [(name, _started(those)) for name, those in headers]
    return PatientFacts(identity, tuple((name, day) for name, day in days if day))


def _started(headers: Iterable[Any]) -> str:
    return next((series.started for study in studies_of(headers) for series in study.series), "")


def _patient_of(headers: Sequence[Any]) -> Identity:
    """The patient whom all these headers name.

    Raises
    ------
    InputError
        If they are of different patients, or name nobody.
    """
    if len({identity_of(ds) for ds in headers}) > 1:
        raise InputError("the record's series are of different patients, so nobody can be named")
    found = identity_in(headers[0])
    if not found.patient_id and not found.name:
        raise InputError("the source has neither a name nor an id of the patient; leave out --identified")
    if str(headers[0].get("PatientIdentityRemoved") or "").upper() == "YES":
        raise InputError("the source was de-identified, so it names nobody; leave out --identified")
    return found
