"""Tidy rows: one per measurement, the same columns for every Record."""

from collections.abc import Iterable
from typing import Any

from medseg.domain import Measurement, Record, Status
from medseg.domain.study import PatientFacts
from medseg.reporting.identity import PATIENT_COLUMNS, patient_row

__all__ = ["COLUMNS", "columns_of", "to_rows", "usable_word"]

_USABLE = {
    Status.OK: "yes",
    Status.TRUNCATED_LOWER_BOUND: "lower bound",
    Status.TRUNCATED_UNRELIABLE: "unreliable",
    Status.NOT_COMPUTED: "no",
}

#: Column → what it holds; the data dictionary of CSV and XLSX.
COLUMNS = {
    "subject": "Pseudonym of the subject or case.",
    "target_kind": "What was measured: label, region (union of labels), lesion (connected part of a label), tissue "
    "(range of values inside a compartment), pair (prediction and reference).",
    "name": "Name of the label or region; of a tissue, its own.",
    "labels": "Label values of the target, separated by spaces.",
    "lesion": "Number of the lesion; empty for labels and regions.",
    "detail": "What else tells two targets apart: a PET delineation, a slice or level, a size bin; else empty.",
    "quantity": "Stable name of the quantity; see the sheet or page of definitions.",
    "value": "Exact value; empty when it was not computed. Empty is never zero.",
    "unit": "Unit in UCUM.",
    "usable": "yes: the value may be taken at its word; lower bound: the true value is this or larger; unreliable: of "
    "the part in view alone; no: there is no value. A bound is never usable as a value.",
    "status": "ok, truncated_lower_bound (cut by the border: can only be larger), truncated_unreliable "
    "(cut: error of unknown direction), not_computed.",
    "reason": "Why the status is not ok.",
    "channel": "Image channel of an intensity statistic.",
    "plane": "Plane and slice of a diameter.",
    "interval_low": "Lower end of the interval; empty where uncertainty was not estimated.",
    "interval_high": "Upper end of the interval.",
    "interval_level": "Level of the interval, between 0 and 1.",
    "interval_method": "How the interval was had.",
    "earlier_value": "The same of an earlier scan, in the same unit; empty where none was compared with.",
    "earlier_usable": "As `usable`, of the earlier value.",
    "earlier_days": "Days from the earlier scan to this one.",
    "change": "Value minus earlier value; empty where one of them is cut or they can't be compared.",
    "change_low": "Lower end of the interval of the change; empty where its error is unknown.",
    "change_high": "Upper end of the interval of the change.",
    "change_level": "Level of the interval of the change, between 0 and 1.",
    "change_method": "How the interval of the change was had; without a change, why they can't be compared.",
    "reference_outcome": "Where the value lies among reference values that the user gave: percentile, below, above, "
    "within, refused; empty where none were given for it.",
    "reference_percentile": "The percentile; empty outside the reference values and where it is refused.",
    "reference_words": "The same in words, or why it is refused.",
    "reference_group": "Whom the reference values are about.",
    "reference_source": "Who published them, and the table that held them.",
    "method": "How the value was computed, with parameters and source.",
    "segmenter": "What made the mask.",
    "mask_digest": "SHA-256 of the mask's labels.",
    "review": "Review state of the record.",
}


def columns_of(patient: PatientFacts | None) -> dict[str, str]:
    """The columns of a table, with those that name the patient where it does."""
    return COLUMNS if patient is None else {**COLUMNS, **PATIENT_COLUMNS}


def to_rows(records: Iterable[Record], patient: PatientFacts | None = None) -> list[dict[str, Any]]:
    """One row per measurement of each Record, in their order; keys are `COLUMNS`. No records give no rows.

    Values are exact; a value that was not computed is None with its reason beside it. With `patient` each row names
    the one patient of them all.
    """
    rows = ((record, item) for record in records for item in record.measurements)
    if patient is None:
        return [_row(record, item) for record, item in rows]
    return [{**_row(record, item), **patient_row(patient, item.channel)} for record, item in rows]


def usable_word(status: Status) -> str:
    """The word of the column `usable`, by which a script keeps values and no bounds.

    >>> [usable_word(status) for status in Status]
    ['yes', 'lower bound', 'unreliable', 'no']
    """
    return _USABLE[status]


def _row(record: Record, item: Measurement) -> dict[str, Any]:
    interval = item.interval
    return {
        "subject": record.subject,
        "target_kind": item.target.kind,
        "name": item.target.name,
        "labels": " ".join(str(value) for value in item.target.labels),
        "lesion": item.target.lesion,
        "detail": item.target.detail,
        "quantity": item.quantity.value,
        "value": item.value,
        "unit": item.unit,
        "usable": usable_word(item.status),
        "status": item.status.value,
        "reason": item.reason,
        "channel": item.channel,
        "plane": item.plane,
        "interval_low": None if interval is None else interval.low,
        "interval_high": None if interval is None else interval.high,
        "interval_level": None if interval is None else interval.level,
        "interval_method": None if interval is None else interval.method,
        **_earlier(item),
        **_placement(item),
        "method": item.method,
        "segmenter": record.made_by.segmenter,
        "mask_digest": record.mask.digest,
        "review": record.review.state,
    }


def _earlier(item: Measurement) -> dict[str, Any]:
    then = item.earlier
    error = None if then is None else then.error
    return {
        "earlier_value": None if then is None else then.value,
        "earlier_usable": None if then is None else usable_word(then.status),
        "earlier_days": None if then is None else then.days,
        "change": item.change,
        "change_low": None if error is None else error.low,
        "change_high": None if error is None else error.high,
        "change_level": None if error is None else error.level,
        "change_method": (None if then is None else then.fault or None) if error is None else error.method,
    }


def _placement(item: Measurement) -> dict[str, Any]:
    place = item.placement
    names = ("outcome", "percentile", "words", "group", "source")
    return {f"reference_{name}": (getattr(place, name) or None) if place else None for name in names}
