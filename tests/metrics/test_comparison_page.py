"""`medseg evaluate` on files: lesions, agreement, the comparison page, and what is refused."""

import csv
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import medseg
from medseg.cli import main
from medseg.domain import Grid, Image, Label, LabelTable, Segmentation
from medseg.reporting.comparison.page import Comparison, comparison_to_html
from medseg.reporting.comparison.pictures import AgreementPlot, draw_agreement, draw_worst

GRID = Grid((24, 24, 12), np.diag([1.0, 1.0, 2.0, 1.0]))
Folders = tuple[Path, Path]


def write_mask(path: Path, size: int, *, shift: int = 0, names: tuple[str, ...] = ("tumour",)) -> Path:
    labels = np.zeros(GRID.shape, np.uint8)
    for number in range(len(names)):
        labels[3 + shift : 3 + shift + size, 2 + 2 * number : 4 + 2 * number, 3:9] = number + 1
    table = LabelTable(tuple(Label(value, name) for value, name in enumerate(names, start=1)))
    return medseg.write(Segmentation(labels, GRID, table), path)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Four cases: one found, one shifted, one empty prediction, one without a prediction."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    for number, size in enumerate((8, 10, 12, 9)):
        write_mask(theirs / f"case{number}.nii.gz", size)
    write_mask(ours / "case0.nii.gz", 8)
    write_mask(ours / "case1.nii.gz", 10, shift=2)
    write_mask(ours / "case2.nii.gz", 0)
    return ours, theirs


Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """`medseg evaluate` with these arguments; gives the exit code."""

    def evaluate(*args: object) -> int:
        monkeypatch.setattr(sys, "argv", ["medseg", "evaluate", *(str(arg) for arg in args)])
        with pytest.raises(SystemExit) as stopped:
            main()
        return int(stopped.value.code or 0)

    return evaluate


def test_a_case_without_a_prediction_is_an_error_and_counts_as_a_miss(
    run: Run, folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*folders, "--json", "--lesions") == 3
    result = json.loads(capsys.readouterr().out)["result"]
    assert "no prediction" in result["failed"]["case3"]
    summary = {row["quantity"]: row for row in result["summary"] if row["detail"] is None}
    assert (summary["dice"]["of"], summary["dice"]["misses"]) == (4, 2)
    assert summary["dice"]["mean"] == pytest.approx((1 + 0.8) / 4)
    assert (summary["lesions_found"]["total"], summary["lesions_in_reference"]["total"]) == (2, 4)
    assert summary["lesion_sensitivity"]["mean"] == 0.5
    (agreement,) = result["agreement"]
    assert agreement["cases"] == 4
    assert agreement["bias_ml"] == pytest.approx(-(12 + 9) * 2 * 6 * 2 / 1000 / 4)


