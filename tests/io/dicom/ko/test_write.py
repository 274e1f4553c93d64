"""A selection of key images names slices of its own study alone, and why."""

from pathlib import Path

import pydicom
import pytest

from medseg.domain.record import Review
from medseg.errors import InputError
from medseg.io.dicom.checked import checked_key_images, reread
from medseg.io.dicom.ko.write import KeyImageOptions, make_key_images
from tests.io.dicom.sources import Data, scene
from tests.journeys.judges import complaints, heard, judge

WHY = {2: "tumour, largest section", 1: "tumour, long axis"}


@pytest.mark.parametrize("kind", ["oblique sagittal", "axial multi-frame, 23 columns"])
def test_judges_read_it_and_it_names_the_slices(kind: str, data: Data, tmp_path: Path) -> None:
    judge("dciodvfy")
    found = scene(kind, data, tmp_path / "series")
    written = checked_key_images(make_key_images(WHY, found.origin), found.origin)
    (tmp_path / "ko.dcm").write_bytes(written)
    known = set().union(*(complaints(file) for file in found.files[:2]))
    assert complaints(tmp_path / "ko.dcm") - known == set()
    assert "Of Interest" in heard("dsrdump", "+Pl", tmp_path / "ko.dcm")
    ko = reread(written)
    assert ko.ConceptNameCodeSequence[0].CodeValue == "113000"
    assert ko.SeriesDate == ko.ContentDate
    images = [item.ReferencedSOPSequence[0] for item in ko.ContentSequence if item.ValueType == "IMAGE"]
    named = {
        (str(item.ReferencedSOPInstanceUID), frame)
        for item in images
        for frame in _frames(item.get("ReferencedFrameNumber"))
    }
    origin = found.origin
    wanted = {(str(origin.datasets[n].SOPInstanceUID), f + 1) for n, f in (origin.slices[k] for k in WHY)}
    assert named == wanted
    (text,) = [item.TextValue for item in ko.ContentSequence if item.ValueType == "TEXT" and _is_words(item)]
    assert text.splitlines() == [
        "RESEARCH – NOT REVIEWED – not a medical device",
        "slice 2: tumour, long axis",
        "slice 3: tumour, largest section",
    ]


def _frames(stated: object) -> list[int]:
    if stated is None:
        return [1]
    return [int(one) for one in stated] if isinstance(stated, pydicom.multival.MultiValue) else [int(stated)]  # type: ignore[call-overload]


def _is_words(item: pydicom.Dataset) -> bool:
    return str(item.ConceptNameCodeSequence[0].CodeValue) == "113012"


def test_who_signed_is_named(data: Data, tmp_path: Path) -> None:
    found = scene("axial multi-frame, 23 columns", data, tmp_path)
    review = Review("reviewed", "A. Reader", "Centre", "2026-01-02T03:04:05+00:00", "ab")
    ko = make_key_images(WHY, found.origin, KeyImageOptions(review))
    names = [str(item.PersonName) for item in ko.ContentSequence if item.ValueType == "PNAME"]
    assert names == ["Reader^A."]
    assert ko.SeriesDescription.startswith("RESEARCH – reviewed by A. Reader")


def test_slices_of_another_study_are_left_out(data: Data, tmp_path: Path) -> None:
    """Some exporters give every slice a study of its own."""
    found = scene("oblique sagittal", data, tmp_path)
    found.origin.datasets[found.origin.slices[2][0]].StudyInstanceUID = "1.2.3"
    ko = make_key_images(WHY, found.origin)
    assert len([item for item in ko.ContentSequence if item.ValueType == "IMAGE"]) == 1
    assert "slice 3" not in str(ko)
    with pytest.raises(InputError, match="no key images"):
        make_key_images({2: "tumour"}, found.origin)
