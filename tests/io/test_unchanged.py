"""Files that another program still writes: what is read is one state of a file, or nothing."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import tifffile

from benchmarks.dicom_study import write_series
from medseg.errors import InputError
from medseg.io import read, read_segmentation
from medseg.io.plain import read_plain, unchanged
from medseg.io.read import find_reader
from medseg.io.stream import unpacked

WORDS = "changed while it was read; try again when nothing writes to it any more"


def append(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(b"\0")


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def replace(file: Path) -> None:
    other = file.with_name("other")
    other.write_bytes(file.read_bytes())
    os.utime(other, ns=(0, file.stat().st_mtime_ns))
    other.replace(file)


def volume(folder: Path, name: str) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(np.ones((4, 5, 6), np.uint8)), str(folder / name))
    return folder / name


def picture(folder: Path) -> Path:
    tifffile.imwrite(folder / "a.tif", np.ones((5, 6), np.uint8))
    return folder / "a.tif"


MAKE: dict[str, Callable[[Path], Path]] = {
    "nii": lambda folder: volume(folder, "a.nii"),
    "nii.gz": lambda folder: volume(folder, "a.nii.gz"),
    "nrrd": lambda folder: volume(folder, "a.nrrd"),
    "tif": picture,
}


@pytest.mark.parametrize("change", [append, cut, replace])
@pytest.mark.parametrize("form", MAKE)
@pytest.mark.parametrize("reading", [read, read_segmentation])
def test_a_file_that_changes_between_header_and_voxels_is_refused(
    form: str,
    change: Callable[[Path], None],
    reading: Callable[[Path], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = MAKE[form](tmp_path)
    assert reading(path)
    reader = type(find_reader(path))
    load = reader.load

    def late(self: Any, source: Any, options: Any) -> Any:
        change(path)
        return load(self, source, options)

    monkeypatch.setattr(reader, "load", late)
    with pytest.raises(InputError, match=f"{path.name} {WORDS}"):
        reading(path)


def read_while(file: Path, change: Callable[[Path], None]) -> None:
    with unpacked(file, "raw") as stream:
        stream.read(10)
        change(file)
        stream.read(10)


@pytest.mark.parametrize("change", [append, cut])
def test_voxels_that_change_while_they_are_read_are_refused(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(100_000))
    with pytest.raises(InputError, match=f"a.raw {WORDS}"):
        read_while(tmp_path / "a.raw", change)


def test_a_slice_that_arrives_while_its_series_is_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_series(tmp_path, np.zeros((8, 8, 4), np.int16), (1.0, 1.0, 2.0), number=1)
    slices = sorted(item for item in tmp_path.rglob("*") if item.is_file())
    assert read(tmp_path).array.shape == (8, 8, 4)
    reader = type(find_reader(tmp_path))
    load = reader.load

    def late(self: Any, source: Any, options: Any) -> Any:
        image = load(self, source, options)
        append(slices[2])
        return image

    monkeypatch.setattr(reader, "load", late)
    with pytest.raises(InputError, match=f"{slices[2].name} {WORDS}"):
        read(tmp_path)


def test_a_file_that_lies_still_and_a_folder_that_grows_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with unchanged(tmp_path / "a.json", tmp_path, tmp_path / "none"):
        (tmp_path / "b.json").write_text("{}")
    assert read_plain(tmp_path / "a.json") == b"{}"
