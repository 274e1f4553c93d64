"""Every option and argument that takes a path, given what is no file of its kind.

The rows are the program's own parameters, so that a new option is covered as soon as it is there: one line that says
which path, the exit code of a wrong input, and no waiting for what has no end.
"""

import inspect
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import typer

from medseg import cli
from medseg.domain import Grid, Image, Label, LabelTable, Segmentation
from medseg.io import write_image, write_segmentation
from medseg.workflows import measure_files

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system"),
    pytest.mark.timeout(15),
]

#: What each command is called with, by parameter, in a folder of good files.
GOOD: dict[str, dict[str, str]] = {
    "demo": {},
    "info": {"path": "image.nii.gz"},
    "segment": {"name": "otsu", "inputs": "image.nii.gz", "out": "new.nii.gz"},
    "edit": {"mask": "mask.nii.gz", "op": "close=1", "out": "new.nii.gz"},
    "measure": {"mask": "mask.nii.gz", "out": "new.json"},
    "report": {"record": "record.json", "csv": "new.csv"},
    "sign": {"record": "record.json", "name": "A", "organization": "B"},
    "verify": {"record": "record.json"},
    "export": {"record": "record.json", "out": "new", "fhir": "yes"},
    "evaluate": {"prediction": "mask.nii.gz", "reference": "mask.nii.gz"},
    "followup": {
        "baseline": "record.json",
        "later": "later.json",
        "out": "new.json",
        "same_space": "yes",
    },
    "repeatability": {"pairs": "pairs.csv", "out": "new.json"},
    "plan": {"dataset": "set", "out": "new.yaml"},
    "train": {
        "config": "hippocampus_3d",
        "overrides": "data.root=set data.held_out=[] data.split=null data.cases=null",
        "out": "new",
    },
    "cohort": {"study": "study.yaml", "out": "new"},
    "convert": {"source": "image.nii.gz", "target": "new.nii.gz"},
}
#: What a parameter needs beside it to be looked at.
BESIDE: dict[tuple[str, str], dict[str, str]] = {
    ("evaluate", "image"): {"html": "new.html"},
    ("export", "key"): {"deidentify": "yes"},
    ("export", "dicom"): {"seg": "yes"},
    ("export", "followup"): {"stable_uids": "yes"},
    ("followup", "record"): {"days": "0,9"},
    ("repeatability", "labels"): {"pairs": "masks.csv"},
    ("convert", "labels"): {"mask": "yes", "source": "mask.nii.gz"},
    ("convert", "image"): {"mask": "yes", "source": "mask.nii.gz"},
    ("report", "image"): {"html": "new.html"},
    ("report", "mask"): {"html": "new.html"},
}
#: What is written; all else is read.
WRITTEN = {
    ("demo", "out"),
    ("segment", "out"),
    ("segment", "objects"),
    ("edit", "out"),
    ("measure", "out"),
    ("measure", "contours"),
    ("measure", "lesion_mask"),
    ("report", "html"),
    ("report", "pdf"),
    ("report", "csv"),
    ("report", "csv_long"),
    ("report", "xlsx"),
    ("report", "redcap"),
    ("report", "methods"),
    ("report", "checklist"),
    ("repeatability", "out"),
    ("repeatability", "html"),
    ("repeatability", "csv"),
    ("sign", "out"),
    ("export", "out"),
    ("evaluate", "out"),
    ("evaluate", "html"),
    ("followup", "out"),
    ("followup", "html"),
    ("followup", "pdf"),
    ("followup", "csv"),
    ("followup", "xlsx"),
    ("followup", "record"),
    ("followup", "remeasure"),
    ("plan", "out"),
    ("train", "out"),
    ("cohort", "out"),
    ("convert", "target"),
}
#: Made where it is missing.
MADE = {("sign", "key"), ("export", "key")}
#: Folders that are gone on in.
FOLDERS = {
    ("demo", "out"),
    ("export", "out"),
    ("report", "redcap"),
    ("followup", "remeasure"),
    ("train", "out"),
    ("cohort", "out"),
    ("convert", "target"),
}
#: Paths within other words.
WITHIN: list[tuple[str, dict[str, str]]] = [
    ("segment", {"name": "otsu", "channel": "image={}", "out": "new.nii.gz"}),
    ("segment", {"name": "./{}", "inputs": "image.nii.gz", "out": "new.nii.gz"}),
    ("measure", {"mask": "mask.nii.gz", "channel": "image={}", "out": "new.json"}),
    ("report", {"record": "record.json", "channel": "image={}", "html": "new.html"}),
    ("followup", {"baseline": "record.json", "later": "later.json", "transform": "2={}", "out": "new.json"}),
    ("models", {"name": "./{}"}),
    ("train", {"config": "{}", "out": "new"}),
    *(
        ("train", {"config": "hippocampus_3d", "overrides": words, "out": "new"})
        for words in (
            "data.root={}",
            "data.root=set data.held_out=[] data.cases=null data.split={}",
            "data.root=set data.held_out=[] data.split=null data.cases={}",
        )
    ),
]


@dataclass(frozen=True)
class Parameter:
    """One of a command's, as it is typed."""

    command: str
    name: str
    flag: str | None
    takes_paths: bool

    def __str__(self) -> str:
        return f"{self.command} {self.flag or self.name}"

    def words(self, value: str) -> tuple[str, ...]:
        if self.flag is None:
            return tuple(value.split())
        return (self.flag,) if value == "yes" else (self.flag, value)


