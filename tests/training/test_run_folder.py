"""What a run is going to do, fixed in its folder: found again, refused where it is another, thrown away when asked."""

from pathlib import Path

import pytest

from medseg.errors import ConfigError
from medseg.training import open_data
from medseg.training.run_folder import RunFolder, card_from, open_run
from tests.training.test_journey import decathlon, tiny


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return decathlon(tmp_path / "data", 4)


def opened(root: Path, folder: Path, *more: str, restart: bool = False) -> RunFolder:
    config = tiny(root, "data.folds=2", *more)
    return open_run(config, open_data(config), folder, restart=restart)


def test_the_same_plan_is_found_again_and_another_is_refused(root: Path, tmp_path: Path) -> None:
    first, again = opened(root, tmp_path / "run"), opened(root, tmp_path / "run")
    assert first.digest == again.digest
    assert first.split == again.split
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"plan.yaml", "split.json"}
    with pytest.raises(ConfigError, match="another plan"):
        opened(root, tmp_path / "run", "loop.steps=5")


def test_cases_of_a_fold_are_judged_and_the_others_learned(root: Path, tmp_path: Path) -> None:
    plan = opened(root, tmp_path / "run", "data.held_out=[c3]")
    assert [case.id for case in plan.cases] == ["c0", "c1", "c2"]
    for fold in (0, 1):
        judged = {case.id for case in plan.validation_cases(fold)}
        assert judged == set(plan.split.folds[fold])
        assert {case.id for case in plan.training_cases(fold)} == {"c0", "c1", "c2"} - judged


def test_an_only_subject_is_learned_and_judged(tmp_path: Path) -> None:
    plan = opened(decathlon(tmp_path / "one", 1), tmp_path / "run")
    assert [case.id for case in plan.training_cases(0)] == [case.id for case in plan.validation_cases(0)]


@pytest.mark.parametrize(
    ("held_out", "said"),
    [("[c0,c1,c2,c3]", "no subjects left"), ("[c0,c9,c8]", "lacks: c8, c9")],
    ids=["all", "unknown"],
)
def test_subjects_that_are_held_out_are_there_and_leave_some(
    root: Path, tmp_path: Path, held_out: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        opened(root, tmp_path / "run", f"data.held_out={held_out}")


def test_a_folder_of_other_files_is_no_run_and_a_cache_alone_is(root: Path, tmp_path: Path) -> None:
    (tmp_path / "run/cache").mkdir(parents=True)
    opened(root, tmp_path / "run")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/thesis.txt").write_text("all of it", encoding="utf-8")
    for restart in (False, True):
        with pytest.raises(ConfigError, match="holds other files and no training run"):
            opened(root, tmp_path / "other", restart=restart)
    assert (tmp_path / "other/thesis.txt").is_file()


def test_a_restart_throws_away_what_a_run_writes_and_nothing_else(root: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    opened(root, run)
    gone = [
        "fold0/a",
        "fold12/a",
        "bundle/card.yaml",
        "cache/a",
        "metrics.json",
        "findings.json",
        "quality.csv",
    ]
    kept = ["foldings/a", "notes.txt"]
    for name in (*gone, *kept):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("x", encoding="utf-8")
    plan = opened(root, run, "loop.steps=5", restart=True)
    assert not [name for name in gone if (run / name).exists()]
    assert all((run / name).is_file() for name in kept)
    assert opened(root, run, "loop.steps=5").digest == plan.digest


@pytest.mark.parametrize("text", ["", "[1, 2]", "other: 1", "{"])
def test_a_damaged_plan_says_how_to_begin_again(root: Path, tmp_path: Path, text: str) -> None:
    opened(root, tmp_path / "run")
    (tmp_path / "run/plan.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="damaged; use --restart"):
        opened(root, tmp_path / "run")


def test_the_card_says_how_it_was_trained(root: Path, tmp_path: Path) -> None:
    plan = opened(root, tmp_path / "run", "data.held_out=[c3]", "loop.steps=7", "loop.seed=5")
    card, config = card_from(plan.config, plan), plan.config
    facts = dict(card.trained)
    expected = {
        "data": "Tiny",
        "cases": 3,
        "subjects": 3,
        "folds": 2,
        "held_out": "c3",
        "steps_per_fold": 7,
        "seed": 5,
        "split_digest": plan.split.digest,
        "config_digest": config.digest,
    }
    assert {name: facts[name] for name in expected} == expected
    assert {"medseg", "torch", "monai"} <= facts.keys()
    text = config.model
    assert (card.name, card.title, card.summary, card.version) == (
        text.name,
        text.title,
        text.summary,
        text.version,
    )
    assert (card.licence, card.attribution) == (text.licence, text.attribution)
    assert (card.intended_use, card.limits) == (text.intended_use, text.limits)
    assert (card.window, card.overlap, card.spacing) == (
        config.grid.window,
        config.grid.overlap,
        config.grid.spacing,
    )
    assert (card.preprocessing, card.postprocessing) == (config.preprocessing, config.postprocessing)
    assert card_from(config).trained == ()
