"""Level set: a front grows from seeds through a range of values, and curvature keeps it smooth."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.errors import ConfigError
from medseg.methods.base import answer, only_image, usable
from medseg.methods.fronts import NODES, Forces, Layer, Start, grown_fronts
from medseg.methods.objects import object_table
from medseg.methods.seeded import distance_from, expected_voxels, reach
from medseg.methods.seeds import Field as SeedField

__all__ = ["LEVEL_SET", "LevelSet", "LevelSetParams", "Range", "accepted_range"]

#: A range is at least this share of the box's values (1st to 99th percentile) wide: seeds in even tissue.
_NARROWEST = 0.05
#: Features beyond this push back as hard as they may.
_MOST = 2.0


class LevelSetParams(Params):
    """What may be chosen."""

    low: float | None = Field(
        None,
        description="Lowest value that the front grows through; from the values around the seeds without it.",
        json_schema_extra={"unit": "unit of the image"},
    )
    high: float | None = Field(
        None,
        description="Highest value that the front grows through; from the values around the seeds without it.",
        json_schema_extra={"unit": "unit of the image"},
    )
    multiplier: float = Field(
        2.5,
        gt=0,
        le=100,
        description="Half the range around the seeds' mean, in standard deviations, where no limit is given.",
    )
    propagation: float = Field(
        1.0, gt=0, le=100, description="Weight of the range's push: out inside the range, back outside it."
    )
    smoothness_mm: float = Field(
        0.5,
        ge=0,
        le=100,
        description="Weight of curvature: bumps and necks of less than about twice this radius are evened.",
        json_schema_extra={"unit": "mm"},
    )
    start_mm: float = Field(
        3.0,
        gt=0,
        le=100,
        description="Radius of the ball around each seed that the front starts from and learns values in.",
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
        if params.low is not None and params.high is not None and params.low >= params.high:
            raise ConfigError(
                f"level-set: low = {params.low:g} is not below high = {params.high:g}, so nothing is between"
            )
        image = only_image(images)
        start = Start(self.spec.name, params.margin_mm, params.start_mm, params.steps)
        forces = Forces("range", params.propagation, params.smoothness_mm)
        ranges: dict[int, Range] = {}
        feature = partial(_feature, params=params, ranges=ranges)
        found = grown_fronts(image, prompts, usable(image, within), feature, forces, start=start, run=run)
        facts: dict[str, Any] = {f"low_used_{label}": span.low for label, span in ranges.items()}
        facts |= {f"high_used_{label}": span.high for label, span in ranges.items()}
        return answer(
            self.spec.name,
            image,
            found.labels,
            params,
            table=object_table(found.seeds.labels),
            findings=found.findings,
            **facts,
            unit=image.value_unit,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: LevelSetParams) -> int:  # noqa: ARG002
        """Markers and masks of the image, and the box's fronts, features and what ITK keeps of both."""
        voxels, box = expected_voxels(grids.values())
        return 9 * voxels + 10 * box + 100 * min(box, NODES[-1])


@dataclass(frozen=True, slots=True)
class Range:
    """Values that an object may have: lowest, most usual, highest."""

    low: float
    middle: float
    high: float


def accepted_range(field: SeedField, label: int, params: LevelSetParams) -> Range:
    """Values that an object may have: as given, else mean ± multiplier × SD near its seeds.

    Raises
    ------
    ConfigError
        If one limit is given and the seeds' mean lies beyond it.
    """
    spacing = field.grid.spacing
    near = distance_from((field.markers == label) & field.usable, spacing) <= reach(params.start_mm, spacing)
    near &= field.usable & ((field.markers == label) | (field.markers == 0))
    values = field.values[near]
    mean, spread = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    first, last = np.percentile(field.values[field.usable], (1, 99))
    least = max(_NARROWEST / 2 * float(last - first), 1e-6 * max(1.0, abs(mean)))
    half = max(params.multiplier * spread, least)
    low, high = _before(field.values[field.usable & ~near], mean, (spread, least, half))
    low = low if params.low is None else params.low
    high = high if params.high is None else params.high
    if params.low is not None and params.high is not None:
        mean = (low + high) / 2
    if not low < mean < high:
        raise ConfigError(
            f"level-set: values around the seeds of object {label} are about {mean:g}, beyond the limit given; "
            "give both low and high"
        )
    return Range(low, mean, high)


def _before(
    others: NDArray[np.float32], mean: float, widths: tuple[float, float, float]
) -> tuple[float, float]:
    """Mean ± the last width, but no farther than half way to the median of the rest of the box.

    Where that lies among the seeds' own values (within the first width), it says nothing.
    """
    spread, least, half = widths
    low, high = mean - half, mean + half
    usual = float(np.median(others)) if others.size else mean
    if usual < mean - spread:
        low = max(low, min((mean + usual) / 2, mean - spread, mean - least))
    elif usual > mean + spread:
        high = min(high, max((mean + usual) / 2, mean + spread, mean + least))
    return low, high


def _feature(
    layer: Layer, field: SeedField, label: int, *, params: LevelSetParams, ranges: dict[int, Range]
) -> NDArray[np.float32]:
    """0 at the most usual value, −1 and 1 at the limits; ITK's speed is 1 minus the size of that."""
    if label not in ranges:
        ranges[label] = accepted_range(field, label, params)
    if layer.inside is not None:
        ranges[label] = _half_way(layer, layer.inside, ranges[label], params)
    span = ranges[label]
    scaled = layer.values - np.float32(span.middle)
    scaled /= np.where(scaled > 0, span.high - span.middle, span.middle - span.low).astype(np.float32)
    scaled[layer.closed] = _MOST
    # A far value must not outrun curvature.
    feature: NDArray[np.float32] = np.clip(scaled, -_MOST, _MOST).astype(np.float32, copy=False)
    return feature


def _half_way(layer: Layer, inside: NDArray[np.bool_], span: Range, params: LevelSetParams) -> Range:
    """A learnt limit towards the surroundings is moved out to half way between both sides of the front.

    Voxels half filled by the object lie there; a range from pure ones alone would leave them out, the more
    the thicker the slices.
    """
    edge = max(layer.grid.spacing)
    away = distance_from(inside, layer.grid.spacing)
    around = layer.usable & (away > 2 * edge) & (away <= 5 * edge)
    own = inside & layer.usable
    if not around.any() or not own.any():
        return span
    usual = float(layer.values[own].mean(dtype=np.float64))
    middle = (usual + float(layer.values[around].mean(dtype=np.float64))) / 2
    low = min(span.low, middle) if params.low is None else span.low
    high = max(span.high, middle) if params.high is None else span.high
    return Range(low, span.middle, high)


LEVEL_SET = LevelSet()
