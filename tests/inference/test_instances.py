"""Objects with numbers: what the card asks for, and how foreground and distance become ids."""

from dataclasses import replace
from typing import Any

import edt
import numpy as np
import pytest

from medseg.domain import Grid, Run
from medseg.domain.card import Instances
from medseg.errors import ConfigError
from medseg.geometry import affine_orientation
from medseg.inference.instances import decode_instances, number_objects
from medseg.masks.components import components
from medseg.models import write_bundle
from medseg.networks import build, state_for
from medseg.training.phantoms import InstanceTraining, draw_phantom
from medseg.workflows.segment import segment
from tests.inference.conftest import StandIn, make_card, make_image, segmenter

STEP = Instances(label=1, channel=2, scale_mm=16.0, depth_mm=1.0)


class Knows(StandIn):
    """A perfect network: channel 0 is the foreground, channel 1 the distance as a share of the scale."""

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        share, distance = windows[:, :1].clip(0, 1), windows[:, 1:2].clip(0, 1)
        return np.concatenate([1 - share, share, distance], axis=1)


def card(**changes: Any) -> Any:
    from medseg.domain import ChannelSpec

    plain = make_card(channels=(ChannelSpec("image"), ChannelSpec("distance")), labels=1)
    network = replace(plain.network, out_channels=3)
    return replace(plain, **{"network": network, "postprocessing": (STEP,)} | changes)


def same_objects(found: np.ndarray, truth: np.ndarray) -> bool:
    """Whether every true object is one found object at an IoU above 0.9, and there are no others."""
    for one in np.unique(truth[truth > 0]):
        inside = truth == one
        best = found == np.bincount(found[inside]).argmax()
        if (inside & best).sum() / (inside | best).sum() <= 0.9:
            return False
    return len(np.unique(found[found > 0])) == len(np.unique(truth[truth > 0]))


SETTINGS = InstanceTraining(objects=(4, 4))


class TestDecoding:
    """A watershed on the distance."""

    @pytest.mark.parametrize("number", range(6))
    def test_touching_ellipsoids_are_told_apart_where_components_see_fewer(self, number: int) -> None:
        ids = draw_phantom(number, SETTINGS).ids
        distance = edt.edt(ids, anisotropy=(2.0, 2.0, 2.0), black_border=False)
        found = decode_instances(ids > 0, distance, 1.0)
        assert same_objects(found, ids)
        assert components(ids > 0).max() < found.max()

    def test_every_voxel_has_an_object_largest_first(self) -> None:
        ids = draw_phantom(1, SETTINGS).ids
        found = decode_instances(ids > 0, edt.edt(ids, anisotropy=(2.0, 2.0, 2.0)), 1.0)
        assert ((found > 0) == (ids > 0)).all()
        sizes = np.bincount(found.ravel())[1:]
        assert (np.diff(sizes) <= 0).all()

    @pytest.mark.parametrize("full", [False, True])
    def test_nothing_everything_and_a_flat_distance(self, full: bool) -> None:
        mask = np.full((5, 6, 7), full)
        assert decode_instances(mask, np.zeros(mask.shape, np.float32), 1.0).max() == int(full)

    def test_parts_apart_are_objects_whatever_the_distance_says(self) -> None:
        mask = np.zeros((9, 3, 3), np.bool_)
        mask[:3] = mask[5:] = True
        assert decode_instances(mask, np.zeros(mask.shape, np.float32), 1.0).max() == 2


