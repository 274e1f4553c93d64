"""Delineation: what part of a structure takes up enough to count."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.definitions.uptake import Rule, ShareOfMaximum

__all__ = ["Delineated", "delineate"]


@dataclass(frozen=True, slots=True, eq=False)
class Delineated:
    """A delineation as a boolean mask, with the threshold used; None where there was nothing to look into."""

    mask: NDArray[np.bool_]
    threshold: float | None


def delineate(
    values: NDArray[Any], inside: NDArray[np.bool_], rule: Rule, *, maximum: float | None = None
) -> Delineated:
    """Part of a structure whose values reach a rule's threshold.

    Parameters
    ----------
    values
        Any shape; the unit is that of the rule. Values that are not finite never belong.
    inside
        Same shape, bool: the structure to look into.
    rule
        `FixedThreshold`, `ShareOfMaximum` or `PercistThreshold`.
    maximum
        What a share refers to; by default the largest value inside.

    Returns
    -------
    Delineated
        Voxels inside with value ≥ threshold, connected or not. An empty structure gives an empty mask, and
        no threshold where that would be a share of its maximum.

    Notes
    -----
    Definitions: own names for the common ones (fixed, share of SUVmax: Boellaard et al. 2015, Eur J Nucl
    Med Mol Imaging 42, 328; PERCIST: Wahl et al. 2009).

    Examples
    --------
    >>> delineate(np.array([1.0, 4.0, 10.0]), np.ones(3, bool), ShareOfMaximum(0.4)).mask.tolist()
    [False, True, True]
    """
    known = inside & np.isfinite(values)
    if not isinstance(rule, ShareOfMaximum):
        threshold = rule.value
    elif maximum is not None or known.any():
        threshold = rule.share * (float(values[known].max()) if maximum is None else maximum)
    else:
        return Delineated(known, None)
    return Delineated(known & (values >= threshold), threshold)
