"""The worked example of reference values: docs/how-to/reference-values.md, run as it is written; all views agree."""

import csv
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import medseg as package
from medseg.io import read_segmentation
from medseg.reporting.reference import reference_sentences
from medseg.workflows.record import read_record
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "reference-values.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mask of 2100 voxels of 1 mm³, its names, and the page's table."""
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[5:15, 5:19, 5:20] = 1
    image = nib.Nifti1Image(labels, np.eye(4))
    image.header.set_xyzt_units("mm")
    image.set_qform(np.eye(4), 1)
    nib.save(image, tmp_path / "mask.nii.gz")
    (tmp_path / "labels.yaml").write_text("{1: ball}\n")
    (tmp_path / "table.csv").write_text(blocks("csv")[0])
    (tmp_path / "table.yaml").write_text(blocks("yaml")[0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(path: Path) -> dict[str, dict[str, Any]]:
    return {row["quantity"]: row for row in json.loads(path.read_text("utf-8"))["measurements"]}


def measure(medseg: Medseg, out: str, *options: object) -> Seen:
    return medseg("measure", "mask.nii.gz", "--labels", "labels.yaml", *options, "--out", out)


def test_the_page_runs_as_written(medseg: Medseg, folder: Path) -> None:
    for line in (
        line for block in blocks("bash") for line in block.splitlines() if line.startswith("medseg")
    ):
        seen = medseg(*shlex.split(line)[1:])
        assert seen.code == 0, seen.err
    place = rows(folder / "record.json")["volume"]["placement"]
    assert f"here at the {place['words']}" in PAGE
    assert place["group"] == "female, 60 to 70 years, n = 120"
    sized = rows(folder / "sized.json")
    assert sized["volume_by_intracranial_volume"]["value"] == pytest.approx(2.1 / 1450 * 100)
    assert sized["volume_by_height_squared"]["value"] == pytest.approx(2.1 / 1.7**2)
    assert sized["volume_by_body_surface"]["unit"] == "ml/m2"
    values: dict[str, Any] = {
        "medseg": package,
        "mask": read_segmentation("mask.nii.gz", labels="labels.yaml"),
    }
    exec(blocks("python")[0], values)
    again = [item for item in values["record"].measurements if item.placement is not None]
    assert [item.placement.words for item in again] == [place["words"]]


def test_all_views_say_the_same(medseg: Medseg, folder: Path) -> None:
    assert measure(medseg, "r.json", "--reference", "table.csv", "--age", 63, "--sex", "male").code == 0
    assert medseg("report", "r.json", "--csv", "r.csv", "--xlsx", "r.xlsx").code == 0
    assert medseg("export", "r.json", "--fhir-all", "--out", "out").code == 0
    place = rows(folder / "r.json")["volume"]["placement"]
    assert place["percentile"] == pytest.approx(31.25)  # a quarter of the way from 2.0 to 2.4
    table = {
        row["quantity"]: row for row in csv.DictReader((folder / "r.csv").read_text("utf-8").splitlines())
    }
    assert float(table["volume"]["reference_percentile"]) == place["percentile"]
    assert table["volume"]["reference_words"] == place["words"] == "31st percentile"
    assert table["mesh_volume"]["reference_outcome"] == ""
    entries = json.loads((folder / "out" / "report.fhir.json").read_text("utf-8"))["entry"]
    ranges = [item["resource"]["referenceRange"] for item in entries if "referenceRange" in item["resource"]]
    ((usual,),) = ranges
    assert (usual["low"]["value"], usual["high"]["value"], usual["low"]["unit"]) == (1.6, 3.6, "ml")
    assert usual["text"].startswith("31st percentile; male, 60 to 70 years, n = 110; A. Author")
    (said,) = reference_sentences(read_record(folder / "r.json"))
    assert "2.10 ml lies at the 31st percentile (male, 60 to 70 years" in said


def test_the_record_holds_what_it_was_compared_with_and_is_computed_again(
    medseg: Medseg, folder: Path
) -> None:
    table = (folder / "table.csv").read_text() + 'other,volume,ml,male,60,70,9,1,2,3,4,5,"B. Author"\n'
    (folder / "table.csv").write_text(table)
    assert measure(medseg, "r.json", "--reference", "table.csv", "--age", 63, "--sex", "female").code == 0
    (folder / "table.csv").unlink()
    plan = json.loads((folder / "r.json").read_text("utf-8"))["plan"]["reference"]
    assert {row["structure"] for row in plan["table"]["rows"]} == {"ball"}
    assert (plan["person"]["age"], plan["person"]["sex"]) == (63, "female")
    who = ("--name", "A. Reader", "--organization", "Study centre")
    assert medseg("sign", "r.json", *who).code == 0
    assert medseg("verify", "r.json").code == 0
    text = (folder / "r.json").read_text("utf-8")
    assert '"50th percentile"' in text
    (folder / "r.json").write_text(text.replace('"50th percentile"', '"5th percentile"'))
    assert medseg("verify", "r.json").code != 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--reference", "table.csv", "--sex", "female"), "differ by age, which is not given; give --age"),
        (
            ("--reference", "table.csv", "--age", 80, "--sex", "female"),
            "80 years lies outside the reference values",
        ),
    ],
)
def test_a_refusal_stands_in_the_record(
    options: tuple[object, ...], words: str, medseg: Medseg, folder: Path
) -> None:
    assert measure(medseg, "r.json", *options).code == 0
    place = rows(folder / "r.json")["volume"]["placement"]
    assert place["outcome"] == "refused"
    assert words in place["words"]
    assert medseg("export", "r.json", "--fhir-all", "--out", "out").code == 0
    text = (folder / "out" / "report.fhir.json").read_text("utf-8")
    assert words in text
    assert "referenceRange" not in text


