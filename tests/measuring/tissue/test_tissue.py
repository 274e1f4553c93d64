"""CT tissue: ranges, compartments, levels, slabs, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medseg.definitions.tissue import load_tissues
from medseg.domain import Grid, Image, Label, LabelTable, Measurement, Quantity, Region, Segmentation, Status
from medseg.domain.plan import TissuePlan
from medseg.errors import ConfigError, InputError, LabelError
from medseg.measuring.tissue.choice import choose_tissues
from medseg.measuring.tissue.measure import measure_tissue, tissue_map

HU = "[hnsf'U]"
AREA, VOLUME, MEAN = Quantity.TISSUE_AREA, Quantity.TISSUE_VOLUME, Quantity.TISSUE_MEAN
HEIGHT, SURFACE = Quantity.TISSUE_HEIGHT_INDEX, Quantity.TISSUE_SURFACE_INDEX
SHAPE = (20, 24, 12)
TABLE = LabelTable(
    (Label(1, "muscle"), Label(2, "L3"), Label(3, "T12"), Label(4, "tumour")), (Region("trunk", (1, 4)),)
)
PLAN = TissuePlan(compartment="muscle")


def turned(spacing: tuple[float, float, float], degrees: float = 0.0) -> Grid:
    """A grid tilted about x."""
    angle = np.radians(degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    return Grid(SHAPE, affine)


GRID = turned((0.8, 0.7, 5.0))


def phantom(grid: Grid = GRID) -> tuple[Segmentation, Image]:
    """Muscle 10 × 12 pixels on slices 3 to 8: 60 HU, with 4 × 12 of fat at −100 HU; L3 on 6, T12 on 3 to 5."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[5:15, 6:18, 3:9] = 1
    labels[1:3, 1:3, 6] = 2
    labels[1:3, 1:3, 3:6] = 3
    values = np.full(SHAPE, -1000, np.int16)
    values[5:15, 6:18] = 60
    values[5:9, 6:18] = -100
    return Segmentation(labels, grid, TABLE), Image(values, grid, "CT", HU, "ct")


def get(found: tuple[Measurement, ...], quantity: Quantity, name: str, detail: str) -> Measurement:
    rows = [
        item
        for item in found
        if item.quantity is quantity and item.target.name == name and item.target.detail == detail
    ]
    assert len(rows) == 1, [(item.quantity.name, item.target.name, item.target.detail) for item in found]
    return rows[0]


def test_areas_and_volumes_by_hand() -> None:
    mask, image = phantom()
    found = measure_tissue(mask, {"ct": image}, PLAN)
    pixel_cm2, voxel_ml = 0.8 * 0.7 / 100, 0.8 * 0.7 * 5 / 1000
    for name, pixels, value in (("Skeletal muscle", 72, 60), ("Intermuscular fat", 48, -100)):
        whole = get(found, VOLUME, name, "all slices")
        assert whole.value == pytest.approx(pixels * 6 * voxel_ml)
        assert (whole.unit, whole.status) == ("ml", Status.OK)
        assert get(found, MEAN, name, "all slices").value == pytest.approx(value)
        one = get(found, AREA, name, "k=3")
        assert one.value == pytest.approx(pixels * pixel_cm2)
        assert (one.unit, one.plane, one.target.kind, one.target.labels) == (
            "cm2",
            "axial k=3",
            "tissue",
            (1,),
        )
        assert get(found, MEAN, name, "k=8").unit == HU
    assert "Aubrey" in whole.method
    assert "medseg.tissues/1.0" in whole.method
    assert {item.channel for item in found} == {"ct"}
    slices = {item.target.detail for item in found if item.quantity is AREA}
    assert slices == {f"k={k}" for k in range(3, 9)}
    assert [item.target.detail for item in found[:4]] == ["all slices"] * 4


@pytest.mark.parametrize("spacing", [(0.8, 0.7, 5.0), (1.0, 1.0, 1.0), (2.0, 0.5, 3.0)])
@pytest.mark.parametrize("degrees", [0.0, 12.0, 30.0])
def test_any_spacing_and_tilt_gives_the_area_of_the_acquired_slice(
    spacing: tuple[float, float, float], degrees: float
) -> None:
    grid = turned(spacing, degrees)
    mask, image = phantom(grid)
    found = measure_tissue(mask, {"ct": image}, replace(PLAN, levels=("k=4",)))
    item = get(found, AREA, "Skeletal muscle", "k=4")
    assert item.value == pytest.approx(72 * spacing[0] * spacing[1] / 100)
    assert ("tilted" in item.method) == (degrees > 0)
    assert (item.plane or "").startswith("oblique axial" if degrees else "axial")
    slab = get(found, VOLUME, "Skeletal muscle", "k=4")
    assert slab.value == pytest.approx(72 * np.prod(spacing) / 1000)


