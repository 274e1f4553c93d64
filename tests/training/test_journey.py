"""Training as a user sees it: tiny synthetic data, the real loop, a bundle that runs; and a kill in between."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Run
from medseg.errors import Cancelled, ConfigError
from medseg.training import load_config, open_data, train

TINY = [
    "loop.steps=4",
    "loop.batch=1",
    "loop.checkpoint_every=2",
    "loop.precision='32'",
    "grid.window=[16,16,16]",
    "network.filters=[4,4,8]",
    "network.strides=[[1,1,1],[2,2,2],[2,2,2]]",
    "network.kernels=[[3,3,3],[3,3,3],[3,3,3]]",
    "network.deep_supervision=0",
    "data.split=null",
    "data.cases=null",
    "data.held_out=[]",
]


def write(path: Path, values: np.ndarray) -> None:
    import nibabel as nib

    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(values, np.eye(4))
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A synthetic Decathlon folder of three cases with two labels."""
    return decathlon(tmp_path / "data", 3)


def decathlon(folder: Path, cases: int) -> Path:
    rng = np.random.default_rng(0)
    for number in range(cases):
        labels = np.zeros((18, 20, 16), np.uint8)
        labels[4:9, 5:12, 4:10] = 1
        labels[9:14, 5:12, 4:10] = 2
        write(
            folder / f"imagesTr/c{number}.nii.gz",
            (labels * 100 + rng.normal(0, 5, labels.shape)).astype(np.float32),
        )
        write(folder / f"labelsTr/c{number}.nii.gz", labels)
    content = {
        "name": "Tiny",
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "a", "2": "b"},
        "training": [
            {"image": f"imagesTr/c{number}.nii.gz", "label": f"labelsTr/c{number}.nii.gz"}
            for number in range(cases)
        ],
    }
    (folder / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def tiny(root: Path, *more: str) -> Any:
    return load_config("hippocampus_3d", [f"data.root={root}", *TINY, *more])


UNKNOWN = [
    ("optimizer.lr=1", "optimiser"),
    ("optimiser.learning=1", "lr"),
    ("loop.step=4", "loop.steps"),
    ("loop.steps=many", "loop.steps"),
    ("loop.steps", "key=value"),
]


@pytest.mark.parametrize(("override", "named"), UNKNOWN)
def test_a_wrong_key_names_the_nearest(override: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load_config("hippocampus_3d", [override])


@pytest.mark.parametrize("name", ["hippocampus_3d", "sarcoma_3d", "glioma_2d"])
def test_every_configuration_loads(name: str) -> None:
    assert load_config(name).loop.steps > 0


def test_an_unknown_configuration_lists_the_known() -> None:
    with pytest.raises(ConfigError, match="hippocampus_3d"):
        load_config("hippocampus_4d")


def test_a_table_with_sides_forbids_mirroring() -> None:
    sides = "labels.labels=[{value: 1, name: a, side: left}, {value: 2, name: b, side: right}]"
    with pytest.raises(ConfigError, match="axis 0"):
        load_config("hippocampus_3d", [sides, "labels.regions=[]"])


@pytest.mark.slow
def test_from_data_to_a_bundle_that_segments(root: Path, tmp_path: Path) -> None:
    import medseg

    config = tiny(root)
    bundle = train(
        config, open_data(config), tmp_path / "run", Run(device="cpu"), fold=0, command="medseg train x"
    )
    made = {path.name for path in (tmp_path / "run" / "fold0").iterdir()}
    assert {"dice.json", "curve.png", "checkpoints", "log"} <= made
    image = medseg.read(root / "imagesTr" / "c0.nii.gz")
    mask = medseg.segment(str(bundle), image)
    assert mask.grid.shape == image.grid.shape
    assert [label.name for label in mask.table.labels] == ["anterior hippocampus", "posterior hippocampus"]
    assert (
        "/" not in (bundle / "plan.yaml").read_text(encoding="utf-8").partition("root:")[2].partition("\n")[0]
    )


@pytest.mark.slow
def test_a_stopped_run_goes_on_with_the_same_split_and_step_count(root: Path, tmp_path: Path) -> None:
    config, out = tiny(root), tmp_path / "run"

    def stop_at_step_three() -> bool:
        return (out / "fold0" / "checkpoints" / "step=2.ckpt").is_file()

    with pytest.raises(Cancelled):
        train(config, open_data(config), out, Run(device="cpu", cancel=stop_at_step_three), fold=0)
    split = (out / "split.json").read_text(encoding="utf-8")
    steps: list[int] = []
    run = Run(
        device="cpu", progress=lambda done, _total, what: steps.append(done) if "left" in what else None
    )
    train(config, open_data(config), out, run, fold=0)
    assert (out / "split.json").read_text(encoding="utf-8") == split
    assert steps[0] == 3
    assert steps[-1] == 4
    train(config, open_data(config), tmp_path / "whole", Run(device="cpu"), fold=0)
    weights = "bundle/weights/0.safetensors"
    assert (out / weights).read_bytes() == (tmp_path / "whole" / weights).read_bytes()


@pytest.mark.slow
def test_another_plan_is_refused_without_restart(root: Path, tmp_path: Path) -> None:
    config, out = tiny(root), tmp_path / "run"
    train(config, open_data(config), out, Run(device="cpu"), fold=0)
    other = tiny(root, "optimiser.lr=0.01")
    with pytest.raises(ConfigError, match="--restart"):
        train(other, open_data(other), out, Run(device="cpu"), fold=0)
    train(other, open_data(other), out, Run(device="cpu"), fold=0, restart=True)


@pytest.mark.slow
@pytest.mark.parametrize("cases", [1, 2])
def test_one_or_two_cases_finish(cases: int, tmp_path: Path) -> None:
    config = tiny(decathlon(tmp_path / "data", cases))
    bundle = train(config, open_data(config), tmp_path / "run", Run(device="cpu"))
    assert (bundle / "card.yaml").is_file()


@pytest.mark.slow
def test_two_dimensional_gliomas_by_patient(data: Callable[[str], Path], tmp_path: Path) -> None:
    """Three patients of the shared slices, a tiny network, two steps: split and judged by patient."""
    root = tmp_path / "lgg"
    root.mkdir()
    for folder in sorted(path for path in data("lgg").iterdir() if path.is_dir())[:3]:
        (root / folder.name).mkdir()
        for path in [*sorted(folder.glob("*_1[0-2]_mask.png")), *sorted(folder.glob("*_1[0-2].png"))]:
            (root / folder.name / path.name).write_bytes(path.read_bytes())
    config = load_config(
        "glioma_2d",
        [
            f"data.root={root}",
            "data.folds=3",
            "loop.steps=2",
            "loop.batch=2",
            "loop.checkpoint_every=1",
            "grid.window=[64,64]",
            "network.filters=[4,4,8]",
            "network.strides=[[1,1],[2,2],[2,2]]",
            "network.kernels=[[3,3],[3,3],[3,3]]",
        ],
    )
    dataset = open_data(config)
    assert len(dataset.subjects) == 3
    train(config, dataset, tmp_path / "run", Run(device="cpu"), fold=0)
    rows = json.loads((tmp_path / "run" / "fold0" / "dice.json").read_text(encoding="utf-8"))
    assert {row["cases"] for row in rows} == {3}
    assert len({row["subject"] for row in rows}) == 1
