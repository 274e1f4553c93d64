"""A shipped model states intervals: of its own mask, with the volumes that its networks find alone."""

from dataclasses import replace

import numpy as np
import pytest

from medseg import read
from medseg.domain import Image, Quantity, Run, Segmentation
from medseg.inference import ModelSegmenter, canonical
from medseg.inference.apart import target_volumes
from medseg.inference.conformal import volume_interval
from medseg.models import load_calibration, read_card
from medseg.settings import shipped_folder
from medseg.workflows import measure, segment

FOLDER = shipped_folder() / "models" / "hippocampus"
SAMPLE = shipped_folder() / "samples" / "hippocampus"


def sample() -> Image:
    return replace(read(SAMPLE / "mr.nii.gz"), channel="mr", modality="MR")


@pytest.fixture(scope="module")
def found() -> Segmentation:
    return segment("hippocampus", sample())


def by(model: ModelSegmenter) -> Segmentation:
    return model.segment({"mr": canonical(sample())}, model.Params(), run=Run())


def test_each_structure_and_their_sum_has_one(found: Segmentation) -> None:
    stated = {item.target: item for item in found.made_by.intervals}
    assert set(stated) == {"anterior hippocampus", "posterior hippocampus", "hippocampus"}
    for item in stated.values():
        assert 0 < item.low_ml < item.volume_ml < item.high_ml < 1.5 * item.volume_ml
        assert item.guaranteed < item.level == 0.9


def test_they_are_made_of_what_each_network_finds_alone(found: Segmentation) -> None:
    """The bundle cut to one network each, by the same door, gives the volumes that an interval is built around."""
    card = read_card(FOLDER)
    calibration = load_calibration(card, FOLDER)
    assert calibration is not None
    alone = []
    for item in card.weights:
        mask = by(ModelSegmenter(replace(card, weights=(item,), intervals=None, domain=None), FOLDER))
        alone.append(target_volumes(mask.labels, mask.grid, card.table))
    for stated in found.made_by.intervals:
        volumes = [one[stated.target] for one in alone]
        expected = volume_interval(stated.target, stated.volume_ml, volumes, calibration)
        assert expected is not None
        assert (stated.low_ml, stated.high_ml) == pytest.approx((expected.low_ml, expected.high_ml), rel=1e-6)


def test_the_mask_is_the_same_with_and_without(found: Segmentation) -> None:
    plain = by(ModelSegmenter(replace(read_card(FOLDER), intervals=None, domain=None), FOLDER))
    assert np.bincount(plain.labels.ravel()).tolist() == np.bincount(found.labels.ravel()).tolist()


def test_a_record_carries_them_to_its_volumes(found: Segmentation) -> None:
    record = measure(found, sample())
    volumes = [item for item in record.measurements if item.quantity is Quantity.VOLUME]
    assert volumes
    assert all(item.interval is not None and "CV+" in item.interval.method for item in volumes)


def test_another_way_to_run_it_was_not_calibrated() -> None:
    assert segment("hippocampus", sample(), params={"overlap": 0.25}).made_by.intervals == ()


def test_what_was_held_out_lies_inside(found: Segmentation) -> None:
    """The sample's reference, which no network and no calibration has seen."""
    reference = read(SAMPLE / "reference.nii.gz")
    ml = float((reference.array > 0).sum()) * reference.grid.voxel_volume / 1000
    whole = next(item for item in found.made_by.intervals if item.target == "hippocampus")
    assert whole.low_ml <= ml <= whole.high_ml