@pytest.mark.parametrize(
    ("value", "muscle", "fat"),
    [
        (-191, 0, 0),
        (-190, 0, 1),
        (-30, 0, 1),
        (-29, 1, 0),
        (150, 1, 0),
        (151, 0, 0),
        (-29.6, 0, 1),
        (-29.4, 1, 0),
        (150.4, 1, 0),
        (150.6, 0, 0),
        (float("nan"), 0, 0),
    ],
)
def test_limits_belong_to_the_range_and_ranges_that_meet_leave_no_gap(
    value: float, muscle: int, fat: int
) -> None:
    mask, image = phantom()
    dtype = np.int16 if isinstance(value, int) else np.float32
    values = np.full(SHAPE, value, dtype)
    found = measure_tissue(mask, {"ct": replace(image, array=values)}, replace(PLAN, levels=("k=5",)))
    full = 120 * 0.8 * 0.7 / 100
    assert get(found, AREA, "Skeletal muscle", "k=5").value == pytest.approx(full * muscle)
    assert get(found, AREA, "Intermuscular fat", "k=5").value == pytest.approx(full * fat)
    mean = get(found, MEAN, "Skeletal muscle", "k=5")
    assert (mean.value is None) == (not muscle)


def test_a_level_is_the_middle_slice_of_its_label() -> None:
    mask, image = phantom()
    plan = replace(PLAN, levels=("T12",), height_m=1.8, weight_kg=72.0)
    found = measure_tissue(mask, {"ct": image}, plan)
    area = get(found, AREA, "Skeletal muscle", "T12")
    assert area.plane == "axial k=4"
    assert "middle of T12" in area.method
    assert area.value is not None
    assert get(found, HEIGHT, "Skeletal muscle", "T12").value == pytest.approx(area.value / 3.24)
    surface = get(found, SURFACE, "Skeletal muscle", "T12")
    assert surface.value == pytest.approx(area.value / np.sqrt(180 * 72 / 3600))
    assert "Mosteller" in surface.method
    assert surface.unit == "cm2/m2"
    assert {item.target.detail for item in found} == {"T12"}


def test_of_two_middle_slices_the_one_nearer_the_head_whichever_way_the_stack_runs() -> None:
    mask, image = phantom()
    labels = np.array(mask.labels)
    labels[1:3, 1:3, 6:8] = 2
    down = np.array(GRID.affine)
    down[2, 2] *= -1
    for grid, index in ((GRID, 7), (Grid(SHAPE, down), 6)):
        found = measure_tissue(
            Segmentation(labels, grid, TABLE),
            {"ct": replace(image, grid=grid)},
            replace(PLAN, levels=("L3",)),
        )
        assert get(found, AREA, "Skeletal muscle", "L3").plane == f"axial k={index}"


def test_between_two_levels_both_slices_are_counted() -> None:
    mask, image = phantom()
    for levels in (("T12", "L3"), ("L3", "T12"), ("k=6", "T12")):
        found = measure_tissue(mask, {"ct": image}, replace(PLAN, levels=levels))
        item = get(found, VOLUME, "Skeletal muscle", " to ".join(levels))
        assert item.value == pytest.approx(72 * 3 * 0.8 * 0.7 * 5 / 1000)
        assert "slices k=4 to k=6, both included, 3 × 5 mm" in item.method
        areas = [(row.target.detail, row.plane) for row in found if row.quantity is AREA]
        assert {detail for detail, _ in areas} == set(levels)


def test_indexes_are_absent_without_height_and_weight() -> None:
    mask, image = phantom()
    for plan, wanted in (
        (PLAN, set()),
        (replace(PLAN, height_m=1.7), {HEIGHT}),
        (replace(PLAN, weight_kg=70.0), set()),
        (replace(PLAN, height_m=1.7, weight_kg=70.0), {HEIGHT, SURFACE}),
    ):
        found = measure_tissue(mask, {"ct": image}, replace(plan, levels=("L3",)))
        assert {item.quantity for item in found} & {HEIGHT, SURFACE} == wanted


