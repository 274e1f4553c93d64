"""What every DICOM object that medseg writes has in common: titles, UIDs, equipment, patient and study."""

import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from medseg._version import __version__
from medseg.domain.record import Review
from medseg.errors import InputError
from medseg.io.dicom.derived.origin import Origin

__all__ = [
    "MANUFACTURER",
    "Uids",
    "add_patient_and_study",
    "derived_series",
    "file_meta",
    "person_name",
    "research_title",
    "review_time",
    "shows_identity",
    "sources_of",
    "state_series_time",
]

MANUFACTURER = "medseg"
MODEL_NAME = "medseg (research use, not a medical device)"
#: Series numbers of derived objects start here, away from those of scanners.
SERIES_NUMBER = 9000
#: Attributes that a derived object shares with its source: the patient and study modules of PS3.3.
_SHARED = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
    "StudyDescription",
)
#: Of these, the standard wants a value or an empty one (type 2).
_TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)


#: Role of the UIDs by which structures are tracked.
_TRACKING = "tracking "


@dataclass(frozen=True, slots=True)
class Uids:
    """UIDs of new objects: random, or the same for the same seed.

    Parameters
    ----------
    seed
        Such as the record's content digest; None makes random ones.
    known
        Name of a structure or lesion → the tracking UID that it has had since an earlier scan.
    """

    seed: str | None = None
    known: tuple[tuple[str, str], ...] = ()

    def make(self, role: str) -> str:
        """A UID under pydicom's root; of the same seed and role always the same one."""
        from pydicom.uid import generate_uid

        kept = dict(self.known).get(role.removeprefix(_TRACKING)) if role.startswith(_TRACKING) else None
        if kept is not None:
            return kept
        return str(generate_uid(entropy_srcs=None if self.seed is None else [self.seed, role]))

    def tracking(self, structure: str) -> str:
        """The UID by which all objects of an export track a structure or a lesion."""
        return self.make(f"{_TRACKING}{structure}")


def research_title(review: Review, what: str, *, limit: int = 64) -> str:
    """Title of an object: says that it is research, and whether a person reviewed it; at most `limit` characters.

    >>> research_title(Review(), "Segmentation")
    'RESEARCH – NOT REVIEWED – Segmentation'
    """
    state = f"reviewed by {review.reviewer}" if review.state == "reviewed" else "NOT REVIEWED"
    return f"RESEARCH – {state} – {what}"[:limit]


def person_name(name: str) -> str:
    """A name as DICOM's PN wants it: the last word is taken as family name, unless carets say otherwise.

    >>> person_name("A. Reader"), person_name("medseg")
    ('Reader^A.', 'medseg^')
    """
    if "^" in name:
        return name
    given, _, family = name.strip().rpartition(" ")
    return f"{family}^{given}"


def add_patient_and_study(ds: Any, origin: Origin) -> None:
    """Copy patient and study of the source; attributes that must be there are empty where the source lacks them."""
    for keyword in _SHARED:
        element = origin.first.get(keyword)
        if element is not None:
            _copy(ds, keyword, element)
        elif keyword in _TYPE_2:
            setattr(ds, keyword, "")
    # Text beyond ASCII in names and titles needs one character set for the whole object.
    ds.SpecificCharacterSet = "ISO_IR 192"


def sources_of(origin: Origin) -> list[Any]:
    """A reference to each image that an object was made from, for the sequence of its module that names them."""
    from pydicom.dataset import Dataset

    found = []
    for source in origin.datasets:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID
        found.append(item)
    return found


def review_time(review: Review) -> datetime:
    """When a review was signed.

    Raises
    ------
    InputError
        If the review does not say.
    """
    try:
        return datetime.fromisoformat(str(review.signed_at))
    except ValueError as error:
        raise InputError(f"the review does not say when it was signed ({review.signed_at})") from error


def file_meta(ds: Any, sop_class: str) -> None:
    """Class and file meta information of a new object: Explicit VR Little Endian."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    ds.SOPClassUID = UID(sop_class)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID


def shows_identity(subject: str, origin: Origin) -> bool:
    """Whether a page that names its subject so names the patient of the source."""
    words = [str(origin.first.get(key, "") or "").strip().lower() for key in ("PatientID", "PatientName")]
    plain = subject.strip().lower()
    return any(word and word in (plain, plain.replace(" ", "^")) for word in words)


def _copy(ds: Any, keyword: str, value: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lengths and forms that the source itself breaks
        setattr(ds, keyword, value)


def state_series_time(ds: Any, now: datetime | None = None) -> None:
    """When a derived series was made: as its content, where no other time is given."""
    date, time = (
        (ds.ContentDate, ds.ContentTime) if now is None else (now.strftime("%Y%m%d"), now.strftime("%H%M%S"))
    )
    ds.SeriesDate, ds.SeriesTime = date, time


def derived_series(ds: Any, uids: Uids, *, modality: str, title: str, number: int, now: datetime) -> None:
    """The series and equipment of a new object; never the source's."""
    ds.Modality = modality
    ds.SeriesInstanceUID = uids.make(f"series {modality} {number}")
    ds.SOPInstanceUID = uids.make(f"object {modality} {number}")
    ds.SeriesNumber = SERIES_NUMBER + number
    ds.InstanceNumber = 1
    ds.SeriesDescription = title
    state_series_time(ds, now)
    ds.Manufacturer = MANUFACTURER
    ds.ManufacturerModelName = MODEL_NAME
    ds.DeviceSerialNumber = "0"
    ds.SoftwareVersions = __version__
