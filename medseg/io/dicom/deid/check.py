"""A second look at what is about to leave: does anything that was taken out of the source still stand in it?"""

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from medseg.errors import OutputError
from medseg.io.dicom.deid.deidentify import Cleaning, decide
from medseg.io.dicom.deid.key import Disguise
from medseg.io.dicom.deid.vocabulary import TYPED, known

__all__ = ["Traces", "blank", "collect", "require_clean_object", "require_clean_text", "scrub"]

#: Shorter values say nothing and occur everywhere.
_SHORTEST = 3
#: Up to this length a value must be the whole of an attribute to count as found.
_SHORT = 4
#: Words that stand for no identity, in attributes that hold one.
_NEUTRAL = frozenset(
    (
        *(
            "anon",
            "anonymous",
            "anonymized",
            "anonymised",
            "default",
            "false",
            "female",
            "male",
            "none",
            "null",
        ),
        *("not", "other", "removed", "removed.", "true", "unknown", "unspecified", "yes"),
    )
)
#: Attributes whose words are those of a person's file; all names of persons (PN) are beside them.
_IDENTITY = re.compile(
    r"Patient(ID|Address|Birth|Mother|Insti|Tele)|OtherPatient|Accession|StudyID|Institution|Issuer|Telephone|Phone|"
    r"Address|AdmissionID|EpisodeID|RecordLocator|StationName|SerialNumber|AETitle|ProcedureID|OrderNumber|"
    r"StepID|SubjectID|MilitaryRank|Insurance|Occupation|ProtocolID|SiteName|Location|Department"
)
_DATE = re.compile(r"(?<!\d)(\d{4})([-./]?)(\d{2})\2(\d{2})(?!\d)")
_UID = re.compile(r"(?<![\d.])[0-2](?:\.(?:0|[1-9]\d*)){5,}(?![\d.])")
_WORDS = frozenset(("AE", "CS", "LO", "LT", "SH", "ST", "UC", "UR", "UT"))
#: Numbers that some exports fill with a patient's or study's id.
_NUMBERS = ("AcquisitionNumber", "InstanceNumber", "SeriesNumber")
_MOST_BYTES = 1024
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


@dataclass(slots=True)
class Traces:
    """What the source said that must not come out.

    Parameters
    ----------
    strong
        Value in lower case → attribute: names, ids, places. Looked for within all text.
    weak
        The same for free text and private elements; a value that the source also says in an attribute that is
        kept (`AXIAL`) is none.
    uids, dates
        UIDs of instances; days as YYYYMMDD.
    kept
        Words that stay, in lower case.
    """

    strong: dict[str, str] = field(default_factory=dict)
    weak: dict[str, str] = field(default_factory=dict)
    uids: set[str] = field(default_factory=set)
    dates: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)

    def add_names(self, names: Iterable[str], attribute: str) -> None:
        """Note names that no DICOM element holds, such as those of files or of a reviewer."""
        for name in names:
            _note(self.strong, name, attribute)

    def words(self) -> Iterator[tuple[str, str]]:
        """Every value to look for within text, with its attribute."""
        yield from ((value, name) for value, name in self.strong.items() if len(value) > _SHORT)
        yield from ((value, name) for value, name in self.weak.items() if value not in self.kept)


def collect(datasets: Iterable[Any], cleaning: Cleaning) -> Traces:
    """Traces of a source, from its headers before they are cleaned."""
    traces = Traces()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for ds in datasets:
            for element in _elements(ds):
                _take(element, cleaning, traces)
    return traces


def blank(ds: Any, traces: Traces) -> None:
    """Replace text that is kept by rule and yet says what was taken out elsewhere: a name in a sequence's title."""
    for element in _elements(ds):
        if element.keyword in _NUMBERS and _is_id(str(element.value), traces):
            element.value = 0
        if element.VR not in _WORDS or element.keyword == "SpecificCharacterSet":
            continue
        values = _strings(element)
        told = [_says(value.lower(), traces, code=element.VR == "CS") is not None for value in values]
        if any(told):
            parts = ["REMOVED" if bad else value for value, bad in zip(values, told, strict=True)]
            element.value = parts if len(parts) > 1 else parts[0]


def _is_id(number: str, traces: Traces) -> bool:
    """Whether a number is an id of the source, or the digits of one (`774411` of `MRN-774411`)."""
    if number in traces.strong:
        return True
    return len(number) > _SHORT and any(number in re.findall(r"\d+", value) for value in traces.strong)


