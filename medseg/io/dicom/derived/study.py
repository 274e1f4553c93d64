"""Patient, studies and times of the series that an export is made from, as plain values."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from medseg.domain.study import Identity, SeriesFacts, StudyFacts

__all__ = ["identity_in", "moment", "moved_studies", "studies_of"]

_SEXES = {"M": "male", "F": "female", "O": "other"}
#: When a series was acquired, the most telling attribute first.
_DAYS = (
    ("AcquisitionDate", "AcquisitionTime"),
    ("SeriesDate", "SeriesTime"),
    ("ContentDate", "ContentTime"),
    ("StudyDate", "StudyTime"),
)


def identity_in(first: Any) -> Identity:
    """The patient of a header; what it leaves empty stays empty."""
    return Identity(
        _text(first, "PatientID"),
        _text(first, "IssuerOfPatientID"),
        # Of a name in several scripts the first is the one in Latin letters.
        _text(first, "PatientName").partition("=")[0],
        _day(_text(first, "PatientBirthDate")),
        _SEXES.get(_text(first, "PatientSex").upper(), ""),
    )


def studies_of(headers: Iterable[Any]) -> tuple[StudyFacts, ...]:
    """The studies and series that these headers are of, in their order."""
    studies: dict[str, dict[str, dict[str, Any]]] = {}
    for ds in headers:
        study = studies.setdefault(_text(ds, "StudyInstanceUID"), {})
        study.setdefault(_text(ds, "SeriesInstanceUID"), {})[_text(ds, "SOPInstanceUID")] = ds
    return tuple(
        _study(uid, [list(found.values()) for found in by_uid.values()]) for uid, by_uid in studies.items()
    )


def moved_studies(
    studies: Sequence[StudyFacts], uid: Callable[[str], str], date: Callable[[str], str]
) -> tuple[StudyFacts, ...]:
    """The same studies under other UIDs, on other days; the time of day stays."""
    return tuple(
        StudyFacts(
            uid(study.uid),
            tuple(
                replace(item, uid=uid(item.uid), started=_shifted(item.started, date))
                for item in study.series
            ),
            _shifted(study.started, date),
        )
        for study in studies
    )


def moment(day: str, time: str, offset: str) -> str:
    """ISO 8601 of a DICOM date and time; the day alone without an offset from UTC, "" without a day.

    A time of day is only a moment where it is known how far the clock is from UTC; no offset is assumed.

    >>> moment("20260102", "030405.5", "+0100"), moment("20260102", "030405", ""), moment("", "0304", "")
    ('2026-01-02T03:04:05+01:00', '2026-01-02', '')
    """
    date = _day(day)
    clock = re.fullmatch(r"(\d\d)(\d\d)(\d\d)?(\.\d+)?", time)
    away = re.fullmatch(r"([+-]\d\d)(\d\d)", offset)
    if len(date) < len("2026-01-02") or clock is None or away is None:
        return date
    return f"{date}T{clock[1]}:{clock[2]}:{clock[3] or '00'}{away[1]}:{away[2]}"


def _study(uid: str, series: Sequence[Sequence[Any]]) -> StudyFacts:
    first = series[0][0]
    started = moment(_text(first, "StudyDate"), _text(first, "StudyTime"), _offset(first))
    return StudyFacts(uid, tuple(map(_series, series)), started)


def _series(headers: Sequence[Any]) -> SeriesFacts:
    first = headers[0]
    # The earliest of all slices: that of the first slice is that of one end of the stack.
    started = min(filter(None, map(_acquired, headers)), default="")
    return SeriesFacts(_text(first, "SeriesInstanceUID"), _text(first, "Modality"), len(headers), started)


def _acquired(ds: Any) -> str:
    whole = re.fullmatch(r"(\d{8})(\d{4,6}(?:\.\d+)?)?([+-]\d{4})?", _text(ds, "AcquisitionDateTime"))
    if whole:
        return moment(whole[1], whole[2] or "", whole[3] or _offset(ds))
    found = (moment(_text(ds, day), _text(ds, time), _offset(ds)) for day, time in _DAYS)
    return next(filter(None, found), "")


def _shifted(started: str, date: Callable[[str], str]) -> str:
    day, sign, time = started.partition("T")
    new = _day(date(day.replace("-", ""))) if day else ""
    return f"{new}{sign}{time}" if new else ""


def _offset(ds: Any) -> str:
    return _text(ds, "TimezoneOffsetFromUTC")


def _day(text: str) -> str:
    """ISO 8601 of a DICOM date, also of one in the form of ACR-NEMA; "" if it is none."""
    found = re.fullmatch(r"(\d{4})\.?(0[1-9]|1[0-2])\.?(0[1-9]|[12]\d|3[01])", text)
    return "-".join(found.groups()) if found else ""


def _text(ds: Any, keyword: str) -> str:
    return str(ds.get(keyword) or "").strip()
