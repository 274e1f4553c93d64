"""SUV from the tags of a PET series: which factor, from which inputs, or what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, time

from medseg.domain.values import Details, as_details
from medseg.errors import InputError

__all__ = ["PetInputs", "SuvFactor", "merge_inputs", "suv_factor"]

#: An injection this many half-lives before the scan is implausible: 3 % of the activity would be left.
MOST_HALF_LIVES = 5.0
#: A dose below this is no scan but another unit: MBq written where the standard says Bq.
LEAST_DOSE_BQ = 1e4
#: A weight above this is in another unit: grams written where the standard says kg.
MOST_WEIGHT_KG = 1000.0
_NEEDED_CORRECTIONS = ("ATTN", "DECY")
_DAY_S = 86400.0
#: SUVType → UCUM, as DICOM's context group for SUV units writes it (CID 85); absent means BW (PS3.3 C.8.9.1).
SUV_UNITS = {
    "BW": "g/ml{SUVbw}",
    "LBM": "g/ml{SUVlbm}",
    "LBMJAMES128": "g/ml{SUVlbm(James128)}",
    "LBMJANMA": "g/ml{SUVlbm(Janma)}",
    "IBW": "g/ml{SUVibw}",
}


@dataclass(frozen=True, slots=True)
class PetInputs:
    """What the headers of a PET series say about its values; None where a tag is missing or empty.

    Parameters
    ----------
    units, suv_type, corrections, decay_correction
        Units, SUVType, CorrectedImage and DecayCorrection.
    weight_kg, dose_bq, half_life_s
        Patient's Weight, Radionuclide Total Dose and Half Life.
    series_time, acquisition
        Series date and time; the earliest acquisition date and time of all slices.
    injection, injection_clock
        RadiopharmaceuticalStartDateTime; RadiopharmaceuticalStartTime, which has no date.
    suv_scale, activity_scale
        Philips' private factors (7053,1000) and (7053,1009).
    fault
        A number among these that is there and can't be one; it forbids SUV.
    """

    units: str | None = None
    suv_type: str | None = None
    corrections: tuple[str, ...] = ()
    decay_correction: str | None = None
    weight_kg: float | None = None
    dose_bq: float | None = None
    half_life_s: float | None = None
    series_time: datetime | None = None
    acquisition: datetime | None = None
    injection: datetime | None = None
    injection_clock: time | None = None
    suv_scale: float | None = None
    activity_scale: float | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class SuvFactor:
    """How rescaled values become SUV.

    Parameters
    ----------
    factor
        What to multiply each rescaled value by; 1 for values that are SUV already.
    unit
        UCUM of the result.
    text
        One sentence on how it was had.
    details
        Every input, without dates.
    warning
        What a reader must know about the time of injection, or None.
    """

    factor: float
    unit: str
    text: str
    details: Details
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class _Decay:
    """Seconds from injection to the reference time, and where both come from."""

    seconds: float
    injection: str
    reference: str
    warning: str | None = None


def merge_inputs(slices: Sequence[PetInputs]) -> PetInputs:
    """Inputs of a series from those of its slices, with the earliest acquisition.

    Raises
    ------
    InputError
        If slices disagree on anything but when they were acquired.
    """
    first = slices[0]
    for item in fields(PetInputs):
        if item.name != "acquisition" and any(
            getattr(one, item.name) != getattr(first, item.name) for one in slices
        ):
            raise InputError(f"its slices disagree on {_TAGS[item.name]}")
    times = [one.acquisition for one in slices]
    known = [moment for moment in times if moment is not None]
    return replace(first, acquisition=min(known) if len(known) == len(times) else None)


def suv_factor(inputs: PetInputs) -> SuvFactor:
    """Factor from rescaled values to SUV.

    GML is SUV already. BQML becomes SUV by body weight: value [Bq/ml] × weight [g] / activity [Bq], the
    activity being the injected one where values are decay corrected to the administration (ADMIN), and that
    decayed to the reference time where they are corrected to the start of the scan (START). The reference
    time is the series' unless that is later than the earliest acquisition (a series made afterwards), then
    the earliest acquisition. CNTS needs Philips' factors to SUV or to Bq/ml.

    Sources: DICOM PS3.3 C.8.9.1; QIBA's vendor-neutral pseudo-code for SUVbw.

    Raises
    ------
    InputError
        If an input is missing, zero or implausible; it is named, and nothing is guessed.

    Examples
    --------
    >>> suv_factor(PetInputs(units="GML")).unit
    'g/ml{SUVbw}'
    >>> tags = PetInputs("BQML", None, ("ATTN", "DECY"), "ADMIN", 70.0, 350e6, 6586.2)
    >>> suv_factor(tags).factor
    0.0002
    """
    if inputs.units == "GML":
        return _stored(inputs)
    if inputs.units not in ("BQML", "CNTS"):
        raise InputError(f"Units is {inputs.units or 'missing'}, and SUV comes from GML, BQML or CNTS")
    for word in _NEEDED_CORRECTIONS:
        if word not in inputs.corrections:
            raise InputError(f"CorrectedImage does not name {word}")
    if inputs.units == "BQML":
        return _from_activity(inputs, 1.0, "BQML")
    if inputs.suv_scale:
        return _scaled(inputs.suv_scale)
    if inputs.activity_scale:
        return _from_activity(inputs, inputs.activity_scale, "CNTS × Philips' activity factor (7053,1009)")
    raise InputError("Units is CNTS, and neither Philips' factor (7053,1000) nor (7053,1009) is there")


def _stored(inputs: PetInputs) -> SuvFactor:
    kind = inputs.suv_type or "BW"
    if kind not in SUV_UNITS:
        raise InputError(f"SUVType is {kind}, which is not one of {', '.join(SUV_UNITS)}")
    stated = f"SUVType {kind}" if inputs.suv_type else "SUVType absent, which means BW"
    text = f"Values are SUV as stored (Units GML, {stated}); nothing was converted."
    return SuvFactor(1.0, SUV_UNITS[kind], text, as_details(pet_suv_from="GML", pet_suv_type=stated))


def _scaled(scale: float) -> SuvFactor:
    text = (
        f"Counts were turned into SUV by body weight with Philips' factor (7053,1000) {scale:g}; "
        "CorrectedImage names ATTN and DECY."
    )
    details = as_details(pet_suv_from="CNTS × Philips' SUV factor (7053,1000)", pet_suv_factor=scale)
    return SuvFactor(scale, SUV_UNITS["BW"], text, details)


def _from_activity(inputs: PetInputs, scale: float, origin: str) -> SuvFactor:
    if inputs.fault is not None:
        raise InputError(inputs.fault)
    weight, dose, half_life = (_positive(inputs, name) for name in ("weight_kg", "dose_bq", "half_life_s"))
    if weight > MOST_WEIGHT_KG:
        raise InputError(f"Patient's Weight is {weight:g}, which are no kg")
    if dose < LEAST_DOSE_BQ:
        raise InputError(
            f"Radionuclide Total Dose is {dose:g} Bq, too little for a scan (MBq instead of Bq?)"
        )
    decay = _decay(inputs, half_life)
    left = dose if decay is None else dose * 2.0 ** (-decay.seconds / half_life)
    factor = scale * weight * 1000 / left
    details = as_details(
        pet_suv_from=origin,
        pet_suv_factor=factor,
        pet_patient_weight_kg=weight,
        pet_injected_bq=dose,
        pet_half_life_s=half_life,
    )
    if decay is not None:
        details += as_details(
            pet_decay_s=decay.seconds, pet_injection=decay.injection, pet_reference=decay.reference
        )
    when = (
        "values corrected to the administration (ADMIN)"
        if decay is None
        else f"decayed over {decay.seconds:.0f} s from {decay.injection} to {decay.reference} (START)"
    )
    text = (
        f"Activity ({origin}) was turned into SUV by body weight: {weight:g} kg, {dose / 1e6:.4g} MBq, "
        f"half-life {half_life:g} s, {when}; CorrectedImage names ATTN and DECY."
    )
    return SuvFactor(factor, SUV_UNITS["BW"], text, details, decay.warning if decay else None)


def _positive(inputs: PetInputs, name: str) -> float:
    value: float | None = getattr(inputs, name)
    if value is None or value <= 0:
        raise InputError(f"{_TAGS[name]} is {'missing' if value is None else f'{value:g}'}")
    return value


def _decay(inputs: PetInputs, half_life: float) -> _Decay | None:
    """What the injected activity decays over; None where values are corrected to its administration."""
    if inputs.decay_correction == "ADMIN":
        return None
    if inputs.decay_correction != "START":
        raise InputError(
            f"DecayCorrection is {inputs.decay_correction or 'missing'}, neither START nor ADMIN"
        )
    reference, name = _reference(inputs)
    seconds = None if inputs.injection is None else (reference - inputs.injection).total_seconds()
    if seconds is not None and 0 <= seconds <= MOST_HALF_LIVES * half_life:
        return _Decay(seconds, "RadiopharmaceuticalStartDateTime", name)
    return _decay_by_clock(inputs, (reference, name), seconds, half_life)


def _reference(inputs: PetInputs) -> tuple[datetime, str]:
    if inputs.series_time is None:
        raise InputError(f"{_TAGS['series_time']} is missing")
    if inputs.acquisition is None:
        raise InputError(f"{_TAGS['acquisition']} is missing from some slice")
    if inputs.series_time > inputs.acquisition:
        return inputs.acquisition, "the earliest acquisition"
    return inputs.series_time, "the series time"


def _decay_by_clock(
    inputs: PetInputs, reference: tuple[datetime, str], dated_s: float | None, half_life: float
) -> _Decay:
    """Interval from an injection without a usable date: on the day of the scan, or the evening before."""
    fault = "is missing" if dated_s is None else f"is {_apart(dated_s)} the scan, which can't be"
    if inputs.injection_clock is None:
        raise InputError(
            f"RadiopharmaceuticalStartDateTime {fault}, and {_TAGS['injection_clock']} is missing"
        )
    moment, name = reference
    seconds = (moment - datetime.combine(moment.date(), inputs.injection_clock)).total_seconds()
    midnight = seconds < 0
    if midnight:
        seconds += _DAY_S
    limit = MOST_HALF_LIVES * half_life
    if seconds > limit:
        raise InputError(
            f"RadiopharmaceuticalStartDateTime {fault}, and {_TAGS['injection_clock']} is {_apart(seconds)} it: "
            f"more than {MOST_HALF_LIVES:g} half-lives of {half_life:g} s"
        )
    if seconds + _DAY_S <= limit:
        raise InputError(
            f"RadiopharmaceuticalStartDateTime {fault}, and with a half-life of {half_life:g} s "
            f"{_TAGS['injection_clock']} may be of another day"
        )
    day = "on the day before the scan" if midnight else "on the day of the scan"
    warning = None
    if dated_s is not None or midnight:
        warning = (
            f"The date and time of injection (RadiopharmaceuticalStartDateTime) {fault}; its time alone was taken, "
            f"{day}: {seconds:.0f} s before {name}."
        )
    return _Decay(seconds, f"RadiopharmaceuticalStartTime {day}", name, warning)


def _apart(seconds: float) -> str:
    return f"{abs(seconds):.0f} s {'before' if seconds >= 0 else 'after'}"


_TAGS = {
    "units": "Units",
    "suv_type": "SUVType",
    "corrections": "CorrectedImage",
    "decay_correction": "DecayCorrection",
    "weight_kg": "Patient's Weight",
    "dose_bq": "Radionuclide Total Dose",
    "half_life_s": "Radionuclide Half Life",
    "series_time": "Series Date and Time",
    "acquisition": "Acquisition Date and Time",
    "injection": "RadiopharmaceuticalStartDateTime",
    "injection_clock": "RadiopharmaceuticalStartTime",
    "suv_scale": "Philips' SUV factor (7053,1000)",
    "activity_scale": "Philips' activity factor (7053,1009)",
    "fault": "a number that is none",
}
