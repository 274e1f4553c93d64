"""One file's header as plain values: what is common to its frames, and where each frame lies."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from medseg.domain.values import Details
from medseg.errors import InputError
from medseg.io.dicom.image.figures import stated, stated_many, tag_words
from medseg.io.dicom.image.kinds import kind_of
from medseg.io.dicom.image.pet import pet_inputs
from medseg.io.dicom.image.places import frame_place, is_stacked
from medseg.io.dicom.image.suv import PetInputs
from medseg.io.dicom.image.traits import frame_traits
from medseg.io.dicom.opened import is_dicom, open_header
from medseg.io.dicom.tags import first, group_item, integer, number, numbers, text

__all__ = ["Frame", "Header", "read_header"]

#: An object with more frames than this is refused unread: no scanner makes it.
MOST_FRAMES = 100_000
#: Words of ImageType: Siemens' and United Imaging's mosaics; overviews; pictures of screens and dose pages.
_MOSAICS = ("MOSAIC", "VFRAME")
_SCOUTS = ("LOCALIZER", "SCOUT", "SURVIEW", "TOPOGRAM")
_SHOTS = ("SCREEN SAVE", "SCREENSHOT", "SCREEN CAPTURE", "DOSE INFO", "DOSE REPORT")
#: Modalities that are no images of a body part, however they are stored.
_NOT_IMAGES = {
    "SEG": "a segmentation (SEG)",
    "SR": "a structured report (SR)",
    "RTSTRUCT": "a set of contours (RTSTRUCT)",
    "RTDOSE": "a dose distribution (RTDOSE)",
    "RTPLAN": "a treatment plan (RTPLAN)",
    "PR": "a presentation state (PR)",
    "KO": "a key object selection (KO)",
    "REG": "a registration (REG)",
    "RWV": "a real world value map (RWV)",
    "DOC": "a document (DOC)",
}
_DETAILS = {
    "KVP": "kvp",
    "ConvolutionKernel": "kernel",
    "ContrastBolusAgent": "contrast",
    "ScanningSequence": "sequence",
    "MRAcquisitionType": "acquisition",
    "SliceThickness": "slice_thickness_mm",
    "Manufacturer": "manufacturer",
    "ManufacturerModelName": "model",
    "MagneticFieldStrength": "field_strength_t",
    "RepetitionTime": "repetition_time_ms",
    "EchoTime": "echo_time_ms",
    "CorrectedImage": "pet_corrections",
    "DecayCorrection": "pet_decay_correction",
    "Units": "pet_units",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One slice: where it lies, how its values are scaled, what they are, and what tells it from others there."""

    file: str
    number: int
    sop_uid: str
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, float] | None
    slope: float
    intercept: float
    traits: tuple[tuple[str, Any], ...]
    stack: str | None
    instance: int | None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """What the frames of one file have in common; `fault` says why it holds no slices.

    `patient` tells patients apart and is shown nowhere. `secondary` is a Secondary Capture or secondary image, and
    `stacked` an older object whose frames are placed by the first one's position and the step between them.
    """

    file: str
    series: str
    modality: str
    rows: int
    columns: int
    frames: tuple[Frame, ...]
    description: str
    image_type: tuple[str, ...]
    frame_of_reference: str | None
    thickness: float | None
    rescale_type: str | None
    has_rescale: bool
    padding: tuple[float, float] | None
    pet: PetInputs | None
    px: bool
    details: Details
    fault: tuple[str, str] | None = None
    sop_class: str = ""
    patient: str = ""
    stacked: bool = False
    acquired: str | None = None


