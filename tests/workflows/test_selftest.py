"""A scan tested on itself: what must not change does not, and what is known to change comes back."""

from dataclasses import replace

import numpy as np
import pytest

import medseg
from medseg.domain import Grid, Image, Label, LabelTable, Quantity, Segmentation, Target
from medseg.domain.finding import Finding
from medseg.errors import Cancelled, InputError
from medseg.reporting.repeatability.page import repeatability_to_html
from medseg.workflows.disturb import disturbances
from medseg.workflows.implant import planted, scan_objects, sizes_to_plant, with_growth
from medseg.workflows.selftest import self_test

GRID = Grid((64, 56, 40), np.array([[-1.0, 0, 0, 30], [0, 1.0, 0, -20], [0, 0, 1.5, 5], [0, 0, 0, 1.0]]))
TABLE = LabelTable((Label(1, "lesion"),))
BY_HAND = {"low": 50.0}


def ball(grid: Grid, centre: "tuple[float, ...]", radius: float, edge: float = 1.2) -> np.ndarray:
    """A ball of 100 on 0 with a soft edge: its surface is where values pass 50."""
    away = np.linalg.norm(
        grid.to_position(np.moveaxis(np.indices(grid.shape), 0, -1)) - grid.to_position(np.array(centre)),
        axis=-1,
    )
    return 100 / (1 + np.exp((away - radius) / edge))


def scan(noise: float = 2.0, grid: Grid = GRID) -> Image:
    rng = np.random.default_rng(3)
    values = (
        ball(grid, (20.3, 20.4, 20.2), 9.3)
        + ball(grid, (46.4, 37.7, 18.3), 6.0)
        + rng.normal(0, noise, grid.shape)
    )
    return Image(values.astype(np.float32), grid)


def mask_of(image: Image) -> Segmentation:
    return Segmentation((image.array > 50).astype(np.uint8), image.grid, TABLE)


def test_known_change_comes_back_to_a_segmenter_that_sees_edges() -> None:
    """A threshold at half the contrast sees every edge: about all of the change that was put in comes back."""
    study = self_test("threshold", scan(), params=BY_HAND, plant=("foreground",))
    assert study.evidence == "self"
    kinds = {(item.kind, round(item.size_ml, 1)) for item in study.recovered if item.kind != "planted"}
    assert kinds == {(kind, size) for kind in ("grown", "shrunk") for size in (0.9, 3.4)}
    for item in study.recovered:
        assert item.share == pytest.approx(1.0, abs=0.1 if item.kind != "planted" else 0.35), item
    assert len([item for item in study.recovered if item.kind == "planted"]) == 3


def test_the_put_in_change_is_the_factor_of_the_object() -> None:
    image = scan(0.0)
    found = mask_of(image)
    for item in scan_objects(found, (Target("label", "lesion", (1,)),)):
        for factor in (0.8, 1.25):
            images, put = with_growth({"image": image}, item, factor, found)
            assert put == pytest.approx(item.ml * (factor - 1), rel=1e-6)
            after = (images["image"].array > 50).sum() - (image.array > 50).sum()
            assert after * GRID.voxel_volume / 1000 == pytest.approx(put, rel=0.1)


def test_the_spread_of_a_steady_scan_is_small_and_grows_with_its_noise() -> None:
    quiet, loud = (self_test("threshold", scan(noise), params=BY_HAND).items[0] for noise in (1.0, 12.0))
    assert quiet.wcv.value < 0.01
    assert loud.wcv.value > quiet.wcv.value
    assert (quiet.pairs, quiet.subjects, quiet.quantity) == (11, 1, Quantity.VOLUME)
    assert quiet.wsd.interval is None, "disturbances are no sample"


def test_a_disturbance_leaves_the_patient_as_he_is() -> None:
    """Every disturbed scan, thresholded, has the volume it had; all channels move alike in the world."""
    image = scan(1.0)
    coarse = Grid((32, 28, 20), GRID.affine @ np.diag([2.0, 2.0, 2.0, 1.0]))
    other = Image(ball(coarse, (10.15, 10.2, 10.1), 9.3).astype(np.float32), coarse)
    found = mask_of(image)
    names = []
    for item in disturbances({"one": image, "two": other}, found, mirror=True, seed=0):
        names.append(item.how)
        one, two = item.images["one"], item.images["two"]
        assert (one.array > 50).sum() == pytest.approx((image.array > 50).sum(), rel=0.025), item.how
        places = [each.grid.to_position(np.argwhere(each.array > 50)[:, :3]) for each in (one, two)]
        left = places[0][places[0][:, 0] * (-1 if "mirror" in item.how else 1) > 0]  # the larger ball alone
        assert left.mean(axis=0) == pytest.approx(places[1].mean(axis=0), abs=0.6), item.how
    assert len(names) == len(set(names)) == 10