class TestSegmenting:
    """From the card to `Segmentation.instances`, on the native grid."""

    def images(self, orientation: str = "RAS") -> tuple[dict[str, Any], np.ndarray]:
        ids = draw_phantom(3, SETTINGS).ids
        distance = edt.edt(ids, anisotropy=(2.0, 2.0, 2.0), black_border=False) / 16
        affine = affine_orientation((2.0, 2.0, 2.0), orientation)
        made = {"image": ids > 0, "distance": distance}
        return {name: make_image(array, affine, channel=name) for name, array in made.items()}, ids

    def test_objects_have_ids_and_probabilities_are_those_of_classes(self) -> None:
        images, ids = self.images()
        found = segment(
            segmenter(card(), Knows()), images, params={"keep_probabilities": True}, run=Run(device="cpu")
        )
        assert same_objects(found.instances, ids)
        assert found.probabilities.shape == (2, *ids.shape)
        assert found.table.values == (1,)

    def test_on_a_stored_order_that_is_not_canonical(self) -> None:
        images, ids = self.images("LPS")
        found = segment(segmenter(card(), Knows()), images, run=Run(device="cpu"))
        assert same_objects(found.instances, ids)

    def test_objects_that_are_too_small_are_background(self) -> None:
        images, ids = self.images()
        sizes = np.sort(np.bincount(ids.ravel())[1:])
        limit = float(sizes[1] * 8 * 0.95)
        few = card(postprocessing=(replace(STEP, minimum_mm3=limit),))
        found = segment(segmenter(few, Knows()), images, run=Run(device="cpu"))
        assert found.instances.max() == len(sizes) - 1
        assert ((found.instances > 0) == (found.labels > 0)).all()

    def test_a_card_without_the_step_has_no_instances(self) -> None:
        from tests.inference.conftest import Share

        ids = draw_phantom(3, SETTINGS).ids
        found = segment(segmenter(make_card(), Share()), make_image(ids > 0), run=Run(device="cpu"))
        assert found.instances is None

    def test_a_bundle_with_a_distance_is_written_read_and_run(self, tmp_path) -> None:
        from medseg.models import read_card

        plain = make_card(labels=1)
        made = replace(plain, network=replace(plain.network, out_channels=3), postprocessing=(STEP,))
        bundle = tmp_path / "bundle"
        write_bundle(bundle, made, [state_for(made.network, build(made.network))])
        assert read_card(bundle).postprocessing == (STEP,)
        image = make_image(np.random.default_rng(0).normal(size=(16, 16, 16)))
        found = segment(str(bundle), image, run=Run(device="cpu"))
        assert found.instances.shape == (16, 16, 16)


class TestRefusals:
    """Cards and settings that make no sense."""

    def test_the_distance_is_the_output_after_the_classes(self) -> None:
        with pytest.raises(ConfigError, match="after the 2 classes"):
            card(postprocessing=(replace(STEP, channel=1),))
        with pytest.raises(ConfigError, match="fit the network"):
            card(postprocessing=())

    def test_senseless_numbers(self) -> None:
        with pytest.raises(ConfigError, match="positive"):
            replace(STEP, depth_mm=0)

    def test_a_training_configuration_sends_elsewhere(self) -> None:
        from medseg.training import load_config

        step = "{step: instances, label: 1, channel: 2, scale_mm: 16, depth_mm: 1}"
        with pytest.raises(ConfigError, match="configuration touching_objects"):
            load_config("sarcoma_3d", [f"postprocessing=[{step}]"])


def test_ids_of_a_second_label_follow_those_of_the_first_and_small_ones_are_background() -> None:
    grid = Grid((12, 4, 4), np.diag([2.0, 2.0, 2.0, 1.0]))
    labels = np.zeros(grid.shape, np.uint16)
    labels[0:3], labels[5], labels[7:9], labels[11, 0, 0] = 1, 1, 2, 2  # 48, 16, 32 and 1 voxels of 8 mm³
    outputs = np.full((4, *grid.shape), 0.5, np.float32)
    steps = [
        replace(STEP, label=label, channel=channel, minimum_mm3=8.1) for label, channel in ((1, 2), (2, 3))
    ]
    kept, ids = number_objects(labels, dict(enumerate(outputs)), grid, grid, steps)
    assert ids is not None
    assert [np.unique(ids[part]).tolist() for part in (slice(0, 3), 5, slice(7, 9), 11)] == [
        [1],
        [2],
        [3],
        [0],
    ]
    assert not ids[3:5].any()
    assert np.array_equal(kept > 0, ids > 0)
    assert labels[11, 0, 0] == 2  # the input stays as it is
    assert number_objects(labels, {}, grid, grid, []) == (labels, None)