def read_header(path: Path) -> Header | None:
    """Header of a DICOM file without its pixels; None for a file that is no DICOM.

    Raises
    ------
    InputError
        If it is DICOM and damaged.
    """
    from pydicom.errors import InvalidDicomError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset, more = open_header(path)
            # Old exports lack the magic word; what they describe is then all that says DICOM.
            if not (dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID")):
                if is_dicom(path):
                    raise InputError(f"{path.name} is truncated: it ends before it says what it is")
                return None
            if "DirectoryRecordSequence" in dataset:
                return None
            header = _header(path, dataset)
            if header.fault is None and not more:
                raise InputError(
                    f"{path.name} holds no pixels; the file is truncated or was exported without them"
                )
            return header
        except InvalidDicomError:
            return None
        except InputError:
            raise
        except Exception as error:  # a damaged header fails anywhere inside pydicom
            raise InputError(
                f"{path.name}: its DICOM header is damaged ({type(error).__name__}: {error})"
            ) from error


def _header(path: Path, ds: Any) -> Header:
    modality = str(ds.get("Modality", "") or "")
    fault = _fault(ds, modality)
    frames = () if fault else tuple(_frames(path, ds))
    image_type = tuple(str(part) for part in ds.get("ImageType", None) or ())
    transform = group_item(ds, None, "PixelValueTransformationSequence")
    return Header(
        file=str(path),
        series=str(ds.get("SeriesInstanceUID", "") or "no series UID"),
        modality=modality,
        rows=int(ds.get("Rows", 0) or 0),
        columns=int(ds.get("Columns", 0) or 0),
        frames=frames,
        description=str(ds.get("SeriesDescription", "") or ""),
        image_type=image_type,
        frame_of_reference=str(ds.FrameOfReferenceUID) if ds.get("FrameOfReferenceUID") else None,
        thickness=_thickness(path, ds),
        rescale_type=text(first(ds, transform, "RescaleType")),
        has_rescale=first(ds, transform, "RescaleSlope") is not None,
        padding=_padding(ds),
        pet=pet_inputs(ds),
        px=_is_px(ds, modality),
        details=_facts(ds),
        fault=fault,
        sop_class=str(ds.get("SOPClassUID", "") or ""),
        patient=_patient(ds),
        stacked=fault is None and is_stacked(ds),
        acquired=_day(ds),
    )


def _day(ds: Any) -> str | None:
    """ISO 8601 day of acquisition, else of the series."""
    for keyword in ("AcquisitionDate", "SeriesDate", "AcquisitionDateTime"):
        try:
            return datetime.strptime(str(ds.get(keyword) or "")[:8], "%Y%m%d").date().isoformat()  # noqa: DTZ007 - a day
        except ValueError:
            continue
    return None


def _contrast(agent: str) -> str:
    """Whether contrast was given: the agent is typed text, which may name a person."""
    return "none" if agent.strip().upper() in ("NO", "NONE", "N", "WITHOUT", "0") else "given"


def _patient(ds: Any) -> str:
    """What tells one patient from another: the id, else name and birth date."""
    return str(ds.get("PatientID", "") or "").strip() or " ".join(
        str(ds.get(keyword, "") or "").strip(" ^").upper() for keyword in ("PatientName", "PatientBirthDate")
    )


def _fault(ds: Any, modality: str) -> tuple[str, str] | None:
    """(code, words) of what makes this no stack of intensity slices."""
    image_type = [str(part).upper() for part in ds.get("ImageType", None) or ()]
    frames = int(ds.get("NumberOfFrames", 1) or 1)
    if modality in _NOT_IMAGES and modality != "DOC":
        return "dicom.not_an_image", f"it is {_NOT_IMAGES[modality]}, not an image"
    if not ds.get("Rows") or not ds.get("Columns"):
        if "Image Storage" in _sop_class(ds):
            raise InputError(
                f"{Path(str(ds.filename)).name} is truncated: its header ends before it describes an image"
            )
        return (
            "dicom.not_an_image",
            f"it is {_NOT_IMAGES.get(modality, 'an object without pixels')}, not an image",
        )
    if int(ds.get("SamplesPerPixel", 1) or 1) > 1 or "PALETTE" in str(
        ds.get("PhotometricInterpretation", "")
    ):
        return "dicom.colour", "it is a colour picture, and colours are no measured intensities"
    if any(word in _MOSAICS for word in image_type):
        return "dicom.mosaic", "it is a mosaic of many slices in one picture; export it as an enhanced series"
    if any(word in part for part in image_type for word in _SCOUTS):
        return "dicom.scout", "it is a scout (localizer), not a stack of slices"
    if any(part.replace("_", " ") in _SHOTS for part in image_type):
        return "dicom.secondary", "it is a picture of a screen or a page, whose values are not measured"
    if not 1 <= frames <= MOST_FRAMES:
        raise InputError(f"{Path(str(ds.filename)).name}: it claims {frames} frames")
    return None


def _sop_class(ds: Any) -> str:
    from pydicom.uid import UID

    return UID(str(ds.get("SOPClassUID") or ds.file_meta.get("MediaStorageSOPClassUID", ""))).name


def _frames(path: Path, ds: Any) -> Iterator[Frame]:
    count = int(ds.get("NumberOfFrames", 1) or 1)
    groups = ds.get("PerFrameFunctionalGroupsSequence")
    if groups is not None and len(groups) != count:
        raise InputError(f"{path.name}: it claims {count} frames and describes {len(groups)}; it is damaged")
    for index in range(count):
        group = groups[index] if groups is not None else None
        yield _frame(path, ds, group, index)


def _frame(path: Path, ds: Any, group: Any, index: int) -> Frame:
    measures = group_item(ds, group, "PixelMeasuresSequence")
    content = group_item(ds, group, "FrameContentSequence")
    slope, intercept = _scaling(path, ds, group)
    spacing = stated_many(path.name, ds, measures, "PixelSpacing", 2)
    if spacing is not None and min(spacing) <= 0:
        raise InputError(f"{path.name}: its PixelSpacing is {spacing}, and pixels have a size")
    position, orientation = frame_place(path.name, ds, group, index)
    return Frame(
        file=str(path),
        number=index,
        sop_uid=str(ds.get("SOPInstanceUID", "") or ""),
        position=position,
        orientation=orientation,
        spacing=None if spacing is None else (spacing[0], spacing[1]),
        slope=slope,
        intercept=intercept,
        traits=tuple(frame_traits(ds, group, index)),
        stack=text(first(ds, content, "StackID")) if content is not None else None,
        instance=integer(ds.get("InstanceNumber")),
        kind=kind_of(ds, group_item(ds, group, "MRImageFrameTypeSequence")),
    )


def _scaling(path: Path, ds: Any, group: Any) -> tuple[float, float]:
    """Slope and intercept; 1 and 0 only where neither is there, which says that values are stored as they are."""
    transform = group_item(ds, group, "PixelValueTransformationSequence")
    slope = stated(path.name, ds, transform, "RescaleSlope")
    intercept = stated(path.name, ds, transform, "RescaleIntercept")
    if slope == 0:
        raise InputError(f"{path.name}: its RescaleSlope is 0, so its values are lost")
    if (slope is None) != (intercept is None):
        there, gone = ("RescaleSlope", "RescaleIntercept")[:: 1 if intercept is None else -1]
        raise InputError(f"{path.name}: it has {tag_words(there)} and no {tag_words(gone)}; values need both")
    return (1.0, 0.0) if slope is None or intercept is None else (slope, intercept)


def _is_px(ds: Any, modality: str) -> bool:
    """The px rule: no trustworthy size in the patient."""
    if modality in ("SC", "OT", "XC", "ES", "GM", "SM", "US"):
        return not ds.get("ImagePositionPatient")
    if "1.2.840.10008.5.1.4.1.1.7" in str(ds.get("SOPClassUID", "")) and not ds.get("ImagePositionPatient"):
        return True
    if ds.get("ImagePositionPatient") or ds.get("PerFrameFunctionalGroupsSequence"):
        return False
    spacing, imager = numbers(ds.get("PixelSpacing"), 2), numbers(ds.get("ImagerPixelSpacing"), 2)
    if spacing is None:
        return True
    return imager is not None and spacing == imager and not ds.get("PixelSpacingCalibrationType")


def _padding(ds: Any) -> tuple[float, float] | None:
    value = number(ds.get("PixelPaddingValue"))
    if value is None:
        return None
    limit = number(ds.get("PixelPaddingRangeLimit"))
    limit = value if limit is None else limit
    return min(value, limit), max(value, limit)


def _thickness(path: Path, ds: Any) -> float | None:
    measures = group_item(ds, None, "PixelMeasuresSequence")
    if measures is None and ds.get("PerFrameFunctionalGroupsSequence"):
        measures = group_item(ds, ds.PerFrameFunctionalGroupsSequence[0], "PixelMeasuresSequence")
    value = stated(path.name, ds, measures, "SliceThickness")
    return value if value and value > 0 else None


def _facts(ds: Any) -> Details:
    found = []
    for keyword, name in _DETAILS.items():
        value = ds.get(keyword)
        if value not in (None, ""):
            figure = number(value) if not isinstance(value, str) else None
            words = (
                value if isinstance(value, str) else " ".join(map(str, value)) if _is_many(value) else value
            )
            said = _contrast(str(words)) if name == "contrast" else str(words)[:64]
            found.append((name, figure if figure is not None else said))
    return tuple(found)


def _is_many(value: Any) -> bool:
    return hasattr(value, "__len__")
