"""The rows of one structure on a PET: SUV statistics, and MTV and TLG of each delineation."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medseg.definitions.uptake import Rule
from medseg.domain import Measurement, Quantity, Segmentation, Target
from medseg.measuring.pet.peak import Sphere, sphere_means
from medseg.measuring.pet.voxels import Delineation, OnPet, Pet, delineation_of, on_pet
from medseg.measuring.rows import Rows, not_found

__all__ = ["Work", "measure_target"]

_VOXELS = "native PET voxels, not interpolated"
_MAX = f"largest value of a voxel with at least half in the structure; {_VOXELS}"
#: Thresholds and glycolysis as the procedure guideline defines them.
_SOURCE = "Boellaard et al. 2015, Eur J Nucl Med Mol Imaging 42:328-354"
_MEAN = f"mean weighted by each voxel's share in the structure; {_VOXELS}"
_PEAKS = (Quantity.SUV_PEAK, Quantity.SUV_PEAK_LOCAL, Quantity.SUV_PEAK_EXACT)
_STATISTICS = (Quantity.SUV_MAX, Quantity.SUV_MEAN, *_PEAKS)
_LEAVES = "the sphere of 1 ml leaves the PET's field of view or reaches voxels without a measurement"
_NO_HALF = "no PET voxel lies at least half in the structure"


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What every target needs: the PET, where its numbers come from, spheres, and delineations by name."""

    segmentation: Segmentation
    pet: Pet
    channel: str
    source: str
    spheres: tuple[Sphere, Sphere]
    rules: Mapping[str, Rule | str | None]
    percist_text: str

    @property
    def unit(self) -> str:
        """UCUM unit of the PET's values."""
        return self.pet.image.value_unit


def measure_target(work: Work, target: Target, mask: NDArray[np.bool_]) -> list[Measurement]:
    """All rows of one target; `mask` is on the segmentation's grid."""
    grid = work.segmentation.grid
    found = on_pet(mask, grid, work.pet)
    if found is None:
        reason = (
            f"{target.name} has no voxel on channel {work.channel!r}" if mask.any() else not_found(target)
        )
        return _refuse_all(work, target, reason)
    rows = Rows(target, grid, found.cut)
    _add_statistics(rows, work, found)
    items = rows.items
    for name, rule in work.rules.items():
        detailed = Rows(replace(target, detail=name), grid, rows.cut)
        _add_delineation(detailed, work, found, (rule, mask))
        items += detailed.items
    return items


def _refuse_all(work: Work, target: Target, reason: str) -> list[Measurement]:
    rows = Rows(target, work.segmentation.grid, cut=False)
    for quantity in _STATISTICS:
        rows.refuse(quantity, reason, channel=work.channel, unit=work.unit)
    items = rows.items
    for name in work.rules:
        detailed = Rows(replace(target, detail=name), work.segmentation.grid, cut=False)
        for quantity in (Quantity.MTV, Quantity.TLG):
            detailed.refuse(quantity, reason, channel=work.channel)
        items += detailed.items
    return items


def _add_statistics(rows: Rows, work: Work, found: OnPet) -> None:
    channel, unit = work.channel, work.unit
    mean = float((found.shares * found.values).sum() / found.shares.sum())
    top = found.maximum
    if top is None:
        rows.refuse(Quantity.SUV_MAX, _NO_HALF, channel=channel, unit=unit)
    else:
        rows.add(Quantity.SUV_MAX, top, method=f"{_MAX}. {work.source}", channel=channel, unit=unit)
    rows.add(Quantity.SUV_MEAN, mean, method=f"{_MEAN}. {work.source}", channel=channel, unit=unit)
    for quantity in _PEAKS:
        value = None if top is None else _peak(work, found, quantity)
        if value is None:
            rows.refuse(quantity, _NO_HALF if top is None else _LEAVES, channel=channel, unit=unit)
        else:
            method = f"{quantity.info.method}; {_VOXELS}. {work.source}"
            rows.add(quantity, value, method=method, channel=channel, unit=unit)


def _peak(work: Work, found: OnPet, quantity: Quantity) -> float | None:
    """Highest mean; None when its sphere leaves what was measured."""
    centres = found.centres
    values = work.pet.image.array
    if quantity is Quantity.SUV_PEAK_LOCAL:
        here = values[tuple(centres.T)]
        centres = centres[here == here.max()]
    sphere = work.spheres[quantity is Quantity.SUV_PEAK_EXACT]
    around = sphere_means(values, work.pet.measured, centres, sphere)
    best = int(np.argmax(around.means))
    return float(around.means[best]) if around.complete[best] else None


def _add_delineation(
    rows: Rows, work: Work, found: OnPet, wanted: tuple[Rule | str | None, NDArray[np.bool_]]
) -> None:
    rule, mask = wanted
    whole = rows.target.kind == "lesion"
    if isinstance(rule, str):
        _refuse_pair(rows, work, rule)
    elif rule is None:
        weight = float(found.shares.sum())
        mean = float((found.shares * found.values).sum()) / weight
        text = "mask volume on PET: the given mask, not a metabolic delineation"
        _add_volume(rows, work, Delineation(weight, mean, text))
    elif found.maximum is None:
        _refuse_pair(rows, work, _NO_HALF)
    else:
        kept = delineation_of(found, rule, mask, work.segmentation.grid, work.pet, whole=whole)
        _add_volume(rows, work, kept)


def _refuse_pair(rows: Rows, work: Work, reason: str) -> None:
    for quantity in (Quantity.MTV, Quantity.TLG):
        rows.refuse(quantity, reason, channel=work.channel)


def _add_volume(rows: Rows, work: Work, kept: Delineation) -> None:
    name = rows.target.detail
    named = work.percist_text if name == "percist" else "" if name == "given" else f"delineation {name}"
    how = "; ".join(part for part in (named, kept.text) if part)
    volume = kept.weight * work.pet.image.grid.voxel_volume / 1000
    method = f"{how}; sum of shares in the structure × PET voxel volume; {_VOXELS}; {_SOURCE}. {work.source}"
    rows.add(Quantity.MTV, volume, method=method, channel=work.channel)
    if kept.mean is None:
        rows.refuse(Quantity.TLG, "no voxel reaches the threshold", channel=work.channel)
        return
    method = f"SUVmean {kept.mean:.4g} g/ml × MTV; {how}; {_VOXELS}; {_SOURCE}. {work.source}"
    rows.add(Quantity.TLG, kept.mean * volume, method=method, channel=work.channel)
    if name != "given":
        method = f"{how}; {_MEAN}. {work.source}"
        rows.add(Quantity.SUV_MEAN, kept.mean, method=method, channel=work.channel, unit=work.unit)
