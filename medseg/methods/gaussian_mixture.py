"""Gaussian mixture with a Markov random field: classes by value, smoothed by what the neighbours are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.methods.base import answer, box_of, class_table, only_image, usable
from medseg.methods.k_means import grouped, k_means_centres
from medseg.methods.mean_field import heard, neighbour_weights, shares

__all__ = ["GAUSSIAN_MIXTURE", "GaussianMixture", "GaussianMixtureParams"]

_Floats = NDArray[np.float64]
_Field = NDArray[np.float32]
#: Rounds of EM on the values alone, before neighbours are heard.
_ROUNDS_ALONE = 200
#: EM has settled when the log-likelihood per voxel grows by less.
_SETTLED = 1e-7
#: A class is no narrower than this share of the range of values: EM would shrink onto equal values.
_NARROWEST = 1e-3
#: Share of the values at each end that classes are not fitted to: a vessel or two would claim a class of their own.
_TAIL = 2e-3
#: Rounds end when no probability moves by more.
_STILL = 1e-2
#: Voxels worked on between two looks at cancel.
_SLAB = 1 << 18


class GaussianMixtureParams(Params):
    """What may be chosen."""

    classes: int = Field(3, ge=2, le=6, description="Number of classes; each is a label, darkest first.")
    smoothness: float = Field(
        4.0,
        ge=0,
        le=50,
        description="Log-odds that a voxel gains for a class when all its neighbours are of it; 0 hears no one.",
    )
    deviations: Literal["equal", "own"] = Field(
        "equal",
        description="One standard deviation for all classes, as the noise of a scanner has; or one for each class.",
    )
    rounds: int = Field(
        10, ge=1, le=100, description="Rounds in which neighbours are heard and the classes estimated again."
    )


class GaussianMixture:
    """Segmenter behind `medseg segment gaussian-mixture`."""

    spec = SegmenterSpec(
        name="gaussian-mixture",
        title="Gaussian mixture with a Markov random field",
        summary="One label per class of normally distributed values, smoothed by the 26 neighbours in true mm.",
        source="Zhang, Brady and Smith 2001, Segmentation of brain MR images through a hidden Markov random "
        "field model and the EM algorithm, IEEE Trans Med Imaging 20(1); mean field as in Zhang 1992, "
        "IEEE Trans Signal Process 40(10)",
    )
    Params = GaussianMixtureParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: GaussianMixtureParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,  # noqa: ARG002 - the protocol's signature
        run: Run,
    ) -> Segmentation:
        """Put every measured voxel inside `within` into its most probable class; label 1 is the darkest.

        EM on the values starts from k-means. Then each round multiplies a voxel's likelihoods by its neighbours'
        probabilities of the round before (mean field) and estimates means, deviations and shares again.

        Raises
        ------
        InputError
            If there are fewer different values than classes.
        """
        image = only_image(images)
        considered = usable(image, within)
        box = box_of(considered)
        values, inside = image.array[box].astype(np.float32), considered[box]
        values[~inside] = 0  # no number there (NaN) would spread to the neighbours
        run.check()
        means, weights = _without_tails(*grouped(values[inside]), params.classes)
        np.clip(values, means[0], means[-1], out=values)
        widths = _Widths(_NARROWEST * float(np.ptp(means)), params.deviations == "equal")
        classes = _fit_values(means, weights, params.classes, widths)
        run.progress(1, params.rounds + 1, "classes by value")
        if params.smoothness > 0:
            start = (classes, widths)
            found, classes = _fit_field(values, inside, start, image.grid.spacing, params=params, run=run)
        else:
            found = _likeliest(values, inside, classes, run)
        run.progress(params.rounds + 1, params.rounds + 1, "classes")
        order = np.argsort(classes.means, kind="stable")
        labels = np.zeros(image.grid.shape, np.uint8)
        labels[box][inside] = np.argsort(order)[found[inside]] + 1
        return answer(
            self.spec.name,
            image,
            labels,
            params,
            table=class_table(params.classes),
            means=_told(classes.means[order]),
            standard_deviations=_told(classes.deviations[order]),
            unit=image.value_unit,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: GaussianMixtureParams) -> int:
        """Probabilities of two rounds (4 bytes per class), a few copies of the values, and work on a slab."""
        voxels = sum(int(np.prod(grid.shape)) for grid in grids.values())
        slab = 12 * params.classes * min(voxels, _SLAB)
        return (8 * params.classes + 16 if params.smoothness > 0 else 15) * voxels + slab


@dataclass(frozen=True, slots=True)
class _Widths:
    """How wide classes may be."""

    narrowest: float
    equal: bool

    def of(self, variances: _Floats, mass: _Floats) -> _Floats:
        """Standard deviations of classes with these variances and masses.

        Free ones may end with a narrow class in the peak of one tissue and a wide one that takes its neighbours.
        """
        if self.equal:
            variances = np.full_like(variances, mass @ variances / mass.sum())
        return np.sqrt(np.maximum(variances, self.narrowest**2))


@dataclass(frozen=True, slots=True, eq=False)
class _Classes:
    """Means, standard deviations and shares of normal distributions."""

    means: _Floats
    deviations: _Floats
    shares: _Floats

    def log_weights(self, values: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
        """Per class with its share, up to a constant that all classes have."""
        for mean, deviation, share in zip(self.means, self.deviations, self.shares, strict=True):
            scaled = (values - values.dtype.type(mean)) / values.dtype.type(deviation)
            yield scaled * scaled * values.dtype.type(-0.5) + values.dtype.type(np.log(share / deviation))


def _told(numbers: _Floats) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


def _without_tails(values: _Floats, weights: _Floats, count: int) -> tuple[_Floats, _Floats]:
    """Grouped values (rising) without those that lie wholly in a tail; all where too few would be left."""
    shares = weights / weights.sum()
    upto = np.cumsum(shares)
    kept = (upto > _TAIL) & (upto - shares < 1 - _TAIL)
    return (values[kept], weights[kept]) if np.count_nonzero(kept) >= count else (values, weights)


def _fit_values(values: _Floats, weights: _Floats, count: int, widths: _Widths) -> _Classes:
    """EM on grouped values (rising) from two starts, k-means and equal steps; the likelier end is kept.

    EM ends in the nearest of several optima: where one class is most of the image, k-means splits that one.
    """
    low, high = np.interp((0.01, 0.99), np.cumsum(weights) / weights.sum(), values)
    starts = (
        k_means_centres(values, weights, count, GAUSSIAN_MIXTURE.spec.name),
        np.linspace(low, high, count),
    )
    found = [_climbed(values, weights, start, widths) for start in starts]
    return max(found, key=lambda item: item[0])[1]


def _climbed(values: _Floats, weights: _Floats, centres: _Floats, widths: _Widths) -> tuple[float, _Classes]:
    """Log-likelihood and classes where EM from these means ends."""
    nearest = np.searchsorted((centres[1:] + centres[:-1]) / 2, values)
    posterior = (nearest == np.arange(len(centres))[:, None]).astype(np.float64)
    classes, likelihood = _estimated(posterior * weights, values, widths), -np.inf
    for _ in range(_ROUNDS_ALONE):
        logs = np.stack(list(classes.log_weights(values)))
        highest = logs.max(axis=0)
        posterior = np.exp(logs - highest)
        sums = posterior.sum(axis=0)
        before, likelihood = likelihood, float(weights @ (highest + np.log(sums)))
        classes = _estimated(posterior / sums * weights, values, widths)
        if likelihood - before < _SETTLED * weights.sum():
            break
    return likelihood, classes


def _estimated(mass: _Floats, values: _Floats, widths: _Widths) -> _Classes:
    """Classes from the mass (classes, N) that each has of each value."""
    total = np.maximum(mass.sum(axis=1), np.finfo(np.float64).tiny)
    means = mass @ values / total
    squares = np.array([m @ (values - mean) ** 2 for m, mean in zip(mass, means, strict=True)]) / total
    return _Classes(means, widths.of(squares, total), np.maximum(total / total.sum(), 1e-6))


def _fit_field(
    values: _Field,
    inside: NDArray[np.bool_],
    start: tuple[_Classes, _Widths],
    spacing: tuple[float, float, float],
    *,
    params: GaussianMixtureParams,
    run: Run,
) -> tuple[NDArray[np.uint8], _Classes]:
    """Mean-field rounds; the index of the most probable class per voxel, and the classes at the end."""
    classes, widths = start
    weights = neighbour_weights(spacing, values.shape)
    posterior = np.zeros((params.classes, *values.shape), np.float32)
    for rows in _slabs(values.shape):
        run.check()
        logs = np.stack(list(classes.log_weights(values[rows])))
        posterior[:, rows] = shares(logs, inside[rows])
    for done in range(params.rounds):
        update = np.empty_like(posterior)
        for rows in _slabs(values.shape):
            run.check()
            logs = np.stack(list(classes.log_weights(values[rows])))
            logs += np.float32(params.smoothness) * heard(posterior, rows, weights)
            update[:, rows] = shares(logs, inside[rows])
        moved = float(np.abs(update - posterior).max())
        posterior = update
        classes = _from_posterior(values, posterior, widths, run)
        run.progress(done + 2, params.rounds + 1, "neighbours heard")
        if moved < _STILL:
            break
    return np.argmax(posterior, axis=0).astype(np.uint8), classes


def _from_posterior(values: _Field, posterior: _Field, widths: _Widths, run: Run) -> _Classes:
    sums = np.zeros((3, len(posterior)))
    middle = float(values.mean(dtype=np.float64))
    for rows in _slabs(values.shape):
        run.check()
        part = values[rows].astype(np.float64).ravel() - middle
        for number, one in enumerate(posterior[:, rows].reshape(len(posterior), -1).astype(np.float64)):
            sums[:, number] += one.sum(), one @ part, one @ (part * part)
    total = np.maximum(sums[0], np.finfo(np.float64).tiny)
    means = sums[1] / total
    deviations = widths.of(sums[2] / total - means**2, total)
    return _Classes(means + middle, deviations, np.maximum(total / total.sum(), 1e-6))


def _likeliest(values: _Field, inside: NDArray[np.bool_], classes: _Classes, run: Run) -> NDArray[np.uint8]:
    found = np.zeros(values.shape, np.uint8)
    for rows in _slabs(values.shape):
        run.check()
        found[rows] = np.argmax(list(classes.log_weights(values[rows])), axis=0)
    found *= inside
    return found


def _slabs(shape: tuple[int, ...]) -> Iterator[slice]:
    """Rows of the first axis, about `_SLAB` voxels at a time."""
    step = max(1, _SLAB // max(1, shape[1] * shape[2]))
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0]))


GAUSSIAN_MIXTURE = GaussianMixture()
