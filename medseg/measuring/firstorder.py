"""First-order statistics of a set of values: each a number, or the sentence why there is none."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Quantity

__all__ = ["BIN_WIDTH", "FIRST_ORDER", "Answer", "bin_width_of", "first_order"]

Answer: TypeAlias = float | str

#: Width of a bin of entropy and uniformity, as in PyRadiomics' plain settings.
BIN_WIDTH = 25.0
#: On SUVs, of which few reach 25: Leijenaar et al. 2015, Sci Rep 5:11075 (fixed bins of 0.5 g/ml).
SUV_BIN_WIDTH = 0.5
#: Values turned into float64 in one go.
_BLOCK = 1 << 20

#: Every statistic, in the order they are reported.
FIRST_ORDER = tuple(quantity for quantity in Quantity if quantity.info.kind == "intensity")

_PERCENTILES = {
    Quantity.P10: 10,
    Quantity.P25: 25,
    Quantity.MEDIAN: 50,
    Quantity.P75: 75,
    Quantity.P90: 90,
}


def bin_width_of(unit: str) -> float:
    """Width of the bins of entropy and uniformity for values of a UCUM unit.

    >>> [bin_width_of(unit) for unit in ("[hnsf'U]", "g/ml{SUVbw}")]
    [25.0, 0.5]
    """
    return SUV_BIN_WIDTH if unit.startswith("g/ml{SUV") else BIN_WIDTH


def first_order(
    values: NDArray[Any], *, bin_width: float = BIN_WIDTH, shift: float = 0.0
) -> dict[Quantity, Answer]:
    """Every first-order statistic of a set of values.

    Parameters
    ----------
    values
        (N,) finite numbers, N at least 1, in the image's unit; the array is sorted in place where it is
        writeable and contiguous, else copied.
    bin_width
        Width of the bins of entropy and uniformity, in the image's unit; edges lie at its multiples.
    shift
        Added to the values of energy and root mean square (PyRadiomics' voxelArrayShift).

    Returns
    -------
    dict
        In the order of `FIRST_ORDER`: a number, or why there is none (a constant has no skewness, a mean of 0
        no coefficient of variation, values within one bin no entropy). In the image's unit; variance and
        energy in its square; ratios, entropy and uniformity without.

    Notes
    -----
    Definitions of the IBSI reference manual (Zwanenburg et al. 2016, arXiv 1612.07003) with population moments;
    percentiles by linear interpolation, as in PyRadiomics. Sums in float64, a block at a time.

    Raises
    ------
    ValueError
        If there are no values or the width is not positive.

    Examples
    --------
    >>> found = first_order(np.array([1.0, 2.0, 3.0, 4.0]))
    >>> found[Quantity.MEAN], found[Quantity.VARIANCE], found[Quantity.MEDIAN], found[Quantity.ENERGY]
    (2.5, 1.25, 2.5, 30.0)
    """
    if values.size == 0 or not bin_width > 0:
        raise ValueError(f"needs values and a positive bin width, not {values.size} values and {bin_width}")
    values = _sorted(values)
    found: dict[Quantity, Answer] = {}
    found |= _order_statistics(values)
    found |= _moments(values)
    found |= _deviations(values, found)
    found |= _energies(values, shift)
    found |= _histogram(values, bin_width)
    return {quantity: found[quantity] for quantity in FIRST_ORDER}


def _sorted(values: NDArray[Any]) -> NDArray[Any]:
    if not values.flags.writeable or not values.flags.c_contiguous:
        values = values.copy()
    values.sort()
    return values


def _blocks(values: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    for start in range(0, values.size, _BLOCK):
        yield values[start : start + _BLOCK].astype(np.float64)


def _mean(values: NDArray[Any]) -> float:
    return sum(float(block.sum()) for block in _blocks(values)) / values.size


def _percentile(values: NDArray[Any], percent: float) -> float:
    place = (values.size - 1) * percent / 100
    low = int(place)
    first, second = float(values[low]), float(values[min(low + 1, values.size - 1)])
    return first + (second - first) * (place - low)


def _order_statistics(values: NDArray[Any]) -> dict[Quantity, Answer]:
    cuts = {quantity: _percentile(values, percent) for quantity, percent in _PERCENTILES.items()}
    low, high = float(values[0]), float(values[-1])
    quartiles = cuts[Quantity.P25], cuts[Quantity.P75]
    total = quartiles[0] + quartiles[1]
    dispersion: Answer = "the quartiles add up to 0, so their ratio has no value"
    if total:
        dispersion = (quartiles[1] - quartiles[0]) / total
    return {
        **cuts,
        Quantity.MINIMUM: low,
        Quantity.MAXIMUM: high,
        Quantity.RANGE: high - low,
        Quantity.INTERQUARTILE_RANGE: quartiles[1] - quartiles[0],
        Quantity.QUARTILE_DISPERSION: dispersion,
    }


def _moments(values: NDArray[Any]) -> dict[Quantity, Answer]:
    mean = _mean(values)
    second = third = fourth = 0.0
    if values[0] != values[-1]:  # a constant's deviations are rounding alone
        for block in _blocks(values):
            away = block - mean
            square = away * away
            second += float(square.sum())
            third += float((square * away).sum())
            fourth += float((square * square).sum())
    variance = second / values.size
    sd = variance**0.5
    same = "all values are equal, so their distribution has no form"
    form: dict[Quantity, Answer] = dict.fromkeys(
        (Quantity.SKEWNESS, Quantity.KURTOSIS, Quantity.EXCESS_KURTOSIS), same
    )
    if variance > 0:
        kurtosis = fourth / values.size / variance**2
        form = {
            Quantity.SKEWNESS: third / values.size / variance**1.5,
            Quantity.KURTOSIS: kurtosis,
            Quantity.EXCESS_KURTOSIS: kurtosis - 3,
        }
    variation: Answer = sd / mean if mean else "the mean is 0, so the ratio to it has no value"
    return {
        Quantity.MEAN: mean,
        Quantity.SD: sd,
        Quantity.VARIANCE: variance,
        Quantity.VARIATION_COEFFICIENT: variation,
        **form,
    }


def _deviations(values: NDArray[Any], found: dict[Quantity, Answer]) -> dict[Quantity, Answer]:
    low, high = (float(found[quantity]) for quantity in (Quantity.P10, Quantity.P90))
    # Sorted, so the values from the 10th to the 90th percentile lie side by side. NumPy's search would turn all of them
    # into float64 first.
    inner = values[bisect_left(values, low) : bisect_right(values, high)]
    robust: Answer = "no value lies between the 10th and the 90th percentile"
    if inner.size:
        robust = _mean_distance(inner, _mean(inner))
    return {
        Quantity.MEAN_DEVIATION: _mean_distance(values, float(found[Quantity.MEAN])),
        Quantity.ROBUST_MEAN_DEVIATION: robust,
        Quantity.MEDIAN_DEVIATION: _mean_distance(values, float(found[Quantity.MEDIAN])),
    }


def _mean_distance(values: NDArray[Any], centre: float) -> float:
    return sum(float(np.abs(block - centre).sum()) for block in _blocks(values)) / values.size


def _energies(values: NDArray[Any], shift: float) -> dict[Quantity, Answer]:
    energy = sum(float(((block + shift) ** 2).sum()) for block in _blocks(values))
    return {Quantity.ENERGY: energy, Quantity.ROOT_MEAN_SQUARE: (energy / values.size) ** 0.5}


def _histogram(values: NDArray[Any], width: float) -> dict[Quantity, Answer]:
    tally: Counter[float] = (
        Counter()
    )  # a block at a time: the bins of all values are as large as these in float64
    for block in _blocks(values):
        bins, found = np.unique_counts(np.floor(block / width))
        tally.update(dict(zip(bins.tolist(), found.tolist(), strict=True)))
    counts = np.array([tally[key] for key in sorted(tally)])
    both = (Quantity.ENTROPY, Quantity.UNIFORMITY)
    if counts.size < 2:
        why = f"all values lie in one bin of width {width:g}, so the histogram says nothing"
        return dict.fromkeys(both, why)
    share = counts / values.size
    return dict(zip(both, (float(-(share * np.log2(share)).sum()), float((share**2).sum())), strict=True))
