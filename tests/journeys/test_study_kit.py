"""What a study asks of its Records: REDCap's dictionary and data, a paragraph on methods; through the command."""

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import medseg as package
from medseg.domain import Grid, Record
from medseg.domain.provenance import Edit, ModelFacts, Provenance
from medseg.domain.record import Review
from medseg.reporting.study.methods import methods_paragraph
from medseg.reporting.tables.wide import wide_rows
from medseg.workflows.record import read_record, write_record
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
GRID = Grid((30, 20, 12), np.diag([1.0, 1.0, 2.0, 1.0]))
OTSU = Provenance("otsu", (("inverted", False),))
MODEL = Provenance("liver", (), "a" * 64, model=ModelFacts("liver", "1.2", "CC BY 4.0", "cases: 40"))


def record(subject: str, made_by: Provenance = OTSU, *, cut: bool = False, plan: Any = None) -> Record:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[(0 if cut else 4) : 12, 4:12, 3:9] = 1
    table = package.LabelTable((package.Label(1, "Liver, left lobe"),))
    mask = package.Segmentation(labels, GRID, table, made_by)
    image = package.Image(np.random.default_rng(0).normal(size=GRID.shape), GRID, "MR")
    return package.measure(mask, {"mr": image}, subject=subject, plan=plan)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lesions = package.MeasurePlan(lesions=package.LesionPlan(minimum_mm3=10.0, rule="recist-1.1"))
    edited = replace(MODEL, edits=(Edit("changed by hand"),))
    found = tmp_path / "records"
    found.mkdir()
    write_record(record("S1"), found / "a.json")
    write_record(record("S2", MODEL, cut=True), found / "b.json")
    write_record(record("S3", edited, plan=lesions), found / "c.json")
    return found


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_dictionary_describes_every_field_of_the_data(
    medseg: Medseg, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "redcap"
    assert medseg("report", folder, "--redcap", out).code == 0
    fields, data = table(out / "dictionary.csv"), table(out / "data.csv")
    names = [field["Variable / Field Name"] for field in fields]
    assert names == list(data[0])
    assert len(fields[0]) == 18
    assert names[0] == "record_id"
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,99}", name) for name in names)
    assert [row["record_id"] for row in data] == ["a", "b", "c"]
    for field in fields:
        values = [row[field["Variable / Field Name"]] for row in data]
        choices = re.findall(r"(\d+), ", field["Choices, Calculations, OR Slider Labels"])
        if field["Field Type"] == "radio":
            assert set(values) <= {*choices, ""}
        elif field["Text Validation Type OR Show Slider Number"] == "number":
            assert all(not value or np.isfinite(float(value)) for value in values)
    sections = [field["Section Header"] for field in fields if field["Section Header"]]
    assert "Liver, left lobe" in sections[0]


def test_values_are_those_of_the_wide_table_and_a_bound_is_a_bound(
    medseg: Medseg, folder: Path, tmp_path: Path
) -> None:
    medseg("report", folder, "--redcap", tmp_path / "redcap")
    data = table(tmp_path / "redcap" / "data.csv")
    records = {path.stem: read_record(path) for path in sorted(folder.glob("*.json"))}
    head, rows = wide_rows(records)
    place = head.index("Liver, left lobe volume (ml)")
    assert [float(row["liver_left_lobe_volume_ml"]) for row in data] == [row[place] for row in rows]
    assert [row["liver_left_lobe_volume_ml_usable"] for row in data] == ["1", "2", "1"]
    assert [row["review"] for row in data] == ["0"] * 3


def test_the_paragraph_counts_what_the_records_say(medseg: Medseg, folder: Path, tmp_path: Path) -> None:
    assert medseg("report", folder, "--methods", tmp_path / "m.md").code == 0
    text = (tmp_path / "m.md").read_text("utf-8")
    paragraph, _, rest = text.partition("## References")
    for words in (
        "3 masks of 3 subjects were measured on 3 images (3 MR).",
        "2 of 3 masks were made by liver 1.2 (weights SHA-256 aaaaaaaaaaaa; trained on: cases: 40).",
        "1 of 3 masks were made by otsu [1]",
        "1 of 3 masks were changed after segmenting.",
        "0 of 3 records were reviewed",
        "volume (IBSI YEKZ)",
        "In 1 of 3 records lesions were connected parts of the mask (26 neighbours) of at least 10 mm³.",
        "size criterion of RECIST 1.1",
        "cut by the field of view",
        f"medseg {package.__version__}",
    ):
        assert words in paragraph
    references, _, left = rest.partition("## To be added")
    cited = {int(number) for number in re.findall(r"\[(\d+)\]", paragraph)}
    listed = [int(number) for number in re.findall(r"^(\d+)\. ", references, re.MULTILINE)]
    assert cited == set(listed) == set(range(1, len(listed) + 1))
    for source in ("Otsu 1979", "Zwanenburg et al. 2020", "Eisenhauer et al. 2009"):
        assert source in references
    assert "who changed masks" in left
    assert "no medical device" in left


