"""First-order statistics against PyRadiomics' published values, the IBSI phantom, and cases by hand."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Quantity
from medseg.measuring.firstorder import FIRST_ORDER, bin_width_of, first_order
from medseg.measuring.sample import sample_of
from medseg.measuring.units import squared

NAMES = {
    "Mean": Quantity.MEAN,
    "Variance": Quantity.VARIANCE,
    "Skewness": Quantity.SKEWNESS,
    "Kurtosis": Quantity.KURTOSIS,
    "Minimum": Quantity.MINIMUM,
    "10Percentile": Quantity.P10,
    "Median": Quantity.MEDIAN,
    "90Percentile": Quantity.P90,
    "Maximum": Quantity.MAXIMUM,
    "InterquartileRange": Quantity.INTERQUARTILE_RANGE,
    "Range": Quantity.RANGE,
    "MeanAbsoluteDeviation": Quantity.MEAN_DEVIATION,
    "RobustMeanAbsoluteDeviation": Quantity.ROBUST_MEAN_DEVIATION,
    "Energy": Quantity.ENERGY,
    "RootMeanSquared": Quantity.ROOT_MEAN_SQUARE,
    "Entropy": Quantity.ENTROPY,
    "Uniformity": Quantity.UNIFORMITY,
}
#: IBSI reference manual, digital phantom, as printed; entropy and uniformity with one bin per grey level.
IBSI = {
    Quantity.MEAN: 2.15,
    Quantity.VARIANCE: 3.05,
    Quantity.SKEWNESS: 1.08,
    Quantity.EXCESS_KURTOSIS: -0.355,
    Quantity.MEDIAN: 1,
    Quantity.MINIMUM: 1,
    Quantity.P10: 1,
    Quantity.P90: 4,
    Quantity.MAXIMUM: 6,
    Quantity.INTERQUARTILE_RANGE: 3,
    Quantity.RANGE: 5,
    Quantity.MEAN_DEVIATION: 1.55,
    Quantity.ROBUST_MEAN_DEVIATION: 1.11,
    Quantity.MEDIAN_DEVIATION: 1.15,
    Quantity.VARIATION_COEFFICIENT: 0.812,
    Quantity.QUARTILE_DISPERSION: 0.6,
    Quantity.ENERGY: 567,
    Quantity.ROOT_MEAN_SQUARE: 2.77,
    Quantity.ENTROPY: 1.27,
    Quantity.UNIFORMITY: 0.512,
}


@pytest.mark.parametrize("case", ["brain1", "breast1"])
def test_published_values_of_pyradiomics(data: Callable[[str], Path], case: str) -> None:
    from medseg.io import read, read_segmentation

    with data("pyradiomics/baseline_firstorder.csv").open() as file:
        published = {
            row["featureName"].removeprefix("original_firstorder_"): row for row in csv.DictReader(file)
        }
    image = read(data(f"pyradiomics/{case}_image.nrrd"))
    mask = read_segmentation(data(f"pyradiomics/{case}_label.nrrd")).labels == 1
    found = first_order(image.array[mask], shift=2000)
    for name, quantity in NAMES.items():
        assert found[quantity] == pytest.approx(float(published[name][case]), rel=1e-9), name


def test_the_ibsi_digital_phantom_to_its_printed_digits(data: Callable[[str], Path]) -> None:
    from medseg.io import read, read_segmentation

    values = read(data("ibsi_phantom/phantom.nii.gz")).array[
        read_segmentation(data("ibsi_phantom/mask.nii.gz")).labels > 0
    ]
    found = first_order(values, bin_width=1)
    for quantity, expected in IBSI.items():
        assert float(f"{found[quantity]:.3g}") == expected, quantity
        if quantity.info.ibsi is not None:
            assert quantity.info.ibsi in quantity.info.method
    assert float(found[Quantity.KURTOSIS]) == pytest.approx(float(found[Quantity.EXCESS_KURTOSIS]) + 3)


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        (
            [7.0, 7.0, 7.0],
            {
                Quantity.SKEWNESS: "equal",
                Quantity.KURTOSIS: "equal",
                Quantity.EXCESS_KURTOSIS: "equal",
                Quantity.ENTROPY: "one bin of width 25",
                Quantity.UNIFORMITY: "one bin of width 25",
            },
        ),
        (
            [-1.0, 1.0],
            {Quantity.VARIATION_COEFFICIENT: "mean is 0", Quantity.QUARTILE_DISPERSION: "quartiles"},
        ),
        ([-1e9, 1e9], {Quantity.ROBUST_MEAN_DEVIATION: "10th"}),
    ],
    ids=["a constant", "a mean of nothing", "nothing between the percentiles"],
)
def test_what_has_no_value_has_a_reason(values: list[float], refused: dict[Quantity, str]) -> None:
    found = first_order(np.array(values))
    assert tuple(found) == FIRST_ORDER
    for quantity, reason in refused.items():
        answer = found[quantity]
        assert isinstance(answer, str)
        assert reason in answer
    for answer in found.values():
        assert isinstance(answer, str) or np.isfinite(answer)


def test_one_value() -> None:
    found = first_order(np.array([3], np.int16))
    assert found[Quantity.SD] == 0
    assert found[Quantity.P90] == 3
    assert found[Quantity.ENERGY] == 9


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32, np.float64])
def test_percentiles_are_numpys(dtype: type) -> None:
    values = np.random.default_rng(1).integers(0, 200, 1001).astype(dtype)
    expected = np.percentile(values, [10, 25, 50, 75, 90])
    found = first_order(values)
    ours = [found[q] for q in (Quantity.P10, Quantity.P25, Quantity.MEDIAN, Quantity.P75, Quantity.P90)]
    assert ours == pytest.approx(list(expected))


def test_large_values_in_float32_lose_no_digits() -> None:
    values = (1_000_000 + np.arange(3_000_000) % 4).astype(np.float32)
    assert first_order(values)[Quantity.VARIANCE] == pytest.approx(1.25)


def test_no_values_are_refused() -> None:
    with pytest.raises(ValueError, match="0 values"):
        first_order(np.empty(0))


@pytest.mark.parametrize("width", [0.0, -1.0, float("nan")])
def test_bins_have_a_width(width: float) -> None:
    with pytest.raises(ValueError, match="positive bin width"):
        first_order(np.ones(3), bin_width=width)


def test_bins_of_any_width_and_a_shift() -> None:
    """Values 0, 0.4, 0.6, 1.1 fill bins of 0.5 with two, one and one."""
    found = first_order(np.array([0.0, 0.4, 0.6, 1.1]), bin_width=0.5, shift=1.0)
    assert found[Quantity.UNIFORMITY] == pytest.approx(0.25 + 2 / 16)
    assert found[Quantity.ENTROPY] == pytest.approx(1.5)
    assert found[Quantity.ENERGY] == pytest.approx(1 + 1.96 + 2.56 + 4.41)
    assert found[Quantity.ROOT_MEAN_SQUARE] == pytest.approx((9.93 / 4) ** 0.5)


@pytest.mark.parametrize("order", ["own", "read-only", "strided"])
def test_values_are_sorted_in_place_only_where_they_may_be(order: str) -> None:
    values = np.array([3.0, 1.0, 2.0, 5.0, 4.0, 0.0])
    given = values[::2] if order == "strided" else values
    if order == "read-only":
        given.setflags(write=False)
    before = given.copy()
    assert first_order(given)[Quantity.MINIMUM] == before.min()
    assert np.array_equal(given, np.sort(before) if order == "own" else before)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("[hnsf'U]", "[hnsf'U]2"),
        ("[arb'U]", "[arb'U]2"),
        ("g/ml{SUVbw}", "g2/ml2{SUVbw}"),
        ("{SUVbw}g/ml", "{SUVbw}g2/ml2"),
        ("Bq/ml", "Bq2/ml2"),
        ("10-6.mm2/s", "10-12.mm4/s2"),
        ("1", "1"),
        ("{px}", "{px}2"),
        ("%", "%2"),
        ("/mm", "/mm2"),
    ],
)
def test_squares_of_units(unit: str, expected: str) -> None:
    assert squared(unit) == expected


@pytest.mark.parametrize(("unit", "width"), [("[hnsf'U]", 25.0), ("[arb'U]", 25.0), ("g/ml{SUVbw}", 0.5)])
def test_bins_fit_the_unit(unit: str, width: float) -> None:
    """Of SUVs, which rarely reach 25, one bin would say nothing."""
    assert bin_width_of(unit) == width


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int8, ">i2"])
def test_counted_values_give_what_kept_ones_do(dtype: str) -> None:
    values = np.random.default_rng(0).integers(-90, 90, 5000).astype(dtype)
    counted = sample_of((values[:7], values[7:3000], values[3000:]), values.dtype, values.size)
    assert counted.counts is not None
    assert counted.size == values.size
    assert first_order(counted) == pytest.approx(first_order(values.astype(np.float64)), rel=1e-12)


def test_a_sample_keeps_finite_values_only() -> None:
    values = np.array([3.0, np.nan, 1.0, np.inf], np.float32)
    kept = sample_of((values[:2], values[2:]), values.dtype, values.size)
    assert kept.counts is None
    assert kept.sorted().values.tolist() == [1.0, 3.0]
    assert sample_of((), np.dtype(np.int16), 0).size == 0
