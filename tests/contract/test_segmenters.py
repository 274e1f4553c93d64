"""What every method promises, whoever wrote it; the promises are those shipped to authors of plugins."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg import plugins
from medseg.domain import Segmentation, Segmenter
from medseg.methods.threshold import Threshold
from medseg.testing import contract
from medseg.testing.contract import PROMISES, Promise
from medseg.testing.segmenters import Trial, traced

DOCS = Path(__file__).resolve().parents[2] / "docs" / "methods"
LONG = {"finds_the_ball", "is_blind_to_storage", "cancels_within_a_second", "predicts_its_memory"}
#: Parameters with which a method finds a ball of 100 in 20, where its defaults are for something else.
TRIALS = {
    "confidence-connected": Trial({"multiplier": 3.5}),
    "gaussian-mixture": Trial({"classes": 2}),
    "k-means": Trial({"classes": 2}),
    "livewire": Trial(prompts=traced),
    "local-threshold": Trial({"weight": 0.1, "offset": 25}),
    "multi-otsu": Trial({"classes": 2}),
    "supervoxels": Trial({"merge_sd": 2}),
    "threshold": Trial({"low": 60}),
    "tissue-preset": Trial(inside=60.0, outside=-118.0),
    "pet-threshold": Trial({"rule": "fixed-60"}),
}


def methods() -> list[Segmenter]:
    found = [method for _, method in plugins.load_all(plugins.SEGMENTERS)]
    return [method for method in found if type(method).__module__.startswith("medseg.")]


@pytest.mark.parametrize(
    "promise",
    [
        pytest.param(promise, marks=pytest.mark.slow if promise.__name__ in LONG else ())
        for promise in PROMISES
    ],
    ids=lambda promise: promise.__name__,
)
@pytest.mark.parametrize("method", methods(), ids=lambda method: method.spec.name)
def test_every_method_keeps(method: Segmenter, promise: Promise) -> None:
    promise(method, TRIALS.get(method.spec.name, Trial()))


@pytest.mark.parametrize("name", [method.spec.name for method in methods()])
def test_every_method_has_a_page_with_a_picture(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert f"]({name}.png)" in page
    assert 5_000 < (DOCS / f"{name}.png").stat().st_size <= 60_000
    assert f"[`{name}`]({name}.md)" in (DOCS / "index.md").read_text(encoding="utf-8"), (
        "run: python docs/methods/draw.py --index"
    )


def test_all_registered_methods_load() -> None:
    assert [fault for _, _, fault in plugins.check(plugins.SEGMENTERS) if fault] == []


class Liar(Threshold):
    """A threshold that does something else with its answer."""

    def __init__(self, change: Callable[[Segmentation, dict[str, Any]], Segmentation]) -> None:
        self.change = change

    def segment(self, images: Any, params: Any, **how: Any) -> Segmentation:
        return self.change(super().segment(images, params, **how), how)


def ignores_within(answer: Segmentation, how: dict[str, Any]) -> Segmentation:
    return replace(answer, labels=np.ones_like(answer.labels))


def forgets_parameters(answer: Segmentation, how: dict[str, Any]) -> Segmentation:
    return replace(answer, made_by=replace(answer.made_by, parameters=()))


def throws_dice(answer: Segmentation, how: dict[str, Any]) -> Segmentation:
    return replace(answer, labels=np.random.default_rng().integers(0, 2, answer.labels.shape, np.uint8))


def is_greedy(answer: Segmentation, how: dict[str, Any]) -> Segmentation:
    assert np.ones((8, answer.labels.size), np.float64).sum() > 0
    return answer


def shrinks_on_thick_slices(answer: Segmentation, how: dict[str, Any]) -> Segmentation:
    from scipy.ndimage import binary_erosion

    return replace(answer, labels=binary_erosion(answer.labels).astype(np.uint8))


@pytest.mark.parametrize(
    ("change", "promise", "said"),
    [
        (ignores_within, contract.stays_inside_within, "outside `within`"),
        (forgets_parameters, contract.records_how, "'high', 'low'.* not in the provenance"),
        (throws_dice, contract.can_be_replayed, "another mask"),
        (throws_dice, contract.is_blind_to_storage, "voxels differ when axes are stored"),
        (is_greedy, contract.predicts_its_memory, "measured"),
        (shrinks_on_thick_slices, contract.finds_the_ball, "agree to Dice"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_promise_is_noticed(change: Any, promise: Promise, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        promise(Liar(change), Trial({"low": 60}))
