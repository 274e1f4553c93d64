"""`medseg convert` between every format of masks: what each keeps, and whose voxels change owner."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Picture

from medseg.domain import Grid, Label, LabelTable, Region, Segmentation
from medseg.io import read_segmentation, write_segmentation
from medseg.io.raster.format import PX_AFFINE
from medseg.io.sidecar import sidecar_path

Medseg = Callable[..., Any]
OBLIQUE = np.array([[0.0, -0.6, 2.4, 11], [0.7, 0, 0, -22], [0, 0.8, 1.8, 33], [0, 0, 0, 1]])
TABLE = LabelTable((Label(2, "Liver", (221, 130, 101)), Label(5, "left kidney", (1, 2, 250), side="left")))


def labels(shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(4).choice([0, 0, 2, 5], shape).astype(np.uint8)


@pytest.fixture
def volume() -> Segmentation:
    return Segmentation(labels((9, 8, 7)), Grid((9, 8, 7), OBLIQUE), TABLE)


@pytest.fixture
def flat() -> Segmentation:
    grid = Grid((9, 8, 1), PX_AFFINE, unit="px", orientation_known=False)
    return Segmentation(labels((9, 8, 1)), grid, TABLE)


VOLUMES = (".nii.gz", ".nii", ".nrrd", ".mha", ".seg.nrrd")
PICTURES = (".png", ".tif", ".json", "")
#: What a format keeps by itself, without the sidecar.
KEEPS = {".seg.nrrd": "names and colours", ".json": "names and colours", "": "names and colours"}


@pytest.mark.parametrize("last", VOLUMES)
@pytest.mark.parametrize("first", VOLUMES)
def test_volumes(medseg: Medseg, volume: Segmentation, tmp_path: Path, first: str, last: str) -> None:
    one = write_segmentation(volume, tmp_path / f"one{first}")
    two = tmp_path / f"two{last}"
    seen = medseg("convert", one, two)
    assert seen.code == 0, seen.err
    found = read_segmentation(two)
    assert np.array_equal(found.labels, volume.labels)
    np.testing.assert_allclose(found.grid.affine, volume.grid.affine, atol=1e-5)
    assert found.table == TABLE
    if KEEPS.get(last):
        sidecar_path(two).unlink()
        assert [(x.value, x.name, x.color) for x in read_segmentation(two).table.labels] == [
            (x.value, x.name, x.color) for x in TABLE.labels
        ]


def single(path: Path) -> Path:
    """The only mask of a VOC folder; any other file is itself."""
    return next((path / "SegmentationClass").iterdir()) if path.is_dir() else path


@pytest.mark.parametrize("last", PICTURES)
@pytest.mark.parametrize("first", PICTURES)
def test_pictures(medseg: Medseg, flat: Segmentation, tmp_path: Path, first: str, last: str) -> None:
    start = write_segmentation(flat, tmp_path / "start.png")
    one, two = tmp_path / f"one{first}", tmp_path / f"two{last}"
    if first in (".png", ".tif"):
        write_segmentation(flat, one)
    else:
        assert medseg("convert", start, one).code == 0
    seen = medseg("convert", single(one), two)
    assert seen.code == 0, seen.err
    found = read_segmentation(single(two))
    # VOC numbers its classes from 1; names tell them.
    for label in TABLE.labels:
        (value,) = (item.value for item in found.table.labels if item.name == label.name)
        assert np.array_equal(found.mask(value), flat.mask(label.value))
        assert next(item.color for item in found.table.labels if item.value == value) == label.color
    assert found.grid.unit == "px"
    assert np.array_equal(found.grid.affine, PX_AFFINE)
    if "" not in (first, last):
        assert np.array_equal(found.labels, flat.labels)


@pytest.mark.parametrize("suffix", [".stl", ".ply"])
def test_surfaces_and_back(medseg: Medseg, volume: Segmentation, tmp_path: Path, suffix: str) -> None:
    mask = write_segmentation(volume, tmp_path / "mask.nii.gz")
    assert medseg("convert", mask, tmp_path / f"s{suffix}").code == 0
    for label, name in ((2, "Liver"), (5, "left_kidney")):
        surface, back = tmp_path / f"s-{name}{suffix}", tmp_path / f"{name}.nii.gz"
        seen = medseg("convert", surface, back, "--image", mask)
        assert seen.code == 0, seen.err
        found = read_segmentation(back)
        assert int((found.mask(1) != volume.mask(label)).sum()) == 0
        assert found.table.labels[0].name == name.replace("_", " ")
        if suffix == ".ply":
            assert found.table.labels[0].color == TABLE.labels[0 if label == 2 else 1].color


def test_a_surface_of_slicer_in_lps(medseg: Medseg, volume: Segmentation, tmp_path: Path) -> None:
    mask = write_segmentation(volume, tmp_path / "mask.nii.gz")
    assert medseg("convert", mask, tmp_path / "a.stl", "--label", "Liver").code == 0
    content = bytearray((tmp_path / "a.stl").read_bytes())
    content[:80] = b"3D Slicer output. SPACE=LPS".ljust(80)
    corners = np.frombuffer(content, [("n", "<f4", 3), ("c", "<f4", (3, 3)), ("a", "<u2")], offset=84).copy()
    corners["c"][..., :2] *= -1
    (tmp_path / "lps.stl").write_bytes(bytes(content[:84]) + corners.tobytes())
    assert medseg("convert", tmp_path / "lps.stl", tmp_path / "b.nii.gz", "--image", mask).code == 0
    found = read_segmentation(tmp_path / "b.nii.gz")
    assert np.array_equal(found.mask(1), volume.mask(2))
    assert found.table.labels[0].name == "lps"


def test_surfaces_need_an_image_and_must_be_closed_and_near(
    medseg: Medseg, volume: Segmentation, tmp_path: Path
) -> None:
    mask = write_segmentation(volume, tmp_path / "mask.nii.gz")
    assert medseg("convert", mask, tmp_path / "a.stl", "--label", "Liver").code == 0
    content = (tmp_path / "a.stl").read_bytes()
    seen = medseg("convert", tmp_path / "a.stl", tmp_path / "b.nii.gz")
    assert seen.code == 2
    assert "give its image with --image" in seen.line
    count = int.from_bytes(content[80:84], "little") - 1
    (tmp_path / "open.stl").write_bytes(content[:80] + count.to_bytes(4, "little") + content[84:-50])
    seen = medseg("convert", tmp_path / "open.stl", tmp_path / "b.nii.gz", "--image", mask)
    assert seen.code == 2
    assert "open.stl: the surface is open" in seen.line
    far = nib.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.diag([1.0, 1, 1, 1]))
    nib.save(far, tmp_path / "far.nii.gz")
    seen = medseg("convert", tmp_path / "a.stl", tmp_path / "b.nii.gz", "--image", tmp_path / "far.nii.gz")
    assert seen.code == 2
    assert "lies outside the image" in seen.line
    assert not (tmp_path / "b.nii.gz").exists()


@pytest.fixture
def overlapping(tmp_path: Path) -> Path:
    """GREEN and ORANGE share 12 voxels, BLUE stands alone."""
    values = np.zeros((8, 4, 3), np.uint8)
    values[0:3], values[3, :, :], values[4:6], values[7, 0, 0] = 11, 12, 13, 4
    parts = [Label(11, "g", is_part=True), Label(12, "go", is_part=True), Label(13, "o", is_part=True)]
    regions = (Region("GREEN", (11, 12), (0, 255, 0)), Region("ORANGE", (12, 13), (255, 128, 0)))
    table = LabelTable((*parts, Label(4, "BLUE", (0, 0, 255))), regions)
    grid = Grid(values.shape, np.diag([1.0, 1.0, 2.0, 1.0]))
    return write_segmentation(Segmentation(values, grid, table), tmp_path / "overlap.seg.nrrd")


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_flattening_says_whose_voxels_change_owner(
    medseg: Medseg, overlapping: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"flat{suffix}"
    seen = medseg("convert", overlapping, out)
    assert seen.code == 0
    assert "12 voxels of GREEN now belong to ORANGE" in seen.err
    found = read_segmentation(out)
    sizes = {item.name: int(found.mask(item.value).sum()) for item in found.table.labels}
    assert sizes == {"GREEN": 36, "ORANGE": 36, "BLUE": 1}
    assert "overlap.flattened" in {item.code for item in found.findings}
    assert not found.table.regions
    seen = medseg("convert", overlapping, out, "--force", "--json")
    assert seen.json["result"]["changed_owner"] == [{"structure": "GREEN", "owner": "ORANGE", "voxels": 12}]
    assert [item["code"] for item in seen.json["findings"]] == ["overlap.flattened"]


def test_overlaps_may_be_kept_as_parts(medseg: Medseg, overlapping: Path, tmp_path: Path) -> None:
    seen = medseg("convert", overlapping, tmp_path / "parts.nii.gz", "--parts", "--json")
    assert seen.json["result"]["changed_owner"] == []
    found = read_segmentation(tmp_path / "parts.nii.gz")
    sizes = {item.name: int(found.mask(*item.labels).sum()) for item in found.table.regions}
    assert sizes == {"GREEN": 48, "ORANGE": 36}


def test_overlaps_stay_where_the_format_holds_them(medseg: Medseg, overlapping: Path, tmp_path: Path) -> None:
    seen = medseg("convert", overlapping, tmp_path / "again.seg.nrrd", "--json")
    assert seen.json["result"]["changed_owner"] == []
    found = read_segmentation(tmp_path / "again.seg.nrrd")
    assert {item.name: int(found.mask(*item.labels).sum()) for item in found.table.regions} == {
        "GREEN": 48,
        "ORANGE": 36,
    }
    seen = medseg("convert", overlapping, tmp_path / "s.stl")
    assert seen.code == 0
    assert sorted(path.name for path in tmp_path.glob("*.stl")) == [
        "s-BLUE.stl",
        "s-GREEN.stl",
        "s-ORANGE.stl",
    ]


def test_a_dicom_seg_with_overlaps(medseg: Medseg, data: Callable[[str], Path], tmp_path: Path) -> None:
    source = data("dicom/dcmqi/partial_overlaps.dcm")
    seen = medseg("convert", source, tmp_path / "a.nii.gz", "--json")
    changed = seen.json["result"]["changed_owner"]
    assert seen.code == 0
    whole = read_segmentation(source)
    flat = read_segmentation(tmp_path / "a.nii.gz")
    lost = {item["structure"]: 0 for item in changed}
    for item in changed:
        lost[item["structure"]] += item["voxels"]
    assert changed
    for region in whole.table.regions:
        (value,) = (label.value for label in flat.table.labels if label.name == region.name)
        kept = int(flat.mask(value).sum())
        assert kept == int(whole.mask(*region.labels).sum()) - lost.get(region.name, 0)


@pytest.mark.parametrize("kind", ["CT", "PET"])
def test_an_rtstruct_comes_onto_its_image(
    medseg: Medseg, data: Callable[[str], Path], tmp_path: Path, kind: str
) -> None:
    contours, image = data(f"dicom/ibsi_sts002/{kind}/mask/RS.dcm"), data(f"dicom/ibsi_sts002/{kind}/image")
    seen = medseg("convert", contours, tmp_path / "a.nii.gz", "--image", image)
    assert seen.code == 0, seen.err
    found = read_segmentation(tmp_path / "a.nii.gz")
    truth = nib.load(data(f"dicom/ibsi_sts002/nifti/{kind}_mask.nii.gz"))
    assert int((found.labels > 0).sum()) == int(np.count_nonzero(truth.get_fdata()))


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Two pictures in colour; categories overlap in both."""
    outlines = {3: [[1, 2, 5, 2, 5, 4, 1, 4]], 9: [[4, 2, 8, 2, 8, 4, 4, 4]]}
    images = [{"id": n, "file_name": f"p{n}.png", "width": 8, "height": 6} for n in (1, 2)]
    annotations = [
        {"id": 10 * n + category, "image_id": n, "category_id": category, "segmentation": outline}
        for n in (1, 2)
        for category, outline in outlines.items()
    ]
    categories = [{"id": 3, "name": "GREEN", "color": [0, 255, 0]}, {"id": 9, "name": "ORANGE"}]
    for item in images:
        values = np.random.default_rng(item["id"]).integers(0, 255, (6, 8, 3)).astype(np.uint8)  # type: ignore[arg-type]
        Picture.fromarray(values).save(tmp_path / str(item["file_name"]))
    path = tmp_path / "set.json"
    path.write_text(json.dumps({"images": images, "categories": categories, "annotations": annotations}))
    return path


