"""What the values of a PET series are: its tags read, and SUV made of them or the reason why not."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from medseg.domain import Finding
from medseg.domain.values import Details, as_details
from medseg.errors import InputError
from medseg.io.dicom.image.figures import stated
from medseg.io.dicom.image.suv import PetInputs, merge_inputs, suv_factor
from medseg.io.dicom.tags import number, plain, private, text

__all__ = ["PetReading", "pet_inputs", "read_pet"]

_PHILIPS = "Philips PET Private Group"
_ARBITRARY = "[arb'U]"
_HALF_DAY_S = 43200.0


@dataclass(frozen=True, slots=True)
class PetReading:
    """Unit of a PET volume, the factor (in `details` as `pet_suv_factor`) that gives it, and what to say."""

    unit: str
    details: Details
    findings: tuple[Finding, ...]


def pet_inputs(ds: Any) -> PetInputs | None:
    """Tags of one PET file; None for other modalities.

    A date or time that can't be read counts as missing; a number that is none is kept as a fault, which forbids SUV.
    """
    if str(ds.get("Modality", "")) != "PT":
        return None
    drugs = ds.get("RadiopharmaceuticalInformationSequence")
    drug = drugs[0] if drugs else {}
    zone = text(ds.get("TimezoneOffsetFromUTC"))
    corrections = ds.get("CorrectedImage") or ()
    return PetInputs(
        units=text(ds.get("Units")),
        suv_type=text(ds.get("SUVType")),
        corrections=tuple(sorted([corrections] if isinstance(corrections, str) else map(str, corrections))),
        decay_correction=text(ds.get("DecayCorrection")),
        weight_kg=number(ds.get("PatientWeight")),
        dose_bq=number(drug.get("RadionuclideTotalDose")),
        half_life_s=number(drug.get("RadionuclideHalfLife")),
        fault=_fault(ds, drug),
        series_time=_together(ds.get("SeriesDate"), ds.get("SeriesTime")),
        acquisition=_acquisition(ds, zone),
        injection=_moment(drug.get("RadiopharmaceuticalStartDateTime"), zone),
        injection_clock=_clock(drug.get("RadiopharmaceuticalStartTime")),
        suv_scale=number(plain(private(ds, 0x7053, _PHILIPS, 0x00), "d")),
        activity_scale=number(plain(private(ds, 0x7053, _PHILIPS, 0x09), "d")),
    )


def read_pet(series: Sequence[PetInputs]) -> PetReading:
    """How to read the volumes of a series from the tags of all its slices."""
    try:
        found = suv_factor(merge_inputs(series))
    except InputError as error:
        unit = "Bq/ml" if all(one.units == "BQML" for one in series) else _ARBITRARY
        kept = "activities in Bq/ml" if unit == "Bq/ml" else "of no known unit"
        message = f"No SUV: {error}. Values of this PET stay {kept}."
        finding = Finding("pet.no_suv", "warning", message, as_details(units=series[0].units))
        return PetReading(unit, (), (finding,))
    findings = [Finding("pet.suv", "info", found.text, found.details)]
    if found.warning:
        findings.append(Finding("pet.injection_time", "warning", found.warning))
    return PetReading(found.unit, found.details, tuple(findings))


def _fault(ds: Any, drug: Any) -> str | None:
    """The first number of SUV that is there and is none."""
    places = (
        (ds, "PatientWeight"),
        (drug, "RadionuclideTotalDose"),
        (drug, "RadionuclideHalfLife"),
    )
    for place, keyword in places:
        try:
            stated("", place, None, keyword)
        except InputError as error:
            return str(error).removeprefix(": ")
    return None


def _acquisition(ds: Any, zone: str | None) -> datetime | None:
    stated_moment = _moment(ds.get("AcquisitionDateTime"), zone)
    dated = stated_moment or _together(ds.get("AcquisitionDate"), ds.get("AcquisitionTime"))
    return dated or _nearest(
        _together(ds.get("SeriesDate"), ds.get("AcquisitionTime")),
        _together(ds.get("SeriesDate"), ds.get("SeriesTime")),
    )


def _nearest(moment: datetime | None, series: datetime | None) -> datetime | None:
    """A time without a date: on the day of the series, or the one before or after, whichever is nearest to it."""
    if moment is None or series is None:
        return moment
    apart = (moment - series).total_seconds()
    return moment - timedelta(days=1) * (apart > _HALF_DAY_S) + timedelta(days=1) * (apart < -_HALF_DAY_S)


def _together(day: Any, clock: Any) -> datetime | None:
    found, hour = _day(day), _clock(clock)
    return None if found is None or hour is None else datetime.combine(found, hour)


def _day(value: Any) -> date | None:
    match = re.fullmatch(r"(\d{4})\.?(\d\d)\.?(\d\d)", str(value or "").strip())
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def _clock(value: Any) -> time | None:
    match = re.fullmatch(r"(\d\d):?(\d\d)?:?(\d\d)?(\.\d{1,6})?", str(value or "").strip())
    if match is None:
        return None
    hour, minute, second, part = match.groups(default="0")
    try:
        # 60 is DICOM's leap second.
        return time(int(hour), int(minute), min(int(second), 59), int(float(part) * 1e6))
    except ValueError:
        return None


def _moment(value: Any, zone: str | None) -> datetime | None:
    """Date and time (DT) on the series' own clock, which it differs from only where both name a zone."""
    match = re.fullmatch(r"(\d{8})(\d[\d.]*)([+-]\d{4})?", str(value or "").strip())
    if match is None:
        return None
    found = _together(match[1], match[2])
    if found is None or match[3] is None or zone is None:
        return found
    return found + _offset(zone) - _offset(match[3])


def _offset(zone: str) -> timedelta:
    match = re.fullmatch(r"([+-])(\d\d)(\d\d)", zone.strip())
    if match is None:
        return timedelta()
    size = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return -size if match[1] == "-" else size
