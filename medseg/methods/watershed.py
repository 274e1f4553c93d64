"""Watershed of the gradient: basins flooded from seeds, or from the gradient's own minima."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Finding, Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.domain.run import Progress
from medseg.masks.components import components, label_parts
from medseg.masks.seeds import box_is_background_field, field_of, margin_field, object_table, place_seeds
from medseg.masks.split import high_maxima, without_thin
from medseg.methods.base import answer, only_image, refuse_sheared, require_contrast, usable
from medseg.methods.child import here_or_in_child
from medseg.methods.edges import gradient, magnitude_of, smoothed_image
from medseg.methods.objects import background_markers, cut_by_box
from medseg.methods.otsu import otsu_threshold
from medseg.methods.paths import neighbours
from medseg.methods.seeded import distance_from, parts_with

__all__ = ["WATERSHED", "Watershed", "WatershedParams"]

#: Levels that the gradient is flooded in; the last one is for what is not usable.
_LEVELS = 4095


class WatershedParams(Params):
    """What may be chosen."""

    sigma_mm: float = Field(
        1.0,
        ge=0,
        le=50,
        description="Standard deviation of the Gaussian that smooths before the gradient is taken.",
        json_schema_extra={"unit": "mm"},
    )
    seed_pull: float = Field(
        0.01,
        ge=0,
        le=1e3,
        description="With seeds: what each mm of distance from the nearest seed adds to the gradient, as a share of "
        "the largest gradient; larger lets seeds meet midway where no edge parts them, 0 is the plain watershed.",
        json_schema_extra={"unit": "1/mm"},
    )
    depth: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Without seeds: minima less deep than this share of the usual gradient where values cross "
        "Otsu's threshold are no basins.",
    )
    side: Literal["above", "below"] = Field(
        "above",
        description="Without seeds: whether objects are the basins with most voxels above Otsu's threshold "
        "of the image, or at and below it.",
    )
    margin_mm: float = margin_field("With seeds")
    box_is_background: bool = box_is_background_field("With seeds")


class Watershed:
    """Segmenter behind `medseg segment watershed`."""

    spec = SegmenterSpec(
        name="watershed",
        title="Watershed",
        summary="Basins of the gradient in mm, flooded from seeds or from its own minima.",
        source="Meyer 1991, Un algorithme optimal pour la ligne de partage des eaux; the pull of seeds after Neubert, "
        "Protzel 2014, Compact watershed and preemptive SLIC, ICPR",
        near_prompts=True,
    )
    Params = WatershedParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: WatershedParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Flood from the prompts in the box around them; without prompts from minima, one id for each object.

        Raises
        ------
        InputError
            If the grid is sheared, all values are the same, or prompts hold no seed in an object.
        """
        image = only_image(images)
        refuse_sheared(image.grid, self.spec.name)
        considered = usable(image, within)
        run.check()
        if prompts is None or prompts.is_empty:
            return self._from_minima(image, considered, params, run)
        return self._from_seeds(image, considered, params, prompts, run)

    def _from_seeds(
        self, image: Image, considered: NDArray[np.bool_], params: WatershedParams, prompts: Prompts, run: Run
    ) -> Segmentation:
        seeds = place_seeds(prompts, image.grid, self.spec.name)
        field = field_of(image, seeds, considered, params.margin_mm)
        markers = background_markers(field, self.spec.name, box_is_background=params.box_is_background)
        require_contrast(field.values[field.usable], self.spec.name, "box around the seeds")
        work = (field.values, field.usable, field.grid.spacing, markers, params)
        run.progress(1, 3, "box around the seeds")
        labels = here_or_in_child(run, field.values.size, basins_of_seeds, *work)
        run.progress(3, 3, "flooding")
        said = (*field.findings, *(cut_by_box(labels) if params.box_is_background else ()))
        found = field.restored(np.maximum(labels, 0).astype(np.uint16))
        return answer(self.spec.name, image, found, params, table=object_table(seeds.labels), findings=said)

    def _from_minima(
        self, image: Image, considered: NDArray[np.bool_], params: WatershedParams, run: Run
    ) -> Segmentation:
        threshold = otsu_threshold(image.array[considered], self.spec.name)
        run.progress(1, 4, "threshold")
        work = (image.array, considered, image.grid.spacing, threshold, params)
        ids = here_or_in_child(run, image.array.size, basins_of_minima, *work)
        run.progress(4, 4, "flooding")
        return answer(
            self.spec.name,
            image,
            ids > 0,
            params,
            instances=ids,
            findings=_many(ids),
            threshold=threshold,
            unit=image.value_unit,
            objects=int(ids.max()),
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: WatershedParams) -> int:  # noqa: ARG002
        """Of the way without seeds: gradient, its reconstruction, markers, levels, and basins.

        In a box around seeds it is two thirds of that for the box's voxels; the protocol can't tell seeds.
        """
        return sum(60 * int(np.prod(grid.shape)) for grid in grids.values())


