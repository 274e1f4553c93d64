"""PET over midnight whose slices name no date of acquisition: the nearest day is meant."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medseg.io import read

Make = Callable[..., Path]
Tags = Callable[..., dict[str, Any]]


def test_the_shared_series_over_midnight(data: Callable[[str], Path]) -> None:
    image = read(data("faults/pt_cross_nodate"))
    mask = read(data("faults/pt_mask.nii.gz")).array > 0
    assert float(image.array[mask].mean()) == pytest.approx(4.0, abs=0.01)
    assert "pet.injection_time" not in {item.code for item in image.findings}


@pytest.mark.parametrize(
    ("series_time", "clocks", "date"),
    [
        ("233000", ("233000", "001000"), "20240305"),
        ("000500", ("235500", "000500"), "20240306"),
    ],
)
def test_slices_on_both_sides_of_midnight(
    series_time: str, clocks: tuple[str, str], date: str, series: Make, pet_tags: Tags
) -> None:
    tags = pet_tags(
        SeriesDate=date,
        SeriesTime=series_time,
        AcquisitionDate=None,
        RadiopharmaceuticalStartDateTime="20240305223000",
        RadiopharmaceuticalStartTime="223000",
    )
    folder = series([0, 3], each=lambda n: {"AcquisitionTime": clocks[n]}, **tags)
    image = read(folder)
    assert image.value_unit == "g/ml{SUVbw}"
    assert image.source is not None
    expected = 3600 if series_time == "233000" else 5100
    assert image.source.detail("pet_decay_s") == expected
