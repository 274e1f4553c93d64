"""Geodesic active contour: a front grows from seeds until edges hold it."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Prompts, Run, Segmentation, SegmenterSpec
from medseg.errors import InputError
from medseg.masks.seeds import Field as SeedField
from medseg.masks.seeds import object_table
from medseg.methods.base import answer, only_image, usable
from medseg.methods.edges import gradient, magnitude_of, smoothed_image
from medseg.methods.front_layers import Layer, other_seeds
from medseg.methods.front_steps import Forces
from medseg.methods.fronts import Front, FrontParams, front_bytes, grown_fronts
from medseg.methods.paths import cheapest_seed, neighbours

__all__ = ["GEODESIC_CONTOUR", "GeodesicContour", "GeodesicContourParams"]

#: Edges are looked for under at least this share of a voxel: between larger ones there is nothing finer.
_VOXEL = 0.5
#: A front that is compared with another's is never slower than this.
_SLOWEST = 1e-3


class GeodesicContourParams(FrontParams):
    """What may be chosen."""

    sigma_mm: float = Field(
        1.0,
        ge=0,
        le=50,
        description="Standard deviation of the Gaussian under which edges are looked for; "
        "at least half a voxel.",
        json_schema_extra={"unit": "mm"},
    )
    edge: float | None = Field(
        None,
        gt=0,
        description="Gradient that halves the front's speed; the root mean square of the box where none is given.",
        json_schema_extra={"unit": "unit of the image per mm"},
    )
    advection: float = Field(
        5.0, ge=0, le=100, description="Weight of the pull towards the nearest edge, from both sides."
    )


class GeodesicContour:
    """Segmenter behind `medseg segment geodesic-contour`."""

    spec = SegmenterSpec(
        name="geodesic-contour",
        title="Geodesic active contour",
        summary="A front grows from seeds, slowed by edges and drawn to them, smooth in mm.",
        source="Caselles, Kimmel, Sapiro 1997, Geodesic active contours, Int J Comput Vis 22(1)",
        kind="prompted",
        needs_prompts=True,
        near_prompts=True,
    )
    Params = GeodesicContourParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: GeodesicContourParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Grow each object's front in the box around all seeds; it stays off the seeds of others.

        Raises
        ------
        InputError
            If there is no seed in an object, its seeds may not be used, the box holds one value only, or the
            grid is sheared.
        """
        image = only_image(images)
        forces = Forces("edges", params.propagation, params.smoothness_mm, params.advection)
        front = Front(self.spec.name, partial(_feature, params=params, run=run), forces)
        found = grown_fronts(image, prompts, usable(image, within), front, params, run=run)
        return answer(
            self.spec.name,
            image,
            found.labels,
            params,
            table=object_table(found.objects),
            findings=found.findings,
            unit=image.value_unit,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: GeodesicContourParams) -> int:  # noqa: ARG002
        """That of every front."""
        return front_bytes(grids.values())


def _feature(
    layer: Layer, field: SeedField, label: int, *, params: GeodesicContourParams, run: Run
) -> NDArray[np.float32]:
    """1 / (1 + (gradient / edge)²), the paper's g with p = 2; 0 where the front may not go."""
    spacing = layer.grid.spacing
    sigma = max(params.sigma_mm, _VOXEL * sorted(field.grid.spacing)[1])
    slope = magnitude_of(gradient(smoothed_image(layer.values, layer.usable, spacing, sigma), spacing))
    edge = params.edge or float(np.sqrt(np.square(slope[layer.usable], dtype=np.float64).mean()))
    if edge == 0:
        raise InputError(
            f"{GEODESIC_CONTOUR.spec.name} needs edges; the box around these seeds holds a single value"
        )
    speed: NDArray[np.float32] = 1 / (1 + np.square(slope / np.float32(edge)))
    speed[~layer.usable] = 0
    if other_seeds(field, label).any():
        speed[_meeting_place(layer, speed, field, label, run)] = 0
    speed[layer.closed] = 0
    return speed


def _meeting_place(
    layer: Layer, speed: NDArray[np.float32], field: SeedField, label: int, run: Run
) -> NDArray[np.bool_]:
    """Voxels on both sides of where fronts from the object's seeds and from others, slowed by the same edges, meet.

    Only there, since all that is closed draws a front: it would be pulled into what lies beyond.
    """
    markers = np.zeros(speed.shape, np.int32)
    markers[layer.places(other_seeds(field, label), field)] = 2
    markers[layer.places(field.markers == label, field)] = 1
    ends = [neighbours(axis) for axis in range(3)]
    first, second, third = (
        np.float32(length) / np.maximum(np.minimum(speed[here], speed[there]), np.float32(_SLOWEST))
        for length, (here, there) in zip(layer.grid.spacing, ends, strict=True)
    )
    nearest, met = cheapest_seed(markers, (first, second, third), run), np.zeros(speed.shape, np.bool_)
    for here, there in ends:
        differ = nearest[here] != nearest[there]
        met[here] |= differ
        met[there] |= differ
    return met


GEODESIC_CONTOUR = GeodesicContour()