def test_a_level_is_never_guessed() -> None:
    mask, image = phantom()
    labels = np.array(mask.labels)
    labels[labels == 2] = 0
    labels[1:3, 1:3, :2] = 2
    cut = Segmentation(labels, GRID, TABLE)
    item = get(
        measure_tissue(cut, {"ct": image}, replace(PLAN, levels=("L3",))), AREA, "Skeletal muscle", "L3"
    )
    assert item.status is Status.NOT_COMPUTED
    assert "end of the stack" in (item.reason or "")
    labels[labels == 2] = 0
    gone = Segmentation(labels, GRID, TABLE)
    found = measure_tissue(gone, {"ct": image}, replace(PLAN, levels=("L3", "T12")))
    assert "not found" in (get(found, VOLUME, "Skeletal muscle", "L3 to T12").reason or "")
    assert get(found, AREA, "Skeletal muscle", "L3").value is None
    assert get(found, AREA, "Skeletal muscle", "T12").value is not None


@pytest.mark.parametrize(
    ("plan", "error", "says"),
    [
        (TissuePlan(compartment="muscel"), LabelError, "muscle"),
        (TissuePlan(compartment="muscle", presets=("skeletal",)), ConfigError, "skeletal-muscle"),
        (TissuePlan(compartment="muscle", levels=("L4",)), LabelError, "L4"),
        (TissuePlan(compartment="muscle", levels=("k=12",)), ConfigError, "k=11"),
        (TissuePlan(compartment="muscle", levels=("i=2",)), ConfigError, "across k"),
        (TissuePlan(compartment="muscle", levels=("L3", "L3")), ConfigError, "one"),
        (TissuePlan(compartment="muscle", levels=("L3", "T12", "k=1")), ConfigError, "two"),
        (TissuePlan(compartment="muscle", height_m=175.0), ConfigError, "2.6 m"),
        (TissuePlan(compartment="muscle", weight_kg=0.0), ConfigError, "kg"),
        (TissuePlan(channel="pet", compartment="muscle"), InputError, "pet"),
        (TissuePlan(presets=("lung-aerated",)), ConfigError, "lung"),
    ],
)
def test_a_plan_that_asks_for_what_is_not_there_is_refused(
    plan: TissuePlan, error: type[Exception], says: str
) -> None:
    mask, image = phantom()
    with pytest.raises(error, match=says):
        measure_tissue(mask, {"ct": image}, plan)


def test_only_a_ct_in_hu_on_the_masks_grid_will_do() -> None:
    mask, image = phantom()
    finer = Grid(SHAPE, np.diag([0.4, 0.7, 5.0, 1.0]))
    px = Grid((20, 24, 1), np.eye(4), unit="px")
    flat = Segmentation(mask.labels[..., 4:5].copy(), px, TABLE)
    cases = (
        (mask, {"mr": replace(image, modality="MR", value_unit="[arb'U]")}, "--values HU"),
        (mask, {"ct": replace(image, grid=finer)}, "--resample"),
        (mask, {}, "no image"),
        (flat, {"ct": Image(image.array[..., 4:5].copy(), px, "CT", HU)}, "px"),
    )
    for segmentation, images, says in cases:
        (item,) = measure_tissue(segmentation, images, PLAN)
        assert (item.value, item.status, item.quantity) == (None, Status.NOT_COMPUTED, VOLUME)
        assert says in (item.reason or "")
    with pytest.raises(InputError, match="--resample"):
        tissue_map(mask, replace(image, grid=finer), PLAN)


def test_the_only_channel_in_hu_is_taken_and_two_must_be_named() -> None:
    mask, image = phantom()
    mr = replace(image, value_unit="[arb'U]", modality="MR", channel="mr")
    found = measure_tissue(mask, {"mr": mr, "ct": image}, PLAN)
    assert {item.channel for item in found} == {"ct"}
    with pytest.raises(InputError, match="name the one"):
        measure_tissue(mask, {"a": image, "b": image}, PLAN)


def test_a_channel_that_is_named_is_taken_among_several() -> None:
    mask, image = phantom()
    images = {"fat": replace(image, channel="fat", array=np.full(SHAPE, -100, np.int16)), "ct": image}
    found = measure_tissue(mask, images, replace(PLAN, channel="ct"))
    assert get(found, MEAN, "Skeletal muscle", "all slices").value == pytest.approx(60)
    assert {item.channel for item in found} == {"ct"}


