"""Split objects: a threshold, and touching objects taken apart at their necks."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.masks.split import split_touching
from medseg.methods.base import answer, only_image, refuse_sheared, usable
from medseg.methods.child import here_or_in_child
from medseg.methods.otsu import otsu_threshold

__all__ = ["SPLIT_OBJECTS", "SplitObjects", "SplitObjectsParams"]


class SplitObjectsParams(Params):
    """What may be chosen."""

    threshold: float | None = Field(
        None,
        description="Value that parts objects from the rest; Otsu's threshold where none is given.",
        json_schema_extra={"unit": "unit of the image"},
    )
    side: Literal["above", "below"] = Field(
        "above", description="Whether objects are above the threshold, or at and below it."
    )
    depth_mm: float = Field(
        1.0,
        gt=0,
        le=100,
        description="Split where the inscribed radius on both sides exceeds that of the neck by this much.",
        json_schema_extra={"unit": "mm"},
    )
    smallest_diameter_mm: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="Leave out objects with less volume than a ball of this diameter (on a slice: a disc).",
        json_schema_extra={"unit": "mm"},
    )


class SplitObjects:
    """Segmenter behind `medseg segment split-objects`."""

    spec = SegmenterSpec(
        name="split-objects",
        title="Split objects",
        summary="Threshold, then touching objects split at necks: one label, and an id for each object.",
        source="Beucher, Meyer 1993, The morphological approach to segmentation: the watershed "
        "transformation, in Mathematical Morphology in Image Processing",
    )
    Params = SplitObjectsParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: SplitObjectsParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,  # noqa: ARG002 - the protocol's signature
        run: Run,
    ) -> Segmentation:
        """Threshold and split; ids of the objects, largest first, are the answer's instances.

        Raises
        ------
        InputError
            If there is nothing to threshold, or the grid is sheared.
        """
        image = only_image(images)
        refuse_sheared(image.grid, self.spec.name)
        mask = usable(image, within)
        threshold = (
            otsu_threshold(image.array[mask], self.spec.name)
            if params.threshold is None
            else params.threshold
        )
        mask &= image.array > threshold if params.side == "above" else image.array <= threshold
        run.check()
        run.progress(1, 2, "threshold")
        ids = here_or_in_child(run, mask.size, split_touching, mask, image.grid, params.depth_mm)
        ids = _without_small(ids, _fewest(image.grid, params.smallest_diameter_mm))
        run.progress(2, 2, "split")
        return answer(
            self.spec.name,
            image,
            ids > 0,
            params,
            instances=ids,
            threshold_used=threshold,
            unit=image.value_unit,
            objects=int(ids.max()),
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: SplitObjectsParams) -> int:  # noqa: ARG002
        """Ids and their ranks, and four copies of the largest object's box."""
        return sum(28 * int(np.prod(grid.shape)) for grid in grids.values())


def _fewest(grid: Grid, diameter: float) -> float:
    """Voxels of a ball of this diameter; of a disc where the grid is a slice."""
    thin = [axis for axis, extent in enumerate(grid.shape) if extent == 1]
    if thin:
        return np.pi / 4 * diameter**2 / (grid.voxel_volume / grid.spacing[thin[0]])
    return np.pi / 6 * diameter**3 / grid.voxel_volume


def _without_small(ids: NDArray[np.unsignedinteger], fewest: float) -> NDArray[np.unsignedinteger]:
    """Ids are ordered by size, so what is left out are the last ones."""
    sizes = np.bincount(ids.ravel(order="K"))[1:]
    kept = int((sizes >= fewest).sum())
    return np.where(ids <= kept, ids, np.zeros((), ids.dtype))


SPLIT_OBJECTS = SplitObjects()
