"""A model trained further, as a user does it: from a folder, from a name, stopped, refused; nothing is replaced."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from medseg.models import read_card
from medseg.training.check import read_findings
from tests.journeys.conftest import Seen
from tests.training.test_journey import TINY, decathlon

pytestmark = pytest.mark.slow
STEPS = ("loop.steps=2", "loop.checkpoint_every=1", "loop.precision='32'")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model in RUN/bundle, and another set of eight cases of the same kind."""
    from medseg.domain import Run
    from medseg.workflows.train import train

    folder = tmp_path_factory.mktemp("tuning")
    decathlon(folder / "first", 3)
    own = decathlon(folder / "own", 8) / "dataset.json"
    words = json.loads(own.read_text("utf-8"))
    own.write_text(
        json.dumps({**words, "labels": {"0": "background", "1": "Anterior", "2": "Posterior"}}), "utf-8"
    )
    train(
        "hippocampus_3d",
        [f"data.root={folder / 'first'}", *TINY],
        out=folder / "run",
        fold=0,
        run=Run(device="cpu"),
    )
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_it_goes_on_from_a_model_and_says_which_to_keep(
    folder: Path, tmp_path: Path, medseg: Callable[..., Seen]
) -> None:
    start, out = folder / "run/bundle", tmp_path / "tuned"
    before = bytes_of(start)
    command = (
        "train",
        "--from",
        start,
        f"data.root={folder / 'own'}",
        *STEPS,
        "--out",
        out,
        "--device",
        "cpu",
    )
    seen = medseg(*command)
    assert seen.code == 0, seen.err
    assert "Weights begin as those of hippocampus 1.0." in seen.err
    assert "On 2 subjects held out the new model is" in seen.err
    assert bytes_of(start) == before

    card = read_card(out / "bundle")
    facts = dict(card.trained)
    assert card.name == "hippocampus-tuned"
    assert (facts["subjects"], facts["judged"]) == (6, "subjects held out")
    assert card.quality[0].note == "1 of 1 folds; judged by subjects that were held out"
    assert card.quality[0].cases == 2
    split = json.loads((out / "split.json").read_text("utf-8"))
    assert not set(split["held_out"]) & set(split["folds"][0])
    judged = {row["subject"] for row in json.loads((out / "fold0/dice.json").read_text("utf-8"))}
    assert judged == set(split["held_out"])

    verdict = json.loads((out / "hold_out.json").read_text("utf-8"))
    assert verdict["gain"] == pytest.approx(verdict["new"] - verdict["old"])
    page = (out / "training.html").read_text("utf-8")
    assert "2 subjects that were held out" in page
    assert "the new model is" in page
    plan = yaml.safe_load((out / "bundle/plan.yaml").read_text("utf-8"))
    assert plan["start"]["model"] == "bundle"

    weights = (out / "bundle/weights/0.safetensors").read_bytes()
    assert medseg(*command).code == 0
    assert (out / "bundle/weights/0.safetensors").read_bytes() == weights
    more = medseg(*command, "--freeze-encoder")
    assert more.code == 2
    assert "another plan" in more.line


def test_a_model_that_got_worse_warns_on_its_card(
    folder: Path, tmp_path: Path, medseg: Callable[..., Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    from medseg.workflows import fine_tune

    worse = fine_tune.HoldOutVerdict(2, 0.5, 0.8, -0.3, -0.4, -0.2, "worse")
    monkeypatch.setattr(fine_tune, "_compared", lambda *_: worse)
    out = tmp_path / "tuned"
    data = f"data.root={folder / 'own'}"
    seen = medseg("train", "--from", folder / "run/bundle", data, *STEPS, "--out", out, "--device", "cpu")
    assert seen.code == 0
    assert "worse than hippocampus: keep that one" in seen.err
    assert any("worse than hippocampus: keep that one" in text for text in read_card(out / "bundle").limits)
    assert "train.worse" in {item.code for item in read_findings(out)}


REFUSED = [
    (("--from", "no-such-model"), "no model is called 'no-such-model'"),
    (("--from", "touching-objects"), "trained on phantoms"),
    (("--freeze-encoder",), "belong to --from"),
    (("--hold-out", "2"), "belong to --from"),
    (("--from", "hippocampus", "--hold-out", "8"), "nothing would be left"),
    (("--from", "hippocampus", "loop.stepz=3"), "loop.steps"),
    (("--fold", "two"), "a number from 0 on, or all"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_what_is_refused(
    words: "tuple[str, ...]", said: str, folder: Path, tmp_path: Path, medseg: Callable[..., Seen]
) -> None:
    seen = medseg("train", f"data.root={folder / 'own'}", *words, "--out", tmp_path / "out")
    assert seen.code == 2
    assert said in seen.line
    assert not (tmp_path / "out").exists()


def test_all_folds_is_a_word(folder: Path, tmp_path: Path, medseg: Callable[..., Seen]) -> None:
    """One fold, then the word for all: the second command goes on with the folds that are missing."""
    config = (
        "train",
        "hippocampus_3d",
        f"data.root={folder / 'first'}",
        *TINY,
        "data.folds=2",
        "--device",
        "cpu",
    )
    assert medseg(*config, "--out", tmp_path / "run", "--fold", "0").code == 0
    assert len(read_card(tmp_path / "run/bundle").weights) == 1
    first = (tmp_path / "run/fold0/dice.json").stat().st_mtime_ns
    assert medseg(*config, "--out", tmp_path / "run", "--fold", "all").code == 0
    assert len(read_card(tmp_path / "run/bundle").weights) == 2
    assert (tmp_path / "run/fold0/dice.json").stat().st_mtime_ns == first
