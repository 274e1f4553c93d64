"""A known motion is found again, on other grids and with another contrast; what does not fit is refused."""

import numpy as np
import pytest

from medseg.domain import Grid, Image
from medseg.errors import InputError
from medseg.followup.register import register_rigid
from tests.followup.scenes import grid, motion


def head(on: Grid, moved=None, *, seed=0, contrast=1.0, shape=(50.0, 62.0, 44.0)) -> Image:
    """A synthetic head with inner structure, as one scan sees it."""
    back = np.linalg.inv(np.eye(4) if moved is None else moved)
    positions = on.to_position(np.moveaxis(np.indices(on.shape), 0, -1)) @ back[:3, :3].T + back[:3, 3]
    inside = (((positions - [60, 70, 50]) / shape) ** 2).sum(axis=-1) <= 1
    hole = (((positions - [60, 75, 55]) / [8, 20, 10]) ** 2).sum(axis=-1) <= 1
    x, y, z = np.moveaxis(positions, -1, 0)
    tissue = 100 + 20 * np.sin(x / 9) * np.cos(y / 13) * np.sin(z / 11 + 1)
    values = np.where(inside, np.where(hole, 30, tissue), 0)
    if contrast < 0:
        values = np.where(inside, 180 - values, 0)
    noise = np.random.default_rng(seed).normal(0, 3, on.shape)
    return Image((values + noise).astype(np.float32), on, "MR", channel="mr")


FIXED = grid((60, 70, 50), (2.0, 2.0, 2.0))


@pytest.mark.parametrize(
    ("degrees", "shift", "spacing", "contrast"),
    [
        (0.0, (0.0, 0.0, 0.0), (2.0, 2.0, 2.0), 1.0),
        pytest.param(8.0, (9.0, -7.0, 5.0), (2.0, 2.0, 2.0), 1.0, marks=pytest.mark.slow),
        (8.0, (9.0, -7.0, 5.0), (1.8, 1.8, 3.5), 1.0),
        pytest.param(6.0, (-4.0, 6.0, 3.0), (2.0, 2.0, 2.0), -1.0, marks=pytest.mark.slow),
    ],
)
def test_a_known_motion_is_found_again(degrees, shift, spacing, contrast) -> None:
    moved = motion(degrees, shift)
    shape = tuple(int(150 / step) for step in spacing)
    found = register_rigid(
        head(FIXED), head(grid(shape, spacing, origin=(-14, -10, -14)), moved, seed=1, contrast=contrast)
    )
    assert not found.fault
    points = np.array([[60.0, 70.0, 50.0], [30.0, 60.0, 40.0], [85.0, 90.0, 60.0], [60.0, 30.0, 65.0]])
    there = points @ moved[:3, :3].T + moved[:3, 3]
    back = there @ found.matrix[:3, :3].T + found.matrix[:3, 3]
    assert np.linalg.norm(back - points, axis=1).max() < 1.0
    assert found.residual_mm < 1.5
    assert found.rotation_degrees == pytest.approx(degrees, abs=1.0)


def test_what_does_not_fit_is_refused_with_its_figure() -> None:
    noise = np.random.default_rng(2).normal(100, 30, FIXED.shape).astype(np.float32)
    inside = head(FIXED).array > 50
    other = Image(np.where(inside, noise, 0.0).astype(np.float32), FIXED, "MR", channel="mr")
    found = register_rigid(head(FIXED), other)
    assert "do not resemble each other" in found.fault or "differ by" in found.fault


def test_a_part_of_the_body_is_no_overlap() -> None:
    found = register_rigid(head(FIXED), head(grid((60, 70, 12), (2.0, 2.0, 2.0), origin=(0, 0, 40))))
    assert found.overlap > 0.6  # the slab lies in the whole
    from dataclasses import replace

    assert "only 30 % of the smaller body" in replace(found, overlap=0.3).fault
    assert "0.5" not in replace(found, overlap=0.9, similarity=1.2, residual_mm=0.5).fault
    assert "differ by 4.0 mm" in replace(found, overlap=0.9, similarity=1.2, residual_mm=4.0).fault


@pytest.mark.parametrize(
    "image",
    [
        Image(np.zeros((9, 9, 9), np.float32), Grid((9, 9, 9), np.eye(4), unit="px")),
        Image(np.zeros((9, 9, 9), np.float32), Grid((9, 9, 9), np.eye(4), orientation_known=False)),
        Image(np.zeros((9, 9, 9), np.float32), Grid((9, 9, 9), np.eye(4))),
    ],
    ids=["pixels", "no orientation", "uniform"],
)
def test_what_can_not_be_registered(image) -> None:
    with pytest.raises(InputError):
        register_rigid(image, image)


@pytest.mark.slow
def test_real_pairs_agree_with_the_transforms_published_with_them(data) -> None:
    """Two visits of an MS patient: their ITK transforms are affine and to a common space; ours is rigid."""
    import medseg
    from medseg.io.transforms import read_transform

    folder = data("longitudinal") / "patient12"
    first, second = (medseg.read(folder / f"study{n}_FLAIR.nii.gz") for n in (1, 2))
    brain = medseg.read(folder / "brainmask.nii.gz")
    found = register_rigid(first, second)
    assert not found.fault
    points = brain.grid.to_position(np.argwhere(brain.array > 0)[::997])
    one, two = (
        read_transform(folder / f"study{n}_FLAIR_to_common_space.txt", brain.grid, scan.grid)
        for n, scan in ((1, first), (2, second))
    )
    here = points @ one[:3, :3].T + one[:3, 3]
    there = points @ two[:3, :3].T + two[:3, 3]
    ours = there @ found.matrix[:3, :3].T + found.matrix[:3, 3]
    apart = np.linalg.norm(ours - here, axis=1)
    assert apart.mean() < 0.7
    assert np.percentile(apart, 95) < 1.0
