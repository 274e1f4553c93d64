"""An SR says every number of a record, and others read the same numbers back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Measurement, Quantity, Record, Status, Target
from medseg.domain.record import Review
from medseg.errors import InputError
from medseg.io.dicom.checked import checked_sr, reread
from medseg.io.dicom.derived.attributes import Uids
from medseg.io.dicom.seg.write import SegOptions, make_seg
from medseg.io.dicom.sr.codes import quantity_code, sr_value
from medseg.io.dicom.sr.read import sr_groups, sr_numbers
from medseg.io.dicom.sr.write import SrInput, make_sr
from medseg.workflows.measure import measure
from tests.io.dicom.seg.test_write import KIND
from tests.io.dicom.sources import Data, Scene, scene
from tests.journeys.judges import complaints, judge, numbers_by_dcmqi

PLAIN = "axial multi-frame, 23 columns"


def _sr(found: Scene, record: Record | None = None, *, everything: bool = True):
    record = record or measure(found.mask)
    uids = Uids("seed")
    seg = make_seg(found.mask, found.origin, SegOptions(review=record.review, uids=uids))
    return make_sr(record, SrInput(found.origin, seg, uids=uids, everything=everything)), seg, record


@pytest.mark.parametrize("kind", KIND)
def test_tid1500reader_reads_the_same_numbers(kind: str, data: Data, tmp_path: Path) -> None:
    judge("tid1500reader")
    found = scene(kind, data, tmp_path / "series")
    sr, _, record = _sr(found)
    (tmp_path / "sr.dcm").write_bytes(checked_sr(sr, record, everything=True))
    read = [number for _, number in numbers_by_dcmqi(tmp_path / "sr.dcm", tmp_path)]
    stated = [sr_value(item) for item in record.measurements]
    ours = [value for value in stated if value is not None]
    # A decimal string holds 16 characters; cm3 and ml are the same number.
    assert sorted(read) == pytest.approx(sorted(ours), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("kind", KIND)
def test_dciodvfy_says_no_more_than_of_the_source(kind: str, data: Data, tmp_path: Path) -> None:
    judge("dciodvfy")
    found = scene(kind, data, tmp_path / "series")
    for review in (Review(), Review("reviewed", "A. Reader", "Centre", "2026-01-02T03:04:05+00:00", "ab")):
        sr, _, record = _sr(found, replace(measure(found.mask), review=review))
        (tmp_path / "sr.dcm").write_bytes(checked_sr(sr, record, everything=True))
        known = set().union(*(complaints(file) for file in found.files[:2]))
        assert complaints(tmp_path / "sr.dcm") - known == set()


def test_values_are_exact_to_the_last_digit(data: Data, tmp_path: Path) -> None:
    found = scene(PLAIN, data, tmp_path)
    record = measure(found.mask)
    odd = replace(record.measurements[0], quantity=Quantity.VOLUME, value=1.2345678901234567e-7, unit="ml")
    record = replace(record, measurements=(odd, *record.measurements[1:]))
    sr, _, _ = _sr(found, record)
    assert 1.2345678901234567e-7 in sr_numbers(reread(checked_sr(sr, record, everything=True)))


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
    num = next(
        item
        for item in _nums(reread(checked_sr(sr, record, everything=True)).ContentSequence)
        if _empty(item)
    )
    assert num.NumericValueQualifierCodeSequence[0].CodeValue == "114007"
    assert "the slices are sheared" in num.ContentSequence[0].TextValue


def test_volumes_are_in_cm3_and_lower_bounds_say_so(data: Data, tmp_path: Path) -> None:
    found = scene(PLAIN, data, tmp_path)
    sr, _, record = _sr(found)
    nums = list(_nums(reread(checked_sr(sr, record, everything=True)).ContentSequence))
    volume = next(item for item in nums if item.ConceptNameCodeSequence[0].CodeValue == "YEKZ")
    assert volume.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue == "cm3"
    cut = [item for item in record.measurements if item.status is Status.TRUNCATED_LOWER_BOUND]
    texts = [str(child.get("TextValue", "")) for item in nums for child in item.get("ContentSequence", ())]
    assert cut
    assert sum(text.startswith("truncated_lower_bound") for text in texts) == len(cut)


def test_a_structure_is_tracked_by_one_uid_in_seg_and_sr_and_its_lines_by_their_own(
    data: Data, tmp_path: Path
) -> None:
    found = scene(PLAIN, data, tmp_path)
    sr, seg, record = _sr(found, everything=False)
    in_seg = {str(item.TrackingID): str(item.TrackingUID) for item in seg.SegmentSequence}
    groups = sr_groups(reread(checked_sr(sr, record)))
    in_sr = [_tracking(group) for group in groups]
    assert dict(in_sr).items() >= in_seg.items()
    assert len({uid for _, uid in in_sr}) == len(in_sr)
    drawn = [name for name, _ in in_sr if name not in in_seg]
    assert drawn.count("Cornerstone3DTools@^0.1.0:Bidirectional") == 2
    assert set(drawn) <= {f"Cornerstone3DTools@^0.1.0:{tool}" for tool in ("Bidirectional", "Length")}


def test_a_short_sr_says_what_people_read(data: Data, tmp_path: Path) -> None:
    found = scene(PLAIN, data, tmp_path)
    record = measure(found.mask)
    short, _, _ = _sr(found, record, everything=False)
    long, _, _ = _sr(found, record)
    said = {_code(num) for num in _nums(short.ContentSequence)}
    assert {"YEKZ", "103339001", "103340004", "L0JK"} <= said
    for quantity in (Quantity.EULER_NUMBER, Quantity.BOX_MIN_I, Quantity.VOXEL_COUNT, Quantity.ELONGATION):
        code = quantity_code(quantity).value
        assert code not in said
        assert code in {_code(num) for num in _nums(long.ContentSequence)}
    assert len(sr_numbers(short)) == sum(item.quantity.info.brief for item in record.measurements) < 15
    assert len(sr_numbers(long)) == len(record.measurements)


def test_no_quantity_that_only_a_script_reads_is_brief() -> None:
    brief = {quantity for quantity in Quantity if quantity.info.brief}
    assert Quantity.VOLUME in brief
    assert {
        quantity for quantity in brief if quantity.info.group in ("Shape", "Position and border")
    } == set()
    assert {quantity for quantity in brief if quantity.info.kind == "comparison"} == set()


def test_positions_are_lps_in_name_and_sign(data: Data, tmp_path: Path) -> None:
    """The JSON says towards the right and the front, the SR towards the left and the back."""
    found = scene("oblique sagittal", data, tmp_path)
    sr, _, record = _sr(found)
    ours = {item.quantity: item.value for item in record.measurements if item.target.name == "Ring"}
    group = next(group for group in sr_groups(sr) if _tracking(group)[0] == "Ring")
    nums = {_code(num): num for num in group.ContentSequence if num.ValueType == "NUM"}
    for axis, sign in (("x", -1), ("y", -1), ("z", 1)):
        num = nums[f"centroid_{axis}_lps"]
        assert "LPS" in num.ConceptNameCodeSequence[0].CodeMeaning
        value = num.MeasuredValueSequence[0].FloatingPointValue
        assert value == sign * ours[Quantity(f"centroid_{axis}")]
    (center,) = [item for item in group.ContentSequence if item.ValueType == "SCOORD3D"]
    wanted = [nums[f"centroid_{axis}_lps"].MeasuredValueSequence[0].FloatingPointValue for axis in "xyz"]
    assert list(center.GraphicData) == pytest.approx(wanted, abs=1e-3)


def test_the_image_library_says_what_was_measured(data: Data, tmp_path: Path) -> None:
    found = scene("oblique sagittal", data, tmp_path)
    sr, _, record = _sr(found)
    again = reread(checked_sr(sr, record, everything=True))
    (library,) = [item for item in again.ContentSequence if _code(item) == "111028"]
    (group,) = library.ContentSequence
    held = {_code(item): item for item in group.ContentSequence}
    first = found.origin.first
    assert held["121139"].ConceptCodeSequence[0].CodeValue == first.Modality
    assert held["111060"].Date == first.StudyDate
    assert float(held["111026"].MeasuredValueSequence[0].NumericValue) == pytest.approx(
        float(first.PixelSpacing[1]), rel=1e-6
    )
    cosines = [held[str(code)].MeasuredValueSequence[0].NumericValue for code in range(110904, 110907)]
    assert [float(value) for value in cosines] == pytest.approx(first.ImageOrientationPatient[:3], abs=1e-4)
    images = [item for item in group.ContentSequence if item.ValueType == "IMAGE"]
    for image, ds in zip(images, found.origin.datasets, strict=True):
        assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == ds.SOPInstanceUID
        place = [float(num.MeasuredValueSequence[0].NumericValue) for num in image.ContentSequence]
        assert place == pytest.approx(ds.ImagePositionPatient, abs=1e-2)


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("oblique sagittal", "SCOORD"),  # in one slice of square pixels
        ("oblique multi-frame", "SCOORD"),  # in one frame
        (
            "oblique, pixels 4.0 × 6.4",
            "SCOORD3D",
        ),  # Cornerstone would place pixels that are not square wrongly
    ],
)
def test_axes_are_drawn_in_their_slice_or_in_space(kind: str, form: str, data: Data, tmp_path: Path) -> None:
    found = scene(kind, data, tmp_path)
    sr, _, record = _sr(found, everything=False)
    for target in ("Ring", "Core ä"):
        rows = [item for item in record.measurements if item.target.name == target]
        points = next(item.points_mm for item in rows if item.quantity is Quantity.LONGEST_DIAMETER)
        lines = [_line(group) for group in sr_groups(sr) if "Bidirectional" in _tracking(group)[0]]
        assert {line.ValueType for line in lines} == {form}
        if form == "SCOORD3D":
            wanted = np.array(points) * (-1, -1, 1)
            assert any(np.allclose(np.reshape(line.GraphicData, (2, 3)), wanted, atol=1e-3) for line in lines)
            continue
        index = found.origin.grid.to_index(np.array(points))
        (line,) = [
            one
            for one in lines
            if np.allclose(np.reshape(one.GraphicData, (2, 2)), index[:, :2] + 0.5, atol=1e-3)
        ]
        number, frame = found.origin.slices[round(index[0, 2])]
        reference = line.ContentSequence[0].ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == found.origin.datasets[number].SOPInstanceUID
        assert reference.get("ReferencedFrameNumber", 1) == frame + 1


def test_a_record_without_a_brief_number_is_refused(data: Data, tmp_path: Path) -> None:
    found = scene(PLAIN, data, tmp_path)
    record = measure(found.mask)
    rows = tuple(item for item in record.measurements if not item.quantity.info.brief)
    with pytest.raises(InputError, match="--sr-all"):
        _sr(found, replace(record, measurements=rows), everything=False)


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


def _code(item) -> str:
    name = item.ConceptNameCodeSequence[0]
    return str(name.get("CodeValue") or name.LongCodeValue)


def _tracking(group) -> tuple[str, str]:
    """(tracking identifier, tracking UID) of a measurement group."""
    held = {_code(item): item for item in group.ContentSequence}
    return str(held["112039"].TextValue), str(held["112040"].UID)


def _line(group):
    """Coordinates of a group's first number."""
    return next(item for item in group.ContentSequence if item.ValueType == "NUM").ContentSequence[0]


def _empty(num) -> bool:
    return not num.get("MeasuredValueSequence")


def test_a_tissue_is_pointed_at_in_its_compartment(data: Data, tmp_path: Path) -> None:
    """It has no centroid of its own, and a group without a place stops OHIF."""
    found = scene(PLAIN, data, tmp_path)
    record = measure(found.mask)
    ring = record.measurements[0].target
    muscle = Target("tissue", "muscle", ring.labels, detail="k=1")
    rows = (Measurement(muscle, Quantity.TISSUE_AREA, 12.5, "cm2"), *record.measurements)
    sr, _, _ = _sr(found, replace(record, measurements=rows), everything=False)
    places = {}
    for group in sr_groups(sr):
        points = [item.GraphicData for item in group.ContentSequence if item.ValueType == "SCOORD3D"]
        places[_tracking(group)[0]] = [list(point) for point in points]
    assert places["muscle, k=1"] == places[ring.name] != []
