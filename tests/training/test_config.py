"""Configurations: what holds unless said otherwise, what is refused, and what decides the result."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from medseg.errors import ConfigError
from medseg.training import load_config
from medseg.training.config import (
    Augmentation,
    DataConfig,
    LoopConfig,
    LossConfig,
    OptimiserConfig,
    TrainConfig,
    dump_config,
)
from medseg.training.phantoms import InstanceTraining
from tests.training.test_journey import TINY

#: What another version must not change unasked: a run that was begun with these goes on with these.
DEFAULTS: list[tuple[Any, dict[str, Any]]] = [
    (
        DataConfig(),
        {
            "root": None,
            "cases": None,
            "split": None,
            "held_out": (),
            "folds": 5,
            "seed": 0,
            "channels_by": "name",
            "ignore": None,
            "sets": (),
            "subjects": None,
            "balance": "sets",
        },
    ),
    (LossConfig(), {"dice": 1.0, "cross_entropy": 1.0, "batch_dice": False, "include_background": False}),
    (
        OptimiserConfig(),
        {"lr": 1e-3, "weight_decay": 1e-5, "schedule": "one_cycle", "warmup": 0.1, "clip": 12.0},
    ),
    (
        Augmentation(),
        {
            "flip_axes": (),
            "affine": 0.0,
            "rotate": 0.26,
            "scale": 0.15,
            "shear": 0.0,
            "scale_intensity": (0.0, 0.1),
            "shift_intensity": (0.0, 0.1),
            "contrast": (0.0, 0.3),
            "noise": (0.0, 0.1),
            "smooth": (0.0, 1.0),
            "drop_channel": 0.0,
        },
    ),
    (
        InstanceTraining(),
        {
            "steps": 500,
            "batch": 2,
            "lr": 4e-3,
            "seed": 0,
            "patch": (24, 24, 24),
            "spacing_mm": 2.0,
            "objects": (2, 4),
            "radius_mm": (7.0, 13.0),
            "stretch": 1.3,
            "lumps": 0.0,
            "scale_mm": 16.0,
            "depth_mm": 1.5,
            "minimum_mm3": 200.0,
            "unseen": 20,
        },
    ),
    (
        LoopConfig(steps=7),
        {
            "steps": 7,
            "batch": 2,
            "patch": None,
            "foreground": 0.5,
            "checkpoint_every": 100,
            "precision": "auto",
            "workers": None,
            "seed": 0,
            "average": 0.0,
        },
    ),
]


@pytest.mark.parametrize(("made", "expected"), DEFAULTS, ids=[type(made).__name__ for made, _ in DEFAULTS])
def test_what_holds_unless_said_otherwise(made: Any, expected: dict[str, Any]) -> None:
    assert asdict(made) == expected


def config(*more: str) -> TrainConfig:
    found = load_config("hippocampus_3d", ["data.root=nowhere", *TINY, *more])
    assert isinstance(found, TrainConfig)
    return found


#: Override → whether another result may come of it.
DECIDES = [
    ("loop.steps=5", True),
    ("loop.seed=1", True),
    ("data.seed=1", True),
    ("data.channels_by=position", True),
    ("data.ignore=9", True),
    ("optimiser.lr=0.5", True),
    ("data.root=elsewhere", False),
    ("loop.workers=3", False),
    ("model.title=Other words", False),
    ("data.channels_by=name", False),
    ("data.ignore=null", False),
]


@pytest.mark.parametrize(("override", "decides"), DECIDES)
def test_the_digest_is_of_what_decides_the_result(override: str, decides: bool) -> None:
    assert (config(override).digest != config().digest) == decides


@pytest.mark.parametrize("channels_by", ["name", "position"])
def test_the_digest_is_the_one_that_runs_of_earlier_versions_have(channels_by: str) -> None:
    made = config(f"data.channels_by={channels_by}", "loop.workers=2")
    values = yaml.safe_load(dump_config(made))
    del values["model"]
    values["data"] |= {"root": None, "cases": None, "split": None}
    values["loop"]["workers"] = None
    if channels_by == "name":
        del values["data"]["channels_by"]
    for later in ("ignore", "sets", "subjects", "balance"):
        del values["data"][later]
    del values["start"]
    known = {"architecture", "dimensions", "in_channels", "out_channels", "filters", "strides", "kernels"}
    known |= {"residual", "deep_supervision", "dropout"}
    values["network"] = {name: values["network"][name] for name in known}
    assert made.digest == hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


REFUSED = [
    ("loop.steps=0", "start at 1"),
    ("loop.batch=0", "start at 1"),
    ("loop.checkpoint_every=0", "start at 1"),
    ("data.folds=0", "start at 1"),
    ("loop.patch=[16,16]", "3 extents"),
    ("loop.patch=[16,18,16]", "multiple of"),
    ("postprocessing=[{step: instances, label: 1, channel: 2, scale_mm: 9, depth_mm: 1}]", "phantoms"),
    ("=3", "key=value"),
    ("loop.steps", "key=value"),
]


@pytest.mark.parametrize(("override", "said"), REFUSED)
def test_numbers_that_make_no_sense_are_refused(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        config(override)


def test_one_of_each_is_enough() -> None:
    made = config("loop.steps=1", "loop.batch=1", "loop.checkpoint_every=1", "data.folds=1")
    assert (made.loop.steps, made.loop.batch, made.loop.checkpoint_every, made.data.folds) == (1, 1, 1, 1)
    assert made.patch == made.grid.window == (16, 16, 16)
    assert config("loop.patch=[8,16,24]").patch == (8, 16, 24)


def test_a_dumped_configuration_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(dump_config(config()))
    assert load_config(path) == config()
    assert next(iter(yaml.safe_load(path.read_text("utf-8")))) == "model"


def test_files_are_named_from_the_configurations_folder(tmp_path: Path) -> None:
    values = yaml.safe_load(dump_config(config()))
    values["data"] |= {"cases": "lists/cases.csv", "split": "split.json"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    data = load_config(tmp_path / "mine.yaml").data  # type: ignore[union-attr]
    assert (data.cases, data.split) == (
        str(tmp_path / "lists/cases.csv"),
        str(tmp_path / "split.json"),
    )
    assert load_config(tmp_path / "mine.yaml", ["data.split=other.json"]).data.split == "other.json"  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["[1, 2]", "just words", "a: [", "\x00"])
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        load_config(tmp_path / "bad.yaml")
