"""Synthetic records, and real ones built from the shared data."""

from dataclasses import replace

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
from medseg.domain.segmentation import Edit, ImageDigest
from medseg.domain.values import as_details

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
