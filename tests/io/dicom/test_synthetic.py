"""Faults that real data lacks, on synthetic series: each is named, none is guessed away."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medseg.domain import ReadOptions
from medseg.errors import InputError
from medseg.io import inspect, read

Make = Callable[..., Path]


def test_spacing_comes_from_positions_and_axes_from_the_header(series: Make) -> None:
    image = read(series([0, 3, 6]))
    assert image.grid.shape == (6, 4, 3)
    assert image.grid.spacing == pytest.approx((1, 2, 3))
    assert image.grid.slice_thickness == 99
    assert image.grid.orientation == "LPS"
    assert image.array[1, 0, 0] == 7 - 1000
    assert image.array[0, 0, 2] == 200 - 1000
    assert image.value_unit == "[hnsf'U]"


def test_file_order_does_not_matter(series: Make) -> None:
    image = read(series([6, 0, 3]))
    assert [int(value) + 1000 for value in image.array[0, 0]] == [100, 200, 0]


@pytest.mark.parametrize(
    ("positions", "verdict", "reason"),
    [
        ([0, 3, 9], "gap", "--resample"),
        ([0, 3, 7.5], "variable spacing", "--resample"),
        ([0, 3, 3.0], "duplicates", "nothing in their headers"),
    ],
)
def test_irregular_stacks(positions: list[float], verdict: str, reason: str, series: Make) -> None:
    # Instance numbers are left out: they would tell duplicates apart only if blocks were complete.
    folder = series(positions)
    assert inspect(folder)[0].verdict.value == verdict
    with pytest.raises(InputError, match=reason):
        read(folder)


def test_variable_spacing_is_interpolated_when_asked(series: Make) -> None:
    image = read(series([0, 2, 5, 7]), options=ReadOptions(resample=True))
    assert image.grid.spacing[2] == pytest.approx(1.75)
    assert image.array[0, 0].tolist() == pytest.approx([-1000, -912.5, -850, -787.5, -700], abs=1)
    assert "dicom.variable_spacing" in {item.code for item in image.findings}


def test_time_points_split(series: Make) -> None:
    folder = series([0, 3, 0, 3], each=lambda n: {"TemporalPositionIdentifier": n // 2 + 1})
    assert [source.volume for source in inspect(folder)] == ["t=1", "t=2"]
    assert read(folder, options=ReadOptions(volume="t=2")).array[0, 0].tolist() == [-800, -700]


def test_echoes_and_types_split(series: Make) -> None:
    kinds = (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"])
    folder = series(
        [0, 3] * 4,
        each=lambda n: {"EchoTime": 5.0 + n // 4, "ImageType": kinds[n // 2 % 2], "Modality": "MR"},
    )
    assert {source.volume for source in inspect(folder)} == {
        "kind=magnitude echo=1",
        "kind=magnitude echo=2",
        "kind=phase echo=1",
        "kind=phase echo=2",
    }


def test_a_list_of_files_is_a_series_too(series: Make) -> None:
    import medseg

    folder = series([0, 3, 6, 9])
    image = medseg.read(sorted(folder.glob("*.dcm"))[1:3])
    assert image.array[0, 0].tolist() == [-900, -800]


def test_slopes_of_each_slice(series: Make) -> None:
    image = read(
        series(
            [0, 3],
            each=lambda n: {"RescaleSlope": 0.5 + n, "RescaleIntercept": 0},
            Modality="PT",
            Units="GML",
        )
    )
    assert image.value_unit == "g/ml{SUVbw}"
    assert image.array[1, 0].tolist() == [3.5, 10.5]
    assert image.array.dtype == np.float32


def test_padding_is_outside(series: Make) -> None:
    image = read(series([0, 3], PixelPaddingValue=7))
    assert image.outside is not None
    assert np.argwhere(image.outside).tolist() == [[1, 0, 0], [1, 0, 1]]


@pytest.mark.parametrize(
    ("tags", "unit"),
    [
        ({}, "[hnsf'U]"),
        ({"RescaleType": None}, "[hnsf'U]"),
        ({"RescaleType": "US"}, "[arb'U]"),
        ({"ImageType": ["DERIVED", "PRIMARY", "AXIAL", "VMI"]}, "[arb'U]"),
        ({"SeriesDescription": "CBCT head"}, "[arb'U]"),
        ({"Modality": "MR"}, "[arb'U]"),
        ({"Modality": "PT", "Units": "BQML"}, "Bq/ml"),
        ({"Modality": "PT", "Units": "GML", "SUVType": "LBM"}, "g/ml{SUVlbm}"),
        ({"Modality": "PT", "Units": "GML", "SUVType": "BSA"}, "[arb'U]"),
        ({"Modality": "PT", "Units": "PROPCPS"}, "[arb'U]"),
    ],
)
def test_units(tags: dict[str, object], unit: str, series: Make) -> None:
    assert inspect(series([0, 3], **tags))[0].value_unit == unit


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "dicom.scout"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}, "dicom.mosaic"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "dicom.colour"),
        ({"Modality": "SEG"}, "dicom.not_an_image"),
    ],
)
def test_what_is_never_read_as_slices(tags: dict[str, object], code: str, series: Make) -> None:
    folder = series([0, 3], **tags)
    (source,) = inspect(folder)
    assert source.findings[0].code == code
    with pytest.raises(InputError):
        read(folder)


def test_a_secondary_capture_is_px(series: Make) -> None:
    folder = series([0], Modality="SC", ImagePositionPatient=None, ImageOrientationPatient=None)
    image = read(folder)
    assert image.grid.unit == "px"
    assert image.grid.affine.diagonal().tolist() == [-1, -1, 1, 1]


def test_two_series_are_listed(series: Make) -> None:
    folder = series([0, 3, 0, 3], each=lambda n: {"SeriesInstanceUID": f"1.2.{n // 2}"})
    assert len(inspect(folder)) == 2
    with pytest.raises(InputError, match="--series"):
        read(folder)
    assert read(folder, options=ReadOptions(series="2.1")).array[0, 0, 0] == -800


def test_a_truncated_slice_is_named(series: Make) -> None:
    folder = series([0, 3, 6])
    victim = folder / "001.dcm"
    victim.write_bytes(victim.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"001\.dcm is truncated"):
        read(folder)


def test_a_slice_whose_header_is_damaged_is_no_silent_gap(series: Make) -> None:
    folder = series([0, 3, 6])
    victim = folder / "001.dcm"
    victim.write_bytes(victim.read_bytes()[:300])
    with pytest.raises(InputError):
        read(folder)


@pytest.mark.parametrize("tags", [{"NumberOfFrames": 1_000_000}, {"Rows": 60_000, "Columns": 60_000}])
def test_absurd_claims_allocate_nothing(tags: dict[str, int], series: Make) -> None:
    with pytest.raises(InputError):
        read(series([0], **tags))


def test_no_pixels(series: Make) -> None:
    with pytest.raises(InputError, match="no pixels"):
        read(series([0, 3], PixelData=None))


def test_identities_stay_behind(series: Make) -> None:
    image = read(series([0, 3]))
    assert "Secret" not in repr(image.source)


def test_pydicom_stays_quiet(series: Make) -> None:
    folder = series([0, 3])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in folder.iterdir():
            ds = pydicom.dcmread(path)
            ds.PatientName = "x" * 100
            ds.AcquisitionTime = "not a time"
            ds.save_as(path)
    read(folder)
