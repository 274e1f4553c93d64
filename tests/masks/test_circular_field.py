"""The circle around a CT that declares no padding: seen where it is, never where it is not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from medseg.masks.border import circular_field

SIZE = 64


def radius() -> NDArray[np.float64]:
    steps = np.arange(SIZE) - (SIZE - 1) / 2
    found: NDArray[np.float64] = np.hypot(steps[:, None], steps)
    return found


def scan(*, air: float = -1000, noise: float = 12, slices: int = 10) -> NDArray[np.float64]:
    """A body in noisy air that fills the whole square."""
    values = np.random.default_rng(0).normal(0, noise, (SIZE, SIZE, slices))
    values += np.where(radius() < SIZE / 4, 40.0, air)[..., None]
    return values


def circle(values: NDArray[np.float64], padding: float) -> NDArray[np.float64]:
    return np.where((radius() > SIZE / 2)[..., None], padding, values)


@pytest.mark.parametrize("padding", [-3024.0, -2000.0, -1024.0])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_circle_is_seen_along_any_axis(padding: float, axis: int) -> None:
    values = np.moveaxis(circle(scan(), padding), 2, axis)
    found = circular_field(values)
    assert found is not None
    assert np.array_equal(found, values == padding)


CLEAN = {
    "a full square of noisy air": scan(),
    "air clipped at -1000": np.maximum(scan(noise=0), -1000),
    "air clipped at -1024 with a little noise": np.maximum(scan(air=-1040, noise=5), -1024),
    "a rectangle padded on two sides": np.where(np.arange(SIZE)[:, None, None] < 8, -1024.0, scan()),
    "padding above -1000": circle(scan(), -900.0),
    "a circle in half of the slices": np.concatenate(
        [circle(scan(slices=5), -1024.0), scan(slices=5)], axis=2
    ),
    "slices that are not square": circle(scan(), -1024.0)[:50],
}


@pytest.mark.parametrize("name", CLEAN)
def test_no_circle_where_there_is_none(name: str) -> None:
    assert circular_field(CLEAN[name]) is None


@pytest.mark.parametrize("series", ["dcmqi/ct-3slice", "rt_utils/mock_data"])
def test_where_a_file_declares_it_the_circle_is_the_same(data: Callable[[str], Path], series: str) -> None:
    from medseg.io import read

    image = read(data(f"dicom/{series}"))
    found = circular_field(image.array)
    assert found is not None
    assert image.outside is not None
    assert np.array_equal(found, image.outside)


@pytest.mark.parametrize(
    "path",
    ["dicom/dicom2nifti/failing/gantrytilting/001", "dicom/ibsi_sts002/CT/image", "misc/ct_small"],
)
def test_real_scans_without_one_raise_no_alarm(data: Callable[[str], Path], path: str) -> None:
    from medseg.io import read

    folder = data(path)
    images = sorted(folder.rglob("*ct_sm.nii.gz")) or [folder]
    assert circular_field(read(images[0]).array) is None
