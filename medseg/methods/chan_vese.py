"""Chan–Vese: two regions of even values, and the shortest boundary between them in mm."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Finding, Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.errors import InputError
from medseg.masks.seeds import (
    BACKGROUND,
    MOST_VOXELS,
    Seeds,
    field_of,
    margin_field,
    object_table,
    place_seeds,
    require_usable,
    sample_field,
)
from medseg.masks.seeds import Field as SeedField
from medseg.methods.base import answer, only_image, usable
from medseg.methods.otsu import otsu_threshold
from medseg.methods.paths import neighbours
from medseg.methods.seeded import near_seeds, parts_with

__all__ = ["CHAN_VESE", "ChanVese", "ChanVeseParams", "two_regions"]

#: A whole image with more voxels than this is worked on in coarser steps.
_MOST_WHOLE = 4 * MOST_VOXELS
#: Rounds of the solver between two looks at the means.
_INNER = 20
#: Means that move by less than this share of their distance are settled.
_SETTLED = 1e-3


class ChanVeseParams(Params):
    """What may be chosen."""

    smoothness_mm: float = Field(
        1.0,
        ge=0,
        le=1000,
        description="Weight of the boundary's area: a ball of less than three times this radius is "
        "evened out.",
        json_schema_extra={"unit": "mm"},
    )
    side: Literal["above", "below"] = Field(
        "above", description="Without seeds: whether the object is the brighter or the darker region."
    )
    rounds: int = Field(15, ge=1, le=1000, description="How often the two means are taken anew, at most.")
    sample_mm: float = sample_field("With seeds, at first")
    margin_mm: float = margin_field("With seeds")


class ChanVese:
    """Segmenter behind `medseg segment chan-vese`."""

    spec = SegmenterSpec(
        name="chan-vese",
        title="Chan–Vese",
        summary="Two regions of even values with the least boundary in mm between them; edges play no part.",
        source="Chan, Vese 2001, Active contours without edges, IEEE Trans Image Process 10(2); solved as by "
        "Chan, Esedoglu, Nikolova 2006, SIAM J Appl Math 66(5)",
        near_prompts=True,
    )
    Params = ChanVeseParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: ChanVeseParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Start from the prompts in the box around them, else from Otsu's threshold on the whole image.

        With prompts only parts that hold a seed are kept.

        Raises
        ------
        InputError
            If prompts hold several objects, or no seed that may be used; if all values are the same.
        """
        image = only_image(images)
        considered = usable(image, within)
        given = prompts is not None and not prompts.is_empty
        field = _box(image, considered, prompts, params, self.spec.name) if given else _all(image, considered)
        run.check()
        inside, outside = _first_means(field, params, seeded=given)
        seeds = field.markers if given else np.zeros_like(field.markers)
        found, means = two_regions(
            field, seeds, (inside, outside), params.smoothness_mm, params.rounds, run=run
        )
        if given:
            found = parts_with(found, field.markers > 0)
        label = int(field.markers.max()) if given else 1
        return answer(
            self.spec.name,
            image,
            field.restored(np.where(found, np.uint16(label), np.uint16(0))),
            params,
            table=object_table((label,)),
            findings=_said(field, seeded=given),
            mean_inside=means[0],
            mean_outside=means[1],
            unit=image.value_unit,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: ChanVeseParams) -> int:  # noqa: ARG002
        """Markers and masks of the image; of what is worked on the values, three dual fields, and steps."""
        voxels = sum(int(np.prod(grid.shape)) for grid in grids.values())
        return 9 * voxels + 50 * min(voxels, _MOST_WHOLE)


def two_regions(
    field: SeedField,
    seeds: NDArray[np.int32],
    means: tuple[float, float],
    smoothness: float,
    rounds: int,
    *,
    run: Run,
) -> tuple[NDArray[np.bool_], tuple[float, float]]:
    """The region of least energy ∫ in (f − c₁)² + ∫ out (f − c₂)² + smoothness (c₁ − c₂)² area, and c₁, c₂.

    Parameters
    ----------
    field
        Values on their grid; voxels that may not be used are outside, and no boundary is counted there.
    seeds
        (I, J, K) int32: above 0 always inside, below 0 always outside.
    means
        First c₁ (inside) and c₂.
    smoothness
        In the grid's unit. The paper's μ is that times (c₁ − c₂)², so that the contrast does not matter.
    rounds
        How often the means are taken anew, at most.
    run
        Polled each step.

    Returns
    -------
    (I, J, K) bool, and the last means.

    Notes
    -----
    For given means the global minimum, by relaxing the mask to 0…1 (Chan, Esedoglu, Nikolova 2006) and
    primal-dual steps (Chambolle, Pock 2011, algorithm 1), with differences per mm along each axis.

    Raises
    ------
    InputError
        If the means are the same.
    """
    share = np.where(field.usable, np.float32(0.5), np.float32(0))
    dual = [np.zeros_like(field.values[neighbours(axis)[0]]) for axis in range(3)]
    for done in range(rounds):
        pull = _pull(field, seeds, means)
        share = _relaxed(field, share, dual, pull, smoothness, run=run)
        run.progress(done + 1, rounds, "means")
        found = share > 0.5
        new = _means(field, found)
        moved = max(abs(new[0] - means[0]), abs(new[1] - means[1])) if new else 0.0
        if not new or moved <= _SETTLED * abs(means[0] - means[1]):
            break
        means = new
    run.progress(rounds, rounds, "means")
    return share > 0.5, means


