"""Random walker: each voxel goes to the seed that a walk from it, shy of edges, most likely meets first."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.geometry.resample import resample
from medseg.masks.seeds import (
    BACKGROUND,
    box_is_background_field,
    field_of,
    margin_field,
    object_table,
    place_seeds,
    require_usable,
)
from medseg.masks.seeds import Field as SeedField
from medseg.methods.base import answer, only_image, require_contrast, usable
from medseg.methods.edges import smoothed_image
from medseg.methods.harmonic import harmonic
from medseg.methods.likeness import NODES, Likeness, likeness_of
from medseg.methods.links import links, typical_difference
from medseg.methods.objects import background_markers, cut_by_box
from medseg.methods.paths import Edges
from medseg.methods.seeded import distance_from, expected_voxels, parts_with, reach

__all__ = ["RANDOM_WALKER", "RandomWalker", "RandomWalkerParams"]

#: A link is never weaker than this share of the strongest, so that every walk ends.
_LEAST = 1e-5
_COARSE_ROUNDS, _FINE_ROUNDS = 600, 12


class RandomWalkerParams(Params):
    """What may be chosen."""

    sigma: float | None = Field(
        None,
        gt=0,
        description="Difference between neighbours that still counts as noise; half the root mean square of "
        "the box where none is given. The paper's beta is 1 / (2 sigma²).",
        json_schema_extra={"unit": "unit of the image"},
    )
    sigma_mm: float = Field(
        0.5,
        ge=0,
        le=50,
        description="Standard deviation of the Gaussian that smooths before differences are taken.",
        json_schema_extra={"unit": "mm"},
    )
    seed_mm: float = Field(
        3.0,
        ge=0,
        le=100,
        description="Radius that seeds are widened to, at least by a voxel: walks hardly ever meet a single one.",
        json_schema_extra={"unit": "mm"},
    )
    prior_mm: float = Field(
        15.0,
        gt=0,
        le=1e6,
        description="Length of a walk between equal values after which, if it met no seed, it ends by what its "
        "value is like; twice that where there are seeds of object and background. Larger trusts seeds alone.",
        json_schema_extra={"unit": "mm"},
    )
    margin_mm: float = margin_field()
    box_is_background: bool = box_is_background_field()


class RandomWalker:
    """Segmenter behind `medseg segment random-walker`."""

    spec = SegmenterSpec(
        name="random-walker",
        title="Random walker",
        summary="Each voxel goes to the seed that a random walk, shy of edges, most likely meets first.",
        source="Grady 2006, Random walks for image segmentation, IEEE Trans PAMI 28(11); what values say without a "
        "seed near: Grady 2005, Multilabel random walker image segmentation using prior models, CVPR",
        kind="prompted",
        needs_prompts=True,
        near_prompts=True,
    )
    Params = RandomWalkerParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: RandomWalkerParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Solve the walk on a coarse grid of the box around the seeds, then refine it on the box itself.

        Raises
        ------
        InputError
            If there is no seed in an object or none in the background, an object's seeds may not be used, or
            the box holds one value only.
        """
        image = only_image(images)
        seeds = place_seeds(prompts, image.grid, self.spec.name)
        objects = seeds.labels
        considered = usable(image, within)
        fine = field_of(image, seeds, considered, params.margin_mm)
        coarse = field_of(image, seeds, considered, params.margin_mm, NODES)
        require_usable(coarse, seeds.labels, self.spec.name)
        require_contrast(fine.values[fine.usable], self.spec.name, "box around the seeds")
        run.check()
        walks = [_Walk.on(field, params) for field in (coarse, fine)]
        prior = _Prior.on((fine, coarse), walks[0].markers, objects, _trusted(params, prompts), run)
        run.progress(1, 2 + len(objects), "links")
        # The background's chance is what the objects leave; it stands first and wins ties.
        best = np.full(fine.values.shape, 0.0, np.float32)
        left = np.ones_like(best)
        labels = np.zeros(best.shape, np.uint16)
        for done, label in enumerate(objects):
            chance = _chance(walks, (coarse, fine), label, prior, run)
            left -= chance
            labels[chance > best] = label
            np.maximum(best, chance, out=best)
            run.progress(2 + done, 2 + len(objects), "walks")
        labels[(left >= best) | ~fine.usable] = 0
        labels = _kept(labels, fine.markers, objects)
        said = cut_by_box(labels) if params.box_is_background else ()
        run.progress(2 + len(objects), 2 + len(objects), "walks")
        return answer(
            self.spec.name,
            image,
            fine.restored(labels),
            params,
            table=object_table(objects),
            findings=(*fine.findings, *said),
            sigma_used=walks[1].sigma,
            unit=image.value_unit,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: RandomWalkerParams) -> int:  # noqa: ARG002
        """Markers and masks of the image; the box's links, chances and what the solver keeps."""
        voxels, box = expected_voxels(grids.values())
        return 9 * voxels + 100 * box


