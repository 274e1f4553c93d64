"""Writing a Key Object Selection document by highdicom: which images of the source series are of interest, and why."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from medseg._version import __version__
from medseg.domain.record import Review
from medseg.errors import InputError
from medseg.io.dicom.derived.attributes import (
    MANUFACTURER,
    MODEL_NAME,
    SERIES_NUMBER,
    Uids,
    research_title,
    state_series_time,
)
from medseg.io.dicom.derived.fit import fit_sources
from medseg.io.dicom.derived.observers import observers_of
from medseg.io.dicom.derived.origin import Origin

__all__ = ["KeyImageOptions", "make_key_images"]

_SERIES = 50


@dataclass(frozen=True, slots=True)
class KeyImageOptions:
    """Whose review the selection states, and its UIDs."""

    review: Review = field(default_factory=Review)
    uids: Uids = field(default_factory=Uids)


def make_key_images(
    reasons: Mapping[int, str], origin: Origin, options: KeyImageOptions | None = None
) -> Any:
    """A Key Object Selection (TID 2010, titled "Of Interest") of slices of the source series.

    Parameters
    ----------
    reasons
        Slice k of the series → why it is a key image. Slices that their headers put into another study than the
        first are left out: a selection refers to its own study alone.

    Raises
    ------
    InputError
        If no slice is left.
    """
    from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
    from pydicom.sr.codedict import codes

    options = options or KeyImageOptions()
    study = str(origin.first.get("StudyInstanceUID"))
    chosen = {
        k: why
        for k, why in sorted(reasons.items())
        if str(origin.datasets[origin.slices[k][0]].get("StudyInstanceUID")) == study
    }
    if not chosen:
        raise InputError("no slice of the study shows a structure, so there are no key images")
    sources = fit_sources(origin)
    images = sources if origin.is_multiframe else [sources[k] for k in chosen]
    person, device = observers_of(options.review, options.uids)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names and times of real headers; they are the source's
        content = KeyObjectSelection(
            document_title=codes.DCM.OfInterest,
            referenced_objects=images,
            observer_person_context=person,
            observer_device_context=device,
            description=_description(chosen, options.review),
        )
        if origin.is_multiframe:
            frames = [origin.slices[k][1] + 1 for k in chosen]
            content[0].ContentSequence[-1].ReferencedSOPSequence[0].ReferencedFrameNumber = frames
        role = "key images"
        ko = KeyObjectSelectionDocument(
            evidence=images,
            content=content,
            series_instance_uid=options.uids.make(f"series {role}"),
            series_number=SERIES_NUMBER + _SERIES,
            sop_instance_uid=options.uids.make(f"object {role}"),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MODEL_NAME,
            software_versions=__version__,
            device_serial_number="0",
            series_description=research_title(options.review, "Key images"),
        )
    state_series_time(ko)
    return ko


def _description(chosen: Mapping[int, str], review: Review) -> str:
    """What a viewer shows beside the images: that it is research, and each image's reason by its slice from 1."""
    lines = [research_title(review, "not a medical device")]
    lines += [f"slice {k + 1}: {why}" for k, why in chosen.items()]
    return "\n".join(lines)
