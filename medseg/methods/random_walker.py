"""Random walker: each voxel goes to the seed that a walk from it, shy of edges, most likely meets first."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.errors import InputError
from medseg.geometry.resample import resample
from medseg.methods.base import answer, only_image, usable
from medseg.methods.edges import smoothed
from medseg.methods.links import links, typical_difference
from medseg.methods.objects import background_markers, cut_by_box, object_table
from medseg.methods.paths import Edges, neighbours
from medseg.methods.seeded import distance_from, expected_voxels, reach
from medseg.methods.seeds import BACKGROUND, field_of, place_seeds
from medseg.methods.seeds import Field as SeedField

__all__ = ["NODES", "RANDOM_WALKER", "RandomWalker", "RandomWalkerParams", "harmonic"]

#: A walk is solved on at most so many nodes; the box is refined from there.
NODES = 40**3
#: A link is never weaker than this share of the strongest, so that every walk ends.
_LEAST = 1e-5
_COARSE_ROUNDS, _FINE_ROUNDS = 600, 12
_ENOUGH = 1e-4


class RandomWalkerParams(Params):
    """What may be chosen."""

    sigma: float | None = Field(
        None,
        gt=0,
        description="Difference between neighbours that still counts as noise; half the root mean square of "
        "the box without it. The paper's beta is 1 / (2 sigma²).",
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
    margin_mm: float = Field(
        45.0,
        ge=0,
        le=500,
        description="How far beyond the seeds the object may reach: size of the box that is worked in.",
        json_schema_extra={"unit": "mm"},
    )
    box_is_background: bool = Field(
        default=True, description="Whether the faces of the box around the seeds are background."
    )


class RandomWalker:
    """Segmenter behind `medseg segment random-walker`."""

    spec = SegmenterSpec(
        name="random-walker",
        title="Random walker",
        summary="Each voxel goes to the seed that a random walk, shy of edges, most likely meets first.",
        source="Grady 2006, Random walks for image segmentation, IEEE Trans PAMI 28(11)",
        kind="prompted",
        needs_prompts=True,
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
        considered = usable(image, within)
        fine = field_of(image, seeds, considered, params.margin_mm)
        coarse = field_of(image, seeds, considered, params.margin_mm, NODES)
        run.check()
        walks = [_Walk.on(field, params) for field in (coarse, fine)]
        run.progress(1, 2 + len(seeds.labels), "links")
        # The background's chance is what the objects leave; it stands first and wins ties.
        best = np.full(fine.values.shape, 0.0, np.float32)
        left = np.ones_like(best)
        labels = np.zeros(best.shape, np.uint16)
        for done, label in enumerate(seeds.labels):
            chance = _chance(walks, (coarse, fine), label, run)
            left -= chance
            labels[chance > best] = label
            np.maximum(best, chance, out=best)
            run.progress(2 + done, 2 + len(seeds.labels), "walks")
        labels[(left >= best) | ~fine.usable] = 0
        said = cut_by_box(labels) if params.box_is_background else ()
        run.progress(2 + len(seeds.labels), 2 + len(seeds.labels), "walks")
        return answer(
            self.spec.name,
            image,
            fine.restored(labels),
            params,
            table=object_table(seeds.labels),
            findings=(*fine.findings, *said),
            sigma_used=walks[1].sigma,
            unit=image.value_unit,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: RandomWalkerParams) -> int:  # noqa: ARG002
        """Markers and masks of the image; the box's links, chances and what the solver keeps."""
        voxels, box = expected_voxels(grids.values())
        return 9 * voxels + 70 * box


