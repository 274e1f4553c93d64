"""Writing DICOM SR (TID 1500) by highdicom: numbers per structure with a place to find it, and its axes drawn."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from medseg._version import __version__
from medseg.domain import Measurement, Quantity, Record, Target
from medseg.errors import InputError
from medseg.io.dicom.derived.attributes import (
    MANUFACTURER,
    MODEL_NAME,
    SERIES_NUMBER,
    Uids,
    person_name,
    research_title,
    state_series_time,
)
from medseg.io.dicom.derived.fit import fit_sources
from medseg.io.dicom.derived.maker import maker_of
from medseg.io.dicom.derived.observers import observers_of
from medseg.io.dicom.derived.origin import Origin
from medseg.io.dicom.sr.codes import IMAGING, concept, own_scheme, quantity_code, sr_value, unit_code
from medseg.io.dicom.sr.library import image_library
from medseg.io.dicom.sr.lines import Line, coordinates, lines_of
from medseg.io.dicom.sr.place import centre_of, finding_of, words_of
from medseg.io.dicom.sr.values import add_center, add_comment, add_interval, add_text, clear_missing
from medseg.masks.changes import edit_text

__all__ = ["SrInput", "make_sr", "rows_of", "target_name"]

_SERIES = 10


@dataclass(frozen=True, slots=True, eq=False)
class SrInput:
    """What an SR refers to, and how much it says.

    Parameters
    ----------
    origin
        The source series.
    seg
        The SEG whose segments are the labels and regions; None refers to none.
    lesions
        The SEG whose segments are lesions, named as `lesion_name` does.
    uids
        The maker of UIDs that made the SEGs, so that tracking UIDs agree.
    everything
        Every number of the Record; else those that their rows mark as brief.
    """

    origin: Origin
    seg: Any = None
    lesions: Any = None
    uids: Uids = field(default_factory=Uids)
    everything: bool = False


def make_sr(record: Record, refers: SrInput) -> Any:
    """A Comprehensive 3D SR of a Record's measurements: those that people read, or every one.

    The images stand in an image library (TID 1600). Each structure has a group by TID 1411 that refers to its
    segment, with its centre as a point, so that a viewer has a place to show the numbers at. Its axes are a
    group of their own (TID 1501) with their own tracking UID, called as Cornerstone's tool is, and drawn in
    pixels of their slice where they lie in one, else in space. All positions are LPS, also those that are
    numbers. Volumes are in cm3, since SR has no ml. Values carry float64 beside the decimal string. What was not
    computed is a NUM without a value, with a qualifier of CID 42 and the reason as text; a lower bound has its
    comment. Rows in pixels are left out: an SR states sizes in the patient.

    Raises
    ------
    InputError
        If the Record holds no number that an SR could state.
    """
    from highdicom.sr import Comprehensive3DSR, MeasurementReport, ObservationContext

    sources = fit_sources(refers.origin)
    rows = rows_of(record, everything=refers.everything)
    if not rows:
        raise InputError("the record holds no number that an SR could state; --sr-all tells more than --sr")
    # Viewers go through the groups from the last, so that lines come after what may have no place.
    groups = _groups(record, rows, refers, sources)
    evidence = [*sources, *(item for item in (refers.seg, refers.lesions) if item is not None)]
    review = record.review
    reviewed = review.state == "reviewed"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names and times of real headers; they are the source's
        report = MeasurementReport(
            observation_context=ObservationContext(*observers_of(review, refers.uids)),
            procedure_reported=concept(IMAGING),
            imaging_measurements=groups,
        )
        # Before the measurements, where TID 1500 has it.
        report[0].ContentSequence.insert(-1, image_library(refers.origin, sources))
        sr = Comprehensive3DSR(
            evidence=evidence,
            content=report,
            series_instance_uid=refers.uids.make("series SR"),
            series_number=SERIES_NUMBER + _SERIES,
            sop_instance_uid=refers.uids.make("object SR"),
            instance_number=1,
            manufacturer=MANUFACTURER,
            is_complete=True,
            is_final=reviewed,
            is_verified=reviewed,
            verifying_observer_name=person_name(str(review.reviewer)) if reviewed else None,
            verifying_organization=review.organization if reviewed else None,
            series_description=research_title(review, "Measurements"),
        )
    clear_missing(sr.ContentSequence)
    _state_review(sr, record)
    state_series_time(sr)
    return sr


def rows_of(record: Record, *, everything: bool) -> list[Measurement]:
    """What an SR states of a Record: sizes in the patient, of structures; in a short one those marked as brief."""
    return [
        item
        for item in record.measurements
        if item.target.kind != "pair" and "{px}" not in item.unit and (everything or item.quantity.info.brief)
    ]


def _state_review(sr: Any, record: Record) -> None:
    sr.ManufacturerModelName, sr.SoftwareVersions, sr.DeviceSerialNumber = MODEL_NAME, __version__, "0"
    sr.CodingSchemeIdentificationSequence = [own_scheme()]
    sr.CompletionFlagDescription = research_title(record.review, "not a medical device")
    signed_at = record.review.signed_at
    if "VerifyingObserverSequence" in sr and signed_at:
        moment = datetime.fromisoformat(signed_at)
        sr.VerifyingObserverSequence[0].VerificationDateTime = moment.strftime("%Y%m%d%H%M%S%z")


def _groups(
    record: Record, rows: Sequence[Measurement], refers: SrInput, sources: Sequence[Any]
) -> list[Any]:
    """Structures first, then everything that is drawn."""
    of_target: dict[Target, list[Measurement]] = {}
    for item in rows:
        of_target.setdefault(item.target, []).append(item)
    structures, lines = [], []
    for target, items in of_target.items():
        spans = [item for item in items if item.points_mm]
        sizes = [item for item in items if item not in spans]
        if sizes:
            structures.append(_structure(record, target, sizes, refers, str(sources[0].FrameOfReferenceUID)))
        lines += [_line(record, line, refers, sources) for line in lines_of(spans)]
    return [*structures, *lines]


def _structure(
    record: Record, target: Target, sizes: list[Measurement], refers: SrInput, frame_of_reference: str
) -> Any:
    """The group of a structure: its segment where there is one, its numbers, and its centre."""
    from highdicom.sr import (
        MeasurementsAndQualitativeEvaluations,
        TrackingIdentifier,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )

    name = target_name(target)
    sizes = sorted(sizes, key=lambda item: item.quantity is not Quantity.VOLUME)
    stated = {
        "tracking_identifier": TrackingIdentifier(uid=refers.uids.make(f"tracking {name}"), identifier=name),
        "algorithm_id": _algorithm(record),
        "measurements": [_measured(item) for item in sizes],
        **finding_of(record.table, target),
    }
    segment = _segment(target, refers)
    group: Any
    if segment is None:
        group = MeasurementsAndQualitativeEvaluations(**stated)
    else:
        group = VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=segment, **stated)
    centre = centre_of(record, target)
    if centre is not None:
        add_center(group[0], centre, frame_of_reference)
    add_text(group[0], words_of(record, target, name), contains=True)
    return group


def _line(record: Record, line: Line, refers: SrInput, sources: Sequence[Any]) -> Any:
    """A drawing by itself: its tracking identifier is the name of the tool, so the structure stands in a comment."""
    from highdicom.sr import MeasurementsAndQualitativeEvaluations, TrackingIdentifier

    target = line.items[0].target
    name = target_name(target)
    drawn = coordinates(line, refers.origin, sources)
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=refers.uids.make(f"tracking {name} {line.role}"), identifier=line.identifier
        ),
        algorithm_id=_algorithm(record),
        measurements=[_measured(item, place) for item, place in zip(line.items, drawn, strict=True)],
        **finding_of(record.table, target),
    )
    words = words_of(record, target, name)
    if line.tool == "Length":
        words = f"{name}: {line.items[0].quantity.info.title}"
    add_text(group[0], words, contains=True)
    return group


def target_name(target: Target) -> str:
    """Name of a structure as segments and tracking ids carry it; a lesion has its number.

    >>> target_name(Target("lesion", "tumour", (1,), 3))
    'tumour lesion 3'
    """
    name = target.name if target.lesion is None else f"{target.name} lesion {target.lesion}"
    return f"{name}, {target.detail}" if target.detail else name


def _segment(target: Target, refers: SrInput) -> Any:
    """Reference to the segment of a structure; None if no SEG holds it."""
    from highdicom.sr import ReferencedSegment, SourceSeriesForSegmentation

    seg = refers.lesions if target.kind == "lesion" else refers.seg
    if seg is None:
        return None
    wanted = target.name if target.lesion is None else f"{target.name} lesion {target.lesion}"
    for item in seg.SegmentSequence:
        if str(item.get("TrackingID", item.get("SegmentLabel", ""))) == wanted:
            series = str(refers.origin.first.SeriesInstanceUID)
            return ReferencedSegment(
                seg.SOPClassUID,
                seg.SOPInstanceUID,
                int(item.SegmentNumber),
                source_series=SourceSeriesForSegmentation(series),
            )
    return None


def _measured(item: Measurement, place: Any = None) -> Any:
    from highdicom.sr import Measurement as SrMeasurement

    found = SrMeasurement(
        name=concept(quantity_code(item.quantity)),
        value=sr_value(item) or 0.0,
        unit=concept(unit_code(item.unit)[0]),
        referenced_coordinates=None if place is None else [place],
    )
    add_comment(found[0], item)
    unit, factor = unit_code(item.unit)
    add_interval(found[0], item, factor, unit)
    return found


def _algorithm(record: Record) -> Any:
    from highdicom.sr import AlgorithmIdentification

    maker = maker_of(record.made_by)
    return AlgorithmIdentification(
        name=f"medseg: {maker.name}" if maker.own else maker.name or "not named",
        version=maker.version or "not stated",
        parameters=[*_facts(record)] or None,
    )


def _facts(record: Record) -> Iterator[str]:
    """What was asked of the segmenter, which model it was, and what was changed since."""
    made = record.made_by
    yield from (f"{name} = {value}" for name, value in made.parameters)
    if made.model is not None:
        model = made.model
        told = {"version": model.version, "licence": model.licence, "trained on": model.trained_on}
        told |= {"intended use": model.intended_use, "limits": " ".join(model.limits)}
        yield from (f"model {name} = {value}" for name, value in told.items() if value)
    yield from (f"edit {number} = {edit_text(edit)}" for number, edit in enumerate(made.edits, start=1))
