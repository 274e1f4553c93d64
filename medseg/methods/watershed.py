"""Watershed of the gradient: basins flooded from seeds, or from the gradient's own minima."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Finding, Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.errors import InputError
from medseg.masks.components import components, label_parts
from medseg.methods.base import answer, only_image, usable
from medseg.methods.child import in_child
from medseg.methods.edges import gradient, magnitude_of, smoothed
from medseg.methods.objects import background_markers, cut_by_box, object_table
from medseg.methods.otsu import otsu_threshold
from medseg.methods.seeds import field_of, place_seeds

__all__ = ["WATERSHED", "Watershed", "WatershedParams"]

#: Images with more voxels are worked on in another process, so that a cancel is heard.
_QUICK = 200_000


class WatershedParams(Params):
    """What may be chosen."""

    sigma_mm: float = Field(
        1.0,
        ge=0,
        le=50,
        description="Standard deviation of the Gaussian that smooths before the gradient is taken.",
        json_schema_extra={"unit": "mm"},
    )
    compactness: float = Field(
        0.0,
        ge=0,
        le=1e3,
        description="With seeds: what each mm of distance from a seed adds to the gradient, as a share of the "
        "largest gradient; larger gives compacter basins, 0 the plain watershed.",
        json_schema_extra={"unit": "1/mm"},
    )
    margin_mm: float = Field(
        50.0,
        ge=0,
        le=500,
        description="With seeds: how far beyond them the object may reach.",
        json_schema_extra={"unit": "mm"},
    )
    box_is_background: bool = Field(
        default=True, description="With seeds: whether the faces of the box around the seeds are background."
    )
    depth: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Without seeds: minima less deep than this share of the largest gradient are no basins.",
    )
    side: Literal["above", "below"] = Field(
        "above",
        description="Without seeds: whether objects are the basins with most voxels above Otsu's threshold "
        "of the image, or at and below it.",
    )


class Watershed:
    """Segmenter behind `medseg segment watershed`."""

    spec = SegmenterSpec(
        name="watershed",
        title="Watershed",
        summary="Basins of the gradient in mm, flooded from seeds or from its own minima.",
        source="Meyer 1991, Un algorithme optimal pour la ligne de partage des eaux; compact: Neubert, "
        "Protzel 2014, Compact watershed and preemptive SLIC, ICPR",
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
        if image.grid.is_sheared:
            raise InputError("watershed needs axes at right angles; resample this image with --resample")
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
        markers = background_markers(field, box_is_background=params.box_is_background)
        work = (field.values, field.usable, field.grid.spacing, markers, params)
        run.progress(1, 2, "box around the seeds")
        labels = _carried_out(run, basins_of_seeds, *work)
        run.progress(2, 2, "flooding")
        said = (*field.findings, *(cut_by_box(labels) if params.box_is_background else ()))
        found = field.restored(np.maximum(labels, 0).astype(np.uint16))
        return answer(self.spec.name, image, found, params, table=object_table(seeds.labels), findings=said)

    def _from_minima(
        self, image: Image, considered: NDArray[np.bool_], params: WatershedParams, run: Run
    ) -> Segmentation:
        threshold = otsu_threshold(image.array[considered])
        run.progress(1, 2, "threshold")
        ids = _carried_out(
            run, basins_of_minima, image.array, considered, image.grid.spacing, threshold, params
        )
        run.progress(2, 2, "flooding")
        return answer(
            self.spec.name,
            image,
            ids > 0,
            params,
            instances=ids,
            findings=_many(ids),
            threshold_used=threshold,
            unit=image.value_unit,
            objects=int(ids.max()),
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: WatershedParams) -> int:  # noqa: ARG002
        """Of the way without seeds: gradient, its reconstruction in float64, markers, and basins."""
        return sum(95 * int(np.prod(grid.shape)) for grid in grids.values())


def _carried_out(run: Run, function: Any, values: NDArray[Any], *rest: Any) -> NDArray[Any]:
    found: NDArray[Any] = (
        function(values, *rest) if values.size <= _QUICK else in_child(run, function, values, *rest)
    )
    return found


def _many(ids: NDArray[Any]) -> tuple[Finding, ...]:
    count = int(ids.max())
    if count <= 1:
        return ()
    text = f"Basins of the gradient part the objects into {count} pieces; raise depth for fewer."
    return (Finding("method.many_basins", "info", text),)


def basins_of_seeds(
    values: NDArray[np.float32],
    usable: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    markers: NDArray[np.int32],
    params: WatershedParams,
) -> NDArray[np.int32]:
    """(I, J, K) int32: the marker that floods each voxel; 0 where none reaches.

    Neighbours share a face, so that no basin leaks over a corner; of two that reach a voxel at the same level
    the one that waits longer gets it.
    """
    slope = _slope(values, usable, spacing, params.sigma_mm)
    compactness = params.compactness * float(slope.max())
    return _flooded(slope, np.where(usable, markers, 0), usable, spacing, compactness)


def basins_of_minima(
    values: NDArray[Any],
    usable: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    threshold: float,
    params: WatershedParams,
) -> NDArray[np.uint32]:
    """(I, J, K) ids from 1, largest first, of the gradient's basins on the chosen side of a threshold.

    Minima are those at least `depth` of the largest gradient below the pass to a deeper one (h-minima:
    Soille, Morphological Image Analysis, 2003).
    """
    from skimage.morphology import local_minima, reconstruction

    slope = _slope(values, usable, spacing, params.sigma_mm)
    raised = reconstruction(slope + params.depth * float(slope.max()), slope, method="erosion")
    markers = components(local_minima(raised.astype(np.float32), connectivity=1) & usable, 6).astype(np.int32)
    del raised
    basins = _flooded(slope, markers, usable, spacing, 0.0)
    # A usable part without a minimum of its own is a basin by itself.
    missed, _ = label_parts(usable & (basins == 0), 6)
    basins = np.where(missed > 0, missed.astype(np.int32) + markers.max(), basins)
    within = values > threshold if params.side == "above" else values <= threshold
    return _objects(basins, within & usable)


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
    slope: NDArray[np.float32],
    markers: NDArray[np.int32],
    usable: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    compactness: float,
) -> NDArray[np.int32]:
    """Watershed; the library counts distances in voxels, so compact basins are flooded on an even grid."""
    from skimage.segmentation import watershed

    if compactness == 0:
        flooded: NDArray[np.int32] = watershed(slope, markers, mask=usable)
        return flooded.astype(np.int32, copy=False)
    finest = min(length for length, extent in zip(spacing, slope.shape, strict=True) if extent > 1)
    fine, back = zip(
        *(_even(extent, length / finest) for extent, length in zip(slope.shape, spacing, strict=True)),
        strict=True,
    )
    even = np.ix_(*fine)
    found = watershed(slope[even], markers[even], mask=usable[even], compactness=compactness * finest)
    returned: NDArray[np.int32] = found[np.ix_(*back)].astype(np.int32, copy=False)
    return returned


def _even(extent: int, ratio: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Coarse index of each fine voxel along an axis, and the fine voxel in the middle of each coarse one."""
    if extent == 1:
        return np.zeros(1, np.intp), np.zeros(1, np.intp)
    count = max(extent, round(extent * ratio))
    fine = ((np.arange(count) + 0.5) * extent / count).astype(np.intp)
    middle = ((np.arange(extent) + 0.5) * count / extent).astype(np.intp)
    return fine, middle


def _slope(
    values: NDArray[Any], usable: NDArray[np.bool_], spacing: tuple[float, float, float], sigma: float
) -> NDArray[np.float32]:
    slope = magnitude_of(gradient(smoothed(values, usable, spacing, sigma), spacing))
    if not slope[usable].any():
        raise InputError("watershed needs different values; this image or box is constant")
    return slope


WATERSHED = Watershed()
