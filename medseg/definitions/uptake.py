"""Delineations of uptake by name: from which value on a structure takes up enough to count."""

import math
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from medseg.errors import ConfigError

__all__ = ["FixedThreshold", "PercistThreshold", "Rule", "ShareOfMaximum", "rule_named"]


@dataclass(frozen=True, slots=True)
class FixedThreshold:
    """Values of at least `value`."""

    value: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value > 0):
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