def parameters(command: str) -> Iterator[Parameter]:
    for name, item in inspect.signature(import_module(f"medseg.cli.{command}").command).parameters.items():
        plain, *notes = get_args(item.annotation) or (item.annotation,)
        flag = None
        for note in notes:
            if isinstance(note, typer.models.OptionInfo):
                given = [word for word in note.param_decls or () if word.startswith("--")]
                flag = given[0] if given else "--" + name.strip("_").replace("_", "-")
        yield Parameter(command, name, flag, "Path" in repr(plain))


PATHS = [item for command in cli.COMMANDS for item in parameters(command) if item.takes_paths]
READ = [item for item in PATHS if (item.command, item.name) not in WRITTEN]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image, its mask and its record, and what is no file of any kind."""
    grid = Grid((8, 8, 6), np.diag([1.0, 1.0, 2.0, 1.0]))
    labels = np.zeros(grid.shape, np.uint8)
    labels[2:6, 2:6, 2:4] = 1
    write_image(
        Image(labels * np.float32(100) + np.arange(8.0, dtype=np.float32)[:, None, None], grid),
        tmp_path / "image.nii.gz",
    )
    write_segmentation(Segmentation(labels, grid, LabelTable((Label(1, "liver"),))), tmp_path / "mask.nii.gz")
    measure_files(tmp_path / "mask.nii.gz", {"image": tmp_path / "image.nii.gz"}, tmp_path / "record.json")
    labels[2, 2, 2] = 0
    later = Segmentation(labels, grid, LabelTable((Label(1, "liver"),)))
    write_segmentation(later, tmp_path / "later.nii.gz")
    measure_files(tmp_path / "later.nii.gz", {"image": tmp_path / "image.nii.gz"}, tmp_path / "later.json")
    rows = "\n".join(f"p{number},{number}.5,{number}.6,volume,ml" for number in range(1, 7))
    (tmp_path / "pairs.csv").write_text(f"subject,first,second,quantity,unit\n{rows}\n", encoding="utf-8")
    (tmp_path / "masks.csv").write_text(
        "subject,first,second\na,mask.nii.gz,later.nii.gz\n", encoding="utf-8"
    )
    (tmp_path / "study.yaml").write_text("inputs: set\nsegment: {method: otsu}\n", encoding="utf-8")
    (tmp_path / "set").mkdir()
    for name in ("a.nii.gz", "a_mask.nii.gz"):
        shutil.copy(tmp_path / "mask.nii.gz", tmp_path / "set" / name)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bytes.xyz").write_bytes(bytes(range(256)))
    (tmp_path / "other.json").write_text('{"a": ["b"]}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(
    command: str,
    values: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> tuple[int, list[str]]:
    """Exit code, and the lines of errors."""
    words = [
        word for item in parameters(command) if item.name in values for word in item.words(values[item.name])
    ]
    monkeypatch.setattr(sys, "argv", ["medseg", command, *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    lines = capfd.readouterr().err.splitlines()
    return int(end.value.code or 0), [line for line in lines if line.startswith("medseg")]


BAD = ["pipe", "/dev/zero", "missing.nii.gz", "empty", "bytes.xyz", "other.json"]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("item", READ, ids=str)
def test_what_is_read(
    item: Parameter,
    bad: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if bad.startswith("missing") and (item.command, item.name) in MADE:
        pytest.skip("it is made where it is missing")
    given = {**GOOD[item.command], **BESIDE.get((item.command, item.name), {}), item.name: bad}
    code, lines = said(item.command, given, monkeypatch, capfd)
    assert (code, len(lines)) == (2, 1), lines
    assert bad in lines[0]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    ("command", "given"), WITHIN, ids=[f"{row[0]} {[*row[1].values()]}" for row in WITHIN]
)
def test_what_is_read_by_a_path_within_a_word(
    command: str,
    given: dict[str, str],
    bad: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    code, lines = said(
        command, {name: value.format(bad) for name, value in given.items()}, monkeypatch, capfd
    )
    assert (code, len(lines)) == (2, 1), lines
    assert bad in lines[0]


TAKEN = ["pipe", "/dev/full", "empty", "bytes.xyz"]


@pytest.mark.parametrize("taken", TAKEN)
@pytest.mark.parametrize("item", [item for item in PATHS if item not in READ], ids=str)
def test_what_is_written(
    item: Parameter,
    taken: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Nothing that is no file is replaced, even with --force; a file is not without it."""
    if taken == "empty" and (item.command, item.name) in FOLDERS:
        pytest.skip("it goes into a folder")
    given = {**GOOD[item.command], **BESIDE.get((item.command, item.name), {}), item.name: taken}
    if taken != "bytes.xyz" and any(other.name == "force" for other in parameters(item.command)):
        given["force"] = "yes"
    before = Path(taken).lstat()
    code, lines = said(item.command, given, monkeypatch, capfd)
    assert (code, len(lines)) == (2, 1), lines
    assert taken in lines[0]
    assert (Path(taken).lstat().st_ino, Path(taken).lstat().st_mode) == (before.st_ino, before.st_mode)


def test_the_tables_name_what_there_is() -> None:
    known = {(item.command, item.name) for item in PATHS}
    assert set(BESIDE) | WRITTEN | MADE | FOLDERS <= known
    assert set(GOOD) == {item.command for item in PATHS}
