"""Steps of a card that scale an image by its own values, as MONAI's transforms do."""

from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, Literal

from pydantic import ConfigDict

from medseg.domain.values import STRICT
from medseg.errors import ConfigError

__all__ = ["Normalise", "PercentileRange", "Rescale"]


@dataclass(frozen=True, slots=True)
class Normalise:
    """(value − mean) / SD over all voxels, or over those that are not 0; those that are then stay so.

    In float32, as MONAI's NormalizeIntensity; where all values are one, only the mean is taken off.
    """

    channel: str
    only_nonzero: bool = False
    step: Literal["normalise"] = "normalise"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Rescale:
    """From the range of the image itself to [low, high], as MONAI's ScaleIntensity; one value becomes value × low."""

    channel: str
    low: float = 0.0
    high: float = 1.0
    step: Literal["rescale"] = "rescale"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not (isfinite(self.low) and isfinite(self.high) and self.low < self.high):
            raise ConfigError(f"step rescale: [{self.low}, {self.high}] is no range")


@dataclass(frozen=True, slots=True)
class PercentileRange:
    """From the range between two percentiles of the image to [low, high], as MONAI's ScaleIntensityRangePercentiles."""

    channel: str
    lower: float
    upper: float
    low: float
    high: float
    clip: bool = False
    step: Literal["percentile_range"] = "percentile_range"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not 0 <= self.lower < self.upper <= 100 or not self.low < self.high:
            raise ConfigError(
                f"step percentile_range: {self.lower} to {self.upper} or [{self.low}, {self.high}] is no range"
            )
