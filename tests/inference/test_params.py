"""What may be chosen for a model, what its card says of it, and the memory that it is given."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from medseg.domain import Grid, Run, Segmentation
from medseg.inference import ModelSegmenter
from medseg.inference.kept_shares import SharesOfSlabs
from medseg.inference.reducers import labels_on_native
from medseg.inference.segmenter import ModelParams
from medseg.inference.stream import Slab
from tests.inference.conftest import OneHot, make_card, make_image, segmenter


def test_what_is_chosen_unless_said_otherwise() -> None:
    assert ModelParams().model_dump() == {
        "overlap": 0.5,
        "mirror": True,
        "speed": "exact",
        "keep_probabilities": False,
    }


@pytest.mark.parametrize(("mirror", "overlap"), [((), 0.25), ((0, 2), 0.625)])
def test_defaults_are_the_cards(mirror: tuple[int, ...], overlap: float) -> None:
    made = segmenter(make_card(mirror_axes=mirror, overlap=overlap), OneHot(2)).Params()
    assert (made.overlap, made.mirror, made.keep_probabilities) == (overlap, bool(mirror), False)


@pytest.mark.parametrize(("overlap", "is_taken"), [(0, True), (0.9, True), (-0.01, False), (0.91, False)])
def test_windows_overlap_by_nine_tenths_at_most(overlap: float, is_taken: bool) -> None:
    if is_taken:
        assert ModelParams(overlap=overlap).overlap == overlap
    else:
        with pytest.raises(ValidationError):
            ModelParams(overlap=overlap)


@pytest.mark.parametrize(("dimensions", "takes"), [(3, (3,)), (2, (2, 3))])
def test_a_network_of_slices_takes_slices_and_volumes(dimensions: int, takes: tuple[int, ...]) -> None:
    spec = segmenter(make_card(dimensions=dimensions), OneHot(2)).spec
    assert spec.dimensions == takes
    assert [channel.name for channel in spec.channels] == [spec.reference] == ["image"]
    assert (spec.kind, spec.needs_mm, spec.source) == ("model", False, "model bundle toy 1.0")


#: Bytes that deciding takes whatever the image, and per voxel while channels are scaled.
CHUNKS, SCALED = 6 << 23, 22
#: Spacing of the model, whether probabilities are kept → bytes by hand: a native grid of 10 × 8 × 4 voxels of 1 mm, one
#: channel, two classes, windows of 8³ with 4 filters; what is smaller than a window is put into one.
MEMORY = [
    (None, False, 4 * 640 + 4 * 512 * (4 * 2 + 5 * 4) + CHUNKS + 8 * 64 + 3 * 320 + 4 * 3 * 8 * 64),
    (
        None,
        True,
        4 * 640 + 4 * 512 * (4 * 2 + 5 * 4) + CHUNKS + 8 * 64 + 3 * 320 + 4 * 3 * 8 * 64 + 2 * 2 * 320,
    ),
    ((2.0,) * 3, False, 4 * 512 + 4 * 512 * (4 * 2 + 5 * 4) + CHUNKS + 8 * 64 + 3 * 320 + 4 * 3 * 8 * 64),
]


@pytest.mark.parametrize(("spacing", "kept", "expected"), MEMORY)
def test_memory_by_hand(spacing: tuple[float, float, float] | None, kept: bool, expected: int) -> None:
    made: ModelSegmenter = segmenter(make_card(spacing=spacing), OneHot(2))
    params = made.Params(keep_probabilities=kept)
    assert made.memory_bytes({"image": Grid((10, 8, 4), np.eye(4))}, params) == expected


#: Speed → overlap, axes that are mirrored, precision; the card says 0.5, axis 0.
SPEEDS = [("exact", 0.5, (0,), "f32"), ("balanced", 0.25, (), "f32"), ("fast", 0.25, (), "bf16")]


@pytest.mark.parametrize(("speed", "overlap", "axes", "precision"), SPEEDS)
def test_what_speed_chooses(
    speed: Any, overlap: float, axes: tuple[int, ...], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, Any]] = []

    def load(card: Any, folder: Any, axes: Any, run: Any, *, precision: str) -> OneHot:
        seen.append((axes, precision))
        return OneHot(2)

    monkeypatch.setattr("medseg.inference.segmenter.load_predictor", load)
    made = ModelSegmenter(make_card(mirror_axes=(0,)), Path())
    params = made.Params(speed=speed)
    stream = made.stream(params, Run(device="cpu"), None)
    assert stream.tiling.overlap == overlap
    assert seen == [(axes, precision)]
    assert dict(params.details).get("speed", "exact") == speed


def test_beyond_the_model_grid_there_is_background_for_certain() -> None:
    source, native = Grid((2, 2, 2), np.eye(4)), Grid((4, 2, 2), np.eye(4))
    shares = np.stack([np.full((2, 2, 2), 0.25), np.full((2, 2, 2), 0.75)]).astype(np.float32)
    keeper = SharesOfSlabs(source, native, 0, 2)
    keeper.eat(Slab(0, 0, shares))
    found = np.asarray(keeper.kept)
    assert found[0, :, 0, 0].tolist() == [0.25, 0.25, 1, 1]
    assert found[1, :, 0, 0].tolist() == [0.75, 0.75, 0, 0]
    assert labels_on_native(shares, source, native, (7,))[:, 0, 0].tolist() == [7, 7, 0, 0]


def found_in(values: np.ndarray, **more: object) -> Segmentation:
    made = segmenter(make_card(labels=2), OneHot(3))
    return made.segment({"image": make_image(values)}, made.Params(**more), run=Run(seed=3))


def test_a_model_that_finds_nothing_says_so() -> None:
    (finding,) = found_in(np.zeros((9, 8, 8))).findings
    assert (finding.code, finding.severity) == ("model.empty", "warning")
    assert "found nothing of what it looks for (part 1, part 2)" in finding.message
    assert found_in(np.ones((9, 8, 8))).findings == ()


def test_the_mask_says_what_made_it() -> None:
    made_by = found_in(np.ones((9, 8, 8)), overlap=0.25).made_by
    assert made_by is not None
    assert made_by.segmenter == "toy"
    assert dict(made_by.parameters)["version"] == "1.0"
    assert dict(made_by.parameters)["overlap"] == 0.25
    assert made_by.weights_digest is None
    assert [image.channel for image in made_by.images] == ["image"]
    assert dict(made_by.run)["device"] == "cpu"
    assert dict(made_by.run)["seed"] == 3