def test_an_empty_compartment_was_looked_for_and_not_found() -> None:
    mask, image = phantom()
    found = measure_tissue(
        mask, {"ct": image}, replace(PLAN, compartment="tumour", presets=("skeletal-muscle",))
    )
    volume = get(found, VOLUME, "Skeletal muscle", "all slices")
    assert (volume.value, volume.status) == (0, Status.OK)
    for item in found:
        if item is not volume:
            assert "tumour was looked for and not found" in (item.reason or "")
    labels, _ = tissue_map(mask, image, replace(PLAN, compartment="tumour"))
    assert not labels.any()


def test_where_the_compartment_was_not_drawn_nothing_is_zero() -> None:
    mask, image = phantom()
    found = measure_tissue(mask, {"ct": image}, replace(PLAN, levels=("k=10",), height_m=1.8))
    assert {item.status for item in found} == {Status.NOT_COMPUTED}
    assert "nothing was looked for" in (get(found, HEIGHT, "Skeletal muscle", "k=10").reason or "")


def test_padding_is_no_tissue_and_cuts_the_slices_it_touches() -> None:
    mask, image = phantom()
    outside = np.zeros(SHAPE, np.bool_)
    outside[9:15, 6:18, 4] = True
    image = replace(image, array=np.where(outside, 50, image.array), outside=outside)
    found = measure_tissue(mask, {"ct": image}, PLAN)
    assert get(found, AREA, "Skeletal muscle", "k=4").value == 0
    assert get(found, AREA, "Skeletal muscle", "k=4").status is not Status.OK
    assert get(found, AREA, "Intermuscular fat", "k=4").value == pytest.approx(48 * 0.0056)
    assert get(found, AREA, "Skeletal muscle", "k=3").status is Status.OK
    whole = get(found, VOLUME, "Skeletal muscle", "all slices")
    assert whole.status is Status.TRUNCATED_LOWER_BOUND
    assert whole.value == pytest.approx(72 * 5 * 0.8 * 0.7 * 5 / 1000)


def test_the_ends_of_the_stack_cut_the_whole_and_not_the_slice_or_slab() -> None:
    mask, image = phantom()
    labels = np.array(mask.labels)
    labels[5:15, 6:18] = 1
    full = Segmentation(labels, GRID, TABLE)
    found = measure_tissue(full, {"ct": image}, PLAN)
    assert get(found, VOLUME, "Skeletal muscle", "all slices").status is Status.TRUNCATED_LOWER_BOUND
    assert get(found, MEAN, "Skeletal muscle", "all slices").status is Status.TRUNCATED_UNRELIABLE
    assert get(found, AREA, "Skeletal muscle", "k=0").status is Status.OK
    between = measure_tissue(full, {"ct": image}, replace(PLAN, levels=("k=0", "k=4")))
    assert get(between, VOLUME, "Skeletal muscle", "k=0 to k=4").status is Status.OK
    labels[0:15, 6:18, 2] = 1
    cut = measure_tissue(Segmentation(labels, GRID, TABLE), {"ct": image}, PLAN)
    assert get(cut, AREA, "Skeletal muscle", "k=2").status is not Status.OK
    assert get(cut, AREA, "Skeletal muscle", "k=3").status is Status.OK


def test_a_sheared_grid_has_volumes_alone() -> None:
    affine = np.array(GRID.affine)
    affine[1, 2] = 2.0
    mask, image = phantom(Grid(SHAPE, affine))
    found = measure_tissue(mask, {"ct": image}, replace(PLAN, levels=("L3",), height_m=1.8))
    assert "sheared" in (get(found, AREA, "Skeletal muscle", "L3").reason or "")
    assert "sheared" in (get(found, HEIGHT, "Skeletal muscle", "L3").reason or "")
    assert get(found, VOLUME, "Skeletal muscle", "L3").value == pytest.approx(72 * 0.8 * 0.7 * 5 / 1000)


