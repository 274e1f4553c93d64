"""SUV statistics, MTV and TLG: by hand, against IBSI's phantom, on balls of known activity, on real PET."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Finding, Grid, Image, Label, LabelTable, Measurement, Region, Segmentation, Target
from medseg.domain.plan import PetPlan
from medseg.domain.source import Source
from medseg.domain.values import as_details
from medseg.errors import ConfigError, InputError
from medseg.io import read, read_segmentation
from medseg.measuring.pet.measure import is_suv, measure_pet
from medseg.measuring.pet.peak import PEAK_RADIUS_MM, sphere_by_centres, sphere_by_shares, sphere_means
from medseg.measuring.pet.percist import lean_body_mass_kg

Data = Callable[[str], Path]
SUV = "g/ml{SUVbw}"
TABLE = LabelTable((Label(1, "tumour"),))


def cube(n: int = 21, spacing: float = 2.0) -> Grid:
    """A cube of voxels around the origin."""
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = -spacing * (n - 1) / 2
    return Grid((n, n, n), affine)


def distance(grid: Grid) -> np.ndarray:
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    return np.linalg.norm(grid.to_position(index), axis=-1)


def pet(values: np.ndarray, grid: Grid, unit: str = SUV, **more: Any) -> Image:
    return Image(values, grid, "PT", unit, "pet", **more)


def segment(mask: np.ndarray, grid: Grid, table: LabelTable = TABLE) -> Segmentation:
    return Segmentation(mask.astype(np.uint8), grid, table)


def found(rows: tuple[Measurement, ...], name: str = "tumour") -> dict[str, Measurement]:
    """Rows of one target by `quantity` or `quantity delineation`."""
    return {
        f"{row.quantity.value} {row.target.detail or ''}".strip(): row
        for row in rows
        if row.target.name == name
    }


def numbers(rows: tuple[Measurement, ...], name: str = "tumour") -> dict[str, Any]:
    return {key: row.value for key, row in found(rows, name).items()}


def test_a_ball_of_known_activity() -> None:
    grid = cube()
    ball = distance(grid) <= 12
    values = np.where(ball, 8.0, 1.0)
    got = numbers(measure_pet(segment(ball, grid), {"pet": pet(values, grid)}, PetPlan()))
    volume = ball.sum() * 8 / 1000
    assert got == pytest.approx(
        {
            "suv_max": 8,
            "suv_mean": 8,
            "suv_peak": 8,
            "suv_peak_local": 8,
            "suv_peak_partial_voxels": 8,
            "metabolic_tumour_volume given": volume,
            "total_lesion_glycolysis given": 8 * volume,
            "metabolic_tumour_volume 41%": volume,
            "total_lesion_glycolysis 41%": 8 * volume,
            "suv_mean 41%": 8,
        }
    )


def test_delineations_keep_what_reaches_their_threshold() -> None:
    grid = cube()
    far = distance(grid)
    values = np.where(far <= 6, 10.0, np.where(far <= 10, 4.5, 3.0))
    mask = far <= 14
    plan = PetPlan(delineations=("given", "fixed-2.5", "fixed-4.0", "41%", "50%", "fixed-20"))
    rows = measure_pet(segment(mask, grid), {"pet": pet(values, grid)}, plan)
    ml = {radius: (far <= radius).sum() * 8 / 1000 for radius in (6, 10, 14)}
    got = numbers(rows)
    for name, radius in [("given", 14), ("fixed-2.5", 14), ("fixed-4.0", 10), ("41%", 10), ("50%", 6)]:
        assert got[f"metabolic_tumour_volume {name}"] == pytest.approx(ml[radius])
        inside = far <= radius
        assert got[f"total_lesion_glycolysis {name}"] == pytest.approx(values[inside].sum() * 8 / 1000)
    assert got["metabolic_tumour_volume fixed-20"] == 0
    assert found(rows)["metabolic_tumour_volume fixed-20"].status.value == "ok"
    assert found(rows)["total_lesion_glycolysis fixed-20"].reason == "no voxel reaches the threshold"
    assert "mask volume on PET" in found(rows)["metabolic_tumour_volume given"].method
    assert "voxels ≥ 4.1" in found(rows)["metabolic_tumour_volume 41%"].method


def test_peaks_by_hand() -> None:
    # 4 mm voxels: a sphere of 6.2 mm holds the centre, 6 neighbours at 4 mm and 12 at 5.66 mm.
    grid = cube(9, 4.0)
    assert len(sphere_by_centres(grid).offsets) == 19
    values = np.zeros(grid.shape)
    values[4, 4, 4] = 19
    values[4, 4, 6] = 10
    mask = np.zeros(grid.shape, bool)
    mask[4, 4, 3:7] = True
    got = numbers(measure_pet(segment(mask, grid), {"pet": pet(values, grid)}, PetPlan()))
    # Around the maximum only itself; around the voxel between the two, both.
    assert got["suv_peak_local"] == pytest.approx(1)
    assert got["suv_peak"] == pytest.approx(29 / 19)


@pytest.mark.parametrize("spacing", [(2, 2, 2), (4, 4, 3.27), (5.47, 5.47, 3.27), (1, 1.5, 6)])
def test_shares_of_a_sphere_add_up_to_one_millilitre(spacing: tuple[float, float, float]) -> None:
    sphere = sphere_by_shares(Grid((5, 5, 5), np.diag([*spacing, 1.0])))
    assert sphere.weights.sum() * np.prod(spacing) == pytest.approx(1000, rel=0.01)
    assert pytest.approx(6.2035, abs=1e-4) == PEAK_RADIUS_MM


#: Spacing in mm → voxels whose centres lie within 15 mm, those at exactly 15 mm among them.
@pytest.mark.parametrize(("spacing", "count"), [(5.0, 123), (3.0, 515), (2.5, 925)])
def test_a_centre_on_the_sphere_belongs_to_it(spacing: float, count: int) -> None:
    assert len(sphere_by_centres(cube(9, spacing), 15.0).offsets) == count


#: Spacing in mm → voxels that a sphere of 1 ml around a voxel's centre reaches.
@pytest.mark.parametrize(
    ("spacing", "count"), [((2, 2, 2), 251), ((4, 4, 3.27), 49), ((1, 1.5, 6), 247), ((3, 3, 3), 81)]
)
def test_a_sphere_reaches_voxels_whose_corners_lie_in_it(
    spacing: tuple[float, float, float], count: int
) -> None:
    assert len(sphere_by_shares(Grid((5, 5, 5), np.diag([*spacing, 1.0]))).offsets) == count


def test_partial_voxels_differ_from_centres_where_voxels_are_large() -> None:
    grid = cube(9, 4.0)
    values = np.zeros(grid.shape)
    values[4, 4, 4] = 1000 / 64
    got = numbers(
        measure_pet(segment(values > 0, grid), {"pet": pet(values, grid)}, PetPlan(delineations=()))
    )
    assert got["suv_peak"] == pytest.approx(1000 / 64 / 19)
    # The centre voxel lies wholly in the sphere: its volume's share of 1 ml.
    assert got["suv_peak_partial_voxels"] == pytest.approx(1, rel=0.01)


def test_peaks_of_the_ibsi_phantom(data: Data) -> None:
    # The phantom is smaller than the sphere; IBSI averages what lies in the image.
    image = read(data("ibsi_phantom/phantom.nii.gz"))
    mask = read_segmentation(data("ibsi_phantom/mask.nii.gz")).labels > 0
    around = sphere_means(
        image.array, np.ones(mask.shape, bool), np.argwhere(mask), sphere_by_centres(image.grid)
    )
    values = image.array[mask]
    assert float(around.means[values == values.max()].max()) == pytest.approx(2.6, abs=0.05)
    assert float(around.means.max()) == pytest.approx(3.1, abs=0.05)
    assert not around.complete.any()


def test_a_sphere_may_leave_the_lesion_but_not_the_image() -> None:
    grid = cube(9, 4.0)
    values = np.ones(grid.shape)
    values[4, 4, 1] = 10
    mask = values > 5
    near = found(measure_pet(segment(mask, grid), {"pet": pet(values, grid)}, PetPlan()))
    # One voxel from the border is 4 mm: the sphere of 6.2 mm still finds all its centres, its shares do not.
    assert near["suv_peak"].value == pytest.approx((10 + 18) / 19)
    assert near["suv_peak"].status.value == "ok"
    assert near["suv_peak_partial_voxels"].status.value == "not_computed"
    edge = np.zeros(grid.shape, bool)
    edge[4, 4, 0] = True
    far = found(measure_pet(segment(edge, grid), {"pet": pet(values, grid)}, PetPlan()))
    for name in ("suv_peak", "suv_peak_local", "suv_peak_partial_voxels"):
        assert far[name].status.value == "not_computed"
        assert "field of view" in (far[name].reason or "")


def test_a_cut_structure() -> None:
    grid = cube()
    mask = np.zeros(grid.shape, bool)
    mask[:8, 6:14, 6:14] = True
    rows = found(measure_pet(segment(mask, grid), {"pet": pet(np.ones(grid.shape), grid)}, PetPlan()))
    for name in ("suv_max", "metabolic_tumour_volume given", "total_lesion_glycolysis given"):
        assert rows[name].status.value == "truncated_lower_bound"
    assert rows["suv_mean"].status.value == "truncated_unreliable"


def test_padding_is_no_measurement_and_cuts() -> None:
    grid = cube()
    mask = distance(grid) <= 10
    outside = np.zeros(grid.shape, bool)
    outside[10, 10, 10] = True
    values = np.where(outside, 1000.0, 2.0)
    rows = found(measure_pet(segment(mask, grid), {"pet": pet(values, grid, outside=outside)}, PetPlan()))
    assert rows["suv_max"].value == 2
    assert rows["metabolic_tumour_volume given"].value == pytest.approx((mask.sum() - 1) * 8 / 1000)
    assert rows["suv_max"].status.value == "truncated_lower_bound"


def test_a_mask_on_another_grid_weighs_voxels_by_their_share() -> None:
    # Fine mask of 1 mm; PET of 4 mm: one voxel whole, one by a half, one by a quarter.
    fine = Grid((24, 24, 24), np.eye(4))
    coarse_affine = np.diag([4.0, 4, 4, 1])
    coarse_affine[:3, 3] = 1.5
    coarse = Grid((6, 6, 6), coarse_affine)
    mask = np.zeros(fine.shape, bool)
    mask[5:12, 8:12, 8:12] = True
    mask[12:13, 8:12, 8:12] = True
    values = np.zeros(coarse.shape)
    values[1:4, 2, 2] = (6, 4, 100)
    got = numbers(
        measure_pet(segment(mask, fine), {"pet": pet(values, coarse)}, PetPlan(delineations=("given",)))
    )
    # Voxel 1 has 3/4, voxel 2 all, voxel 3 a quarter: too little for the maximum.
    assert got["suv_max"] == 6
    assert got["suv_mean"] == pytest.approx((0.75 * 6 + 4 + 0.25 * 100) / 2)
    assert got["metabolic_tumour_volume given"] == pytest.approx(2 * 64 / 1000)
    assert got["metabolic_tumour_volume given"] == pytest.approx(mask.sum() / 1000)


def test_less_than_half_a_voxel_has_a_mean_and_no_maximum() -> None:
    fine, affine = Grid((24, 24, 24), np.eye(4)), np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = 1.5
    coarse = Grid((6, 6, 6), affine)
    mask = np.zeros(fine.shape, bool)
    mask[8:12, 8:12, 9:10] = True  # a quarter of voxel 2, 2, 2
    plan = PetPlan(delineations=("given", "41%"))
    rows = found(measure_pet(segment(mask, fine), {"pet": pet(np.full(coarse.shape, 3.0), coarse)}, plan))
    assert rows["suv_mean"].value == pytest.approx(3)
    assert rows["suv_mean"].status.value == "ok"
    assert rows["metabolic_tumour_volume given"].value == pytest.approx(16 / 1000)
    refused = {key for key, row in rows.items() if row.value is None}
    assert refused == {
        "suv_max",
        "suv_peak",
        "suv_peak_local",
        "suv_peak_partial_voxels",
        "metabolic_tumour_volume 41%",
        "total_lesion_glycolysis 41%",
    }
    assert {rows[key].reason for key in refused} == {"no PET voxel lies at least half in the structure"}
    assert rows["suv_max"].unit == rows["suv_peak"].unit == SUV
    assert {row.channel for row in rows.values()} == {"pet"}


@pytest.mark.parametrize(("layers", "counts"), [(2, True), (1, False)])
def test_half_a_voxel_is_enough_for_the_maximum(layers: int, counts: bool) -> None:
    fine, affine = Grid((24, 24, 24), np.eye(4)), np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = 1.5
    coarse = Grid((6, 6, 6), affine)
    mask = np.zeros(fine.shape, bool)
    mask[8:12, 8:12, 8 : 8 + layers] = True
    (top, *_) = measure_pet(segment(mask, fine), {"pet": pet(np.full(coarse.shape, 3.0), coarse)}, PetPlan())
    assert (top.value is not None) == counts


def test_a_mask_that_leaves_the_pet_is_cut() -> None:
    grid = cube()
    affine = grid.affine.copy()
    affine[0, 3] += 20
    mask = distance(grid) <= 6
    moved = found(
        measure_pet(
            segment(mask, grid), {"pet": pet(np.ones(grid.shape), Grid(grid.shape, affine))}, PetPlan()
        )
    )
    assert moved["suv_max"].status.value == "truncated_lower_bound"
    affine[0, 3] += 200
    away = found(
        measure_pet(
            segment(mask, grid), {"pet": pet(np.ones(grid.shape), Grid(grid.shape, affine))}, PetPlan()
        )
    )
    assert away["suv_max"].reason == "tumour has no voxel on channel 'pet'"
    assert away["metabolic_tumour_volume 41%"].status.value == "not_computed"


def test_a_share_of_the_maximum_is_each_lesions_own() -> None:
    grid = cube(31)
    values = np.ones(grid.shape)
    ids = np.zeros(grid.shape, int)
    for number, (place, top) in enumerate([(8, 20.0), (22, 5.0)], start=1):
        part = (slice(place - 2, place + 3),) * 3
        ids[part] = number
        values[part] = top / 2
        values[place, place, place] = top
    segmentation = segment(ids > 0, grid)
    lesions = [(Target("lesion", "tumour", (1,), lesion=n), ids == n) for n in (1, 2)]
    rows = measure_pet(segmentation, {"pet": pet(values, grid)}, PetPlan(delineations=("41%",)), lesions)
    volumes = {
        (row.target.kind, row.target.lesion): row.value
        for row in rows
        if row.quantity.value == "metabolic_tumour_volume"
    }
    each = 125 * 8 / 1000
    # 41 % of 20 alone would leave the fainter lesion out.
    assert volumes == pytest.approx({("lesion", 1): each, ("lesion", 2): each, ("label", None): 2 * each})
    (label,) = [r for r in rows if r.quantity.value == "metabolic_tumour_volume" and r.target.kind == "label"]
    assert "2 26-connected components" in label.method


def test_regions_and_labels_that_are_not_there() -> None:
    grid = cube()
    labels = np.where(distance(grid) <= 6, 1, 0).astype(np.uint8)
    table = LabelTable((Label(1, "tumour"), Label(2, "node")), (Region("all", (1, 2)),))
    rows = measure_pet(Segmentation(labels, grid, table), {"pet": pet(np.ones(grid.shape), grid)}, PetPlan())
    assert numbers(rows, "all") == numbers(rows, "tumour")
    for row in found(rows, "node").values():
        assert row.reason == "node was looked for and not found"


NO_SUV = Finding(
    "pet.no_suv", "warning", "No SUV: Patient's Weight is missing. Values of this PET stay Bq/ml."
)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (pet(np.ones((5, 5, 5)), cube(5), "[arb'U]"), "declare its values as SUVbw"),
        (pet(np.ones((5, 5, 5)), cube(5), "Bq/ml", findings=(NO_SUV,)), "Patient's Weight is missing"),
        (pet(np.ones((5, 5, 5)), Grid((5, 5, 5), np.eye(4), unit="px")), "px"),
    ],
)
def test_what_is_no_suv_is_refused_in_one_line(image: Image, reason: str) -> None:
    mask = np.zeros((5, 5, 5), bool)
    mask[2, 2, 2] = True
    (row,) = measure_pet(segment(mask, image.grid), {"pet": image}, PetPlan(channel="pet"))
    assert row.status.value == "not_computed"
    assert reason in (row.reason or "")
    (same,) = measure_pet(segment(mask, image.grid), {"pet": image}, PetPlan())
    assert same == row


def test_the_channel_is_the_only_one_in_suv_or_named() -> None:
    grid = cube(5)
    seg = segment(np.ones(grid.shape, bool), grid)
    ct = Image(np.ones(grid.shape), grid, "CT", "[hnsf'U]", "ct")
    suv = pet(np.ones(grid.shape), grid)
    assert measure_pet(seg, {"ct": ct, "x": suv}, PetPlan())[0].channel == "x"
    (row,) = measure_pet(seg, {"ct": ct}, PetPlan())
    assert "no channel" in (row.reason or "")
    with pytest.raises(InputError, match="no channel 'pet'"):
        measure_pet(seg, {"ct": ct}, PetPlan(channel="pet"))
    with pytest.raises(InputError, match="name the PET"):
        measure_pet(seg, {"a": suv, "b": suv}, PetPlan())
    with pytest.raises(ConfigError, match="otsu"):
        measure_pet(seg, {"x": suv}, PetPlan(delineations=("otsu",)))


@pytest.mark.parametrize(
    ("unit", "answer"),
    [(SUV, True), ("{SUVbw}g/ml", True), ("g/ml{SUVlbm(Janma)}", True), ("Bq/ml", False), ("g/ml", False)],
)
def test_units_of_suv(unit: str, answer: bool) -> None:
    assert is_suv(unit) is answer


def test_every_input_is_in_the_method() -> None:
    grid = cube(5)
    text = "Activity (BQML) was turned into SUV by body weight: 70 kg, 350 MBq."
    image = pet(np.ones(grid.shape), grid, findings=(Finding("pet.suv", "info", text),))
    rows = measure_pet(segment(np.ones(grid.shape, bool), grid), {"pet": image}, PetPlan())
    assert all(text in row.method for row in rows if row.value is not None)


@pytest.mark.parametrize(
    ("weight", "height", "sex", "formula", "kg"),
    [
        # By hand: BMI 22.857; 9270·70 / (6680 + 216·22.857) and 9270·70 / (8780 + 244·22.857).
        (70, 1.75, "male", "janmahasatian", 55.857),
        (70, 1.75, "female", "janmahasatian", 45.197),
        # 1.10·70 − 128·0.4² and 1.07·70 − 148·0.4².
        (70, 1.75, "male", "james", 56.52),
        (70, 1.75, "female", "james", 51.22),
    ],
)
def test_lean_body_mass(weight: float, height: float, sex: Any, formula: Any, kg: float) -> None:
    assert lean_body_mass_kg(weight, height, sex, formula) == pytest.approx(kg, abs=0.005)


def test_james_formula_has_an_end() -> None:
    with pytest.raises(InputError, match="James"):
        lean_body_mass_kg(300, 1.5, "female", "james")
    # 1.10·W − 128·(W / 100)² at 1 m is 0.5 kg at 85.48 kg and less than nothing at 85.94 kg.
    assert lean_body_mass_kg(85.48, 1.0, "male", "james") == pytest.approx(0.5, abs=0.01)
    with pytest.raises(InputError, match="James"):
        lean_body_mass_kg(85.94, 1.0, "male", "james")
    with pytest.raises(InputError, match="James"):
        lean_body_mass_kg(123.75, 1.2, "male", "james")  # 136.125 − 136.125


@pytest.mark.parametrize(("weight", "height"), [(0, 1.7), (-1, 1.7), (70, 0), (70, -0.5), (0.0, 0.0)])
def test_lean_body_mass_needs_a_body(weight: float, height: float) -> None:
    with pytest.raises(InputError, match="needs a weight and a height"):
        lean_body_mass_kg(weight, height, "male")


def test_the_smallest_body_has_a_lean_mass() -> None:
    assert lean_body_mass_kg(0.5, 0.3, "female") == pytest.approx(9270 * 0.5 / (8780 + 244 * 0.5 / 0.09))


BODY = LabelTable((Label(1, "tumour"), Label(2, "liver"), Label(3, "aorta")))
PERCIST = PetPlan(delineations=("percist",), liver="liver", sex="male", height_m=1.75, weight_kg=70)


def body() -> tuple[Segmentation, Image]:
    """A tumour of 10 in background 1, a liver of 2 ± 0.5 and an aorta of 1.5 on 4 mm voxels."""
    grid = cube(31, 4.0)
    labels = np.zeros(grid.shape, np.uint8)
    labels[3:7, 3:7, 3:7] = 1
    labels[10:28, 10:28, 10:28] = 2
    labels[3:6, 12:15, 4:28] = 3
    checker = np.where(np.indices(grid.shape).sum(axis=0) % 2, 1.5, 2.5)
    values = np.select([labels == 1, labels == 2, labels == 3], [10.0, checker, 1.5], 1.0)
    values[3, 3:7, 3:7] = 3.0
    return Segmentation(labels, grid, BODY), pet(values, grid)


def test_percist_takes_the_liver_or_the_aorta() -> None:
    segmentation, image = body()
    rows = found(measure_pet(segmentation, {"pet": image}, PERCIST))
    volume = rows["metabolic_tumour_volume percist"]
    # About 1.5 × 2 + 2 × 0.5 = 4: the layer at 3 stays out.
    assert volume.value == pytest.approx(48 * 64 / 1000)
    assert volume.method.startswith("PERCIST-derived threshold 4.0")
    assert "Janmahasatian" in volume.method
    assert "3 cm" in volume.method
    aorta = replace(PERCIST, liver=None, aorta="aorta")
    volume = found(measure_pet(segmentation, {"pet": image}, aorta))["metabolic_tumour_volume percist"]
    # 2 × 1.5 + 0 = 3: the layer at 3 belongs.
    assert volume.value == pytest.approx(64 * 64 / 1000)


def test_the_liver_is_taken_where_it_is_deepest() -> None:
    """A liver of 76 mm: 2 within 15 mm of its middle and 50 around, so that any other sphere has another mean."""
    grid = cube(31, 4.0)
    labels = np.zeros(grid.shape, np.uint8)
    labels[9:28, 9:28, 9:28], labels[2, 2, 2] = 2, 1
    middle = grid.to_position(np.array([18, 18, 18]))
    index = np.stack(np.indices(grid.shape), axis=-1)
    near = np.linalg.norm(grid.to_position(index) - middle, axis=-1) <= 15
    image = pet(np.where(near, 2.0, 50.0), grid)
    row = found(measure_pet(Segmentation(labels, grid, BODY), {"pet": image}, PERCIST))
    method = row["metabolic_tumour_volume percist"].method
    assert method.startswith("PERCIST-derived threshold 3 g/ml")
    assert f"mean 2 + 2 × SD 0 (ddof 0, {int(near.sum())} voxels)" in method


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sex": None}, "patient's sex"),
        ({"height_m": None, "weight_kg": None}, "height and weight"),
        ({"liver": None}, "reference region"),
        ({"liver": "spleen"}, "'spleen'"),
        ({"liver": "tumour"}, "sphere of 3 cm"),
        ({"aorta": "aorta"}, "name one of them"),
    ],
)
def test_percist_says_what_is_missing(changes: dict[str, Any], reason: str) -> None:
    segmentation, image = body()
    rows = found(measure_pet(segmentation, {"pet": image}, replace(PERCIST, **changes)))
    row = rows["metabolic_tumour_volume percist"]
    assert row.status.value == "not_computed"
    assert reason in (row.reason or "")
    assert rows["suv_max"].value == 10


def test_percist_takes_the_weight_from_the_header_and_needs_none_for_sul() -> None:
    segmentation, image = body()
    source = Source("x", "dicom", details=as_details(pet_patient_weight_kg=70.0))
    plan = replace(PERCIST, weight_kg=None)
    row = found(measure_pet(segmentation, {"pet": replace(image, source=source)}, plan))
    assert "70 kg from the DICOM header" in row["metabolic_tumour_volume percist"].method
    sul = replace(image, value_unit="g/ml{SUVlbm}")
    bare = replace(PERCIST, sex=None, weight_kg=None, height_m=None)
    assert found(measure_pet(segmentation, {"pet": sul}, bare))["metabolic_tumour_volume percist"].value


def test_the_sarcoma_by_nifti(data: Data) -> None:
    image = read(data("sarcoma/STS_002/PET_image.nii.gz"))
    image = replace(image, modality="PT", value_unit=SUV)
    segmentation = read_segmentation(data("sarcoma/STS_002/PET_mask.nii.gz"))
    got = numbers(measure_pet(segmentation, {"pet": image}, PetPlan()), "label 1")
    mask = segmentation.labels > 0
    inside = image.array[mask].astype(np.float64)
    ml = segmentation.grid.voxel_volume / 1000
    assert got["suv_max"] == pytest.approx(inside.max())
    assert got["suv_mean"] == pytest.approx(inside.mean())
    assert got["metabolic_tumour_volume given"] == pytest.approx(mask.sum() * ml)
    hot = inside[inside >= 0.41 * inside.max()]
    assert got["metabolic_tumour_volume 41%"] == pytest.approx(hot.size * ml)
    assert got["total_lesion_glycolysis 41%"] == pytest.approx(hot.sum() * ml)
    assert got["suv_mean"] < got["suv_peak_local"] <= got["suv_peak"] < got["suv_max"]


def test_the_sarcoma_by_dicom_equals_its_nifti(data: Data) -> None:
    image = read(data("dicom/ibsi_sts002/PET/image"))
    segmentation = read_segmentation(data("sarcoma/STS_002/PET_mask.nii.gz"))
    by_dicom = measure_pet(segmentation, {"pet": image}, PetPlan())
    plain = replace(read(data("sarcoma/STS_002/PET_image.nii.gz")), modality="PT", value_unit=SUV)
    by_nifti = measure_pet(segmentation, {"pet": plain}, PetPlan())
    assert numbers(by_dicom, "label 1") == pytest.approx(numbers(by_nifti, "label 1"), rel=2e-3)
    assert "Units GML" in by_dicom[0].method


def test_the_sarcoma_by_its_mask_on_the_mr(data: Data) -> None:
    image = replace(read(data("sarcoma/STS_002/PET_image.nii.gz")), modality="PT", value_unit=SUV)
    on_mr = read_segmentation(data("sarcoma/STS_002/MR_T1_mask.nii.gz"))
    got = numbers(measure_pet(on_mr, {"pet": image}, PetPlan()), "label 1")
    volume = float((on_mr.labels > 0).sum() * on_mr.grid.voxel_volume / 1000)
    assert got["metabolic_tumour_volume given"] == pytest.approx(volume, rel=1e-5)
    on_pet = read_segmentation(data("sarcoma/STS_002/PET_mask.nii.gz"))
    own = numbers(measure_pet(on_pet, {"pet": image}, PetPlan()), "label 1")
    assert got["suv_max"] == own["suv_max"]
