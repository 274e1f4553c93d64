"""SUV from tags: the table of inputs, and synthetic series with every fault; none gives a wrong number."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.errors import InputError
from medseg.io import inspect, read
from medseg.io.dicom.image.suv import PetInputs, merge_inputs, suv_factor

Make = Callable[..., Path]
Data = Callable[[str], Path]
Tags = Callable[..., dict[str, Any]]
HALF_LIFE = 6586.2
at = datetime.fromisoformat
NOON = at("2024-03-05 12:00")
PLAIN = PetInputs(
    units="BQML",
    corrections=("ATTN", "DECY"),
    decay_correction="START",
    weight_kg=70.0,
    dose_bq=350e6,
    half_life_s=HALF_LIFE,
    series_time=NOON,
    acquisition=NOON,
    injection=at("2024-03-05 11:00"),
    injection_clock=time(11, 0),
)


def factor(seconds: float) -> float:
    """70 kg over 350 MBq decayed over so many seconds of F-18."""
    return 70_000 / (350e6 * 2 ** (-seconds / HALF_LIFE))


GOOD = [
    ("START: decayed to the series time", {}, factor(3600), None),
    ("ADMIN: no further decay", {"decay_correction": "ADMIN"}, 0.0002, None),
    (
        "ADMIN needs no times",
        {"decay_correction": "ADMIN", "series_time": None, "acquisition": None, "injection": None},
        0.0002,
        None,
    ),
    ("acquired after the series time", {"acquisition": at("2024-03-05 12:09")}, factor(3600), None),
    (
        "a series made afterwards: the earliest acquisition counts",
        {"series_time": at("2024-03-05 15:00")},
        factor(3600),
        None,
    ),
    (
        "a series made a day later",
        {"series_time": at("2024-03-06 09:00"), "injection": None},
        factor(3600),
        None,
    ),
    (
        "over midnight with a date",
        {
            "series_time": at("2024-03-06 00:30"),
            "acquisition": at("2024-03-06 00:30"),
            "injection": at("2024-03-05 23:30"),
        },
        factor(3600),
        None,
    ),
    (
        "over midnight without one",
        {
            "series_time": at("2024-03-06 00:30"),
            "acquisition": at("2024-03-06 00:30"),
            "injection": None,
            "injection_clock": time(23, 30),
        },
        factor(3600),
        "on the day before the scan",
    ),
    ("no date of injection", {"injection": None}, factor(3600), None),
    (
        "dated a day after the scan",
        {"injection": at("2024-03-06 11:00")},
        factor(3600),
        "82800 s after the scan",
    ),
    (
        "dated a day too early",
        {"injection": at("2024-03-04 11:00")},
        factor(3600),
        "90000 s before the scan",
    ),
    ("CNTS with a factor to SUV", {"units": "CNTS", "suv_scale": 0.004}, 0.004, None),
    (
        "CNTS with a factor to activity",
        {"units": "CNTS", "activity_scale": 2.0},
        2 * factor(3600),
        None,
    ),
    (
        "CNTS with a zero for SUV",
        {"units": "CNTS", "suv_scale": 0.0, "activity_scale": 2.0},
        2 * factor(3600),
        None,
    ),
    ("GML", {"units": "GML"}, 1.0, None),
    ("GML needs nothing else", {"units": "GML", "weight_kg": 0.0, "corrections": ()}, 1.0, None),
]


@pytest.mark.parametrize(("name", "changes", "expected", "warning"), GOOD, ids=[row[0] for row in GOOD])
def test_factor(name: str, changes: dict[str, Any], expected: float, warning: str | None) -> None:
    found = suv_factor(replace(PLAIN, **changes))
    assert found.factor == pytest.approx(expected, rel=1e-12)
    assert found.unit == "g/ml{SUVbw}"
    if warning is None:
        assert found.warning is None
    else:
        assert warning in (found.warning or "")


BAD = [
    ({"units": None}, "Units is missing"),
    ({"units": "PROPCPS"}, "PROPCPS"),
    ({"units": "CNTS"}, "7053,1000"),
    ({"units": "CNTS", "suv_scale": 0.0}, "7053,1000"),
    ({"units": "GML", "suv_type": "BSA"}, "SUVType is BSA"),
    ({"corrections": ("ATTN",)}, "CorrectedImage does not name DECY"),
    ({"corrections": ("DECY",)}, "CorrectedImage does not name ATTN"),
    ({"corrections": ()}, "CorrectedImage"),
    ({"decay_correction": "NONE"}, "DecayCorrection is NONE"),
    ({"decay_correction": None}, "DecayCorrection is missing"),
    ({"weight_kg": 0.0}, "Patient's Weight is 0"),
    ({"weight_kg": None}, "Patient's Weight is missing"),
    ({"weight_kg": 70_000.0}, "no kg"),
    ({"dose_bq": 0.0}, "Radionuclide Total Dose is 0"),
    ({"dose_bq": None}, "Radionuclide Total Dose is missing"),
    ({"dose_bq": 350.0}, "MBq instead of Bq"),
    ({"half_life_s": 0.0}, "Radionuclide Half Life is 0"),
    ({"half_life_s": None}, "Radionuclide Half Life is missing"),
    ({"half_life_s": 109.8}, "half-lives"),
    ({"series_time": None}, "Series Date and Time is missing"),
    ({"acquisition": None}, "Acquisition Date and Time is missing"),
    ({"injection": None, "injection_clock": None}, "RadiopharmaceuticalStartTime is missing"),
    ({"injection": at("2024-03-06 11:00"), "injection_clock": None}, "82800 s after the scan"),
    ({"injection": None, "injection_clock": time(13, 0)}, "more than 5 half-lives"),
    # Zirconium-89: a time without a date may be of any of several days.
    ({"injection": None, "half_life_s": 282_280.0}, "another day"),
]


@pytest.mark.parametrize(("changes", "reason"), BAD, ids=[f"{row[0]}" for row in BAD])
def test_what_is_missing_is_refused_by_name(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        suv_factor(replace(PLAIN, **changes))


@pytest.mark.parametrize(
    ("suv_type", "unit"),
    [
        (None, "g/ml{SUVbw}"),
        ("BW", "g/ml{SUVbw}"),
        ("LBM", "g/ml{SUVlbm}"),
        ("LBMJANMA", "g/ml{SUVlbm(Janma)}"),
        ("LBMJAMES128", "g/ml{SUVlbm(James128)}"),
        ("IBW", "g/ml{SUVibw}"),
    ],
)
def test_the_type_of_stored_suv(suv_type: str | None, unit: str) -> None:
    assert suv_factor(PetInputs(units="GML", suv_type=suv_type)).unit == unit


def test_slices_share_their_inputs_and_the_earliest_acquisition_counts() -> None:
    later = replace(PLAIN, acquisition=at("2024-03-05 12:30"))
    assert merge_inputs([later, PLAIN, later]).acquisition == NOON
    assert merge_inputs([later, replace(PLAIN, acquisition=None)]).acquisition is None
    with pytest.raises(InputError, match="disagree on Patient's Weight"):
        merge_inputs([PLAIN, replace(PLAIN, weight_kg=71.0)])


def test_no_input_is_left_out_and_no_date_kept() -> None:
    found = suv_factor(PLAIN)
    details = dict(found.details)
    assert details["pet_patient_weight_kg"] == 70
    assert details["pet_injected_bq"] == 350e6
    assert details["pet_half_life_s"] == HALF_LIFE
    assert details["pet_decay_s"] == 3600
    assert "2024" not in repr(found)


def test_a_bqml_series_is_read_as_suv(series: Make, pet_tags: Tags) -> None:
    image = read(series([0, 3], **pet_tags()))
    assert image.value_unit == "g/ml{SUVbw}"
    assert image.array.dtype == np.float32
    assert image.array[1, 0] == pytest.approx([7 * factor(3600)] * 2, rel=1e-6)
    (finding,) = [item for item in image.findings if item.code.startswith("pet.")]
    assert (finding.code, finding.severity) == ("pet.suv", "info")
    assert "70 kg" in finding.message
    assert "3600 s from RadiopharmaceuticalStartDateTime to the series time" in finding.message
    assert image.source is not None
    assert image.source.detail("pet_suv_factor") == pytest.approx(factor(3600))
    assert "2024" not in repr(image.source.details)


def test_slopes_of_each_slice_come_before_the_factor(series: Make, pet_tags: Tags) -> None:
    tags = {name: value for name, value in pet_tags().items() if name != "RescaleSlope"}
    image = read(series([0, 3], each=lambda n: {"RescaleSlope": 0.5 + n}, **tags))
    assert image.array[1, 0] == pytest.approx([3.5 * factor(3600), 10.5 * factor(3600)], rel=1e-6)


def test_one_slice_acquired_before_the_series_time_sets_the_reference(series: Make, pet_tags: Tags) -> None:
    times = ["120500", "113000", "120000"]
    image = read(series([0, 3, 6], each=lambda n: {"AcquisitionTime": times[n]}, **pet_tags()))
    assert image.array[1, 0, 0] == pytest.approx(7 * factor(1800), rel=1e-6)
    assert "earliest acquisition" in image.findings[0].message


FAULTS = [
    ({"CorrectedImage": ["ATTN"]}, "DECY", "Bq/ml"),
    ({"CorrectedImage": "DECY"}, "ATTN", "Bq/ml"),
    ({"CorrectedImage": None}, "CorrectedImage", "Bq/ml"),
    ({"DecayCorrection": "NONE"}, "DecayCorrection is NONE", "Bq/ml"),
    ({"DecayCorrection": None}, "DecayCorrection is missing", "Bq/ml"),
    ({"PatientWeight": "0"}, "Patient's Weight is 0", "Bq/ml"),
    ({"PatientWeight": None}, "Patient's Weight is missing", "Bq/ml"),
    ({"RadionuclideTotalDose": "0"}, "Radionuclide Total Dose is 0", "Bq/ml"),
    ({"RadionuclideHalfLife": "0"}, "Radionuclide Half Life is 0", "Bq/ml"),
    ({"RadiopharmaceuticalInformationSequence": []}, "Radionuclide Total Dose is missing", "Bq/ml"),
    ({"SeriesTime": None}, "Series Date and Time", "Bq/ml"),
    ({"SeriesTime": "at noon"}, "Series Date and Time", "Bq/ml"),
    (
        {"RadiopharmaceuticalStartDateTime": "20240306110000", "RadiopharmaceuticalStartTime": None},
        "after the scan",
        "Bq/ml",
    ),
    (
        {"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": "130000"},
        "more than 5 half-lives",
        "Bq/ml",
    ),
    ({"Units": "CNTS"}, "Philips", "[arb'U]"),
    ({"Units": None}, "Units is missing", "[arb'U]"),
]


@pytest.mark.filterwarnings("ignore:Invalid value for VR TM")
@pytest.mark.parametrize(("changes", "reason", "unit"), FAULTS, ids=[f"{row[0]}" for row in FAULTS])
def test_a_series_that_lacks_inputs_keeps_its_values_and_says_why(
    changes: dict[str, Any], reason: str, unit: str, series: Make, pet_tags: Tags
) -> None:
    image = read(series([0, 3], **pet_tags(**changes)))
    assert image.value_unit == unit
    assert image.array[1, 0].tolist() == [7, 7]
    (finding,) = image.findings
    assert (finding.code, finding.severity) == ("pet.no_suv", "warning")
    assert reason in finding.message
    assert image.source is not None
    assert image.source.detail("pet_suv_factor") is None


def test_slices_that_disagree_are_no_suv(series: Make, pet_tags: Tags) -> None:
    image = read(
        series([0, 3], each=lambda n: {"PatientWeight": str(70 + n)}, **pet_tags(PatientWeight=None))
    )
    assert image.value_unit == "Bq/ml"
    assert "disagree on Patient's Weight" in image.findings[0].message


READ = [
    ("ADMIN", {"DecayCorrection": "ADMIN"}, 0.0002, ()),
    (
        "a day late",
        {"RadiopharmaceuticalStartDateTime": "20240306110000"},
        factor(3600),
        ("pet.injection_time",),
    ),
    (
        "midnight",
        {
            "SeriesTime": "003000",
            "AcquisitionTime": "003000",
            "RadiopharmaceuticalStartDateTime": None,
            "RadiopharmaceuticalStartTime": "233000.00",
        },
        factor(3600),
        ("pet.injection_time",),
    ),
    (
        "zones",
        {"RadiopharmaceuticalStartDateTime": "20240305100000+0000", "TimezoneOffsetFromUTC": "+0100"},
        factor(3600),
        (),
    ),
    (
        "Philips, to SUV",
        {"Units": "CNTS", "philips": {0x00: "0.004"}},
        0.004,
        (),
    ),
    ("Philips, to activity", {"Units": "CNTS", "philips": {0x09: "2"}}, 2 * factor(3600), ()),
    ("stored SUV", {"Units": "GML", "PatientWeight": "0"}, 1.0, ()),
]


@pytest.mark.parametrize(("name", "changes", "expected", "codes"), READ, ids=[row[0] for row in READ])
def test_series_read_as_suv(
    name: str, changes: dict[str, Any], expected: float, codes: tuple[str, ...], series: Make, pet_tags: Tags
) -> None:
    image = read(series([0, 3], **pet_tags(**changes)))
    assert image.value_unit == "g/ml{SUVbw}"
    assert image.array[1, 0] == pytest.approx([7 * expected] * 2, rel=1e-6)
    assert tuple(item.code for item in image.findings) == ("pet.suv", *codes)


def test_the_real_series_is_suv_already_and_is_not_converted(data: Data) -> None:
    import pydicom

    folder = data("dicom/ibsi_sts002/PET/image")
    image = read(folder)
    assert image.value_unit == "g/ml{SUVbw}"
    assert image.findings[0].detail("pet_suv_from") == "GML"
    top = 0.0
    for file in folder.glob("*.dcm"):
        ds = pydicom.dcmread(file)
        top = max(top, float(ds.pixel_array.max()) * float(ds.RescaleSlope))
    assert float(image.array.max()) == pytest.approx(top, rel=1e-6)
    assert inspect(folder)[0].value_unit == "g/ml{SUVbw}"
