"""Numbers as Observations: one for each Measurement, held together by one for each structure, lesion or delineation."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from medseg.domain import Interval, Measurement, Quantity, Status, Target
from medseg.reporting.fhir.codes import UCUM, coding, quantity_concept
from medseg.reporting.fhir.resources import Resources
from medseg.reporting.fhir.structures import body_site, has_structure, structure_role
from medseg.reporting.fhir.subject import MAKER, MEDSEG, PATIENT, study_role
from medseg.reporting.numbers import value_text
from medseg.reporting.wording import quantity_text, review_text

__all__ = ["measured_targets", "observations", "panel_role", "panels", "status_code"]

_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_PANEL, _INTERVAL, _EARLIER = "urn:medseg:panel", "urn:medseg:interval", "urn:medseg:earlier"
_IMAGING = [{"coding": [coding(_CATEGORY, "imaging", "Imaging")]}]
_ABSENCES = {
    "not-applicable": "Not Applicable",
    "not-performed": "Not Performed",
    "unknown": "Unknown",
    "error": "Error",
}
_PANELS = {
    "label": "Measurements of a structure",
    "region": "Measurements of a union of structures",
    "lesion": "Measurements of a lesion",
    "tissue": "Measurements of a tissue",
    "pair": "Comparison with a reference",
}
#: What a missing fact of the image or the patient reads like in a reason.
_MISSING = (
    "not known",
    "unknown",
    "without a known",
    "no physical size",
    "does not say",
    "not stated",
    "needs",
)
_SIZES = (Quantity.VOXEL_COUNT, Quantity.VOLUME, Quantity.LESION_COUNT, Quantity.TISSUE_VOLUME)
#: FHIR's integer has 32 bits.
_MOST = 2**31 - 1


def measured_targets(make: Resources) -> tuple[Target, ...]:
    """What was measured, in the order of the Record."""
    return tuple(dict.fromkeys(item.target for item in make.measurements))


def panel_role(target: Target) -> str:
    """Role of the Observation that holds those of a target together."""
    return f"panel {target}"


def panels(make: Resources) -> Iterator[dict[str, Any]]:
    """For each structure, lesion, delineation or tissue one Observation without a value; its members have them."""
    members: dict[Target, list[dict[str, str]]] = {}
    for number, item in enumerate(make.measurements):
        members.setdefault(item.target, []).append(make.reference(_role(number)))
    for target, those in members.items():
        code = {"coding": [coding(_PANEL, target.kind, _PANELS[target.kind])], "text": _PANELS[target.kind]}
        elements = _common(make, target, None) | {
            "code": code,
            "device": make.reference(MAKER),
            "hasMember": those,
        }
        words = f"{_PANELS[target.kind]}: {elements['bodySite']['text']}."
        yield make.make("Observation", panel_role(target), words, elements)


def observations(make: Resources) -> Iterator[dict[str, Any]]:
    """One Observation for each Measurement, in the order of the Record."""
    grid, sizes = make.record.mask.grid, _sizes(make)
    for number, item in enumerate(make.measurements):
        elements = _common(make, item.target, item.channel) | {
            "code": quantity_concept(item.quantity),
            "device": make.reference(MEDSEG),
            "method": {"text": item.method} if item.method else {},
            "note": [{"text": text} for text in _notes(make, item)],
            "referenceRange": _usual(item),
            **_value(item, sizes.get(item.target.structure, [])),
        }
        shown = "not computed" if item.value is None else value_text(item, grid)
        words = f"{elements['bodySite']['text']}: {quantity_text(item)} {shown}"
        yield make.make("Observation", _role(number), words, elements)


def status_code(make: Resources) -> str:
    """`preliminary` until a person signs, then `final`; `amended` when a changed one was signed again."""
    review = make.record.review
    if review.state != "reviewed":
        return "preliminary"
    return "amended" if review.amends else "final"


def _role(number: int) -> str:
    return f"observation {number}"


def _common(make: Resources, target: Target, channel: str | None) -> dict[str, Any]:
    """What an Observation says of its structure, and of the images that it was made on."""
    context = make.context
    series = context.series_of(make.record, channel)
    study = next((item for item in context.studies if series in item.series), None)
    return {
        "status": status_code(make),
        "category": _IMAGING,
        "subject": make.reference(PATIENT),
        "focus": [make.reference(structure_role(target))] if has_structure(target) else [],
        "effectiveDateTime": context.started(series),
        "bodySite": body_site(make.record, target),
        "derivedFrom": [make.reference(study_role(study))] if study else [],
    }


def _value(item: Measurement, sizes: Sequence[Measurement]) -> dict[str, Any]:
    """The number in the form that its quantity has, or why there is none (obs-6: never both)."""
    if item.value is None:
        code = _absence(item, sizes)
        return {"dataAbsentReason": {"coding": [coding(_ABSENT, code, _ABSENCES[code])], "text": item.reason}}
    if item.quantity is Quantity.MEETS_SIZE_CRITERION:
        return {"valueBoolean": bool(item.value)}
    # An integer has no comparator, so a count that can only be larger stays a quantity.
    whole = item.quantity.info.counts and item.status is not Status.TRUNCATED_LOWER_BOUND
    ends = [*_uncertainty(item), *_earlier(item)]
    if whole and float(item.value).is_integer() and abs(item.value) <= _MOST:
        return {"valueInteger": int(item.value), "component": ends}
    found = _quantity(item.value, item.unit)
    if item.status is Status.TRUNCATED_LOWER_BOUND:
        found["comparator"] = ">="
    return {"valueQuantity": found, "component": ends}


def _usual(item: Measurement) -> list[dict[str, Any]]:
    """Reference values of the user's own table, with their source; none where the value was not placed among them."""
    place = item.placement
    if place is None or place.outcome == "refused":
        return []
    ends = {"low": place.low, "high": place.high}
    bounds = {name: _quantity(value, item.unit) for name, value in ends.items() if value is not None}
    return [{**bounds, "text": f"{place.words}; {place.group}; {place.source}; {place.method}"}]


