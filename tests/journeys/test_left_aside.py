"""What a folder holds beside the files that are read is said, once and in one line, by every command of many cases."""

import json
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]


@pytest.fixture
def folders(medseg: Medseg, ball: Path, tmp_path: Path) -> Path:
    """Scans with a mask of one of them, masks, Records, and a data set with a test set."""
    for place in ("scans/a", "scans/b", "scans/a_seg", "set/imagesTr/a_0000", "set/imagesTs/b_0000"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ball, tmp_path / f"{place}.nii.gz")
    for place in ("scans/notes.txt", "scans/b.json", "masks/plan.docx", "records/page.html"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("{}", encoding="utf-8")
    (tmp_path / "scans" / "old").mkdir()
    medseg("segment", "otsu", ball, "--out", tmp_path / "masks" / "a.nii.gz")
    (tmp_path / "set" / "labelsTr").mkdir()
    shutil.copy(tmp_path / "masks" / "a.nii.gz", tmp_path / "set" / "labelsTr" / "a.nii.gz")
    described = {
        "channel_names": {"0": "MR"},
        "labels": {"background": 0, "ball": 1},
        "file_ending": ".nii.gz",
    }
    (tmp_path / "set" / "dataset.json").write_text(json.dumps(described), encoding="utf-8")
    medseg("measure", tmp_path / "masks" / "a.nii.gz", "--out", tmp_path / "records" / "a.json")
    return tmp_path


SAID = [
    ("segment otsu scans --out new", ["a_seg.nii.gz, old/"]),
    ("segment otsu set --out new", ["imagesTs/"]),
    ("measure masks --out new", ["plan.docx"]),
    ("measure masks --image scans --out new", ["plan.docx", "a_seg.nii.gz, b.nii.gz, old/"]),
    ("measure set --out new", ["imagesTs/"]),
    ("evaluate masks set", ["plan.docx", "imagesTs/"]),
    ("edit masks --op close=1 --out new", ["plan.docx"]),
    ("convert masks new --to .nii --mask", ["plan.docx"]),
    ("report records --html new", ["page.html"]),
    ("info set", ["imagesTs/"]),
]


@pytest.mark.parametrize(("words", "names"), SAID, ids=[row[0] for row in SAID])
def test_what_lies_beside_is_said_once(
    words: str, names: list[str], medseg: Medseg, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folders)
    seen = medseg(*words.split())
    assert seen.code == 0, seen.err
    lines = [line for line in seen.err.splitlines() if "[folder.aside]" in line]
    assert [
        line.partition("nothing was read: ")[2].removesuffix(". [folder.aside]") for line in lines
    ] == names
    shutil.rmtree(folders / "new", ignore_errors=True)
    findings = medseg(*words.split(), "--json").json["findings"]
    assert [item["code"] for item in findings] == ["folder.aside"] * len(names)


def test_training_says_it_too(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = import_module("medseg.workflows.train")

    def trained(*_: object, **__: object) -> Path:
        (folders / "run").mkdir()
        return folders / "run" / "bundle"

    monkeypatch.setattr(workflow, "train_folds", trained)
    for name in ("open_run", "write_training_page"):  # nothing was trained that a page could tell of
        monkeypatch.setattr(workflow, name, lambda *_: None)
    workflow.train("hippocampus_3d", [f"data.root={folders / 'set'}", "data.cases=null"], out=folders / "run")
    (found,) = workflow.findings_of(folders / "run")
    assert found.message.endswith("nothing was read: imagesTs/.")
