"""Level set: a front grows from seeds through a range of values, and curvature keeps it smooth."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Prompts, Run, Segmentation, SegmenterSpec
from medseg.errors import ConfigError
from medseg.masks.seeds import Field as SeedField
from medseg.masks.seeds import object_table
from medseg.methods.base import answer, only_image, require_order, usable
from medseg.methods.edges import gradient, magnitude_of
from medseg.methods.front_layers import Layer, other_seeds
from medseg.methods.front_steps import Forces
from medseg.methods.fronts import Front, FrontParams, front_bytes, grown_fronts
from medseg.methods.seeded import distance_from, near_seeds

__all__ = ["LEVEL_SET", "LevelSet", "LevelSetParams", "Range", "accepted_range", "likeness"]

#: A range is at least this share of the box's values (1st to 99th percentile) wide: seeds in even tissue.
_NARROWEST = 0.05
#: Percentiles of a normal distribution one standard deviation from its mean.
_ONE_SD = (15.9, 84.1)
#: From the range's most usual value, in half ranges, to what is surely no object.
_MOST = 2.0
#: Distances from the nearest seed (its own is one) that weigh as much as half a range of values.
_APART = 2.0
#: A seed's value speaks for this share of the range's width.
_ALIKE = 0.5


class LevelSetParams(FrontParams):
    """What may be chosen; values are learnt in the balls that the front starts from."""

    low: float | None = Field(
        None,
        description="Lowest value that the front grows through; from the values around the seeds where none is given.",
        json_schema_extra={"unit": "unit of the image"},
    )
    high: float | None = Field(
        None,
        description="Highest value that the front grows through; from the values around the seeds where none is given.",
        json_schema_extra={"unit": "unit of the image"},
    )
    multiplier: float = Field(
        2.5,
        gt=0,
        le=100,
        description="Half the range around the seeds' mean, in standard deviations, where no limit is given.",
    )


class LevelSet:
    """Segmenter behind `medseg segment level-set`."""

    spec = SegmenterSpec(
        name="level-set",
        title="Level set in a range of values",
        summary="A front grows from seeds through a range of values; curvature in mm keeps it smooth.",
        source="Whitaker 1998, A level-set approach to 3D reconstruction from range data, Int J Comput Vis "
        "29(3); range speed: Lefohn et al. 2003, Interactive, GPU-based level sets for 3D segmentation, MICCAI",
        kind="prompted",
        needs_prompts=True,
        near_prompts=True,
    )
    Params = LevelSetParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: LevelSetParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Grow each object's front in the box around all seeds; it stays off the seeds of others.

        Raises
        ------
        ConfigError
            If the range is empty.
        InputError
            If there is no seed in an object, its seeds may not be used, or the grid is sheared.
        """
        require_order(params.low, params.high, self.spec.name, apart=True)
        image = only_image(images)
        ranges: dict[int, Range] = {}
        forces = Forces("range", params.propagation, params.smoothness_mm)
        front = Front(self.spec.name, partial(_feature, params=params, ranges=ranges), forces)
        found = grown_fronts(image, prompts, usable(image, within), front, params, run=run)
        facts: dict[str, Any] = {f"low_used_{label}": span.low for label, span in ranges.items()}
        facts |= {f"high_used_{label}": span.high for label, span in ranges.items()}
        return answer(
            self.spec.name,
            image,
            found.labels,
            params,
            table=object_table(found.objects),
            findings=found.findings,
            **facts,
            unit=image.value_unit,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: LevelSetParams) -> int:  # noqa: ARG002
        """That of every front."""
        return front_bytes(grids.values())


@dataclass(frozen=True, slots=True)
class Range:
    """Values that an object may have: lowest, most usual, highest."""

    low: float
    middle: float
    high: float


def accepted_range(field: SeedField, layer: Layer, label: int, params: LevelSetParams) -> Range:
    """Values that an object may have: as given, else those near its seeds, but no farther than half way to the rest.

    Raises
    ------
    ConfigError
        If one limit is given and the seeds' usual value lies beyond it.
    """
    mine = field.markers == label
    near = near_seeds(field, mine, params.start_mm) & (mine | (field.markers == 0))
    values = field.values[near]
    middle, spread = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    below, above = (float(value) for value in np.percentile(values, _ONE_SD))
    first, usual, last = (float(value) for value in np.percentile(layer.values[layer.usable], (1, 50, 99)))
    least = max(_NARROWEST / 2 * (last - first), 1e-6 * max(1.0, abs(middle)))
    half = max(params.multiplier * spread, least)
    low, high = middle - half, middle + half
    if usual < min(below, middle - least):
        low = max(low, min((middle + usual) / 2, below))
    elif usual > max(above, middle + least):
        high = min(high, max((middle + usual) / 2, above))
    low = low if params.low is None else params.low
    high = high if params.high is None else params.high
    if params.low is not None and params.high is not None:
        middle = (low + high) / 2
    if not low < middle < high:
        raise ConfigError(
            f"{LEVEL_SET.spec.name}: values around the seeds of object {label} are about {middle:g}, beyond the limit "
            "given; give both low and high"
        )
    return Range(low, middle, high)


