"""PET thresholds with names: a fixed SUV, a share of the maximum, a threshold derived as PERCIST does."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.definitions.uptake import PercistThreshold, Rule, ShareOfMaximum, rule_named
from medseg.domain import (
    Grid,
    Image,
    Label,
    LabelTable,
    Params,
    Prompts,
    Run,
    Segmentation,
    SegmenterSpec,
)
from medseg.domain.segmenter import ChannelNeed
from medseg.errors import ConfigError
from medseg.masks.delineate import delineate
from medseg.masks.seeds import BACKGROUND, place_seeds
from medseg.methods.base import answer, only_image, require_unit, usable
from medseg.methods.seeded import parts_with

__all__ = ["PET_THRESHOLD", "PetThreshold", "PetThresholdParams"]

_SUV = "g/ml{SUVbw}"
_TABLE = LabelTable((Label(1, "uptake above threshold"),))


class PetThresholdParams(Params):
    """What may be chosen."""

    rule: str = Field(
        "41%",
        description="Threshold by name: fixed-2.5 (SUV), 41% (of the largest value looked at), or percist.",
    )
    reference_mean: float | None = Field(
        None,
        gt=0,
        description="For percist: mean SUV of the reference region.",
        json_schema_extra={"unit": _SUV},
    )
    reference_sd: float | None = Field(
        None,
        ge=0,
        description="For percist: standard deviation of SUV in the reference region.",
        json_schema_extra={"unit": _SUV},
    )
    reference: Literal["liver", "aorta"] = Field(
        "liver", description="For percist: the reference region; 1.5 × liver or 2 × aorta, plus 2 SD."
    )


class PetThreshold:
    """Segmenter behind `medseg segment pet-threshold`."""

    spec = SegmenterSpec(
        name="pet-threshold",
        title="PET threshold",
        summary="One label for uptake of at least a fixed SUV, a share of the maximum, or as PERCIST derives it.",
        source="Boellaard et al. 2015, Eur J Nucl Med Mol Imaging 42, 328; Wahl et al. 2009, J Nucl Med 50, 122S",
        channels=(ChannelNeed("pet", "PT"),),
    )
    Params = PetThresholdParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: PetThresholdParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Delineate the PET inside `within` and the prompts' boxes.

        With points or strokes only the connected parts (corners join) that hold a positive seed are kept,
        without those that hold a negative one.

        Raises
        ------
        ConfigError
            If the rule is unknown, or percist lacks its reference.
        InputError
            If a rule in SUV meets other values.
        """
        rule = _rule(params)
        image = only_image(images)
        if not isinstance(rule, ShareOfMaximum):
            require_unit(image, _SUV, self.spec.name)
        considered = usable(image, within)
        seeds = (
            None if prompts is None or prompts.is_empty else place_seeds(prompts, image.grid, self.spec.name)
        )
        if seeds is not None and seeds.allowed is not None:
            considered &= seeds.allowed
        run.progress(1, 3, "where to look")
        run.check()
        found = delineate(image.array, considered, rule)
        run.progress(2, 3, "threshold")
        run.check()
        mask = found.mask
        if seeds is not None and prompts is not None and (prompts.points or prompts.strokes):
            others = parts_with(mask, seeds.markers == BACKGROUND, 26)
            mask = parts_with(mask, seeds.markers > 0, 26) & ~others
        run.progress(3, 3, "parts")
        return answer(
            self.spec.name,
            image,
            mask,
            params,
            table=_TABLE,
            threshold=found.threshold,
            unit=image.value_unit,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: PetThresholdParams) -> int:  # noqa: ARG002
        """Three masks, labels, and the count of those (8 bytes each)."""
        return sum(12 * int(np.prod(grid.shape)) for grid in grids.values())


def _rule(params: PetThresholdParams) -> Rule:
    if params.rule != "percist":
        return rule_named(params.rule)
    if params.reference_mean is None or params.reference_sd is None:
        raise ConfigError(
            f"{PET_THRESHOLD.spec.name}: percist needs reference_mean and reference_sd, measured in a normal "
            "liver or aorta"
        )
    return PercistThreshold(params.reference_mean, params.reference_sd, params.reference)


PET_THRESHOLD = PetThreshold()
