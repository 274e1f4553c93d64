"""Sets that label different things train one network: what each mask says counts, and what it does not say never."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from medseg.domain import Case, ChannelFile, Dataset, Grid, Label, LabelTable, Run
from medseg.errors import ConfigError, LabelError
from medseg.io.datasets import make_split
from medseg.models import read_card
from medseg.training import load_config, open_data, train
from medseg.training.assemble import dice_table, quality_of_folds
from medseg.training.cache import build_cache
from medseg.training.calibrate import calibration_of
from medseg.training.cases import load_case
from medseg.training.check import check_cases
from medseg.training.config import LossConfig
from medseg.training.heldout import HeldOutCase, Shares
from medseg.training.judged import JudgedLoss
from medseg.training.patches import Patches
from medseg.training.run_folder import card_from, open_run
from medseg.training.sets import SetConfig, labels_of_set
from medseg.training.validate import subject_dice
from medseg.workflows.plan import plan_files
from medseg.workflows.training_page import write_training_page
from tests.training.test_journey import TINY, write
from tests.training.test_patches import Case as Patch
from tests.training.test_patches import dots

BALL, CUBE = 1, 2
LABELS = LabelTable((Label(BALL, "ball"), Label(CUBE, "cube")))
TABLE = "labels={labels: [{value: 1, name: ball}, {value: 2, name: cube}]}"


def scene(seed: int, size: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """An image with a bright ball and a less bright cube at places of their own, and where both are."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((size,) * 3, np.uint8)
    place = np.moveaxis(np.indices(labels.shape), 0, -1)
    middle = np.array([6, *rng.integers(7, size - 7, 2)])
    labels[((place - middle) ** 2).sum(-1) <= 16] = BALL
    low = np.array([size - 9, *rng.integers(3, size - 10, 2)])
    labels[tuple(slice(start, start + 6) for start in low)] = CUBE
    image = np.choose(labels, [0.0, 200.0, 100.0]) + rng.normal(0, 8, labels.shape)
    return image.astype(np.float32), labels