def test_a_set_goes_from_coco_to_voc_and_back(medseg: Medseg, coco: Path, tmp_path: Path) -> None:
    seen = medseg("convert", coco, tmp_path / "voc")
    assert seen.code == 0, seen.err
    assert "4 voxels of GREEN now belong to ORANGE" in seen.err
    assert sorted(path.name for path in (tmp_path / "voc/JPEGImages").iterdir()) == ["p1.png", "p2.png"]
    seen = medseg("convert", coco, tmp_path / "voc", "--force", "--json")
    assert seen.json["result"]["changed_owner"] == [
        {"picture": name, "structure": "GREEN", "owner": "ORANGE", "voxels": 2}
        for name in ("p1.png", "p2.png")
    ]
    seen = medseg("convert", tmp_path / "voc", tmp_path / "again.json", "--json")
    assert seen.json["result"]["pictures"] == 2
    names = [item["file_name"] for item in json.loads((tmp_path / "again.json").read_text())["images"]]
    assert names == ["voc/JPEGImages/p1.png", "voc/JPEGImages/p2.png"]
    found = read_segmentation(f"{tmp_path / 'again.json'}#{names[0]}")
    assert {item.name: int(found.mask(item.value).sum()) for item in found.table.labels} == {
        "GREEN": 6,
        "ORANGE": 8,
    }


