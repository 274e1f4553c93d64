"""What a promptable network's segmenter does with prompts; the network is stood in for by a rule that is known."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import ChannelSpec, Grid, Image, ModelCard, Prompts
from medseg.domain.clicks import ClickRule
from medseg.domain.prompts import Box, Point, Stroke
from medseg.errors import ConfigError, InputError
from medseg.inference.prompted import PromptedSegmenter
from medseg.testing.contract import PROMISES, Promise
from medseg.testing.segmenters import Trial
from medseg.workflows.segment import segment
from tests.inference.conftest import StandIn, make_card

GRID = Grid((60, 50, 24), np.diag([1.0, 1.0, 2.0, 1.0]))
PLACE = np.moveaxis(np.indices(GRID.shape), 0, -1) * np.array(GRID.spacing)


def ball(middle: tuple[float, float, float], radius: float) -> np.ndarray:
    return np.asarray(np.linalg.norm(PLACE - middle, axis=-1) <= radius)


ONE, OTHER = ball((18, 24, 24), 10), ball((44, 24, 24), 8)
#: Two bright balls, dark as ground between them.
IMAGE = Image(np.where(ONE | OTHER, 100, 20).astype(np.float32), GRID, channel="image")
IN_ONE, IN_OTHER = (18.0, 24.0, 24.0), (44.0, 24.0, 24.0)


class Bright(StandIn):
    """Surely the object where it is brighter than half of a ball, and surely not within the bump of a click outside."""

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        self.seen.append(windows.copy())
        share = (windows[:, 0] > 60) & (windows[:, 2] < 0.3)
        return np.stack([~share, share], 1).astype(np.float32)


def promptable(**changes: Any) -> ModelCard:
    plain = make_card(window=(48, 48, 48), name="toy-promptable", channels=(ChannelSpec("image"),))
    network = replace(plain.network, in_channels=4)
    return replace(plain, network=network, **{"clicks": ClickRule(), **changes})


def engine(predictor: StandIn | None = None) -> PromptedSegmenter:
    return PromptedSegmenter(promptable(), Path("nowhere"), predictor or Bright())


def found(prompts: Prompts, **how: Any) -> Any:
    return segment(engine(), IMAGE, prompts=prompts, **how).labels


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    return 2 * float((mask & truth).sum()) / float(mask.sum() + truth.sum())


LASSO = Stroke(((14.0, 20.0, 24.0), (22.0, 20.0, 24.0), (22.0, 28.0, 24.0)), 0.0, closed=True)


@pytest.mark.parametrize(
    "prompts",
    [
        Prompts(points=(Point(IN_ONE),)),
        Prompts(strokes=(Stroke(((14.0, 24.0, 24.0), (22.0, 24.0, 24.0)), 1.5),)),
        Prompts(strokes=(LASSO,)),
        Prompts(boxes=(Box((6.0, 12.0, 12.0), (30.0, 36.0, 36.0)),)),
        Prompts(points=(Point(IN_ONE), Point((2.0, 2.0, 2.0), positive=False))),
    ],
    ids=["point", "scribble", "lasso", "box", "both-kinds"],
)
def test_what_is_pointed_at_is_found_and_nothing_else(prompts: Prompts) -> None:
    labels = found(prompts)
    assert dice(labels == 1, ONE) > 0.9
    assert not (labels > 0)[OTHER].any()


def test_the_object_may_be_far_larger_than_the_first_look() -> None:
    assert dice(found(Prompts(points=(Point(IN_ONE),)), params={"first_mm": 3.0}) == 1, ONE) > 0.9


def test_several_objects_have_their_labels_and_a_click_in_one_is_outside_the_other() -> None:
    labels = found(Prompts(points=(Point(IN_ONE, label=3), Point(IN_OTHER, label=7))))
    assert dice(labels == 3, ONE) > 0.9
    assert dice(labels == 7, OTHER) > 0.9
    predictor = Bright()
    segment(engine(predictor), IMAGE, prompts=Prompts(points=(Point(IN_ONE), Point(IN_OTHER, label=2))))
    assert all(windows[0, 1].max() > 0.8 for windows in predictor.seen)


def test_clicks_have_the_last_word() -> None:
    """A click on the dark ground is the object's, one in its midst is none of it, whatever the network says."""
    dark, bright = (18.0, 24.0, 40.0), (20.0, 24.0, 24.0)
    labels = found(Prompts(points=(Point(IN_ONE), Point(dark), Point(bright, positive=False))))
    assert labels[18, 24, 20] == 1
    assert labels[20, 24, 12] == 0
    assert labels[18, 24, 12] == 1


