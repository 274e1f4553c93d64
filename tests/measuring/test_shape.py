"""Shape against PyRadiomics' published values, the IBSI digital phantom, and forms with closed answers."""

import csv
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Grid, Label, LabelTable, Measurement, Quantity, Region, Segmentation, Status
from medseg.masks.mesh import mesh_patterns
from medseg.measuring.findings import size_findings
from medseg.measuring.measure import measure

TABLE = LabelTable((Label(1, "a"),))
SHAPE = (
    Quantity.MESH_VOLUME,
    Quantity.SURFACE_AREA,
    Quantity.MAJOR_AXIS,
    Quantity.MAXIMUM_3D_DIAMETER,
    Quantity.MAXIMUM_DIAMETER_I,
    Quantity.EULER_NUMBER,
    Quantity.BORDER_SHARE,
)
#: PyRadiomics' name → ours, and how many of ours make one of theirs.
NAMES = {
    "MeshVolume": (Quantity.MESH_VOLUME, 1000),
    "SurfaceArea": (Quantity.SURFACE_AREA, 1),
    "SurfaceVolumeRatio": (Quantity.SURFACE_TO_VOLUME, 1),
    "Sphericity": (Quantity.SPHERICITY, 1),
    "Maximum3DDiameter": (Quantity.MAXIMUM_3D_DIAMETER, 1),
    "Maximum2DDiameterSlice": (Quantity.MAXIMUM_DIAMETER_K, 1),
    "Maximum2DDiameterColumn": (Quantity.MAXIMUM_DIAMETER_J, 1),
    "Maximum2DDiameterRow": (Quantity.MAXIMUM_DIAMETER_I, 1),
    "MajorAxisLength": (Quantity.MAJOR_AXIS, 1),
    "MinorAxisLength": (Quantity.MINOR_AXIS, 1),
    "LeastAxisLength": (Quantity.LEAST_AXIS, 1),
    "Elongation": (Quantity.ELONGATION, 1),
    "Flatness": (Quantity.FLATNESS, 1),
    "VoxelVolume": (Quantity.VOLUME, 1000),
}


def mask_of(labels: np.ndarray, affine: np.ndarray | None = None, **grid: object) -> Segmentation:
    shape = (labels.shape[0], labels.shape[1], labels.shape[2])
    return Segmentation(labels, Grid(shape, np.eye(4) if affine is None else affine, **grid), TABLE)  # type: ignore[arg-type]


def by_quantity(found: tuple[Measurement, ...], name: str = "a") -> dict[Quantity, Measurement]:
    return {item.quantity: item for item in found if item.target.name == name and item.channel is None}


def value(found: dict[Quantity, Measurement], quantity: Quantity) -> float:
    number = found[quantity].value
    assert number is not None, found[quantity].reason
    return float(number)


def block(size: tuple[int, int, int], grid: tuple[int, int, int] = (12, 12, 12), low: int = 3) -> np.ndarray:
    labels = np.zeros(grid, np.uint8)
    labels[tuple(slice(low, low + extent) for extent in size)] = 1
    return labels


@pytest.fixture(scope="module")
def published(data: Callable[[str], Path]) -> dict[tuple[str, str], float]:
    with data("pyradiomics/baseline_shape.csv").open() as file:
        rows = {row["featureName"].removeprefix("original_shape_"): row for row in csv.DictReader(file)}
    return {(case, name): float(rows[name][case]) for name in NAMES for case in ("brain1", "breast1")}


@pytest.mark.parametrize("case", ["brain1", "breast1"])
def test_published_values_of_pyradiomics(
    data: Callable[[str], Path], published: dict[tuple[str, str], float], case: str
) -> None:
    from medseg.io import read_segmentation

    found = by_quantity(measure(read_segmentation(data(f"pyradiomics/{case}_label.nrrd"))), "label 1")
    for name, (quantity, factor) in NAMES.items():
        assert value(found, quantity) * factor == pytest.approx(published[case, name], rel=1e-9), name
        assert found[quantity].status is Status.OK
        assert found[quantity].method


