"""nnU-Net's label `ignore`: no structure, no background, and counted wherever it is left out."""

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medseg.errors import ConfigError, InputError
from medseg.io import open_dataset
from medseg.training import load_config
from medseg.training.cases import load_case
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values.astype(np.uint8), np.diag([1.0, 1.0, 2.0, 1.0])), path)


def describe(root: Path, ignore: int) -> None:
    labels = {"background": 0, "liver": 1, "ignore": ignore}
    content = {"channel_names": {"0": "CT"}, "labels": labels, "file_ending": ".nii.gz"}
    (root / "dataset.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A liver of 6 × 6 × 4 voxels, of which the author left a third open; the prediction fills that third otherwise."""
    labels = np.zeros((12, 10, 8))
    labels[2:8, 2:8, 2:6] = 1
    prediction = labels.copy()
    labels[6:8, 2:8, 2:6] = 2
    prediction[7:10, 2:8, 2:6] = 0
    save(tmp_path / "set/imagesTr/a_0000.nii.gz", np.arange(960).reshape(12, 10, 8) % 200)
    save(tmp_path / "set/labelsTr/a.nii.gz", labels)
    save(tmp_path / "ours/a.nii.gz", prediction)
    describe(tmp_path / "set", 2)
    return tmp_path


SAID = "48 voxels (5 %) are marked 'ignore' (label 2)"


def structures(record: Path) -> dict[str, float]:
    rows = json.loads(record.read_text(encoding="utf-8"))["measurements"]
    return {row["target"]["name"]: row["value"] for row in rows if row["quantity"] == "voxel_count"}


@pytest.mark.parametrize("mask", ["set", "set/labelsTr/a.nii.gz", "copy.nii.gz --labels set/dataset.json"])
def test_measured_without(mask: str, root: Path, medseg: Medseg, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    (root / "copy.nii.gz").write_bytes((root / "set/labelsTr/a.nii.gz").read_bytes())
    out = root / "out" / "a.json"
    seen = medseg("measure", *mask.split(), "--out", "out" if mask == "set" else out)
    assert seen.code == 0, seen.err
    assert [*structures(out).values()] == [96.0]
    findings = [item for item in json.loads(out.read_text())["findings"] if item["code"] == "labels.ignored"]
    assert [item["message"].startswith(SAID) for item in findings] == [True]
    assert medseg("verify", out).code == 0


def test_evaluated_without(root: Path, medseg: Medseg) -> None:
    for reference in (root / "set", root / "set" / "labelsTr"):
        seen = medseg("evaluate", root / "ours", reference, "--json")
        assert seen.code == 0, seen.err
        rows = [row for row in seen.json["result"]["measurements"] if row["quantity"] == "dice"]
        assert [(row["labels"], row["value"]) for row in rows] == [("1", 1.0)]
        assert "48 voxels of 1 references are marked 'ignore'" in seen.json["findings"][0]["message"]
        assert [case["ignored_voxels"] for case in seen.json["result"]["cases"]] == [48]


def test_a_data_set_names_no_such_structure(root: Path, medseg: Medseg) -> None:
    table = open_dataset(root / "set").table
    assert table is not None
    assert table.values == (1,)
    seen = medseg("info", root / "set")
    assert "labels 1 liver" in seen.out
    assert SAID in seen.out
    assert "reference.unknown_label" not in seen.out
    describe(root / "set", 1)
    with pytest.raises(InputError, match=r"'ignore' in dataset\.json is the highest of all, not 1"):
        open_dataset(root / "set")


ONE = "labels={labels: [{value: 1, name: liver}], regions: []}"


def test_never_trained_as_background(root: Path) -> None:
    config = load_config("hippocampus_3d", [f"data.root={root / 'set'}", ONE])
    (case,) = open_dataset(root / "set").cases
    loaded = load_case(case, config, {config.reference: "CT"})
    assert loaded.ignored is not None
    assert int(loaded.ignored.sum()) == 48
    assert int((loaded.labels == 1).sum()) == 96
    assert not (loaded.labels[loaded.ignored] > 0).any()


#: What the configuration says, and what stands in the way.
CLASHES = [
    ([], "label 2 is 'ignore' in dataset.json of case a, and a structure in the configuration"),
    ([ONE, "data.ignore=5"], "data.ignore is 5, and dataset.json of case a says 2"),
    ([ONE, "data.ignore=1"], "data.ignore is a value of the masks that is no label and not 0, not 1"),
    ([ONE, "data.ignore=0"], "data.ignore is a value of the masks that is no label and not 0, not 0"),
]


@pytest.mark.parametrize(("said", "refused"), CLASHES)
def test_what_is_ignored_is_no_structure_and_one_value(said: list[str], refused: str, root: Path) -> None:
    (case,) = open_dataset(root / "set").cases

    def load() -> None:
        config = load_config("hippocampus_3d", [f"data.root={root / 'set'}", *said])
        load_case(case, config, {config.reference: "CT"})

    with pytest.raises(ConfigError, match=refused):
        load()


def test_a_mask_that_nobody_judged_teaches_nothing(root: Path) -> None:
    save(root / "set/labelsTr/a.nii.gz", np.full((12, 10, 8), 2))
    config = load_config("hippocampus_3d", [f"data.root={root / 'set'}", ONE])
    (case,) = open_dataset(root / "set").cases
    with pytest.raises(ConfigError, match="case a: all voxels of its mask are marked 'ignore'"):
        load_case(case, config, {config.reference: "CT"})
