"""From a scan to a number to a page, by the command line and by the five lines of Python."""

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import medseg as api
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]


def volume(record: dict[str, Any], name: str = "foreground") -> dict[str, Any]:
    found = [m for m in record["measurements"] if m["quantity"] == "volume" and m["target"]["name"] == name]
    assert len(found) == 1
    return found[0]


def test_the_whole_path_on_a_phantom(medseg: Medseg, ball: Path, tmp_path: Path) -> None:
    mask, record = tmp_path / "mask.nii.gz", tmp_path / "record.json"
    assert medseg("segment", "otsu", ball, "--out", mask).code == 0
    assert (tmp_path / "mask.seg.json").is_file()
    assert medseg("measure", mask, "--image", ball, "--out", record).code == 0
    found = api.read_record(record)
    ml = next(m.value for m in found.measurements if m.quantity.value == "volume")
    assert ml == pytest.approx(4 / 3 * math.pi * 8**3 / 1000, rel=0.05)
    pages = {view: tmp_path / f"report.{view}" for view in ("html", "pdf", "csv", "xlsx")}
    options = [part for view, path in pages.items() for part in (f"--{view}", path)]
    assert medseg("report", record, *options).code == 0
    assert pages["pdf"].read_bytes().startswith(b"%PDF")
    assert "NOT REVIEWED" in pages["html"].read_text(encoding="utf-8")
    with pages["csv"].open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert float(next(row["value"] for row in rows if row["quantity"] == "volume")) == ml


def test_the_command_line_and_python_give_the_same_digits(medseg: Medseg, ball: Path, tmp_path: Path) -> None:
    mask, record = tmp_path / "mask.nii.gz", tmp_path / "record.json"
    medseg("segment", "otsu", ball, "--out", mask)
    medseg("measure", mask, "--image", ball, "--out", record)
    image = api.read(ball)
    segmentation = api.segment("otsu", image)
    ours = api.measure(segmentation, image)
    typed = api.read_record(record)
    assert [m.value for m in ours.measurements] == [m.value for m in typed.measurements]
    table = api.to_dataframe(ours)
    assert set(table["quantity"]) >= {"volume", "voxel_count", "intensity_mean"}
    written = api.report(ours, html=tmp_path / "five-lines.html", mask=segmentation, images=image)
    assert written["html"].stat().st_size > 10_000


def test_a_real_hippocampus_scan(medseg: Medseg, data: Callable[[str], Path], tmp_path: Path) -> None:
    scan = data("hippocampus/imagesTr/hippocampus_001.nii.gz")
    reference = data("hippocampus/labelsTr/hippocampus_001.nii.gz")
    names = tmp_path / "names.yaml"
    names.write_text("1: anterior\n2: posterior\n", encoding="utf-8")
    out = tmp_path / "record.json"
    assert medseg("measure", reference, "--image", scan, "--labels", names, "--out", out).code == 0
    found = {
        m.target.name: m.value for m in api.read_record(out).measurements if m.quantity.value == "volume"
    }
    assert set(found) == {"anterior", "posterior"}
    assert all(0.5 < float(value or 0) < 4 for value in found.values())


def test_json_output_is_one_object(medseg: Medseg, ball: Path, tmp_path: Path) -> None:
    seen = medseg("segment", "otsu", ball, "--out", tmp_path / "mask.nii.gz", "--json")
    assert seen.code == 0
    assert seen.json["schema"] == "medseg.cli/1.0"
    assert seen.json["result"]["labels"][0]["voxels"] > 0


def test_contours_are_written_in_mm(medseg: Medseg, ball: Path, tmp_path: Path) -> None:
    import json

    mask, outlines = tmp_path / "mask.nii.gz", tmp_path / "contours.json"
    medseg("segment", "otsu", ball, "--out", mask)
    seen = medseg("measure", mask, "--out", tmp_path / "r.json", "--contours", outlines)
    assert seen.code == 0
    text = json.loads(outlines.read_text(encoding="utf-8"))
    assert "mm" in json.dumps(text)
