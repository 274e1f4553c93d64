"""The picture of tissue: the slice that was measured, in true colours, with the Record's areas."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from medseg.domain import Grid, Image, InputRef, Label, LabelTable, Record, Region, Segmentation
from medseg.domain.plan import TissuePlan
from medseg.measuring.tissue.measure import measure_tissue, tissue_map
from medseg.reporting.extras import Picture
from medseg.reporting.tissue.picture import draw_tissue

HU = "[hnsf'U]"
GRID = Grid((60, 50, 12), np.array([[-2.0, 0, 0, 60], [0, -2.0, 0, 50], [0, 0, 5.0, -30], [0, 0, 0, 1]]))
TABLE = LabelTable((Label(1, "muscle"), Label(2, "L3")))
PLAN = TissuePlan(compartment="muscle")


def phantom(grid: Grid = GRID) -> tuple[Segmentation, Image]:
    """A block of muscle whose patient's left third is fat, thickest at slice 7; L3 on slice 4."""
    labels = np.zeros(grid.shape, np.uint8)
    values = np.full(grid.shape, 40, np.int16)
    for k in range(2, 10):
        rows = 10 + 2 * (k if k <= 7 else 3)
        labels[12:48, 8 : 8 + rows, k] = 1
    values[36:48] = -100
    labels[2:5, 2:5, 4] = 2
    return Segmentation(labels, grid, TABLE), Image(values, grid, "CT", HU, "ct")


def drawn(mask: Segmentation, image: Image, plan: TissuePlan) -> tuple[Record, dict[str, Picture]]:
    found = measure_tissue(mask, {image.channel: image}, plan)
    labels, table = tissue_map(mask, image, plan)
    inputs = (
        InputRef("image", "ct", image.digest, image.grid, "ct", "CT", HU),
        InputRef("mask", "mask", mask.digest, mask.grid),
    )
    record = Record("case-1", inputs, mask.table, found, mask.made_by)
    pictures = draw_tissue(record, mask, image, Segmentation(labels, mask.grid, table))
    return record, {picture.name: picture for picture in pictures}


def pixels(picture: Picture) -> np.ndarray:
    return np.asarray(Pillow.open(io.BytesIO(picture.png)).convert("RGB")).astype(int)


def reddish(shown: np.ndarray) -> np.ndarray:
    return (shown[..., 0] > 140) & (shown[..., 0] - shown[..., 2] > 80) & (shown[..., 1] < 150)


def greenish(shown: np.ndarray) -> np.ndarray:
    return (shown[..., 1] - shown[..., 0] > 40) & (shown[..., 1] > 80)


def test_the_slice_of_the_level_with_its_areas() -> None:
    mask, image = phantom()
    record, pictures = drawn(mask, image, replace(PLAN, levels=("L3",)))
    caption = pictures["tissue"].caption
    assert "level L3" in caption
    assert "slice 5 of 12" in caption
    assert "I 10.0 mm" in caption
    assert "Skeletal muscle 17.3 cm², Intermuscular fat 8.6 cm²" in caption
    assert "L 40 W 400" in caption
    areas = {
        item.target.name: item.value for item in record.measurements if item.quantity.value == "tissue_area"
    }
    assert areas == {"Skeletal muscle": pytest.approx(17.28), "Intermuscular fat": pytest.approx(8.64)}


def test_colour_lies_in_the_second_picture_and_the_patients_left_is_right() -> None:
    mask, image = phantom()
    _, pictures = drawn(mask, image, replace(PLAN, levels=("L3",)))
    shown = pixels(pictures["tissue"])
    shown = shown[: int(shown.shape[0] * 0.85)]  # without the legend
    half = shown.shape[1] // 2
    left, right = shown[:, :half], shown[:, half:]
    assert reddish(left).sum() == greenish(left).sum() == 0
    muscle, fat = np.argwhere(reddish(right)), np.argwhere(greenish(right))
    assert len(muscle) > 1.5 * len(fat) > 100
    assert muscle[:, 1].mean() < fat[:, 1].mean()


def test_without_levels_the_slice_with_most_tissue() -> None:
    mask, image = phantom()
    _, pictures = drawn(mask, image, PLAN)
    assert "slice 8 of 12" in pictures["tissue"].caption
    assert "level" not in pictures["tissue"].caption