def _many(ids: NDArray[Any]) -> tuple[Finding, ...]:
    count = int(ids.max())
    if count <= 1:
        return ()
    text = f"Basins of the gradient part the objects into {count} pieces; raise sigma_mm or depth for fewer."
    return (Finding("method.many_basins", "info", text),)


def basins_of_seeds(
    values: NDArray[np.float32],
    usable: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    markers: NDArray[np.int32],
    params: WatershedParams,
    *,
    progress: Progress,
) -> NDArray[np.int32]:
    """(I, J, K) int32: the marker that floods each voxel; 0 where none reaches.

    Neighbours share a face, so that no basin leaks over a corner; of two that reach a voxel at the same level
    the one that waits longer gets it. What `seed_pull` adds is highest midway between seeds: a single seed
    in an object with texture, which the plain watershed floods from the box's faces up to the seed's own dimple,
    keeps what is nearer to it up to a rim (own; in mm on the image's grid, where the compact watershed of
    Neubert and Protzel counts from each marker in voxels).
    """
    slope = magnitude_of(gradient(smoothed_image(values, usable, spacing, params.sigma_mm), spacing))
    slope += distance_from(markers != 0, spacing) * np.float32(params.seed_pull * float(slope.max()))
    progress(2, 3, "gradient")
    return _flooded(slope, np.where(usable, markers, 0), usable)


def basins_of_minima(
    values: NDArray[Any],
    usable: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    threshold: float,
    params: WatershedParams,
    *,
    progress: Progress,
) -> NDArray[np.uint32]:
    """(I, J, K) ids from 1, largest first, of the gradient's basins on the chosen side of a threshold.

    Minima are those at least `depth` of the usual edge below the pass to a deeper one (h-minima: Soille,
    Morphological Image Analysis, 2003).
    """
    smooth = smoothed_image(values, usable, spacing, params.sigma_mm)
    slope = magnitude_of(gradient(smooth, spacing))
    progress(2, 4, "gradient")
    minima = high_maxima(-slope, params.depth * _usual_edge(smooth > threshold, slope, usable))
    markers = components(minima & usable).astype(np.int32)
    del smooth, minima
    progress(3, 4, "minima")
    basins = _flooded(slope, markers, usable)
    # A usable part without a minimum of its own is a basin by itself.
    missed, _ = label_parts(usable & (basins == 0), 6)
    basins = np.where(missed > 0, missed.astype(np.int32) + markers.max(), basins)
    within = values > threshold if params.side == "above" else values <= threshold
    return _objects(basins, within & usable)


def _usual_edge(bright: NDArray[np.bool_], slope: NDArray[np.float32], usable: NDArray[np.bool_]) -> float:
    """Median gradient where values cross the threshold; the largest one where none do.

    The largest is that of the sharpest thing in the image, such as lettering on a radiograph (own).
    """
    border = np.zeros_like(bright)
    for axis in range(3):
        here, there = neighbours(axis)
        crossed = (bright[here] != bright[there]) & usable[here] & usable[there]
        border[here] |= crossed
        border[there] |= crossed
    return float(np.median(slope[border]) if border.any() else slope[usable].max())


def _objects(basins: NDArray[np.int32], within: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Ids of the basins of which most voxels lie within the range, largest first."""
    sizes = np.bincount(basins.ravel())
    chosen = 2 * np.bincount(basins[within], minlength=len(sizes)) > sizes
    chosen[0] = False
    order = np.argsort(np.where(chosen, -sizes, 1), kind="stable")[: int(chosen.sum())]
    rank = np.zeros(len(sizes), np.uint32)
    rank[order] = np.arange(1, len(order) + 1)
    ids: NDArray[np.uint32] = rank[basins]
    return ids


def _flooded(
    slope: NDArray[np.float32], markers: NDArray[np.int32], usable: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """Markers spread over faces from low to high; 0 in usable parts without one.

    Numerics by ITK, which keeps a queue per level: on whole levels, more of them low down, it takes a quarter of
    the time that sorting all voxels does. What is not usable floods last, and hands nothing on to other parts.
    """
    import SimpleITK as sitk

    levels = np.full(slope.shape, _LEVELS, np.uint16)
    heights = slope[usable] - slope[usable].min()
    levels[usable] = np.rint((_LEVELS - 1) * np.sqrt(heights / max(float(heights.max()), 1e-30)))
    flooded = sitk.MorphologicalWatershedFromMarkers(
        without_thin(levels), without_thin(markers), markWatershedLine=False, fullyConnected=False
    )
    found = sitk.GetArrayFromImage(flooded).reshape(slope.shape)
    return np.where(parts_with(usable, markers != 0), found, 0).astype(np.int32, copy=False)


WATERSHED = Watershed()
