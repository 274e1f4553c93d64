"""Confidence connected: a region grows while values stay within some standard deviations of its own mean."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.errors import InputError
from medseg.methods.base import answer, only_image, usable
from medseg.methods.objects import object_table, parts_of_seeds
from medseg.methods.seeds import Seeds, place_seeds

__all__ = ["CONFIDENCE_CONNECTED", "ConfidenceConnected", "ConfidenceConnectedParams"]


class ConfidenceConnectedParams(Params):
    """What may be chosen."""

    multiplier: float = Field(
        2.5,
        gt=0,
        le=100,
        description="Half the width of the accepted range, in standard deviations of the region's values.",
    )
    iterations: int = Field(
        4, ge=0, le=100, description="How often mean and deviation are taken anew from the region found."
    )
    initial_radius_mm: float = Field(
        3.0,
        ge=0,
        le=100,
        description="Radius around each seed of the values that the first mean and deviation come from; "
        "its neighbours are always among them.",
        json_schema_extra={"unit": "mm"},
    )


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

        Raises
        ------
        InputError
            If an object's seeds lie on no usable voxel.
        """
        image = only_image(images)
        seeds = place_seeds(prompts, image.grid, self.spec.name)
        considered = usable(image, within)
        if seeds.allowed is not None:
            considered &= seeds.allowed
        labels = np.zeros(image.grid.shape, np.uint16)
        facts: dict[str, Any] = {"unit": image.value_unit}
        for done, label in enumerate(seeds.labels):
            region, low, high = _grown(image, considered, seeds, label, params, run=run)
            labels[region & (labels == 0)] = label
            facts |= {f"low_used_{label}": low, f"high_used_{label}": high}
            run.progress(done + 1, len(seeds.labels), "objects")
        return answer(self.spec.name, image, labels, params, table=object_table(seeds.labels), **facts)

    def memory_bytes(
        self,
        grids: Mapping[str, Grid],
        params: ConfidenceConnectedParams,  # noqa: ARG002 - the protocol's signature
    ) -> int:
        """Markers, numbered parts, labels (4 bytes each), the masks, and the answer."""
        return sum(20 * int(np.prod(grid.shape)) for grid in grids.values())


def _grown(
    image: Image,
    considered: NDArray[np.bool_],
    seeds: Seeds,
    label: int,
    params: ConfidenceConnectedParams,
    *,
    run: Run,
) -> tuple[NDArray[np.bool_], float, float]:
    """Region of one object, and the range of values that it was found with."""
    own = (seeds.markers == label) & considered
    if not own.any():
        raise InputError(
            f"confidence-connected: the seeds of object {label} lie outside --within or the boxes"
        )
    at_seeds = image.array[own]
    region = _around(own, image.grid, params.initial_radius_mm) & considered
    low = high = 0.0
    for _ in range(params.iterations + 1):
        run.check()
        values = image.array[region]
        mean = float(values.mean(dtype=np.float64))
        half = params.multiplier * float(values.std(dtype=np.float64))
        # As in ITK, the range always holds the seeds, else a noisy one would find nothing.
        low, high = min(mean - half, float(at_seeds.min())), max(mean + half, float(at_seeds.max()))
        mask = considered & (image.array >= low) & (image.array <= high)
        found = parts_of_seeds(mask, seeds.markers, image.grid, 6, run) == label
        if np.array_equal(found, region):
            break
        region = found
    return region, low, high


def _around(seeds: NDArray[np.bool_], grid: Grid, radius: float) -> NDArray[np.bool_]:
    """Voxels whose centres lie within `radius` of a seed's centre, in the grid's unit; neighbours at the least."""
    import edt
    from scipy.ndimage import binary_dilation

    reach = [int(radius / spacing) + 1 for spacing in grid.spacing]
    index = np.argwhere(seeds)
    box = tuple(
        slice(max(0, int(low) - more), int(high) + more + 1)
        for low, high, more in zip(index.min(axis=0), index.max(axis=0), reach, strict=True)
    )
    near = seeds.copy()
    if not seeds[box].all():
        away = edt.edt(np.ascontiguousarray(~seeds[box]), anisotropy=grid.spacing, parallel=1)
        # Distances are float32. Of coarse voxels a ball holds one only, which has no deviation.
        near[box] = (away <= radius * (1 + 1e-6)) | binary_dilation(seeds[box], np.ones((3, 3, 3)))
    return near


CONFIDENCE_CONNECTED = ConfidenceConnected()
