"""The page of a training: every figure of it against the tables that it is made from."""

import csv
import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Run
from medseg.models import read_card
from medseg.training.assemble import judged_rows, read_dice
from medseg.training.choose import kept_choice, step_words
from medseg.workflows.train import train
from tests.reporting.browsed import assert_no_sideways_scroll, barriers
from tests.training.test_journey import TINY, decathlon

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two folds on twenty made cases, whose model learns little."""
    root = decathlon(tmp_path_factory.mktemp("data") / "set", 20)
    out = tmp_path_factory.mktemp("run") / "run"
    train("hippocampus_3d", [f"data.root={root}", "data.folds=2", *TINY], out=out, run=Run(device="cpu"))
    return out


def words(run: Path) -> str:
    page = (run / "training.html").read_text(encoding="utf-8")
    page = re.sub(r"<(style|pre).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def rows(run: Path) -> "list[dict[str, str]]":
    with (run / "bundle/quality.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_sentence_says_what_the_table_says(run: Path) -> None:
    text, table = words(run), rows(run)
    assert f"on {len({row['subject'] for row in table})} subjects that were not trained on" in text
    assert "2 of 2 folds are trained" in text
    for name in dict.fromkeys(row["target"] for row in table):
        values = [float(row["dice"]) for row in table if row["target"] == name and row["dice"]]
        assert f"{name} {np.mean(values):.3f}" in text
        worst = min(values)
        assert f"{worst:.3f}" in text


def test_every_subject_has_its_row(run: Path) -> None:
    text = words(run)
    for row in rows(run):
        dice = f"{float(row['dice']):.3f}" if row["dice"] else "both empty"
        reference, prediction = (int(row[key]) * 0.001 for key in ("reference_voxels", "prediction_voxels"))
        line = f"{row['fold']} {row['subject']} {row['target']} {dice} {reference:.3g} {prediction:.3g}"
        assert line in text


def test_what_it_took_is_told_by_fold(run: Path) -> None:
    for fold in (0, 1):
        timing = json.loads((run / f"fold{fold}/timing.json").read_text())
        assert 0 <= timing["waiting_s"] <= timing["seconds"]
        assert f"{timing['waiting_s'] / timing['seconds']:.1%}" in words(run)
        assert f"{timing['peak_bytes'] / 1e9:.2f} GB" in words(run)


def test_it_needs_nothing_else_and_runs_nothing(run: Path) -> None:
    page = (run / "training.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert page.count("<img") == page.count("alt=")


def test_intervals_stand_on_card_and_page(run: Path) -> None:
    assert (run / "bundle/intervals.csv").is_file()
    assert "90% intervals of volumes" in words(run)


def test_calibration_on_the_page_is_that_of_the_card(run: Path) -> None:
    found, text = read_card(run / "bundle").calibration, words(run)
    assert found is not None
    assert f"as the networks say 1 {found.before.error:.4f}" in text
    assert f"with the temperature {found.temperature:.3g} {found.after.error:.4f}" in text
    assert f"{found.voxels} voxels of {found.subjects} subjects" in text
    assert (run / "bundle/calibration.png").read_bytes().startswith(b"\x89PNG")


def test_what_was_chosen_is_on_card_and_page_and_in_the_figures(run: Path) -> None:
    choice, card, text = kept_choice(run), read_card(run / "bundle"), words(run)
    assert choice is not None
    assert card.postprocessing == choice.steps
    for step in choice.tried[:3]:
        assert step_words(step.step, card.table) in text
    if not choice.steps:
        assert "None was added" in text
        return
    assert f"Mean Dice {choice.gain:+.4f}" in text
    plain = [row for fold in (0, 1) for row in read_dice(run / f"fold{fold}")]
    gained = [row.dice != old.dice for row, old in zip(judged_rows(run, choice), plain, strict=True)]
    assert any(gained)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_no_barrier_that_axe_core_finds(run: Path, tmp_path: Path, width: int, *, dark: bool) -> None:
    assert barriers((run / "training.html").read_bytes(), tmp_path, width=width, dark=dark) == []


def test_a_phone_needs_no_sideways_scroll(run: Path, tmp_path: Path) -> None:
    assert_no_sideways_scroll((run / "training.html").read_bytes(), tmp_path)


def test_a_fold_that_was_stopped_while_it_was_judged_goes_on(run: Path) -> None:
    """What was found in a case is kept whole: another look at it is the file's, and not the network's."""
    kept = sorted((run / "fold0/heldout").glob("*.npz"))
    assert len(kept) == 10
    before = {path: path.stat().st_mtime_ns for path in kept}
    rows = read_dice(run / "fold0")
    (run / "fold0/dice.json").unlink()
    kept[3].write_bytes(kept[3].read_bytes()[:50])  # cut by a kill that no rename guards
    root = str(next(run.parents[1].glob("data*/set")))
    train("hippocampus_3d", [f"data.root={root}", "data.folds=2", *TINY], out=run, run=Run(device="cpu"))
    assert read_dice(run / "fold0") == rows
    again = [path for path in kept if path.stat().st_mtime_ns != before[path]]
    assert again == [kept[3]]


def test_the_same_command_again_changes_no_model(run: Path) -> None:
    before = (run / "bundle/card.yaml").read_bytes()
    root = json.loads(json.dumps(str(next(run.parents[1].glob("data*/set")))))
    train("hippocampus_3d", [f"data.root={root}", "data.folds=2", *TINY], out=run, run=Run(device="cpu"))
    assert (run / "bundle/card.yaml").read_bytes() == before
