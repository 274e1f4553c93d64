"""Pictures: pixels without a size, colours as volumes, masks as stored."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from medseg.domain import ReadOptions
from medseg.errors import InputError, LabelError
from medseg.io import inspect, read, read_segmentation

ROWS = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def save(path: Path, array: np.ndarray, **options: object) -> Path:
    Picture.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("name", ["x.png", "x.tif", "X.TIFF", "ä b.png"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_i_is_the_column_and_j_the_row(tmp_path: Path, name: str, dtype: type) -> None:
    image = read(save(tmp_path / name, ROWS.astype(dtype)))
    assert image.grid.shape == (4, 3, 1)
    assert image.grid.unit == "px"
    assert not image.grid.orientation_known
    assert image.array[3, 0, 0] == ROWS[0, 3]
    assert image.array.dtype == dtype
    np.testing.assert_array_equal(image.grid.affine, np.diag([-1.0, -1, 1, 1]))


def test_a_resolution_tag_is_no_physical_size(tmp_path: Path) -> None:
    assert read(save(tmp_path / "x.png", ROWS, dpi=(254, 254))).grid.unit == "px"
    assert read(save(tmp_path / "x.tif", ROWS, dpi=(254, 254))).grid.unit == "px"


def test_a_spacing_by_the_user_is_a_finding(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", ROWS)
    image = read(path, options=ReadOptions(spacing=(0.5, 0.5, 5.0), orientation="LPS", slice_thickness=5.0))
    assert image.grid.unit == "mm"
    assert image.grid.spacing == (0.5, 0.5, 5.0)
    assert image.grid.orientation == "LPS"
    assert [item.code for item in image.findings] == ["spacing.given", "orientation.given", "thickness.given"]


@pytest.mark.parametrize("options", [ReadOptions(orientation="LPS"), ReadOptions(slice_thickness=3.0)])
def test_pixels_have_no_place_and_no_thickness(tmp_path: Path, options: ReadOptions) -> None:
    with pytest.raises(InputError, match="--spacing"):
        read(save(tmp_path / "x.png", ROWS), options=options)


def test_equal_planes_are_one_channel(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", np.dstack([ROWS] * 3))
    assert len(inspect(path)) == 1
    np.testing.assert_array_equal(read(path).array[..., 0].T, ROWS)


@pytest.mark.parametrize("name", ["x.png", "x.tif"])
def test_other_planes_are_three_volumes(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / name, np.dstack([ROWS, ROWS + 1, ROWS + 2]))
    with pytest.raises(InputError, match=r"--volume: R .*G .*B"):
        read(path)
    for add, volume in enumerate("RGB"):
        image = read(path, options=ReadOptions(volume=volume))
        np.testing.assert_array_equal(image.array[..., 0].T, ROWS + add)


def test_transparency_is_left_out_and_said(tmp_path: Path) -> None:
    opaque = save(tmp_path / "a.png", np.dstack([ROWS, ROWS, ROWS, np.full_like(ROWS, 255)]))
    assert read(opaque).findings == ()
    clear = save(tmp_path / "b.png", np.dstack([ROWS, ROWS, ROWS, ROWS]))
    assert [item.code for item in read(clear).findings] == ["raster.alpha_dropped"]


def test_a_palette_holds_colours_and_numbers(tmp_path: Path) -> None:
    indexed = Picture.fromarray(ROWS // 100)
    indexed.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    indexed.save(tmp_path / "x.png")
    assert [source.volume for source in inspect(tmp_path / "x.png")] == ["R", "G", "B", "index"]
    np.testing.assert_array_equal(read_segmentation(tmp_path / "x.png").labels[..., 0].T, ROWS // 100)


def test_pages_are_volumes(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", np.stack([ROWS, ROWS + 1]), photometric="minisblack", metadata=None)
    assert [source.volume for source in inspect(tmp_path / "x.tif")] == ["0", "1"]
    np.testing.assert_array_equal(
        read(tmp_path / "x.tif", options=ReadOptions(volume="1")).array[..., 0].T, ROWS + 1
    )


@pytest.mark.parametrize("dtype", ["int16", "uint32", "float32", "float64"])
def test_wide_tiff_values(tmp_path: Path, dtype: str) -> None:
    tifffile.imwrite(tmp_path / "x.tif", ROWS.astype(dtype) - (1 if dtype != "uint32" else 0))
    image = read(tmp_path / "x.tif")
    assert image.array.dtype == dtype


def test_white_is_zero(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", 255 - ROWS, photometric="miniswhite")
    np.testing.assert_array_equal(read(tmp_path / "x.tif").array[..., 0].T, ROWS)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_packed_tiff(tmp_path: Path, compression: str) -> None:
    path = save(tmp_path / "x.tif", ROWS, compression=compression)
    np.testing.assert_array_equal(read(path).array[..., 0].T, ROWS)


def test_jpeg_is_an_image_and_no_mask(tmp_path: Path) -> None:
    path = save(tmp_path / "x.jpg", ROWS)
    assert read(path).grid.shape == (4, 3, 1)
    with pytest.raises(LabelError, match="JPEG"):
        read_segmentation(path)


def test_a_picture_that_asks_to_be_turned(tmp_path: Path) -> None:
    exif = Picture.Exif()
    exif[274] = 6
    path = save(tmp_path / "x.jpg", ROWS, exif=exif)
    assert [item.code for item in read(path).findings] == ["raster.turned"]


def test_16_bit_colour_png_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", np.dstack([ROWS] * 3))
    data = bytearray(path.read_bytes())
    data[24] = 16
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="16 bits"):
        read(path)


def test_a_picture_that_would_fill_the_memory(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", ROWS)
    data = bytearray(path.read_bytes())
    data[16:24] = (100_000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="pixels"):
        read(path)


@pytest.mark.parametrize("name", ["x.png", "x.tif", "x.jpg"])
@pytest.mark.parametrize("keep", [0, 10, 60])
def test_damage_is_one_line(tmp_path: Path, name: str, keep: int) -> None:
    path = save(tmp_path / name, np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8))
    path.write_bytes(path.read_bytes()[:keep])
    inspect(path)
    with pytest.raises(InputError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("tag", "value", "words"),
    [
        ("StripByteCounts", 100_000, "3 of its 3 strips or tiles are not in the file"),
        ("StripByteCounts", 0, "3 of its 3"),
        ("StripByteCounts", 100, "a part of its pixels is not in the file"),
        ("StripOffsets", 0, "3 of its 3"),
        ("StripOffsets", 1 << 20, "3 of its 3"),
    ],
)
def test_strips_that_are_not_in_the_file_are_no_zeros(
    tmp_path: Path, tag: str, value: int, words: str
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((6, 200), np.uint16), rowsperstrip=2)
    assert read(path).array.all()
    with tifffile.TiffFile(path) as file:
        found = file.pages[0].tags[tag]
        place, width = found.valueoffset, found.dtype
    kind = {3: "<u2", 4: "<u4"}[int(width)]
    content = bytearray(path.read_bytes())
    told = np.full(3, min(value, np.iinfo(kind).max), kind).tobytes()
    content[place : place + len(told)] = told
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read(path)


def test_black_and_white_masks_have_label_1(tmp_path: Path) -> None:
    segmentation = read_segmentation(save(tmp_path / "x.png", (ROWS > 100).astype(np.uint8) * 255))
    assert segmentation.present == (1,)
    assert [item.code for item in segmentation.findings] == ["labels.black_and_white"]
    kept = read_segmentation(save(tmp_path / "y.png", ROWS))
    assert kept.present == tuple(range(20, 240, 20))


def test_real_gliomas(data: Callable[[str], Path]) -> None:
    folder = data("lgg/TCGA_DU_A5TW_19980228")
    image = folder / "TCGA_DU_A5TW_19980228_10.png"
    assert [source.volume for source in inspect(image)] == ["R", "G", "B"]
    flair = read(image, options=ReadOptions(volume="G"))
    assert flair.grid.shape == (256, 256, 1)
    mask = read_segmentation(image.with_name("TCGA_DU_A5TW_19980228_10_mask.png"))
    assert set(mask.present) <= {1}
    assert mask.grid.unit == "px"
