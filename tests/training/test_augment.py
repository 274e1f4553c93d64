"""Random changes: each does what it is called, image and labels move together, and all follows from the number."""

from typing import Any

import numpy as np
import pytest
import torch

from medseg.training.augment import _intensity, augmenter
from medseg.training.config import Augmentation

NOTHING: dict[str, Any] = {
    "flip_axes": (),
    "affine": 0.0,
    "scale_intensity": (0.0, 0.0),
    "shift_intensity": (0.0, 0.0),
    "contrast": (0.0, 0.0),
    "noise": (0.0, 0.0),
    "smooth": (0.0, 0.0),
    "drop_channel": 0.0,
}


def changed(number: int = 0, *, channels: int = 1, dimensions: int = 3, **settings: Any) -> tuple[Any, ...]:
    """An image of two channels and its labels, and both after the change of this number."""
    rng = np.random.default_rng(7)
    extents = (8,) * dimensions
    labels = torch.zeros((1, *extents))
    labels[0, 1:4, 2:7] = 1
    image = torch.from_numpy(rng.normal(size=(channels, *extents)).astype(np.float32)) + 5 * labels
    change = augmenter(Augmentation(**{**NOTHING, **settings}), dimensions)
    return image, labels, *change(image.clone(), labels.clone(), np.random.default_rng(number))


def test_nothing_asked_for_is_nothing_changed() -> None:
    image, labels, other, classes = changed()
    assert torch.equal(other, image)
    assert torch.equal(classes, labels)
    assert type(other) is torch.Tensor


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_half_are_flipped_along_an_axis_that_may_be(axis: int) -> None:
    flips = 0
    for number in range(40):
        image, labels, other, classes = changed(number, flip_axes=(axis,))
        flipped = not torch.equal(other, image)
        flips += flipped
        assert torch.equal(other, image.flip(axis + 1) if flipped else image)
        assert torch.equal(classes, labels.flip(axis + 1) if flipped else labels)
    assert 10 < flips < 30


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("shear", [0.0, 0.2])
def test_labels_move_with_the_image_and_stay_labels(dimensions: int, shear: float) -> None:
    moved = 0
    for number in range(6):
        _, labels, other, classes = changed(
            number, dimensions=dimensions, affine=1.0, rotate=0.3, scale=0.1, shear=shear
        )
        assert set(classes.unique().tolist()) <= {0.0, 1.0}
        moved += not torch.equal(classes, labels)
        inside, outside = other[classes > 0].mean(), other[classes == 0].mean()
        assert inside - outside > 3
    assert moved > 2


STEPS = [
    ("scale_intensity", (1.0, 0.3)),
    ("shift_intensity", (1.0, 0.3)),
    ("contrast", (1.0, 0.3)),
    ("noise", (1.0, 0.3)),
    ("smooth", (1.0, 0.7)),
]


@pytest.mark.parametrize(("step", "values"), STEPS, ids=[name for name, _ in STEPS])
def test_a_change_of_intensity_leaves_the_labels_and_follows_from_the_number(
    step: str, values: tuple[float, float]
) -> None:
    image, labels, other, classes = changed(1, **{step: values})
    assert torch.equal(classes, labels)
    assert not torch.equal(other, image)
    assert torch.equal(changed(1, **{step: values})[2], other)
    assert not torch.equal(changed(2, **{step: values})[2], other)
    never = changed(1, **{step: (0.0, values[1])})[2]
    assert torch.equal(never, image)


def test_half_widths_are_those_of_the_settings() -> None:
    scale, shift, noise = (
        _intensity(Augmentation(**{**NOTHING, name: (0.4, 0.3)}))[0]
        for name in ("scale_intensity", "shift_intensity", "noise")
    )
    (contrast,) = _intensity(Augmentation(**{**NOTHING, "contrast": (0.4, 0.3)}))
    (smooth,) = _intensity(Augmentation(**{**NOTHING, "smooth": (0.4, 0.7)}))
    assert [step.prob for step in (scale, shift, noise, contrast, smooth)] == [0.4] * 5
    assert scale.scaler.factors == (-0.3, 0.3)
    assert shift.shifter.offsets == (-0.3, 0.3)
    assert noise.rand_gaussian_noise.std == 0.3
    assert contrast.adjuster.gamma == pytest.approx((np.exp(-0.3), np.exp(0.3)), rel=1e-3)
    blur = smooth.rand_smooth
    assert blur.sigma_x == blur.sigma_y == blur.sigma_z == (0.25, 0.7)


def test_a_smoothed_image_varies_less_and_noise_adds_variation() -> None:
    image, _, smooth, _ = changed(1, smooth=(1.0, 0.7))
    assert smooth.std() < image.std()
    assert (changed(1, noise=(1.0, 0.5))[2] - image).std() < 0.6


def test_one_channel_of_several_is_dropped() -> None:
    gone = set()
    for number in range(12):
        image, _, other, _ = changed(number, channels=3, drop_channel=1.0)
        empty = [channel for channel in range(3) if not other[channel].any()]
        assert len(empty) == 1
        gone.update(empty)
        kept = [channel for channel in range(3) if channel not in empty]
        assert torch.equal(other[kept], image[kept])
    assert gone == {0, 1, 2}
    image, _, other, _ = changed(0, channels=1, drop_channel=1.0)
    assert torch.equal(other, image)
