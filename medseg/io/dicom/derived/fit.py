"""Headers of real scanners made fit for the library that builds derived objects: on copies, never in files."""

import warnings
from typing import Any

from medseg.io.dicom.derived.origin import Origin

__all__ = ["fit_sources"]

#: Attributes that highdicom copies without asking whether they are there; empty is what the standard allows.
_TYPE_2 = (
    "AccessionNumber",
    "PatientBirthDate",
    "PatientID",
    "PatientName",
    "PatientSex",
    "ReferringPhysicianName",
    "StudyDate",
    "StudyID",
    "StudyTime",
)
#: Functional groups that it looks for among the shared ones, though each frame may carry its own.
_SHARED = ("PixelMeasuresSequence", "PlaneOrientationSequence")


def fit_sources(origin: Origin) -> list[Any]:
    """One dataset per slice in k order (or the one multi-frame object), as copies that highdicom can use.

    What is repaired: an empty character set, missing type-2 attributes, pixel measures and orientation that
    every frame repeats, a missing slice thickness. A series without a Frame of Reference gets one derived from
    its Series Instance UID, the
    same for every object made from it. Text is Unicode already, so the copies say UTF-8.
    """
    if origin.is_multiframe:
        datasets = list(origin.datasets)
    else:
        datasets = [origin.datasets[number] for number, _ in origin.slices]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values of the source that break their own rules stay as they are
        found = [_fit(ds, origin.grid.spacing[2]) for ds in datasets]
        for ds in found:
            # Some exporters give every slice a study of its own; the derived object lies in the first one's.
            _replace(ds, "StudyInstanceUID", origin.first.StudyInstanceUID)
        return found


def _fit(ds: Any, step_mm: float) -> Any:
    from pydicom.dataset import Dataset
    from pydicom.uid import generate_uid

    found = Dataset()
    found.update(ds)
    if "file_meta" in vars(ds):
        found.file_meta = ds.file_meta
    for keyword in _TYPE_2:
        _replace(found, keyword, str(ds.get(keyword) or ""))
    _replace(found, "SpecificCharacterSet", "ISO_IR 192")
    if not found.get("FrameOfReferenceUID"):
        uid = generate_uid(entropy_srcs=[str(ds.SeriesInstanceUID), "frame of reference"])
        _replace(found, "FrameOfReferenceUID", uid)
    frames = found.get("PerFrameFunctionalGroupsSequence")
    if frames:
        _share_groups(found, frames[0])
    elif not found.get("SliceThickness"):
        # A SEG must state one; the step is the only thickness known here, and no volume is made from it.
        _replace(found, "SliceThickness", step_mm)
    return found


def _replace(found: Any, keyword: str, value: Any) -> None:
    """Set an attribute anew: a copy of a dataset shares its elements, whose values would change in both."""
    if keyword in found:
        del found[keyword]
    setattr(found, keyword, value)


def _share_groups(found: Any, frame: Any) -> None:
    from pydicom.dataset import Dataset

    shared = found.get("SharedFunctionalGroupsSequence")
    group = Dataset()
    group.update(shared[0] if shared else {})
    for keyword in _SHARED:
        if keyword not in group and keyword in frame:
            setattr(group, keyword, frame.get(keyword))
    _replace(found, "SharedFunctionalGroupsSequence", [group])
