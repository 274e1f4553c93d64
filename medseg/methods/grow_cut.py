"""GrowCut: seeds of objects and background conquer their neighbours, the harder the more values differ."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.masks.seeds import Field as SeedField
from medseg.masks.seeds import box_is_background_field, field_of, margin_field, object_table, place_seeds
from medseg.methods.base import answer, only_image, require_contrast, usable
from medseg.methods.edges import smoothed_image
from medseg.methods.objects import background_markers, cut_by_box
from medseg.methods.paths import CLOSED, Edges, cheapest_seed, neighbours
from medseg.methods.seeded import expected_voxels

__all__ = ["GROW_CUT", "GrowCut", "GrowCutParams"]

#: Share of the range of values that is one standard deviation of the Gaussian by which attacks wear off.
_WIDTH = 0.2236


class GrowCutParams(Params):
    """What may be chosen."""

    sigma_mm: float = Field(
        0.5,
        ge=0,
        le=50,
        description="Standard deviation of the Gaussian that smooths before differences are taken.",
        json_schema_extra={"unit": "mm"},
    )
    reach_mm: float = Field(
        100.0,
        gt=0,
        le=1e6,
        description="Length of way on which an attack falls to 37 % where all values are equal; "
        "smaller gives compacter objects.",
        json_schema_extra={"unit": "mm"},
    )
    margin_mm: float = margin_field()
    box_is_background: bool = box_is_background_field()


class GrowCut:
    """Segmenter behind `medseg segment grow-cut`."""

    spec = SegmenterSpec(
        name="grow-cut",
        title="GrowCut",
        summary="Seeds of objects and background grow until they meet where values differ most.",
        source="Vezhnevets, Konouchine 2005, GrowCut, Graphicon; its fixed point as by Zhu et al. 2014, "
        "An effective interactive medical image segmentation method using fast GrowCut, MICCAI workshop",
        kind="prompted",
        needs_prompts=True,
        near_prompts=True,
    )
    Params = GrowCutParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: GrowCutParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Grow all seeds at once in the box around them; whose faces are background.

        Raises
        ------
        InputError
            If there is no seed in an object or none in the background, or the box holds one value only.
        """
        image = only_image(images)
        seeds = place_seeds(prompts, image.grid, self.spec.name)
        field = field_of(image, seeds, usable(image, within), params.margin_mm)
        run.check()
        markers = background_markers(field, self.spec.name, box_is_background=params.box_is_background)
        run.progress(1, 3, "box around the seeds")
        edges = _resistance(field, params)
        run.check()
        run.progress(2, 3, "resistance between neighbours")
        labels = np.maximum(cheapest_seed(np.where(field.usable, markers, 0), edges, run), 0)
        run.progress(3, 3, "growth")
        said = cut_by_box(labels) if params.box_is_background else ()
        return answer(
            self.spec.name,
            image,
            field.restored(labels.astype(np.uint16)),
            params,
            table=object_table(seeds.labels),
            findings=(*field.findings, *said),
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: GrowCutParams) -> int:  # noqa: ARG002
        """Markers and masks of the image, and the box's costs."""
        voxels, box = expected_voxels(grids.values())
        return 11 * voxels + 62 * box


def _resistance(field: SeedField, params: GrowCutParams) -> Edges:
    """What a step costs: −log of the strength that it leaves, and its length over `reach_mm`.

    The paper's automaton multiplies a strength by g(difference) at each step and lets the stronger win: the
    product is largest where the sum of −log g is least. The paper asks of g that it falls from 1 to 0; ours is
    a Gaussian, since under many small steps of noise the straight line of its example wears off. The second
    part is ours: between equal values the nearer seed wins, in mm.
    """
    values = smoothed_image(field.values, field.usable, field.grid.spacing, params.sigma_mm)
    used = values[field.usable]
    require_contrast(used, GROW_CUT.spec.name, "box around the seeds")
    spread = float(used.max() - used.min())
    edges = []
    for axis in range(3):
        here, there = neighbours(axis)
        worn = np.square((values[there] - values[here]) / np.float32(_WIDTH * spread)) / 2
        cost = np.float32(field.grid.spacing[axis] / params.reach_mm) + worn
        edges.append(np.where(field.usable[here] & field.usable[there], cost, CLOSED))
    return edges[0], edges[1], edges[2]


GROW_CUT = GrowCut()
