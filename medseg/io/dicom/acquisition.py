"""How a series was taken: the facts of its headers that a study's protocol asks for, each with its tag."""

import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from medseg.domain.protocol import Fact
from medseg.errors import InputError
from medseg.io.dicom.image.figures import tag_words
from medseg.io.dicom.opened import open_header
from medseg.io.dicom.tags import number, text

__all__ = ["TAGS", "acquisition_facts"]

#: Fact → keyword of its tag; names end in their unit.
TAGS = {
    "modality": "Modality",
    "slice_thickness_mm": "SliceThickness",
    "slice_gap_mm": "SpacingBetweenSlices",
    "kvp": "KVP",
    "kernel": "ConvolutionKernel",
    "contrast": "ContrastBolusAgent",
    "phase": "ContrastBolusAgentPhase",
    "series_description": "SeriesDescription",
    "body_part": "BodyPartExamined",
    "field_strength_t": "MagneticFieldStrength",
    "repetition_time_ms": "RepetitionTime",
    "echo_time_ms": "EchoTime",
    "inversion_time_ms": "InversionTime",
    "flip_angle_deg": "FlipAngle",
    "sequence": "ScanningSequence",
    "acquisition": "MRAcquisitionType",
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "tracer": "Radiopharmaceutical",
    "uptake_minutes": "RadiopharmaceuticalStartDateTime",
}
_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_PHARMACEUTICAL = "RadiopharmaceuticalInformationSequence"
#: Sequences inside sequences that a fact may stand in.
_DEPTH = 3
_DAY_MINUTES = 24 * 60


def acquisition_facts(files: Sequence[str | Path]) -> dict[str, Fact]:
    """Name → (value, tag) of a series; a value is None where no header states it.

    All come from the first file but the uptake time, which is from the injection to the earliest acquisition.

    Raises
    ------
    InputError
        If a file can't be read.
    """
    headers = [_header(Path(file)) for file in dict.fromkeys(str(file) for file in files)]
    first = headers[0]
    found: dict[str, Fact] = {}
    for name, keyword in TAGS.items():
        found[name] = (_plain(next(_values(first, keyword, _DEPTH), None)), tag_words(keyword))
    found["tracer"] = _tracer(first)
    found["uptake_minutes"] = _uptake(headers)
    return found


def _header(path: Path) -> Any:
    from pydicom.errors import InvalidDicomError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return open_header(path)[0]
    except (OSError, InvalidDicomError) as error:
        raise InputError(f"{path} can't be read: {error}") from error


def _values(ds: Any, keyword: str, depth: int) -> Iterator[Any]:
    """The value at the top, then in functional groups, of the first frame only; empty ones are left out."""
    value = ds.get(keyword)
    if value not in (None, "") and not (hasattr(value, "__len__") and len(value) == 0):
        yield value
    if depth == 0:
        return
    for element in _elements(ds):
        if element.VR == "SQ" and (element.keyword in _GROUPS or depth < _DEPTH) and element.value:
            yield from _values(element.value[0], keyword, depth - 1)


def _elements(ds: Any) -> Iterator[Any]:
    """Elements as they are read; values of wrong length or type are warned of by pydicom, and read all the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from list(ds)


def _plain(value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, str) and hasattr(value, "__len__"):
        return "\\".join(str(part) for part in value)
    found = number(value)
    return text(value) if found is None or isinstance(value, str) else found


def _tracer(ds: Any) -> Fact:
    """The radiopharmaceutical's name, else the meaning of its code."""
    for item in ds.get(_PHARMACEUTICAL) or ():
        if name := text(item.get("Radiopharmaceutical")):
            return name, tag_words("Radiopharmaceutical")
        for code in item.get("RadiopharmaceuticalCodeSequence") or ():
            return text(code.get("CodeMeaning")), tag_words("RadiopharmaceuticalCodeSequence")
    return None, tag_words("Radiopharmaceutical")


def _uptake(headers: Sequence[Any]) -> Fact:
    """Minutes from the injection to the earliest acquisition; None where one of both is not stated, or is after."""
    where = tag_words("RadiopharmaceuticalStartDateTime")
    items = headers[0].get(_PHARMACEUTICAL) or ()
    injected = _moment(items[0].get("RadiopharmaceuticalStartDateTime")) if items else None
    starts = [found for ds in headers if (found := _acquired(ds)) is not None]
    if injected is None or not starts:
        return None, where
    minutes = (min(starts) - injected).total_seconds() / 60
    if 0 <= minutes < _DAY_MINUTES:
        return round(minutes, 3), where
    return None, f"{where} lies {'after the scan' if minutes < 0 else 'a day and more before the scan'}"


def _acquired(ds: Any) -> datetime | None:
    whole = _moment(ds.get("AcquisitionDateTime"))
    day, clock = text(ds.get("AcquisitionDate")), text(ds.get("AcquisitionTime"))
    return whole if whole is not None else _moment(f"{day}{clock}") if day and clock else None


def _moment(value: Any) -> datetime | None:
    """A DICOM date and time; its offset from UTC is left out, as both ends are of one scanner."""
    words = str(value or "").partition("+")[0].partition("-")[0].partition(".")[0].strip()
    try:
        return datetime.strptime(words, "%Y%m%d%H%M%S")  # noqa: DTZ007 - a difference of two clocks of one scanner
    except ValueError:
        return None