def test_the_csv_has_a_row_per_case_and_quantity(run: Run, folders: Folders, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    assert run(*folders, "--out", out) == 3
    rows = list(csv.DictReader(io.StringIO(out.read_text("utf-8"))))
    assert {row["case"] for row in rows} == {"case0", "case1", "case2", "case3"}
    assert {row["value"] for row in rows if row["quantity"] == "dice" and row["case"] == "case0"} == {"1.0"}


def test_the_page_of_many_cases(run: Run, folders: Folders, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    run(*folders, "--lesions", "--html", page)
    text = page.read_text("utf-8")
    assert "mean Dice 0.450" in text
    assert "2 misses, counted as Dice 0; no false positives" in text
    assert "Limits of agreement" in text or "limits of agreement" in text
    assert "ICC(2,1)" in text
    assert "case3" in text
    assert "<script" not in text
    # Of two cases with a prediction that differs, and the agreement of volumes; case3 has no prediction to draw.
    assert text.count("data:image/png;base64,") == 3
    assert not re.search(r'alt="case3', text)
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)


def test_the_page_of_one_pair_shows_both_contours(run: Run, tmp_path: Path) -> None:
    ours, theirs = write_mask(tmp_path / "a.nii.gz", 8, shift=2), write_mask(tmp_path / "b.nii.gz", 8)
    noise = np.random.default_rng(0).normal(size=GRID.shape).astype(np.float32)
    image = medseg.write(Image(noise, GRID), tmp_path / "image.nii.gz")
    page = tmp_path / "page.html"
    assert run(ours, theirs, "--html", page, "--image", image) == 0
    text = page.read_text("utf-8")
    assert "both outlines" in text
    assert "mask only" not in text
    assert "Tumour" in text or "tumour" in text
    assert run(ours, theirs, "--html", page) == 2, "a page that exists is not replaced"


def test_names_are_escaped(run: Run, tmp_path: Path) -> None:
    name = '<img src=x onerror="alert(1)">'
    ours, theirs = (write_mask(tmp_path / f"{stem}.nii.gz", 8, names=(name,)) for stem in "ab")
    page = tmp_path / "page.html"
    run(ours, theirs, "--html", page)
    text = page.read_text("utf-8")
    assert "<img src=x" not in text
    assert "&lt;img src=x" in text


def test_many_structures_are_capped_on_page_one_and_whole_in_the_appendix() -> None:
    summary = [
        {
            "name": f"organ {number}",
            "detail": None,
            "quantity": "dice",
            "unit": "1",
            "headline": True,
            "misses": 0,
            "false_positives": 0,
            "cases": 3,
            "of": 3,
            "total": None,
            "mean": number / 200,
            "median": 0.5,
            "low": None,
            "high": None,
        }
        for number in range(117)
    ]
    text = comparison_to_html(Comparison((), summary)).decode()
    first, appendix = text.split('<section class="appendix">')
    assert len(re.findall(r'<td class="name">organ', first)) == 24
    assert ">organ 0<" in first
    assert ">organ 100<" not in first
    assert len(re.findall(r'<td class="name">organ', appendix)) == 117


def test_a_page_of_nothing_says_so() -> None:
    assert "Nothing was compared" in comparison_to_html(Comparison((), ())).decode()


WRONG = [
    (["--connectivity", "6"], "--lesions"),
    (["--lesions", "--connectivity", "8"], "connectivity"),
    (["--image", "x.nii.gz"], "--html"),
]


@pytest.mark.parametrize(("options", "words"), WRONG)
def test_options_that_make_no_sense(
    run: Run, folders: Folders, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*folders, *options) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "fault in medseg" not in error


def test_patients_come_from_a_table(
    run: Run, folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "patients.csv"
    table.write_text("case,patient\ncase0,p\ncase1,p\ncase2,p\ncase3,p\n", "utf-8")
    run(*folders, "--patients", table, "--json")
    rows = json.loads(capsys.readouterr().out)["result"]["summary"]
    assert {row["low"] for row in rows} == {None}, "one patient has no interval"
    table.write_text("name,who\na,b\n", "utf-8")
    assert run(*folders, "--patients", table) == 2


def test_the_plot_is_a_picture_and_the_same_every_time() -> None:
    plot = AgreementPlot(
        "cost $x$",
        (1.0, 2.0, 3.0),
        (1.1, 1.9, 3.2),
        (-0.4, -0.1, 0.2),
        ((-0.6, -0.2), (-0.2, 0.0), (0.1, 0.4)),
    )
    first, second = (draw_agreement([plot] * 7) for _ in range(2))
    assert first.png.startswith(b"\x89PNG")
    assert first == second
    assert "4 of 7" in first.caption


def test_the_slice_that_differs_most_on_real_masks(data: Callable[[str], Path]) -> None:
    """The tumour without its upper half: the slice is in what is missing."""
    reference = medseg.read_segmentation(data("sarcoma/STS_002/MR_T1_mask.nii.gz"))
    image = medseg.read(data("sarcoma/STS_002/MR_T1_image.nii.gz"))
    labels = reference.labels.copy()
    half = labels.shape[2] // 2
    labels[:, :, half:] = 0
    cut = Segmentation(labels, reference.grid, reference.table)
    picture = draw_worst(cut, reference, image)
    assert picture.png.startswith(b"\x89PNG")
    index = int(re.search(r"slice (\d+) of", picture.caption).group(1)) - 1  # type: ignore[union-attr]
    assert index >= half
    areas = (reference.labels[..., half:] > 0).sum(axis=(0, 1))
    assert index == half + int(areas.argmax())
