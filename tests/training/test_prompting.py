"""Training a promptable network: where the robot clicks, which windows it learns from, what is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Run
from medseg.errors import ConfigError
from medseg.training.config import PromptConfig, load_config
from medseg.training.prompt_settings import PromptTraining
from medseg.training.prompting.objects import ClickWindows, ObjectCase, held_out_cases, prepare_objects
from medseg.training.prompting.robot import next_click

SHAPE = (20, 18, 16)


def box(*ends: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(SHAPE, np.bool_)
    mask[tuple(slice(*end) for end in ends)] = True
    return mask


NOTHING = np.zeros(SHAPE, np.bool_)
LARGE, SMALL = box((2, 9), (2, 9), (2, 9)), box((12, 15), (12, 15), (12, 15))


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        (NOTHING, LARGE | SMALL, ((5, 5, 5), True)),
        (LARGE, LARGE | SMALL, ((13, 13, 13), True)),
        (LARGE | box((12, 17), (2, 7), (2, 7)), LARGE | SMALL, ((14, 4, 4), False)),
        (LARGE, LARGE, None),
    ],
    ids=["the-largest-missed", "what-is-left", "what-is-too-much", "nothing-wrong"],
)
def test_the_robot_clicks_deepest_in_the_largest_error(
    answer: np.ndarray, reference: np.ndarray, expected: Any
) -> None:
    assert next_click(answer, reference, None) == expected


def test_a_hasty_robot_clicks_anywhere_in_the_same_error() -> None:
    clicks = {next_click(LARGE, LARGE | SMALL, np.random.default_rng(seed)) for seed in range(40)}
    assert len(clicks) > 10
    assert all(click is not None and click[1] and SMALL[click[0]] for click in clicks)


@pytest.fixture
def settings() -> PromptTraining:
    config = load_config("promptable")
    assert isinstance(config, PromptConfig)
    return config.prompts


@pytest.fixture
def sets(tmp_path: Path) -> tuple[tuple[ObjectCase, ...], ...]:
    """Two sets of one case: a ball with two halves in the one, a small box in the other."""
    place = np.moveaxis(np.indices((48, 40, 44)), 0, -1)
    ball = np.linalg.norm(place - (24, 20, 22), axis=-1) <= 12
    labels = np.where(ball, np.where(place[..., 0] < 24, 1, 2), 0)
    found = []
    for name, mask, kinds in (("ball", labels, ((1,), (1, 2))), ("box", (labels == 1) * 1, ((1,),))):
        values, classes = tmp_path / f"{name}.values.npy", tmp_path / f"{name}.labels.npy"
        np.save(values, (100 + 400.0 * (mask > 0)).astype(np.float16))
        np.save(classes, mask.astype(np.uint8))
        found.append((ObjectCase(name, str(values), str(classes), kinds),))
    return tuple(found)


def test_a_window_is_the_same_whenever_it_is_asked_for(settings: PromptTraining, sets: Any) -> None:
    one, other = ClickWindows(sets, settings, 3), ClickWindows(sets, settings, 3)
    last = [one[number] for number in range(5)][4]
    for mine, theirs in zip(last, other[4], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert not np.array_equal(ClickWindows(sets, settings, 4)[4][0], last[0])


def test_windows_show_the_object_bright_and_at_many_sizes(settings: PromptTraining, sets: Any) -> None:
    windows = ClickWindows(sets, settings, 0)
    shares = []
    for number in range(24):
        image, target = (part.numpy() for part in windows[number])
        assert image.shape == (1, *settings.window)
        inside = target > 0
        shares.append(inside.mean())
        assert 12 <= inside.sum() < inside.size
        assert image[0][inside].mean() > image[0][~inside].mean() + 0.5
    assert max(shares) > 3 * min(shares)


def test_the_last_steps_learn_what_is_meant_most_often(settings: PromptTraining, sets: Any) -> None:
    """Of the ball, halves and whole; at the end the whole alone."""
    first = replace(settings.sets[0], objects=((1,), (1, 2)), last_objects=((1, 2),))
    wish = replace(settings, sets=(first, settings.sets[1]), steps=30, last_steps=15, batch=2, turn=0.0)
    windows = ClickWindows(sets, wish, 0)
    kinds = [windows._kinds(sets[0][0], number) for number in (0, 28, 30, 58)]
    assert kinds == [((1,), (1, 2)), ((1,), (1, 2)), ((1, 2),), ((1, 2),)]
    assert windows._kinds(sets[1][0], 59) == ((1,),)


def test_nobody_held_out_is_learned_from(
    settings: PromptTraining, data: Callable[[str], Path], tmp_path: Path
) -> None:
    chosen = replace(settings, root=str(data("sarcoma").parent), sets=settings.sets[1:])
    (sarcoma,) = chosen.sets
    held = {case.id for case in held_out_cases(sarcoma, chosen)}
    (learned,) = prepare_objects(chosen, tmp_path, Run())
    known = {case.id for case in learned}
    assert len(held) == 11
    assert len(known) == 20
    assert not held & known


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("prompts.most_clicks=0", "most_clicks"),
        ("prompts.random_clicks=2", "shares from 0 to 1"),
        ("prompts.share=[0.5,0.1]", "prompts.share"),
        ("prompts.network.in_channels=1", "4 inputs"),
        ("prompts.window=[44,48,48]", "no multiple"),
        ("prompts.clicks.radius_steps=0", "positive radius"),
        ("prompts.most_click=3", "did you mean 'prompts.most_clicks'"),
    ],
)
def test_what_can_not_be_is_refused_in_words(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config("promptable", [override])
