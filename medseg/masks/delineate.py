"""Delineations with names: what part of a structure takes up enough to count."""

import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.errors import ConfigError

__all__ = [
    "Delineated",
    "FixedThreshold",
    "PercistThreshold",
    "Rule",
    "ShareOfMaximum",
    "delineate",
    "rule_named",
]


@dataclass(frozen=True, slots=True)
class FixedThreshold:
    """Values of at least `value`."""

    value: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.value) and self.value > 0):
            raise ConfigError(f"a fixed threshold is positive, not {self.value}")


@dataclass(frozen=True, slots=True)
class ShareOfMaximum:
    """Values of at least this share (0 to 1) of the structure's maximum."""

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ConfigError(f"a share of the maximum lies between 0 and 100 %, not {self.share * 100:g} %")


@dataclass(frozen=True, slots=True)
class PercistThreshold:
    """Threshold from a reference region's mean and SD, as PERCIST derives its own.

    Liver: 1.5 × mean + 2 SD; aorta (where the liver is diseased): 2.0 × mean + 2 SD. Source: Wahl et al.
    2009, J Nucl Med 50 Suppl 1, 122S. PERCIST itself asks for more than a threshold, so the result is
    called "PERCIST-derived threshold".
    """

    mean: float
    sd: float
    reference: Literal["liver", "aorta"] = "liver"

    @property
    def value(self) -> float:
        """The threshold, in the unit of mean and SD."""
        return (1.5 if self.reference == "liver" else 2.0) * self.mean + 2 * self.sd


Rule: TypeAlias = FixedThreshold | ShareOfMaximum | PercistThreshold


@dataclass(frozen=True, slots=True, eq=False)
class Delineated:
    """A delineation as a boolean mask, with the threshold used; None where there was nothing to look into."""

    mask: NDArray[np.bool_]
    threshold: float | None


def rule_named(name: str) -> FixedThreshold | ShareOfMaximum:
    """Rule for a name such as `fixed-2.5` or `41%`.

    Raises
    ------
    ConfigError
        If the name is none.

    Examples
    --------
    >>> rule_named("41%")
    ShareOfMaximum(share=0.41)
    """
    if match := re.fullmatch(r"fixed-(\d+(?:\.\d+)?)", name):
        return FixedThreshold(float(match[1]))
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", name):
        return ShareOfMaximum(float(match[1]) / 100)
    raise ConfigError(
        f"a delineation is given, fixed-2.5, 41%, 50% or percist (other numbers too), not {name!r}"
    )


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