def test_a_table_about_nothing_measured_is_said(medseg: Medseg, folder: Path) -> None:
    (folder / "labels.yaml").write_text("{1: bowl}\n")
    seen = measure(medseg, "r.json", "--reference", "table.csv", "--age", 63, "--sex", "female")
    assert seen.code == 0
    assert "about no structure and quantity measured here" in seen.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--age", 63), "--age is for reference values"),
        (("--normalise",), "give --height-m"),
        (("--reference", "table.csv", "--sex", "f"), "--sex is male or female, not 'f'"),
        (("--reference", "table.csv", "--age", 630), "age lies between 0 and 130, not 630"),
        (("--reference", "labels.yaml"), "no list of 'rows'"),
        (("--icv", "skull"), "no label or region is called 'skull'"),
        (("--icv", "-3"), "icv_ml lies between 0 and 10000, not -3"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    options: tuple[object, ...], words: str, medseg: Medseg, folder: Path
) -> None:
    seen = measure(medseg, "r.json", *options)
    assert seen.code == 2
    assert words in seen.line
    assert not (folder / "r.json").exists()


def test_one_persons_age_is_not_that_of_many(medseg: Medseg, folder: Path) -> None:
    (folder / "many").mkdir()
    (folder / "mask.nii.gz").rename(folder / "many" / "mask.nii.gz")
    asked = ("--reference", "table.csv", "--age", 63, "--sex", "female", "--out", "out")
    seen = medseg("measure", "many", "--labels", "labels.yaml", *asked)
    assert seen.code == 2
    assert "are of one person" in seen.line


def test_the_head_measured_is_the_head_of_the_table(medseg: Medseg, folder: Path) -> None:
    head = "structure,quantity,unit,source,icv_ml_from,icv_ml_to,low,high\n"
    (folder / "table.csv").write_text(
        f"{head}ball,volume,ml,A,1400,1500,2,3\nball,volume,ml,A,1500,1600,3,4\n"
    )
    for icv, words in (
        (1450, "within the range"),
        (1550, "below the range"),
        (1650, "1650 ml intracranial lies"),
    ):
        assert measure(medseg, f"{icv}.json", "--reference", "table.csv", "--icv", icv).code == 0
        assert words in rows(folder / f"{icv}.json")["volume"]["placement"]["words"]


def test_without_identity_age_and_size_are_gone(medseg: Medseg, folder: Path) -> None:
    body = ("--height-m", 1.83, "--weight-kg", 71.5, "--normalise", "--icv", 1450)
    assert (
        measure(medseg, "r.json", "--reference", "table.csv", "--age", 63, "--sex", "female", *body).code == 0
    )
    assert medseg("export", "r.json", "--fhir-all", "--deidentify", "--out", "out").code == 0
    text = (folder / "out" / "record.json").read_text("utf-8") + (
        folder / "out" / "report.fhir.json"
    ).read_text()
    assert not [word for word in ("1.83", "71.5", "female", "volume_by_height", "percentile") if word in text]
    assert "volume_by_intracranial_volume" in text
    assert "Age, sex and size of the patient were removed" in text
    kept = ("--deidentify", "--keep-patient-characteristics")
    assert medseg("export", "r.json", "--fhir-all", *kept, "--out", "kept").code == 0
    assert "50th percentile" in (folder / "kept" / "report.fhir.json").read_text("utf-8")
