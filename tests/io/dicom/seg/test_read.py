"""SEGs of others are read to the masks that are known to be in them, and onto the image they belong to."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medseg import io
from medseg.domain import Grid, Image, Segmentation
from medseg.domain.source import Verdict
from medseg.errors import GridMismatchError, InputError
from medseg.io.dicom.checked import checked_seg
from medseg.io.dicom.derived.attributes import Uids
from medseg.io.dicom.placing import place_exactly
from medseg.io.dicom.seg.write import SegOptions, make_seg
from tests.io.dicom.sources import scene

Data = Callable[[str], Path]


def _structures(found: Segmentation) -> dict[str, np.ndarray]:
    """Mask of every structure by name, whatever labels it is made of."""
    labels = {item.name: (item.value,) for item in found.table.labels if not item.is_part}
    regions = {item.name: item.labels for item in found.table.regions}
    return {name: found.mask(*values) for name, values in (labels | regions).items()}


@pytest.mark.parametrize(
    ("seg", "truth"),
    [
        ("23x38x3/seg/label.seg", "23x38x3/nrrd/label.nrrd"),
        ("24x38x3/seg/label.seg", "24x38x3/nrrd/label.nrrd"),
        ("liver.dcm", "liver_seg.nrrd"),
        ("sparse-labelmap-noppv.dcm", "sparse_labelmap_noppv_seg.nrrd"),
        ("sparse-labelmap-ppv5.dcm", "sparse_labelmap_ppv5_seg.nrrd"),
    ],
)
def test_a_seg_equals_the_nrrd_beside_it(seg: str, truth: str, data: Data) -> None:
    found = io.read_segmentation(data(f"dicom/dcmqi/{seg}"))
    expected = io.read(data(f"dicom/dcmqi/{truth}"))
    # dcmqi fills slices without a frame with the padding value 5, which is background.
    placed = place_exactly((expected.array == 1).astype(np.uint8), expected.grid, found.grid)
    assert placed is not None
    assert np.array_equal(found.labels > 0, placed > 0)


def test_overlapping_segments_are_kept_to_the_voxel(data: Data) -> None:
    found = io.read_segmentation(data("dicom/dcmqi/partial_overlaps.dcm"))
    structures = _structures(found)
    assert sorted(structures) == ["DARK_BLUE", "GREEN", "LIGHT_BLUE", "ORANGE", "PURPLE"]
    expected: dict[int, np.ndarray] = {}
    for number in (1, 2, 3):
        image = io.read(data(f"dicom/dcmqi/partial_overlaps-{number}.nrrd"))
        for value in np.unique(image.array)[1:].tolist():
            placed = place_exactly((image.array == value).astype(np.uint8), image.grid, found.grid)
            assert placed is not None
            expected[value] = placed > 0
    order = ["GREEN", "ORANGE", "PURPLE", "LIGHT_BLUE", "DARK_BLUE"]
    for value, mask in expected.items():
        assert np.array_equal(structures[order[value - 1]], mask)
    assert len(expected) == 5
    assert "overlap and are kept as regions" in found.findings[0].message


def test_overlaps_survive_reading_and_writing(data: Data, tmp_path: Path) -> None:
    series = data("dicom/dcmqi/ct-3slice")
    found = io.read_segmentation(data("dicom/dcmqi/partial_overlaps.dcm"), on=io.read(series))
    origin = scene("axial, empty character set", data, tmp_path).origin
    (tmp_path / "again.dcm").write_bytes(checked_seg(make_seg(found, origin), found, origin))
    again = io.read_segmentation(tmp_path / "again.dcm", on=io.read(series))
    before, after = _structures(found), _structures(again)
    assert before.keys() == after.keys()
    for name, mask in before.items():
        assert np.array_equal(mask, after[name]), name


def test_a_mask_of_a_projection_is_measured_in_pixels(data: Data) -> None:
    found = io.read_segmentation(data("dicom/highdicom/seg_image_cr_binary.dcm"))
    assert found.grid.unit == "px"
    assert found.labels.shape == (16, 16, 1)


def test_fractions_are_kept_as_probabilities(data: Data) -> None:
    found = io.read_segmentation(data("dicom/highdicom/seg_image_ct_true_fractional.dcm"))
    assert found.probabilities is not None
    assert found.probabilities.shape == (2, *found.labels.shape)
    assert np.allclose(found.probabilities.sum(axis=0), 1)
    assert np.array_equal(found.labels > 0, found.probabilities[1] >= 0.5)


def _sparse(data: Data, folder: Path) -> tuple[Path, Image, Segmentation]:
    """A SEG of 3 of 33 slices of an oblique series, that series, and the mask."""
    found = scene("oblique multi-frame", data, folder)
    labels = np.zeros_like(found.mask.labels)
    labels[10:20, 12:20, 5] = labels[30:40, 30:42, 9] = 1
    labels[5, 5, 7] = 2
    mask = replace(found.mask, labels=labels)
    path = folder / "sparse.dcm"
    path.write_bytes(
        checked_seg(make_seg(mask, found.origin, SegOptions(uids=Uids("seed"))), mask, found.origin)
    )
    return path, io.read(data("dicom/mr_xa30_gre_enh")), mask


def test_sparse_frames_come_back_on_the_image(data: Data, tmp_path: Path) -> None:
    path, image, mask = _sparse(data, tmp_path)
    alone = io.read_segmentation(path)
    assert alone.grid.shape[2] == 7  # slices 5, 7 and 9, the empty ones between them, and one at either end
    found = io.read_segmentation(path, on=image)
    assert found.grid is image.grid
    assert np.array_equal(found.labels, mask.labels)
    assert dict(found.made_by.parameters)["spans"] == "5 of 33 slices"


def test_flips_and_crops_of_the_image_make_no_difference(data: Data, tmp_path: Path) -> None:
    from medseg.geometry import order_to

    path, image, mask = _sparse(data, tmp_path)
    order = order_to(image.grid, "RAS")
    found = io.read_segmentation(path, on=order.grid(image.grid))
    assert np.array_equal(found.labels, order.apply(mask.labels))
    affine = image.grid.affine.copy()
    affine[:3, 3] = image.grid.to_position(np.array([[4.0, 4.0, 4.0]]))[0]
    crop = Grid((50, 50, 10), affine)
    assert np.array_equal(io.read_segmentation(path, on=crop).labels, mask.labels[4:54, 4:54, 4:14])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("spacing", "its voxels are .* and the image's"),
        ("turned", "its axes are turned against the image's"),
        ("shifted", "its voxels are shifted by -0.5"),
        ("cropped", "120 of its 201 voxels lie outside the image"),
    ],
)
def test_another_grid_is_refused_by_its_fault(change: str, words: str, data: Data, tmp_path: Path) -> None:
    path, image, _ = _sparse(data, tmp_path)
    affine, shape = image.grid.affine.copy(), image.grid.shape
    if change == "spacing":
        affine[:3, 0] *= 1.1
    if change == "turned":
        cos, sin = np.cos(0.1), np.sin(0.1)
        affine[:3, :3] = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ affine[:3, :3]
    if change == "shifted":
        affine[:3, 3] += affine[:3, 0] / 2
    if change == "cropped":
        shape = (25, 25, 33)
    with pytest.raises(GridMismatchError, match=words):
        io.read_segmentation(path, on=Grid(shape, affine))


def test_another_patients_image_is_refused(data: Data) -> None:
    with pytest.raises(GridMismatchError, match="it names none of this series"):
        io.read_segmentation(data("dicom/dcmqi/liver.dcm"), on=io.read(data("dicom/ibsi_sts002/CT/image")))


def test_a_seg_is_listed_as_a_mask_and_refused_as_an_image(data: Data) -> None:
    path = data("dicom/dcmqi/partial_overlaps.dcm")
    (source,) = io.inspect(path)
    assert source.verdict is Verdict.NOT_A_VOLUME
    assert source.description == (
        "mask (SEG BINARY), 5 structures (GREEN, ORANGE, PURPLE, LIGHT_BLUE, DARK_BLUE), 7 frames of 512 × 512"
    )
    with pytest.raises(InputError, match=r"is no image but a mask \(SEG BINARY\).*medseg measure"):
        io.read(path)


def test_a_folder_with_a_series_and_its_seg_gives_each_where_it_is_wanted(data: Data, tmp_path: Path) -> None:
    import shutil

    for file in data("dicom/dcmqi/ct-3slice").glob("*.dcm"):
        shutil.copy(file, tmp_path)
    shutil.copy(data("dicom/dcmqi/liver.dcm"), tmp_path)
    image = io.read(tmp_path)
    assert image.modality == "CT"
    assert np.count_nonzero(io.read_segmentation(tmp_path, on=image).labels) == 107098
    shutil.copy(data("dicom/dcmqi/partial_overlaps.dcm"), tmp_path)
    with pytest.raises(InputError, match="holds 2 masks; give the file of one"):
        io.read_segmentation(tmp_path)


def test_labels_may_be_renamed(data: Data, tmp_path: Path) -> None:
    (tmp_path / "names.yaml").write_text("1: hepar\n")
    found = io.read_segmentation(data("dicom/dcmqi/liver.dcm"), labels=tmp_path / "names.yaml")
    assert [item.name for item in found.table.labels] == ["hepar"]


def test_a_seg_without_frame_of_reference_is_judged_by_its_place(data: Data, tmp_path: Path) -> None:
    ds = pydicom.dcmread(data("dicom/dcmqi/liver.dcm"))
    del ds.FrameOfReferenceUID, ds.ReferencedSeriesSequence
    ds.save_as(tmp_path / "seg.dcm")
    found = io.read_segmentation(tmp_path / "seg.dcm", on=io.read(data("dicom/dcmqi/ct-3slice")))
    assert np.count_nonzero(found.labels) == 107098
