"""Writing DICOM SR (TID 1500) by highdicom: volumes and statistics per segment, axes with their polylines."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from medseg._version import __version__
from medseg.domain import Measurement, Quantity, Record, Target
from medseg.geometry import flip_positions
from medseg.io.dicom.derived.attributes import (
    MANUFACTURER,
    MODEL_NAME,
    SERIES_NUMBER,
    Uids,
    person_name,
    research_title,
)
from medseg.io.dicom.derived.fit import fit_sources
from medseg.io.dicom.derived.maker import maker_of
from medseg.io.dicom.derived.origin import Origin
from medseg.io.dicom.sr.codes import IMAGING, concept, own_scheme, quantity_code, unit_code
from medseg.io.dicom.sr.values import add_comment, clear_missing
from medseg.masks.changes import edit_text

__all__ = ["SrInput", "make_sr"]

_SERIES = 10


@dataclass(frozen=True, slots=True, eq=False)
class SrInput:
    """What an SR refers to.

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
    """

    origin: Origin
    seg: Any = None
    lesions: Any = None
    uids: Uids = field(default_factory=Uids)


def make_sr(record: Record, refers: SrInput) -> Any:
    """A Comprehensive 3D SR of every measurement of a Record.

    Each structure has a group by TID 1411 that refers to its segment, with everything but diameters, and one by
    TID 1501 with the same tracking UID for diameters and their polylines (LPS mm). Volumes are in cm3, since SR
    has no ml. Values carry float64 beside the decimal string. What was not computed is a NUM without a value,
    with a qualifier of CID 42 and the reason as text; a lower bound has its comment. Rows in pixels are left
    out: an SR states sizes in the patient.
    """
    from highdicom.sr import Comprehensive3DSR, MeasurementReport

    sources = fit_sources(refers.origin)
    groups = [group for target in _targets(record) for group in _groups(record, target, refers, sources[0])]
    evidence = [*sources, *(item for item in (refers.seg, refers.lesions) if item is not None)]
    review = record.review
    reviewed = review.state == "reviewed"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names and times of real headers; they are the source's
        report = MeasurementReport(
            observation_context=_observers(record, refers.uids),
            procedure_reported=concept(IMAGING),
            imaging_measurements=groups,
        )
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
    return sr


def _state_review(sr: Any, record: Record) -> None:
    sr.ManufacturerModelName, sr.SoftwareVersions, sr.DeviceSerialNumber = MODEL_NAME, __version__, "0"
    sr.CodingSchemeIdentificationSequence = [own_scheme()]
    sr.CompletionFlagDescription = research_title(record.review, "not a medical device")
    signed_at = record.review.signed_at
    if "VerifyingObserverSequence" in sr and signed_at:
        moment = datetime.fromisoformat(signed_at)
        sr.VerifyingObserverSequence[0].VerificationDateTime = moment.strftime("%Y%m%d%H%M%S%z")


def _targets(record: Record) -> list[Target]:
    return list(dict.fromkeys(item.target for item in record.measurements if item.target.kind != "pair"))


def _groups(record: Record, target: Target, refers: SrInput, source: Any) -> Iterator[Any]:
    from highdicom.sr import (
        MeasurementsAndQualitativeEvaluations,
        TrackingIdentifier,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )

    rows = [item for item in record.measurements if item.target == target and "{px}" not in item.unit]
    spans = [item for item in rows if item.points_mm and item.quantity is not Quantity.VOLUME]
    sizes = [item for item in rows if not item.points_mm]
    name = target_name(target)
    tracking = TrackingIdentifier(uid=refers.uids.make(f"tracking {name}"), identifier=name)
    algorithm = _algorithm(record)
    uid = str(source.FrameOfReferenceUID)
    segment = _segment(target, refers)
    if sizes and segment is not None:
        yield VolumetricROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=tracking,
            referenced_segment=segment,
            algorithm_id=algorithm,
            measurements=[_measured(item, uid) for item in sizes],
        )
    elif sizes:
        spans = [*sizes, *spans]
    if spans:
        yield MeasurementsAndQualitativeEvaluations(
            tracking_identifier=tracking,
            algorithm_id=algorithm,
            measurements=[_measured(item, uid) for item in spans],
        )


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


def _measured(item: Measurement, frame_of_reference: str) -> Any:
    from highdicom.sr import CoordinatesForMeasurement3D
    from highdicom.sr import Measurement as SrMeasurement

    unit, factor = unit_code(item.unit)
    lines: Sequence[Any] | None = None
    if item.points_mm:
        points = flip_positions(np.array(item.points_mm))
        lines = [CoordinatesForMeasurement3D("POLYLINE", points, frame_of_reference)]
    found = SrMeasurement(
        name=concept(quantity_code(item.quantity)),
        value=float(item.value or 0.0) * factor,
        unit=concept(unit),
        referenced_coordinates=lines,
    )
    add_comment(found[0], item)
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


def _observers(record: Record, uids: Uids) -> Any:
    from highdicom.sr import (
        DeviceObserverIdentifyingAttributes,
        ObservationContext,
        ObserverContext,
        PersonObserverIdentifyingAttributes,
    )
    from pydicom.sr.codedict import codes

    device = ObserverContext(
        codes.DCM.Device,
        DeviceObserverIdentifyingAttributes(
            uid=uids.make("device"), name="medseg", manufacturer_name=MANUFACTURER, model_name=MODEL_NAME
        ),
    )
    review = record.review
    if review.state != "reviewed":
        return ObservationContext(observer_device_context=device)
    person = ObserverContext(
        codes.DCM.Person,
        PersonObserverIdentifyingAttributes(
            name=person_name(str(review.reviewer)), organization_name=str(review.organization)
        ),
    )
    return ObservationContext(observer_person_context=person, observer_device_context=device)
