"""What a card says of the files beside it: what intervals are made from, and what the training's scans were like."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict

from medseg.domain.values import STRICT

__all__ = ["DomainFile", "IntervalQuality", "IntervalsFile"]


@dataclass(frozen=True, slots=True)
class IntervalQuality:
    """Intervals of one structure's volume: coverage that is guaranteed and that was measured, and how wide they are.

    Parameters
    ----------
    label
        Name of the label or region.
    guaranteed
        Share of exchangeable subjects that are covered for certain.
    measured
        Share of the training's subjects whose volume lies in the interval that those of other folds give.
    median_width_ml
        Of these intervals.
    subjects
        That were calibrated on.
    """

    label: str
    guaranteed: float
    measured: float
    median_width_ml: float
    subjects: int
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class IntervalsFile:
    """Where a bundle keeps what intervals of its volumes are made from; see `domain.intervals.VolumeCalibration`."""

    digest: str
    level: float
    offset_ml: float
    quality: tuple[IntervalQuality, ...] = ()
    file: Literal["intervals.csv"] = "intervals.csv"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class DomainFile:
    """Where a bundle keeps what its training's scans were like, and how often one of them would be called strange.

    Parameters
    ----------
    digest
        SHA-256 of the file.
    scans
        How many there are.
    false_alarms, false_alarms_upper
        Share of them that the others call suspicious or unlike, and the upper end of its 95 % interval.
    """

    digest: str
    scans: int
    false_alarms: float
    false_alarms_upper: float
    file: Literal["domain.csv"] = "domain.csv"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
