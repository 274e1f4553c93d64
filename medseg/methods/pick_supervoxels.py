"""Pick supervoxels: seeds pick small even pieces, and what is most like them around."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.masks.seeds import Field as SeedField
from medseg.masks.seeds import box_is_background_field, field_of, margin_field, object_table, place_seeds
from medseg.methods.base import answer, only_image, require_contrast, usable
from medseg.methods.objects import background_markers, cut_by_box
from medseg.methods.region_merge import spread_seeds
from medseg.methods.seeded import expected_voxels
from medseg.methods.slic import PER, Pieces, cut_into_pieces, spread_of

__all__ = ["PICK_SUPERVOXELS", "PickSupervoxels", "PickSupervoxelsParams"]


class PickSupervoxelsParams(Params):
    """What may be chosen."""

    size_mm: float = Field(
        5.0,
        gt=0,
        le=200,
        description="Distance of the pieces' starting points (pixels on px images); about a piece's edge.",
        json_schema_extra={"unit": "mm"},
    )
    compactness: float = Field(
        1.0,
        gt=0,
        le=100,
        description="How much value, in standard deviations of the box, weighs as much as 10 mm of distance; "
        "more gives rounder pieces.",
        json_schema_extra={"unit": "SD per 10 mm"},
    )
    distance_weight: float = Field(
        1.0,
        ge=0,
        le=100,
        description="How much 10 mm of way count, beside the steps in value along it; keeps a seed from running far.",
        json_schema_extra={"unit": "SD per 10 mm"},
    )
    reach_sd: float = Field(
        50.0,
        ge=0,
        le=1000,
        description="Longest way of a seed, steps in value and distance together; 0 takes only the pieces that hold "
        "a seed.",
        json_schema_extra={"unit": "SD"},
    )
    margin_mm: float = margin_field()
    box_is_background: bool = box_is_background_field()


class PickSupervoxels:
    """Segmenter behind `medseg segment pick-supervoxels`."""

    spec = SegmenterSpec(
        name="pick-supervoxels",
        title="Supervoxels picked by seeds",
        summary="The supervoxels that hold a seed, and those around that are more like it than like another seed.",
        source="Achanta et al. 2012, SLIC superpixels, IEEE Trans Pattern Anal Mach Intell 34(11); ways on their "
        "graph by Dijkstra 1959, as in the image foresting transform of Falcão et al. 2004, ibid. 26(1)",
        kind="prompted",
        needs_prompts=True,
        near_prompts=True,
    )
    Params = PickSupervoxelsParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: PickSupervoxelsParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Give each piece in the box around the seeds to the seed it is nearest to by its values.

        A piece that holds seeds of several objects is theirs where they are; the first one gets the rest.

        Raises
        ------
        InputError
            If there is no seed inside an object, or the box holds one value only.
        """
        image = only_image(images)
        seeds = place_seeds(prompts, image.grid, self.spec.name)
        field = field_of(image, seeds, usable(image, within), params.margin_mm)
        require_contrast(field.values[field.usable], self.spec.name, "box around the seeds")
        pieces = cut_into_pieces(
            field.values,
            field.usable,
            field.grid.spacing,
            size=params.size_mm,
            compactness=params.compactness,
            run=run,
        )
        run.progress(1, 2, "pieces")
        found = self._found(pieces, field, params, run)
        run.progress(2, 2, "spreading")
        return answer(
            self.spec.name,
            image,
            field.restored(found),
            params,
            table=object_table(seeds.labels),
            findings=(*field.findings, *(cut_by_box(found) if params.box_is_background else ())),
            pieces=int(pieces.means.size - 1),
        )

    @staticmethod
    def _found(
        pieces: Pieces, field: SeedField, params: PickSupervoxelsParams, run: Run
    ) -> NDArray[np.uint16]:
        """Labels of the box; a marked voxel keeps its mark whatever its piece gets."""
        surrounded = params.box_is_background and params.reach_sd > 0
        markers = field.markers
        if surrounded:
            markers = background_markers(field, PICK_SUPERVOXELS.spec.name, box_is_background=True)
        unit = spread_of(field.values[field.usable])
        found = spread_seeds(
            pieces,
            _picked(pieces, markers),
            params.reach_sd * unit,
            run,
            per_length=params.distance_weight * unit / PER,
        )[pieces.ids]
        marked = field.usable & (field.markers != 0)
        found[marked] = field.markers[marked]
        return np.maximum(found, 0).astype(np.uint16)

    def memory_bytes(self, grids: Mapping[str, Grid], params: PickSupervoxelsParams) -> int:  # noqa: ARG002
        """Markers, labels and voxels considered of the image, and 60 bytes per voxel of the box at most."""
        voxels, box = expected_voxels(grids.values())
        return 12 * voxels + 60 * box


def _picked(pieces: Pieces, markers: NDArray[np.int32]) -> dict[int, int]:
    """Piece → label of most of its markers; on a tie the object with the lowest number, background last."""
    place = (markers != 0) & (pieces.ids > 0)
    pairs, counts = np.unique(
        np.stack([pieces.ids[place], markers[place]], axis=1), axis=0, return_counts=True
    )
    best: dict[int, int] = {}
    for row in sorted(range(len(pairs)), key=lambda row: (-counts[row], pairs[row, 1] < 0, pairs[row, 1])):
        best.setdefault(int(pairs[row, 0]), int(pairs[row, 1]))
    return best


PICK_SUPERVOXELS = PickSupervoxels()
