"""Numbers that values depend on: present and finite, or named by their tag; never a default."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from medseg.errors import InputError
from medseg.io import read

Make = Callable[..., Path]
BAD = ["nan", "inf", "-inf", "abc", "1,5", "1e300", "1\\2"]


def overwrite(path: Path, keyword: str, value: str) -> None:
    """Write text into a tag as no library would let us."""
    ds = pydicom.dcmread(path)
    tag = Tag(keyword)
    raw = value.encode()
    raw += b" " * (len(raw) % 2)
    ds._dict[tag] = RawDataElement(tag, "DS", len(raw), raw, 0, False, True)
    ds.save_as(path)


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept", "SliceThickness"])
def test_a_damaged_number_is_refused_by_tag(keyword: str, value: str, series: Make) -> None:
    folder = series([0, 3, 6])
    overwrite(folder / "001.dcm", keyword, value)
    with pytest.raises(InputError, match=keyword) as caught:
        read(folder)
    assert "001.dcm" in str(caught.value)
    assert "(00" in str(caught.value)


@pytest.mark.parametrize("keyword", ["PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"])
@pytest.mark.parametrize("value", ["nan\\1", "1\\abc", "1"])
def test_a_damaged_place_is_refused_by_tag(keyword: str, value: str, series: Make) -> None:
    folder = series([0, 3, 6])
    overwrite(folder / "001.dcm", keyword, value)
    with pytest.raises(InputError, match=keyword):
        read(folder)


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
def test_one_without_the_other_is_refused(keyword: str, series: Make) -> None:
    with pytest.raises(InputError, match="values need both"):
        read(series([0, 3], **{keyword: None}))


def test_an_empty_slope_is_a_missing_one(series: Make) -> None:
    image = read(series([0, 3], RescaleSlope="", RescaleIntercept="", Modality="MR"))
    assert image.array[0, 0].tolist() == [0, 100]


@pytest.mark.parametrize("value", ["nan", "abc", "inf"])
def test_a_damaged_number_of_a_pet_forbids_suv(
    value: str, series: Make, pet_tags: Callable[..., dict[str, Any]]
) -> None:
    folder = series([0, 3], **pet_tags())
    for path in folder.iterdir():
        overwrite(path, "PatientWeight", value)
    image = read(folder)
    assert image.value_unit == "Bq/ml"
    (said,) = [item.message for item in image.findings if item.code == "pet.no_suv"]
    assert "(0010,1030) PatientWeight" in said
    overwrite(path, "RescaleSlope", value)
    with pytest.raises(InputError, match="RescaleSlope"):
        read(folder)
