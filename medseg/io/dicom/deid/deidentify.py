"""De-identification of one dataset: the Basic Application Level Confidentiality Profile of DICOM PS3.15 Annex E.

With the option Retain Longitudinal Temporal Information, Modified Dates (113107): every date moves by the shift of
the patient, times stay. With Retain Patient Characteristics (113108) on request. UIDs of instances are replaced by
the key's, everywhere, so that objects that referred to each other still do.
"""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from medseg._version import __version__
from medseg.domain import Finding
from medseg.errors import InputError
from medseg.io.dicom.deid import profile
from medseg.io.dicom.deid.key import Disguise
from medseg.io.dicom.deid.vocabulary import TYPED, without_typed

__all__ = ["Cleaning", "clean", "decide", "findings_on", "pixels_of", "read_whole", "require_clean_pixels"]

Action: TypeAlias = Literal["keep", "remove", "empty", "dummy", "shift", "map", "descend"]

_TEXT = frozenset(("AE", "LO", "LT", "PN", "SH", "ST", "UC", "UN", "UR", "UT"))
_BYTES = frozenset(("OB", "OD", "OF", "OL", "OV", "OW"))
_DUMMIES = {
    "AS": "000Y",
    "CS": "REMOVED",
    "LO": "REMOVED",
    "LT": "Removed.",
    "PN": "Removed^",
    "SH": "REMOVED",
    "ST": "Removed.",
    "UC": "Removed.",
    "UT": "Removed.",
}
#: Sequences that are empty rather than absent: their modules want them.
_EMPTIED = frozenset(("AcquisitionContextSequence", "VerifyingObserverIdentificationCodeSequence"))
_OLDEST = 89
_METHOD = f"medseg {__version__}: Basic Profile of PS3.15 2026c"
_CODES = {
    "113100": "Basic Application Confidentiality Profile",
    "113104": "Clean Structured Content Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
}
_BURNED_IN_MODALITIES = {
    "US": "ultrasound",
    "IVUS": "intravascular ultrasound",
    "ES": "an endoscopy",
    "SC": "a secondary capture",
}
_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"


@dataclass(frozen=True, slots=True)
class Cleaning:
    """How a dataset is cleaned.

    Parameters
    ----------
    disguise
        The patient's.
    derived
        Whether medseg made the object: its titles, names of structures and sentences stay.
    keep_characteristics
        Retain Patient Characteristics (113108): sex, age, size, weight, pregnancy, smoking.
    """

    disguise: Disguise
    derived: bool = False
    keep_characteristics: bool = False

    def keeps(self, keyword: str) -> bool:
        """Whether an attribute stays though the table says otherwise."""
        return (self.derived and keyword in profile.DERIVED) or (
            self.keep_characteristics and keyword in profile.CHARACTERISTICS
        )


def require_clean_pixels(ds: Any) -> None:
    """Refuse objects whose pixels may hold a name: nothing here reads or paints over pixels.

    Raises
    ------
    InputError
        If annotation is burned in, or the object is of a kind whose pictures carry text.
    """
    modality = str(ds.get("Modality") or "")
    reason = ""
    if str(ds.get("BurnedInAnnotation") or "").upper() == "YES":
        reason = "text is burned into its pixels (BurnedInAnnotation is YES)"
    elif modality in _BURNED_IN_MODALITIES or str(ds.get("SOPClassUID") or "").startswith(_CAPTURES):
        kind = _BURNED_IN_MODALITIES.get(modality, "a secondary capture")
        reason = f"it is {kind}, whose pictures often hold names"
    elif "EncapsulatedDocument" in ds:
        reason = "it is an encapsulated document, whose pages hold names"
    elif "SCREEN SAVE" in [str(part).upper() for part in ds.get("ImageType") or ()]:
        reason = "it is a picture of a screen"
    if reason:
        raise InputError(f"the source can't be de-identified: {reason}")


def decide(element: Any, cleaning: Cleaning, *, nested: bool = False) -> Action:
    """What happens to a data element, at the top or inside a sequence; pure, so that a check can ask the same."""
    keyword, vr, group = element.keyword, element.VR, element.tag.group
    if element.tag.is_private or not keyword or group < 0x0008 or group >> 8 in (0x50, 0x60):
        return "remove"  # private, unknown, of files and messages, curves, overlays
    if keyword == "SpecificCharacterSet":
        return "remove"  # set anew for the whole object
    if cleaning.keeps(keyword):
        return "descend" if vr == "SQ" else "keep"
    if vr == "UI":
        return "keep" if keyword in profile.STANDARD_UIDS else "map"
    if vr in ("DA", "DT", "TM") and keyword not in profile.NOT_SHIFTED:
        return "keep" if vr == "TM" or keyword in profile.STANDARD_DATES else "shift"
    if keyword in profile.TABLE:
        return _by_table(keyword, vr, cleaning)
    return _by_type(keyword, vr, group, nested=nested)


