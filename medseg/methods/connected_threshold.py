"""Connected threshold: what lies between two values and hangs together with a seed."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.errors import InputError
from medseg.masks.seeds import Field as SeedField
from medseg.masks.seeds import Seeds, field_of, margin_field, object_table, place_seeds, sample_field
from medseg.methods.base import answer, only_image, require_order, usable
from medseg.methods.objects import ended_by_box, halfway, parts_of_seeds
from medseg.methods.otsu import otsu_threshold
from medseg.methods.seeded import MOST_GROWN, expected_voxels, near_seeds

__all__ = ["CONNECTED_THRESHOLD", "ConnectedThreshold", "ConnectedThresholdParams"]


class ConnectedThresholdParams(Params):
    """What may be chosen."""

    low: float | None = Field(
        None,
        description="Lowest value of an object; no bound where none is given. Without low and high, the bound lies "
        "halfway between the mean at the seeds and the median of the box, or where those hardly differ at Otsu's "
        "threshold of the box.",
        json_schema_extra={"unit": "unit of the image"},
    )
    high: float | None = Field(
        None,
        description="Highest value of an object; no bound where none is given.",
        json_schema_extra={"unit": "unit of the image"},
    )
    connectivity: Literal[6, 18, 26] = Field(
        6, description="Neighbours that hang together: across faces (6), edges (18) or corners (26)."
    )
    sample_mm: float = sample_field("Without low and high")
    margin_mm: float = margin_field()


class ConnectedThreshold:
    """Segmenter behind `medseg segment connected-threshold`."""

    spec = SegmenterSpec(
        name="connected-threshold",
        title="Connected threshold",
        summary="What lies between two values and hangs together with a seed.",
        source="Zucker 1976, Region growing: childhood and adolescence, Comput Graph Image Process 5(3)",
        kind="prompted",
        needs_prompts=True,
        near_prompts=True,
    )
    Params = ConnectedThresholdParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: ConnectedThresholdParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Parts of the thresholded image that hold a seed; where seeds differ, a part is cut between them.

        Raises
        ------
        ConfigError
            If `low` lies above `high`.
        InputError
            If no seed of an object lies between them.
        """
        image = only_image(images)
        seeds = place_seeds(prompts, image.grid, self.spec.name)
        field = field_of(image, seeds, usable(image, within), params.margin_mm, MOST_GROWN)
        run.check()
        low, high = _bounds(field, params)
        run.progress(1, 2, "bounds")
        mask = field.usable & (field.values >= low) & (field.values <= high)
        if not (mask & (field.markers > 0)).any():
            raise InputError(_missed(image, seeds, low, high))
        labels = parts_of_seeds(mask, field.markers, field.grid, params.connectivity, run)
        run.progress(2, 2, "connected parts")
        return answer(
            self.spec.name,
            image,
            field.restored(labels.astype(np.uint16)),
            params,
            table=object_table(seeds.labels),
            findings=(*field.findings, *ended_by_box(labels, field)),
            low_used=_finite(low),
            high_used=_finite(high),
            unit=image.value_unit,
        )

    def memory_bytes(
        self,
        grids: Mapping[str, Grid],
        params: ConnectedThresholdParams,  # noqa: ARG002 - the protocol's signature
    ) -> int:
        """Markers, masks and the answer of the image; values, numbered parts and labels of the box."""
        voxels, box = expected_voxels(grids.values(), MOST_GROWN)
        return 8 * voxels + 18 * box


def _bounds(field: SeedField, params: ConnectedThresholdParams) -> tuple[float, float]:
    if params.low is not None or params.high is not None:
        require_order(params.low, params.high, CONNECTED_THRESHOLD.spec.name)
        low = -np.inf if params.low is None else params.low
        return low, np.inf if params.high is None else params.high
    at = near_seeds(field, field.markers > 0, params.sample_mm)
    if not at.any():
        return -np.inf, np.inf
    low, high = halfway(field, at)
    if low == -np.inf and high == np.inf:
        threshold = otsu_threshold(field.values[field.usable], CONNECTED_THRESHOLD.spec.name)
        if field.values[at].mean() > threshold:
            # Otsu's upper class begins above the threshold, not at it.
            return float(np.nextafter(np.float32(threshold), np.float32(np.inf))), np.inf
        return -np.inf, threshold
    return low, high


def _missed(image: Image, seeds: Seeds, low: float, high: float) -> str:
    values = image.array[seeds.markers > 0]
    return (
        f"{CONNECTED_THRESHOLD.spec.name}: no seed lies on a usable voxel between {low:g} and {high:g}; the seeds' "
        f"values are {values.min():g} to {values.max():g} {image.value_unit}"
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


CONNECTED_THRESHOLD = ConnectedThreshold()
