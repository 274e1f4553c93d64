"""FreeSurfer's volumes, and pairs of header and voxels: read as their single files are."""

import gzip
import shutil
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medseg import plugins
from medseg.errors import InputError
from medseg.io import inspect, read, read_segmentation
from medseg.io.freesurfer import READER
from medseg.io.read import find_reader
from medseg.io.suffixes import image_suffixes, is_picture_name

Data = Callable[[str], Path]

needs_entry = pytest.mark.skipif(
    "freesurfer" not in plugins.names(plugins.READERS), reason="installed before there was this reader"
)


@needs_entry
def test_a_mask_of_freesurfer(data: Data) -> None:
    path = data("faults/r22_aseg.mgz")
    mask = read_segmentation(path)
    affine = nib.load(path).affine
    np.testing.assert_allclose(mask.grid.affine, affine)
    assert int(np.count_nonzero(mask.labels)) == 576


def test_frames_and_damage(tmp_path: Path) -> None:
    values = np.arange(5 * 6 * 4 * 2, dtype=np.float32).reshape(5, 6, 4, 2)
    path = tmp_path / "x.mgz"
    nib.save(nib.MGHImage(values, np.diag([1.0, 2.0, 3.0, 1.0])), path)
    one, two = READER.inspect(path)
    assert (one.volume, two.volume) == ("0", "1")
    from medseg.domain import ReadOptions

    np.testing.assert_array_equal(READER.load(two, ReadOptions()).array, values[..., 1])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"x\.mgz"):
        READER.load(two, ReadOptions())


@pytest.mark.parametrize("name", ["r4_pair.hdr", "r4_pair.img"])
def test_a_pair_is_read_by_either_file(name: str, data: Data) -> None:
    path = data(f"faults/{name}")
    judge = nib.load(data("faults/r4_pair.hdr"))
    image = read(path)
    np.testing.assert_array_equal(image.array, np.asanyarray(judge.dataobj))
    np.testing.assert_allclose(image.grid.affine, judge.affine)


def test_a_packed_pair_and_one_without_voxels(data: Data, tmp_path: Path) -> None:
    for suffix in ("hdr", "img"):
        packed = gzip.compress(data(f"faults/r4_pair.{suffix}").read_bytes())
        (tmp_path / f"a.{suffix}.gz").write_bytes(packed)
    assert read(tmp_path / "a.hdr.gz").grid.shape == (20, 24, 16)
    shutil.copy(data("faults/r4_pair.hdr"), tmp_path / "b.hdr")
    with pytest.raises(InputError, match=r"needs the file b\.img"):
        read(tmp_path / "b.hdr")
    (source,) = inspect(tmp_path / "b.hdr")
    assert source.grid is None


def test_every_declared_suffix_is_its_readers(tmp_path: Path) -> None:
    for suffix in image_suffixes():
        path = tmp_path / f"x{suffix}"
        path.write_bytes(b"")
        assert suffix in find_reader(path).suffixes or suffix.endswith(tuple(find_reader(path).suffixes))


def test_napari_asks_for_every_declared_suffix() -> None:
    import yaml

    manifest = Path(__file__).parents[3] / "napari_plugin" / "napari_medseg" / "napari.yaml"
    (reader,) = yaml.safe_load(manifest.read_text("utf-8"))["contributions"]["readers"]
    for suffix in (*image_suffixes(), *READER.suffixes):
        asked = any(fnmatch(f"x{suffix}", pattern) for pattern in reader["filename_patterns"])
        # Pictures are left to the viewer's own readers.
        assert asked is not is_picture_name(f"x{suffix}"), suffix


@pytest.mark.parametrize("place", ["medseg/workflows", "medseg/io/datasets"])
def test_nobody_else_lists_suffixes(place: str) -> None:
    """Lists of formats come from the readers; one that stands elsewhere lacks the next format."""
    root = Path(__file__).parents[3] / place
    listing = [file.name for file in root.rglob("*.py") if '".nrrd"' in file.read_text("utf-8")]
    assert listing == []