def require_clean_object(data: bytes, ds: Any, traces: Traces, disguise: Disguise) -> None:
    """Refuse a file (its bytes, and the dataset read from them) in which anything of the source still stands.

    Raises
    ------
    OutputError
        Naming the attribute of the source, never its value.
    """
    moved = {disguise.date(day) for day in traces.dates}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for element in (*_elements(ds), *_elements(getattr(ds, "file_meta", None) or ())):
            _require_clean_element(element, traces, moved)
    _require_clean_bytes(_header_bytes(data, ds), traces)


def require_clean_text(text: str, traces: Traces, disguise: Disguise, what: str) -> None:
    """The same for a page, a table or JSON.

    Raises
    ------
    OutputError
        Naming the attribute of the source, never its value.
    """
    lower = text.lower()
    for value, name in traces.words():
        if _stands_in(value, lower):
            raise _left(what, name)
    if any(uid in traces.uids for uid in _UID.findall(text)):
        raise _left(what, "a UID")
    moved = {disguise.date(day) for day in traces.dates}
    if any("".join(found) in traces.dates - moved for found in _days(text)):
        raise _left(what, "a date")


def scrub(text: str, traces: Traces, disguise: Disguise) -> str:
    """Text with the source's UIDs and dates as they are under the disguise."""
    if text in traces.uids:
        return disguise.uid(text)
    text = _UID.sub(lambda found: disguise.uid(found[0]), text)

    def moved(found: re.Match[str]) -> str:
        day = "".join(found.group(1, 3, 4))
        if day not in traces.dates:
            return found[0]
        new = disguise.date(day)
        return found[2].join((new[:4], new[4:6], new[6:]))

    return _DATE.sub(moved, text)


def _take(element: Any, cleaning: Cleaning, traces: Traces) -> None:
    action = decide(element, cleaning)
    name = element.keyword or ("a private element" if element.tag.is_private else "an unknown element")
    values = _strings(element)
    if action == "map":
        traces.uids.update(value for value in values if value and not value.startswith("1.2.840.10008."))
    elif action == "shift" or element.VR in ("DA", "DT"):
        traces.dates.update(value[:8] for value in values if value[:8].isdecimal() and len(value) >= 8)
    elif action == "keep":
        if element.VR in ("CS", "LO", "SH", "UT", "ST", "LT", "UC"):
            traces.kept.update(
                value.strip().lower() for value in values if name not in TYPED or known(name, value)
            )
    elif element.VR not in ("DS", "IS", "CS", "SQ", "TM", "AS"):
        strong = element.VR == "PN" or (bool(element.keyword) and bool(_IDENTITY.search(name)))
        for value in values:
            if strong:
                _note(traces.strong, value, name)
            elif _is_telling(value):
                _note(traces.weak, value, name)
            if element.VR == "PN":
                traces.add_names(_ways_to_write(value), name)


def _ways_to_write(name: str) -> Iterator[str]:
    """The parts of a name, and the first two joined as people and files join them: a short part alone is a word."""
    parts = [part for part in re.split(r"[\^=\s,]+", name) if part]
    yield from parts
    if len(parts) > 1:
        for first, second in (parts[:2], parts[1::-1]):
            yield from (f"{first}{between}{second}" for between in ("", " ", "_", "-", ".", ", ", ","))


def _is_telling(value: str) -> bool:
    """Whether free text may tell more than a word of the language or a number does."""
    value = value.strip()
    if value.isalpha() or len(value) <= _SHORT:
        return False
    return (value.isdecimal() and len(value) > _SHORT + 1) or any(char.isalpha() for char in value)


def _note(found: dict[str, str], value: str, name: str) -> None:
    value = value.strip(" \0^=").lower()
    if len(value) >= _SHORTEST and value not in _NEUTRAL and any(char.isalnum() for char in value):
        found.setdefault(value, name)


