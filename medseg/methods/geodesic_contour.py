"""Geodesic active contour: a front grows from seeds until edges hold it."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.errors import InputError
from medseg.methods.base import answer, only_image, usable
from medseg.methods.edges import gradient, magnitude_of, smoothed
from medseg.methods.fronts import NODES, Forces, Layer, Start, grown_fronts
from medseg.methods.objects import object_table
from medseg.methods.seeded import expected_voxels
from medseg.methods.seeds import Field as SeedField

__all__ = ["GEODESIC_CONTOUR", "GeodesicContour", "GeodesicContourParams"]


#: Edges are looked for under at least this share of a voxel: between larger ones there is nothing finer.
_VOXEL = 0.5


class GeodesicContourParams(Params):
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
        description="Gradient that halves the front's speed; the root mean square of the box without it.",
        json_schema_extra={"unit": "unit of the image per mm"},
    )
    propagation: float = Field(
        1.0, ge=0, le=100, description="Weight of the push outwards, which edges slow down."
    )
    smoothness_mm: float = Field(
        0.5,
        ge=0,
        le=100,
        description="Weight of curvature: bumps and necks of less than about twice this radius are evened.",
        json_schema_extra={"unit": "mm"},
    )
    advection: float = Field(
        5.0, ge=0, le=100, description="Weight of the pull towards the nearest edge, from both sides."
    )
    start_mm: float = Field(
        3.0,
        gt=0,
        le=100,
        description="Radius of the ball around each seed that the front starts from.",
        json_schema_extra={"unit": "mm"},
    )
    margin_mm: float = Field(
        45.0,
        ge=0,
        le=500,
        description="How far beyond the seeds the object may reach: size of the box that is worked in.",
        json_schema_extra={"unit": "mm"},
    )
    steps: int = Field(
        200, ge=1, le=10000, description="Steps of the front at most, on the coarsest grid of the box."
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
        start = Start(self.spec.name, params.margin_mm, params.start_mm, params.steps)
        forces = Forces("edges", params.propagation, params.smoothness_mm, params.advection)
        feature = partial(_feature, params=params)
        found = grown_fronts(image, prompts, usable(image, within), feature, forces, start=start, run=run)
        return answer(
            self.spec.name,
            image,
            found.labels,
            params,
            table=object_table(found.seeds.labels),
            findings=found.findings,
            unit=image.value_unit,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: GeodesicContourParams) -> int:  # noqa: ARG002
        """Markers and masks of the image, and the box's fronts, gradients and what ITK keeps of them."""
        voxels, box = expected_voxels(grids.values())
        return 9 * voxels + 10 * box + 100 * min(box, NODES[-1])


def _feature(
    layer: Layer,
    field: SeedField,
    label: int,  # noqa: ARG001 - the same edges hold every object
    *,
    params: GeodesicContourParams,
) -> NDArray[np.float32]:
    """1 / (1 + (gradient / edge)²), the paper's g with p = 2; 0 where the front may not go."""
    spacing = layer.grid.spacing
    sigma = max(params.sigma_mm, _VOXEL * sorted(field.grid.spacing)[1])
    slope = magnitude_of(gradient(smoothed(layer.values, layer.usable, spacing, sigma), spacing))
    edge = params.edge or float(np.sqrt(np.square(slope[layer.usable], dtype=np.float64).mean()))
    if edge == 0:
        raise InputError("geodesic-contour needs edges; the box around these seeds holds a single value")
    speed: NDArray[np.float32] = 1 / (1 + np.square(slope / np.float32(edge)))
    speed[layer.closed] = 0
    return speed


GEODESIC_CONTOUR = GeodesicContour()
