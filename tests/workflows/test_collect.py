"""Corrected cases become a data set that `medseg info` and `medseg train` read; a case is there whole or not at all."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from medseg.cli.everything import app
from medseg.domain import Grid, Image, Label, LabelTable, Run, Segmentation
from medseg.errors import Cancelled, InputError
from medseg.workflows import open_dataset, read, read_segmentation, train
from medseg.workflows.collect import add_case

TABLE = LabelTable((Label(1, "anterior"), Label(2, "posterior")))


def corrected(seed: int = 0, table: LabelTable = TABLE) -> tuple[Segmentation, dict[str, Image]]:
    """A bright and a brighter block in noise, and its mask."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((36, 36, 24), np.uint8)
    at = rng.integers(4, 12)
    labels[at : at + 12, 8:24, 6:18] = 1
    labels[at : at + 12, 8:24, 10:18] = 2
    array = (100 + 100 * labels + rng.normal(0, 5, labels.shape)).astype(np.float32)
    grid = Grid(labels.shape, np.diag([-1.0, -1.0, 1.0, 1.0]))
    return Segmentation(labels, grid, table), {"mr": Image(array, grid, modality="MR", channel="mr")}


def add(folder: Path, case: str, subject: str = "P1", **other: Any) -> Path:
    mask, images = corrected()
    return add_case(
        folder, other.pop("mask", mask), other.pop("images", images), case=case, subject=subject, **other
    )


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_cases_come_one_by_one_and_are_read_as_they_were(tmp_path: Path) -> None:
    for seed, (case, subject) in enumerate((("c", "P2"), ("b", "P1"), ("a", "P1"))):
        mask, images = corrected(seed)
        listed = add_case(tmp_path / "set", mask, images, case=case, subject=subject)
    found = open_dataset(listed)
    assert [(case.id, case.subject) for case in found.cases] == [("a", "P1"), ("b", "P1"), ("c", "P2")]
    assert found.channels == ("mr",)
    assert found.cases[0].reference is not None
    again = read_segmentation(found.cases[0].reference)
    assert again.digest == mask.digest
    assert again.table == mask.table
    assert read(found.cases[0].images[0].path).digest == images["mr"].digest
    seen = CliRunner().invoke(app, ["info", str(listed)])
    assert seen.exit_code == 0
    assert "3 cases of 2 subjects, 3 with a reference" in seen.output
    assert "nothing is wrong with them" in seen.output


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "the same case again": ({"case": "A"}, "case A is in this data set already"),
    "nobody is named": ({"subject": "  "}, "say whom the case shows"),
    "a name that leads elsewhere": ({"case": "../b"}, "a name that can be a folder's"),
    "a formula": ({"subject": "=1+1"}, "begins as a formula does"),
    "another channel": ({"images": {"ct": corrected()[1]["mr"]}}, "this case has channels ct"),
    "another meaning of a label": (
        {"mask": corrected(table=LabelTable((Label(1, "anterior"), Label(2, "spleen"))))[0]},
        "label 2 is 'spleen' here and 'posterior' in case a",
    ),
    "an empty mask": (
        {"mask": replace(corrected()[0], labels=np.zeros((36, 36, 24), np.uint8))},
        "the mask is empty",
    ),
    "no image": ({"images": {}}, "at least one image"),
}


@pytest.mark.parametrize(("given", "why"), REFUSED.values(), ids=REFUSED)
def test_what_would_be_learned_wrongly_is_refused_and_nothing_changes(
    given: dict[str, Any], why: str, tmp_path: Path
) -> None:
    add(tmp_path, "a")
    before = content(tmp_path)
    with pytest.raises(InputError, match=why):
        add(tmp_path, **{"case": "b", **given})
    assert content(tmp_path) == before


def test_a_case_that_is_stopped_leaves_the_set_as_it_was(tmp_path: Path) -> None:
    add(tmp_path, "a")
    before = content(tmp_path)
    seen: list[int] = []
    run = Run(progress=lambda done, _total, _what: seen.append(done), cancel=lambda: bool(seen))
    with pytest.raises(Cancelled):
        add(tmp_path, "b", run=run)
    assert content(tmp_path) == before


def test_a_file_in_the_way_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mr.nii.gz").write_bytes(b"mine")
    with pytest.raises(OSError, match="exists already"):
        add(tmp_path, "b")
    assert content(tmp_path) == {"b/mr.nii.gz": b"mine"}


def test_a_training_reads_it(tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    for number in range(4):
        mask, images = corrected(number)
        listed = add_case(tmp_path / "set", mask, images, case=f"c{number}", subject=f"P{number}")
    words = [f"data.root={listed.parent}", f"data.cases={listed}", "data.split=null", "data.held_out=[]"]
    words += ["data.folds=2", "loop.steps=2", "loop.batch=1", "loop.checkpoint_every=2", "loop.workers=0"]
    bundle = train("hippocampus_3d", words, out=tmp_path / "run", fold=0)
    assert (bundle / "card.yaml").is_file() or any(bundle.rglob("*.ckpt"))
