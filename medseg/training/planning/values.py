"""Rules for intensities: how each channel is scaled, by what its values mean and where they lie."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medseg.domain.card import ChannelSpec, Clip, PreStep, Scale, ZScore
from medseg.training.planning.fingerprint import Fingerprint

__all__ = ["Scaling", "choose_scaling"]

#: Units whose numbers mean the same in every scan: they are scaled alike for all cases, never by case.
_HU, _SUV = "[hnsf'U]", "g/ml{SUV"
_ENDS = (0.5, 99.5)
#: From this share of exact zeros on, air was cut away and says nothing of the tissue.
_CUT_AWAY = 0.25
#: Value of air in HU.
_AIR_HU = -1024.0


@dataclass(frozen=True, slots=True)
class Scaling:
    """A channel, its steps, and why."""

    channel: ChannelSpec
    steps: tuple[PreStep, ...]
    why: str


def choose_scaling(name: str, fingerprint: Fingerprint) -> Scaling:
    """Steps for one channel.

    CT (HU) and PET (SUV) are limited to the 0.5th and 99.5th percentile of their values in the labels over all cases,
    and scaled by mean and SD there (Isensee et al. 2021, Nat Methods 18:203, for CT); all else by its own scan.
    """
    found = fingerprint.channel(name)
    modality = _common([item.modality for item in found])
    unit = _common([item.value_unit for item in found])
    if unit is not None and (unit == _HU or unit.startswith(_SUV)):
        return _absolute(name, modality, unit, fingerprint.inside(name))
    zeros = float(np.median([item.zeros for item in found]))
    over: Literal["all", "nonzero"] = "nonzero" if zeros > _CUT_AWAY else "all"
    why = (
        f"values of {modality or 'these images'} differ from scan to scan, so each is scaled by its own mean and SD, "
        f"after a clip of outliers; {zeros:.0%} of a median scan is exactly 0, so "
        + ("only what is not 0 counts" if over == "nonzero" else "all voxels count")
    )
    return Scaling(ChannelSpec(name, modality), (ZScore(name, over, _ENDS),), why)


def _absolute(name: str, modality: str | None, unit: str, inside: NDArray[np.float32]) -> Scaling:
    low, high = (round(float(value), 2) for value in np.percentile(inside, _ENDS))
    limited = np.clip(inside, low, high)
    mean, deviation = round(float(limited.mean()), 2), max(round(float(limited.std()), 2), 0.01)
    is_ct = unit == _HU
    if not is_ct:
        low = 0.0
    steps = (Clip(name, low, max(high, low + 0.01)), Scale(name, mean, deviation))
    what = "HU" if is_ct else "SUV"
    why = (
        f"{what} mean the same in every scan: limited to what the labels hold ({low:g} to {high:g}, the 0.5th and "
        f"99.5th percentile{'' if is_ct else '; from 0'}) and scaled by mean and SD there"
    )
    return Scaling(ChannelSpec(name, modality, _AIR_HU if is_ct else 0.0, unit), steps, why)


def _common(values: list[str | None]) -> str | None:
    return values[0] if len(set(values)) == 1 else None
