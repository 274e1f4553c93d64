"""What every reader promises, whoever wrote it."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image as Picture

from medseg import plugins
from medseg.domain import Image, ReadOptions, Source
from medseg.domain.source import Verdict
from medseg.errors import InputError, UnsupportedFormatError
from medseg.io import inspect, read
from medseg.io.protocols import HEAD_BYTES, Reader
from medseg.io.read import find_reader

READERS = plugins.names(plugins.READERS)
FORMATS = [
    ("nifti", "x.nii.gz"),
    ("nifti", "x.nii"),
    ("itk", "x.nrrd"),
    ("itk", "x.mha"),
    ("itk", "x.mhd"),
    ("raster", "x.png"),
    ("raster", "x.tif"),
    ("raster", "x.jpg"),
]
VALUES = np.random.default_rng(0).integers(0, 255, (8, 9, 1)).astype(np.uint8)


def make(path: Path) -> Path:
    """A synthetic file of one slice in each format."""
    if path.suffix in (".gz", ".nii"):
        nib.save(nib.Nifti1Image(VALUES, np.eye(4)), path)
    elif path.suffix in (".png", ".tif", ".jpg"):
        Picture.fromarray(VALUES[..., 0].T).save(path)
    else:
        sitk.WriteImage(sitk.GetImageFromArray(VALUES.transpose(2, 1, 0)), str(path))
    return path


def refusal(path: Path) -> str | None:
    """Why a file is not read; None if it is."""
    try:
        read(path)
    except InputError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", READERS)
def test_a_reader_keeps_to_the_protocol(name: str) -> None:
    reader = plugins.load(plugins.READERS, name)
    assert isinstance(reader, Reader)
    assert reader.name == name


@pytest.mark.parametrize("name", READERS)
def test_a_reader_claims_no_strangers(name: str, tmp_path: Path) -> None:
    reader = plugins.load(plugins.READERS, name)
    for head in (b"", b"\0" * HEAD_BYTES, b"hello", bytes(range(256)), b"\x1f\x8b\x08 and no gzip"):
        assert not reader.sniff(tmp_path / "letter.txt", head)


@pytest.mark.parametrize(("reader", "name"), FORMATS)
def test_one_file(reader: str, name: str, tmp_path: Path) -> None:
    path = make(tmp_path / name)
    assert find_reader(path).name == reader
    (source,) = inspect(path)
    assert isinstance(source, Source)
    assert source.format == reader
    assert source.uri == str(path)
    image = read(path)
    assert isinstance(image, Image)
    assert image.grid.shape == source.grid.shape == (8, 9, 1)
    np.testing.assert_array_equal(image.grid.affine, source.grid.affine)
    assert set(source.findings) <= set(image.findings)
    assert not image.array.flags.writeable
    assert image.channel == "image"
    assert image.source is not None
    if not name.endswith(".jpg"):
        np.testing.assert_array_equal(image.array, VALUES)


@pytest.mark.parametrize(("reader", "name"), FORMATS)
def test_the_content_counts_where_the_suffix_says_nothing(reader: str, name: str, tmp_path: Path) -> None:
    if name.endswith(".mhd"):
        pytest.skip("an .mhd needs its second file")
    bare = make(tmp_path / name).rename(tmp_path / "scan")
    assert find_reader(bare).name == reader
    assert read(bare).array.shape == (8, 9, 1)


@pytest.mark.parametrize(("reader", "name"), FORMATS)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9])
def test_a_file_cut_short_never_raises_in_inspect(
    reader: str, name: str, share: float, tmp_path: Path
) -> None:
    path = make(tmp_path / name)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    for source in inspect(path):
        if source.verdict is Verdict.NOT_A_VOLUME:
            assert source.findings[0].severity == "error"
    message = refusal(path)
    assert message is None or (name in message and "\n" not in message)


@pytest.mark.parametrize(("reader", "name"), FORMATS)
def test_noise_is_never_a_crash(reader: str, name: str, tmp_path: Path) -> None:
    path = make(tmp_path / name)
    original = path.read_bytes()
    random = np.random.default_rng(1)
    for _ in range(60):
        data = bytearray(original)
        for position in random.integers(0, min(len(data), 400), 3):
            data[position] = int(random.integers(0, 256))
        path.write_bytes(bytes(data))
        inspect(path)
        assert "\n" not in (refusal(path) or "")


@pytest.mark.parametrize("name", ["x.nii.gz", "x.nrrd", "x.mha", "x.png"])
def test_answers_mean_the_same_in_every_format(name: str, tmp_path: Path) -> None:
    path = make(tmp_path / name)
    spacing = (1.0, 1.0, 1.0) if name.endswith(".png") else None
    image = read(path, options=ReadOptions(slice_thickness=4.0, spacing=spacing))
    assert image.grid.slice_thickness == 4.0
    assert "thickness.given" in {finding.code for finding in image.findings}
    with pytest.raises(InputError, match="no series"):
        read(path, options=ReadOptions(series="1.2"))


def test_what_nobody_reads(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("hello")
    with pytest.raises(UnsupportedFormatError, match=r"letter\.txt"):
        read(tmp_path / "letter.txt")
    with pytest.raises(InputError, match="does not exist"):
        inspect(tmp_path / "missing.nii.gz")
    with pytest.raises(UnsupportedFormatError):
        read(tmp_path)
