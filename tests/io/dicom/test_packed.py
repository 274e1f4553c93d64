"""Series behind one file (DICOMDIR, zip), and behind links to folders."""

import gc
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.fileset import FileSet

from medseg.errors import InputError
from medseg.io import inspect, read

Data = Callable[[str], Path]
Make = Callable[..., Path]


def packed(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"study/{file.relative_to(folder)}")
        archive.writestr("__MACOSX/._x", b"fork")
        archive.writestr("study/readme.txt", b"hello")
    return path


def burn(files: list[Path], folder: Path) -> None:
    """A disc with a DICOMDIR. pydicom's FileSet has no way to be closed: its folder goes here, not in a later test."""
    disc = FileSet()
    for file in files:
        disc.add(file)
    disc.write(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del disc
        gc.collect()


def test_a_zip_of_a_series(series: Make, tmp_path: Path) -> None:
    folder = series([0, 3, 6])
    path = packed(folder, tmp_path / "study.zip")
    image = read(path)
    assert np.array_equal(image.array, read(folder).array)
    assert image.source is not None
    assert image.source.uri == str(path)


def test_many_zips_are_read_and_leave_without_a_word(series: Make, tmp_path: Path) -> None:
    folder = series([0, 3, 6])
    for number in range(6):
        assert read(packed(folder, tmp_path / f"{number}.zip")).grid.shape[2] == 3
    gc.collect()


def test_a_damaged_zip_is_one_line(series: Make, tmp_path: Path) -> None:
    path = packed(series([0, 3, 6]), tmp_path / "study.zip")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_zip_of_other_things_is_no_series(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.txt", b"hello")
    with pytest.raises(InputError, match="no known format"):
        read(tmp_path / "x.zip")


def test_a_disc_is_read_by_its_list(data: Data, tmp_path: Path) -> None:
    burn(sorted(data("faults/r17_cd").rglob("*.dcm")), tmp_path / "disc")
    (tmp_path / "disc" / "AUTORUN.INF").write_bytes(b"x")
    image = read(tmp_path / "disc" / "DICOMDIR")
    assert image.grid.shape == (20, 24, 16)
    assert read(tmp_path / "disc").grid.shape == (20, 24, 16)
    next(file for file in (tmp_path / "disc").rglob("*") if file.name.startswith("IM")).unlink()
    with pytest.raises(InputError, match="1 are not there"):
        read(tmp_path / "disc" / "DICOMDIR")


def test_folders_by_link(data: Data, series: Make, tmp_path: Path) -> None:
    folder = series([0, 3, 6])
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "there").symlink_to(folder, target_is_directory=True)
    (linked / "round").symlink_to(linked, target_is_directory=True)
    (source,) = inspect(linked)
    assert source.grid is not None
    assert source.grid.shape[2] == 3
    files = tmp_path / "files"
    files.mkdir()
    for file in folder.iterdir():
        (files / file.name).symlink_to(file)
    assert read(files).grid.shape[2] == 3
    assert read(data("faults/r17_links")).grid.shape == (20, 24, 16)
    shutil.rmtree(linked)
