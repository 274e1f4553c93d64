"""Thresholds of every kind: closed-form answers, `within`, parameters that make no sense."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Image
from medseg.errors import ConfigError, InputError
from medseg.methods.hysteresis import HYSTERESIS
from medseg.methods.local_threshold import LOCAL_THRESHOLD, box_sum
from medseg.methods.multi_otsu import MULTI_OTSU, multi_otsu_thresholds
from medseg.methods.otsu import OTSU, otsu_threshold
from medseg.methods.threshold import THRESHOLD
from medseg.methods.tissue_preset import TISSUE_PRESET
from medseg.workflows.segment import segment


def line(*values: float, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0), **about: Any) -> Image:
    """An image of one row, in RAS order."""
    array = np.array(values, np.float32)[:, None, None]
    return Image(array, Grid(array.shape, np.diag([*spacing, 1.0])), **about)


def row(answer: Any) -> list[int]:
    return [int(value) for value in answer.labels[:, 0, 0]]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"low": 2}, [0, 1, 1, 1]),
        ({"high": 2}, [1, 1, 0, 0]),
        ({"low": 2, "high": 3}, [0, 1, 1, 0]),
        ({"low": 9}, [0, 0, 0, 0]),
        ({"low": 2, "high": 2}, [0, 1, 0, 0]),
    ],
)
def test_both_limits_of_a_threshold_belong_to_it(limits: dict[str, float], expected: list[int]) -> None:
    assert row(segment(THRESHOLD, line(1, 2, 3, 4), params=limits)) == expected


@pytest.mark.parametrize(
    ("limits", "said"), [({}, "give low, high or both"), ({"low": 3, "high": 2}, "lies above high")]
)
def test_limits_that_make_no_sense(limits: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        segment(THRESHOLD, line(1, 2), params=limits)


def test_values_that_are_no_measurement_are_background() -> None:
    image = line(np.nan, np.inf, 5, 5)
    image = replace(image, outside=np.array([0, 0, 0, 1], bool)[:, None, None])
    assert row(segment(THRESHOLD, image, params={"low": 1})) == [0, 0, 1, 0]
    assert row(segment(THRESHOLD, image, params={"high": 9})) == [0, 0, 1, 0]


def test_otsu_parts_two_values_between_them() -> None:
    assert 0 < otsu_threshold(np.array([0.0, 0, 0, 10, 10])) < 10
    image = line(0, 0, 10, 10)
    assert row(segment(OTSU, image)) == [0, 0, 1, 1]
    assert row(segment(OTSU, image, params={"side": "below"})) == [1, 1, 0, 0]
    within = np.array([1, 1, 1, 0], bool)[:, None, None]
    assert row(segment(OTSU, image, within=within)) == [0, 0, 1, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint16])
def test_every_value_stays_on_the_side_of_its_bin(dtype: type) -> None:
    values = np.repeat(np.array([0, 3, 10], dtype), (5, 5, 9))
    threshold = otsu_threshold(values)
    assert 3 < threshold < 10
    steps = np.arange(256).astype(dtype)
    assert otsu_threshold(steps) == 127.5


def test_neighbouring_floats_are_told_apart() -> None:
    near = np.array([1, np.nextafter(np.float32(1), np.float32(2))], np.float32)
    assert (near > otsu_threshold(near)).tolist() == [False, True]


@pytest.mark.parametrize("method", [OTSU, MULTI_OTSU, HYSTERESIS])
def test_a_constant_image_can_not_be_split(method: Any) -> None:
    with pytest.raises(InputError, match="constant"):
        segment(method, line(3, 3, 3))


@pytest.mark.parametrize("classes", [2, 3, 4, 5])
def test_multi_otsu_gives_every_value_its_class(classes: int) -> None:
    values = (0.0, 10.0, 20.0, 30.0, 40.0)[:classes]
    answer = segment(MULTI_OTSU, line(*np.repeat(values, 3)), params={"classes": classes})
    assert row(answer) == list(np.repeat(np.arange(1, classes + 1), 3))
    assert answer.table.labels[0].name == f"class 1 of {classes}"


def test_multi_otsu_thresholds_maximise_the_variance_between_classes() -> None:
    values = np.random.default_rng(2).normal([0, 4, 9], 1, (500, 3)).ravel()
    counts, edges = np.histogram(values, 30)
    centres = (edges[:-1] + edges[1:]) / 2

    def between(i: int, j: int) -> float:
        parts = [slice(0, i + 1), slice(i + 1, j + 1), slice(j + 1, 30)]
        return sum((counts[p] @ centres[p]) ** 2 / counts[p].sum() if counts[p].sum() else 0.0 for p in parts)

    best = max(((i, j) for i in range(28) for j in range(i + 1, 29)), key=lambda pair: between(*pair))
    found = multi_otsu_thresholds(values, 3, bins=30)
    ordered = np.sort(values)
    for threshold, index in zip(found, best, strict=True):
        place = np.searchsorted(ordered, edges[index + 1])
        assert threshold == pytest.approx(ordered[place - 1 : place + 1].mean())


def test_more_classes_than_values_are_refused() -> None:
    with pytest.raises(InputError, match="at least 4 different values"):
        segment(MULTI_OTSU, line(1, 1, 2, 3), params={"classes": 4})


def test_hysteresis_keeps_parts_that_reach_the_high_threshold() -> None:
    image = line(0, 3, 5, 3, 0, 3, 3, 0)
    answer = segment(HYSTERESIS, image, params={"low": 3, "high": 5})
    assert row(answer) == [0, 1, 1, 1, 0, 0, 0, 0]
    assert dict(answer.made_by.parameters)["parts"] == 1
    assert row(segment(HYSTERESIS, image, params={"low": 3, "high": 3})) == [0, 1, 1, 1, 0, 1, 1, 0]
    assert not any(row(segment(HYSTERESIS, image, params={"low": 3, "high": 6})))
    with pytest.raises(ConfigError, match="swap"):
        segment(HYSTERESIS, image, params={"low": 5, "high": 3})


def test_hysteresis_ends_parts_where_within_ends() -> None:
    within = np.array([1, 1, 0, 1, 1, 1, 1, 1], bool)[:, None, None]
    answer = segment(HYSTERESIS, line(0, 3, 5, 3, 0, 5, 3, 0), params={"low": 3, "high": 5}, within=within)
    assert row(answer) == [0, 0, 0, 0, 0, 1, 1, 0]


def test_hysteresis_neighbours() -> None:
    array = np.zeros((3, 3, 1), np.float32)
    array[0, 0], array[1, 1] = 9, 4
    image = Image(array, Grid(array.shape, np.eye(4)))
    for connectivity, count in ((6, 1), (18, 2), (26, 2)):
        answer = segment(HYSTERESIS, image, params={"low": 3, "high": 8, "connectivity": str(connectivity)})
        assert answer.labels.sum() == count


@pytest.mark.parametrize(
    ("sides", "middle"), [((1, 1, 1), 1), ((3, 1, 1), 3), ((4, 1, 1), 4), ((3, 3, 3), 27), ((2.5, 2, 1), 5)]
)
def test_a_box_sums_the_share_of_each_voxel_inside(sides: tuple[float, float, float], middle: float) -> None:
    assert box_sum(np.ones((9, 9, 9)), sides)[4, 4, 4] == pytest.approx(middle)


def test_a_local_threshold_sees_an_object_on_a_rising_background() -> None:
    ramp = np.linspace(0, 100, 60)
    values = ramp.copy()
    values[[15, 16, 45, 46]] += 20
    found = row(segment(LOCAL_THRESHOLD, line(*values), params={"window_mm": 12, "weight": 1.0}))
    assert [n for n in np.flatnonzero(found) if 6 < n < 53] == [15, 16, 45, 46], (
        "at the ends the window is cut"
    )


def test_the_window_is_in_mm_on_any_spacing() -> None:
    profile = np.r_[np.zeros(30), np.full(10, 50.0), np.zeros(30)]
    fine = segment(
        LOCAL_THRESHOLD, line(*np.repeat(profile, 2), spacing=(0.5, 1, 1)), params={"window_mm": 30}
    )
    coarse = segment(LOCAL_THRESHOLD, line(*profile), params={"window_mm": 30})
    assert row(fine)[::2] == row(coarse)


def test_blocks_of_slices_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(0, 1, (9, 8, 70)).astype(np.float32)
    image = Image(values, Grid(values.shape, np.diag([1.0, 1.0, 2.0, 1.0])))
    whole = segment(LOCAL_THRESHOLD, image, params={"window_mm": 9})
    monkeypatch.setattr("medseg.methods.local_threshold._BLOCK", 1)
    parts = segment(LOCAL_THRESHOLD, image, params={"window_mm": 9})
    np.testing.assert_array_equal(whole.labels, parts.labels)


CT = {"modality": "CT", "value_unit": "[hnsf'U]"}


def test_a_tissue_preset_is_the_published_range() -> None:
    image = line(-191, -190, -30.4, -29.4, 150.4, 151, **CT)
    answer = segment(TISSUE_PRESET, image, params={"tissues": ["muscle-range", "fat-range"]})
    assert row(answer) == [0, 12, 12, 13, 13, 0], "rounded to whole HU, so that ranges leave no gap"
    assert dict(answer.made_by.parameters)["definitions"].startswith("medseg.tissues/")
    assert answer.table.labels[1].name == "Muscle range (−29 to 150 HU)"


def test_a_depot_is_named_as_a_range_within_it() -> None:
    answer = segment(TISSUE_PRESET, line(-100, 0, **CT), params={"tissues": ["visceral-fat"]})
    assert "within the abdominal cavity" in answer.table.labels[0].name


@pytest.mark.parametrize(
    ("image", "tissues", "said"),
    [
        (line(1, 2, modality="MR"), ["muscle-range"], "needs CT .* is MR"),
        (line(1, 2), ["muscle-range"], r"values in \[hnsf'U\]"),
        (line(1, 2, **CT), ["muscles"], "no tissue is called 'muscles'"),
        (line(1, 2, **CT), ["fat-range", "visceral-fat"], "overlap"),
    ],
)
def test_what_a_tissue_preset_refuses(image: Image, tissues: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        segment(TISSUE_PRESET, image, params={"tissues": tissues})


def test_pixels_will_do() -> None:
    array = np.zeros((20, 20, 1), np.uint8)
    array[5:9, 5:9] = 200
    image = Image(array, Grid(array.shape, np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px"))
    for method, params in (
        (THRESHOLD, {"low": 100}),
        (OTSU, {}),
        (HYSTERESIS, {}),
        (LOCAL_THRESHOLD, {"window_mm": 10}),
    ):
        np.testing.assert_array_equal(segment(method, image, params=params).labels, array > 100)


def test_hysteresis_without_limits_ends_where_otsu_does_and_drops_what_stays_faint() -> None:
    values = np.zeros(80, np.float32)
    values[10:20], values[40:43] = 100, 60
    found = row(segment(HYSTERESIS, line(*values)))
    assert list(np.flatnonzero(found)) == list(range(10, 20))


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        (THRESHOLD, {"low": 9}, "method.nothing_found"),
        (THRESHOLD, {"low": 0}, "method.all_labelled"),
        (THRESHOLD, {"low": 2}, None),
        (LOCAL_THRESHOLD, {"offset": 99}, "method.nothing_found"),
    ],
)
def test_an_answer_that_says_nothing_is_said_to(
    method: Any, params: dict[str, float], code: str | None
) -> None:
    findings = segment(method, line(1, 2, 3, 4), params=params).findings
    assert [finding.code for finding in findings] == [code] * (code is not None)


def test_a_tissue_that_is_not_there_is_named() -> None:
    scan = line(-1000, 40, 40, modality="CT", value_unit="[hnsf'U]")
    (finding,) = segment(TISSUE_PRESET, scan, params={"tissues": ("muscle-range", "fat-range")}).findings
    assert finding.code == "method.label_absent"
    assert "fat" in finding.message.lower()
