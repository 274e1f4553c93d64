"""Patient, studies and times of headers, as plain values."""

from typing import Any

import pytest
from pydicom.dataset import Dataset

from medseg.domain.study import Identity, SeriesFacts, StudyFacts
from medseg.io.dicom.derived.study import identity_in, moment, moved_studies, studies_of


def header(number: int = 1, **attributes: Any) -> Dataset:
    ds = Dataset()
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = "1.2", "1.2.3", f"1.2.3.{number}"
    ds.Modality = "MR"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize(
    ("day", "time", "offset", "expected"),
    [
        ("20260102", "030405", "+0100", "2026-01-02T03:04:05+01:00"),
        ("20260102", "030405.123456", "-0530", "2026-01-02T03:04:05-05:30"),
        ("20260102", "0304", "+0000", "2026-01-02T03:04:00+00:00"),
        ("20260102", "030405", "", "2026-01-02"),  # no offset is assumed
        ("20260102", "", "+0100", "2026-01-02"),
        ("2026.01.02", "", "", "2026-01-02"),  # ACR-NEMA
        ("20261302", "030405", "+0100", ""),
        ("2026", "", "", ""),
        ("", "030405", "+0100", ""),
    ],
)
def test_a_moment_has_the_offset_that_is_stated_or_is_a_day(
    day: str, time: str, offset: str, expected: str
) -> None:
    assert moment(day, time, offset) == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            {"AcquisitionDateTime": "20260102030405.5+0100", "SeriesDate": "20260303"},
            "2026-01-02T03:04:05+01:00",
        ),
        (
            {"AcquisitionDateTime": "20260102030405", "TimezoneOffsetFromUTC": "+0200"},
            "2026-01-02T03:04:05+02:00",
        ),
        ({"AcquisitionDate": "20260102", "SeriesDate": "20260101"}, "2026-01-02"),
        ({"SeriesDate": "20260101", "StudyDate": "20251231"}, "2026-01-01"),
        ({"StudyDate": "20251231"}, "2025-12-31"),
        ({}, ""),
    ],
)
def test_a_series_starts_when_it_was_acquired(attributes: dict[str, str], expected: str) -> None:
    (study,) = studies_of([header(**attributes)])
    assert study.series[0].started == expected


def test_a_series_starts_with_its_earliest_slice_and_counts_each_object_once() -> None:
    headers = [
        header(n, AcquisitionDate=day) for n, day in ((1, "20260104"), (2, "20260102"), (2, "20260102"))
    ]
    pet = header(9, SeriesInstanceUID="1.2.4", Modality="PT")
    other = header(10, StudyInstanceUID="1.9", SeriesInstanceUID="1.9.1", StudyDate="20260303")
    first, second = studies_of([*headers, pet, other])
    assert first.series == (SeriesFacts("1.2.3", "MR", 2, "2026-01-02"), SeriesFacts("1.2.4", "PT", 1))
    assert (second.uid, second.started) == ("1.9", "2026-03-03")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, Identity()),
        (
            {
                "PatientID": " 12345 ",
                "IssuerOfPatientID": "Hospital",
                "PatientName": "Yamada^Tarou=山田^太郎",
                "PatientBirthDate": "19600506",
                "PatientSex": "F",
            },
            Identity("12345", "Hospital", "Yamada^Tarou", "1960-05-06", "female"),
        ),
        ({"PatientBirthDate": "", "PatientSex": "X"}, Identity()),
        ({"PatientSex": "O"}, Identity(sex="other")),
    ],
)
def test_a_patient_is_who_the_header_says(attributes: dict[str, str], expected: Identity) -> None:
    assert identity_in(header(**attributes)) == expected


def test_under_a_disguise_uids_and_days_change_and_the_time_of_day_stays() -> None:
    series = (SeriesFacts("1.2.3", "MR", 2, "2026-01-02T03:04:05+01:00"), SeriesFacts("1.2.4", "PT", 1))
    (study,) = moved_studies(
        (StudyFacts("1.2", series, "2026-01-02"),),
        uid=lambda uid: f"2.25.{uid[-1]}",
        date=lambda _: "20200506",
    )
    assert study == StudyFacts(
        "2.25.2",
        (SeriesFacts("2.25.3", "MR", 2, "2020-05-06T03:04:05+01:00"), SeriesFacts("2.25.4", "PT", 1)),
        "2020-05-06",
    )
