"""A network that tells touching objects apart: its phantoms, its training, and how it is judged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Run
from medseg.errors import Cancelled, ConfigError, OutputError
from medseg.masks.components import components
from medseg.models import read_card
from medseg.training import PhantomConfig, load_config
from medseg.training.instances import _card, train_instances
from medseg.training.phantom_quality import (
    WAYS,
    ObjectCount,
    _large,
    count_objects,
    f1_of,
    quality_of,
    quality_table,
)
from medseg.training.phantoms import InstanceTraining, draw_phantom
from medseg.workflows.train import train

SETTINGS = InstanceTraining(objects=(4, 4))
TINY = InstanceTraining(steps=2, batch=1, patch=(16, 16, 16), radius_mm=(4.0, 6.0), unseen=2)
TINY_KEYS = ["phantoms.steps=1", "phantoms.batch=1", "phantoms.patch=[16,16,16]", "phantoms.unseen=1"]


class TestPhantoms:
    """What the network sees."""

    def test_the_same_number_is_the_same_phantom(self) -> None:
        one, again, other = (draw_phantom(number, SETTINGS) for number in (4, 4, 5))
        assert (one.image == again.image).all()
        assert not (one.ids == other.ids).all()
        assert one.ids.shape == SETTINGS.patch

    @pytest.mark.parametrize(
        ("number", "sizes", "mean", "deviation", "largest"),
        [
            (4, [11129, 1032, 996, 667], 0.212751, 0.398184, 1.127062),
            (9, [12669, 637, 194, 324], 0.088292, 0.353292, 1.766139),
        ],
    )
    def test_phantoms_stay_those_that_models_were_judged_on(
        self, number: int, sizes: list[int], mean: float, deviation: float, largest: float
    ) -> None:
        drawn = draw_phantom(number, InstanceTraining(objects=(3, 4), lumps=0.2, seed=1))
        assert np.bincount(drawn.ids.ravel()).tolist() == sizes
        found = drawn.image.mean(), drawn.image.std(), drawn.image.max()
        assert found == pytest.approx((mean, deviation, largest), abs=1e-5)

    def test_objects_touch(self) -> None:
        drawn = [draw_phantom(number, SETTINGS).ids for number in range(8)]
        objects = sum(len(np.unique(ids)) - 1 for ids in drawn)
        assert sum(int(components(ids > 0).max()) for ids in drawn) < objects / 2

    def test_no_object_is_smaller_than_the_card_keeps(self) -> None:
        small = replace(SETTINGS, radius_mm=(3.0, 13.0), minimum_mm3=400.0)
        for number in range(8):
            sizes = np.bincount(draw_phantom(number, small).ids.ravel())[1:] * 8
            assert (sizes[sizes > 0] >= 400).all()

    def test_an_object_of_exactly_the_least_size_counts(self) -> None:
        every = replace(SETTINGS, minimum_mm3=0.0)
        ids = draw_phantom(2, every).ids
        sizes = np.bincount(ids.ravel())[1:] * 8.0
        least = float(sizes.min())
        assert len(set(sizes)) == len(sizes) == 4
        for minimum, objects in ((least, 4), (least + 1, 3)):
            settings = replace(every, minimum_mm3=minimum)
            left = draw_phantom(2, settings).ids
            assert len(np.unique(left[left > 0])) == objects
            # Whichever way an answer came, it is judged by the same rule.
            assert np.array_equal(_large(ids, settings), left)

    def test_some_may_be_empty(self) -> None:
        empty = replace(SETTINGS, objects=(0, 1))
        counts = {int(draw_phantom(number, empty).ids.max()) for number in range(12)}
        assert counts == {0, 1}

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"steps": 0}, "start at 1"),
            ({"objects": (3, 2)}, "fewest"),
            ({"objects": (0, 0)}, "at least 1"),
            ({"radius_mm": (5.0, 4.0)}, "smallest to largest"),
            ({"spacing_mm": 0.0}, "positive"),
            ({"stretch": 0.5}, "stretch"),
            ({"patch": (30, 30, 30)}, "multiples of 8"),
        ],
    )
    def test_senseless_numbers_are_refused(self, wrong: dict, said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            replace(SETTINGS, **wrong)


class TestCounting:
    """Objects fit by an IoU above one half."""

    TRUTH = np.repeat(np.array([1, 1, 1, 1, 2, 2, 2, 2, 0, 0], np.uint32), 4).reshape(10, 2, 2)

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ([1, 1, 1, 1, 2, 2, 2, 2, 0, 0], (2, 2, 2)),
            ([7, 7, 7, 7, 3, 3, 3, 3, 0, 0], (2, 2, 2)),  # numbers are names
            ([1, 1, 1, 1, 1, 1, 1, 1, 0, 0], (2, 1, 0)),  # one over both: IoU of exactly a half
            ([1, 1, 1, 2, 2, 2, 2, 2, 0, 0], (2, 2, 2)),
            ([1, 1, 3, 3, 2, 2, 2, 2, 0, 0], (2, 3, 1)),  # a half of one is not enough
            ([0, 0, 0, 0, 0, 0, 0, 0, 1, 1], (2, 1, 0)),
            ([0] * 10, (2, 0, 0)),
        ],
    )
    def test_table(self, given: list[int], expected: tuple[int, int, int]) -> None:
        ids = np.repeat(np.array(given, np.uint32), 4).reshape(10, 2, 2)
        row = count_objects("case", "way", ids, self.TRUTH)
        assert (row.objects, row.given, row.fitting) == expected

    def test_the_background_is_no_object(self) -> None:
        truth = np.ones((4, 2, 2), np.uint32)
        truth[3] = 0
        nothing = np.zeros_like(truth)
        assert count_objects("case", "way", nothing, truth).fitting == 0
        nothing[3] = 5
        assert count_objects("case", "way", nothing, truth).fitting == 0

    def test_f1_is_of_all_cases_together(self) -> None:
        rows = [ObjectCount("a", "w", 4, 2, 2), ObjectCount("b", "w", 1, 1, 0)]
        assert f1_of(rows) == 2 * 2 / (5 + 3)
        assert f1_of([ObjectCount("empty", "w", 0, 0, 0)]) == 1.0

    def test_the_card_has_the_network_and_beside_it_the_others(self) -> None:
        rows = [
            ObjectCount("1", way, 2, 2, hits) for way, hits in zip(WAYS, (2, 1, 0), strict=True) for _ in "ab"
        ]
        quality = quality_of(rows, "medseg train X")
        assert (quality.mean, quality.low, quality.high, quality.cases) == (1.0, 1.0, 1.0, 2)
        assert "0.50 by split at necks and 0.00 by connected components" in quality.note
        assert quality_table(rows).decode().splitlines()[:2] == [
            "case,way,objects,given,fitting",
            "1,network,2,2,2",
        ]

    def test_the_interval_is_that_of_cases_drawn_again(self) -> None:
        """One case right and one wrong: a quarter of the draws has none, a quarter only right ones."""
        rows = [ObjectCount(case, way, 2, 2, hits) for way in WAYS for case, hits in (("a", 2), ("b", 0))]
        quality = quality_of(rows, "")
        assert (quality.mean, quality.low, quality.high, quality.level) == (0.5, 0.0, 1.0, 0.95)


class TestTraining:
    """From settings to a bundle."""

    def test_it_leaves_a_whole_bundle(self, tmp_path: Path) -> None:
        told: list[str] = []
        run = Run(device="cpu", threads=1, progress=lambda done, total, what: told.append(what))
        bundle = train_instances(tmp_path / "new" / "bundle", TINY, run, command="medseg train X")
        assert {path.name for path in bundle.iterdir()} == {
            "LICENSE",
            "card.yaml",
            "plan.yaml",
            "quality.csv",
            "weights",
        }
        card = read_card(bundle)
        assert card.quality[0].command == "medseg train X"
        assert card.quality[0].cases == TINY.unseen
        assert "phantoms" in card.limits[0]
        assert load_config(bundle / "plan.yaml") == PhantomConfig(TINY)
        assert told[-1] == "unseen phantoms"

    def test_the_same_settings_give_the_same_weights_and_what_exists_stays(self, tmp_path: Path) -> None:
        run = Run(device="cpu", threads=1)
        one, two = (train_instances(tmp_path / name, TINY, run) for name in ("one", "two"))
        weights = "weights/0.safetensors"
        assert (one / weights).read_bytes() == (two / weights).read_bytes()
        with pytest.raises(OutputError, match="exists"):
            train_instances(one, TINY, run)

    def test_it_stops_when_asked_and_leaves_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(Cancelled):
            train_instances(tmp_path / "out", SETTINGS, Run(device="cpu", cancel=lambda: True))
        assert not (tmp_path / "out").exists()


class TestConfiguration:
    """`medseg train touching_objects --out RUN`: as others, without data."""

    def test_the_shipped_one_made_the_shipped_model(self) -> None:
        from medseg import settings

        plan = settings.shipped_folder() / "models" / "touching-objects" / "plan.yaml"
        assert load_config("touching_objects") == load_config(plan)

    def test_the_shipped_card_is_what_the_settings_say(self) -> None:
        from medseg import settings

        made = _card(load_config("touching_objects").phantoms)  # type: ignore[union-attr]
        shipped = read_card(settings.shipped_folder() / "models" / "touching-objects")
        facts = {"data", "steps", "batch", "seed"}
        assert {name: value for name, value in made.trained if name in facts} == {
            name: value for name, value in shipped.trained if name in facts
        }
        assert (
            replace(made, trained=shipped.trained, weights=shipped.weights, quality=shipped.quality)
            == shipped
        )

    def test_it_is_trained_and_a_second_time_only_by_restart(self, tmp_path: Path) -> None:
        run = Run(device="cpu", threads=1)
        bundle = train("touching_objects", TINY_KEYS, out=tmp_path, run=run)
        assert bundle == tmp_path / "bundle"
        assert read_card(bundle).quality[0].command == "medseg train touching_objects --out RUN"
        with pytest.raises(OutputError, match="exists"):
            train("touching_objects", TINY_KEYS, out=tmp_path, run=run)
        train("touching_objects", TINY_KEYS, out=tmp_path, restart=True, run=run)

    @pytest.mark.parametrize(
        ("overrides", "said"),
        [
            (["phantoms.step=3"], r"did you mean 'phantoms\.steps'"),
            (["data.root=x"], "unknown key 'data'"),
            (["phantoms.steps=many"], "not 'many'"),
            (["phantoms.patch=[30,30,30]"], "multiples of 8"),
        ],
    )
    def test_what_is_wrong_is_named(self, overrides: list[str], said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            load_config("touching_objects", overrides)

    def test_there_are_no_folds(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="no folds"):
            train("touching_objects", out=tmp_path, fold=0)
        assert not list(tmp_path.iterdir())