def test_coco_to_coco_keeps_overlaps_ids_and_names(medseg: Medseg, coco: Path, tmp_path: Path) -> None:
    assert medseg("convert", coco, tmp_path / "again.json").code == 0
    content = json.loads((tmp_path / "again.json").read_text())
    assert [(item["id"], item["name"]) for item in content["categories"]] == [(3, "GREEN"), (9, "ORANGE")]
    assert (
        sorted((item["category_id"], item["area"]) for item in content["annotations"])
        == [(3, 8)] * 2 + [(9, 8)] * 2
    )


def test_one_picture_of_a_set(medseg: Medseg, coco: Path, tmp_path: Path) -> None:
    seen = medseg("convert", coco, tmp_path / "a.png")
    assert seen.code == 2
    assert "choose with --volume: p1.png" in seen.line
    seen = medseg("convert", coco, tmp_path / "a.png", "--volume", "p2.png")
    assert seen.code == 0
    assert "2 voxels of GREEN now belong to ORANGE" in seen.err
    assert medseg("convert", f"{coco}#p1.png", tmp_path / "b.png").code == 0


def test_a_set_is_described_measured_and_segmented(medseg: Medseg, coco: Path, tmp_path: Path) -> None:
    seen = medseg("info", coco, "--json")
    assert seen.code == 0
    assert medseg("convert", coco, tmp_path / "voc").code == 0
    out = tmp_path / "records"
    seen = medseg("measure", tmp_path / "voc/SegmentationClass", "--image", tmp_path / "voc", "--out", out)
    assert seen.code == 0, seen.err
    record = json.loads((out / "p1.json").read_text())
    assert {item["target"]["name"] for item in record["measurements"]} >= {"GREEN", "ORANGE"}
    record_of = tmp_path / "one.json"
    assert medseg("measure", f"{coco}#p1.png", "--out", record_of).code == 0


