"""`medseg repeatability` through its door: a real study, Records and masks, what a model keeps, refusals."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

import medseg as package
from medseg.domain import Grid, Quantity
from medseg.domain.provenance import Edit, Provenance
from medseg.errors import InputError, ModelError
from medseg.models.bundle import weights_digest
from medseg.models.card import read_card
from medseg.workflows.record import write_record
from medseg.workflows.repeatability import model_repeatability, read_repeatability, store_repeatability
from medseg.workflows.segmenters import model_folder
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
Data = Callable[[str], Path]

PROSTATE = (
    *("--column", "subject=patient", "--column", "label=structure"),
    *("--column", "first=scan1_mm3", "--column", "second=scan2_mm3", "--quantity", "volume", "--unit", "mm3"),
)


def write_pairs(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def box(voxels: int) -> NDArray[np.uint8]:
    """A bar of so many voxels inside a volume."""
    labels = np.zeros((60, 9, 9), np.uint8)
    labels[3 : 3 + voxels, 3:6, 3:6] = 1
    return labels


def save_mask(path: Path, voxels: int, spacing: float = 2.0) -> Path:
    image = nib.Nifti1Image(box(voxels), np.diag([spacing, spacing, spacing, 1.0]))
    image.header.set_xyzt_units("mm")
    image.set_qform(image.affine, 1)
    nib.save(image, path)
    return path


def save_record(path: Path, voxels: int, made_by: Provenance = Provenance()) -> Path:
    """A Record of a bar, on an image of its own."""
    grid = Grid((60, 9, 9), np.diag([2.0, 2.0, 2.0, 1.0]))
    values = np.random.default_rng(crc32(str(path).encode())).normal(size=grid.shape)
    table = package.LabelTable((package.Label(1, "liver"),))
    mask = package.Segmentation(box(voxels), grid, table, made_by)
    write_record(package.measure(mask, package.Image(values, grid)), path)
    return path


def test_a_real_study_gives_its_golden_figures_in_every_view(
    medseg: Medseg, data: Data, tmp_path: Path
) -> None:
    source = data("qin_prostate/volumes_test_retest.csv")
    seen = medseg(
        *("repeatability", source, *PROSTATE, "--out", tmp_path / "r.json"),
        *("--html", tmp_path / "r.html", "--csv", tmp_path / "r.csv", "--source", "QIN <b>Prostate</b>"),
    )
    assert seen.code == 0, seen.err
    assert "WholeGland, volume: a change from −24.5 to +32.4 % is within error" in seen.out
    assert "n 15, preliminary: fewer than 35" in seen.out
    study = read_repeatability(tmp_path / "r.json")
    gland = study.of("WholeGland", Quantity.VOLUME)
    assert gland.rc.value == pytest.approx(17.87, abs=0.005)
    with (tmp_path / "r.csv").open() as stream:
        row = next(row for row in csv.DictReader(stream) if row["target"] == "WholeGland")
    assert (float(row["rc"]), float(row["log_factor_high"])) == (
        gland.rc.value,
        gland.log_factor.interval.high,
    )
    page = (tmp_path / "r.html").read_text("utf-8")
    assert page.count("<svg") == 4
    assert page.count('class="ray"') == 2  # of the one structure that the log scale leads
    assert "QIN &lt;b&gt;Prostate" in page
    assert "<script" not in page
    assert page.count('class="dot"') == sum(item.pairs for item in study.items) == 48
    assert "PCAMPMRI" not in (tmp_path / "r.json").read_text("utf-8"), "a study names no patient"


def test_python_gives_the_same_figures_as_the_command(medseg: Medseg, tmp_path: Path) -> None:
    values = [(40, 42), (50, 47), (61, 60), (55, 56.5)]
    study = package.repeatability({"gland": values}, "volume", source="mine")
    rows = [
        {"subject": n, "first": a, "second": b, "label": "gland", "quantity": "volume"}
        for n, (a, b) in enumerate(values)
    ]
    seen = medseg("repeatability", write_pairs(tmp_path / "p.csv", rows), "--out", tmp_path / "r.json")
    assert seen.code == 0, seen.err
    read = read_repeatability(tmp_path / "r.json")
    assert read == replace(study, source="p.csv")


def test_masks_are_measured_and_paired(medseg: Medseg, tmp_path: Path) -> None:
    """Bars of 9 × n voxels of 8 mm³; every second scan has a slice more: wSD = 0.072 ml/√2."""
    rows = []
    for n in range(4):
        first, second = (save_mask(tmp_path / f"{n}{scan}.nii.gz", 10 + n + scan) for scan in (0, 1))
        rows.append({"subject": f"p{n}", "first": first.name, "second": second.name})
    (tmp_path / "names.yaml").write_text("{1: node}\n")
    pairs = write_pairs(tmp_path / "pairs.csv", rows)
    seen = medseg("repeatability", pairs, "--labels", tmp_path / "names.yaml", "--json")
    (row,) = seen.json["result"]["rows"]
    assert (row["target"], row["quantity"], row["unit"], row["pairs"]) == ("node", "volume", "ml", 4)
    assert row["wsd"] == pytest.approx(0.072 / np.sqrt(2))
    assert row["bias"] == pytest.approx(-0.072)


MODEL = Provenance("net", (("overlap", 0.5),), "a" * 64)


def pairs_of_records(folder: Path, ways: list[Provenance]) -> Path:
    rows = []
    for n, made_by in enumerate(ways):
        names = [f"{n}-{scan}.json" for scan in (1, 2)]
        for scan, name in enumerate(names):
            save_record(folder / name, 10 + 3 * n + scan, made_by)
        rows.append({"subject": f"p{n}", "first": names[0], "second": names[1]})
    return write_pairs(folder / "pairs.csv", rows)


def test_records_of_one_model_say_which(medseg: Medseg, tmp_path: Path) -> None:
    pairs = pairs_of_records(tmp_path, [MODEL] * 3)
    assert medseg("repeatability", pairs, "--out", tmp_path / "r.json").code == 0
    study = read_repeatability(tmp_path / "r.json")
    assert (study.segmenter, study.weights_digest, study.findings) == ("net", "a" * 64, ())


UNLIKE = [
    ([MODEL, MODEL, replace(MODEL, weights_digest="b" * 64)], "repeatability.unlike"),
    ([MODEL, MODEL, replace(MODEL, parameters=(("overlap", 0.25),))], "repeatability.unlike"),
    ([replace(MODEL, edits=(Edit("changed by hand"),))] * 3, "repeatability.edited"),
]


@pytest.mark.parametrize(("ways", "code"), UNLIKE)
def test_masks_made_in_unlike_ways_belong_to_no_model(
    medseg: Medseg, tmp_path: Path, ways: list[Provenance], code: str
) -> None:
    seen = medseg("repeatability", pairs_of_records(tmp_path, ways), "--out", tmp_path / "r.json")
    assert seen.code == 0
    assert code in seen.err
    assert read_repeatability(tmp_path / "r.json").weights_digest is None


def test_what_is_cut_by_the_border_is_left_out_and_named(medseg: Medseg, tmp_path: Path) -> None:
    pairs = pairs_of_records(tmp_path, [MODEL] * 4)
    (tmp_path / "3-2.json").unlink()
    save_record(tmp_path / "3-2.json", 57)  # to the last slice
    seen = medseg("repeatability", pairs, "--json")
    assert seen.json["result"]["rows"][0]["pairs"] == 3
    (left,) = [item for item in seen.json["findings"] if item["code"] == "repeatability.left_out"]
    assert "line 5: liver, volume is cut by the border" in left["message"]


def shipped_copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder("hippocampus"), tmp_path / "own"))


def test_a_study_is_kept_with_the_model_it_is_about(medseg: Medseg, tmp_path: Path) -> None:
    folder = shipped_copy(tmp_path)
    own = replace(MODEL, weights_digest=weights_digest(read_card(folder)))
    pairs = pairs_of_records(tmp_path, [own] * 3)
    assert model_repeatability(str(folder)) is None
    seen = medseg("repeatability", pairs, "--model", folder)
    assert seen.code == 0, seen.err
    kept = model_repeatability(str(folder))
    assert kept.of("liver", Quantity.VOLUME).pairs == 3
    again = medseg("repeatability", pairs, "--model", folder)
    assert (again.code, "exists" in again.err) == (2, True)
    # The model still runs, and its card is the same.
    assert medseg("models", "show", folder).code == 0
    (folder / "repeatability.json").write_text(
        (folder / "repeatability.json").read_text().replace(own.weights_digest, "c" * 64)
    )
    with pytest.raises(ModelError, match="made by weights cccccccccccc"):
        model_repeatability(str(folder))


def test_a_study_of_another_model_or_of_none_is_not_stored(medseg: Medseg, tmp_path: Path) -> None:
    folder = shipped_copy(tmp_path)
    seen = medseg("repeatability", pairs_of_records(tmp_path, [MODEL] * 3), "--model", folder)
    assert (seen.code, "made by weights aaaaaaaaaaaa" in seen.line) == (2, True)
    study = package.repeatability({"gland": [(1, 2), (2, 3), (3, 3)]}, "volume")
    with pytest.raises(InputError, match="not known which model"):
        store_repeatability(study, folder)
    assert not (folder / "repeatability.json").exists()


VALUES = {"label": "gland", "quantity": "volume"}
REFUSED = [
    ([{"subject": "p", "first": 1}], (), "no column 'second'"),
    ([{"subject": "p", "first": 1, "second": ""}], (), "line 2: second is empty"),
    ([{"subject": "p", "first": 1, "second": 2}], (), "what are these values"),
    ([{"subject": "p", "first": 1, "second": "a.json", **VALUES}], (), "numbers and others paths"),
    ([{"subject": "p", "first": "a.json", "second": "b.json"}], (), "a.json does not exist"),
    ([{"subject": "p", "first": 1, "second": 2, "quantity": "volum"}], (), "near: volume"),
    ([{"subject": "p", "first": 1, "second": 2, **VALUES}] * 2, (), "stands twice"),
    ([{"subject": "p", "first": 1, "second": 2, **VALUES, "unit": "mm"}], (), "none that becomes it"),
    ([{"subject": "p", "first": 1, "second": "nan", **VALUES}] * 1, (), "not a number"),
    ([{"subject": "p", "first": 1, "second": 2, "quantity": "intensity_mean"}], (), "unit of its image"),
    ([{"subject": "p", "first": 1, "second": 2, **VALUES}], ("--column", "name=x"), "columns are subject"),
    ([{"subject": "p", "first": 1, "second": 2, **VALUES}], ("--sizes", "a"), "--sizes takes volumes"),
]


@pytest.mark.parametrize(("rows", "options", "words"), REFUSED)
def test_refusals_name_the_row_and_what_to_do(
    medseg: Medseg, tmp_path: Path, rows: list[dict[str, Any]], options: tuple[str, ...], words: str
) -> None:
    seen = medseg(
        "repeatability", write_pairs(tmp_path / "p.csv", rows), *options, "--out", tmp_path / "r.json"
    )
    assert seen.code == 2
    assert words in seen.line
    assert not (tmp_path / "r.json").exists()


def test_one_scan_paired_with_itself_is_no_repeatability(medseg: Medseg, tmp_path: Path) -> None:
    record = save_record(tmp_path / "a.json", 10)
    mask = save_mask(tmp_path / "a.nii.gz", 10)
    for path, words in ((record, "same scan"), (mask, "same mask")):
        rows = [{"subject": "p", "first": path.name, "second": path.name}]
        seen = medseg("repeatability", write_pairs(tmp_path / "p.csv", rows))
        assert (seen.code, words in seen.line) == (2, True)


def test_too_few_pairs_give_a_finding_and_no_figure(medseg: Medseg, tmp_path: Path) -> None:
    rows = [{"subject": n, "first": n + 1, "second": n + 2, **VALUES} for n in range(2)]
    seen = medseg("repeatability", write_pairs(tmp_path / "p.csv", rows), "--html", tmp_path / "r.html")
    assert seen.code == 0
    assert "2 pairs, and at least 3 are needed" in seen.err
    assert "Nothing could be compared" in (tmp_path / "r.html").read_text("utf-8")


NO_STUDIES = (
    *("[]", "{}", "{", '{"schema": "medseg.record/1.5"}'),
    '{"schema": "medseg.repeatability/1.0", "x": 1}',
)


@pytest.mark.parametrize("text", NO_STUDIES)
def test_another_json_is_no_study(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"repeatability study"):
        read_repeatability(path)


def test_the_json_reads_back_as_it_was(tmp_path: Path, data: Data, medseg: Medseg) -> None:
    source = data("qin_prostate/volumes_test_retest.csv")
    for name in ("one", "two"):
        medseg("repeatability", source, *PROSTATE, "--out", tmp_path / f"{name}.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    plain = json.loads((tmp_path / "one.json").read_text("utf-8"))
    assert plain["schema"] == "medseg.repeatability/1.0"


def test_one_scan_alone_is_graded_and_called_what_it_is(medseg: Medseg, ball: Path, tmp_path: Path) -> None:
    seen = medseg(
        *("repeatability", ball, "--self", "otsu", "--plant", "foreground"),
        *("--out", tmp_path / "s.json", "--html", tmp_path / "s.html", "--csv", tmp_path / "s.csv"),
    )
    assert seen.code == 0, seen.err
    assert "lower bound" in seen.out
    assert "is within segmentation noise" in seen.out
    study = read_repeatability(tmp_path / "s.json")
    assert (study.evidence, study.segmenter) == ("self", "otsu")
    assert {item.kind for item in study.recovered} == {"grown", "shrunk", "planted"}
    with (tmp_path / "s.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert (row["evidence"], float(row["wcv"])) == ("self", study.items[0].wcv.value)
    with pytest.raises(InputError, match="not known which model"):
        store_repeatability(study, model_folder("hippocampus"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give a CSV of pairs"),
        (("--plant", "x"), "tests one scan"),
        (("--self", "otsu"), "either an image"),
    ],
)
def test_what_to_test_must_be_said(medseg: Medseg, arguments: tuple[str, ...], words: str) -> None:
    seen = medseg("repeatability", *arguments)
    assert (seen.code, words in seen.line) == (2, True)
