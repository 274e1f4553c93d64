"""A foreign model on stored voxels, slab by slab: labels of all outputs at once, and the same at any budget."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Image, Run
from medseg.domain.recipe import Decision, Resize, StoredGrid, WindowRule
from medseg.geometry.shares import KeptShares
from medseg.inference import memory
from medseg.inference.disk import zeros_on_disk
from medseg.inference.memory import MemoryPlan
from medseg.inference.reducers import LabelsOnNative
from medseg.inference.stored_prepare import decided, outputs_to_native, prepare_stored
from medseg.inference.stored_segmenter import StoredSegmenter
from medseg.networks import build, state_for
from tests.inference.conftest import StandIn, make_card, make_image, segmenter

CLASSES = 4


class Waves(StandIn):
    """Logits of four classes that depend on place and value."""

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        return np.concatenate([3 * np.sin((number + 1.3) * windows) for number in range(CLASSES)], axis=1)


def turned(lean: float, orientation: str) -> np.ndarray:
    """An affine that leans and whose axes run otherwise than RAS, of voxels of 1 × 1.2 × 2.5 mm."""
    about = np.eye(3)
    about[:2, :2] = [[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]]
    columns = {
        "R": [1, 0, 0],
        "L": [-1, 0, 0],
        "A": [0, 1, 0],
        "P": [0, -1, 0],
        "S": [0, 0, 1],
        "I": [0, 0, -1],
    }
    affine = np.eye(4)
    affine[:3, :3] = about @ np.array([columns[letter] for letter in orientation]).T * [1.0, 1.2, 2.5]
    affine[:3, 3] = [11.0, -7.0, 3.0]
    return affine


def scan(orientation: str, lean: float) -> Image:
    rng = np.random.default_rng(3)
    values = np.zeros((26, 22, 15), np.float32)
    values[3:23, 2:20, 1:14] = 1 + rng.normal(size=(20, 18, 13))
    return make_image(values, turned(lean, orientation))


def card(**changes: Any) -> Any:
    values = {
        "labels": CLASSES - 1,
        "window": (8, 8, 8),
        "grid": StoredGrid((2, 1, 0), (1.9, 1.5, 1.6)),
        "windows": WindowRule("even", "gaussian_float16"),
        "decision": Decision(average="logits"),
        **changes,
    }
    return make_card(**values)


#: Place of the file's axes → the images that the issue asks for: leaning ones, and such as are not stored RAS.
IMAGES = [("RAS", 0.0), ("RAS", 0.3), ("LPS", 0.0), ("SAR", 0.2), ("PIR", 0.1)]
#: What a plan may say of the interpolation of outputs, and of the precision of sums.
RULES: dict[str, dict[str, Any]] = {
    "all axes together": {},
    "as torch": {"outputs": Resize("linear")},
    "thick slices one by one": {"outputs": Resize(order=1, one_by_one=True)},
    "thick slices as torch": {"outputs": Resize("linear", one_by_one=True)},
    "between thick slices linear": {"outputs": Resize(order=1, order_across=1, one_by_one=True)},
    "not at all": {"spacing": None},
    "a spline of order 3": {"outputs": Resize(order=3)},
}


def at_once(made: Any, image: Image) -> tuple[np.ndarray, np.ndarray]:
    """Labels and outputs on the native voxels, of all outputs at once: (labels, margin between the two best)."""
    stored = prepare_stored({"image": image}, made)
    running = segmenter(made, Waves()).stream(segmenter(made, Waves()).Params(), Run(), None)
    outputs = np.empty((CLASSES, *stored.array.shape[1:]), running.sums)
    axis = running.axis(stored.array.shape[1:])
    for slab in running.run(stored.array, Run()):
        np.moveaxis(outputs, axis + 1, 1)[:, slab.start : slab.stop] = slab.values
    native = outputs_to_native(outputs, stored)
    ordered = np.sort(native.astype(np.float32), axis=0)
    margin = stored.to_native(ordered[-1] - ordered[-2], np.inf)
    return stored.to_native(decided(native, made.decision, made.table.values)), margin


@pytest.mark.parametrize("sums", ["float32", "float16"])
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize(("orientation", "lean"), IMAGES)
def test_slab_by_slab_gives_what_all_at_once_gives(
    orientation: str, lean: float, rule: dict[str, Any], sums: Any
) -> None:
    image = scan(orientation, lean)
    spacing = (1.9, 1.5, 1.6)
    if "spacing" in rule:
        first, second, third = image.grid.spacing
        spacing = (third, second, first)
    grid = StoredGrid((2, 1, 0), spacing, **{key: value for key, value in rule.items() if key != "spacing"})
    made = card(grid=grid, windows=WindowRule("even", "gaussian_float16", sums))
    model = StoredSegmenter(segmenter(made, Waves()))
    found = model.segment({"image": image}, model.Params(), run=Run())
    expected, margin = at_once(made, image)
    assert len(np.unique(expected)) == CLASSES
    sure = margin > (1e-4 if sums == "float32" else 2e-2)
    assert sure.mean() > 0.9
    assert np.array_equal(found.labels[sure], expected[sure])
    assert (found.labels == expected).mean() > 0.9999


@pytest.mark.parametrize("decision", [Decision(average="logits"), Decision("sigmoid", "logits", (2, 1, 3))])
@pytest.mark.parametrize(("orientation", "lean"), IMAGES)
def test_labels_are_the_same_bit_for_bit_at_any_budget(
    orientation: str, lean: float, decision: Decision, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = replace(make_card().network, out_channels=3 if decision.order else CLASSES)
    made = card(decision=decision, network=network)
    model = StoredSegmenter(segmenter(made, Waves()))
    if decision.order:
        monkeypatch.setattr(Waves, "__call__", lambda self, windows: WAVES(self, windows)[:, :3])
    image = scan(orientation, lean)
    expected = model.segment({"image": image}, model.Params(), run=Run())
    assert len(np.unique(expected.labels)) == 4
    used: list[bool] = []

    def on_disk(*words: Any) -> Any:
        used.append(True)
        return zeros_on_disk(*words)

    monkeypatch.setattr("medseg.inference.stream.zeros_on_disk", on_disk)
    for chunk in (2, 4000, 1 << 20):
        for disk in (False, True):
            plan = MemoryPlan(disk, chunk, 0)
            monkeypatch.setattr("medseg.inference.segmenter.plan_memory", lambda *_, plan=plan: plan)
            found = model.segment({"image": image}, model.Params(), run=Run(memory_bytes=1 << 30))
            assert found.digest == expected.digest
            assert found.made_by.expected_dice == expected.made_by.expected_dice
    assert len(used) == 3


WAVES = Waves.__call__


def test_neither_grid_ever_holds_all_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """No array of all classes on a whole grid is made: what is kept of slabs is counted."""
    made = card(window=(4, 4, 4))
    model = StoredSegmenter(segmenter(made, Waves()))
    whole = prepare_stored({"image": scan("RAS", 0.1)}, made).array[0].size
    largest = 0
    eat = LabelsOnNative.eat

    def watched(self: Any, slab: Any) -> None:
        nonlocal largest
        eat(self, slab)
        rest = 0 if self._rest is None else self._rest.size
        largest = max(largest, slab.values.size, rest)

    monkeypatch.setattr(LabelsOnNative, "eat", watched)
    monkeypatch.setattr("medseg.inference.stored_segmenter.WholeOutputs", lambda *_: None)
    model.segment({"image": scan("RAS", 0.1)}, model.Params(), run=Run())
    assert 0 < largest < CLASSES * whole / 3


@pytest.mark.parametrize(("orientation", "lean"), IMAGES)
def test_shares_are_kept_on_the_networks_grid_and_lie_where_the_labels_lie(
    orientation: str, lean: float
) -> None:
    image = scan(orientation, lean)
    model = StoredSegmenter(segmenter(card(), Waves()))
    found = model.segment({"image": image}, model.Params(keep_probabilities=True), run=Run())
    kept = found.probabilities
    assert isinstance(kept, KeptShares)
    assert kept.source.shape != image.grid.shape
    assert kept.grid is found.grid
    shares = np.asarray(kept)
    ordered = np.sort(shares, axis=0)
    # Outputs are interpolated before the softmax for labels, shares after it: alike but near ties.
    sure = ordered[-1] - ordered[-2] > 0.5
    assert sure.mean() > 0.3
    assert (shares.argmax(axis=0) == found.labels)[sure].mean() > 0.995
    border = image.array == 0
    border[1:-1, 1:-1, 1:-1] = False
    assert (shares[0][border] == 1).all()


def test_a_second_stage_and_parts_run_within_the_same_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget of a run is that of each of its models: every one of them plans by it."""
    planned: list[int] = []

    def plan(needed: memory.Needs, budget: int) -> MemoryPlan:
        planned.append(budget)
        return MemoryPlan(sums_on_disk=False, chunk_bytes=1 << 20, predicted_bytes=0)

    monkeypatch.setattr("medseg.inference.segmenter.plan_memory", plan)
    from medseg.domain.recipe import Before

    network = replace(make_card().network, in_channels=2, out_channels=CLASSES)
    second = card(before=Before("parts/first", "labels", (1,)), network=network)
    model = StoredSegmenter(segmenter(second, Waves2()), StoredSegmenter(segmenter(card(), Waves())))
    model.segment({"image": scan("LPS", 0.1)}, model.Params(), run=Run(memory_bytes=10**12))
    assert len(planned) == 2
    assert all(budget > 9 * 10**11 for budget in planned)


class Waves2(Waves):
    """Of the image's channel alone."""

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        return super().__call__(windows[:, :1])


def test_a_real_foreign_network_gives_the_same_mask_on_little_memory(tmp_path: Path) -> None:
    """An nnU-Net-shaped network with random weights, on a leaning image stored LPS, by the bundle's own door."""
    import torch

    from medseg.domain import NetworkSpec
    from medseg.inference import segmenter_of
    from medseg.models import write_bundle

    torch.manual_seed(0)
    spec = NetworkSpec(
        "plain_conv_unet", 3, 1, CLASSES, (4, 8), ((1,) * 3, (2,) * 3), ((3,) * 3,) * 2,
        encoder_blocks=(2, 2), decoder_blocks=(2,), bias=True, norm="instance",
    )  # fmt: skip
    write_bundle(tmp_path / "model", card(network=spec, window=(8, 8, 8)), [state_for(spec, build(spec))])
    model = segmenter_of(tmp_path / "model")
    image = scan("LPS", 0.3)
    free = model.segment({"image": image}, model.Params(), run=Run(device="cpu"))
    tight = model.segment({"image": image}, model.Params(), run=Run(device="cpu", memory_bytes=1))
    assert free.labels.any()
    assert free.digest == tight.digest
