"""All that `train` does around the steps themselves: plan, cache, bundle of each fold, Dice, metrics, self-test.

The steps are left out: a network as it is drawn stands for the trained one.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medseg.domain import Run
from medseg.errors import ConfigError
from medseg.models import read_card
from medseg.training import load_config, open_data, train
from medseg.training.check import read_findings
from tests.training.test_journey import TINY, decathlon

CALLS: list[dict[str, Any]] = []


def drawn(
    config: Any, training: Any, validation: Any, folder: Path, *, fold: int, run: Run, team: Any
) -> Any:
    """In the place of `fit_fold`: what it was given, and an untrained network that says background everywhere."""
    import torch

    from medseg.training.module import SegmentationModule

    learned, judged = ([case.id for case in part] for part in (training, validation))
    CALLS.append({"fold": fold, "training": learned, "validation": judged, "folder": folder})
    (folder / "log/csv-0").mkdir(parents=True)
    (folder / "log/csv-0/metrics.csv").write_text("step,train_loss,validation_loss\n1,0.9,0.8\n", "utf-8")
    torch.manual_seed(0)
    module = SegmentationModule(config).eval()
    bias = [value for name, value in module.network.named_parameters() if name.endswith("bias")][-1]
    with torch.no_grad():
        bias.copy_(torch.tensor([99.0, 0, 0]))
    return module


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Four cases in two folds, the first of which is trained."""
    folder = tmp_path_factory.mktemp("train")
    decathlon(folder / "data", 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("medseg.training.loop.fit_fold", drawn)
        config, told = configured(folder), []
        run = Run(device="cpu", progress=lambda done, total, what: told.append((done, total, what)))
        bundle = train(config, open_data(config), folder / "run", run, fold=0, command="medseg train x")
        assert bundle == folder / "run/bundle"
        assert [said for said in told if said[2] == "fold 0: validation"] == [
            (1, 2, "fold 0: validation"),
            (2, 2, "fold 0: validation"),
        ]
        yield folder


def configured(folder: Path) -> Any:
    more = ["data.folds=2", "grid.overlap=0", "grid.mirror_axes=[]"]
    return load_config("hippocampus_3d", [f"data.root={folder / 'data'}", *TINY, *more])


def test_the_fold_is_given_its_own_cases(run_folder: Path) -> None:
    (call,) = CALLS
    split = json.loads((run_folder / "run/split.json").read_text("utf-8"))
    assert call["validation"] == sorted(split["folds"][0])
    assert sorted(call["training"] + call["validation"]) == ["c0", "c1", "c2", "c3"]
    assert (call["fold"], call["folder"]) == (0, run_folder / "run/fold0")


def test_the_run_leaves_what_it_says(run_folder: Path) -> None:
    run = run_folder / "run"
    made = {path.relative_to(run).as_posix() for path in run.rglob("*") if "cache" not in path.parts}
    assert {"plan.yaml", "split.json", "metrics.json", "findings.json"} <= made
    assert {"fold0/bundle/card.yaml", "fold0/curve.png", "fold0/dice.json"} <= made
    assert {
        f"bundle/{name}" for name in ("card.yaml", "plan.yaml", "LICENSE", "quality.csv", "quality.png")
    } <= made
    assert not [name for name in made if name.endswith(".part")]


def test_metrics_are_of_the_subjects_that_were_judged(run_folder: Path) -> None:
    metrics = json.loads((run_folder / "run/metrics.json").read_text("utf-8"))
    judged = CALLS[0]["validation"]
    names = ["anterior hippocampus", "posterior hippocampus", "hippocampus"]
    assert [(row["subject"], row["target"]) for row in metrics["dice"]] == [
        (subject, name) for subject in judged for name in names
    ]
    # 5 × 7 × 6 voxels each; nothing was found of them.
    assert {(row["reference_voxels"], row["prediction_voxels"], row["dice"]) for row in metrics["dice"]} == {
        (210, 0, 0.0),
        (420, 0, 0.0),
    }
    assert {row["cases"] for row in metrics["dice"]} == {1}
    assert {row["fold"] for row in metrics["dice"]} == {0}
    assert metrics["self_test"] == dict.fromkeys(names, 0.0)
    assert metrics["steps_per_fold"] == 4
    assert [item["mean"] for item in metrics["quality"]] == [0.0] * 3


def test_a_model_that_finds_nothing_says_so_in_its_card(run_folder: Path) -> None:
    codes = [item.code for item in read_findings(run_folder / "run")]
    assert codes == ["train.label_names", "train.nothing_found"]
    card = read_card(run_folder / "run/bundle")
    assert any("found nothing in any of its 2 validation cases" in limit for limit in card.limits)
    quality = card.quality[0]
    assert (quality.cases, quality.command) == (2, "medseg train x")
    assert quality.note == "1 of 2 folds; each subject judged by the one fold that did not train on it"
    assert len(card.weights) == 1


def test_a_finished_fold_is_not_trained_again(run_folder: Path) -> None:
    before, config = len(CALLS), configured(run_folder)
    train(config, open_data(config), run_folder / "run", Run(device="cpu"), fold=0)
    assert len(CALLS) == before


@pytest.mark.parametrize("fold", [-1, 2])
def test_a_fold_that_is_not_there_is_refused(run_folder: Path, fold: int) -> None:
    config = configured(run_folder)
    with pytest.raises(ConfigError, match=f"no fold {fold}: this run has folds 0 to 1"):
        train(config, open_data(config), run_folder / "run", Run(device="cpu"), fold=fold)
