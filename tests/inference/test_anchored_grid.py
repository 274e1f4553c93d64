"""Grids, steps and labels of MONAI bundles: tables, and MONAI's own transforms on the same voxels."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from medseg.domain import ChannelSpec, Grid, Label, LabelTable
from medseg.domain.card import Clip, Scale
from medseg.domain.own_range import Normalise, PercentileRange, Rescale
from medseg.domain.recipe import AnchoredGrid, Decision, StoredGrid, WindowRule
from medseg.errors import ConfigError, InputError
from medseg.geometry.resample import crop_grid
from medseg.inference.anchored import anchored_grid, labels_to_native, prepare_anchored, reach_around
from medseg.inference.steps import preprocess
from tests.inference.conftest import OneHot, make_card, make_image, segmenter
from tests.journeys.zoo import CORONAL, OBLIQUE, THICK

pytestmark = pytest.mark.filterwarnings("ignore")  # MONAI's own, of its defaults
AFFINES = {
    "oblique": OBLIQUE,
    "coronal": CORONAL,
    "thick": THICK,
    "right angles": np.diag([1.0, 1.0, 2.5, 1.0]),
}
SHAPE = (14, 11, 9)


def values_of(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)


def monais(values: np.ndarray, affine: np.ndarray) -> Any:
    import torch
    from monai.data.meta_tensor import MetaTensor

    return MetaTensor(torch.from_numpy(values)[None], affine=torch.from_numpy(affine))


SPACINGS = [(1.5, 1.5, 2.0), (0.75, 0.75, 0.75), (3.0, 2.0, 1.0), (0.0, 1.0, 0.0), (2.0, 2.0, 5.0)]


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("spacing", SPACINGS)
def test_grid_and_values_are_those_of_spacing(affine: np.ndarray, spacing: Any) -> None:
    from monai.transforms.spatial.array import Spacing

    values = values_of()
    theirs: Any = Spacing([step or -1 for step in spacing])(monais(values, affine))
    card = make_card(grid=AnchoredGrid(spacing=spacing))
    found = prepare_anchored({"image": make_image(values, affine)}, card)
    assert found.grid.shape == tuple(theirs.shape[1:])
    assert np.allclose(found.grid.affine, theirs.affine, atol=1e-9)
    assert np.allclose(found.array[0], theirs[0], atol=2e-6)


def test_spacings_within_a_thousandth_are_the_images_own() -> None:
    grid = Grid(SHAPE, np.diag([1.0005, 1.0, 2.0, 1.0]))
    assert anchored_grid(grid, AnchoredGrid(spacing=(1.0, 1.0, 2.0))) is grid
    assert anchored_grid(grid, AnchoredGrid()) is grid
    assert anchored_grid(replace(grid, unit="px"), AnchoredGrid(spacing=(3.0, 3.0, 3.0))).shape == SHAPE


def test_a_sheared_image_keeps_its_axes() -> None:
    affine = np.eye(4)
    affine[0, 2] = 0.3
    found = anchored_grid(Grid(SHAPE, affine), AnchoredGrid(spacing=(2.0, 2.0, 2.0)))
    assert np.allclose(found.spacing, 2)
    assert np.allclose(found.direction, Grid(SHAPE, affine).direction)


STEPS: list[tuple[str, tuple[Any, ...], Callable[[Any], Any]]] = [
    (
        "range",
        (Scale("image", -0.5, 1.5), Clip("image", 0, 1)),
        lambda t: t.ScaleIntensityRange(-0.5, 1.0, 0.0, 1.0, clip=True),
    ),
    (
        "range to other ends",
        (Scale("image", 0.0, 0.25),),
        lambda t: t.ScaleIntensityRange(-1.0, 1.0, -4.0, 4.0),
    ),
    ("mean and SD", (Normalise("image"),), lambda t: t.NormalizeIntensity()),
    (
        "of what is not 0",
        (Normalise("image", only_nonzero=True),),
        lambda t: t.NormalizeIntensity(nonzero=True),
    ),
    ("own range", (Rescale("image", -1, 3),), lambda t: t.ScaleIntensity(-1, 3)),
    (
        "percentiles",
        (PercentileRange("image", 5, 90, -1, 2),),
        lambda t: t.ScaleIntensityRangePercentiles(5, 90, -1, 2),
    ),
    (
        "percentiles, clipped",
        (PercentileRange("image", 5, 90, 0, 1, clip=True),),
        lambda t: t.ScaleIntensityRangePercentiles(5, 90, 0, 1, clip=True),
    ),
]
IMAGES = {
    "noise": values_of(),
    "half of it 0": np.maximum(values_of(1), 0),
    "one value": np.full(SHAPE, 2.0, np.float32),
    "nothing": np.zeros(SHAPE, np.float32),
    "large": values_of(2) * 1000 + 5000,
}


@pytest.mark.parametrize("values", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize(("steps", "theirs"), [row[1:] for row in STEPS], ids=[row[0] for row in STEPS])
def test_each_step_is_monais_transform(steps: Any, theirs: Callable[[Any], Any], values: np.ndarray) -> None:
    import torch
    from monai.transforms.intensity import array

    expected = np.asarray(theirs(array)(torch.from_numpy(values.copy())[None]))[0]
    found = preprocess(values, np.ones(SHAPE, np.bool_), "image", steps)
    assert found.dtype == np.float32
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("margin", [0, 2])
def test_the_crop_is_monais(margin: int) -> None:
    from monai.transforms.croppad.array import CropForeground

    values = np.full(SHAPE, -1.0, np.float32)
    values[3:9, 1:5, 4:8] = 2.0
    theirs: Any = CropForeground(margin=margin, allow_smaller=True)(monais(values, THICK))
    card = make_card(grid=AnchoredGrid(cropped_after=0, margin=margin))
    found = prepare_anchored({"image": make_image(values, THICK)}, card)
    assert np.array_equal(found.array[0], theirs[0])
    assert np.allclose(found.grid.affine, theirs.affine)
    nothing = prepare_anchored({"image": make_image(-np.abs(values), THICK)}, card)
    assert nothing.array.shape[1:] == SHAPE


def test_steps_before_interpolation_and_after_the_crop() -> None:
    steps = (Scale("image", 1.0, 2.0), Clip("image", -0.2, 0.3), Rescale("image"))
    rule = AnchoredGrid(spacing=(2.0, 2.0, 2.0), scaled_before=1, cropped_after=2)
    image = make_image(values_of() + 1)
    found = prepare_anchored({"image": image}, make_card(grid=rule, preprocessing=steps))
    plain = prepare_anchored({"image": image}, make_card(grid=AnchoredGrid(spacing=(2.0, 2.0, 2.0))))
    halved = np.clip((plain.array[0] - 1) / 2, -0.2, 0.3)
    box = np.nonzero(halved > 0)
    inner = halved[tuple(slice(side.min(), side.max() + 1) for side in box)]
    assert np.allclose(found.array[0], (inner - inner.min()) / (inner.max() - inner.min()), atol=1e-6)


def test_channels_on_other_grids_are_refused_and_what_is_no_number_is_0() -> None:
    card = make_card(grid=AnchoredGrid(), channels=(ChannelSpec("a"), ChannelSpec("b")))
    values = values_of()
    with pytest.raises(InputError, match="another one"):
        prepare_anchored({"a": make_image(values), "b": make_image(values, THICK)}, card)
    values[2, 2, 2] = np.nan
    found = prepare_anchored({"a": make_image(values), "b": make_image(values)}, card)
    assert found.array[0, 2, 2, 2] == 0
    assert [finding.code for finding in found.findings] == ["channel.not_numbers"] * 2


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("spacing", [(1.5, 1.5, 2.0), (0.375, 0.45, 1.3), (2.0, 2.4, 8.0)])
@pytest.mark.parametrize("how", ["nearest_label", "label_numbers"])
def test_labels_come_back_as_monais_inverse_brings_them(affine: np.ndarray, spacing: Any, how: Any) -> None:
    from monai.transforms.spatial.array import Spacing

    transform = Spacing(spacing)
    there: Any = transform(monais(values_of(), affine))
    native = Grid(SHAPE, affine)
    model = anchored_grid(native, AnchoredGrid(spacing=spacing))
    labels = np.random.default_rng(3).integers(0, 4, model.shape).astype(np.uint8)
    given = monais(labels.astype(np.float32), np.asarray(there.affine))
    given.applied_operations = there.applied_operations
    if how == "nearest_label":
        given.applied_operations[-1]["extra_info"]["mode"] = "nearest"
    expected = np.asarray(transform.inverse(given))[0]
    found = labels_to_native(labels, model, native, Decision(average="logits", interpolated=how))
    if how == "label_numbers":
        # Halves are ties, which both round after sums of their own.
        sure = np.abs(expected - np.floor(expected) - 0.5) > 1e-5
        assert sure.mean() > 0.5
        found, expected = found[sure], np.rint(expected[sure])
    assert (found == expected).mean() >= 0.999


def test_answers_end_where_a_part_ends_within_the_whole() -> None:
    whole = Grid(SHAPE, THICK)
    part = crop_grid(whole, (slice(2, 14), slice(0, 11), slice(0, 5)))
    ends = reach_around(part, whole)
    assert [end == np.inf for side in ends for end in side] == [False, True, True, True, True, False]
    assert 0.99 < ends[0][0] < 1


REGIONS = LabelTable((Label(1, "one"), Label(2, "two")))


def decided(decision: Decision, outputs: np.ndarray, classes: int) -> list[int]:
    """Labels of a row of voxels whose outputs are given, through the whole segmenter."""
    network = replace(make_card(labels=2).network, in_channels=len(outputs), out_channels=classes)
    channels = tuple(ChannelSpec(f"c{number}") for number in range(len(outputs)))
    card = make_card(
        channels=channels,
        network=network,
        table=REGIONS,
        decision=decision,
        grid=AnchoredGrid(orientation="RAS"),
    )

    class Same(OneHot):
        def __call__(self, windows: np.ndarray) -> np.ndarray:
            return windows

    shape = (outputs.shape[1], 1, 1)
    images = {
        channel.name: make_image(np.asarray(row).reshape(shape))
        for channel, row in zip(channels, outputs, strict=True)
    }
    made = segmenter(card, Same(classes))
    return made.segment(images, made.Params(), run=make_run()).labels.ravel().tolist()


def make_run() -> Any:
    from medseg.domain import Run

    return Run()


@pytest.mark.parametrize(
    ("decision", "rows", "labels"),
    [
        # The largest of background and two labels; logits or their shares.
        (Decision(average="logits"), [[1, 0, 0], [0, 2, 0], [0, 1, 3]], [0, 1, 2]),
        (Decision(average="logits", interpolated="shares"), [[1, 0, 0], [0, 2, 0], [0, 1, 3]], [0, 1, 2]),
        (
            Decision(average="logits", interpolated="nearest_label"),
            [[1, 0, 0], [0, 2, 0], [0, 1, 3]],
            [0, 1, 2],
        ),
        # Regions: each above one half writes; later ones over earlier ones.
        (Decision("sigmoid", "logits", (1, 2)), [[1, -1, 1, -1], [-1, 1, 1, -1]], [1, 2, 2, 0]),
        (Decision("sigmoid", "logits", (1, 2), (1, 0)), [[1, -1, 1, -1], [-1, 1, 1, -1]], [1, 2, 1, 0]),
        (
            Decision("sigmoid", "logits", (1, 2), interpolated="shares"),
            [[1, -1, 1, -1], [-1, 1, 1, -1]],
            [1, 2, 2, 0],
        ),
        (Decision("sigmoid", "logits", (2,), threshold=0.8), [[1.3, 1.5, 0]], [0, 2, 0]),
        (
            Decision("sigmoid", "logits", (2,), threshold=0.8, interpolated="shares"),
            [[1.3, 1.5, 0]],
            [0, 2, 0],
        ),
        (Decision("sigmoid", "logits", (2,), threshold=0.2), [[-1.5, -1.3, 0]], [0, 2, 2]),
    ],
)
def test_outputs_become_labels_by_the_cards_rule(
    decision: Decision, rows: list[list[float]], labels: list[int]
) -> None:
    assert decided(decision, np.array(rows, np.float32), len(rows)) == labels


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: AnchoredGrid(orientation="RAL"), "three letters"),
    (lambda: AnchoredGrid(orientation="RA"), "three letters"),
    (lambda: AnchoredGrid(spacing=(1.0, 1.0, -1.0)), "0.001 to 1000"),
    (lambda: AnchoredGrid(slices=3), "axis 0, 1 or 2"),
    (lambda: AnchoredGrid(scaled_before=2, cropped_after=1), "cropped after"),
    (lambda: Decision("sigmoid", "logits", (1, 2), (0, 0)), "sequence"),
    (lambda: Decision(threshold=0.3), "threshold"),
    (lambda: Decision(interpolated="shares"), "are the shares"),
    (lambda: Decision(finished_first=True), "decided first"),
    (lambda: Rescale("image", 1, 1), "no range"),
    (lambda: PercentileRange("image", 90, 5, 0, 1), "no range"),
    (
        lambda: make_card(
            grid=StoredGrid((0, 1, 2), (1.0, 1.0, 1.0)),
            decision=Decision(average="logits", interpolated="nearest_label"),
        ),
        "decided last",
    ),
]


@pytest.mark.parametrize(("make", "words"), WRONG)
def test_values_that_can_be_none_are_refused(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


def test_an_image_that_is_one_window_must_be_halved_as_often_as_the_network_does() -> None:
    card = make_card(windows=WindowRule("whole", "constant"), decision=Decision(average="logits"))
    made = segmenter(card, OneHot(2))
    found = made.segment({"image": make_image(np.ones((12, 8, 4)))}, made.Params(), run=make_run())
    assert (found.labels == 1).all()
    with pytest.raises(InputError, match="multiples of"):
        made.segment({"image": make_image(np.ones((12, 9, 4)))}, made.Params(), run=make_run())
