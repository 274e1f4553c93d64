"""Weights of a model as the start of another: by name, in our order of axes, with what is new told apart."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Case, ChannelFile, ChannelSpec, Dataset, Label, LabelTable
from medseg.domain.recipe import AnchoredGrid, Before, Decision, StoredGrid
from medseg.errors import ConfigError
from medseg.models import load_weights, read_card, write_bundle
from medseg.networks import build, load_state, tensors_of
from medseg.training import load_config
from medseg.training.config import StartConfig, TrainConfig, changed_config
from medseg.training.module import SegmentationModule
from medseg.training.naming import same_name
from medseg.training.start import begin_from, require_startable, start_of
from medseg.workflows.fine_tune import StartWish, _verdict, begun, config_of_model
from tests.inference.conftest import make_card

T1, FLAIR = ChannelSpec("t1", "MR"), ChannelSpec("flair", "MR")
WINDOW = (8, 8, 8)


def table(*names: str) -> LabelTable:
    return LabelTable(tuple(Label(number, name) for number, name in enumerate(names, start=1)))


def model(folder: Path, names: "tuple[str, ...]" = ("core", "oedema"), **changes: Any) -> Path:
    """A bundle with weights as they are drawn."""
    import torch

    changes = {"channels": (T1,), "labels": len(names), **changes}
    card = make_card(table=table(*names), **changes)
    states = []
    for seed in range(2):
        torch.manual_seed(seed)
        states.append({name: value.detach() for name, value in tensors_of(build(card.network)).items()})
    write_bundle(folder, card, states)
    return folder


def dataset(
    channels: "tuple[str, ...]" = ("t1",), names: LabelTable | None = None, subjects: int = 8
) -> Dataset:
    cases = tuple(
        Case(
            f"c{at}",
            f"s{at}",
            tuple(ChannelFile(name, f"{name}{at}.nii.gz") for name in channels),
            "m.nii.gz",
        )
        for at in range(subjects)
    )
    return Dataset("made", "pairs", cases, channels, names)


def started(folder: Path, data: Dataset, *overrides: str, freeze: bool = False) -> TrainConfig:
    config = begun(None, data, StartWish(f"{folder}/", freeze))
    return changed_config(config, overrides) if overrides else config


def logits(network: Any, windows: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        return network.eval()(torch.from_numpy(windows.astype(np.float32))).numpy()


def theirs(folder: Path, windows: np.ndarray, fold: int = 0) -> np.ndarray:
    card = read_card(folder)
    network = build(card.network)
    load_state(network, load_weights(card, folder)[fold])
    return logits(network, windows)


def ours(config: TrainConfig, windows: np.ndarray, fold: int = 0) -> np.ndarray:
    network = build(config.network)
    begin_from(network, config, fold)
    return logits(network, windows)


@pytest.fixture
def windows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(1, 1, *WINDOW))


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_with_the_same_labels_it_begins_as_the_model_is(
    fold: int, tmp_path: Path, windows: np.ndarray
) -> None:
    folder = model(tmp_path / "m")
    config = started(folder, dataset())
    assert np.array_equal(ours(config, windows, fold), theirs(folder, windows, fold % 2))
    assert start_of(read_card(folder), config).words.endswith("keeps core, oedema; its stem keeps t1.")


def test_labels_are_found_by_name_and_others_are_new(tmp_path: Path, windows: np.ndarray) -> None:
    folder = model(tmp_path / "m")
    config = started(folder, dataset(names=table("necrosis", "Oedema", "core")))
    found, known = ours(config, windows), theirs(folder, windows)
    assert found[:, [0, 2, 3]] == pytest.approx(known[:, [0, 2, 1]], abs=1e-5)
    assert not any(np.allclose(found[:, 1], known[:, at], atol=1e-2) for at in range(3))
    words = start_of(read_card(folder), config).words
    assert "keeps Oedema, core and is drawn anew for necrosis" in words


def test_a_new_channel_changes_nothing_at_first(tmp_path: Path, windows: np.ndarray) -> None:
    folder = model(tmp_path / "m")
    config = started(folder, dataset(("flair", "t1")))
    assert [item.name for item in config.channels] == ["t1", "flair"]
    assert [(step.channel, step.step) for step in config.preprocessing] == [("flair", "zscore")]
    both = np.concatenate([windows, 50 * np.random.default_rng(1).normal(size=windows.shape)], axis=1)
    assert ours(config, both) == pytest.approx(theirs(folder, windows), abs=1e-4)
    assert "its stem keeps t1 and begins at 0 for flair" in start_of(read_card(folder), config).words


def test_a_channel_that_the_data_lack_is_left_out(tmp_path: Path, windows: np.ndarray) -> None:
    folder = model(tmp_path / "m", channels=(T1, FLAIR))
    config = started(folder, dataset(("flair",)))
    empty = np.concatenate([np.zeros_like(windows), windows], axis=1)
    assert ours(config, windows) == pytest.approx(theirs(folder, empty), abs=1e-4)


@pytest.mark.parametrize(
    "name",
    [
        "Dataset901_HippoTiny/nnUNetTrainer__nnUNetPlans__3d_fullres",
        "Dataset901_HippoTiny/nnUNetTrainer__nnUNetResEncUNetMPlans__3d_fullres",
    ],
)
def test_a_model_of_nnunet_is_turned_to_our_axes(
    name: str, data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medseg.models.foreign import Wanted
    from medseg.workflows.models import add_model

    monkeypatch.setattr("medseg.settings.own_models_folder", lambda: tmp_path)
    folder = add_model(data(f"nnunet/{name}"), Wanted("theirs")).folder
    card = read_card(folder)
    assert card.grid is not None
    config = started(folder, dataset(("MRI",), table("Anterior", "Posterior")))
    assert config.labels == card.table
    size = [2 * step for step in config.network.divisor]
    windows = np.random.default_rng(0).normal(size=(1, 1, *size))
    turned = windows.transpose(0, 1, *(2 + axis for axis in card.grid.axes))
    back = theirs(folder, turned).transpose(0, 1, *(2 + card.grid.axes.index(axis) for axis in range(3)))
    assert ours(config, windows) == pytest.approx(back, abs=2e-3)


@pytest.mark.parametrize(("channels", "stem_learns"), [(("t1",), False), (("t1", "flair"), True)])
def test_a_frozen_encoder_stays_but_for_a_stem_with_a_new_channel(
    channels: "tuple[str, ...]", stem_learns: bool, tmp_path: Path
) -> None:
    import torch

    config = started(model(tmp_path / "m"), dataset(channels), freeze=True)
    module = SegmentationModule(config, lambda network: begin_from(network, config, 0))
    before = {name: value.clone() for name, value in tensors_of(module.network).items()}
    optimiser = module.configure_optimizers()["optimizer"]
    image = torch.rand(2, len(channels), *WINDOW)
    module.loss_of(image, torch.ones(2, 1, *WINDOW, dtype=torch.long)).backward()
    optimiser.step()
    changed = {
        name for name, value in tensors_of(module.network).items() if not torch.equal(value, before[name])
    }
    assert any(name.startswith("upsamples.") for name in changed)
    assert any(name.startswith("output_block.") for name in changed)
    encoder = {name for name in changed if name.startswith(("input_block.", "downsamples.", "bottleneck."))}
    assert encoder == ({"input_block.conv1.conv.weight"} if stem_learns else set())


def test_another_network_is_refused_by_name(tmp_path: Path) -> None:
    config = started(model(tmp_path / "m"), dataset(), "network.filters=[4,8,16]")
    with pytest.raises(ConfigError, match=r"another network .* is \(8,.*, not \(16"):
        begin_from(build(config.network), config, 0)


def test_another_model_in_its_place_is_refused(tmp_path: Path) -> None:
    config = started(model(tmp_path / "m"), dataset())
    assert config.start is not None
    other = replace(config, start=replace(config.start, digest="0" * 64))
    with pytest.raises(ConfigError, match="another one than the run began from"):
        begin_from(build(other.network), other, 0)


def test_data_with_no_channel_of_the_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name them alike"):
        started(model(tmp_path / "m", channels=(T1, FLAIR)), dataset(("ct", "pet")))


REFUSED: "list[tuple[str, dict[str, Any]]]" = [
    ("another model runs before", {"before": Before("parts/first", "box", (1,))}),
    (
        "regions that overlap",
        {
            "grid": StoredGrid((0, 1, 2), (1, 1, 1)),
            "spacing": None,
            "decision": Decision("sigmoid", order=(1, 1)),
        },
    ),
    ("orientation LPS", {"grid": AnchoredGrid("LPS", (1, 1, 1)), "spacing": None}),
    ("own spacing", {"grid": AnchoredGrid("RAS", (1, 1, 0)), "spacing": None}),
    ("slices", {"dimensions": 2, "grid": StoredGrid((2, 1, 0), (1, 1)), "spacing": None}),
]


@pytest.mark.parametrize(("why", "changes"), REFUSED)
def test_what_training_cannot_go_on_from(why: str, changes: "dict[str, Any]") -> None:
    with pytest.raises(ConfigError, match=why):
        require_startable(make_card(**changes))


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Anterior", "anterior hippocampus", True),
        ("left_kidney", "Left kidney", True),
        ("core", "Core", True),
        ("liver", "liver tumour", True),
        ("liver", "kidney", False),
        ("", "liver", False),
    ],
)
def test_names_of_labels(one: str, other: str, alike: bool) -> None:
    assert same_name(one, other) is alike
    assert same_name(other, one) is alike


def test_the_exact_name_goes_before_one_that_holds_it(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", ("liver tumour", "liver"))
    config = started(folder, dataset(names=table("liver", "liver tumour")))
    assert start_of(read_card(folder), config).outputs == (0, 2, 1)


@pytest.mark.parametrize(
    ("subjects", "asked", "held"), [(3, None, 0), (4, None, 1), (8, None, 2), (8, 3, 3), (8, 0, 0)]
)
def test_how_many_are_held_out(subjects: int, asked: int | None, held: int, tmp_path: Path) -> None:
    wish = StartWish(f"{model(tmp_path / 'm')}/", hold_out=asked)
    config = begun(None, dataset(subjects=subjects), wish)
    assert len(config.data.held_out) == held
    assert begun(None, dataset(subjects=subjects), wish) == config


def test_nobody_left_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing would be left"):
        begun(None, dataset(subjects=2), StartWish(f"{model(tmp_path / 'm')}/", hold_out=2))


def test_where_the_model_lies_is_no_part_of_the_plan() -> None:
    config = load_config("hippocampus_3d")
    assert isinstance(config, TrainConfig)
    some = replace(config, start=StartConfig("here", "ab"))
    assert some.digest != config.digest
    assert some.digest == replace(config, start=StartConfig("there", "ab")).digest
    assert some.digest != replace(config, start=StartConfig("here", "ab", "encoder")).digest


VERDICTS = [
    ([0.9, 0.8, 0.85, 0.9], [0.5, 0.4, 0.5, 0.45], "better"),
    ([0.5, 0.4, 0.5, 0.45], [0.9, 0.8, 0.85, 0.9], "worse"),
    ([0.7, 0.8, 0.6, 0.7], [0.8, 0.7, 0.7, 0.6], "alike"),
    ([0.9], [0.1], "unknown"),
]


@pytest.mark.parametrize(("new", "old", "word"), VERDICTS)
def test_the_verdict_is_that_of_the_paired_interval(
    new: "list[float]", old: "list[float]", word: str
) -> None:
    found = _verdict(np.array(new), np.array(old))
    assert found.word == word
    said = found.finding("m")
    assert said.severity == ("warning" if word == "worse" else "info")
    if word == "worse":
        assert "keep that one" in said.message


def test_a_table_with_sides_is_not_mirrored(tmp_path: Path) -> None:
    sides = LabelTable((Label(1, "left core", side="left"), Label(2, "right core", side="right")))
    folder = model(tmp_path / "m", mirror_axes=(0, 1))
    config = config_of_model(read_card(folder), dataset(names=sides))
    assert config.grid.mirror_axes == config.augmentation.flip_axes == (1,)
