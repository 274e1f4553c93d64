"""Files made to do harm, or so damaged that they would: one line, nothing half-written, no guess."""

import gzip
import json
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medseg.io.dicom import archives
from medseg.io.raster import pages
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]


def tiff(
    width: int, height: int, data: bytes = b"\0", *, packing: int = 1, number: int = 1, **tags: int
) -> bytes:
    """A grey TIFF of 8 bits, its pixels in one strip; all pages share it."""
    fields = {
        256: width,
        257: height,
        258: 8,
        259: packing,
        262: 1,
        273: 8,
        277: 1,
        278: height,
        279: len(data),
    }
    fields |= {int(tag[1:]): value for tag, value in tags.items()}
    body = data + bytes(len(data) % 2)
    first, size = 8 + len(body), 2 + 12 * len(fields) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, fields[tag]) for tag in sorted(fields))
    places = [first + size * (page + 1) for page in range(number - 1)] + [0]
    directories = [struct.pack("<H", len(fields)) + entries + struct.pack("<I", place) for place in places]
    return b"II*\0" + struct.pack("<I", first) + body + b"".join(directories)


def nrrd(more: str, data: bytes) -> bytes:
    head = f"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nspacings: 1 1 1\n{more}\n"
    return head.encode() + b"\n" + data


def nifti(bits: int) -> bytes:
    image = nib.Nifti1Image(np.arange(8, dtype=np.uint8).reshape(2, 2, 2), np.eye(4))
    image.header["bitpix"] = bits
    head = image.header.binaryblock
    return gzip.compress(head + bytes(4) + bytes(range(8)))


#: Name of the file, its bytes, what is said.
IMAGES = [
    ("values.tif", tiff(16000, 16000, s277=65535), "values on a page are too many"),
    ("deep.tif", tiff(16000, 16000, s32997=1_000_000), "values on a page are too many"),
    ("many.tif", tiff(2, 2, bytes(4), number=10_001), "holds 10001 pages; up to 10000 are read"),
    (
        "flate.tif",
        tiff(10, 10, zlib.compress(bytes(1 << 24), 9), packing=8),
        "unpacks to more than its 100 bytes",
    ),
    (
        "lzma.tif",
        tiff(10, 10, lzma.compress(bytes(1 << 24)), packing=34925),
        "unpacks to more than its 100 bytes",
    ),
    (
        "itself.nhdr",
        nrrd("encoding: raw\ndata file: itself.nhdr", bytes(8)),
        "names itself as the file of its voxels",
    ),
    ("bits.nii.gz", nifti(16), "voxels of 16 bits, which values of type uint8 do not have"),
    ("bits.nii.gz", nifti(-8), "voxels of -8 bits"),
]


