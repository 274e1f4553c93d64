"""First-order statistics of a set of values: each a number, or the sentence why there is none."""

from collections import Counter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Quantity
from medseg.measuring.sample import Sample

__all__ = ["BIN_WIDTH", "FIRST_ORDER", "Answer", "bin_width_of", "first_order", "variance_of"]

Answer: TypeAlias = float | str

#: Width of a bin of entropy and uniformity, as in PyRadiomics' plain settings.
BIN_WIDTH = 25.0
#: On SUVs, of which few reach 25: Leijenaar et al. 2015, Sci Rep 5:11075 (fixed bins of 0.5 g/ml).
SUV_BIN_WIDTH = 0.5

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
    values: NDArray[Any] | Sample, *, bin_width: float = BIN_WIDTH, shift: float = 0.0
) -> dict[Quantity, Answer]:
    """Every first-order statistic of a set of values.

    Parameters
    ----------
    values
        Finite numbers, at least one, in the image's unit: a sample, or an array (N,), which is sorted in place where it
        is writeable and contiguous, else copied.
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
    sample = values if isinstance(values, Sample) else Sample(values)
    if sample.size == 0 or not bin_width > 0:
        raise ValueError(f"needs values and a positive bin width, not {sample.size} values and {bin_width}")
    sample = sample.sorted()
    found: dict[Quantity, Answer] = {}
    found |= _order_statistics(sample)
    found |= _moments(sample)
    found |= _deviations(sample, found)
    found |= _energies(sample, shift)
    found |= _histogram(sample, bin_width)
    return {quantity: found[quantity] for quantity in FIRST_ORDER}


def variance_of(sample: Sample) -> float:
    """Population variance."""
    if sample.values.min() == sample.values.max():  # a constant's deviations are rounding alone
        return 0.0
    return sample.total(lambda block: (block - sample.mean) ** 2) / sample.size


def _percentile(sample: Sample, percent: float) -> float:
    place = (sample.size - 1) * percent / 100
    low = int(place)
    first, second = sample.at(low), sample.at(min(low + 1, sample.size - 1))
    return first + (second - first) * (place - low)


def _order_statistics(sample: Sample) -> dict[Quantity, Answer]:
    cuts = {quantity: _percentile(sample, percent) for quantity, percent in _PERCENTILES.items()}
    low, high = sample.at(0), sample.at(sample.size - 1)
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


def _moments(sample: Sample) -> dict[Quantity, Answer]:
    mean = sample.mean
    variance = variance_of(sample)
    sd = variance**0.5
    same = "all values are equal, so their distribution has no form"
    form: dict[Quantity, Answer] = dict.fromkeys(
        (Quantity.SKEWNESS, Quantity.KURTOSIS, Quantity.EXCESS_KURTOSIS), same
    )
    if variance > 0:
        third = sample.total(lambda block: (block - mean) ** 2 * (block - mean))
        kurtosis = sample.total(lambda block: ((block - mean) ** 2) ** 2) / sample.size / variance**2
        form = {
            Quantity.SKEWNESS: third / sample.size / variance**1.5,
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


def _deviations(sample: Sample, found: dict[Quantity, Answer]) -> dict[Quantity, Answer]:
    inner = sample.between(*(float(found[quantity]) for quantity in (Quantity.P10, Quantity.P90)))
    robust: Answer = "no value lies between the 10th and the 90th percentile"
    if inner.size:
        robust = _mean_distance(inner, inner.mean)
    return {
        Quantity.MEAN_DEVIATION: _mean_distance(sample, sample.mean),
        Quantity.ROBUST_MEAN_DEVIATION: robust,
        Quantity.MEDIAN_DEVIATION: _mean_distance(sample, float(found[Quantity.MEDIAN])),
    }


def _mean_distance(sample: Sample, centre: float) -> float:
    return sample.total(lambda block: np.abs(block - centre)) / sample.size


def _energies(sample: Sample, shift: float) -> dict[Quantity, Answer]:
    energy = sample.total(lambda block: (block + shift) ** 2)
    return {Quantity.ENERGY: energy, Quantity.ROOT_MEAN_SQUARE: (energy / sample.size) ** 0.5}


def _histogram(sample: Sample, width: float) -> dict[Quantity, Answer]:
    tally: Counter[float] = Counter()
    for block, counts in sample.blocks():  # the bins of all values at once are as large as these in float64
        bins = np.floor(block / width)
        starts = np.append(0, 1 + np.flatnonzero(np.diff(bins)))  # sorted, so equal bins lie side by side
        found = np.add.reduceat(np.broadcast_to(counts, bins.shape), starts)
        tally.update(dict(zip(bins[starts].tolist(), found.tolist(), strict=True)))
    counts = np.array([tally[key] for key in sorted(tally)])
    both = (Quantity.ENTROPY, Quantity.UNIFORMITY)
    if counts.size < 2:
        why = f"all values lie in one bin of width {width:g}, so the histogram says nothing"
        return dict.fromkeys(both, why)
    share = counts / sample.size
    return dict(zip(both, (float(-(share * np.log2(share)).sum()), float((share**2).sum())), strict=True))
