"""PET thresholds by name, where seeds say what is looked at."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Image, Prompts
from medseg.domain.prompts import Box, Point
from medseg.errors import ConfigError, InputError
from medseg.methods.pet_threshold import PET_THRESHOLD
from medseg.workflows.segment import segment

#: Two lesions on a row, 1 mm voxels: SUV 2 to 5, and up to 20.
VALUES = (0, 2, 5, 4, 2, 0, 0, 9, 20, 8, 0)


def pet(unit: str = "g/ml{SUVbw}", modality: str | None = "PT") -> Image:
    array = np.array(VALUES, np.float32)[:, None, None]
    return Image(array, Grid(array.shape, np.eye(4)), modality, unit)


def found(prompts: Prompts | None = None, **params: Any) -> list[int]:
    answer = segment(PET_THRESHOLD, pet(), params=params, prompts=prompts)
    return np.flatnonzero(answer.labels[:, 0, 0]).tolist()


def at(index: int, *, positive: bool = True) -> Point:
    return Point((float(index), 0.0, 0.0), positive)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"rule": "fixed-4"}, [2, 3, 7, 8, 9]),
        ({"rule": "41%"}, [7, 8, 9][:2]),
        ({"rule": "40%"}, [7, 8, 9]),
        ({"rule": "percist", "reference_mean": 2.0, "reference_sd": 0.5}, [2, 3, 7, 8, 9]),
        ({"rule": "percist", "reference_mean": 2.0, "reference_sd": 0.5, "reference": "aorta"}, [2, 7, 8, 9]),
    ],
)
def test_rules(params: dict[str, Any], expected: list[int]) -> None:
    assert found(**params) == expected


def test_a_box_says_where_the_maximum_is_looked_for() -> None:
    assert found(Prompts(boxes=(Box((0, -1, -1), (5, 1, 1)),)), rule="41%") == [2, 3]


def test_points_choose_connected_parts() -> None:
    assert found(Prompts(points=(at(3),)), rule="fixed-4") == [2, 3]
    assert found(Prompts(points=(at(3), at(8))), rule="fixed-4") == [2, 3, 7, 8, 9]
    assert found(Prompts(points=(at(3), at(8), at(9, positive=False))), rule="fixed-4") == [2, 3]


def test_within_limits_what_is_looked_at() -> None:
    within = (np.arange(len(VALUES)) < 6)[:, None, None]
    answer = segment(PET_THRESHOLD, pet(), params={"rule": "50%"}, within=within)
    assert np.flatnonzero(answer.labels).tolist() == [2, 3]
    assert dict(answer.made_by.parameters)["threshold"] == 2.5


def test_a_share_of_the_maximum_needs_no_suv() -> None:
    answer = segment(PET_THRESHOLD, pet("Bq/ml"), params={"rule": "41%"})
    assert answer.labels.sum() == 2


@pytest.mark.parametrize(
    ("params", "image", "error", "said"),
    [
        ({"rule": "half"}, pet(), ConfigError, "a delineation is"),
        ({"rule": "percist"}, pet(), ConfigError, "reference_mean and reference_sd"),
        ({"rule": "fixed-2.5"}, pet("Bq/ml"), InputError, "SUVbw"),
        ({"rule": "41%"}, replace(pet(), modality="CT"), InputError, "needs PT"),
    ],
)
def test_what_is_refused(params: dict[str, Any], image: Image, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        segment(PET_THRESHOLD, image, params=params)