def test_the_released_table_has_one_triangle_more(data: Callable[[str], Path]) -> None:
    """With the last triangle of pattern 62 the brain's numbers are those of PyRadiomics' released function."""
    from medseg.io import read_segmentation

    segmentation = read_segmentation(data("pyradiomics/brain1_label.nrrd"))
    patterns, affine = mesh_patterns(segmentation.labels == 1), segmentation.grid.affine
    ours = patterns.numbers(affine)
    ends = np.array([(1, 0.5, 1), (0, 0.5, 1), (0.5, 0, 0)])  # middles of edges 5, 7 and 0
    corners = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]
    bits = sum(1 << (i + 2 * j + 4 * k) for n, (i, j, k) in enumerate(corners) if 62 >> n & 1)
    area = volume = 0.0
    start = patterns.cubes.min(axis=0)
    for code, sign in ((bits, -1), (bits ^ 255, 1)):
        for cube in patterns.cubes[patterns.codes == code]:
            triangle = (cube - start + ends) * segmentation.grid.spacing
            area += float(np.linalg.norm(np.cross(*(triangle[1:] - triangle[0]))) / 2)
            volume += sign * float(np.linalg.det(triangle) / 6)
    assert ours.area + area == pytest.approx(6438.821603779402, rel=1e-10)
    assert ours.volume + volume == pytest.approx(16147.51180013021, rel=1e-10)


#: IBSI reference manual, digital phantom: value and printed digits.
IBSI = {
    Quantity.VOLUME: (592, 0),
    Quantity.MESH_VOLUME: (556, 0),
    Quantity.SURFACE_AREA: (388, 0),
    Quantity.SURFACE_TO_VOLUME: (0.698, 3),
    Quantity.SPHERICITY: (0.843, 3),  # the cube root of the manual's compactness 2, 0.599
    Quantity.MAXIMUM_3D_DIAMETER: (13.1, 1),
    Quantity.ELONGATION: (0.816, 3),
    Quantity.FLATNESS: (0.749, 3),
}


def test_the_ibsi_digital_phantom(data: Callable[[str], Path]) -> None:
    from medseg.io import read_segmentation

    found = by_quantity(measure(read_segmentation(data("ibsi_phantom/mask.nii.gz"))), "label 1")
    for quantity, (expected, digits) in IBSI.items():
        factor = 1000 if quantity.info.unit == "ml" else 1
        assert round(value(found, quantity) * factor, digits) == pytest.approx(expected), quantity
        assert quantity.info.ibsi is not None
        assert quantity.info.ibsi in found[quantity].method


@pytest.mark.parametrize(
    ("quantity", "printed", "digits"),
    [(Quantity.MAJOR_AXIS, 11.4, 1), (Quantity.MINOR_AXIS, 9.31, 2), (Quantity.LEAST_AXIS, 8.54, 2)],
)
def test_axes_of_the_ibsi_phantom_stand_beside_those_of_pyradiomics(
    data: Callable[[str], Path], quantity: Quantity, printed: float, digits: int
) -> None:
    """IBSI's reference values divide the covariance by N − 1, PyRadiomics by N; 74 voxels tell them apart."""
    from medseg.io import read_segmentation

    found = by_quantity(measure(read_segmentation(data("ibsi_phantom/mask.nii.gz"))), "label 1")
    said = re.search(rf"IBSI {quantity.info.ibsi} divides by N − 1: ([\d.]+) mm", found[quantity].method)
    assert said is not None
    assert round(float(said[1]), digits) == printed
    assert value(found, quantity) == pytest.approx(float(said[1]) * math.sqrt(73 / 74), rel=1e-5)


