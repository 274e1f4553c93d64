"""Postprocessing chosen on folds: planted specks, holes and crumbs; nothing where a step helps nobody or by chance."""

from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Grid, Label, LabelTable
from medseg.domain.card import FillHoles, KeepLargest, PostStep, RemoveSmall
from medseg.inference.steps import postprocess
from medseg.training.choose import choose_steps, chosen_steps, kept_choice, step_words
from medseg.training.heldout import HeldOutCase, cropped

ONE = LabelTable((Label(1, "tumour"),))
TWO = LabelTable((Label(1, "tumour"), Label(2, "node")))
GRID = Grid((24, 24, 12), np.diag([2.0, 2.0, 2.0, 1.0]))


def case(number: int, what: str) -> HeldOutCase:
    """A block of 8 × 8 × 6 voxels as reference; the prediction has it with the fault that `what` names."""
    reference = np.zeros(GRID.shape, np.uint16)
    reference[4:12, 4:12, 3:9] = 1
    prediction = reference.copy()
    prediction[4 : 5 + number % 2, 4:12, 3:9] = 0  # nobody is perfect, and not all alike
    if what == "speck":
        prediction[16:20, 16:20, 2:6] = 1  # 64 voxels of 8 mm³, far away
    elif what == "hole":
        prediction[6:10, 6:10, 4:8] = 0
    elif what == "two parts":  # the smaller of which is there in truth
        for mask in (reference, prediction):
            mask[16:21, 16:21, 2:7] = 1
        prediction[20:22, 2:4, 2:4] = 1
    elif what == "noise":  # a second spot, which is there in every other truth
        prediction[16:18, 16:18, 4:6] = 1
        if number // 2 % 2:
            reference[16:18, 16:18, 4:6] = 1
    return HeldOutCase(f"c{number:02d}", f"s{number:02d}", GRID, prediction, reference)


def folds(what: str, subjects: int = 24, among: int = 3) -> "dict[int, list[HeldOutCase]]":
    return {
        fold: [case(number, what) for number in range(subjects) if number % among == fold]
        for fold in range(among)
    }


HELPS: "list[tuple[str, set[type[PostStep]]]]" = [
    ("speck", {KeepLargest, RemoveSmall}),
    ("hole", {FillHoles}),
    ("two parts", {RemoveSmall}),
]


@pytest.mark.parametrize(("what", "kinds"), HELPS)
def test_the_step_that_mends_it_is_taken(what: str, kinds: "set[type[PostStep]]") -> None:
    found = choose_steps(folds(what), ONE)
    assert len(found.steps) == 1
    assert type(found.steps[0]) in kinds
    # Every fold's choice comes from the others, and gains there what the step is worth.
    assert all(steps for _, steps in found.by_fold)
    assert found.gain is not None
    assert found.low is not None
    assert 0 < found.low <= found.gain
    assert [item.step for item in found.tried if item.taken] == list(found.steps)


def test_a_second_part_that_is_there_is_not_thrown_away() -> None:
    (step,) = choose_steps(folds("two parts"), ONE).steps
    assert isinstance(step, RemoveSmall)
    assert 8 * 8 < step.minimum_mm3 <= 8 * 125


@pytest.mark.parametrize(("what", "subjects"), [("perfect", 24), ("noise", 24), ("speck", 6)])
def test_nothing_is_taken_where_nothing_helps_beyond_noise(what: str, subjects: int) -> None:
    found = choose_steps(folds(what, subjects), ONE)
    assert found.steps == ()
    assert found.gain is None
    assert {steps for _, steps in found.by_fold} == {()}


def test_a_structure_that_is_not_there_may_be_found_nowhere() -> None:
    """Nodes in no reference, crumbs of them in every prediction: taking these off is a gain, from 0 to 1."""
    cases = folds("perfect")
    for some in cases.values():
        for one in some:
            one.prediction.setflags(write=True)
            one.prediction[20, 20, 2] = 2
    found = choose_steps(cases, TWO)
    assert found.gain == pytest.approx(0.5)
    for one in cases[0]:
        assert np.array_equal(postprocess(one.prediction, GRID, found.steps) == 2, np.zeros(GRID.shape))


def test_what_is_kept_beside_the_folds_gives_the_same_choice(tmp_path: Path) -> None:
    from medseg.training.heldout import _dump

    for fold, cases in folds("speck").items():
        place = tmp_path / f"fold{fold}/heldout"
        place.mkdir(parents=True)
        for one in cases:
            (place / f"{one.id}.npz").write_bytes(_dump(one))
    names = [tmp_path / f"fold{fold}" for fold in range(3)]
    assert kept_choice(tmp_path) is None
    assert chosen_steps(tmp_path, names[:1], ONE) is None
    found = chosen_steps(tmp_path, names, ONE)
    assert found == choose_steps(folds("speck"), ONE) == kept_choice(tmp_path)
    # A file that a kill cut is no case, and a fold without cases has no choice.
    (tmp_path / "postprocessing.json").unlink()
    for path in (tmp_path / "fold2/heldout").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    assert chosen_steps(tmp_path, names, ONE) is None


def test_cropping_changes_no_step() -> None:
    for what in ("speck", "hole", "two parts"):
        whole, part = case(3, what), cropped(case(3, what))
        assert part.prediction.size < whole.prediction.size
        for step in (KeepLargest((1,)), FillHoles(1), RemoveSmall((1,), 100.0)):
            sizes = [int(postprocess(one.prediction, one.grid, (step,)).sum()) for one in (whole, part)]
            assert sizes[0] == sizes[1]


def test_filling_gives_a_label_only_what_was_background() -> None:
    labels = np.ones((7, 7, 7), np.uint8)
    labels[1:6, 1:6, 1:6] = 0
    labels[3, 3, 3] = 2
    found = postprocess(labels, Grid((7, 7, 7), np.eye(4)), (FillHoles(1),))
    assert found[3, 3, 3] == 2
    assert (found == 1).sum() == 7**3 - 1
    open_ring = labels.copy()
    open_ring[3, 3, 0] = 0
    assert (postprocess(open_ring, Grid((7, 7, 7), np.eye(4)), (FillHoles(1),)) == open_ring).all()


WORDS = [
    (KeepLargest((1, 2)), "only the largest component of tumour, node is kept"),
    (RemoveSmall((2,), 30.0), "components of node below 30 mm³ are removed"),
    (FillHoles(1), "holes of tumour are filled"),
]


@pytest.mark.parametrize(("step", "words"), WORDS)
def test_steps_in_words(step: PostStep, words: str) -> None:
    assert step_words(step, TWO) == words
