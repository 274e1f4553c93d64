"""A page for comparison: how far the record's mask agrees with a reference, the worst first, nothing flattering."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medseg import io
from medseg.domain import Grid, Image, Label, LabelTable, Segmentation
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
GRID = Grid((40, 40, 20), np.diag([-1.0, -1.0, 2.0, 1.0]))


@pytest.fixture
def record(medseg: Medseg, tmp_path: Path) -> Path:
    """Two blocks measured; the reference has one of them larger, and the other at another place."""
    ours, theirs = (np.zeros(GRID.shape, np.uint8) for _ in range(2))
    ours[5:15, 5:15, 5:15] = theirs[5:15, 5:15, 5:17] = 1
    ours[20:24, 20:24, 5:9], theirs[30:34, 30:34, 5:9] = 2, 2
    table = LabelTable((Label(1, "tumour"), Label(2, "node")))
    values = np.random.default_rng(0).normal(30, 5, GRID.shape).astype(np.float32)
    io.write_image(Image(values, GRID, "CT", "[hnsf'U]"), tmp_path / "ct.nii.gz")
    io.write_segmentation(Segmentation(ours, GRID, table), tmp_path / "mask.nii.gz")
    io.write_segmentation(
        Segmentation(theirs, GRID, LabelTable((Label(1, "a"), Label(2, "b")))), tmp_path / "ref.nii.gz"
    )
    (tmp_path / "ref.seg.json").unlink()
    seen = medseg(
        "measure", tmp_path / "mask.nii.gz", "--image", tmp_path / "ct.nii.gz", "--out", tmp_path / "r.json"
    )
    assert seen.code == 0, seen.err
    return tmp_path / "r.json"


def page_of(medseg: Medseg, record: Path, *options: object) -> str:
    out = record.parent / "r.html"
    seen = medseg("report", record, "--html", out, "--csv", record.parent / "r.csv", *options)
    assert seen.code == 0, seen.err
    body = re.sub(r"<style>.*?</style>", "", out.read_text("utf-8"), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_the_page_answers_with_the_worst_first(medseg: Medseg, record: Path) -> None:
    text = page_of(medseg, record, "--reference", record.parent / "ref.nii.gz")
    assert text.index("2 structures: median Dice 0.455; lowest: node, Dice 0.000.") < text.index("Structure")
    assert "Largest volume error −0.40 ml (tumour, −16.7 %)." in text
    table = text[text.index("Structure Dice") :]
    assert table.index("node") < table.index("tumour")
    row = table[table.index("tumour") :]
    assert "0.909" in row
    assert "2.00 ml" in row[:200], "this mask"
    assert "2.40 ml" in row[:200], "the reference"
    assert "Volume, this mask" in table
    assert "Volume, reference" in table
    assert "Sample only" not in text
    assert re.search(r"Reference mask, SHA-256 [0-9a-f]{16}…", text), "which reference it was"
    assert "No reason for doubt found" not in text, "a good scan is no good agreement"


def test_the_record_and_its_tables_stay_without(medseg: Medseg, record: Path) -> None:
    before = record.read_bytes()
    page_of(medseg, record, "--reference", record.parent / "ref.nii.gz")
    assert record.read_bytes() == before
    assert "dice" not in (record.parent / "r.csv").read_text("utf-8")


def test_the_full_page_says_whose_volume_it_is(medseg: Medseg, record: Path) -> None:
    text = page_of(medseg, record, "--reference", record.parent / "ref.nii.gz", "--full")
    full = text[text.index("Against the reference, in full") :]
    assert "tumour Volume (prediction) 2.00 ml" in full
    assert "tumour Volume (reference) 2.40 ml" in full
    assert not re.search(r"tumour Volume \d", full)


def test_the_pictures_show_where_they_differ_most(medseg: Medseg, record: Path) -> None:
    page_of(medseg, record, "--reference", record.parent / "ref.nii.gz")
    html = (record.parent / "r.html").read_text("utf-8")
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", html)
    assert captions[0].startswith("tumour: ")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--reference", "nowhere.nii.gz"), "nowhere.nii.gz"),
        (("--purpose", "comparison"), "--purpose is one of structure, lesions, organs, tissue"),
    ],
)
def test_nothing_to_compare_with_is_said(
    options: tuple[str, ...], words: str, medseg: Medseg, record: Path
) -> None:
    seen = medseg("report", record, "--html", record.parent / "r.html", *options)
    assert seen.code == 2
    assert words in seen.line


def test_without_the_mask_nothing_is_compared(medseg: Medseg, record: Path) -> None:
    (record.parent / "mask.nii.gz").unlink()
    seen = medseg(
        "report", record, "--html", record.parent / "r.html", "--reference", record.parent / "ref.nii.gz"
    )
    assert seen.code == 2
    assert "nothing to compare with the reference" in seen.line
