"""Values in a notebook: what stands there, that nothing of a file can run, and that a script pays nothing for it."""

import re
import subprocess
import sys
from dataclasses import replace
from html import unescape
from typing import Any

import numpy as np
import pytest

import medseg
from medseg.domain import Finding, Grid, Image, Label, LabelTable, Segmentation
from medseg.domain.segmentation import NOT_READ
from medseg.domain.values import as_details

GRID = Grid((40, 36, 20), np.array([[-1.0, 0, 0, 20], [0, 0, 1.5, -10], [0, -1.2, 0, 30], [0, 0, 0, 1.0]]))
HOSTILE = "<script>alert(1)</script>&'\""


def mask(grid: Grid = GRID, name: str = "node") -> Segmentation:
    labels = np.zeros(grid.shape, np.uint8)
    labels[10:20, 10:20, grid.shape[2] // 4 : grid.shape[2] // 2 + 1] = 1
    return Segmentation(labels, grid, LabelTable((Label(1, name), Label(2, "vein"))))


def image(grid: Grid = GRID) -> Image:
    return Image(
        np.random.default_rng(0).normal(100, 9, grid.shape).astype(np.float32), grid, "CT", "[hnsf'U]"
    )


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def test_an_image_says_its_grid_and_its_values() -> None:
    shown = image()._repr_html_()
    assert shown.count("<img ") == 1
    assert "40 × 36 × 20" in words(shown)
    assert re.search(r"Values \d+(\.\d+)? to \d+(\.\d+)? HU, float32", words(shown))
    assert "image, CT" in words(shown)


def test_a_mask_says_each_label_with_its_volume() -> None:
    text = words(mask()._repr_html_())
    count = int((mask().labels == 1).sum())
    assert f"node {count} {count * 1.8 / 1000:.2f} ml" in text
    assert "vein 0 0 ml" in text
    unread = replace(
        mask(), findings=(Finding(NOT_READ, "warning", "gone", as_details(label="vein", reason="no")),)
    )
    assert "vein 0 not read" in words(unread._repr_html_())


def test_a_record_says_numbers_as_its_page_does_with_unit_and_status() -> None:
    record = medseg.measure(mask(), image(), subject="p7")
    text = words(record._repr_html_())
    assert "NOT A MEDICAL DEVICE · NOT REVIEWED" in text
    assert "· p7" in text
    assert f"node Volume {(mask().labels == 1).sum() * 1.8 / 1000:.2f} ml ✓ ok" in text
    assert "vein Longest diameter in plane not computed" in text
    assert f"{len(record.measurements) - record._repr_html_().count('<tr>') + 1} more in" in text


SLICE = Grid((40, 36, 1), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px")


def test_a_picture_without_a_size_has_no_ml() -> None:
    text = words(mask(SLICE)._repr_html_())
    assert "no physical size" in text
    assert "ml" not in text.replace("html", "")
    assert image(SLICE)._repr_html_().count("<img ") == 1


def test_what_is_empty_or_has_no_label_is_shown_too() -> None:
    empty = Segmentation(np.zeros(GRID.shape, np.uint8), GRID, LabelTable(()))
    assert "0 labels" in words(empty._repr_html_())
    assert "names no structure" in words(medseg.measure(empty)._repr_html_())


@pytest.mark.parametrize(
    "value",
    [
        mask(name=HOSTILE),
        replace(image(), channel=HOSTILE, findings=(Finding("a", "error", HOSTILE),)),
        medseg.measure(mask(name=HOSTILE), replace(image(), channel=HOSTILE), subject=HOSTILE),
    ],
    ids=["mask", "image", "record"],
)
def test_names_from_files_run_nothing(value: Any) -> None:
    shown = value._repr_html_()
    assert "<script" not in shown
    assert "alert(1)" in shown


def test_pictures_stay_small() -> None:
    large = Grid((256, 256, 120), np.diag([0.5, 0.5, 1.0, 1.0]))
    assert len(image(large)._repr_html_()) < 300_000


def test_a_script_that_shows_nothing_loads_nothing_that_draws() -> None:
    code = (
        "import sys, numpy as np, medseg\n"
        "medseg.Image(np.zeros((2, 2, 2)), medseg.Grid((2, 2, 2), np.eye(4)))\n"
        "print(sorted({'matplotlib', 'medseg.reporting', 'IPython'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
