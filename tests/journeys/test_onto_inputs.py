"""`--force` is for older outputs: what a command reads is never what it writes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]

#: A command, and the file that it reads and is told to write to.
ONTO = [
    ("segment otsu image.nii.gz --out image.nii.gz", "image.nii.gz"),
    ("segment otsu image.nii.gz --out other.nii.gz --objects image.nii.gz", "image.nii.gz"),
    ("segment random-walker image.nii.gz --prompts seeds.json --out seeds.json", "seeds.json"),
    ("edit mask.nii.gz --op dilate=1 --out mask.nii.gz", "mask.nii.gz"),
    ("edit mask.nii.gz --op union=second.nii.gz --out second.nii.gz", "second.nii.gz"),
    ("measure mask.nii.gz --image image.nii.gz --out mask.nii.gz", "mask.nii.gz"),
    ("measure mask.nii.gz --image image.nii.gz --out image.nii.gz", "image.nii.gz"),
    ("measure mask.nii.gz --image image.nii.gz --out mask.seg.json", "mask.seg.json"),
    ("measure mask.nii.gz --labels names.json --out names.json", "names.json"),
    ("measure mask.nii.gz --out new.json --contours mask.nii.gz", "mask.nii.gz"),
    ("measure mask.nii.gz --out new.json --lesions all --lesion-mask mask.nii.gz", "mask.nii.gz"),
    ("report record.json --html record.json", "record.json"),
    ("report record.json --csv mask.nii.gz", "mask.nii.gz"),
    ("report record.json --html new.html --pdf image.nii.gz", "image.nii.gz"),
    ("report record.json --reference second.nii.gz --html second.nii.gz", "second.nii.gz"),
    ("sign record.json --name A --organization B --out mask.nii.gz", "mask.nii.gz"),
    ("sign record.json --name A --organization B --out image.nii.gz", "image.nii.gz"),
    ("evaluate mask.nii.gz second.nii.gz --out mask.nii.gz", "mask.nii.gz"),
    ("evaluate mask.nii.gz second.nii.gz --html second.nii.gz", "second.nii.gz"),
    ("evaluate mask.nii.gz second.nii.gz --labels names.json --out names.json", "names.json"),
    ("convert mask.nii.gz mask.nii.gz", "mask.nii.gz"),
    ("convert mask.nii.gz image.nii.gz --image image.nii.gz", "image.nii.gz"),
    ("convert mask.nii.gz names.json --labels names.json", "names.json"),
    ("measure mask.nii.gz --out link.json", "mask.nii.gz"),
]


@pytest.fixture
def read(medseg: Medseg, ball: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scan, two masks, a record, seeds, names, and another name of the first mask."""
    folder = tmp_path / "study"
    folder.mkdir()
    monkeypatch.chdir(folder)
    shutil.copy(ball, "image.nii.gz")
    for name in ("mask", "second"):
        assert medseg("segment", "otsu", "image.nii.gz", "--out", f"{name}.nii.gz").code == 0
    assert medseg("measure", "mask.nii.gz", "--image", "image.nii.gz", "--out", "record.json").code == 0
    Path("seeds.json").write_text('{"points": []}')
    Path("names.json").write_text('{"1": "liver"}')
    Path("link.json").symlink_to("mask.nii.gz")
    return folder


def test_what_is_read_is_not_replaced(read: Path, medseg: Medseg) -> None:
    before = {path.name: path.read_bytes() for path in read.iterdir()}
    for words, name in ONTO:
        seen = medseg(*words.split(), "--force")
        assert (seen.code, name in seen.line or "link.json" in seen.line) == (2, True), (words, seen)
        after = {path.name: path.read_bytes() for path in read.iterdir()}
        assert after == before, words


def test_an_older_output_and_a_record_that_is_signed_in_place_are_replaced(
    read: Path, medseg: Medseg
) -> None:
    for words in (
        "segment otsu image.nii.gz --out mask.nii.gz",
        "measure mask.nii.gz --image image.nii.gz --out record.json",
        "sign record.json --name A --organization B",
    ):
        assert medseg(*words.split(), *(() if words.startswith("sign") else ("--force",))).code == 0, words
