"""Balls in mm, their algebra, and what they do to solids of known size."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.geometry import order_to
from medseg.masks.distances import distance_to, signed_distance
from medseg.masks.fill import fill_holes
from medseg.masks.morphology import Margins, add_margins, close_gaps, dilate, erode, open_necks
from medseg.masks.sizes import keep_by_size
from medseg.masks.smooth import smooth_boundary
from medseg.testing.grids import ORIENTATIONS, grid_around, random_turn
from medseg.testing.phantoms import rasterise_solid
from medseg.testing.solids import ball

SPACINGS = [(1.0, 1.0, 1.0), (0.7, 0.7, 0.7), (0.9, 1.3, 2.1), (1.0, 1.0, 5.0)]
BOUNDS = np.array([[-16.0] * 3, [16.0] * 3])


def noise(seed: int, shape: tuple[int, int, int] = (9, 8, 7), share: float = 0.4) -> NDArray[np.bool_]:
    return np.asarray(np.random.default_rng(seed).random(shape) < share)


def grid_of(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Grid:
    return Grid(shape, np.diag([*spacing, 1.0]))


def shares_of_two(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


masks = st.builds(noise, st.integers(0, 10_000), share=st.sampled_from([0.05, 0.4, 0.8]))
spacings = st.sampled_from(SPACINGS)
radii = st.sampled_from([0.7, 1.0, 1.9, 2.1, 3.0, 5.0])


OPERATIONS = {
    "dilate": lambda mask, grid: dilate(mask, grid, 2.1),
    "erode": lambda mask, grid: erode(mask, grid, 1.3),
    "open": lambda mask, grid: open_necks(mask, grid, 1.4),
    "close": lambda mask, grid: close_gaps(mask, grid, 2.6),
    "margins": lambda mask, grid: add_margins(mask, grid, Margins(3, 1, 0, 4, 5, 2.1)),
    "smooth": lambda mask, grid: smooth_boundary(mask, grid, 1.5),
    "largest": lambda mask, grid: keep_by_size(mask, grid, largest=2, connectivity=6),
    "holes": fill_holes,
}

SIDES = {
    "right": (1, 0, 0),
    "left": (-1, 0, 0),
    "anterior": (0, 1, 0),
    "posterior": (0, -1, 0),
    "superior": (0, 0, 1),
    "inferior": (0, 0, -1),
}


class TestAlgebra:
    """Every mask, spacing and radius."""

    @settings(max_examples=40, deadline=None)
    @given(masks, spacings, radii)
    def test_eroding_is_dilating_the_complement(
        self, mask: NDArray[np.bool_], spacing: tuple[float, float, float], radius: float
    ) -> None:
        grid = grid_of((9, 8, 7), spacing)
        assert (erode(mask, grid, radius) == ~dilate(~mask, grid, radius)).all()

    @settings(max_examples=40, deadline=None)
    @given(masks, spacings, radii)
    def test_opening_never_adds_and_closing_never_removes_and_twice_is_once(
        self, mask: NDArray[np.bool_], spacing: tuple[float, float, float], radius: float
    ) -> None:
        grid = grid_of((9, 8, 7), spacing)
        opened, closed = open_necks(mask, grid, radius), close_gaps(mask, grid, radius)
        assert not (opened & ~mask).any()
        assert not (mask & ~closed).any()
        assert (open_necks(opened, grid, radius) == opened).all()
        assert (close_gaps(closed, grid, radius) == closed).all()

    @settings(max_examples=40, deadline=None)
    @given(masks, spacings, radii, st.integers(0, 10_000))
    def test_more_stays_more(
        self, mask: NDArray[np.bool_], spacing: tuple[float, float, float], radius: float, seed: int
    ) -> None:
        grid = grid_of((9, 8, 7), spacing)
        more = mask | noise(seed, share=0.1)
        for operation in (dilate, erode, open_necks, close_gaps):
            assert not (operation(mask, grid, radius) & ~operation(more, grid, radius)).any()

    @settings(max_examples=30, deadline=None)
    @given(masks, spacings, radii)
    def test_a_ball_holds_exactly_the_centres_within_its_radius(
        self, mask: NDArray[np.bool_], spacing: tuple[float, float, float], radius: float
    ) -> None:
        grid = grid_of((9, 8, 7), spacing)
        expected = mask.copy()
        if mask.any():
            # Another library, in float64; centres within rounding of the radius belong.
            expected = distance_transform_edt(~mask, sampling=spacing) <= radius * (1 + 1e-6)
        assert (dilate(mask, grid, radius) == expected).all()

    @settings(max_examples=30, deadline=None)
    @given(masks, spacings, radii)
    def test_six_equal_margins_are_a_ball(
        self, mask: NDArray[np.bool_], spacing: tuple[float, float, float], radius: float
    ) -> None:
        grid = grid_of((9, 8, 7), spacing)
        assert (add_margins(mask, grid, Margins(*[radius] * 6)) == dilate(mask, grid, radius)).all()


class TestStorage:
    """The answer belongs to the body, not to the file."""

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_all_48_axis_orders_give_the_same_voxels(self, name: str) -> None:
        grid = Grid((11, 9, 7), np.diag([0.9, 1.3, 2.1, 1.0]))
        mask = noise(3, grid.shape, 0.3)
        expected = OPERATIONS[name](mask, grid)
        for letters in ORIENTATIONS:
            order = order_to(grid, letters)
            found = OPERATIONS[name](np.ascontiguousarray(order.apply(mask)), order.grid(grid))
            assert (order.undo(found) == expected).all(), letters

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_nothing_stays_nothing_and_the_input_is_left_alone(self, name: str) -> None:
        grid = Grid((11, 9, 7), np.diag([0.9, 1.3, 2.1, 1.0]))
        assert not OPERATIONS[name](np.zeros(grid.shape, np.bool_), grid).any()
        mask = noise(3, grid.shape, 0.3)
        mask.setflags(write=False)
        OPERATIONS[name](mask, grid)


class TestSolids:
    """Closed forms: balls of r grow to balls of r + d."""

    @pytest.mark.parametrize("spacing", SPACINGS)
    @pytest.mark.parametrize(("operation", "change"), [(dilate, 4.0), (erode, -4.0)])
    def test_a_ball_becomes_a_ball(
        self, operation, change: float, spacing: tuple[float, float, float]
    ) -> None:
        grid = grid_around(BOUNDS, spacing, turn=random_turn(np.random.default_rng(5)))
        found = operation(rasterise_solid(ball(9.0), grid), grid, abs(change))
        # Only centres count, so the surface moves by less than in the continuum, and never by more.
        radius = (3 * found.sum() * grid.voxel_volume / (4 * math.pi)) ** (1 / 3)
        short = (9.0 + change - radius) * np.sign(change)
        assert 0 <= short < 0.4 * max(spacing)
        beyond = found & ~rasterise_solid(ball(9.0 + change + 1e-3), grid)
        missing = rasterise_solid(ball(9.0 + change - 1e-3), grid) & ~found
        assert not (beyond if change > 0 else missing).any()

    @pytest.mark.parametrize("spacing", SPACINGS[:3])
    def test_balls_agree_across_spacings(self, spacing: tuple[float, float, float]) -> None:
        grid = grid_around(BOUNDS, spacing)
        found = dilate(rasterise_solid(ball(8.0), grid), grid, 5.0)
        assert shares_of_two(found, rasterise_solid(ball(13.0), grid)) > 0.95

    def test_a_radius_below_the_slice_distance_stays_in_the_slice(self) -> None:
        grid = grid_of((9, 9, 3), (1.0, 1.0, 5.0))
        mask = np.zeros(grid.shape, np.bool_)
        mask[4, 4, 1] = True
        assert dilate(mask, grid, 3.0).any(axis=(0, 1)).tolist() == [False, True, False]
        assert dilate(mask, grid, 5.0)[4, 4].all()

    def test_opening_cuts_a_handle_and_closing_fills_a_crack(self) -> None:
        grid = grid_of((40, 20, 20), (1.0, 1.0, 1.0))
        mask = np.zeros(grid.shape, np.bool_)
        mask[2:16, 3:17, 3:17] = mask[24:38, 3:17, 3:17] = True
        handle = mask.copy()
        handle[16:24, 9:11, 9:11] = True
        assert not open_necks(handle, grid, 2.0)[18:22].any()
        crack = mask.copy()
        crack[9:11] = False
        assert close_gaps(crack, grid, 2.0)[9:11, 5:15, 5:15].all()

    def test_the_edge_of_the_image_eats_nothing_and_fills_nothing(self) -> None:
        grid = grid_of((12, 12, 12), (1.0, 1.0, 1.0))
        cut = np.zeros(grid.shape, np.bool_)
        cut[:6] = True
        assert (erode(cut, grid, 2.0)[:4]).all()
        assert (open_necks(cut, grid, 2.0) == cut).all()
        apart = np.zeros(grid.shape, np.bool_)
        apart[1:6, 3:9, 3:9] = True
        assert not close_gaps(apart, grid, 4.0)[0].any()

    def test_a_single_slice_closes_in_its_plane(self) -> None:
        grid = grid_of((20, 20, 1), (1.0, 1.0, 1.0))
        mask = np.zeros(grid.shape, np.bool_)
        mask[3:17, 3:17] = True
        mask[9:11] = False
        assert close_gaps(mask, grid, 3.0)[9:11, 8:12].all()


class TestMargins:
    """Sides of the patient, wherever the axes point."""

    @pytest.mark.parametrize("side", SIDES)
    @pytest.mark.parametrize("orientation", ["RAS", "LPS", "SLA", "PIR"])
    def test_one_margin_grows_towards_one_side(self, side: str, orientation: str) -> None:
        grid = grid_around(np.array([[-8.0] * 3, [8.0] * 3]), (1.0, 1.0, 1.0), orientation=orientation)
        mask = rasterise_solid(ball(2.5), grid)
        found = add_margins(mask, grid, Margins(**{side: 4.0}))
        places = grid.to_position(np.argwhere(found))
        low, high = places.min(axis=0), places.max(axis=0)
        growth = np.array([high - 2.0, -2.0 - low])
        expected = np.where(np.array([SIDES[side], np.negative(SIDES[side])]) > 0, 4.0, 0.0)
        assert growth == pytest.approx(expected, abs=1e-6)

    def test_six_margins_around_a_point_are_eight_octants(self) -> None:
        grid = grid_around(np.array([[-12.0] * 3, [12.0] * 3]), (1.0, 1.0, 1.0))
        mask = rasterise_solid(ball(0.4), grid)
        assert mask.sum() == 1
        sizes = (10.0, 6.0, 8.0, 4.0, 9.0, 5.0)
        found = add_margins(mask, grid, Margins(*sizes))
        right, left, front, back, head, feet = sizes
        volume = math.pi / 6 * (right + left) * (front + back) * (head + feet)
        assert found.sum() == pytest.approx(volume, rel=0.02)

    @pytest.mark.parametrize("tilt", [0.0, 15.0])
    def test_oblique_and_sheared_grids_give_the_ellipsoid_in_the_body(self, tilt: float) -> None:
        turn = random_turn(np.random.default_rng(2))
        grid = grid_around(np.array([[-14.0] * 3, [14.0] * 3]), (1.0, 1.0, 1.5), turn=turn, tilt_degrees=tilt)
        mask = rasterise_solid(ball(3.0), grid)
        found = add_margins(mask, grid, Margins(6, 6, 6, 6, 6, 6))
        assert shares_of_two(found, rasterise_solid(ball(9.0), grid)) > 0.92

    def test_sides_that_nobody_knows_are_refused(self) -> None:
        grid = Grid((5, 5, 1), np.diag([-1.0, -1, 1, 1]), unit="px", orientation_known=False)
        mask = np.ones(grid.shape, np.bool_)
        with pytest.raises(InputError, match="--orientation"):
            add_margins(mask, grid, Margins(right=2.0))
        assert add_margins(mask, grid, Margins(*[2.0] * 6)).all()
        with pytest.raises(InputError, match="0 mm or more"):
            Margins(left=-1.0)


class TestHoles:
    """What nothing joins to the outside."""

    GRID = grid_of((20, 20, 20), (1.0, 1.0, 1.0))

    def shell(self) -> NDArray[np.bool_]:
        index = np.stack(np.indices(self.GRID.shape), axis=-1) - 9.5
        away = np.linalg.norm(index, axis=-1)
        return np.asarray((away <= 8) & (away > 4))

    def test_a_shell_becomes_a_ball(self) -> None:
        index = np.stack(np.indices(self.GRID.shape), axis=-1) - 9.5
        assert (fill_holes(self.shell(), self.GRID) == (np.linalg.norm(index, axis=-1) <= 8)).all()

    def test_a_ring_in_one_slice_of_a_volume_is_open_in_3d_and_closed_in_its_slice(self) -> None:
        mask = np.zeros(self.GRID.shape, np.bool_)
        mask[5:12, 5:12, 8] = True
        mask[7:10, 7:10, 8] = False
        assert (fill_holes(mask, self.GRID) == mask).all()
        assert fill_holes(mask, self.GRID, axis=2)[7:10, 7:10, 8].all()
        assert (fill_holes(mask, self.GRID, axis=0) == mask).all()

    def test_a_gap_in_a_row_is_no_hole(self) -> None:
        mask = np.zeros(self.GRID.shape, np.bool_)
        mask[[3, 5], 8, 8] = True
        for axis in (None, 0, 1, 2):
            assert (fill_holes(mask, self.GRID, axis=axis) == mask).all()

    def test_a_hole_at_the_edge_of_the_image_is_open(self) -> None:
        mask = self.shell()[:, :, 9:]
        grid = grid_of((20, 20, 11), (1.0, 1.0, 1.0))
        assert (fill_holes(mask, grid) == mask).all()

    def test_large_holes_may_stay(self) -> None:
        hole = int(fill_holes(self.shell(), self.GRID).sum() - self.shell().sum())
        assert (fill_holes(self.shell(), self.GRID, largest_mm3=hole - 1) == self.shell()).all()
        assert fill_holes(self.shell(), self.GRID, largest_mm3=hole).sum() == self.shell().sum() + hole


class TestSizes:
    """Parts by volume in mm³."""

    GRID = grid_of((30, 5, 5), (2.0, 1.0, 1.0))

    def three(self) -> NDArray[np.bool_]:
        mask = np.zeros(self.GRID.shape, np.bool_)
        mask[0:2, 0, 0] = mask[5:10, 0, 0] = mask[15:25, 0, 0] = True
        return mask

    @pytest.mark.parametrize(
        ("limits", "voxels"),
        [
            ({"largest": 1}, 10),
            ({"largest": 2}, 15),
            ({"largest": 9}, 17),
            ({"minimum_mm3": 10}, 15),
            ({"minimum_mm3": 10.1}, 10),
            ({"maximum_mm3": 10}, 7),
            ({"maximum_mm3": 10, "largest": 1}, 5),
            ({"minimum_mm3": 1000}, 0),
        ],
    )
    def test_limits(self, limits: dict[str, float], voxels: int) -> None:
        assert keep_by_size(self.three(), self.GRID, **limits).sum() == voxels

    def test_limits_that_make_no_sense(self) -> None:
        with pytest.raises(InputError, match="at least one"):
            keep_by_size(self.three(), self.GRID, largest=0)
        with pytest.raises(InputError, match="no part"):
            keep_by_size(self.three(), self.GRID, minimum_mm3=5, maximum_mm3=4)


class TestSmoothing:
    """The boundary changes, the volume does not."""

    @pytest.mark.parametrize("spacing", SPACINGS)
    @pytest.mark.parametrize("sigma", [1.0, 2.5])
    def test_a_ball_keeps_its_volume_and_its_shape(
        self, spacing: tuple[float, float, float], sigma: float
    ) -> None:
        grid = grid_around(BOUNDS, spacing)
        mask = rasterise_solid(ball(10.0), grid)
        found = smooth_boundary(mask, grid, sigma)
        # A ball is its own mirror image, so its voxels change in groups of up to 48.
        assert found.sum() == pytest.approx(mask.sum(), abs=24)
        assert shares_of_two(found, mask) > 0.97

    @pytest.mark.parametrize("seed", range(4))
    def test_an_irregular_mask_keeps_its_volume_to_the_voxel(self, seed: int) -> None:
        from scipy.ndimage import gaussian_filter

        grid = grid_of((30, 30, 20), (0.9, 1.0, 2.0))
        field = gaussian_filter(np.random.default_rng(seed).normal(size=grid.shape), 3)
        mask = keep_by_size(field > 0.02, grid, largest=1)
        assert abs(int(smooth_boundary(mask, grid, 1.5).sum()) - int(mask.sum())) <= 1

    def test_a_spike_goes_and_steps_go(self) -> None:
        grid = grid_around(BOUNDS, (1.0, 1.0, 1.0))
        mask = rasterise_solid(ball(8.0), grid)
        spiked = mask.copy()
        middle = [extent // 2 for extent in grid.shape]
        spiked[middle[0] : middle[0] + 15, middle[1], middle[2]] = True
        found = smooth_boundary(spiked, grid, 1.5)
        assert not found[middle[0] + 11 :, middle[1], middle[2]].any()
        assert abs(int(found.sum()) - int(spiked.sum())) <= 24

    def test_small_parts_do_not_feed_large_ones(self) -> None:
        grid = grid_of((40, 20, 20), (1.0, 1.0, 1.0))
        mask = np.zeros(grid.shape, np.bool_)
        mask[3:17, 3:17, 3:17] = True
        mask[30:33, 9:12, 9:12] = True
        found = smooth_boundary(mask, grid, 2.0)
        assert found[25:].sum() == pytest.approx(27, abs=6)

    def test_a_cut_structure_is_not_rounded_at_the_cut(self) -> None:
        grid = grid_of((20, 20, 12), (1.0, 1.0, 1.0))
        i, j, _ = np.indices(grid.shape)
        rod = np.hypot(i - 9.5, j - 9.5) <= 6
        found = smooth_boundary(rod, grid, 2.0)
        assert (found == found[..., :1]).all()


class TestDistances:
    """Exact, in mm, with a sign."""

    def test_sign_and_size(self) -> None:
        grid = grid_of((6, 1, 1), (1.5, 1.0, 1.0))
        mask = np.array([0, 0, 1, 1, 1, 0], np.bool_).reshape(6, 1, 1)
        assert signed_distance(mask, grid).ravel().tolist() == [-3.0, -1.5, 1.5, 3.0, 1.5, -1.5]

    def test_empty_and_full(self) -> None:
        grid = grid_of((3, 3, 3), (1.0, 1.0, 1.0))
        empty = np.zeros(grid.shape, np.bool_)
        assert np.isposinf(distance_to(empty, grid)).all()
        assert np.isneginf(signed_distance(empty, grid)).all()
        assert np.isposinf(signed_distance(~empty, grid)).all()


@pytest.mark.parametrize("operation", [dilate, erode, open_necks, close_gaps, smooth_boundary])
def test_sheared_grids_and_senseless_sizes_are_refused(operation) -> None:
    mask = np.ones((4, 4, 4), np.bool_)
    affine = np.eye(4)
    affine[1, 2] = 0.3
    with pytest.raises(InputError, match="--resample"):
        operation(mask, Grid((4, 4, 4), affine), 1.0)
    for size in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="positive"):
            operation(mask, Grid((4, 4, 4), np.eye(4)), size)
