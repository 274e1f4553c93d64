"""Whether a model's probabilities come true: one temperature, and what it changed on subjects that were not seen."""

from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

from pydantic import ConfigDict

from medseg.domain.values import STRICT
from medseg.errors import ConfigError

__all__ = ["Calibration", "Reliability", "ReliabilityBin"]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Voxels whose largest probability lies in one bin.

    Parameters
    ----------
    confidence
        Mean of their largest probability.
    accuracy
        Share of them whose most probable label is that of the reference.
    share
        Of all voxels.
    """

    confidence: float
    accuracy: float
    share: float
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far probabilities and what came true lie apart.

    Parameters
    ----------
    error
        Expected calibration error: mean over voxels of |accuracy − confidence| of their bin.
    low, high
        Its 95 % bootstrap interval over subjects; None for a single one.
    bins
        Those that hold voxels, of equal width from 0 to 1.
    """

    error: float
    low: float | None
    high: float | None
    bins: tuple[ReliabilityBin, ...]
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Calibration:
    """One temperature for all probabilities of a model, and their reliability on subjects that were not trained on.

    Parameters
    ----------
    temperature
        Shares p become p^(1/T), divided by their sum; above 1 they are less sure. Which is the largest stays the same.
    subjects, voxels
        That it was fitted on.
    margin
        Voxels were drawn from the box around prediction and reference and so far beyond (mm; pixels on `px` grids).
    before, after
        Reliability as the networks say it, and with temperatures that were each fitted on the other folds.
    """

    temperature: float
    subjects: int
    voxels: int
    margin: float
    before: Reliability
    after: Reliability
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not (isfinite(self.temperature) and self.temperature > 0):
            raise ConfigError(f"a temperature is a number above 0, not {self.temperature}")