def test_a_mapping_of_png_masks_without_pictures(medseg: Medseg, tmp_path: Path) -> None:
    for name in ("a", "b"):
        Picture.fromarray(np.array([[0, 63], [126, 0]], np.uint8)).save(tmp_path / f"{name}.png")
    path = tmp_path / "set.yaml"
    path.write_text("schema: medseg.labelset/1.0\nclasses: {liver: 63, spleen: 126}\n")
    assert medseg("convert", path, tmp_path / "out.json").code == 0
    found = read_segmentation(f"{tmp_path / 'out.json'}#a.png")
    assert found.labels[:, :, 0].T.tolist() == [[0, 1], [2, 0]]
    assert medseg("convert", path, tmp_path / "voc").code == 0
    assert len(list((tmp_path / "voc/SegmentationClass").iterdir())) == 2


def test_pairs_of_pictures_become_coco(medseg: Medseg, data: Callable[[str], Path], tmp_path: Path) -> None:
    source = data("lgg")
    patient = next(path for path in sorted(source.iterdir()) if path.is_dir())
    seen = medseg("convert", patient, tmp_path / "out.json", "--json")
    assert seen.code == 0, seen.err
    content = json.loads((tmp_path / "out.json").read_text())
    assert len(content["images"]) == seen.json["result"]["pictures"] > 5
    masks = sorted(patient.rglob("*_mask.*"))
    truth = sum(int((np.array(Picture.open(path)) > 0).sum()) for path in masks)
    assert sum(item["area"] for item in content["annotations"]) == truth


REFUSED = {
    "a volume as COCO": ("mask.nii.gz", "x.json", "lose the size and place"),
    "a volume as VOC": ("mask.nii.gz", "x", "lose the size and place"),
    "DICOM out": ("mask.nii.gz", "x.dcm", "medseg export"),
    "pixels as .seg.nrrd": ("mask.png", "x.seg.nrrd", "would claim a known size"),
    "onto itself": ("mask.nii.gz", "mask.nii.gz", "onto itself"),
    "no COCO file": ("bad.json", "x.png", "bad.json"),
    "a hostile COCO file": ("deep.json", "x.png", "nested too deeply"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_one_line(
    medseg: Medseg, volume: Segmentation, flat: Segmentation, tmp_path: Path, name: str
) -> None:
    write_segmentation(volume, tmp_path / "mask.nii.gz")
    sidecar_path(tmp_path / "mask.nii.gz").rename(tmp_path / "kept.json")
    (tmp_path / "kept.json").unlink()
    write_segmentation(flat, tmp_path / "mask.png")
    (tmp_path / "bad.json").write_text('{"a": 1}')
    (tmp_path / "deep.json").write_text('{"images": ' + "[" * 200_000)
    before = sorted(path.name for path in tmp_path.iterdir())
    source, target, words = REFUSED[name]
    seen = medseg("convert", tmp_path / source, tmp_path / target, "--mask")
    assert seen.code == 2
    assert words in seen.line
    assert sorted(path.name for path in tmp_path.iterdir()) == before
