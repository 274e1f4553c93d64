"""Supervoxels: the image cut into small even pieces, merged with their like where asked."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Label, LabelTable, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.methods.base import answer, only_image, require_contrast, usable
from medseg.methods.region_merge import merge_alike
from medseg.methods.slic import cut_into_pieces, spread_of

__all__ = ["SUPERVOXELS", "Supervoxels", "SupervoxelsParams"]

_TABLE = LabelTable((Label(1, "regions"),))


class SupervoxelsParams(Params):
    """What may be chosen."""

    size_mm: float = Field(
        10.0,
        gt=0,
        le=200,
        description="Distance of the pieces' starting points (pixels on px images); about a piece's edge.",
        json_schema_extra={"unit": "mm"},
    )
    compactness: float = Field(
        1.0,
        gt=0,
        le=100,
        description="How much value, in standard deviations of the image, weighs as much as 10 mm of distance; "
        "more gives rounder pieces.",
        json_schema_extra={"unit": "SD per 10 mm"},
    )
    merge_sd: float = Field(
        0.5,
        ge=0,
        le=20,
        description="Neighbours whose means differ by no more than this are merged, closest first; 0 merges none.",
        json_schema_extra={"unit": "SD"},
    )


class Supervoxels:
    """Segmenter behind `medseg segment supervoxels`."""

    spec = SegmenterSpec(
        name="supervoxels",
        title="SLIC supervoxels, merged",
        summary="Numbered regions of even values: supervoxels of a size in mm, merged while neighbours are alike.",
        source="Achanta et al. 2012, SLIC superpixels compared to state-of-the-art superpixel methods, "
        "IEEE Trans Pattern Anal Mach Intell 34(11); merging as in Beaulieu and Goldberg 1989, ibid. 11(2)",
    )
    Params = SupervoxelsParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: SupervoxelsParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,  # noqa: ARG002 - the protocol's signature
        run: Run,
    ) -> Segmentation:
        """Number every measured voxel inside `within` by its region; the numbers stand in `instances`.

        Raises
        ------
        InputError
            If the image is constant.
        """
        image = only_image(images)
        considered = usable(image, within)
        values = np.nan_to_num(image.array.astype(np.float32))
        inside = values[considered]
        require_contrast(inside, self.spec.name)
        pieces = cut_into_pieces(
            values,
            considered,
            image.grid.spacing,
            size=params.size_mm,
            compactness=params.compactness,
            run=run,
        )
        run.progress(1, 2, "pieces")
        merged = (
            merge_alike(pieces, params.merge_sd * spread_of(inside), run) if params.merge_sd > 0 else None
        )
        numbers = pieces.ids if merged is None else merged[pieces.ids]
        run.progress(2, 2, "merging")
        return answer(
            self.spec.name,
            image,
            considered,
            params,
            table=_TABLE,
            instances=numbers.astype(np.uint32),
            pieces=int(pieces.means.size - 1),
            regions=int(numbers.max()),
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: SupervoxelsParams) -> int:  # noqa: ARG002
        """Values, pieces and borders (about 60 bytes per voxel), in two processes for large images."""
        return sum(60 * int(np.prod(grid.shape)) for grid in grids.values())


SUPERVOXELS = Supervoxels()
