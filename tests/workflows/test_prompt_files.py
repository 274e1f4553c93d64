"""Prompts as files, and as what a mask says."""

from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Grid, Image, LabelTable, Prompts, Segmentation
from medseg.domain.prompts import Box, Point, Stroke
from medseg.errors import InputError, OutputError
from medseg.geometry import affine_orientation
from medseg.masks.seeds import BACKGROUND, place_seeds
from medseg.workflows import segment
from medseg.workflows.prompts import prompts_of_mask, read_prompts, write_prompts

GIVEN = Prompts(
    (Point((1.1, 2.2, 3.3)), Point((0.1 + 0.2, -0.0, 1e-9), positive=False, label=2)),
    (Box((0.0, 0.0, 0.0), (1.0, 2.0, 3.0), 3),),
    (Stroke(((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)), 1.5, positive=False, closed=True, label=4),),
)
SHAPE = (44, 40, 30)


def grid(orientation: str = "RAS", degrees: float = 0.0) -> Grid:
    affine = affine_orientation((1.0, 1.2, 2.0), orientation)
    affine[:3, 3] = (-12.3, 45.6, 7.8)
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return Grid(SHAPE, turn @ affine)


def shell() -> np.ndarray:
    """A thick ball with a hole, beside a small one."""
    i, j, k = np.indices(SHAPE)
    distance = np.sqrt((i - 18) ** 2 + (1.2 * (j - 17)) ** 2 + (2 * (k - 14)) ** 2)
    labels = ((distance < 15) & (distance > 6)).astype(np.uint8)
    labels[36:42, 30:37, 10:16] = 2
    return labels


def test_a_file_gives_back_every_bit(tmp_path: Path) -> None:
    path = tmp_path / "prompts.json"
    write_prompts(GIVEN, path)
    assert read_prompts(path) == GIVEN
    with pytest.raises(OutputError, match="exists"):
        write_prompts(GIVEN, path)
    write_prompts(Prompts(), path, force=True)
    assert read_prompts(path).is_empty


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"points": [{"place": [1, 2, 3]}]}', encoding="utf-8")
    with pytest.raises(InputError, match="holds no prompts"):
        read_prompts(path)


@pytest.mark.parametrize(("orientation", "degrees"), [("RAS", 0), ("PSR", 0), ("LPS", 20)])
def test_what_a_mask_says_lies_in_its_labels_and_off_them(orientation: str, degrees: float) -> None:
    labels = shell()
    mask = Segmentation(labels, grid(orientation, degrees), LabelTable.from_values((1, 2)))
    markers = place_seeds(prompts_of_mask(mask, 2.0), mask.grid, "test").markers
    for label in (1, 2):
        assert (markers == label).any()
        assert (labels[markers == label] == label).all()
    assert (markers == BACKGROUND).any()
    assert (labels[markers == BACKGROUND] == 0).all()
    assert (markers[labels == 1] == 1).mean() > 0.3


def test_a_mask_that_reaches_the_border_is_no_seed_outside_the_image() -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, :, 5:] = 1
    mask = Segmentation(labels, grid(), LabelTable.from_values((1,)))
    markers = place_seeds(prompts_of_mask(mask), mask.grid, "test").markers
    assert (labels[markers == 1] == 1).all()


def test_an_empty_mask_is_no_start() -> None:
    empty = Segmentation(np.zeros(SHAPE, np.uint8), grid(), LabelTable.from_values((1,)))
    with pytest.raises(InputError, match="empty"):
        prompts_of_mask(empty)


@pytest.mark.parametrize(("name", "params"), [("graph-cut", {}), ("random-walker", {"seed_mm": 0})])
def test_a_boundary_that_was_drawn_wrong_is_found_from_it(name: str, params: dict[str, float]) -> None:
    """A ball of values, and a mask of it that is a voxel or two too large: refined, it fits better."""
    i, j, k = np.indices(SHAPE)
    distance = np.sqrt((i - 20) ** 2 + (1.2 * (j - 20)) ** 2 + (2 * (k - 15)) ** 2)
    truth = distance < 12
    values = np.random.default_rng(1).normal(0, 10, SHAPE).astype(np.float32) + 100 * truth
    image = Image(values, grid(), modality="MR")
    rough = Segmentation((distance < 14).astype(np.uint8), grid(), LabelTable.from_values((1,)))
    found = segment(name, image, prompts=prompts_of_mask(rough, 4.0), params=params)
    wrong_before = np.count_nonzero((rough.labels > 0) != truth)
    wrong_now = np.count_nonzero((found.labels > 0) != truth)
    assert wrong_now < wrong_before / 3


@pytest.mark.parametrize("negative", [True, False])
def test_a_box_without_a_seed_of_its_own_object_marks_its_middle(negative: bool) -> None:
    """Another object's seeds, or what lies outside, are none of its own."""
    space = grid()
    places = [
        tuple(map(float, space.to_position(np.array(at))))
        for at in ((10, 10, 10), (20, 20, 20), (35, 30, 25))
    ]
    other = Point(places[2], positive=not negative, label=1)  # type: ignore[arg-type]
    box = Box(places[0], places[1], 2)  # type: ignore[arg-type]
    markers = place_seeds(Prompts((other,), (box,)), space, "test").markers
    assert markers[15, 15, 15] == 2


@pytest.mark.parametrize("name", ["random-walker", "graph-cut", "connected-threshold", "watershed"])
def test_a_box_limits_its_own_object_and_no_other_one(name: str) -> None:
    values = np.random.default_rng(1).normal(0, 5, SHAPE).astype(np.float32)
    values[5:15, 10:30, 8:20] += 100
    values[25:40, 10:30, 8:20] += 160
    image = Image(values, grid(), modality="MR")

    def at(*index: int) -> tuple[float, float, float]:
        x, y, z = image.grid.to_position(np.array(index))
        return float(x), float(y), float(z)

    boxed = Prompts((Point(at(10, 20, 14)),), (Box(at(25, 10, 8), at(32, 29, 19), 2),))
    labels = segment(name, image, prompts=boxed).labels
    assert labels[10, 20, 14] == 1
    assert labels[28, 20, 14] == 2
    assert not (labels[33:] == 2).any()
    assert np.count_nonzero(labels[5:15] == 1) > 0.8 * 10 * 20 * 12