def decathlon(folder: Path, names: dict[str, str], values: dict[int, int], seeds: range, who: str) -> Path:
    """A set that labels some of what its images show, in values and names of its own."""
    for number in seeds:
        image, both = scene(number)
        mask = np.zeros_like(both)
        for ours, theirs in values.items():
            mask[both == ours] = theirs
        write(folder / f"imagesTr/{who}{number}.nii.gz", image)
        write(folder / f"labelsTr/{who}{number}.nii.gz", mask)
    content = {
        "name": folder.name,
        "modality": {"0": "MRI"},
        "labels": {"0": "background", **names},
        "training": [
            {"image": f"imagesTr/{who}{number}.nii.gz", "label": f"labelsTr/{who}{number}.nii.gz"}
            for number in seeds
        ],
    }
    (folder / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def two_sets(folder: Path, balls: int = 3, cubes: int = 2) -> Path:
    """Set A labels balls as 7, set B cubes as 1; the images of both show both."""
    decathlon(folder / "A", {"7": "Ball"}, {BALL: 7}, range(balls), "a")
    decathlon(folder / "B", {"1": "cube"}, {CUBE: 1}, range(10, 10 + cubes), "b")
    return folder


def configured(folder: Path, *more: str) -> Any:
    sets = [
        {"name": "A", "root": str(folder / "A"), "holds": ["ball"]},
        {"name": "B", "root": str(folder / "B"), "holds": ["cube"]},
    ]
    return load_config("hippocampus_3d", [*TINY, TABLE, f"data.sets={json.dumps(sets)}", *more])


def joined_case(folder: Path, number: int) -> Any:
    config = configured(folder)
    dataset = open_data(config)
    return load_case(dataset.cases[number], config, {config.reference: config.reference})


# What the loss counts


def marginal(logits: torch.Tensor, classes: torch.Tensor, held: list[bool], settings: LossConfig) -> Any:
    value = logits.clone().requires_grad_()
    loss = JudgedLoss(settings)(value, classes, torch.tensor([held] * len(logits)))
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach(), value.grad


def test_the_loss_is_that_of_background_and_what_the_set_does_not_hold_together() -> None:
    """One voxel of each class, shares 0.5 (background), 0.3 (ball), 0.2 (cube); the set holds balls alone."""
    shares = torch.tensor([0.5, 0.3, 0.2])
    logits = shares.log().reshape(1, 3, 1, 1).expand(1, 3, 2, 1).clone()
    classes = torch.tensor([0, BALL]).reshape(1, 1, 2, 1)
    settings = LossConfig(dice=0.0)
    loss, gradient = marginal(logits, classes, [True, True, False], settings)
    assert float(loss) == pytest.approx(-(np.log(0.5 + 0.2) + np.log(0.3)) / 2)
    # d/dz_c of −log(p_0 + p_c) is p_c − p_c / (p_0 + p_c); of −log p_1 it is p_c.
    expected = [(0.5 - 0.5 / 0.7) / 2, 0.3 / 2, (0.2 - 0.2 / 0.7) / 2]
    assert gradient[0, :, 0, 0].tolist() == pytest.approx(expected, rel=1e-5)
    assert gradient[0, :, 1, 0].tolist() == pytest.approx([0.5 / 2, (0.3 - 1) / 2, 0.2 / 2], rel=1e-5)


LOSSES = [
    LossConfig(dice=0.0),
    LossConfig(cross_entropy=0.0),
    LossConfig(batch_dice=True),
    LossConfig(include_background=True),
]


@pytest.mark.parametrize("settings", LOSSES)
def test_a_label_that_is_not_held_is_neither_rewarded_nor_punished(settings: LossConfig) -> None:
    """Whatever goes from background to the label, or back, changes nothing: that part of the gradient is exactly 0."""
    torch.manual_seed(0)
    logits, classes = torch.randn(2, 3, 4, 4, 4, dtype=torch.float64), torch.randint(0, 2, (2, 1, 4, 4, 4))
    _, gradient = marginal(logits, classes, [True, True, False], settings)
    shares = torch.softmax(logits, 1)
    # A step that takes d from p_0 and gives it to p_2 moves the logits by −d/p_0 and d/p_2.
    exchange = gradient[:, 2] / shares[:, 2] - gradient[:, 0] / shares[:, 0]
    assert float(exchange.abs().max()) < 1e-15
    assert float(gradient[:, 1].abs().max()) > 0
    moved = shares.clone()
    moved[:, 0], moved[:, 2] = 0.25 * shares[:, 0], shares[:, 2] + 0.75 * shares[:, 0]
    held = torch.tensor([[True, True, False]] * 2)
    loss = JudgedLoss(settings)
    assert float(loss(moved.log(), classes, held)) == pytest.approx(
        float(loss(logits, classes, held)), rel=1e-12
    )


@pytest.mark.parametrize("settings", LOSSES)
def test_where_the_rest_is_ruled_out_a_label_that_is_not_held_has_no_gradient_at_all(
    settings: LossConfig,
) -> None:
    """Background is sure not to be a ball: then background or cube is right, and nothing pulls at either."""
    logits = torch.randn(1, 3, 4, 4, 4)
    logits[:, 1] = -torch.inf
    _, gradient = marginal(
        logits, torch.zeros(1, 1, 4, 4, 4, dtype=torch.long), [True, True, False], settings
    )
    assert not gradient[:, 2].any()


def test_a_label_that_no_patch_of_the_batch_holds_takes_no_part_in_the_mean() -> None:
    """A perfect ball has loss 0, whether or not cubes are held by nobody."""
    classes = torch.zeros(1, 1, 4, 4, 4, dtype=torch.long)
    classes[..., :2] = BALL
    logits = torch.full((1, 3, 4, 4, 4), -50.0)
    logits.scatter_(1, classes, 50.0)
    worse = logits.clone()
    worse[:, 1] = 0.0
    worse[:, 0] = 0.0
    settings = LossConfig(cross_entropy=0.0)
    assert float(marginal(logits, classes, [True, True, False], settings)[0]) == pytest.approx(0.0, abs=1e-6)
    # Half of every voxel's share is a ball: Dice 2·32·½ / (64·½ + 32) = ½, of balls alone.
    assert float(marginal(worse, classes, [True, True, False], settings)[0]) == pytest.approx(0.5, abs=1e-5)


def test_patches_of_a_batch_count_each_what_its_own_set_holds() -> None:
    torch.manual_seed(1)
    logits, classes = torch.randn(2, 3, 4, 4, 4), torch.randint(0, 2, (2, 1, 4, 4, 4))
    classes[1] *= CUBE
    held = torch.tensor([[True, True, False], [True, False, True]])
    loss = JudgedLoss(LossConfig())
    apart = [loss(logits[n : n + 1], classes[n : n + 1], held[n : n + 1]) for n in range(2)]
    assert float(loss(logits, classes, held)) == pytest.approx(float(sum(apart)) / 2, rel=1e-6)


def test_a_batch_of_sets_that_hold_all_is_learned_as_ever() -> None:
    torch.manual_seed(2)
    logits, classes = torch.randn(2, 3, 4, 4, 4), torch.randint(0, 3, (2, 1, 4, 4, 4))
    loss = JudgedLoss(LossConfig())
    assert torch.equal(loss(logits, classes, torch.ones(2, 3, dtype=torch.bool)), loss(logits, classes))


# What the masks of a set mean

#: What it holds, values given, background, names in its files → value there → value of the network, or what is said.
MEANINGS: list[tuple[dict[str, Any], dict[int, str] | None, Any]] = [
    ({"holds": ["ball"]}, {7: "Ball"}, ((7, 1),)),
    ({"holds": ["cube"]}, {1: "large cube", 2: "egg"}, ((1, 2),)),
    ({"holds": ["ball", "cube"]}, None, ((1, 1), (2, 2))),
    ({"holds": ["cube"], "values": {"cube": 5}}, None, ((5, 2),)),
    ({"holds": ["cube"], "values": {"cube": 5}}, {1: "cube"}, ((5, 2),)),
    ({"holds": ["ball"], "background": ["egg", 9]}, {1: "ball", 2: "egg"}, ((1, 1), (2, 0), (9, 0))),
    ({"holds": ["ball"]}, {1: "egg"}, "its labels are egg"),
    ({"holds": ["ball"]}, {1: "red ball", 2: "blue ball"}, "its labels are red ball, blue ball"),
    ({"holds": ["ball", "cube"]}, {1: "ball cube"}, "value 1 of S has two meanings"),
    ({"holds": ["ball"], "background": ["hen"]}, {1: "ball"}, "'hen', which is none of its labels"),
    ({"holds": ["ball"], "background": [1]}, {1: "ball"}, "value 1 of S has two meanings"),
    ({"holds": ["ball"], "ignore": 1}, {1: "ball"}, "value 1 of S has two meanings"),
]


@pytest.mark.parametrize(("said", "names", "expected"), MEANINGS)
def test_a_set_is_read_by_its_own_names(
    said: dict[str, Any], names: dict[int, str] | None, expected: Any
) -> None:
    item = SetConfig("S", **said)
    table = None if names is None else LabelTable(tuple(Label(*pair) for pair in names.items()))
    if isinstance(expected, str):
        with pytest.raises(ConfigError, match=expected):
            labels_of_set(item, table, LABELS)
    else:
        assert labels_of_set(item, table, LABELS).values == expected


def test_cases_are_read_in_the_values_of_the_network(tmp_path: Path) -> None:
    two_sets(tmp_path)
    dataset = open_data(configured(tmp_path))
    assert [case.id for case in dataset.cases] == ["A-a0", "A-a1", "A-a2", "B-b10", "B-b11"]
    for number, seed, value in ((0, 0, BALL), (3, 10, CUBE)):
        _, both = scene(seed)
        assert np.array_equal(joined_case(tmp_path, number).labels, np.where(both == value, value, 0))


def test_what_a_mask_holds_beyond_its_set_is_refused_with_what_to_do(tmp_path: Path) -> None:
    two_sets(tmp_path)
    _, both = scene(0)
    write(
        tmp_path / "A/labelsTr/a0.nii.gz",
        np.where(both == BALL, 7, np.where(both == CUBE, 3, 0)).astype(np.uint8),
    )
    with pytest.raises(LabelError, match=r"case A-a0: its mask holds 3 .*'holds' of data.sets.A"):
        joined_case(tmp_path, 0)


#: Changes of a configuration that fits → what is said.
WRONG = [
    ("data.sets.A.holds=[cube]", "no set holds ball"),
    ("data.sets.A.holds=[egg]", "holds 'egg', which is no label"),
    ("data.sets.A.holds=[]", "holds at least one label"),
    ("data.sets.A.name=b", "two sets are called"),
    ("data.sets.A.name=../a", "can begin the name of a file"),
    ("data.sets.A.values={cube: 3}", "a value for 'cube', which it does not hold"),
    ("data.root=x", "each set has its own root"),
    ("data.ignore=9", "each set has its own root, cases and ignore"),
    ("data.sets.C.root=x", "no group of keys"),
    ("data.sets=[{name: A, holds: [ball, cube], hold: [x]}]", "hold"),
]


@pytest.mark.parametrize(("override", "said"), WRONG)
def test_sets_that_contradict_are_refused(override: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        configured(tmp_path, override)


def test_a_set_without_a_place_or_a_channel_is_named(tmp_path: Path) -> None:
    two_sets(tmp_path)
    with pytest.raises(ConfigError, match=r"data\.sets\.A\.root=FOLDER"):
        open_data(configured(tmp_path, "data.sets.A.root=null"))
    content = (tmp_path / "B/dataset.json").read_text("utf-8")
    (tmp_path / "B/dataset.json").write_text(
        content.replace('{"0": "MRI"}', '{"0": "CT", "1": "PET"}'), "utf-8"
    )
    with pytest.raises(ConfigError, match="the set B does not fit the channels"):
        open_data(configured(tmp_path))


def test_the_same_image_in_two_sets_is_refused(tmp_path: Path) -> None:
    two_sets(tmp_path)
    write(tmp_path / "B/imagesTr/b10.nii.gz", scene(1)[0])
    config = configured(tmp_path)
    plan = open_run(config, open_data(config), tmp_path / "run")
    cache = build_cache(plan, card_from(config), Run(device="cpu"))
    with pytest.raises(ConfigError, match="A-a1 and B-b10 of two sets show the same image"):
        check_cases(plan, cache)


# Who stands in which fold, and how often what is drawn


def people(names: dict[str, list[str]]) -> Dataset:
    meaning = {name: labels_of_set(SetConfig(name, ("ball",)), None, LABELS) for name in names}
    cases = [
        Case(f"{name}-{who}", who, (ChannelFile("image", "x"),), "y", labels=meaning[name])
        for name, all_of_them in names.items()
        for who in all_of_them
    ]
    return Dataset("A + B", "sets", tuple(sorted(cases, key=lambda case: case.id)), ("image",))


def test_every_fold_has_its_share_of_each_set_and_nobody_stands_in_two() -> None:
    found = people({"A": [f"p{n:02d}" for n in range(20)], "B": ["p03", "q1", "q2", "q3", "q4"]})
    for seed in range(5):
        split = make_split(found, folds=5, seed=seed)
        assert sorted(name for fold in split.folds for name in fold) == sorted(found.subjects)
        assert all(sum(name.startswith("p") for name in fold) == 4 for fold in split.folds)
        assert all(sum(name.startswith("q") for name in fold) <= 1 for fold in split.folds)


def test_equal_names_of_subjects_are_asked_for(tmp_path: Path) -> None:
    two_sets(tmp_path)
    decathlon(tmp_path / "B", {"1": "cube"}, {CUBE: 1}, range(2, 4), "a")
    with pytest.raises(ConfigError, match=r"1 subjects stand in more than one set \(a2\)"):
        open_data(configured(tmp_path))
    one = open_data(configured(tmp_path, "data.subjects=shared"))
    assert [case.subject for case in one.cases if case.id.endswith("a2")] == ["a2", "a2"]
    own = open_data(configured(tmp_path, "data.subjects=own"))
    assert [case.subject for case in own.cases if case.id.endswith("a2")] == ["A:a2", "B:a2"]


@pytest.mark.parametrize(("balance", "expected"), [("sets", (60, 60)), ("cases", (110, 10))])
def test_a_small_set_is_drawn_as_often_as_a_large_one(balance: str, expected: tuple[int, int]) -> None:
    config: Any = SimpleNamespace(
        loop=SimpleNamespace(foreground=0.0),
        network=SimpleNamespace(dimensions=3, out_channels=3),
        data=SimpleNamespace(balance=balance),
        patch=(2, 2, 2),
        augmentation=None,
    )
    empty = dots((4, 4, 4))
    cases: Any = [Patch(number, empty, "A", (BALL,)) for number in range(11)] + [
        Patch(99, empty, "B", (CUBE,))
    ]
    made = Patches(cases, config, 0, augment=False)
    drawn = [made[number] for number in range(120)]
    counts = Counter(int(image[0, 0, 0, 0]) for image, _, _ in drawn)
    assert (120 - counts[99], counts[99]) == expected
    assert max(counts[number] for number in range(11)) - min(counts[number] for number in range(11)) <= 1
    for image, _, held in drawn:
        assert held.tolist() == ([True, False, True] if float(image.max()) == 99 else [True, True, False])


# Who judges what

GRID = Grid((4, 4, 4), np.eye(4))


def judged(name: str, held: tuple[int, ...], *, found: int, there: int) -> HeldOutCase:
    """Of each label `found` voxels are found and `there` are there."""
    prediction, reference = (np.zeros((4, 4, 4), np.uint16) for _ in range(2))
    for value in (BALL, CUBE):
        prediction[value].flat[:found] = value
        if value in held:
            reference[value].flat[:there] = value
    return HeldOutCase(f"{name}-1", f"{name}1", GRID, prediction, reference, None, None, name, held)


def test_a_label_is_judged_only_by_the_sets_that_hold_it() -> None:
    cases = [judged("A", (BALL,), found=6, there=2), judged("B", (CUBE,), found=4, there=4)]
    rows = subject_dice(cases, LABELS, fold=0)
    assert [(row.subject, row.target, row.dice, row.sets) for row in rows] == [
        ("A1", "ball", 0.5, "A"),
        ("B1", "cube", 1.0, "B"),
    ]
    notes = {item.label: item.note for item in quality_of_folds(rows, command="", note="x")}
    assert notes == {"ball": "x; of set A", "cube": "x; of set B"}
    assert dice_table(rows).decode().splitlines()[1:] == [
        "0,A1,ball,0.5,2,6,1,0.001,A",
        "0,B1,cube,1.0,4,4,1,0.001,B",
    ]
    alone = [replace(row, sets="") for row in rows]
    assert dice_table(alone).decode().splitlines()[0].endswith("voxel_ml")


def test_probabilities_of_what_a_set_does_not_hold_count_as_background() -> None:
    """Networks that are sure of cubes where the masks of A say nothing of cubes are no worse calibrated for it."""
    sure = np.zeros((400, 3), np.float32)
    sure[:, CUBE] = 1.0
    half = np.zeros((400, 3), np.float32)
    half[:, :2] = [0.25, 0.75]
    came = (np.arange(400) % 4 > 0).astype(np.intp)

    def case(name: str, values: np.ndarray, classes: np.ndarray) -> HeldOutCase:
        base = judged(name, (BALL,), found=0, there=0)
        return replace(base, subject=name, shares=Shares(values, classes))

    folds = {
        fold: (case(f"a{fold}", half, came), case(f"b{fold}", sure, np.zeros(400, np.intp)))
        for fold in (0, 1)
    }
    found = calibration_of(folds, LABELS.values)
    assert found is not None
    assert found.temperature == pytest.approx(1.0, abs=1e-3)
    assert found.before.error == pytest.approx(0.0, abs=1e-6)


# All of it


def test_the_card_says_what_comes_from_which_set(tmp_path: Path) -> None:
    two_sets(tmp_path)
    config = configured(tmp_path)
    plan = open_run(config, open_data(config), tmp_path / "run")
    facts = dict(card_from(config, plan).trained)
    assert facts["data"] == "A + B"
    assert str(facts["set A"]).startswith("3 cases of 3 subjects, holds ball; cases ")
    assert str(facts["set B"]).startswith("2 cases of 2 subjects, holds cube; cases ")
    codes = [
        item.message for item in check_cases(plan, build_cache(plan, card_from(config), Run(device="cpu")))
    ]
    assert "Masks of the set A: 7 is 'ball'." in codes
    moved = configured(tmp_path, "data.sets.A.root=elsewhere")
    assert moved.digest == config.digest
    assert configured(tmp_path, "data.balance=cases").digest != config.digest


@pytest.mark.slow
def test_one_network_learns_balls_from_one_set_and_cubes_from_another(tmp_path: Path) -> None:
    import medseg

    two_sets(tmp_path, balls=6, cubes=3)
    config = configured(
        tmp_path,
        "data.folds=3",
        "loop.steps=120",
        "loop.batch=2",
        "loop.checkpoint_every=60",
        "optimiser.lr=0.01",
        "network.filters=[8,16,16]",
        "augmentation={}",
    )
    bundle = train(config, open_data(config), tmp_path / "run", Run(device="cpu"), fold=0, command="x")
    image, both = scene(99)
    write(tmp_path / "new.nii.gz", image)
    found = medseg.segment(str(bundle), medseg.read(tmp_path / "new.nii.gz")).labels
    for value in (BALL, CUBE):
        one, two = found == value, both == value
        assert 2 * (one & two).sum() / (one.sum() + two.sum()) > 0.8
    quality = {item.label: item for item in read_card(bundle).quality}
    assert [quality[name].note.rpartition("; ")[2] for name in ("ball", "cube")] == ["of set A", "of set B"]
    assert (quality["ball"].cases, quality["cube"].cases) == (2, 1)
    page = write_training_page(open_run(config, open_data(config), tmp_path / "run"), Run(device="cpu"))
    text = page.read_text("utf-8")
    assert "<th>Judged on</th>" in text
    assert "Set A: 6 cases of 6 subjects, holds ball" in text
    assert str(tmp_path) not in (bundle / "plan.yaml").read_text("utf-8")


def test_a_plan_for_several_sets_trains_as_it_is(tmp_path: Path) -> None:
    two_sets(tmp_path)
    plan_files([tmp_path / "A", tmp_path / "B"], tmp_path / "plan.yaml", trial=False)
    config: Any = load_config(tmp_path / "plan.yaml")
    assert [(item.name, item.holds, item.values) for item in config.data.sets] == [
        ("A", ("Ball",), {"Ball": 7}),
        ("B", ("cube",), {"cube": 1}),
    ]
    assert [(label.value, label.name) for label in config.labels.labels] == [(1, "Ball"), (2, "cube")]
    text = (tmp_path / "plan.yaml").read_text("utf-8")
    for words in ("A says nothing of cube; B says nothing of Ball", "balance: cases", "Ball in 3 of 5 cases"):
        assert words in " ".join(text.replace("#", "").split())
    dataset = open_data(config)
    _, both = scene(10)
    cube = load_case(dataset.cases[3], config, {config.reference: config.reference}).labels
    assert np.array_equal(cube, np.where(both == CUBE, 2, 0))


def test_a_plan_asks_whether_equal_names_are_one_person(tmp_path: Path) -> None:
    two_sets(tmp_path)
    decathlon(tmp_path / "B", {"1": "cube"}, {CUBE: 1}, range(2, 4), "a")
    sets = [tmp_path / "A", tmp_path / "B"]
    with pytest.raises(ConfigError, match="stand in more than one set"):
        plan_files(sets, tmp_path / "plan.yaml", trial=False)
    plan_files(sets, tmp_path / "plan.yaml", trial=False, subjects="own")
    config: Any = load_config(tmp_path / "plan.yaml")
    assert config.data.subjects == "own"
    assert len(open_data(config).subjects) == 5


def test_a_set_without_names_can_not_be_planned_with_others(tmp_path: Path) -> None:
    two_sets(tmp_path)
    for number in (1, 2):
        image, both = scene(number)
        write(tmp_path / f"C/s{number}.nii.gz", image)
        write(tmp_path / f"C/s{number}_mask.nii.gz", both)
    with pytest.raises(ConfigError, match="C does not name its labels"):
        plan_files([tmp_path / "A", tmp_path / "C"], tmp_path / "plan.yaml", trial=False)
