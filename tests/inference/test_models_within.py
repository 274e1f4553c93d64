"""Models made of models, by stand-ins: parts of one table, a box that a first one finds, labels that it gives on."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import (
    ChannelSpec,
    Finding,
    Grid,
    Image,
    Label,
    LabelTable,
    Region,
    Run,
    Segmentation,
    SegmenterSpec,
)
from medseg.domain.card import WeightsFile
from medseg.domain.parts_card import CornerZoom, PartsCard, TablePart
from medseg.domain.recipe import Before, Decision, StoredGrid, WindowRule
from medseg.domain.segmenter import ChannelNeed
from medseg.errors import InputError, ModelError
from medseg.geometry import affine_orientation
from medseg.inference import segmenter_of
from medseg.inference.boxed import BoxedSegmenter, box_around
from medseg.inference.inner import run_inner
from medseg.inference.parts_segmenter import PartsSegmenter
from medseg.inference.segmenter import ModelParams, ModelSegmenter
from medseg.inference.stored_prepare import NO_DISTANCE, prepare_stored
from medseg.inference.stored_segmenter import StoredSegmenter
from medseg.models import card_digest, weights_digest
from medseg.models.bundle import Contents, write_contents
from medseg.networks import build, state_for
from tests.inference.conftest import OneHot, StandIn, make_card, make_image, segmenter

RUN = Run()


@dataclass
class Finds:
    """Each voxel of a channel that has one of these values is labelled with its place among them, from 1 on."""

    values: tuple[float, ...]
    name: str = "finds"
    axes: Any = "canonical"
    needs: tuple[ChannelNeed, ...] = (ChannelNeed("image"),)
    reference: str | None = None
    bytes: int = 0
    codes: tuple[str, ...] = ()
    seen: list[tuple[int, ...]] = field(default_factory=list)
    given: dict[str, Image] = field(default_factory=dict)
    asked: list[ModelParams] = field(default_factory=list)
    Params = ModelParams

    @property
    def spec(self) -> SegmenterSpec:
        return SegmenterSpec(
            self.name,
            "Finds",
            "Finds.",
            "a test",
            kind="model",
            channels=self.needs,
            reference=self.reference,
            axes=self.axes,
        )

    def segment(self, images: Any, params: ModelParams, *, run: Run, within: Any = None, **_: Any) -> Any:
        image = images[self.reference or self.needs[0].name]
        assert set(images) == {need.name for need in self.needs}
        self.given |= images
        self.seen.append(image.grid.shape)
        self.asked.append(params)
        labels = np.zeros(image.grid.shape, np.uint8)
        for number, value in enumerate(self.values, start=1):
            labels[image.array == value] = number
        if within is not None:
            labels[~within] = 0
        table = LabelTable(tuple(Label(number, f"own {number}") for number in range(1, len(self.values) + 1)))
        findings = tuple(Finding(code, "info", "said") for code in self.codes)
        shares = np.stack([labels == 0, labels > 0]).astype(np.float32) if params.keep_probabilities else None
        return Segmentation(labels, image.grid, table, findings=findings, probabilities=shares)

    def memory_bytes(self, grids: Any, params: ModelParams) -> int:
        (grid,) = {name: grids[name] for name in (self.reference or self.needs[0].name,)}.values()
        return self.bytes * int(np.prod(grid.shape))


TABLE = LabelTable(
    (Label(1, "liver"), Label(2, "spleen"), Label(5, "rib")),
    (Region("organs", (1, 2)), Region("all", (1, 2, 5))),
)


def of_parts(*parts: Finds, **changes: Any) -> PartsSegmenter:
    """Liver and spleen by the first part, whose own labels stand the other way round; ribs by the second one."""
    values: dict[str, Any] = {
        "name": "toy",
        "title": "Toy",
        "summary": "A toy.",
        "version": "1.0",
        "channels": (ChannelSpec("image", "CT", value_unit="[hnsf'U]"),),
        "reference": "image",
        "table": TABLE,
        "parts": (TablePart("parts/a", ((1, 2), (2, 1))), TablePart("parts/b", ((1, 5),))),
        **changes,
    }
    return PartsSegmenter(PartsCard(**values), parts)


def row(*values: float, **changes: Any) -> Image:
    return make_image(np.array(values).reshape(-1, 1, 1), **changes)


def found_in(model: Any, image: Image, params: Any = None, **more: Any) -> Segmentation:
    answer = model.segment({"image": image}, params or model.Params(), run=RUN, **more)
    assert isinstance(answer, Segmentation)
    return answer


class TestParts:
    """Parts of one table."""

    def test_own_labels_become_those_of_the_table(self) -> None:
        answer = found_in(of_parts(Finds((10, 20)), Finds((30,))), row(0, 10, 20, 30, 40))
        assert answer.labels.ravel().tolist() == [0, 2, 1, 5, 0]
        assert answer.table == TABLE
        assert answer.findings == ()

    def test_where_two_find_something_the_later_one_stands_and_it_is_said(self) -> None:
        answer = found_in(of_parts(Finds((10, 20)), Finds((10,))), row(10, 20, 10, 0))
        assert answer.labels.ravel().tolist() == [5, 1, 5, 0]
        (said,) = answer.findings
        assert (said.code, said.severity, dict(said.details)) == ("parts.overlap", "info", {"voxels": 2})
        assert said.message.startswith("2 voxels were found by several parts of toy")

    def test_what_parts_say_is_said_once_and_an_empty_part_is_no_empty_answer(self) -> None:
        both = Finds((10, 20), codes=("said", "model.empty")), Finds((30,), codes=("said",))
        assert [item.code for item in found_in(of_parts(*both), row(10)).findings] == ["said"]

    @pytest.mark.parametrize(
        ("only", "labels", "names", "regions", "ran"),
        [
            (("rib",), [0, 0, 5], ["rib"], [], (0, 1)),
            (("spleen",), [2, 0, 0], ["spleen"], [], (1, 0)),
            (("organs",), [2, 1, 0], ["liver", "spleen"], ["organs"], (1, 0)),
            (("liver", "rib"), [0, 1, 5], ["liver", "rib"], [], (1, 1)),
            (("all",), [2, 1, 5], ["liver", "spleen", "rib"], ["organs", "all"], (1, 1)),
        ],
    )
    def test_only_what_is_asked_for_is_looked_for_and_has_rows(
        self, only: tuple, labels: list, names: list, regions: list, ran: tuple
    ) -> None:
        parts = Finds((10, 20)), Finds((30,))
        model = of_parts(*parts)
        answer = found_in(model, row(10, 20, 30), model.Params(only=only))
        assert answer.labels.ravel().tolist() == labels
        assert [item.name for item in answer.table.labels] == names
        assert [item.name for item in answer.table.regions] == regions
        assert tuple(len(part.seen) for part in parts) == ran

    def test_what_no_part_finds_and_probabilities_are_refused(self) -> None:
        model = of_parts(Finds((10, 20)), Finds((30,)))
        with pytest.raises(InputError, match="toy finds no 'kidney', 'lung'; 'medseg models toy' lists"):
            found_in(model, row(10), model.Params(only=("liver", "kidney", "lung")))
        with pytest.raises(InputError, match="probabilities are not of one sum"):
            found_in(model, row(10), model.Params(keep_probabilities=True))

    def test_outside_of_within_all_is_background(self) -> None:
        within = np.array([True, False, True]).reshape(-1, 1, 1)
        answer = found_in(of_parts(Finds((10, 20)), Finds((30,))), row(10, 20, 30), within=within)
        assert answer.labels.ravel().tolist() == [2, 0, 5]

    def test_the_answer_says_how_it_was_made(self) -> None:
        model = of_parts(Finds((10, 20)), Finds((30,)), origin=(("kind", "another program"),))
        image = row(10, 20, 30)
        made_by = found_in(model, image).made_by
        assert made_by is not None
        told = dict(made_by.parameters)
        assert (told["version"], told["origin.kind"]) == ("1.0", "another program")
        assert made_by.weights_digest == card_digest(model.card) == model.spec.version
        assert [(item.channel, item.digest) for item in made_by.images] == [("image", image.digest)]
        assert model.spec.channels == (ChannelNeed("image", "CT", "[hnsf'U]"),)
        assert (model.spec.needs_mm, model.spec.dimensions, model.spec.reference) == (True, (3,), "image")

    def test_at_another_spacing_outer_centres_stay_and_labels_come_back_to_the_native_voxels(self) -> None:
        image = make_image(np.zeros((6, 4, 4)), np.diag([1.0, 2.0, 2.0, 1.0]))
        values = np.array(image.array)
        values[3:] = 10
        image = replace(image, array=values)
        zoom = CornerZoom((2.0, 1.0, 2.0), order=0)
        parts = Finds((10, 20)), Finds((30,))
        answer = found_in(of_parts(*parts, zoom=zoom), image)
        assert parts[0].seen == [(3, 8, 4)]
        assert answer.grid is image.grid
        # Of 6 voxels the outer centres stay; of 3, the middle one lies between the third and the fourth.
        assert answer.labels[:, 0, 0].tolist() in ([0, 0, 0, 2, 2, 2], [0, 0, 2, 2, 2, 2])
        assert (answer.labels == answer.labels[:, :1, :1]).all()

    @pytest.mark.parametrize(("whole", "expected"), [(True, 1), (False, 1.75)])
    def test_values_are_cut_to_whole_numbers_where_the_model_has_them_so(
        self, whole: bool, expected: float
    ) -> None:
        image = make_image(np.full((4, 4, 4), 1.75), np.diag([2.0, 2.0, 2.0, 1.0]))
        zoom = CornerZoom((1.0, 1.0, 1.0), order=1, whole=whole)
        answer = found_in(of_parts(Finds((expected, 20)), Finds((30,)), zoom=zoom), image)
        assert (answer.labels == 2).all()

    def test_an_image_that_vanishes_is_refused(self) -> None:
        model = of_parts(Finds((10, 20)), Finds((30,)), zoom=CornerZoom((100.0, 100.0, 100.0)))
        with pytest.raises(InputError, match=r"\(4, 4, 4\) voxels vanishes at \(100.0, 100.0, 100.0\) mm"):
            found_in(model, make_image(np.zeros((4, 4, 4))))

    def test_memory_is_that_of_the_largest_part_with_labels_and_channels(self) -> None:
        grid = Grid((10, 10, 10), np.eye(4))
        parts = Finds((10, 20), bytes=3), Finds((30,), bytes=7)
        assert of_parts(*parts).memory_bytes({"image": grid}, ModelParams()) == (7 + 4 + 16) * 1000
        fine = of_parts(*parts, zoom=CornerZoom((0.5, 1.0, 1.0)))
        assert fine.memory_bytes({"image": grid}, ModelParams()) == (2 * (7 + 16) + 4) * 1000


class TestInner:
    """One model within another."""

    def test_it_works_in_its_own_axes_and_the_answer_is_in_those_of_the_images(self) -> None:
        values = np.arange(24.0).reshape(2, 3, 4)
        image = make_image(values, affine_orientation((1.0, 1.0, 1.0), "SLA"))
        for axes, shape in (("stored", (2, 3, 4)), ("canonical", (3, 4, 2))):
            model = Finds((7, 5), axes=axes)
            answer = run_inner(model, {"image": image}, ModelParams(), RUN)
            assert model.seen == [shape]
            assert np.argwhere(answer.labels == 1).tolist() == np.argwhere(values == 7).tolist()
            assert np.argwhere(answer.labels == 2).tolist() == np.argwhere(values == 5).tolist()
            assert answer.grid is image.grid

    def test_it_is_given_its_own_channels_and_what_of_the_parameters_concerns_it(self) -> None:
        needs = (ChannelNeed("pet"), ChannelNeed("ct"))
        images = {"ct": row(1, 5, 2), "pet": row(9, 9), "other": row(0)}
        model = Finds((5,), needs=needs, reference="ct")
        asked = ModelParams(overlap=0.25, mirror=False, speed="fast", keep_probabilities=True)
        answer = run_inner(model, images, asked, RUN)
        assert answer.labels.ravel().tolist() == [0, 1, 0]
        assert answer.grid is images["ct"].grid
        assert answer.probabilities is None
        assert model.asked == [ModelParams(overlap=0.25, mirror=False, speed="fast")]
        first = run_inner(Finds((9,), needs=needs), images, asked, RUN)
        assert first.labels.ravel().tolist() == [1, 1]


#: Half a box of ones with a bright voxel in it, and a bright one outside, on voxels of 1 × 1 × 2 mm.
def coarse_and_fine() -> Image:
    values = np.zeros((20, 18, 10), np.float32)
    values[8:12, 6:9, 4:6] = 1
    values[9, 7, 4] = values[0, 0, 0] = 2
    return make_image(values, np.diag([1.0, 1.0, 2.0, 1.0]))


def boxed(first: Finds, then: Finds, margin_mm: float = 3.0) -> BoxedSegmenter:
    return BoxedSegmenter(first, then, Before("parts/first", "box", (1,), margin_mm=margin_mm))


class TestBox:
    """Coarse, then fine."""

    @pytest.mark.parametrize(
        ("margin", "shape"), [(0.0, (4, 3, 2)), (3.0, (10, 9, 6)), (100.0, (20, 18, 10))]
    )
    def test_the_second_model_sees_the_box_with_its_margin(self, margin: float, shape: tuple) -> None:
        image, then = coarse_and_fine(), Finds((2,))
        answer = found_in(boxed(Finds((1,)), then, margin), image)
        assert then.seen == [shape]
        assert answer.grid is image.grid
        expected = [[9, 7, 4]] if margin < 100 else [[0, 0, 0], [9, 7, 4]]
        assert np.argwhere(answer.labels).tolist() == expected

    def test_the_box_lies_where_it_lay(self) -> None:
        image, then = coarse_and_fine(), Finds((2,))
        found_in(boxed(Finds((1,)), then), image)
        corner = then.given["image"].grid.to_position(np.zeros(3))
        assert np.allclose(corner, image.grid.to_position(np.array([5.0, 3.0, 2.0])))

    def test_probabilities_and_within_belong_to_the_box_and_beyond_is_background(self) -> None:
        image = coarse_and_fine()
        within = np.ones(image.grid.shape, bool)
        answer = found_in(
            boxed(Finds((1,)), Finds((2,)), 0.0), image, ModelParams(keep_probabilities=True), within=within
        )
        assert answer.probabilities is not None
        assert answer.probabilities.shape == (2, *image.grid.shape)
        assert np.argwhere(answer.probabilities[1]).tolist() == [[9, 7, 4]]
        assert (answer.probabilities.sum(axis=0) == 1).all()
        within[9] = False
        assert not found_in(boxed(Finds((1,)), Finds((2,))), image, within=within).labels.any()

    def test_a_channel_on_another_grid_and_what_was_not_measured(self) -> None:
        image = coarse_and_fine()
        outside = np.zeros(image.grid.shape, bool)
        outside[9, 7, 5] = True
        then = Finds((2,), needs=(ChannelNeed("image"), ChannelNeed("other")))
        images = {"image": replace(image, outside=outside), "other": row(1, 2, 3)}
        boxed(Finds((1,)), then, 0.0).segment(images, ModelParams(), run=RUN)
        assert then.given["other"] is images["other"]
        assert then.given["image"].outside is not None
        assert np.argwhere(then.given["image"].outside).tolist() == [[1, 1, 1]]

    def test_where_the_first_finds_nothing_the_whole_image_is_searched_and_that_is_said(self) -> None:
        image = coarse_and_fine()
        then = Finds((2,), codes=("own",), name="fine")
        answer = found_in(boxed(Finds((7,), name="coarse"), then), image)
        assert then.seen == [image.grid.shape]
        assert [item.code for item in answer.findings] == ["own", "parts.no_region"]
        assert answer.findings[1].message == (
            "coarse found no region to work in; fine searched the whole image."
        )

    def test_it_is_described_as_the_second_and_needs_the_memory_of_the_larger(self) -> None:
        small, large = Finds((1,), bytes=2, name="small"), Finds((1,), bytes=5, name="large")
        grid = Grid((10, 1, 1), np.eye(4))
        for first, then in ((small, large), (large, small)):
            model = boxed(first, then)
            assert model.spec.name == then.name
            assert model.Params is then.Params
            assert model.memory_bytes({"image": grid}, ModelParams()) == 50

    def test_a_box_ends_with_the_last_voxel_and_with_the_image(self) -> None:
        mask = np.zeros((9, 9, 9), bool)
        mask[2:5, 8, 0] = True
        grid = Grid(mask.shape, np.diag([2.0, 1.0, 0.7, 1.0]))
        assert box_around(mask, grid, 0.0) == (slice(2, 5), slice(8, 9), slice(0, 1))
        assert box_around(mask, grid, 1.5) == (slice(1, 6), slice(6, 9), slice(0, 4))
        assert box_around(mask & False, grid, 1.5) is None


def stored_card(**changes: Any) -> Any:
    values = {
        "grid": StoredGrid((2, 1, 0), (1.0, 1.0, 1.0)),
        "windows": WindowRule("even", "gaussian_float16"),
        "decision": Decision(average="logits"),
        **changes,
    }
    return make_card(**values)


@dataclass
class LastChannel(StandIn):
    """Logit 9 for the label, where the last channel is 1."""

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        share = 9 * windows[:, -1:]
        return np.concatenate([9 - share, share], axis=1)


class TestStored:
    """Models that work on the voxels as a file stores them."""

    def test_labels_come_back_to_the_voxels_of_the_file(self, blob: np.ndarray) -> None:
        stored = blob.transpose(2, 0, 1)[::-1]
        image = make_image(stored, affine_orientation((1.0, 1.0, 1.0), "IRA"))
        model = StoredSegmenter(segmenter(stored_card(labels=3), OneHot(4)))
        answer = found_in(model, image)
        assert np.array_equal(answer.labels, stored)
        assert answer.grid is image.grid
        assert answer.made_by is not None
        assert answer.made_by.images[0].digest == image.digest
        assert (model.spec.axes, model.spec.needs_mm) == ("stored", True)

    def test_labels_of_a_first_model_are_channels_of_ones(self, blob: np.ndarray) -> None:
        network = replace(make_card().network, in_channels=2)
        card = stored_card(before=Before("parts/first", "labels", (1,)), network=network)
        model = StoredSegmenter(segmenter(card, LastChannel()), Finds((2,), axes="stored"))
        answer = found_in(model, make_image(blob))
        assert np.array_equal(answer.labels > 0, blob == 2)

    def test_probabilities_beyond_the_crop_are_of_background_and_within_says_where(
        self, blob: np.ndarray
    ) -> None:
        model = StoredSegmenter(segmenter(stored_card(labels=3), OneHot(4)))
        within = np.zeros(blob.shape, bool)
        within[:10] = True
        answer = found_in(model, make_image(blob), model.Params(keep_probabilities=True), within=within)
        assert answer.probabilities is not None
        assert answer.probabilities.shape == (4, *blob.shape)
        shares = np.asarray(answer.probabilities)
        assert (shares[0, -1] == 1).all()
        assert np.allclose(shares.sum(axis=0), 1, atol=2.0**-11)
        assert np.array_equal(shares.argmax(axis=0), blob)
        assert np.array_equal(answer.labels, np.where(within, blob, 0))

    def test_regions_have_no_probabilities_and_channels_have_one_grid(self) -> None:
        network = replace(make_card().network, out_channels=1)
        card = stored_card(decision=Decision("sigmoid", "logits", (1,)), network=network)
        model = StoredSegmenter(segmenter(card, OneHot(1)))
        with pytest.raises(InputError, match="toy finds regions, which have no probabilities"):
            found_in(model, row(1, 2), model.Params(keep_probabilities=True))

    def test_memory_grows_with_both_grids_channels_outputs_and_what_is_kept(self) -> None:
        model = StoredSegmenter(segmenter(stored_card(labels=3), OneHot(4)))
        native = Grid((10, 10, 10), np.diag([2.0, 1.0, 1.0, 1.0]))
        params = ModelParams()
        # 2000 voxels of the model's, 10 × 10 across slabs of 8; 1000 native ones: labels three times, what is inside.
        windows, planes = 4 * 512 * (4 * 4 + 5 * 4), 4 * 4 * 100
        expected = 4 * 2000 + windows + (6 << 23) + planes + 4 * 1000 + 4 * 5 * 8 * 100
        assert model.memory_bytes({"image": native}, params) == expected
        kept = params.model_copy(update={"keep_probabilities": True})
        assert model.memory_bytes({"image": native}, kept) == expected + 2 * 2000 * 4
        pixels = replace(native, unit="px")
        assert model.memory_bytes({"image": pixels}, params) == expected - 4 * 1000

    def test_between_pictures_there_is_no_distance(self) -> None:
        image = make_image(np.ones((4, 6, 2)), np.diag([2.0, 3.0, 1.0, 1.0]))
        card = stored_card(grid=StoredGrid((0, 1, 2), (2.0, 3.0, 999.0)))
        pixels = replace(image, grid=replace(image.grid, unit="px"))
        assert prepare_stored({"image": pixels}, card).spacing == (2.0, 3.0, 3 * NO_DISTANCE)


def contents(**changes: Any) -> Contents:
    card = make_card(**changes)
    return Contents(card, [state_for(card.network, build(card.network))])


class TestBundle:
    """What segments with the bundle in a folder."""

    @pytest.mark.parametrize(
        ("gives", "grid", "kind"),
        [
            ("labels", StoredGrid((2, 1, 0), (1.0, 1.0, 1.0)), StoredSegmenter),
            ("box", StoredGrid((2, 1, 0), (1.0, 1.0, 1.0)), BoxedSegmenter),
            ("box", None, BoxedSegmenter),
        ],
    )
    def test_a_model_that_its_card_names_runs_first(
        self, gives: Any, grid: StoredGrid | None, kind: type, tmp_path: Path
    ) -> None:
        network = replace(make_card().network, in_channels=2 if gives == "labels" else 1)
        whole = contents(grid=grid, network=network, before=Before("parts/first", gives, (1,)))
        write_contents(
            tmp_path / "whole",
            replace(whole, parts={"parts/first": contents(title="First")}),
            precision="float16",
        )
        model = segmenter_of(tmp_path / "whole")
        assert type(model) is kind
        assert isinstance(model, StoredSegmenter | BoxedSegmenter)
        assert isinstance(model.first, ModelSegmenter)
        assert model.first.card.title == "First"
        if isinstance(model, BoxedSegmenter):
            assert type(model.then) is (ModelSegmenter if grid is None else StoredSegmenter)

    def test_a_model_that_is_another_one_than_named_is_refused(self, tmp_path: Path) -> None:
        whole = contents(before=Before("parts/first", "box", (1,)))
        write_contents(
            tmp_path / "whole", replace(whole, parts={"parts/first": contents()}), precision="float16"
        )
        card = tmp_path / "whole" / "parts" / "first" / "card.yaml"
        card.write_text(card.read_text().replace("title: Toy", "title: Another"))
        with pytest.raises(ModelError, match="first is not the model that the card of whole names"):
            segmenter_of(tmp_path / "whole")

    def test_an_answer_names_the_weights(self, blob: np.ndarray) -> None:
        weights = (
            WeightsFile("weights/0.safetensors", "1" * 64),
            WeightsFile("weights/1.safetensors", "2" * 64),
        )
        card = make_card(labels=3, weights=weights)
        made_by = found_in(segmenter(card, OneHot(4)), make_image(blob)).made_by
        assert made_by is not None
        assert made_by.weights_digest == weights_digest(card)
        bare = found_in(segmenter(make_card(labels=3), OneHot(4)), make_image(blob)).made_by
        assert bare is not None
        assert bare.weights_digest is None
