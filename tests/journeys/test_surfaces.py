"""`medseg convert MASK OUT.stl`: as a user does it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Label, LabelTable, Segmentation
from medseg.io import write_segmentation
from medseg.io.surface.file import read_surface

Medseg = Callable[..., Any]


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """Synthetic: two blocks of 6 × 6 × 6 and 3 × 3 × 3 voxels of 1 × 1 × 2 mm."""
    labels = np.zeros((20, 12, 10), np.uint8)
    labels[2:8, 2:8, 2:8] = 1
    labels[12:15, 2:5, 2:5] = 2
    table = LabelTable((Label(1, "Left kidney"), Label(2, "cyst / simple"), Label(3, "absent")))
    grid = Grid(labels.shape, np.diag([-1.0, -1.0, 2.0, 1.0]))
    return write_segmentation(Segmentation(labels, grid, table), tmp_path / "mask.nii.gz")


@pytest.mark.parametrize("suffix", ["stl", "ply"])
def test_every_label_has_its_file(medseg: Medseg, mask: Path, tmp_path: Path, suffix: str) -> None:
    seen = medseg("convert", mask, tmp_path / "out" / f"kidney.{suffix}")
    assert seen.code == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"kidney-Left_kidney.{suffix}", f"kidney-cyst_simple.{suffix}"]
    surface = read_surface(tmp_path / "out" / names[0])
    assert surface.is_closed
    assert surface.volume_ml == pytest.approx(6**3 * 2 / 1000, rel=0.06)
    assert "RAS+ mm" in seen.err


def test_one_label_smoothed_says_what_it_cost(medseg: Medseg, mask: Path, tmp_path: Path) -> None:
    out = tmp_path / "k.stl"
    seen = medseg("convert", mask, out, "--label", "Left kidney", "--smooth", "--json")
    (item,) = seen.json["result"]["surfaces"]
    assert item["file"] == str(out)
    assert 0 < abs(item["volume_change"]) <= 0.05
    assert read_surface(out).volume_ml == pytest.approx(item["volume_ml"], rel=1e-5)
    assert b"volume change" in out.read_bytes()[:84]
    seen = medseg("convert", mask, tmp_path / "l.stl", "--label", "Left kidney", "--smooth")
    assert "smoothing changed the volume by" in seen.err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["out.stl", "--label", "absent"], "holds no voxels of a label 'absent'"),
        (["out.nii.gz", "--smooth"], "for surfaces"),
    ],
)
def test_what_makes_no_sense_is_refused(
    medseg: Medseg, mask: Path, tmp_path: Path, more: list[str], words: str
) -> None:
    seen = medseg("convert", mask, tmp_path / more[0], *more[1:])
    assert seen.code == 2
    assert words in seen.line
    assert not list(tmp_path.glob("out*"))


def test_pixels_have_no_surface(medseg: Medseg, tmp_path: Path) -> None:
    from PIL import Image

    pixels = np.zeros((9, 9), np.uint8)
    pixels[2:6, 2:6] = 255
    Image.fromarray(pixels).save(tmp_path / "m.png")
    seen = medseg("convert", tmp_path / "m.png", tmp_path / "m.stl")
    assert seen.code == 2
    assert "measured in pixels" in seen.line


def test_an_existing_file_stops_it_before_anything_is_written(
    medseg: Medseg, mask: Path, tmp_path: Path
) -> None:
    (tmp_path / "k-cyst_simple.stl").write_bytes(b"old")
    seen = medseg("convert", mask, tmp_path / "k.stl")
    assert seen.code == 2
    assert "--force" in seen.line
    assert sorted(path.name for path in tmp_path.glob("k*")) == ["k-cyst_simple.stl"]