@dataclass(frozen=True, slots=True, eq=False)
class _Walk:
    """Links and markers of one field."""

    weights: Edges
    markers: NDArray[np.int32]
    sigma: float

    @classmethod
    def on(cls, field: SeedField, params: RandomWalkerParams) -> "_Walk":
        """Weights fall with the square of a link's length, so that a walk spreads alike along all axes."""
        values = smoothed_image(field.values, field.usable, field.grid.spacing, params.sigma_mm)
        # Parts that do not touch may be even, each in itself.
        sigma = params.sigma or typical_difference(values, field.usable) / 2 or 1.0
        shortest = min(field.grid.spacing)
        first, second, third = (
            np.where(weight > 0, np.maximum(weight, np.float32(_LEAST)), np.float32(0))
            * np.float32((shortest / length) ** 2)
            for weight, length in zip(links(values, field.usable, sigma), field.grid.spacing, strict=True)
        )
        markers = background_markers(
            replace(field, markers=_widened(field, params.seed_mm)),
            RANDOM_WALKER.spec.name,
            box_is_background=params.box_is_background,
        )
        return cls((first, second, third), np.where(field.usable, markers, BACKGROUND), sigma)


def _widened(field: SeedField, radius: float) -> NDArray[np.int32]:
    """Markers of balls around the seeds; where two meet, the nearer seed's, and between equals the lower's."""
    kinds = np.unique(field.markers[field.markers != 0])
    widest = reach(radius, field.grid.spacing) if radius else 0.0
    nearest = np.full(field.markers.shape, np.float32(widest * (1 + 1e-6)), np.float32)
    wide = field.markers.copy()
    for kind in kinds:
        away = distance_from(field.markers == kind, field.grid.spacing)
        near = (away < nearest) & (field.markers == 0)
        wide[near], nearest[near] = kind, away[near]
    return wide


def _trusted(params: RandomWalkerParams, prompts: Prompts | None) -> float:
    """Length after which values decide: twice as long where seeds of both kinds say what a walk may meet."""
    kinds: set[bool] = set()
    if prompts is not None:
        kinds = {point.positive for point in prompts.points} | {stroke.positive for stroke in prompts.strokes}
    return params.prior_mm * max(1, len(kinds))


def _kept(
    labels: NDArray[np.uint16], markers: NDArray[np.int32], objects: tuple[int, ...]
) -> NDArray[np.uint16]:
    """Parts that hold a seed of their object: values alone may speak for places that no walk connects."""
    found = np.zeros_like(labels)
    for label in objects:
        found[parts_with(labels == label, markers == label)] = label
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Prior:
    """What values say where a walk meets no seed for `length`.

    Grady 2005, Multilabel random walker image segmentation using prior models, CVPR: every voxel is linked to
    seeds of all sides besides, by how likely its value is there. Own: the weight is that of a length, and of
    how far values tell object and background apart.
    """

    likeness: Likeness
    labels: tuple[int, ...]
    length: float

    @classmethod
    def on(
        cls,
        fields: tuple[SeedField, SeedField],
        markers: NDArray[np.int32],
        labels: tuple[int, ...],
        length: float,
        run: Run,
    ) -> "_Prior":
        sigma = typical_difference(fields[0].values, fields[0].usable)
        return cls(likeness_of(fields, markers, labels, sigma, run), labels, length)

    def pull(self, field: SeedField, label: int) -> tuple[NDArray[np.float32], float]:
        """Chance of an object by value, and the weight of its link where the shortest link between equals has 1."""
        chance = self.likeness.chance(1 + self.labels.index(label), field.values)
        return chance, self.likeness.separation * (min(field.grid.spacing) / self.length) ** 2


def _chance(
    walks: list[_Walk], fields: tuple[SeedField, SeedField], label: int, prior: _Prior, run: Run
) -> NDArray[np.float32]:
    """(I, J, K) chance 0…1 on the fine field that a walk meets a seed of `label` first."""
    coarse, fine = walks
    start = (coarse.markers == label).astype(np.float32)
    pull = prior.pull(fields[0], label)
    chance = harmonic(coarse.weights, coarse.markers != 0, start, rounds=_COARSE_ROUNDS, run=run, pull=pull)
    if fields[0].step == fields[1].step:
        return chance
    guess = resample(chance, fields[0].grid, fields[1].grid).astype(np.float32)
    fixed = fine.markers != 0
    guess[fixed] = (fine.markers == label)[fixed]
    pull = prior.pull(fields[1], label)
    return harmonic(fine.weights, fixed, guess, rounds=_FINE_ROUNDS, run=run, pull=pull)


RANDOM_WALKER = RandomWalker()