def test_an_index_needs_an_axial_slice() -> None:
    sagittal = Grid(SHAPE, np.array([[0, 0, 5.0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]))
    for grid, says in ((sagittal, "sagittal"), (replace(GRID, orientation_known=False), "--orientation")):
        mask, image = phantom(grid)
        found = measure_tissue(mask, {"ct": image}, replace(PLAN, levels=("L3",), height_m=1.8))
        assert get(found, AREA, "Skeletal muscle", "L3").value is not None
        assert says in (get(found, HEIGHT, "Skeletal muscle", "L3").reason or "")


@pytest.mark.parametrize(("thickness", "volume"), [(None, None), (8.0, 72 * 0.8 * 0.7 * 8 / 1000)])
def test_a_single_slice_has_areas_and_a_volume_only_with_a_thickness(
    thickness: float | None, volume: float | None
) -> None:
    grid = Grid((20, 24, 1), GRID.affine, slice_thickness=thickness)
    mask, image = phantom()
    one = Segmentation(mask.labels[..., 6:7].copy(), grid, TABLE)
    found = measure_tissue(one, {"ct": Image(image.array[..., 6:7].copy(), grid, "CT", HU)}, PLAN)
    item = get(found, VOLUME, "Skeletal muscle", "all slices")
    assert item.value == (None if volume is None else pytest.approx(volume))
    assert get(found, AREA, "Skeletal muscle", "k=0").value == pytest.approx(72 * 0.0056)


def test_a_range_without_a_compartment_is_no_depot() -> None:
    mask, image = phantom()
    found = measure_tissue(mask, {"ct": image}, TissuePlan(levels=("k=0",)))
    names = {item.target.name for item in found}
    assert names == {"Fat range (−190 to −30 HU)", "Muscle range (−29 to 150 HU)"}
    area = get(found, AREA, "Muscle range (−29 to 150 HU)", "k=0")
    assert (area.value, area.status) == (pytest.approx(72 * 0.0056), Status.OK)
    assert "no compartment given" in area.method
    asked = TissuePlan(presets=("visceral-fat", "subcutaneous-fat", "intermuscular-fat"))
    titles = [title for _, title in choose_tissues(load_tissues(), asked)]
    assert titles == ["Fat range (−150 to −50 HU)", "Fat range (−190 to −30 HU)"]


@pytest.mark.parametrize(
    ("compartment", "titles"),
    [
        ("muscle", ["Skeletal muscle", "Intermuscular fat"]),
        ("iliopsoas_left", ["Skeletal muscle", "Intermuscular fat"]),
        ("Visceral compartment", ["Visceral fat"]),
        ("SAT", ["Subcutaneous fat"]),
        ("lung_upper_lobe_left", ["Hyperinflated", "Normally", "Poorly", "Lung without"]),
        ("tumour", ["Fat range", "Muscle range"]),
        ("satellite nodule", ["Fat range", "Muscle range"]),
    ],
)
def test_tissues_follow_from_the_name_of_the_compartment(compartment: str, titles: list[str]) -> None:
    found = [title for _, title in choose_tissues(load_tissues(), TissuePlan(compartment=compartment))]
    assert all(title.startswith(start) for title, start in zip(found, titles, strict=True))


def test_a_compartment_of_another_name_is_the_users_word() -> None:
    mask, image = phantom()
    plan = TissuePlan(compartment="trunk", presets=("visceral-fat",), levels=("L3",))
    assert (
        "the user takes" in get(measure_tissue(mask, {"ct": image}, plan), AREA, "Visceral fat", "L3").method
    )


def test_calcium_is_a_volume_and_no_score() -> None:
    mask, image = phantom()
    found = measure_tissue(
        mask,
        {"ct": replace(image, array=np.full(SHAPE, 130, np.int16))},
        replace(PLAN, presets=("dense-130",)),
    )
    item = get(found, VOLUME, "≥ 130 HU", "all slices")
    assert item.value == pytest.approx(720 * 0.0028)
    assert "not an Agatston score" in item.method


def test_the_map_has_each_tissue_in_its_colour() -> None:
    mask, image = phantom()
    labels, table = tissue_map(mask, image, PLAN)
    assert labels.dtype == np.uint8
    assert [(label.value, label.name) for label in table.labels] == [
        (1, "Skeletal muscle"),
        (2, "Intermuscular fat"),
    ]
    assert [(labels == value).sum() for value in (1, 2)] == [72 * 6, 48 * 6]
    assert table.labels[0].color == (213, 94, 0)
    overlap, _ = tissue_map(mask, image, replace(PLAN, presets=("fat-range", "visceral-fat")))
    assert set(np.unique(overlap)) == {0, 12}


def test_every_shipped_range_has_a_source_and_a_title() -> None:
    table = load_tissues()
    assert table.version == "medseg.tissues/1.0"
    ranges = {tissue.name: tissue.range_hu for tissue in table.tissues}
    assert ranges["skeletal-muscle"] == (-29, 150)
    assert ranges["subcutaneous-fat"] == ranges["intermuscular-fat"] == (-190, -30)
    assert ranges["visceral-fat"] == (-150, -50)
    assert ranges["visceral-fat-190"] == (-190, -30)
    assert ranges["dense-130"] == (130, None)
    for tissue in table.tissues:
        assert tissue.sources
        assert tissue.title


_OWN = """
version: our lab 3
tissues:
  - {name: liver-fat, value: 1, title: Fatty liver, range_hu: [null, 40], color: [1, 2, 3], sources: [{text: own}]}
"""


def test_an_own_table_is_used_by_path(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(_OWN)
    mask, image = phantom()
    found = measure_tissue(mask, {"ct": image}, PLAN, table=load_tissues(path))
    item = get(found, AREA, "Fatty liver", "k=3")
    assert item.value == pytest.approx(48 * 0.0056)
    assert "≤ 40 HU" in item.method
    assert "our lab 3" in item.method


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("title: Fatty liver", "title: Fatty liver, colour: red", "colour"),
        ("[null, 40]", "[null, null]", "limit"),
        ("[null, 40]", "[50, 40]", "lower"),
        ("[null, 40]", "[-29.5, 40]", "range_hu"),
        ("[{text: own}]", "[]", "source"),
        ("value: 1", "value: 300", "255"),
        ("version: our lab 3\n", "", "version"),
        ("tissues:", "tissues: [", "read"),
    ],
)
def test_a_wrong_table_names_the_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(_OWN.replace(old, new))
    with pytest.raises(ConfigError, match=says):
        load_tissues(path)


