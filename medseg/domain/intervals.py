"""How sure a model is of a volume: what its folds got wrong on subjects that they had not seen."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from medseg.domain.values import STRICT
from medseg.errors import ConfigError

__all__ = ["FoldVolume", "VolumeCalibration", "VolumeInterval"]


@dataclass(frozen=True, slots=True)
class FoldVolume:
    """One structure of one subject: its volume by the reference, and by the one network that did not train on it.

    Parameters
    ----------
    target
        Name of the label or region.
    fold
        Of the network, from 0.
    reference_ml, predicted_ml
        Volumes.
    """

    target: str
    fold: int
    reference_ml: float
    predicted_ml: float
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class VolumeCalibration:
    """What intervals of a model's volumes are made from.

    Parameters
    ----------
    level
        Nominal coverage.
    offset_ml
        Added to volumes before their logarithm is taken, so that small ones do not weigh without bounds.
    volumes
        Of every subject that validated a fold.
    """

    level: float
    offset_ml: float
    volumes: tuple[FoldVolume, ...]
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not 0.5 <= self.level < 1:
            raise ConfigError(f"the level of intervals lies between 0.5 and 1, not at {self.level}")
        if not self.offset_ml > 0:
            raise ConfigError(f"the offset of volumes is above 0 ml, not {self.offset_ml}")

    def of(self, target: str) -> tuple[FoldVolume, ...]:
        """Those of one label or region."""
        return tuple(item for item in self.volumes if item.target == target)


@dataclass(frozen=True, slots=True)
class VolumeInterval:
    """Interval of one structure's volume in one scan.

    Parameters
    ----------
    target
        Name of the label or region.
    volume_ml
        The volume that it is about; of another one it says nothing.
    low_ml, high_ml
        Its ends.
    level, guaranteed
        Nominal coverage, and that which is proven whatever the data are like, as long as subjects are exchangeable.
    subjects, folds
        That it was calibrated on.
    """

    target: str
    volume_ml: float
    low_ml: float
    high_ml: float
    level: float
    guaranteed: float
    subjects: int
    folds: int
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
