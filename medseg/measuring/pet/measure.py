"""SUV statistics, MTV and TLG on native PET voxels."""

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.definitions.uptake import Rule, rule_named
from medseg.domain import Image, Measurement, Quantity, Segmentation, Target
from medseg.domain.plan import PetPlan
from medseg.errors import InputError
from medseg.measuring.pet.peak import sphere_by_centres, sphere_by_shares
from medseg.measuring.pet.percist import percist
from medseg.measuring.pet.rows import Work, measure_target
from medseg.measuring.pet.voxels import Pet
from medseg.measuring.rows import Rows

__all__ = ["MaskedTarget", "is_suv", "measure_pet"]

#: A target and its (I, J, K) bool mask on the segmentation's grid.
MaskedTarget: TypeAlias = tuple[Target, NDArray[np.bool_]]


def is_suv(unit: str) -> bool:
    """Whether a UCUM unit is an SUV in g/ml; `{SUVbw}g/ml`, as some write it, too.

    >>> is_suv("g/ml{SUVbw}"), is_suv("Bq/ml")
    (True, False)
    """
    return re.fullmatch(r"g/ml\{SUV[^{}]*\}|\{SUV[^{}]*\}g/ml", unit) is not None


def measure_pet(
    segmentation: Segmentation,
    images: Mapping[str, Image],
    plan: PetPlan,
    lesions: Iterable[MaskedTarget] | None = None,
) -> tuple[Measurement, ...]:
    """Measure labels and regions, and lesions where given, on a PET.

    Parameters
    ----------
    segmentation
        Labels on their own grid, in one world space with the PET (the caller has checked that). A mask on
        another grid than the PET's is taken by fractional overlap.
    images
        Images by channel.
    plan
        Channel, delineations, and what PERCIST needs.
    lesions
        (Target, mask) pairs on the segmentation's grid, one per lesion.

    Returns
    -------
    tuple of Measurement
        Per target SUVmax, SUVmean and the three peaks; per delineation (the target's `detail`) MTV, TLG and,
        but for `given`, SUVmean. All is `not_computed` for a structure that is not there or has no voxel on
        the PET, MTV is 0 where no voxel reaches the threshold. A single refusal where the channel is no SUV.

    Raises
    ------
    InputError
        If the plan's channel is not among the images.
    ConfigError
        If a delineation has no such name.

    Notes
    -----
    Sources: IBSI reference manual (peaks), Lodge et al. 2012 (SUVpeak), Boellaard et al. 2015 (thresholds);
    TLG = SUVmean × MTV in g. Every input of SUV that is known goes into `method`.
    """
    name, image = _channel(images, plan)
    pairs = [*_structures(segmentation), *(lesions or ())]
    if image is None or not is_suv(image.value_unit) or image.grid.unit == "px":
        return _refused(segmentation, name, image)
    work = _prepare(segmentation, name, image, plan)
    return tuple(item for target, mask in pairs for item in measure_target(work, target, mask))


def _channel(images: Mapping[str, Image], plan: PetPlan) -> tuple[str, Image | None]:
    if plan.channel:
        if plan.channel not in images:
            raise InputError(
                f"there is no channel {plan.channel!r} for PET; there are {', '.join(images) or 'none'}"
            )
        return plan.channel, images[plan.channel]
    fit = [name for name, image in images.items() if is_suv(image.value_unit)]
    if len(fit) == 1:
        return fit[0], images[fit[0]]
    if len(fit) > 1:
        raise InputError(f"channels {', '.join(fit)} are all SUV; name the PET to measure")
    pets = [name for name, image in images.items() if image.modality == "PT"]
    return (pets[0], images[pets[0]]) if len(pets) == 1 else ("", None)


def _structures(segmentation: Segmentation) -> list[MaskedTarget]:
    table = segmentation.table
    labels = [Target("label", label.name, (label.value,)) for label in table.labels]
    regions = [Target("region", region.name, region.labels) for region in table.regions]
    return [(target, segmentation.mask(*target.labels)) for target in (*labels, *regions)]


def _refused(segmentation: Segmentation, name: str, image: Image | None) -> tuple[Measurement, ...]:
    """One clear line in place of numbers that nobody could trust."""
    if not (structures := _structures(segmentation)):
        return ()
    rows = Rows(structures[0][0], segmentation.grid, cut=False)
    rows.refuse(Quantity.SUV_MAX, _why_not(name, image), channel=name or None, unit="[arb'U]")
    return tuple(rows.items)


def _why_not(name: str, image: Image | None) -> str:
    if image is None:
        return "no channel's values are SUV; if a file without a unit (NIfTI) holds SUV, declare it as SUVbw"
    if image.grid.unit == "px":
        return f"channel {name!r} has no physical size (px), so no sphere and no volume"
    for finding in image.findings:
        if finding.code == "pet.no_suv":
            return f"channel {name!r} is no SUV. {finding.message}"
    what = f"channel {name!r} is in {image.value_unit}, which is no SUV"
    return f"{what}; if its file holds SUV and can't say so (NIfTI), declare its values as SUVbw"


def _prepare(segmentation: Segmentation, name: str, image: Image, plan: PetPlan) -> Work:
    rules: dict[str, Rule | str | None] = {}
    text = ""
    for wanted in plan.delineations:
        if wanted == "percist":
            try:
                found = percist(segmentation, image, plan)
                rules[wanted], text = found.rule, found.text
            except InputError as error:
                rules[wanted] = str(error)
        else:
            rules[wanted] = None if wanted == "given" else rule_named(wanted)
    spheres = (sphere_by_centres(image.grid), sphere_by_shares(image.grid))
    return Work(segmentation, Pet.of(image), name, _source_text(image), spheres, rules, text)


def _source_text(image: Image) -> str:
    """Where the SUV come from, with every input that is known."""
    told = {"pet.suv", "pet.injection_time", "channel.declared"}
    texts = [finding.message for finding in image.findings if finding.code in told]
    return " ".join(texts) or f"Values are {image.value_unit} as declared; the inputs of SUV are not known."
