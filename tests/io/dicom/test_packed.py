"""Series behind one file (DICOMDIR, zip, tar), and behind links to folders."""

import gc
import gzip
import shutil
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydicom.fileset import FileSet

from medseg.errors import InputError
from medseg.io import inspect, read
from medseg.io.dicom import archives

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


def tarred(folder: Path, path: Path, way: str = "") -> Path:
    with tarfile.open(path, f"w:{way}", format=tarfile.GNU_FORMAT) as archive:  # type: ignore[call-overload]
        archive.add(folder, "./study" if way else "study")
        for name in ("./.DS_Store", "__MACOSX/._x", "study/readme.txt"):
            archive.addfile(tarfile.TarInfo(name))
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


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("s.tar", ""),
        ("s.tar.gz", "gz"),
        ("s.tgz", "gz"),
        ("s.tar.bz2", "bz2"),
        ("s.tar.xz", "xz"),
        ("s.dcm", "gz"),
    ],
)
def test_a_tar_of_a_series_packed_or_not(name: str, way: str, series: Make, tmp_path: Path) -> None:
    folder = series([0, 3, 6])
    path = tarred(folder, tmp_path / name, way)
    image = read(path)
    assert np.array_equal(image.array, read(folder).array)
    assert image.source is not None
    assert image.source.uri == str(path)


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"DICM") + 20])


def without_an_end(path: Path) -> None:
    """Cut right behind a slice: nothing but the end mark is missing."""
    path.write_bytes(path.read_bytes().rstrip(b"\0") + bytes(512))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 512 * 512])


def scratched(path: Path) -> None:
    """The header of the second slice."""
    content = path.read_bytes()
    place = content.index(b"study/", content.index(b"study/", 1024) + 6)
    path.write_bytes(content[:place] + b"\xff" * 8 + content[place + 8 :])


def linked(path: Path) -> None:
    with tarfile.open(path, "a") as archive:
        entry = tarfile.TarInfo("study/004.dcm")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(entry)


def remarked(path: Path) -> None:
    """A name of four gigabytes is promised."""
    entry = tarfile.TarInfo("././@LongLink")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 1 << 32
    path.write_bytes(entry.tobuf(tarfile.GNU_FORMAT) + path.read_bytes())


BAD_TARS = [
    (cut, "can't be unpacked"),
    (without_an_end, "cut short or damaged"),
    (scratched, "cut short or damaged"),
    (linked, "holds links"),
    (remarked, "a name or remark of 4294967296 bytes"),
]


@pytest.mark.parametrize(("spoil", "words"), BAD_TARS, ids=[spoil.__name__ for spoil, _ in BAD_TARS])
@pytest.mark.parametrize("again", [False, True], ids=["plain", "gzipped"])
def test_a_tar_from_which_a_slice_may_be_missing_is_refused(
    spoil: Callable[[Path], None], words: str, again: bool, series: Make, tmp_path: Path
) -> None:
    path = tarred(series([0, 3, 6]), tmp_path / "study.tar")
    spoil(path)
    if again:
        path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(InputError, match=words) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_tar_that_swells_is_not_unpacked(
    series: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "FEW_BYTES", 1 << 20)
    folder = series([0, 3, 6])
    (folder / "zeros.dcm").write_bytes(bytes(128) + b"DICM" + bytes(1 << 25))
    with pytest.raises(InputError, match="unpack it yourself"):
        read(tarred(folder, tmp_path / "study.tar.gz", "gz"))


def test_a_gzipped_image_is_no_archive(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)), tmp_path / "a.nii.gz")
    assert read(tmp_path / "a.nii.gz").grid.shape == (2, 2, 2)


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


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_an_archive_of_other_things_is_no_series(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    kind = "zip" if name == "x.zip" else "gztar" if name.endswith("gz") else "tar"
    shutil.make_archive(str(tmp_path / "x"), kind, tmp_path, "a.txt")
    with pytest.raises(InputError, match="is an archive in which no DICOM file is found; unpack it"):
        read(tmp_path / name)


@pytest.mark.parametrize("head", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x01\x00", b"\x28\xb5\x2f\xfd"])
def test_archives_of_other_programs_are_called_so(head: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(head + bytes(600))
    with pytest.raises(InputError, match="is an archive that is not unpacked here; unpack it"):
        read(tmp_path / "x.bin")


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
