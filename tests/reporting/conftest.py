"""Synthetic records, and real ones built from the shared data."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import (
    Finding,
    Grid,
    Image,
    InputRef,
    Interval,
    Label,
    LabelTable,
    Measurement,
    Provenance,
    Quantity,
    Record,
    Region,
    Segmentation,
    Status,
    Target,
)
from medseg.domain.provenance import Edit, ImageDigest
from medseg.domain.values import as_details
from tests.reporting.browser import CHROMIUM, Browser

GRID = Grid((24, 20, 16), np.array([[-1.0, 0, 0, 12], [0, 1.5, 0, -15], [0, 0, 3.0, -24], [0, 0, 0, 1]]))
TUMOUR = Target("label", "Soft-tissue tumour", (1,))
NODE = Target("label", "Node", (2,))


def ball(grid: Grid, centre: tuple[float, float, float], radius_mm: float) -> np.ndarray:
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    middle = grid.to_position(np.array(centre))
    return np.linalg.norm(grid.to_position(index) - middle, axis=-1) <= radius_mm


@pytest.fixture
def segmentation() -> Segmentation:
    """Synthetic: one ball; label 2 is in the table and not in the mask."""
    labels = ball(GRID, (12, 10, 8), 9.0).astype(np.uint8)
    table = LabelTable((Label(1, "Soft-tissue tumour"), Label(2, "Node")), (Region("All", (1, 2)),))
    made_by = Provenance(
        "synthetic-net",
        as_details(threshold=0.5, window="auto"),
        weights_digest="ab" * 32,
        images=(ImageDigest("mr", "cd" * 32),),
        edits=(Edit("brush", (), 1.234567), Edit("fill holes", as_details(radius_mm=2.0), -0.25)),
    )
    return Segmentation(labels, GRID, table, made_by)


@pytest.fixture
def image(segmentation: Segmentation) -> Image:
    noise = np.random.default_rng(0).normal(size=GRID.shape)
    return Image(100 * (segmentation.labels > 0) + noise, GRID, "MR", channel="mr")


@pytest.fixture
def measurements(segmentation: Segmentation) -> tuple[Measurement, ...]:
    count = int((segmentation.labels == 1).sum())
    volume_ml = count * GRID.voxel_volume / 1000
    cut = "the structure touches the border of the field of view"
    return (
        Measurement(TUMOUR, Quantity.VOXEL_COUNT, count, "1"),
        Measurement(
            TUMOUR,
            Quantity.VOLUME,
            volume_ml,
            "ml",
            method="voxel count × |det|",
            interval=Interval(volume_ml * 0.9, volume_ml * 1.1, 0.9, "conformal"),
        ),
        Measurement(TUMOUR, Quantity.BORDER_VOXELS, 0, "1"),
        Measurement(
            TUMOUR,
            Quantity.LONGEST_DIAMETER,
            18.0,
            "mm",
            Status.TRUNCATED_LOWER_BOUND,
            cut,
            plane="axial k=8",
            points_mm=((-9.0, 0.0, 0.0), (9.0, 0.0, 0.0)),
        ),
        Measurement(
            TUMOUR,
            Quantity.SHORT_DIAMETER,
            16.5,
            "mm",
            plane="axial k=8",
            points_mm=((0.0, -8.0, 0.0), (0.0, 8.5, 0.0)),
        ),
        Measurement(TUMOUR, Quantity.MEAN, 1 / 3, "[arb'U]", Status.TRUNCATED_UNRELIABLE, cut, channel="mr"),
        Measurement(NODE, Quantity.VOLUME, 0.0, "ml"),
        Measurement(
            NODE,
            Quantity.LONGEST_DIAMETER,
            None,
            "mm",
            Status.NOT_COMPUTED,
            "the label was looked for and not found",
        ),
    )


@pytest.fixture
def record(segmentation: Segmentation, image: Image, measurements: tuple[Measurement, ...]) -> Record:
    """Synthetic record with every status, an interval, findings, edits and a model."""
    return Record(
        "case-0a1b2c3d",
        (
            InputRef("image", "scans/mr.nii.gz", image.digest, GRID, "mr", "MR", "[arb'U]"),
            InputRef("mask", "mask.nii.gz", segmentation.digest, GRID),
        ),
        segmentation.table,
        measurements,
        segmentation.made_by,
        findings=(
            Finding("image.info", "info", "Something good to know."),
            Finding("grid.snapped", "warning", "The mask's grid was snapped.", as_details(corner_mm=0.01)),
            Finding("dicom.gap", "error", "A slice is missing."),
        ),
        settings=as_details(slice_thickness=3.0, many=3, yes=True, nothing=None),
        versions=as_details(medseg="0.1.0", numpy="2.4.6"),
        model=as_details(name="synthetic-net", trained_on="data: none; cases: 0", limits="synthetic only"),
    )


@pytest.fixture
def clean(record: Record) -> Record:
    """The record with nothing cut and nothing found."""
    fine = tuple(
        replace(item, status=Status.OK, reason=None) if item.value is not None else item
        for item in record.measurements
    )
    return replace(record, measurements=fine, findings=())


def _rows_of_lesion(mask: np.ndarray, name: str, number: int, label: int, image: Image) -> list[Measurement]:
    """Size, axes with their ends, product, criterion and mean of one lesion, as measuring gives them."""
    from medseg.masks import plane_diameters

    target = Target("lesion", name, (label,), number)
    found = plane_diameters(mask, image.grid, 2)
    assert found is not None
    plane = f"axial k={found.index}"
    product = found.long * found.short
    rows = [
        Measurement(target, Quantity.VOLUME, float(mask.sum()) * image.grid.voxel_volume / 1000, "ml"),
        Measurement(target, Quantity.BIDIMENSIONAL_PRODUCT, product, "mm2", plane=plane),
        Measurement(target, Quantity.MEAN, float(image.array[mask].mean()), image.value_unit, channel="ct"),
    ]
    for quantity, value, points in (
        (Quantity.LONGEST_DIAMETER, found.long, found.long_points),
        (Quantity.SHORT_DIAMETER, found.short, found.short_points),
    ):
        ends = tuple((float(x), float(y), float(z)) for x, y, z in points)
        method = "largest distance within one slice"
        rows.append(Measurement(target, quantity, value, "mm", method=method, plane=plane, points_mm=ends))
    meets = Measurement(
        target, Quantity.MEETS_SIZE_CRITERION, int(found.long >= 10), "1", method="RECIST 1.1"
    )
    if number == 2:
        meets = replace(
            meets, value=None, status=Status.NOT_COMPUTED, reason="the slice thickness is not known"
        )
    return [*rows, meets]


def _balls(count: int) -> tuple[Segmentation, Image]:
    """Synthetic CT of a body with `count` metastases of falling size; the first is cut by the last slice."""
    grid = Grid((128, 128, 40), np.diag([-2.0, -2.0, 3.0, 1.0]))
    rng = np.random.default_rng(0)
    labels = np.zeros(grid.shape, np.uint8)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    for number in range(count):
        middle = (
            22 + 28 * (number % 4),
            22 + 28 * (number // 4 % 4),
            37 if number == 0 else 10 + 20 * (number // 16),
        )
        radius = np.array([1.0, 1.4, 1.0]) * max(3.0, 14 - 0.8 * number) + rng.uniform(-0.5, 0.5, 3)
        inside = (((index - middle) * grid.spacing / radius) ** 2).sum(-1) <= 1
        labels[inside] = 1
    values = rng.normal(30, 12, grid.shape).astype(np.float32) + 60 * labels
    image = Image(values, grid, "CT", "[hnsf'U]", channel="ct")
    return Segmentation(labels, grid, LabelTable((Label(1, "Liver metastasis"),))), image


@pytest.fixture
def metastases() -> Callable[[int], tuple[Record, Segmentation, Image]]:
    """Synthetic: as many metastases as wanted, the first cut, the second without a criterion."""

    def make(count: int) -> tuple[Record, Segmentation, Image]:
        from medseg.masks import components
        from medseg.measuring import measure
        from medseg.workflows.record import build_record

        segmentation, image = _balls(count)
        whole = Target("label", "Liver metastasis", (1,))
        found = components(segmentation.labels > 0)
        how = "connected components, connectivity 26, at least 50 mm³"
        rows = [*measure(segmentation, {"ct": image})]
        rows.append(Measurement(whole, Quantity.LESION_COUNT, int(found.max()), "1", method=how))
        for number in range(1, int(found.max()) + 1):
            lesion = _rows_of_lesion(found == number, whole.name, number, 1, image)
            if (found == number)[..., -1].any():
                lesion = [_cut(item) for item in lesion]
            rows += lesion
        for total, quantity in (
            (Quantity.LESION_VOLUME, Quantity.VOLUME),
            (Quantity.LESION_DIAMETERS, Quantity.LONGEST_DIAMETER),
        ):
            sizes = [x for x in rows if x.target.kind == "lesion" and x.quantity is quantity]
            summed = sum(float(item.value or 0) for item in sizes)
            rows.append(
                _cut(Measurement(whole, total, summed, "ml" if total is Quantity.LESION_VOLUME else "mm"))
            )
        return build_record(segmentation, {"ct": image}, tuple(rows)), segmentation, image

    return make


def _cut(item: Measurement) -> Measurement:
    if item.value is None:
        return item
    bound = item.quantity is not Quantity.MEAN
    status = Status.TRUNCATED_LOWER_BOUND if bound else Status.TRUNCATED_UNRELIABLE
    return replace(item, status=status, reason="the structure touches the border")


@pytest.fixture
def many() -> Callable[[int], Record]:
    """Synthetic: a record of as many structures as wanted with every quantity of masks and intensities."""

    def make(count: int) -> Record:
        grid = Grid((64, 64, 40), np.diag([-1.5, -1.5, 3.0, 1.0]))
        table = LabelTable(tuple(Label(n, f"structure {n} of the body, left") for n in range(1, count + 1)))
        rows = [item for label in table.labels for item in _every_quantity(label, cut=label.value % 9 == 0)]
        image = InputRef("image", "ct.nii.gz", "ab" * 32, grid, "ct", "CT", "[hnsf'U]")
        mask = InputRef("mask", "mask.nii.gz", "cd" * 32, grid)
        return Record("case-many", (image, mask), table, tuple(rows), Provenance())

    return make


def _every_quantity(label: Label, *, cut: bool) -> list[Measurement]:
    target = Target("label", label.name, (label.value,))
    empty = label.value % 10 == 7
    rows = []
    for number, quantity in enumerate(Quantity):
        info = quantity.info
        if info.kind not in ("mask", "intensity") or quantity is Quantity.AREA:
            continue
        unit = {"image": "[hnsf'U]", "image2": "[hnsf'U]2"}.get(info.unit, info.unit)
        channel = "ct" if info.kind == "intensity" else None
        made = Measurement(
            target, quantity, 1.37 * label.value + number, unit, method="synthetic", channel=channel
        )
        if empty and quantity not in (Quantity.VOLUME, Quantity.VOXEL_COUNT):
            reason = f"{label.name} was looked for and not found"
            made = replace(made, value=None, status=Status.NOT_COMPUTED, reason=reason)
        elif empty:
            made = replace(made, value=0)
        rows.append(_cut(made) if cut else made)
    return rows


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Callable[..., Browser]]:
    if not CHROMIUM:
        pytest.skip("no Chromium here (apt: chromium)")
    started: list[Browser] = []

    def start(*flags: str) -> Browser:
        started.append(Browser(tmp_path / f"profile{len(started)}", *flags))
        return started[-1]

    yield start
    for item in started:
        item.close()