def test_two_levels_give_two_rows() -> None:
    mask, image = phantom()
    _, one = drawn(mask, image, replace(PLAN, levels=("L3",)))
    _, two = drawn(mask, image, replace(PLAN, levels=("L3", "k=7")))
    assert "slice 5 of 12" in two["tissue"].caption
    assert "slice 8 of 12" in two["tissue"].caption
    assert pixels(two["tissue"]).shape[0] == pytest.approx(2 * pixels(one["tissue"]).shape[0], rel=0.02)


def test_the_profile_is_there_for_several_slices_alone() -> None:
    mask, image = phantom()
    _, pictures = drawn(mask, image, replace(PLAN, levels=("L3",)))
    assert "8 slices" in pictures["tissue-profile"].caption
    assert reddish(pixels(pictures["tissue-profile"])).sum() > 50
    grid = Grid((60, 50, 1), GRID.affine, slice_thickness=5.0)
    flat = Segmentation(mask.labels[..., 7:8].copy(), grid, TABLE)
    _, one = drawn(flat, Image(image.array[..., 7:8].copy(), grid, "CT", HU, "ct"), PLAN)
    assert set(one) == {"tissue"}


def test_nothing_is_drawn_where_nothing_was_measured() -> None:
    mask, image = phantom()
    _, pictures = drawn(mask, image, replace(PLAN, levels=("k=11",)))
    assert pictures == {}


def test_the_same_drawing_gives_the_same_bytes_and_stays_small() -> None:
    mask, image = phantom()
    first, second = (drawn(mask, image, PLAN)[1] for _ in range(2))
    for name, picture in first.items():
        assert picture.png == second[name].png
        assert len(picture.png) <= 150_000


def test_lung_is_seen_in_the_lung_window() -> None:
    mask, image = phantom()
    named = Segmentation(mask.labels, GRID, LabelTable((Label(1, "lung"), Label(2, "L3"))))
    air = replace(image, array=np.full(GRID.shape, -820, np.int16))
    _, pictures = drawn(named, air, TissuePlan(compartment="lung"))
    assert "L −600 W 1500 HU (lung)" in pictures["tissue"].caption


def test_stacks_of_any_direction() -> None:
    """A sagittal stack, an upside-down one, an oblique one, and one without orientation."""
    flipped = np.array(GRID.affine)
    flipped[2, 2] *= -1
    tilted = np.array(GRID.affine)
    tilted[:3, :3] = np.array([[1, 0, 0], [0, 0.98, -0.199], [0, 0.199, 0.98]]) @ tilted[:3, :3]
    tilted[:3, 1] /= np.linalg.norm(tilted[:3, 1]) / 2
    sagittal = np.array([[0, 0, 5.0, 0], [2.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, 0, 1]])
    for affine in (flipped, tilted, sagittal):
        mask, image = phantom(Grid(GRID.shape, affine))
        _, pictures = drawn(mask, image, replace(PLAN, levels=("k=7",)))
        assert "slice 8 of 12" in pictures["tissue"].caption
        assert set(pictures) == {"tissue", "tissue-profile"}
    mask, image = phantom(replace(GRID, orientation_known=False))
    _, pictures = drawn(mask, image, replace(PLAN, levels=("k=7",)))
    assert "mm" not in pictures["tissue"].caption.partition("cm²")[0]


def test_a_real_ct(data: Callable[[str], Path]) -> None:
    from medseg.io import read, read_segmentation

    image = replace(
        read(data("misc/ct_small/example_ct_sm.nii.gz")), modality="CT", value_unit=HU, channel="ct"
    )
    given = read_segmentation(data("misc/ct_small/example_seg.nii.gz"))
    names = {31: "L1"}
    table = LabelTable(
        tuple(Label(value, names.get(value, f"label {value}")) for value in given.present),
        (Region("back muscle", (86, 87)),),
    )
    mask = Segmentation(given.labels, given.grid, table)
    _, pictures = drawn(mask, image, TissuePlan(compartment="back muscle", levels=("L1",)))
    assert "level L1, slice 14 of 30" in pictures["tissue"].caption
    assert reddish(pixels(pictures["tissue"])).sum() > 1000