def _relaxed(
    field: SeedField,
    share: NDArray[np.float32],
    dual: list[NDArray[np.float32]],
    pull: NDArray[np.float32],
    smoothness: float,
    *,
    run: Run,
) -> NDArray[np.float32]:
    """Some primal-dual steps; `dual` is changed in place."""
    lengths = [np.float32(length) for length in field.grid.spacing]
    # The operator's norm is at most 2 √Σ 1/d²; axes of one voxel have no differences.
    used = [float(n) for n, extent in zip(lengths, share.shape, strict=True) if extent > 1] or [1.0]
    step = np.float32(1 / (2 * np.sqrt(sum(n**-2 for n in used))))
    ahead = share
    for _ in range(_INNER):
        run.check()
        for axis in range(3):
            here, there = neighbours(axis)
            dual[axis] += step / lengths[axis] * (ahead[there] - ahead[here])
            dual[axis] *= field.usable[here] & field.usable[there]
        _shorten(dual, share.shape, smoothness)
        change = -pull.copy()
        for axis, part in enumerate(dual):
            here, there = neighbours(axis)
            change[here] += part / lengths[axis]
            change[there] -= part / lengths[axis]
        new = np.clip(share + step * change, 0, 1)
        new *= field.usable
        ahead = 2 * new - share
        share = new
    return share


def _shorten(dual: list[NDArray[np.float32]], shape: tuple[int, ...], smoothness: float) -> None:
    """Scale vectors to a length of at most `smoothness`; each belongs to the voxel that its links start at."""
    squared = np.zeros(shape, np.float32)
    for axis, part in enumerate(dual):
        squared[neighbours(axis)[0]] += np.square(part)
    scale = np.float32(smoothness) / np.maximum(np.sqrt(squared), np.float32(max(smoothness, 1e-12)))
    for axis in range(3):
        dual[axis] *= scale[neighbours(axis)[0]]


def _pull(field: SeedField, seeds: NDArray[np.int32], means: tuple[float, float]) -> NDArray[np.float32]:
    """Energy of a voxel inside minus outside, over (c₁ − c₂)²; −1 at c₁, 1 at c₂, and far beyond for seeds."""
    inside, outside = means
    if inside == outside:
        raise InputError(
            f"{CHAN_VESE.spec.name} needs two different regions; the values inside and outside have one mean"
        )
    middle, half = (inside + outside) / 2, (inside - outside) / 2
    pull = (np.float32(middle) - field.values) / np.float32(half)
    pull[seeds > 0], pull[seeds < 0] = -1e3, 1e3
    return pull.astype(np.float32, copy=False)


def _means(field: SeedField, found: NDArray[np.bool_]) -> tuple[float, float] | None:
    inside, outside = field.values[found & field.usable], field.values[~found & field.usable]
    if not inside.size or not outside.size:
        return None
    return float(inside.mean(dtype=np.float64)), float(outside.mean(dtype=np.float64))


def _first_means(field: SeedField, params: ChanVeseParams, *, seeded: bool) -> tuple[float, float]:
    if not seeded:
        threshold = otsu_threshold(field.values[field.usable], CHAN_VESE.spec.name)
        above = field.values > threshold
        means = _means(field, above if params.side == "above" else ~above)
        if means is None:
            raise InputError(
                f"{CHAN_VESE.spec.name} needs two different regions; these values are all on one side"
            )
        return means
    # The other region is all the rest: seeds in it often mark what looks like the object.
    near = near_seeds(field, field.markers > 0, params.sample_mm) & (field.markers != BACKGROUND)
    rest = field.usable & ~near
    inside = float(field.values[near].mean(dtype=np.float64))
    outside = float(field.values[rest].mean(dtype=np.float64)) if rest.any() else inside
    return inside, outside


def _box(
    image: Image, considered: NDArray[np.bool_], prompts: Prompts | None, params: ChanVeseParams, method: str
) -> SeedField:
    seeds = place_seeds(prompts, image.grid, method)
    if len(seeds.labels) > 1:
        raise InputError(f"{method} parts an image in two; segment one object at a time, or use graph-cut")
    field = field_of(image, seeds, considered, params.margin_mm)
    require_usable(field, seeds.labels, method)
    return field


def _all(image: Image, considered: NDArray[np.bool_]) -> SeedField:
    """The box around all usable voxels."""
    return field_of(image, Seeds(considered.astype(np.int32), None), considered, 0.0, _MOST_WHOLE)


def _said(field: SeedField, *, seeded: bool) -> tuple[Finding, ...]:
    if seeded or not field.findings:
        return field.findings
    (finding,) = field.findings
    text = finding.message.replace("The box around the seeds", "The image")
    return (Finding(finding.code, finding.severity, text, finding.details),)


CHAN_VESE = ChanVese()
