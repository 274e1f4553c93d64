"""Confidence connected: a region grows while values stay within some standard deviations of its own mean."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.masks.seeds import Field as SeedField
from medseg.masks.seeds import field_of, margin_field, object_table, place_seeds, require_usable, sample_field
from medseg.methods.base import answer, only_image, usable
from medseg.methods.objects import ended_by_box, halfway, parts_of_seeds
from medseg.methods.seeded import MOST_GROWN, distance_from, expected_voxels, near_seeds, parts_with

__all__ = ["CONFIDENCE_CONNECTED", "ConfidenceConnected", "ConfidenceConnectedParams"]


class ConfidenceConnectedParams(Params):
    """What may be chosen."""

    multiplier: float = Field(
        3.5,
        gt=0,
        le=100,
        description="Half the width of the accepted range, in standard deviations of the region's values.",
    )
    rounds: int = Field(
        4, ge=0, le=100, description="How often mean and deviation are taken anew from the region found."
    )
    sample_mm: float = sample_field("At first")
    margin_mm: float = margin_field()


class ConfidenceConnected:
    """Segmenter behind `medseg segment confidence-connected`."""

    spec = SegmenterSpec(
        name="confidence-connected",
        title="Confidence connected",
        summary="A region grows from seeds while values stay within some standard deviations of its mean.",
        source="Ibáñez et al., The ITK Software Guide, Confidence Connected; after Adams, Bischof 1994, "
        "Seeded region growing, IEEE Trans PAMI 16(6)",
        kind="prompted",
        needs_prompts=True,
        near_prompts=True,
    )
    Params = ConfidenceConnectedParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: ConfidenceConnectedParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Grow each object by itself; where two overlap, the lower label keeps what it has.

        The range never reaches beyond half the way to the median of the box, else a region that leaked takes
        the background's spread for its own and leaks on (own).

        Raises
        ------
        InputError
            If an object's seeds lie on no usable voxel.
        """
        image = only_image(images)
        seeds = place_seeds(prompts, image.grid, self.spec.name)
        field = field_of(image, seeds, usable(image, within), params.margin_mm, MOST_GROWN)
        require_usable(field, seeds.labels, self.spec.name)
        labels = np.zeros(field.values.shape, np.uint16)
        facts: dict[str, Any] = {"unit": image.value_unit}
        for done, label in enumerate(seeds.labels):
            region, low, high = _grown(field, label, params, run)
            labels[region & (labels == 0)] = label
            facts |= {f"low_used_{label}": low, f"high_used_{label}": high}
            run.progress(done + 1, len(seeds.labels), "objects")
        found, table = field.restored(labels), object_table(seeds.labels)
        said = (*field.findings, *ended_by_box(labels, field))
        return answer(self.spec.name, image, found, params, table=table, findings=said, **facts)

    def memory_bytes(
        self,
        grids: Mapping[str, Grid],
        params: ConfidenceConnectedParams,  # noqa: ARG002 - the protocol's signature
    ) -> int:
        """Markers, masks and the answer of the image; values, numbered parts and labels of the box."""
        voxels, box = expected_voxels(grids.values(), MOST_GROWN)
        return 8 * voxels + 18 * box


def _grown(
    field: SeedField, label: int, params: ConfidenceConnectedParams, run: Run
) -> tuple[NDArray[np.bool_], float, float]:
    """Region of one object, and the range of values that it was found with."""
    own = (field.markers == label) & field.usable
    at_seeds = field.values[own]
    region = near_seeds(field, own, params.sample_mm)
    least, most = halfway(field, region)
    others = (field.markers != 0) & ~own
    nearer = distance_from(own, field.grid.spacing) <= distance_from(others, field.grid.spacing)
    for _ in range(params.rounds + 1):
        run.check()
        values = field.values[region]
        mean = float(values.mean(dtype=np.float64))
        half = params.multiplier * float(values.std(dtype=np.float64))
        # As in ITK, the range always holds the seeds, else a noisy one would find nothing.
        low = min(max(mean - half, least), float(at_seeds.min()))
        high = max(min(mean + half, most), float(at_seeds.max()))
        mask = field.usable & (field.values >= low) & (field.values <= high)
        # What lies nearer to another seed tells nothing of this object; cutting at necks can wait for the end.
        found = parts_with(mask, own) & nearer
        if np.array_equal(found, region):
            break
        region = found
    return parts_of_seeds(mask, field.markers, field.grid, 6, run) == label, low, high


CONFIDENCE_CONNECTED = ConfidenceConnected()