def test_the_answer_before_goes_along_and_the_window_follows_it() -> None:
    predictor = Bright()
    segment(engine(predictor), IMAGE, prompts=Prompts(points=(Point(IN_ONE),)), params={"first_mm": 40.0})
    first, *later = predictor.seen
    assert not first[0, 3].any()
    assert later
    assert all(0.99 < windows[0, 3].max() <= 1 for windows in later)
    shares = [float(windows[0, 3].mean()) for windows in later]
    assert shares == sorted(shares)  # nearer at each look


def test_a_card_may_leave_the_answer_before_out() -> None:
    predictor = Bright()
    blind = PromptedSegmenter(promptable(clicks=ClickRule(sees_answer=False)), Path("nowhere"), predictor)
    segment(blind, IMAGE, prompts=Prompts(points=(Point(IN_ONE),)), params={"first_mm": 40.0})
    assert len(predictor.seen) > 1
    assert not any(windows[0, 3].any() for windows in predictor.seen)


def test_several_boxes_keep_their_objects_apart() -> None:
    one = Box((6.0, 12.0, 12.0), (20.0, 36.0, 36.0), label=1)
    labels = found(Prompts(boxes=(one,), points=(Point((14.0, 24.0, 24.0)), Point(IN_OTHER, label=2))))
    assert not (labels == 1)[21:].any()
    assert dice(labels == 2, OTHER) > 0.9


def test_within_leaves_nothing_outside() -> None:
    within = np.zeros(GRID.shape, np.bool_)
    within[:20] = True
    labels = found(Prompts(points=(Point(IN_ONE),)), within=within)
    assert dice(labels == 1, ONE & within) > 0.9
    assert not labels[~within].any()


def test_nothing_but_the_click_is_said() -> None:
    answer = segment(engine(), IMAGE, prompts=Prompts(points=(Point((2.0, 45.0, 40.0)),)))
    assert "model.only_clicks" in [finding.code for finding in answer.findings]


def test_seeds_outside_of_within_are_refused_by_name() -> None:
    within = np.zeros(GRID.shape, np.bool_)
    within[40:] = True
    with pytest.raises(InputError, match="object 1 lie outside"):
        found(Prompts(points=(Point(IN_ONE),)), within=within)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_what_every_segmenter_promises(promise: Promise) -> None:
    if promise.__name__ == "cancels_within_a_second":
        pytest.skip("a rule in a network's place is done before it could be stopped")
    promise(engine(), Trial())


@pytest.mark.parametrize(
    "changes",
    [{"spacing": (1.0, 1.0, 1.0)}, {"mirror_axes": (0,)}, {"clicks": None}],
    ids=["a-spacing", "mirrored", "no-rule-for-its-inputs"],
)
def test_a_card_that_asks_for_something_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="toy"):
        replace(promptable(), **changes)


@pytest.mark.parametrize(("name", "value"), [("radius_steps", 0.0), ("looks", 0), ("around", -1.0)])
def test_a_rule_of_clicks_is_within_its_ranges(name: str, value: float) -> None:
    with pytest.raises(ConfigError):
        ClickRule(**{name: value})  # type: ignore[arg-type]