@pytest.mark.parametrize(
    ("name", "content", "said"), IMAGES, ids=[f"{row[0]} {row[2][:20]}" for row in IMAGES]
)
def test_an_image_that_is_refused(
    name: str, content: bytes, said: str, medseg: Medseg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_FEW_BYTES", 1 << 16)
    (tmp_path / name).write_bytes(content)
    seen = medseg("segment", "otsu", tmp_path / name, "--out", tmp_path / "mask.tif")
    assert (seen.code, said in seen.line) == (2, True), seen.err
    assert len(seen.err.splitlines()) == 1
    assert [item.name for item in tmp_path.iterdir()] == [name]


def test_pages_that_are_too_large_in_all_are_not_unpacked_one_by_one(
    medseg: Medseg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_MOST_IN_ALL", 10_000)
    (tmp_path / "a.tif").write_bytes(tiff(100, 100, bytes(10_000), number=3))
    seen = medseg("info", tmp_path / "a.tif")
    assert "its 3 pages are too large in all" in seen.err + seen.out


def test_an_honest_packed_picture_is_read(
    medseg: Medseg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_FEW_BYTES", 0)
    picture = bytes([0] * 50 + [200] * 50)
    for packing, data in ((8, zlib.compress(picture)), (34925, lzma.compress(picture))):
        (tmp_path / "a.tif").write_bytes(tiff(10, 10, data, packing=packing))
        seen = medseg("segment", "otsu", tmp_path / "a.tif", "--out", tmp_path / f"{packing}.tif", "--json")
        assert seen.code == 0, seen.err


def test_text_behind_the_voxels_is_left_alone(medseg: Medseg, tmp_path: Path) -> None:
    words = b"0 1 2 3 4 5 6 7 " + b"9 " * 1_000 + b"no number"
    (tmp_path / "x.nrrd").write_bytes(nrrd("encoding: ascii", words))
    seen = medseg("convert", tmp_path / "x.nrrd", tmp_path / "y.nii")
    assert (seen.code, "more bytes than the voxels" in seen.err) == (0, True), seen.err


def test_a_zip_that_swells_is_not_unpacked(
    medseg: Medseg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "FEW_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", bytes(128) + b"DICM" + bytes(1 << 21))
    seen = medseg("convert", tmp_path / "a.zip", tmp_path / "y.nii")
    assert (seen.code, "unpack it yourself" in seen.line) == (2, True), seen.err


#: File of names, what is said.
NAMES = [
    ("a.yaml", "1: liver\n1: spleen\n", "key '1' stands twice"),
    ("a.json", '{"1": "liver", "1": "spleen"}', "key '1' stands twice"),
    ("a.json", '{"1": NaN}', "NaN is no number"),
    ("a.tsv", "index\tname\tName\n1\tliver\tspleen\n", "column 'name' stands twice"),
    ("a.yaml", "true: liver\n", "true is no value of a mask"),
    ("a.yaml", "a: &a {k: v}\nb: {<<: [*a, *a]}\n", "aliases are not taken"),
    ("a.yaml", "1: 2026-99-99", "month must be in 1..12"),
    ("a.yaml", "1: " + "1:" * 200_000 + "1", "a number of 400001 characters"),
    ("a.yaml", '1: !!binary "aaaa"', "bytes are not taken"),
]


@pytest.mark.parametrize(("name", "text", "said"), NAMES, ids=[row[2] + row[0] for row in NAMES])
def test_names_that_are_refused(
    name: str, text: str, said: str, medseg: Medseg, ball: Path, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    mask = tmp_path / "mask.nii.gz"
    assert medseg("segment", "otsu", ball, "--out", mask).code == 0
    seen = medseg("measure", mask, "--labels", tmp_path / name, "--out", tmp_path / "new.json")
    assert (seen.code, said in seen.line) == (2, True), seen.err
    assert not (tmp_path / "new.json").exists()


#: A configuration, or an override, that would stand for a huge value in its message.
BOMB = "a: &a [x, x]\nb: &b [*a, *a]\n"


def test_a_configuration_is_no_bomb(medseg: Medseg, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(BOMB, encoding="utf-8")
    for words in ((tmp_path / "c.yaml",), ("hippocampus_3d", f"model.title={BOMB}")):
        seen = medseg("train", *words, "--out", tmp_path / "run")
        assert (seen.code, "aliases are not taken" in seen.line) == (2, True), seen.err
        assert not (tmp_path / "run").exists()


def doubled(sidecar: Path) -> None:
    text = sidecar.read_text("utf-8")
    sidecar.write_text(text.replace("{", '{"mask_digest": "another", ', 1), encoding="utf-8")


def piped(sidecar: Path) -> None:
    sidecar.unlink()
    os.mkfifo(sidecar)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system")
@pytest.mark.parametrize("change", [doubled, piped])
def test_a_sidecar_that_is_none_is_said_and_not_waited_for(
    change: Callable[[Path], None], medseg: Medseg, ball: Path, tmp_path: Path
) -> None:
    mask = tmp_path / "mask.nii.gz"
    assert medseg("segment", "otsu", ball, "--out", mask).code == 0
    change(tmp_path / "mask.seg.json")
    seen = medseg("measure", mask, "--image", ball, "--out", tmp_path / "r.json")
    assert (seen.code, "sidecar.ignored" in seen.err) == (0, True), seen.err


WITH_SEEDS = ("segment", "watershed", "{ball}", "--prompts", "{file}", "--out", "{out}")
#: What holds keys twice, and the command that reads it.
TWICE = [
    ("dataset.json", '{"labels": {}, "labels": {"0": "background"}}', ("info", "{folder}")),
    ("seeds.json", '{"points": [], "points": []}', WITH_SEEDS),
]


@pytest.mark.parametrize(("name", "text", "words"), TWICE, ids=[row[0] for row in TWICE])
def test_a_key_twice_is_no_choice_of_ours(
    name: str, text: str, words: tuple[str, ...], medseg: Medseg, ball: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / name).write_text(text, encoding="utf-8")
    places = {"folder": folder, "file": folder / name, "ball": ball, "out": tmp_path / "m.nii.gz"}
    seen = medseg(*(word.format(**places) for word in words))
    assert (seen.code, "stands twice in one object" in seen.line) == (2, True), seen.err


def test_a_folder_of_images_is_told_from_a_series(medseg: Medseg, ball: Path, tmp_path: Path) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        (tmp_path / "flat").mkdir(exist_ok=True)
        (tmp_path / "flat" / name).write_bytes(ball.read_bytes())
    seen = medseg("info", tmp_path / "flat")
    assert (seen.code, "holds no DICOM files, but 2 .nii.gz: give one of them (a.nii.gz)" in seen.line) == (
        2,
        True,
    )
    (tmp_path / "empty").mkdir()
    assert "holds no DICOM files and no images" in medseg("info", tmp_path / "empty").line
    assert json.loads(medseg("segment", "otsu", tmp_path / "flat", "--out", tmp_path / "o", "--json").out)
