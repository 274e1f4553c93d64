"""What lies beside a series, and what may not be in it: named in a line, never dropped."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from medseg.domain import ReadOptions, Source
from medseg.domain.source import Verdict
from medseg.errors import InputError
from medseg.io import inspect, read
from medseg.io.dicom.derived.origin import read_headers

Make = Callable[..., Path]
Data = Callable[[str], Path]


def codes(sources: tuple[Source, ...]) -> dict[str, str]:
    return {item.code: item.severity for source in sources for item in source.findings}


def only_words(source: Source, code: str) -> str:
    (found,) = [item.message for item in source.findings if item.code == code]
    return found


@pytest.mark.parametrize("name", ["r15_bare_ima", "r15_mixed", "r15_mixed_dcm"])
def test_slices_without_preamble_are_read(name: str, data: Data) -> None:
    folder = data(f"faults/{name}")
    (source,) = inspect(folder)
    assert source.verdict is Verdict.UNIFORM
    assert read(folder).grid.shape == (20, 24, 16)


#: What a last slice may have become → word of the refusal.
LOST: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "is empty"),
    "cut in the preamble": (lambda whole: whole[:100], "no DICOM"),
    "cut behind the preamble": (lambda whole: whole[:140], "damaged|truncated"),
    "cut in its header": (lambda whole: whole[:600], "damaged|truncated|no pixels"),
    "a page": (lambda _: b"<html>404</html>", "no DICOM"),
    "packed": (gzip.compress, "unpack"),
}


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("suffix", [".dcm", ""])
def test_a_file_that_may_be_a_slice_refuses(kind: str, suffix: str, series: Make) -> None:
    folder = series([0, 3, 6])
    for file in list(folder.iterdir()):
        file.rename(file.with_suffix(suffix))
    last = folder / f"002{suffix}"
    change, words = LOST[kind]
    last.write_bytes(change(last.read_bytes()))
    assert all(source.verdict is Verdict.NOT_A_VOLUME for source in inspect(folder))
    with pytest.raises(InputError, match=words) as caught:
        read(folder)
    assert last.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_packed_slice_beside_the_others_refuses(series: Make) -> None:
    folder = series([0, 3, 6])
    last = folder / "002.dcm"
    (folder / "002.dcm.gz").write_bytes(gzip.compress(last.read_bytes()))
    last.unlink()
    with pytest.raises(InputError, match=r"002\.dcm\.gz is packed"):
        read(folder)


def test_the_last_slice_empty(data: Data) -> None:
    with pytest.raises(InputError, match=r"im015\.dcm is empty"):
        read(data("faults/r15_zero_last"))


def test_what_is_no_image_is_listed_once(series: Make) -> None:
    folder = series([0, 3, 6])
    for name in ("report.pdf", "notes.txt", "README", "thumbs.db"):
        (folder / name).write_bytes(b"something")
    (source,) = inspect(folder)
    assert source.verdict is Verdict.UNIFORM
    assert codes((source,)) == {"dicom.beside": "info"}
    assert "README, notes.txt, report.pdf" in only_words(source, "dicom.beside")
    assert read(folder).grid.shape == (6, 4, 3)


def test_a_strange_file_without_suffix_is_a_warning(series: Make) -> None:
    folder = series([0, 3, 6])
    (folder / "XYZ").write_bytes(b"something")
    assert codes(inspect(folder)) == {"dicom.beside": "warning"}


@pytest.mark.parametrize("keyword", ["PatientID", "FrameOfReferenceUID", "Modality"])
def test_strangers_in_one_series_are_refused(keyword: str, series: Make) -> None:
    values = {"PatientID": ("1", "2"), "FrameOfReferenceUID": ("1.2", "1.3"), "Modality": ("CT", "MR")}[
        keyword
    ]
    folder = series([0, 3, 6, 9], each=lambda n: {keyword: values[n // 2]})
    assert "dicom.strangers" in codes(inspect(folder))
    with pytest.raises(InputError, match=r"of 2 different (patients|frames of reference|modalities)"):
        read(folder)


def test_two_patients_of_the_shared_series(data: Data) -> None:
    with pytest.raises(InputError, match="of 2 different patients") as caught:
        read(data("faults/r23_abut"))
    assert "P1" not in str(caught.value)


def test_slices_that_bear_one_uid_are_read_but_nothing_can_refer_to_them(series: Make) -> None:
    folder = series([0, 3, 6, 9])
    files = sorted(folder.iterdir())
    for path in files[1:3]:
        ds = pydicom.dcmread(path)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID("1.2.3.9")
        ds.save_as(path)
    (source,) = inspect(folder)
    assert (
        f"2 files differ and bear the SOPInstanceUID of another one: {files[1].name}, {files[2].name}"
        in only_words(source, "dicom.shared_uid")
    )
    assert read(folder).grid.shape[2] == 4
    with pytest.raises(InputError, match=f"{files[1].name} and {files[2].name} bear one SOPInstanceUID"):
        read_headers(source)


def test_copies_count_once_and_are_named(data: Data, series: Make) -> None:
    image = read(data("faults/r9_copy1"))
    assert image.grid.shape == (20, 24, 16)
    assert "dicom.copies" in {item.code for item in image.findings}
    folder = series([0, 3, 6])
    (folder / "deeper").mkdir()
    shutil.copy(folder / "001.dcm", folder / "deeper" / "x.dcm")
    (source,) = inspect(folder)
    assert "x.dcm" in only_words(source, "dicom.copies")


def test_a_changed_copy_is_refused_with_the_files(series: Make) -> None:
    folder = series([0, 3, 6])
    ds = pydicom.dcmread(folder / "001.dcm")
    ds.PixelData = bytes(len(ds.PixelData))
    ds.save_as(folder / "copy.dcm")
    with pytest.raises(InputError, match=r"001\.dcm and copy\.dcm"):
        read(folder)


@pytest.mark.parametrize("offset", [0.7, 1.0, 1.3])
def test_two_acquisitions_are_two_volumes(offset: float, series: Make) -> None:
    places = [*(2.0 * n for n in range(8)), *(4 + offset + 2.0 * n for n in range(3))]
    folder = series(places, each=lambda n: {"AcquisitionNumber": 1 + (n >= 8)})
    found = {source.volume: source for source in inspect(folder)}
    assert set(found) == {"acquisition=1", "acquisition=2"}
    assert {source.verdict for source in found.values()} == {Verdict.UNIFORM}
    assert read(folder, options=ReadOptions(volume="acquisition=2")).grid.shape[2] == 3
    with pytest.raises(InputError, match="holds 2 volumes"):
        read(folder, options=ReadOptions(resample=True))


def test_two_acquisitions_of_the_shared_series(data: Data) -> None:
    shapes = [source.grid.shape[2] for source in inspect(data("faults/r19_offset")) if source.grid]
    assert shapes == [16, 6]


def test_two_acquisitions_that_follow_each_other_stay_one(series: Make) -> None:
    folder = series([0, 2, 4, 6, 8, 10], each=lambda n: {"AcquisitionNumber": 1 + n // 3})
    (source,) = inspect(folder)
    assert source.volume is None
    # Thinner slices below, thicker above, as heads are scanned: one uneven volume.
    folder = series([0, 2, 4, 9, 14, 19], each=lambda n: {"AcquisitionNumber": 1 + n // 3})
    (source,) = inspect(folder)
    assert source.verdict is Verdict.VARIABLE


SECONDARY: dict[str, dict[str, Any]] = {
    "survey": {"ImageType": ["DERIVED", "SECONDARY", "REF_SURVIEW"]},
    "capture": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "ImageType": ["DERIVED", "SECONDARY"]},
    "other": {"ImageType": ["DERIVED", "SECONDARY", "OTHER"]},
}


@pytest.mark.parametrize("kind", SECONDARY)
def test_a_secondary_picture_is_no_slice(kind: str, series: Make) -> None:
    folder = series([0, 3, 6, 9], each=lambda n: SECONDARY[kind] if n == 3 else {})
    refused, volume = inspect(folder)
    assert refused.verdict is Verdict.NOT_A_VOLUME
    assert refused.findings[0].severity == "error"
    assert volume.grid is not None
    assert volume.grid.shape[2] == 3


def test_a_secondary_capture_is_never_hu(series: Make) -> None:
    folder = series([0, 3, 6], SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    assert {source.value_unit for source in inspect(folder)} == {"[arb'U]"}


def test_mosaics_of_united_imaging_are_refused(series: Make) -> None:
    folder = series([0, 3], Modality="MR", ImageType=["ORIGINAL", "PRIMARY", "M", "VFRAME"])
    with pytest.raises(InputError, match="mosaic"):
        read(folder)


def test_an_object_without_pixels_says_so(series: Make) -> None:
    folder = series([0, 3, 6], each=lambda n: {"PixelData": None} if n == 1 else {})
    assert "dicom.damaged" in codes(inspect(folder))
    with pytest.raises(InputError, match=r"001\.dcm holds no pixels"):
        read(folder)


def test_a_single_slice_without_thickness_has_no_volume(series: Make) -> None:
    image = read(series([0], SliceThickness=None))
    assert image.grid.unit == "px"
    assert "dicom.no_thickness" in {item.code for item in image.findings}
    given = read(series([0], SliceThickness=None), options=ReadOptions(spacing=(1.0, 2.0, 4.0)))
    assert given.grid.voxel_volume == pytest.approx(8)


def test_a_variable_stack_is_covered_to_its_last_slice(series: Make) -> None:
    image = read(series([0, 2, 4.3, 6.9]), options=ReadOptions(resample=True))
    last = image.grid.affine @ [0, 0, image.grid.shape[2] - 1, 1]
    assert last[2] == pytest.approx(6.9)
    assert image.array[0, 0, -1] == pytest.approx(-700)


def test_an_overlay_in_the_pixels_bits_is_left_out(data: Data) -> None:
    image = read(data("faults/r12_overlay_j2k"))
    mask = read(data("faults/r12_mask.nii.gz")).array > 0
    assert float(image.array[mask].mean()) == pytest.approx(59.3, abs=0.05)
    assert "dicom.overlay_bits" in {item.code for item in image.findings}


@pytest.mark.parametrize(("stored", "high"), [(16, 5), (16, 11), (12, 15), (12, 5), (8, 15)])
def test_a_high_bit_that_is_not_the_highest_is_refused(stored: int, high: int, series: Make) -> None:
    folder = series([0, 3], BitsStored=stored, HighBit=high)
    with pytest.raises(InputError, match=f"HighBit is {high} with BitsStored {stored}"):
        read(folder)


@pytest.mark.parametrize("overlay", [True, False])
@pytest.mark.parametrize("signed", [0, 1])
def test_bits_above_those_stored(overlay: bool, signed: int, series: Make) -> None:
    folder = series([0, 3], BitsStored=12, HighBit=11, PixelRepresentation=signed)
    for path in folder.iterdir():
        ds = pydicom.dcmread(path)
        values = np.full((ds.Rows, ds.Columns), -5 if signed else 40, np.int16).view(np.uint16) & 0x0FFF
        values[0, 0] |= 0x1000
        ds.PixelData = values.tobytes()
        if overlay:
            ds.add_new((0x6000, 0x0100), "US", 16)
            ds.add_new((0x6000, 0x0102), "US", 12)
        ds.save_as(path)
    image = read(folder)
    assert set(image.array.ravel().tolist()) == {-1005 if signed else -960}
