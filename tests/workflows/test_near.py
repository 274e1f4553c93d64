"""A prompted method needs to see no more than the part of a scan around its prompts: the answer is the same."""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Image, Prompts
from medseg.domain.prompts import Box, Point, Stroke
from medseg.errors import InputError
from medseg.geometry import affine_orientation
from medseg.workflows import near, segment
from medseg.workflows.segmenters import find_segmenter, list_segmenters, make_params

SHAPE = (60, 50, 40)
MARGIN_MM = 8.0


def near_segmenters() -> Iterator[str]:
    return (found.spec.name for found in list_segmenters() if found.spec.near_prompts)


def scan(orientation: str, degrees: float = 0.0) -> Image:
    """A bright block with noise, far from two others that must not matter."""
    array = np.random.default_rng(3).normal(100, 8, SHAPE).astype(np.float32)
    for corner in ((20, 20, 15), (2, 2, 2), (48, 38, 30)):
        array[tuple(slice(at, at + 8) for at in corner)] += 120
    affine = affine_orientation((0.9, 1.1, 1.7), orientation)
    affine[:3, 3] = (-33.3, 12.7, 401.9)
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return Image(array, Grid(SHAPE, turn @ affine), modality="MR")


def place(image: Image, *index: float) -> tuple[float, float, float]:
    x, y, z = image.grid.to_position(np.array(index))
    return float(x), float(y), float(z)


def seeds(image: Image) -> Prompts:
    inside = Point(place(image, 23, 24, 18))
    outside = Stroke((place(image, 32, 20, 18), place(image, 32, 28, 18)), 1.0, positive=False)
    return Prompts((inside,), (), (outside,))


def given_to(
    name: str, image: Image, prompts: Prompts, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[int, ...]]:
    """Shapes of the images that a method is really given."""
    shapes = []
    kind = type(find_segmenter(name))
    kept = kind.segment

    def watched(self: Any, images: Any, *rest: Any, **more: Any) -> Any:
        shapes.extend(item.grid.shape for item in images.values())
        return kept(self, images, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "segment", watched)
        segment(name, image, prompts=prompts, params={"margin_mm": MARGIN_MM})
    return shapes


@pytest.mark.parametrize(("orientation", "degrees"), [("RAS", 0), ("PSR", 20)])
@pytest.mark.parametrize("name", sorted(near_segmenters()))
def test_the_answer_from_the_part_is_that_from_the_whole(
    name: str, orientation: str, degrees: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = scan(orientation, degrees)
    prompts = seeds(image)
    (shape,) = given_to(name, image, prompts, monkeypatch)
    assert np.prod(shape) < np.prod(SHAPE) / 2
    part = segment(name, image, prompts=prompts, params={"margin_mm": MARGIN_MM})
    # The package has the function of this name in the module's place.
    monkeypatch.setattr(sys.modules["medseg.workflows.segment"], "part_near", lambda *_: None)
    whole = segment(name, image, prompts=prompts, params={"margin_mm": MARGIN_MM})
    assert part.labels.any()
    assert part.digest == whole.digest
    assert part.made_by == whole.made_by
    assert part.findings == whole.findings


def test_every_method_with_a_margin_says_that_it_works_near_its_prompts() -> None:
    with_margin = {
        found.spec.name
        for found in list_segmenters()
        if "margin_mm" in find_segmenter(found.spec.name).Params.model_fields
    }
    assert with_margin == set(near_segmenters())


def test_the_part_holds_prompts_margin_and_a_spare_voxel_on_every_side() -> None:
    engine = find_segmenter("random-walker")
    grid = Grid((100, 100, 100), np.diag([2.0, 2.0, 2.0, 1.0]))
    box = near.part_near(
        engine.spec,
        make_params(engine, {"margin_mm": 10.0}),
        Prompts((), (Box((60.0, 60.0, 60.0), (80.0, 100.0, 64.0)),)),
        grid,
    )
    assert box is not None
    low, high = np.array([[part.start, part.stop - 1] for part in box]).T
    assert (low <= np.array([30, 30, 30]) - 5 - 1).all()
    assert (high >= np.array([40, 50, 32]) + 5 + 1).all()
    assert (high - low < 40).all()


def test_prompts_beside_the_image_are_refused_as_before() -> None:
    image = scan("RAS")
    with pytest.raises(InputError, match="lies outside the image"):
        segment("random-walker", image, prompts=Prompts((Point((5000.0, 0.0, 0.0)),)))
