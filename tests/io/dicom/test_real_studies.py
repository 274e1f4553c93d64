"""Every image study of the shared data: the right verdict, number of volumes, shape, spacing and unit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import ReadOptions
from medseg.errors import InputError
from medseg.io import inspect, read

Data = Callable[[str], Path]
D2N = "dicom2nifti/"

VOLUMES = [
    ("dcmqi/23x38x3/image", "uniform", 1, (23, 38, 3), (0.7, 0.7, 2.5)),
    ("dcmqi/24x38x3/image", "uniform", 1, (24, 38, 3), (0.7, 0.7, 2.5)),
    ("dcmqi/23x38x3/multiframe", "uniform", 1, (23, 38, 3), (0.7, 0.7, 2.5)),
    ("dcmqi/24x38x3/multiframe", "uniform", 1, (24, 38, 3), (0.7, 0.7, 2.5)),
    ("dcmqi/ct-3slice", "uniform", 1, (512, 512, 3), None),
    (f"{D2N}failing/gantrytilting/001", "sheared", 1, (512, 512, 4), None),
    (f"{D2N}generic/compressed_j2k/001", "uniform", 1, (256, 256, 4), (1, 1, 1)),
    (f"{D2N}generic/compressed_jpeg/001", "uniform", 1, (256, 256, 4), (1, 1, 1)),
    (f"{D2N}generic/compressed_jpegls/001", "uniform", 1, (256, 256, 4), (1, 1, 1)),
    (f"{D2N}generic/compressed_rle/001", "uniform", 1, (256, 256, 4), (1, 1, 1)),
    (f"{D2N}generic/anatomical/001", "uniform", 1, (256, 256, 4), (1, 1, 1)),
    (f"{D2N}generic/anatomical/002_non_isotropic", "uniform", 1, (64, 28, 4), (6.4, 4.0, 0.5)),
    (f"{D2N}hitachi", "uniform", 1, (64, 64, 4), (2.344, 2.344, 4)),
    (f"{D2N}philips/anatomical/001", "uniform", 1, (240, 240, 4), (1.042, 1.042, 0.6)),
    (f"{D2N}siemens_multiframe", "uniform", 1, (256, 256, 8), (0.9375, 0.9375, 0.9)),
    (f"{D2N}philips_enhanced", "uniform", 1, (256, 256, 8), (0.9375, 0.9375, 1.0)),
    (f"{D2N}philips/dti/001", "uniform", 4, (128, 128, 2), (2, 2, 2)),
    (f"{D2N}ge/fmri/001", "uniform", 2, (64, 64, 4), (3, 3, 3.6)),
    (f"{D2N}ge/anatomical/001_single_slice", "uniform", 1, (256, 256, 1), None),
    ("mr_sag_gre_fieldmap", "uniform", 1, (42, 64, 5), (4.375, 4.375, 5)),
    ("mr_xa30_gre_enh", "uniform", 1, (64, 64, 33), (3.375, 3.375, 3.4)),
    ("ibsi_sts002/CT/image", "uniform", 1, (161, 143, 48), (0.9766, 0.9766, 3.27)),
    ("ibsi_sts002/PET/image", "uniform", 1, (30, 27, 48), (5.469, 5.469, 3.27)),
    ("rt_utils/oriented_data", "uniform", 1, (100, 50, 3), (2.5, 3.5, 4.5)),
    ("rt_utils/one_slice_data", "uniform", 1, None, None),
    ("pydicom/eCT_Supplemental.dcm", "uniform", 1, (512, 512, 2), (0.3887, 0.3887, 10)),
    ("pydicom/CT_small.dcm", "uniform", 1, (128, 128, 1), None),
    ("pydicom/MR_small.dcm", "uniform", 1, (64, 64, 1), None),
]


@pytest.mark.parametrize(
    ("name", "verdict", "count", "shape", "spacing"), VOLUMES, ids=[row[0] for row in VOLUMES]
)
def test_volumes(
    name: str,
    verdict: str,
    count: int,
    shape: tuple[int, int, int] | None,
    spacing: tuple[float, float, float] | None,
    data: Data,
) -> None:
    path = data(f"dicom/{name}")
    sources = inspect(path)
    assert len(sources) == count
    for source in sources:
        assert source.verdict.value == verdict
        assert source.grid is not None
        if shape:
            assert source.grid.shape == shape
        if spacing:
            assert source.grid.spacing == pytest.approx(spacing, abs=2e-3)
        image = read(path, source=source)
        assert image.array.shape == source.grid.shape
        assert len(source.instances) == source.grid.shape[2]


REFUSED = [
    (f"{D2N}failing/sliceincrement/001", "gap", "1 slice is missing"),
    (f"{D2N}failing/sliceorientation/001", "mixed orientations", "--volume"),
    (f"{D2N}generic/rgb/001", "not a volume", "colour"),
    ("mr_mosaic_ep2d_asc", "not a volume", "mosaic"),
    ("pydicom/rtdose.dcm", "not a volume", "dose"),
    ("pydicom/SC_rgb_small_odd.dcm", "not a volume", "colour"),
    ("pydicom/examples_palette.dcm", "not a volume", "colour"),
    ("pydicom/examples_ybr_color.dcm", "not a volume", "colour"),
    ("dcmqi/liver.dcm", "not a volume", "SEG"),
    ("dcmqi/sr-example/sr.dcm", "not a volume", "SR"),
    ("pydicom/rtstruct.dcm", "not a volume", "RTSTRUCT"),
]


@pytest.mark.parametrize(("name", "verdict", "reason"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_no_regular_volume_says_why(name: str, verdict: str, reason: str, data: Data) -> None:
    path = data(f"dicom/{name}")
    assert inspect(path)[0].verdict.value == verdict
    with pytest.raises(InputError, match=reason):
        read(path)


def test_a_gap_is_filled_only_when_asked_and_the_finding_stays(data: Data) -> None:
    path = data(f"dicom/{D2N}failing/sliceincrement/001")
    image = read(path, options=ReadOptions(resample=True))
    assert image.grid.shape[2] == 5
    assert image.grid.spacing[2] == pytest.approx(5)
    assert {"dicom.gap", "dicom.resampled"} <= {item.code for item in image.findings}
    assert image.outside is not None
    assert image.outside.all(axis=(0, 1)).sum() == 1


def test_parts_of_a_mixed_series_are_picked(data: Data) -> None:
    path = data(f"dicom/{D2N}failing/sliceorientation/001")
    for name in ("stack=1", "stack=2"):
        assert read(path, options=ReadOptions(volume=name)).grid.shape[2] == 2
    with pytest.raises(InputError, match="stack=1"):
        read(path)


def test_diffusion_volumes_have_names(data: Data) -> None:
    path = data(f"dicom/{D2N}philips/dti/001")
    names = [source.volume for source in inspect(path)]
    assert names == ["b=0", "b=1000 dir=1", "b=1000 dir=2", "b=1000 dir=3"]
    digests = {read(path, options=ReadOptions(volume=name)).digest for name in names}
    assert len(digests) == 4
    with pytest.raises(InputError, match="b=1000 dir=2"):
        read(path)


def test_the_tilt_is_found_without_a_tag(data: Data) -> None:
    (source,) = inspect(data(f"dicom/{D2N}failing/gantrytilting/001"))
    assert source.grid is not None
    assert source.grid.is_sheared
    assert source.findings[0].detail("tilt_degrees") == pytest.approx(14, abs=0.1)
    normal = np.cross(source.grid.direction[:, 0], source.grid.direction[:, 1])
    assert abs(source.grid.affine[:3, 2] @ normal) == pytest.approx(4.8515, abs=1e-3)
    straight = read(source.uri, options=ReadOptions(resample=True))
    assert not straight.grid.is_sheared
    assert "dicom.sheared" in {item.code for item in straight.findings}


def test_one_stack_in_four_syntaxes_has_equal_pixels(data: Data) -> None:
    names = ["compressed_j2k", "compressed_jpeg", "compressed_jpegls", "compressed_rle"]
    assert len({read(data(f"dicom/{D2N}generic/{name}/001")).digest for name in names}) == 1
    assert (
        read(data(f"dicom/{D2N}generic/anatomical/001")).digest
        != read(data(f"dicom/{D2N}generic/compressed_rle/001")).digest
    )


def test_a_detectors_spacing_is_no_size_in_the_patient(data: Data) -> None:
    found = [source for source in inspect(data("dicom/highdicom")) if source.modality == "DX"]
    assert found
    assert all(source.grid is not None and source.grid.unit == "px" for source in found)


@pytest.mark.parametrize(
    ("folder", "unit"), [("CT", "[hnsf'U]"), ("MR_T1", "[arb'U]"), ("PET", "g/ml{SUVbw}")]
)
def test_the_sarcoma_study_equals_its_nifti(folder: str, unit: str, data: Data) -> None:
    image = read(data(f"dicom/ibsi_sts002/{folder}/image"))
    truth = read(data(f"sarcoma/STS_002/{folder}_image.nii.gz"))
    assert image.value_unit == unit
    assert image.grid.frame_of_reference
    index = np.rint(truth.grid.to_index(image.grid.to_position(np.array([3, 4, 5])))).astype(int)
    assert np.allclose(truth.grid.to_position(index), image.grid.to_position(np.array([3, 4, 5])), atol=0.02)
    scale = float(np.abs(truth.array).max())
    assert abs(float(truth.array[tuple(index)]) - float(image.array[3, 4, 5])) <= 0.01 * scale
