"""Livewire: a contour along edges, through anchors that lie near them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Image, Prompts
from medseg.domain.prompts import Box, Point, Stroke
from medseg.errors import ConfigError, InputError
from medseg.methods.livewire import LIVEWIRE
from medseg.workflows import segment
from tests.methods.balls import dice


def ellipse(spacing: tuple[float, float] = (1.0, 1.0), noise: float = 5.0, unit: str = "mm") -> Image:
    """Five slices, 5 mm apart, with an ellipse of 24 × 16 mm half axes around (40, 30) mm on each."""
    shape = (round(80 / spacing[0]), round(60 / spacing[1]), 5)
    grid = Grid(shape, np.diag([*spacing, 5.0, 1.0]), unit=unit)  # type: ignore[arg-type]
    array = np.where(inside(grid), 100, 20) + np.random.default_rng(5).normal(0, noise, shape)
    return Image(array.astype(np.float32), grid)


def inside(grid: Grid, stretch: float = 1.0) -> np.ndarray:
    at = grid.to_position(np.stack(np.indices(grid.shape), axis=-1))
    return np.asarray(
        ((at[..., 0] - 40) / 24) ** 2 + ((at[..., 1] - 30) / 16) ** 2 <= stretch,
    )


def anchors(count: int, height: float = 10.0, off: float = 0.0) -> tuple[tuple[float, float, float], ...]:
    """Evenly around the ellipse, `off` mm too far out."""
    angles = np.arange(count) * 2 * np.pi / count + 0.2
    return tuple(
        (float(40 + (24 + off) * np.cos(a)), float(30 + (16 + off) * np.sin(a)), height) for a in angles
    )


def stroke(*args: Any, positive: bool = True, label: int = 1, **more: Any) -> Stroke:
    return Stroke(anchors(*args, **more), 1.0, positive=positive, closed=True, label=label)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 1.0), (2.0, 0.8)])
@pytest.mark.parametrize("count", [5, 8])
def test_a_few_anchors_outline_an_ellipse(spacing: tuple[float, float], count: int) -> None:
    image = ellipse(spacing)
    found = segment(LIVEWIRE, image, prompts=Prompts(strokes=(stroke(count),))).labels
    assert dice(found[:, :, 2] > 0, inside(image.grid)[:, :, 2]) > 0.97
    assert not found[:, :, [0, 1, 3, 4]].any()


def test_anchors_snap_to_the_edge() -> None:
    image = ellipse()
    prompts = Prompts(strokes=(stroke(12, off=2.5),))
    near, far = (
        dice(segment(LIVEWIRE, image, prompts=prompts, params={"snap_mm": snap}).labels[:, :, 2] > 0,
             inside(image.grid)[:, :, 2])
        for snap in (4, 0)
    )  # fmt: skip
    assert near > 0.997 > far


def test_points_are_anchors_too_and_slices_are_apart() -> None:
    image = ellipse()
    given = tuple(Point(place) for height in (5.0, 15.0) for place in anchors(6, height))
    found = segment(LIVEWIRE, image, prompts=Prompts(points=given)).labels
    assert found.any(axis=(0, 1)).tolist() == [False, True, False, True, False]


def test_strokes_of_labels_and_holes() -> None:
    image = ellipse()
    strokes = (
        stroke(8, 0.0, label=2),
        stroke(8, 10.0),
        Stroke(
            ((36.0, 26.0, 10.0), (44.0, 26.0, 10.0), (44.0, 34.0, 10.0), (36.0, 34.0, 10.0)),
            1.0,
            positive=False,
        ),
    )
    answer = segment(
        LIVEWIRE, image, prompts=Prompts(strokes=strokes), params={"snap_mm": 0, "stiffness": 10}
    )
    assert answer.present == (1, 2)
    assert answer.labels[40, 30, 2] == 0
    assert answer.labels[40, 30, 0] == 2
    assert answer.labels[25, 30, 2] == 1


def test_nothing_lies_outside_within_and_pixels_will_do() -> None:
    image = ellipse(unit="px")
    within = np.zeros(image.grid.shape, np.bool_)
    within[:40] = True
    found = segment(LIVEWIRE, image, prompts=Prompts(strokes=(stroke(8),)), within=within).labels
    assert found[:40].any()
    assert not found[40:].any()


def test_a_tumour_is_outlined_on_a_slice(data: Callable[[str], Path]) -> None:
    from medseg.masks import outlines, slice_axis
    from medseg.workflows.files import read, read_segmentation

    image = read(data("sarcoma/STS_002/MR_T1_image.nii.gz"))
    truth = read_segmentation(data("sarcoma/STS_002/MR_T1_mask.nii.gz")).labels > 0
    axis = slice_axis(image.grid)
    assert axis == 2
    number = int(truth.sum(axis=(0, 1)).argmax())
    outline = max((o for o in outlines(truth, axis) if o.index == number), key=lambda o: len(o.points))
    index = outline.points[:: max(1, len(outline.points) // 12)]
    places = image.grid.to_position(index)
    drawn = Stroke(tuple((float(p[0]), float(p[1]), float(p[2])) for p in places), 1.0, closed=True)
    found = segment(LIVEWIRE, image, prompts=Prompts(strokes=(drawn,))).labels[:, :, number] > 0
    assert dice(found, truth[:, :, number]) > 0.85


LINE = ((20.0, 20.0, 10.0), (50.0, 20.0, 10.0))


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        (Prompts(), "needs seeds"),
        (Prompts(strokes=(Stroke(LINE, 1.0),)), "a contour needs three anchors, not 2"),
        (Prompts(strokes=(Stroke((*LINE, (40.0, 50.0, 15.0)), 1.0),)), "slices 2 to 3"),
        (Prompts(strokes=(Stroke((*LINE, (40.0, 500.0, 10.0)), 1.0),)), "leaves the image"),
        (Prompts(strokes=(stroke(6, positive=False),)), "around an object"),
        (Prompts(boxes=(Box((0.0, 0.0, 0.0), (9.0, 9.0, 9.0)),)), "no boxes"),
        (Prompts(points=(Point(LINE[0], positive=False),)), "negative stroke"),
    ],
)
def test_what_does_not_fit_gets_one_line(prompts: Prompts, words: str) -> None:
    with pytest.raises(InputError, match=words):
        segment(LIVEWIRE, ellipse(), prompts=prompts)


def test_a_constant_slice_and_a_wrong_parameter_are_refused() -> None:
    image = ellipse()
    flat = Image(np.ones(image.grid.shape, np.float32), image.grid)
    with pytest.raises(InputError, match="constant"):
        segment(LIVEWIRE, flat, prompts=Prompts(strokes=(stroke(6),)))
    with pytest.raises(ConfigError, match="stiffness"):
        segment(LIVEWIRE, image, params={"stiffness": 0}, prompts=Prompts(strokes=(stroke(6),)))