@pytest.mark.parametrize("turn", [0.0, 0.4])
@pytest.mark.parametrize("mirror", [1, -1])
def test_an_ellipsoid_on_any_right_angled_grid(turn: float, mirror: int) -> None:
    """Semi-axes 14, 10 and 7 mm on 0.8 × 1.0 × 1.6 mm, oblique and mirrored; a solid has λ = a²/5."""
    rotation = np.array(
        [[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0], [0, 0, 1]]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag([0.8 * mirror, 1.0, 1.6])
    grid = Grid((44, 36, 26), affine)
    affine[:3, 3] = -grid.to_position((np.array(grid.shape) - 1) / 2)
    grid = Grid(grid.shape, affine)
    places = grid.to_position(np.stack(np.indices(grid.shape), axis=-1))
    labels = (((places / (14, 10, 7)) ** 2).sum(axis=-1) <= 1).astype(np.uint8)
    found = by_quantity(measure(Segmentation(labels, grid, TABLE)))
    expected = {Quantity.MAJOR_AXIS: 28, Quantity.MINOR_AXIS: 20, Quantity.LEAST_AXIS: 14}
    for quantity, length in expected.items():
        assert value(found, quantity) == pytest.approx(length * 2 / math.sqrt(5), rel=0.02)
        ends = np.array(found[quantity].points_mm)
        assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(value(found, quantity))
    along = np.diff(np.array(found[Quantity.MAJOR_AXIS].points_mm), axis=0)[0]
    assert abs(along[0]) / np.linalg.norm(along) == pytest.approx(1, abs=0.01)
    assert value(found, Quantity.MAXIMUM_3D_DIAMETER) == pytest.approx(28, abs=1.6)
    assert value(found, Quantity.MESH_VOLUME) == pytest.approx(4 / 3 * math.pi * 0.98, rel=0.02)
    assert value(found, Quantity.ELONGATION) == pytest.approx(20 / 28, abs=0.02)
    assert value(found, Quantity.EULER_NUMBER) == 1


def test_rows_read_size_place_form_border() -> None:
    order = list(by_quantity(measure(mask_of(block((6, 6, 6))))))
    marks = [
        Quantity.VOXEL_COUNT,
        Quantity.VOLUME,
        Quantity.MESH_VOLUME,
        Quantity.LONGEST_DIAMETER,
        Quantity.MAXIMUM_3D_DIAMETER,
        Quantity.CENTROID_X,
        Quantity.EXTENT_K,
        Quantity.SURFACE_AREA,
        Quantity.MAJOR_AXIS,
        Quantity.EULER_NUMBER,
        Quantity.BORDER_VOXELS,
        Quantity.BORDER_SHARE,
    ]
    assert [quantity for quantity in order if quantity in marks] == marks


def test_a_block_at_the_edge_shares_a_sixth_of_its_surface() -> None:
    found = by_quantity(measure(mask_of(np.pad(np.ones((4, 4, 4), np.uint8), ((0, 3), (3, 3), (3, 3))))))
    assert value(found, Quantity.BORDER_SHARE) == pytest.approx(1 / 6)
    assert found[Quantity.BORDER_SHARE].status is Status.TRUNCATED_UNRELIABLE
    for quantity in (Quantity.MESH_VOLUME, Quantity.MAXIMUM_3D_DIAMETER, Quantity.MAXIMUM_DIAMETER_K):
        assert found[quantity].status is Status.TRUNCATED_LOWER_BOUND
    for quantity in (Quantity.SURFACE_AREA, Quantity.SPHERICITY, Quantity.MAJOR_AXIS):
        assert found[quantity].status is Status.TRUNCATED_UNRELIABLE


#: Axis → area in mm² of the block's face across it.
FACES = {0: 3 * 4 * 6, 1: 2 * 4 * 3, 2: 2 * 3 * 2}


@pytest.mark.parametrize("sides", [(True, False), (False, True), (True, True)], ids=["low", "high", "both"])
@pytest.mark.parametrize("axis", FACES)
def test_the_border_share_counts_padding_in_mm(axis: int, sides: tuple[bool, bool]) -> None:
    """A block of 2×3×4 voxels of 1×2×3 mm with padding against its faces across one axis."""
    from medseg.domain import Image

    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    outside = np.zeros((12, 12, 12), np.bool_)
    along = np.moveaxis(outside, axis, 0)
    along[:3], along[3 + (2, 3, 4)[axis] :] = sides
    segmentation = mask_of(block((2, 3, 4)), affine)
    image = Image(np.zeros((12, 12, 12), np.float32), segmentation.grid, outside=outside)
    found = {item.quantity: item for item in measure(segmentation, {"ct": image}) if item.channel is None}
    expected = FACES[axis] * sum(sides) / (2 * sum(FACES.values()))
    assert value(found, Quantity.BORDER_SHARE) == pytest.approx(expected)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_voxel_without_a_measurement_inside_makes_its_faces_border(axis: int, place: int) -> None:
    """A rod of 3 voxels along one axis, one of them empty padding: its faces to the others are border."""
    from medseg.domain import Image

    labels = np.zeros((9, 9, 9), np.uint8)
    outside = np.zeros(labels.shape, np.bool_)
    rod, hole = np.moveaxis(labels, axis, 0)[3:6, 4, 4], np.moveaxis(outside, axis, 0)[3:6, 4, 4]
    rod[:], rod[place], hole[place] = 1, 0, True
    segmentation = mask_of(labels)
    image = Image(np.zeros(labels.shape, np.float32), segmentation.grid, outside=outside)
    found = {item.quantity: item for item in measure(segmentation, {"ct": image}) if item.channel is None}
    # Two voxels: side by side they have 10 faces, apart 12, of which one and two touch the padding.
    assert value(found, Quantity.BORDER_SHARE) == pytest.approx(2 / 12 if place == 1 else 1 / 10)


@pytest.mark.parametrize("shape", [(6, 5, 7), (2, 5, 7), (6, 2, 7), (6, 5, 2)])
@pytest.mark.parametrize("seed", range(4))
def test_the_border_share_is_that_of_every_face(seed: int, shape: tuple[int, int, int]) -> None:
    """Voxel by voxel: a face is border where either side lies beyond the array or holds no measurement."""
    from medseg.domain import Image

    rng = np.random.default_rng(seed)
    labels = (rng.random(shape) > 0.4).astype(np.uint8)
    for axis, extent in enumerate(shape):
        if extent > 2:  # something may be left at either end
            np.moveaxis(labels, axis, 0)[: rng.integers(0, 2)] = 0
            np.moveaxis(labels, axis, 0)[extent - 1 :] = 0
    outside = rng.random(labels.shape) > 0.85
    segmentation = mask_of(labels, np.diag([1.0, 2.0, 3.0, 1.0]))
    image = Image(np.zeros(labels.shape, np.float32), segmentation.grid, outside=outside)
    mask, unseen = np.pad(labels > 0, 1), np.pad(outside, 1, constant_values=True)
    total = border = 0.0
    for axis, area in enumerate((6.0, 3.0, 2.0)):
        here, there = (np.moveaxis(mask, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        one, other = (np.moveaxis(unseen, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        total += area * float((here != there).sum())
        border += area * float(((here != there) & (one | other)).sum())
    found = {item.quantity: item for item in measure(segmentation, {"ct": image}) if item.channel is None}
    assert value(found, Quantity.BORDER_SHARE) == pytest.approx(border / total)


def test_a_single_voxel_is_answered_or_refused_with_a_reason() -> None:
    found = by_quantity(measure(mask_of(block((1, 1, 1)))))
    assert value(found, Quantity.MAJOR_AXIS) == 0
    assert found[Quantity.ELONGATION].value is None
    assert "single voxel" in (found[Quantity.ELONGATION].reason or "")
    assert value(found, Quantity.MESH_VOLUME) == pytest.approx(1 / 6 / 1000)


def test_a_flat_structure_has_no_thickness_in_its_axes() -> None:
    found = by_quantity(measure(mask_of(block((6, 4, 1)))))
    assert value(found, Quantity.LEAST_AXIS) == 0
    assert value(found, Quantity.FLATNESS) == 0
    assert value(found, Quantity.ELONGATION) == pytest.approx(math.sqrt((16 - 1) / (36 - 1)))


def test_axes_end_on_both_sides_of_the_centroid() -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(np.array([[1.0, 0.4, 0.3], [0.2, 1, 0.5], [0.3, 0.1, 1]]))[0]
    found = by_quantity(measure(mask_of(block((7, 5, 3)), affine)))
    centre = [
        value(found, quantity) for quantity in (Quantity.CENTROID_X, Quantity.CENTROID_Y, Quantity.CENTROID_Z)
    ]
    for axis, quantity in enumerate((Quantity.MAJOR_AXIS, Quantity.MINOR_AXIS, Quantity.LEAST_AXIS)):
        one, other = np.array(found[quantity].points_mm)
        assert (one + other) / 2 == pytest.approx(centre)
        assert np.linalg.norm(one - other) == pytest.approx(value(found, quantity))
        assert abs((one - other) @ affine[:3, axis]) == pytest.approx(value(found, quantity))


def test_a_line_has_one_axis_on_an_oblique_grid_too() -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(np.array([[1.0, 0.4, 0.3], [0.2, 1, 0.5], [0.3, 0.1, 1]]))[0] * (1, 2, 3)
    found = by_quantity(measure(mask_of(block((6, 1, 1)), affine)))
    assert value(found, Quantity.MAJOR_AXIS) == pytest.approx(4 * math.sqrt((36 - 1) / 12))
    assert value(found, Quantity.MINOR_AXIS) == value(found, Quantity.LEAST_AXIS) == 0
    assert value(found, Quantity.ELONGATION) == value(found, Quantity.FLATNESS) == 0


def test_scattered_voxels_have_no_mesh_volume_rather_than_a_negative_one(data: Callable[[str], Path]) -> None:
    from medseg.io import read_segmentation

    mask = read_segmentation(data("pyradiomics/prostate_phantom_subvolume-label.nrrd"))
    found = by_quantity(measure(mask), "label 1")
    assert found[Quantity.MESH_VOLUME].value is None
    assert "does not close" in (found[Quantity.MESH_VOLUME].reason or "")
    assert found[Quantity.SPHERICITY].value is None
    assert value(found, Quantity.SURFACE_AREA) > 0


def test_a_sheared_grid_gives_volumes_only() -> None:
    affine = np.eye(4)
    affine[1, 2] = 0.3
    found = by_quantity(measure(mask_of(block((6, 6, 6)), affine)))
    assert value(found, Quantity.VOLUME) == pytest.approx(0.216)
    for quantity in SHAPE:
        assert "sheared" in (found[quantity].reason or ""), quantity


def test_pixels_give_ratios_and_axes_and_no_millimetres() -> None:
    segmentation = mask_of(block((6, 4, 1), (12, 12, 1), low=0), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px")
    found = by_quantity(measure(segmentation))
    assert found[Quantity.MAJOR_AXIS].unit == "{px}"
    assert value(found, Quantity.EULER_NUMBER) == 1
    assert value(found, Quantity.BORDER_SHARE) == pytest.approx(0.5)
    for quantity in (Quantity.MESH_VOLUME, Quantity.SURFACE_AREA, Quantity.MAXIMUM_3D_DIAMETER):
        assert found[quantity].value is None
        assert "physical size" in (found[quantity].reason or "")
    assert "third axis" in (found[Quantity.LEAST_AXIS].reason or "")
    for item in found.values():
        assert item.value is None or "m" not in item.unit


def test_probabilities_add_up_for_labels_and_regions() -> None:
    table = LabelTable((Label(2, "a"), Label(5, "b")), (Region("both", (2, 5)),))
    labels = block((3, 3, 3)) * np.uint8(2)
    labels[8:10, 8:10, 8:10] = 5
    share = np.random.default_rng(0).random((3, 12, 12, 12)).astype(np.float32)
    grid = Grid((12, 12, 12), np.diag([1.0, 2.0, 3.0, 1.0]))
    segmentation = Segmentation(labels, grid, table, probabilities=share)
    for name, total in (("a", share[1]), ("b", share[2]), ("both", share[1:])):
        found = by_quantity(measure(segmentation), name)
        assert value(found, Quantity.PROBABILITY_VOLUME) == pytest.approx(
            total.sum(dtype=np.float64) * 6 / 1000
        )
    assert Quantity.PROBABILITY_VOLUME not in by_quantity(measure(replace(segmentation, probabilities=None)))


#: Size of a block, voxels taken out of its corner → what its volume difference is said to suffer from.
SMALL = [
    ((4, 4, 4), 0, False, "only 4 voxels across"),
    ((4, 4, 4), 1, True, "only 4 voxels across"),
    ((5, 5, 5), 0, False, None),
    ((9, 9, 4), 0, False, "only 4 voxels across"),
]


@pytest.mark.parametrize(("size", "without", "is_few", "across"), SMALL)
def test_few_voxels_and_few_slices_are_told(
    size: tuple[int, int, int], without: int, is_few: bool, across: str | None
) -> None:
    labels = block(size)
    labels[3, 3, 3 : 3 + without] = 0
    method = by_quantity(measure(mask_of(labels)))[Quantity.VOLUME_DIFFERENCE].method
    assert (f"only {int(labels.sum())} voxels," in method) == is_few
    assert ("voxels across" in method) == (across is not None)
    assert across is None or across in method


def test_small_structures_are_told_in_one_finding() -> None:
    table = LabelTable((Label(1, "node"), Label(2, "organ"), Label(3, "plate")))
    labels = np.zeros((40, 40, 40), np.uint8)
    labels[3:6, 3:6, 3:6] = 1
    places = np.indices(labels.shape)
    labels[((places - 20) ** 2).sum(axis=0) < 150] = 2
    labels[5:15, 25:35, 34:37] = 3
    found = measure(Segmentation(labels, Grid(labels.shape, np.eye(4)), table))
    (finding,) = size_findings(found)
    assert finding.code == "volume.small_structure"
    shares = [
        100 * abs(value(rows, Quantity.VOLUME_DIFFERENCE)) / value(rows, Quantity.VOLUME)
        for rows in (by_quantity(found, name) for name in ("node", "plate"))
    ]
    assert dict(finding.details) == {"structures": 2, "largest_difference_percent": round(max(shares), 1)}
    assert "node (" in finding.message
    assert "plate (" in finding.message
    assert "organ" not in finding.message
    assert "only 27 voxels" in by_quantity(found, "node")[Quantity.VOLUME_DIFFERENCE].method
    assert "small" not in by_quantity(found, "organ")[Quantity.VOLUME_DIFFERENCE].method
    assert size_findings([item for item in found if item.target.name == "organ"]) == ()