def harmonic(
    weights: Edges,
    fixed: NDArray[np.bool_],
    start: NDArray[np.float32],
    *,
    rounds: int,
    run: Run,
) -> NDArray[np.float32]:
    """Values that are the weighted mean of their neighbours' wherever they are not fixed.

    Parameters
    ----------
    weights
        Of the links along each axis, at least 0; a voxel without links keeps its start.
    fixed
        (I, J, K) bool: where `start` holds.
    start
        (I, J, K) float32: values where fixed, a guess elsewhere.
    rounds
        At most; it ends before when the residual is 1e-4 of the first.
    run
        Polled each round.

    Returns
    -------
    (I, J, K) float32. Memory: seven arrays of that kind.

    Notes
    -----
    Conjugate gradients with the diagonal as preconditioner (Hestenes, Stiefel 1952), without a matrix.

    Examples
    --------
    >>> line = np.array([0, 0, 0, 0, 8], np.float32)[:, None, None]
    >>> ends = np.array([1, 0, 0, 0, 1], np.bool_)[:, None, None]
    >>> links = np.ones((4, 1, 1), np.float32), np.ones((5, 0, 1), np.float32), np.ones((5, 1, 0), np.float32)
    >>> harmonic(links, ends, line, rounds=9, run=Run()).ravel().round(3).tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    free = ~fixed
    total = np.zeros_like(start)
    for axis, weight in enumerate(weights):
        here, there = neighbours(axis)
        total[here] += weight
        total[there] += weight
    free &= total > 0
    scale = np.where(free, 1 / np.where(free, total, np.float32(1)), np.float32(0))
    values = start.copy()
    residual = -_flow(weights, values)
    residual *= free
    step = scale * residual
    energy = first = float(np.vdot(residual, step))
    for _ in range(rounds):
        if energy <= _ENOUGH**2 * first or energy == 0:
            break
        run.check()
        flow = _flow(weights, step)
        flow *= free
        length = energy / max(float(np.vdot(step, flow)), 1e-30)
        values += np.float32(length) * step
        residual -= np.float32(length) * flow
        preferred = scale * residual
        before, energy = energy, float(np.vdot(residual, preferred))
        step *= np.float32(energy / before)
        step += preferred
    return values


def _flow(weights: Edges, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """What flows out of each voxel: the graph's Laplacian times the values."""
    out = np.zeros_like(values)
    for axis, weight in enumerate(weights):
        here, there = neighbours(axis)
        part = (values[here] - values[there]) * weight
        out[here] += part
        out[there] -= part
    return out


class _Walk:
    """Links and markers of one field."""

    def __init__(self, weights: Edges, markers: NDArray[np.int32], sigma: float) -> None:
        self.weights, self.markers, self.sigma = weights, markers, sigma

    @classmethod
    def on(cls, field: SeedField, params: RandomWalkerParams) -> "_Walk":
        """Weights fall with the square of a link's length, so that a walk spreads alike along all axes."""
        values = smoothed(field.values, field.usable, field.grid.spacing, params.sigma_mm)
        sigma = params.sigma or typical_difference(values, field.usable) / 2
        if sigma == 0:
            raise InputError(
                "random-walker needs different values; the box around these seeds holds a single one"
            )
        shortest = min(field.grid.spacing)
        first, second, third = (
            np.where(weight > 0, np.maximum(weight, np.float32(_LEAST)), np.float32(0))
            * np.float32((shortest / length) ** 2)
            for weight, length in zip(links(values, field.usable, sigma), field.grid.spacing, strict=True)
        )
        markers = background_markers(
            replace(field, markers=_widened(field, params.seed_mm)),
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


def _chance(
    walks: list[_Walk], fields: tuple[SeedField, SeedField], label: int, run: Run
) -> NDArray[np.float32]:
    """(I, J, K) chance 0…1 on the fine field that a walk meets a seed of `label` first."""
    coarse, fine = walks
    if not (coarse.markers == label).any():
        raise InputError(f"random-walker: the seeds of object {label} lie outside --within or the boxes")
    start = (coarse.markers == label).astype(np.float32)
    chance = harmonic(coarse.weights, coarse.markers != 0, start, rounds=_COARSE_ROUNDS, run=run)
    if fields[0].step == fields[1].step:
        return chance
    guess = resample(chance, fields[0].grid, fields[1].grid).astype(np.float32)
    fixed = fine.markers != 0
    guess[fixed] = (fine.markers == label)[fixed]
    return harmonic(fine.weights, fixed, guess, rounds=_FINE_ROUNDS, run=run)


RANDOM_WALKER = RandomWalker()