def _by_table(keyword: str, vr: str, cleaning: Cleaning) -> Action:
    code = profile.TABLE[keyword]
    if vr == "SQ":
        wanted = cleaning.derived and keyword == "ReferencedPerformedProcedureStepSequence"
        return "empty" if keyword in _EMPTIED or wanted else "remove"
    if code == "X" or (code == "X/D" and keyword != "ProtocolName") or vr in _BYTES:
        return "remove"
    # Where the table leaves a choice: a dummy keeps an object valid that wants a value; names can be empty.
    return "dummy" if "D" in code and (vr != "PN" or code == "D") else "empty"


def _by_type(keyword: str, vr: str, group: int, *, nested: bool) -> Action:
    if group == 0x0010:  # the patient
        return "remove"
    if vr == "SQ":
        return "descend"
    if vr in _TEXT:
        if keyword in profile.KEPT:
            return "keep"
        # Macros of functional groups want their text to be there.
        return "dummy" if nested and vr in _DUMMIES else "remove"
    if vr in _BYTES:
        return "keep" if keyword in profile.BINARY else "remove"
    return "keep"


def clean(ds: Any, cleaning: Cleaning) -> None:
    """De-identify a dataset in place; pixels are not touched."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values of the source that break their own rules
        _decode(ds)
        described = str(ds.get("SeriesDescription") or "")
        _walk(ds, cleaning)
        if not cleaning.derived and described:
            ds.SeriesDescription = " ".join([str(ds.get("Modality") or "image"), *_techniques(described)])
        _limit_age(ds)
        _stamp(ds, cleaning)
        _renew_meta(ds)


def findings_on(ds: Any, *, keep_characteristics: bool) -> Iterator[Finding]:
    """What the one who gives the files away must know about this source."""
    modality = str(ds.get("Modality") or "")
    words = " ".join(
        str(ds.get(name) or "")
        for name in ("BodyPartExamined", "StudyDescription", "SeriesDescription", "ProtocolName")
    )
    regions = " ".join(str(item.get("CodeMeaning") or "") for item in ds.get("AnatomicRegionSequence") or ())
    if modality in ("CT", "MR", "PT") and _shows_head(f"{words} {regions}"):
        yield Finding(
            "deid.face",
            "warning",
            "The images show a head: a face can be reconstructed from them, and nothing here removes it. "
            "Deface them first, or give them only to those who may see it; no 3D view is made.",
        )
    elif modality in ("CT", "MR") and not words.strip():
        yield Finding(
            "deid.body_part_unknown",
            "warning",
            "The images do not say which part of the body they show; if it is a head, a face can be reconstructed.",
        )
    if str(ds.get("RecognizableVisualFeatures") or "").upper() == "YES":
        yield Finding(
            "deid.recognizable", "warning", "The images say that a person can be recognised in them."
        )
    if modality == "PT" and not keep_characteristics:
        yield Finding(
            "deid.suv_inputs",
            "warning",
            "Weight, size and sex of the patient were removed, so SUVs can't be computed from these PET images "
            "any more; keep them with --keep-patient-characteristics.",
        )


def _walk(ds: Any, cleaning: Cleaning, *, nested: bool = False) -> None:
    for tag in list(ds.keys()):
        try:
            element = ds[tag]
            action = decide(element, cleaning, nested=nested)
        except Exception:  # noqa: BLE001 - a value that can't even be parsed says nothing to anyone
            del ds[tag]
            continue
        if action == "remove":
            del ds[tag]
        elif action == "descend":
            within = replace(cleaning, derived=False) if element.keyword in profile.INHERITED else cleaning
            for item in element.value or ():
                _walk(item, within, nested=True)
                _clean_code(item, within)
        elif action == "keep" and element.keyword in TYPED:
            element.value = without_typed(element.keyword, element.value)
        elif action != "keep":
            element.value = _changed(element, action, cleaning)


def _changed(element: Any, action: Action, cleaning: Cleaning) -> Any:
    value = element.value
    if action == "empty" or value is None or value == "" or not hasattr(value, "__len__"):
        return [] if element.VR == "SQ" else None
    if action == "dummy":
        return _DUMMIES.get(element.VR, "")
    several = not isinstance(value, str)
    parts = [str(part) for part in value] if several else [str(value)]
    if action == "map":
        parts = [cleaning.disguise.uid(part) for part in parts]
    else:
        parts = [cleaning.disguise.date(part, making=cleaning.derived) for part in parts]
    return parts if several else parts[0]


def _clean_code(item: Any, cleaning: Cleaning) -> None:
    """A code of a source says what its scheme says, not what someone typed beside it."""
    if cleaning.derived or "CodeMeaning" not in item:
        return
    scheme, value = str(item.get("CodingSchemeDesignator") or ""), str(item.get("CodeValue") or "")
    meaning = _meanings().get((scheme, value))
    if meaning is None and (scheme.startswith(("99", "L")) or not re.fullmatch(r"[A-Z0-9.\-]{1,16}", value)):
        item.CodeMeaning, item.CodingSchemeDesignator = "Local code", "99LOCAL"
        if "CodeValue" in item:
            item.CodeValue = "LOCAL"
        return
    item.CodeMeaning = meaning or f"{scheme} {value}"


@cache
def _meanings() -> dict[tuple[str, str], str]:
    from pydicom.sr import _concepts_dict, _snomed_dict

    tables: Any = _concepts_dict.concepts
    found = {
        (scheme, value): str(entry[0])[:64]
        for scheme, words in tables.items()
        for entries in words.values()
        for value, entry in entries.items()
    }
    renamed: Any = _snomed_dict.mapping["SRT"]
    old = {("SRT", value): found.get(("SCT", new)) for value, new in renamed.items()}
    return found | {key: meaning for key, meaning in old.items() if meaning is not None}


def _decode(ds: Any) -> None:
    """Text as Unicode, by the character set of the source, which goes away afterwards."""
    try:
        ds.decode()
    except Exception:  # noqa: BLE001 - text that can't be decoded is removed or stays as it was read
        return


def _limit_age(ds: Any) -> None:
    """Ages above 89 are rare enough to name a person."""
    age = str(ds.get("PatientAge") or "")
    if age.endswith("Y") and age[:-1].isdecimal() and int(age[:-1]) > _OLDEST:
        ds.PatientAge = "090Y"


def _techniques(text: str) -> list[str]:
    upper = text.upper()
    return [word for word in profile.TECHNIQUES if word in upper]


def _shows_head(text: str) -> bool:
    upper = text.upper()
    return any(re.search(rf"\b{word}", upper) for word in profile.HEAD)


def _stamp(ds: Any, cleaning: Cleaning) -> None:
    from pydicom.dataset import Dataset

    ds.PatientName = ds.PatientID = cleaning.disguise.pseudonym
    ds.PatientIdentityRemoved = "YES"
    ds.LongitudinalTemporalInformationModified = "MODIFIED"
    ds.DeidentificationMethod = _METHOD[:64]
    values = ["113100", *(["113104"] if "ContentSequence" in ds else []), "113107"]
    values += ["113108"] if cleaning.keep_characteristics else []
    items = []
    for value in values:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", _CODES[value]
        items.append(item)
    ds.DeidentificationMethodCodeSequence = items


def _renew_meta(ds: Any) -> None:
    """File meta information with nothing but what the file needs; titles of applications and private parts go."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    old = getattr(ds, "file_meta", None)
    syntax = None if old is None else old.get("TransferSyntaxUID")
    if not syntax:
        implicit = getattr(ds, "original_encoding", (True, True))[0]
        syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    ds.file_meta = meta
    ds.preamble = b"\0" * 128


def pixels_of(ds: Any) -> bytes:
    """The stored bytes of an object's pixels, compressed or not.

    Raises
    ------
    InputError
        If it has none.
    """
    for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
        if name in ds:
            return bytes(ds[name].value)
    raise InputError("a source object has no pixels")


def read_whole(header: Any) -> Any:
    """The object of a header with its pixels, from the same file.

    Raises
    ------
    InputError
        If the file is gone, damaged, or holds another object by now.
    """
    import pydicom

    path = Path(str(header.filename))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = pydicom.dcmread(path, force=True)
            same = ds.SOPInstanceUID == header.SOPInstanceUID
    except Exception as error:  # noqa: BLE001 - a damaged file fails anywhere inside pydicom
        raise InputError(f"a source object can't be read again ({type(error).__name__})") from None
    if not same:
        raise InputError("a source file holds another object than when it was read; read it again")
    return ds