def _require_clean_element(element: Any, traces: Traces, moved: set[str]) -> None:
    where = element.keyword or str(element.tag)
    if (
        element.keyword in _NUMBERS
        and len(str(element.value)) > _SHORT
        and _is_id(str(element.value), traces)
    ):
        raise _left(where, "a number of the patient")
    if element.VR in ("DS", "IS", "TM", "SQ"):
        return
    for value in _strings(element):
        if element.VR == "UI":
            if value in traces.uids:
                raise _left(where, "a UID")
        elif element.VR in ("DA", "DT"):
            if value[:8] in traces.dates and value[:8] not in moved:
                raise _left(where, "a date")
        else:
            _require_clean_words(value.lower(), where, traces, code=element.VR == "CS")


def _require_clean_words(lower: str, where: str, traces: Traces, *, code: bool) -> None:
    name = _says(lower, traces, code=code)
    if name is not None:
        raise _left(where, name)
    if any(uid in traces.uids for uid in _UID.findall(lower)):
        raise _left(where, "a UID")
    if any("".join(day) in traces.dates for day in _days(lower)):
        raise _left(where, "a date")


def _says(lower: str, traces: Traces, *, code: bool) -> str | None:
    """The attribute of the source whose value this text says; a code of the standard must be it as a whole."""
    whole = traces.strong.get(lower.strip())
    if whole is not None or code:
        return whole
    return next((name for value, name in traces.words() if _stands_in(value, lower)), None)


def _require_clean_bytes(header: bytes, traces: Traces) -> None:
    """Undecoded, for what no element holds: preamble, padding, bytes of unknown types."""
    lower = header.lower()
    for value, name in traces.strong.items():
        if len(value) > _SHORT and any(
            re.search(_bounded(re.escape(wanted), value), lower)
            for wanted in _encoded(value)
            if wanted in lower
        ):
            raise _left("the header", name)
    if any(found.decode() in traces.uids for found in re.findall(rb"[0-9](?:\.[0-9]+){4,}", header)):
        raise _left("the header", "a UID")


def _bounded(wanted: bytes, value: str) -> bytes:
    """A number must not be taken for a part of a longer one, such as the digits behind a point."""
    before, after = (rb"a-z0-9.+-", rb"a-z0-9.") if value.isdecimal() else (rb"a-z0-9", rb"a-z0-9")
    return rb"(?<![" + before + rb"])" + wanted + rb"(?![" + after + rb"])"


def _encoded(value: str) -> Iterator[bytes]:
    for encoding in ("utf-8", "latin-1", "utf-16-le", "utf-16-be"):
        with suppress(UnicodeEncodeError):
            yield value.encode(encoding)


def _header_bytes(data: bytes, ds: Any) -> bytes:
    pixels = next((ds[name].value for name in _PIXELS if name in ds), None)
    place = data.rfind(pixels) if pixels else -1
    return data if place < 0 else data[:place] + data[place + len(pixels or b"") :]


def _elements(ds: Any) -> Iterator[Any]:
    for tag in list(ds.keys()) if ds else ():
        try:
            element = ds[tag]
        except Exception:  # noqa: BLE001, S112 - unreadable, so removed as well
            continue
        yield element
        if element.VR == "SQ":
            for item in element.value or ():
                yield from _elements(item)


def _strings(element: Any) -> list[str]:
    value = element.value
    if value is None or element.VR == "SQ" or element.keyword in _PIXELS:
        return []
    if isinstance(value, bytes):
        return _printable(value)
    if isinstance(value, str) or element.VR == "PN" or not hasattr(value, "__iter__"):
        parts = value if element.VM > 1 else [value]
        return [str(part) for part in parts]
    return [text for part in value for text in (_printable(part) if isinstance(part, bytes) else [str(part)])]


def _printable(value: bytes) -> list[str]:
    """Text in bytes, where they are few: blocks of a vendor's binary data are removed as a whole."""
    if len(value) > _MOST_BYTES:
        return []
    return [found.decode("ascii") for found in re.findall(rb"[\x20-\x7e]{5,}", value)]


def _days(text: str) -> Iterator[tuple[str, str, str]]:
    return ((found[1], found[3], found[4]) for found in _DATE.finditer(text))


def _stands_in(value: str, lower: str) -> bool:
    place = lower.find(value)
    while place >= 0:
        end = place + len(value)
        if not (lower[place - 1 : place].isalnum() and place > 0) and not lower[end : end + 1].isalnum():
            return True
        place = lower.find(value, place + 1)
    return False


def _left(where: str, name: str) -> OutputError:
    return OutputError(
        f"nothing was written: {where} would still say {name if name.startswith('a ') else f'the {name}'} of the source"
    )