def test_what_no_record_says_is_not_said() -> None:
    signed = replace(record("S1"), review=Review("reviewed", "A", "B", "2026-01-01T00:00:00+00:00"))
    text = methods_paragraph([signed], {})
    assert "1 mask of 1 subject was measured" in text
    assert "All masks were made by otsu" in text
    assert "1 of 1 records were reviewed" in text
    for words in ("changed after", "lesions", "RECIST", "cut by", "who changed masks", "given"):
        assert words not in text
    assert "There are no records" in methods_paragraph([], {})


def test_one_record_and_other_views_in_one_go(medseg: Medseg, folder: Path, tmp_path: Path) -> None:
    seen = medseg(
        *("report", folder / "a.json", "--methods", tmp_path / "m.md", "--csv", tmp_path / "a.csv"),
        *("--redcap", tmp_path / "redcap"),
    )
    assert seen.code == 0, seen.err
    assert (tmp_path / "a.csv").exists()
    assert len(table(tmp_path / "redcap" / "data.csv")) == 1
    again = medseg("report", folder / "a.json", "--methods", tmp_path / "m.md")
    assert (again.code, "exists" in again.line) == (2, True)


def test_a_record_that_can_not_be_read_stops_both(medseg: Medseg, folder: Path, tmp_path: Path) -> None:
    (folder / "d.json").write_text(json.dumps({"schema": "medseg.record/1.5"}))
    seen = medseg("report", folder, "--redcap", tmp_path / "redcap")
    assert (seen.code, "d.json" in seen.line) == (2, True)
    assert not (tmp_path / "redcap" / "data.csv").exists()


def test_names_that_would_be_one_stay_apart() -> None:
    from medseg.reporting.study.redcap import _fields

    long = "a" * 90
    fields = _fields(["case", f"{long} volume (ml)", f"{long} area (mm2)", "Ä volume (ml)", "ä volume (ml)"])
    names = [field.name for field in fields]
    assert len(set(names)) == len(names) == 5
    assert max(map(len, names)) <= 64


def test_the_checklist_says_what_the_records_know_and_leaves_the_rest(
    medseg: Medseg, folder: Path, tmp_path: Path
) -> None:
    seen = medseg("report", folder, "--checklist", tmp_path / "claim.md")
    assert seen.code == 0, seen.err
    text = (tmp_path / "claim.md").read_text("utf-8")
    rows = {
        int(cells[1]): cells[3].strip()
        for line in text.splitlines()
        if (cells := line.split("|"))[1:] and cells[1].strip().isdecimal()
    }
    assert list(rows) == list(range(1, 45))
    said = {number: words for number, words in rows.items() if words != "nothing: for the authors"}
    assert set(said) == {12, 13, 17, 22, 23, 25, 35, 43} | ({39} & set(said))
    assert said[35] == "3 records of 3 subjects"
    assert said[13] == "3 MR; voxels of 1 × 1 × 2 mm"
    assert said[25] == "liver: cases: 40"
    assert said[43] == "liver: CC BY 4.0"
    assert said[17].startswith("1 masks changed after segmenting, 0 records signed by a reader; medseg ")
    assert "2 masks by liver 1.2 (weights SHA-256 aaaaaaaaaaaa; trained on: cases: 40)" in said[22]
    measured = [row for name in "abc" for row in read_record(folder / f"{name}.json").measurements]
    absent = sum(row.value is None for row in measured)
    assert said[12].startswith(f"{absent} of {len(measured)} values were not computed")
    assert f"{len(said)} of 44 items have something in the records." in text


def test_masks_with_limits_of_their_own_are_one_kind_of_making() -> None:
    made = [
        Provenance("threshold", (("low", 50.0), ("within_voxels", 10 * n), ("within_digest", str(n))))
        for n in (1, 2)
    ]
    text = methods_paragraph([record(f"S{n}", one) for n, one in enumerate(made)], {})
    assert "All masks were made by threshold (parameters: low 50.0) within limits drawn in each scan." in text