def _uncertainty(item: Measurement) -> Iterator[dict[str, Any]]:
    """An interval is what is not known of this value; a referenceRange would be what is usual in others."""
    if item.interval is not None:
        yield from _ends(item.interval, item.unit, _INTERVAL, "interval")


def _earlier(item: Measurement) -> Iterator[dict[str, Any]]:
    """The value of an earlier scan, how long ago it was, and the change with its error, as far as they are known."""
    then, change = item.earlier, item.change
    if then is None:
        return
    said = "" if then.status is Status.OK else f" ({then.status.value})"
    yield _component("value", f"Value of the earlier scan{said}", _quantity(then.value, item.unit), _EARLIER)
    yield _component("days", "Days from the earlier scan to this one", _quantity(then.days, "d"), _EARLIER)
    if change is None:
        return
    error = ", error unknown" if then.error is None else ""
    yield _component(
        "change", f"Change since the earlier scan{error}", _quantity(change, item.unit), _EARLIER
    )
    if then.error is not None:
        yield from _ends(then.error, item.unit, _EARLIER, "interval of the change")


def _ends(interval: Interval, unit: str, system: str, what: str) -> Iterator[dict[str, Any]]:
    for code, name, value in (("low", "Lower", interval.low), ("high", "Upper", interval.high)):
        text = f"{name} end of the {interval.level:.0%} {what} ({interval.method})"
        yield _component(code, text, _quantity(value, unit), system, f"{name} end of the {what}")


def _component(
    code: str, text: str, value: dict[str, Any], system: str, title: str | None = None
) -> dict[str, Any]:
    return {
        "code": {"coding": [coding(system, code, title or text)], "text": text},
        "valueQuantity": value,
    }


def _quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": Decimal(repr(value)), "unit": unit, "system": UCUM, "code": unit}


def _sizes(make: Resources) -> dict[str, list[Measurement]]:
    found: dict[str, list[Measurement]] = {}
    for item in make.measurements:
        if item.quantity in _SIZES:
            found.setdefault(item.target.structure, []).append(item)
    return found


def _absence(item: Measurement, sizes: Sequence[Measurement]) -> str:
    """Why there is no value: nothing is there to measure, it could not be read, a fact is missing, it was not done."""
    if any(row.value == 0 for row in sizes):
        return "not-applicable"
    counts = [row.value for row in sizes if row.quantity is Quantity.VOXEL_COUNT]
    if counts and set(counts) == {None}:
        return "error"
    return "unknown" if any(words in (item.reason or "") for words in _MISSING) else "not-performed"


def _notes(make: Resources, item: Measurement) -> Iterator[str]:
    yield f"RESEARCH – {review_text(make.record)}"
    if item.reason and item.value is not None:
        yield f"{item.status.value}: {item.reason}"
    if item.placement is not None and item.placement.outcome == "refused":
        yield f"not placed among reference values: {item.placement.words} ({item.placement.source})"
    if item.earlier is not None and item.earlier.fault:
        yield f"not comparable with the earlier scan: {item.earlier.fault}"
    if item.channel:
        yield f"channel {item.channel}"
    if item.plane:
        yield f"plane {item.plane}"