def test_a_label_with_a_side_is_not_mirrored() -> None:
    how = [item.how for item in disturbances({"one": scan()}, mask_of(scan()), mirror=False, seed=0)]
    assert not [item for item in how if "mirror" in item]
    unknown = scan(grid=replace(GRID, orientation_known=False))
    how = [item.how for item in disturbances({"one": unknown}, mask_of(unknown), mirror=True, seed=0)]
    assert not [item for item in how if "mirror" in item]


def test_the_noise_is_drawn_anew_by_the_seed_and_has_the_scans_own_size() -> None:
    image = scan(4.0)

    def noisy(seed: int) -> np.ndarray:
        return (
            list(disturbances({"one": image}, mask_of(image), mirror=False, seed=seed))[-1]
            .images["one"]
            .array
        )

    assert np.array_equal(noisy(0), noisy(0))
    assert not np.array_equal(noisy(0), noisy(1))
    assert (noisy(0) - image.array).std() == pytest.approx(4.0, rel=0.15)


def test_objects_are_away_from_the_border_and_not_too_small() -> None:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[0:6, 10:20, 10:20] = 1  # cut
    labels[30:32, 30:32, 30:32] = 1  # eight voxels
    labels[20:26, 30:36, 10:16] = 1
    (item,) = scan_objects(Segmentation(labels, GRID, TABLE), (Target("label", "lesion", (1,)),))
    assert item.ml == pytest.approx(6**3 * 1.5 / 1000)
    assert item.centre == pytest.approx(GRID.to_position(np.array([22.5, 32.5, 12.5])))


def test_many_objects_are_chosen_over_their_sizes() -> None:
    labels = np.zeros((120, 16, 16), np.uint8)
    for n in range(9):
        labels[2 + 13 * n : 5 + 13 * n + n, 4:10, 4:10] = 1
    grid = Grid(labels.shape, np.eye(4))
    sizes = [
        item.ml
        for item in scan_objects(Segmentation(labels, grid, TABLE), (Target("label", "lesion", (1,)),))
    ]
    assert len(sizes) == 6
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == pytest.approx((0.036 * 11, 0.036 * 3))


def test_a_planted_ball_has_its_volume_and_the_contrast_of_the_largest_object() -> None:
    image = scan(0.5)
    found = mask_of(image)
    like = scan_objects(found, (Target("label", "lesion", (1,)),))[0]
    sizes = sizes_to_plant(GRID, like.ml)
    assert len(sizes) == 3
    for ml in sizes:
        made = planted({"image": image}, "image", found, like, ml)
        gained = (made.images["image"].array - image.array).astype(np.float64)
        assert not (made.near & (found.labels > 0)).any()
        contrast = gained.max()
        assert contrast == pytest.approx(90, abs=12)
        assert gained.sum() / contrast * GRID.voxel_volume / 1000 == pytest.approx(ml, rel=0.15)


REFUSED = [
    (Image(np.zeros((9, 9, 9), np.float32), Grid((9, 9, 9), np.eye(4))), {}, "nothing was found"),
    (Image(np.full((9, 9, 1), 99.0), Grid((9, 9, 1), np.eye(4))), {}, "volume in ml"),
    (Image(np.full((9, 9, 9), 99.0), Grid((9, 9, 9), np.eye(4), unit="px")), {}, "volume in ml"),
    (scan(), {"plant": ("node",)}, "no label is called 'node'"),
]


@pytest.mark.parametrize(("image", "options", "words"), REFUSED)
def test_refusals(image: Image, options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        self_test("threshold", image, params=BY_HAND, **options)


def test_what_can_not_be_planted_is_said() -> None:
    """A ball that fills the image leaves no room."""
    grid = Grid((24, 24, 24), np.eye(4))
    study = self_test(
        "threshold", Image(ball(grid, (12, 12, 12), 8.0), grid), params=BY_HAND, plant=("foreground",)
    )
    assert "repeatability.not_planted" in {item.code for item in study.findings}
    assert isinstance(study.findings[-1], Finding)


def test_it_can_be_stopped() -> None:
    with pytest.raises(Cancelled):
        self_test("threshold", scan(), params=BY_HAND, run=medseg.Run(cancel=lambda: True))


def test_the_page_calls_it_a_lower_bound() -> None:
    study = self_test("threshold", scan(), params=BY_HAND)
    page = repeatability_to_html(study).decode()
    assert "lower bound of what two scans would show" in page
    assert page.count('data-head="Share"') == len(study.recovered) == 4
    assert page.count('<td class="name">shifted by') == 6
    assert "preliminary" not in page
