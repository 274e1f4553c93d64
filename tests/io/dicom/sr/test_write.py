"""An SR says every number of a record, and others read the same numbers back."""

from dataclasses import replace
from pathlib import Path

import pytest

from medseg.domain import Measurement, Quantity, Record, Status
from medseg.domain.record import Review
from medseg.io.dicom.checked import checked_sr, reread
from medseg.io.dicom.derived.attributes import Uids
from medseg.io.dicom.seg.write import SegOptions, make_seg
from medseg.io.dicom.sr.read import sr_numbers
from medseg.io.dicom.sr.write import SrInput, make_sr
from medseg.workflows.measure import measure
from tests.io.dicom.seg.test_write import KIND
from tests.io.dicom.sources import Data, Scene, scene
from tests.journeys.judges import complaints, judge, numbers_by_dcmqi

PLAIN = "axial multi-frame, 23 columns"


def _sr(found: Scene, record: Record | None = None):
    record = record or measure(found.mask)
    uids = Uids("seed")
    seg = make_seg(found.mask, found.origin, SegOptions(review=record.review, uids=uids))
    return make_sr(record, SrInput(found.origin, seg, uids=uids)), seg, record


@pytest.mark.parametrize("kind", KIND)
def test_tid1500reader_reads_the_same_numbers(kind: str, data: Data, tmp_path: Path) -> None:
    judge("tid1500reader")
    found = scene(kind, data, tmp_path / "series")
    sr, _, record = _sr(found)
    (tmp_path / "sr.dcm").write_bytes(checked_sr(sr, record))
    read = [number for _, number in numbers_by_dcmqi(tmp_path / "sr.dcm", tmp_path)]
    ours = [item.value for item in record.measurements if item.value is not None]
    # A decimal string holds 16 characters; cm3 and ml are the same number.
    assert sorted(read) == pytest.approx(sorted(ours), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("kind", KIND)
def test_dciodvfy_says_no_more_than_of_the_source(kind: str, data: Data, tmp_path: Path) -> None:
    judge("dciodvfy")
    found = scene(kind, data, tmp_path / "series")
    for review in (Review(), Review("reviewed", "A. Reader", "Centre", "2026-01-02T03:04:05+00:00", "ab")):
        sr, _, record = _sr(found, replace(measure(found.mask), review=review))
        (tmp_path / "sr.dcm").write_bytes(checked_sr(sr, record))
        known = set().union(*(complaints(file) for file in found.files[:2]))
        assert complaints(tmp_path / "sr.dcm") - known == set()


def test_values_are_exact_to_the_last_digit(data: Data, tmp_path: Path) -> None:
    found = scene(PLAIN, data, tmp_path)
    record = measure(found.mask)
    odd = replace(record.measurements[0], quantity=Quantity.VOLUME, value=1.2345678901234567e-7, unit="ml")
    record = replace(record, measurements=(odd, *record.measurements[1:]))
    sr, _, _ = _sr(found, record)
    assert 1.2345678901234567e-7 in sr_numbers(reread(checked_sr(sr, record)))


def test_what_was_not_computed_has_a_qualifier_and_its_reason(data: Data, tmp_path: Path) -> None:
    found = scene(PLAIN, data, tmp_path)
    record = measure(found.mask)
    missing = Measurement(
        record.measurements[0].target,
        Quantity.LONGEST_DIAMETER,
        None,
        "mm",
        Status.NOT_COMPUTED,
        "the slices are sheared",
    )
    record = replace(record, measurements=(*record.measurements, missing))
    sr, _, _ = _sr(found, record)
    num = next(item for item in _nums(reread(checked_sr(sr, record)).ContentSequence) if _empty(item))
    assert num.NumericValueQualifierCodeSequence[0].CodeValue == "114007"
    assert "the slices are sheared" in num.ContentSequence[0].TextValue


def test_volumes_are_in_cm3_and_lower_bounds_say_so(data: Data, tmp_path: Path) -> None:
    found = scene(PLAIN, data, tmp_path)
    sr, _, record = _sr(found)
    nums = list(_nums(reread(checked_sr(sr, record)).ContentSequence))
    volume = next(item for item in nums if item.ConceptNameCodeSequence[0].CodeValue == "YEKZ")
    assert volume.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue == "cm3"
    cut = [item for item in record.measurements if item.status is Status.TRUNCATED_LOWER_BOUND]
    texts = [str(child.get("TextValue", "")) for item in nums for child in item.get("ContentSequence", ())]
    assert cut
    assert sum(text.startswith("truncated_lower_bound") for text in texts) == len(cut)


def test_a_structure_is_tracked_by_one_uid_in_seg_and_sr(data: Data, tmp_path: Path) -> None:
    found = scene(PLAIN, data, tmp_path)
    sr, seg, record = _sr(found)
    in_seg = {str(item.TrackingID): str(item.TrackingUID) for item in seg.SegmentSequence}
    in_sr = dict(_tracked(reread(checked_sr(sr, record)).ContentSequence))
    assert in_seg == in_sr


def test_the_private_scheme_is_declared(data: Data, tmp_path: Path) -> None:
    sr, _, _ = _sr(scene(PLAIN, data, tmp_path))
    (item,) = sr.CodingSchemeIdentificationSequence
    assert item.CodingSchemeDesignator == "99MEDSEG"


def test_nothing_is_verified_unless_signed(data: Data, tmp_path: Path) -> None:
    found = scene(PLAIN, data, tmp_path)
    sr, _, record = _sr(found)
    assert (sr.VerificationFlag, sr.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert sr.SeriesDescription.startswith("RESEARCH – NOT REVIEWED")
    review = Review("reviewed", "A. Reader", "Centre", "2026-01-02T03:04:05+00:00", "ab")
    signed, _, _ = _sr(found, replace(record, review=review))
    assert (signed.VerificationFlag, signed.PreliminaryFlag) == ("VERIFIED", "FINAL")
    observer = signed.VerifyingObserverSequence[0]
    assert (str(observer.VerifyingObserverName), observer.VerifyingOrganization) == ("Reader^A.", "Centre")
    assert str(observer.VerificationDateTime).startswith("20260102030405")


def _nums(items):
    for item in items:
        if item.ValueType == "NUM":
            yield item
        yield from _nums(item.get("ContentSequence") or [])


def _empty(num) -> bool:
    return not num.get("MeasuredValueSequence")


def _tracked(items):
    for item in items:
        children = item.get("ContentSequence") or []
        names = {
            str(child.ConceptNameCodeSequence[0].get("CodeValue", "")): child
            for child in children
            if child.get("ConceptNameCodeSequence")
        }
        if "112039" in names and "112040" in names:
            yield str(names["112039"].TextValue), str(names["112040"].UID)
        yield from _tracked(children)