def test_a_real_ct_with_organ_labels_made_by_a_model(data: Callable[[str], Path]) -> None:
    """Autochthon muscles between T12 and L2 on a 3 mm CT of a small field of view; its unit is declared."""
    from medseg.io import read, read_segmentation

    image = replace(
        read(data("misc/ct_small/example_ct_sm.nii.gz")), modality="CT", value_unit=HU, channel="ct"
    )
    given = read_segmentation(data("misc/ct_small/example_seg.nii.gz"))
    names = {86: "autochthon_left", 87: "autochthon_right", 30: "L2", 31: "L1", 32: "T12", 33: "T11"}
    table = LabelTable(
        tuple(Label(value, names.get(value, f"label {value}")) for value in given.present),
        (Region("back muscle", (86, 87)),),
    )
    mask = Segmentation(given.labels, given.grid, table)
    found = measure_tissue(mask, {"ct": image}, TissuePlan(compartment="back muscle", levels=("L1",)))
    area = get(found, AREA, "Skeletal muscle", "L1")
    index = int((area.plane or "").partition("=")[2])
    inside = np.isin(mask.labels[..., index], (86, 87))
    values = image.array[..., index]
    muscle = inside & (values >= -29) & (values <= 150)
    assert area.value == pytest.approx(muscle.sum() * 0.09, rel=1e-6)
    assert 10 < float(area.value or 0) < 80
    assert get(found, MEAN, "Skeletal muscle", "L1").value == pytest.approx(values[muscle].mean())
    labels, _ = tissue_map(mask, image, TissuePlan(compartment="back muscle"))
    assert (labels[..., index] == 1).sum() == muscle.sum()


def test_a_real_dicom_ct_with_its_tumour(data: Callable[[str], Path]) -> None:
    from medseg.io import read, read_segmentation

    image = read(data("dicom/ibsi_sts002/CT/image"))
    given = read_segmentation(data("dicom/ibsi_sts002/nifti/CT_mask.nii.gz"))
    mask = Segmentation(given.labels, image.grid, LabelTable((Label(1, "GTV"),)))
    found = measure_tissue(mask, {"ct": image}, TissuePlan(compartment="GTV"))
    inside = image.array[mask.labels == 1]
    count = ((inside >= -29) & (inside <= 150)).sum()
    whole = get(found, VOLUME, "Muscle range (−29 to 150 HU)", "all slices")
    assert whole.value == pytest.approx(count * image.grid.voxel_volume / 1000)
    areas = [item for item in found if item.quantity is AREA and item.target.name.startswith("Muscle")]
    total = sum(float(item.value or 0) for item in areas) * image.grid.spacing[2] / 10
    assert total == pytest.approx(whole.value, rel=1e-5)