def _feature(
    layer: Layer, field: SeedField, label: int, *, params: LevelSetParams, ranges: dict[int, Range]
) -> NDArray[np.float32]:
    """0 at the most usual value, −1 and 1 at the limits; ITK's speed is 1 minus the size of that."""
    if layer.inside is None:
        ranges[label] = accepted_range(field, layer, label, params)
    else:
        ranges[label] = _half_way(layer, layer.inside, ranges[label], params)
    speed = np.clip(likeness(layer, field, label, ranges[label]), -1, 1)
    if params.advection:
        pull = np.float32(params.advection / params.propagation) * _pull(speed, layer)
        speed = np.clip(speed + pull, -1, 1)
    feature: NDArray[np.float32] = (1 - speed).astype(np.float32, copy=False)
    feature[layer.closed] = _MOST
    return feature


def likeness(layer: Layer, field: SeedField, label: int, span: Range) -> NDArray[np.float32]:
    """(I, J, K) float32: 1 at the range's most usual value, 0 at its limits, below 0 beyond, but for what seeds say.

    Notes
    -----
    It is the difference of two squared distances, over 4: from what is no object and from what is, each the
    least of those from the range and from the nearest seed, in value (half ranges) and in space. As Nieuwenhuis
    and Cremers 2013 (Spatially varying color distributions for interactive multilabel segmentation, IEEE Trans
    Pattern Anal Mach Intell 35(5)) a distance in space counts as a multiple of that to the nearest seed of any
    kind: close to a seed what it says goes for all values, and far from all only values count.
    """
    scaled = layer.values - np.float32(span.middle)
    scaled /= np.where(scaled > 0, span.high - span.middle, span.middle - span.low).astype(np.float32)
    np.clip(scaled, -_MOST, _MOST, out=scaled)
    near, own = _nearest(layer, field, (field.markers == label) & field.usable, scaled)
    inside = np.minimum(np.square(scaled), np.square((scaled - own) / _ALIKE))
    outside = np.square(_MOST - np.abs(scaled))
    others = other_seeds(field, label)
    if others.any():
        far, other = _nearest(layer, field, others, scaled)
        apart = (np.square(far) - np.square(near)) / np.square(_APART * np.minimum(near, far))
        outside = np.minimum(outside, np.square((scaled - other) / _ALIKE) + apart)
    like: NDArray[np.float32] = (outside - inside) / 4
    return like


def _pull(like: NDArray[np.float32], layer: Layer) -> NDArray[np.float32]:
    """Speed outwards of a front that faces the way likeness falls, towards where it falls fastest.

    That is −∇g · n of the geodesic contour: g = 1 / (1 + (gradient / its root mean square)²), n = −∇like / |∇like|.
    """
    slopes = gradient(like, layer.grid.spacing)
    size = magnitude_of(slopes)
    usual = max(float(np.sqrt(np.square(size[layer.usable], dtype=np.float64).mean())), 1e-6)
    stop = 1 / (1 + np.square(size / np.float32(usual)))
    along = np.einsum("d...,d...->...", gradient(stop, layer.grid.spacing), slopes)
    pull: NDArray[np.float32] = along / np.maximum(size, np.float32(1e-6))
    return pull


def _nearest(
    layer: Layer, field: SeedField, seeds: NDArray[np.bool_], values: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Distance of each voxel of a layer from the nearest of the field's seeds, half a voxel at least; its value."""
    from scipy.ndimage import distance_transform_edt

    spacing, free = layer.grid.spacing, np.ones(layer.grid.shape, np.bool_)
    free[layer.places(seeds, field)] = False
    away, index = distance_transform_edt(free, sampling=spacing, return_indices=True)
    return np.maximum(away, min(spacing) / 2).astype(np.float32), values[tuple(index)]


def _half_way(layer: Layer, inside: NDArray[np.bool_], span: Range, params: LevelSetParams) -> Range:
    """A learnt limit towards the surroundings is moved out to half way between both sides of the front.

    Voxels half filled by the object lie there; a range from pure ones alone would leave them out, the more
    the thicker the slices.
    """
    edge = max(layer.grid.spacing)
    away = distance_from(inside, layer.grid.spacing)
    around = layer.usable & (away > 2 * edge) & (away <= 5 * edge)
    if not around.any():
        return span
    middle = (span.middle + float(layer.values[around].mean(dtype=np.float64))) / 2
    low = min(span.low, middle) if params.low is None else span.low
    high = max(span.high, middle) if params.high is None else span.high
    return Range(low, span.middle, high)


LEVEL_SET = LevelSet()
