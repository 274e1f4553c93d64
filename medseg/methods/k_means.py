"""k-means: classes whose values lie nearest to the class's mean."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.extras import require_extra
from medseg.methods.base import answer, class_table, only_image, require_values, usable

__all__ = ["K_MEANS", "KMeans", "KMeansParams", "grouped", "k_means_centres"]

#: Values are put into at most this many groups of equal size first: what is clustered does not grow with the image.
_GROUPS = 4096
#: Of more values every second, third, … is taken: sorting them all would take longer than a user's patience.
_MOST_SORTED = 1 << 22
#: Lloyd's rounds; on so few groups it settles long before.
_ROUNDS = 300


class KMeansParams(Params):
    """What may be chosen."""

    classes: int = Field(3, ge=2, le=8, description="Number of classes; each is a label, darkest first.")


class KMeans:
    """Segmenter behind `medseg segment k-means`."""

    spec = SegmenterSpec(
        name="k-means",
        title="k-means clustering",
        summary="One label per class, each voxel in the class whose mean is nearest; darkest class first.",
        source="Lloyd 1982, Least squares quantization in PCM, IEEE Trans Inf Theory 28(2)",
    )
    Params = KMeansParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: KMeansParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,  # noqa: ARG002 - the protocol's signature
        run: Run,
    ) -> Segmentation:
        """Put every measured voxel inside `within` into a class; label 1 is the darkest.

        Raises
        ------
        InputError
            If there are fewer different values than classes.
        """
        image = only_image(images)
        considered = usable(image, within)
        run.check()
        means, weights = grouped(image.array[considered])
        run.check()
        centres = k_means_centres(means, weights, params.classes)
        labels = considered.astype(np.uint8)
        for done, threshold in enumerate((centres[1:] + centres[:-1]) / 2):
            run.check()
            labels += considered & (image.array > threshold)
            run.progress(done + 1, params.classes - 1, "class")
        shown = ", ".join(f"{item:g}" for item in centres)
        return answer(
            self.spec.name,
            image,
            labels,
            params,
            table=class_table(params.classes),
            means=shown,
            unit=image.value_unit,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: KMeansParams) -> int:  # noqa: ARG002
        """Values considered and two masks (6 bytes per voxel), and at most so many sorted with copies."""
        voxels = sum(int(np.prod(grid.shape)) for grid in grids.values())
        return 6 * voxels + 10 * min(voxels, _MOST_SORTED)


def grouped(values: NDArray[np.number]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means (rising) and sizes of at most `_GROUPS` groups of neighbouring values, of about equal size.

    Equal values are never torn apart, so an image with few values (8 bits) is grouped without loss. A long tail
    does not coarsen the rest, as bins of equal width would. Of more than `_MOST_SORTED` values an even sample is
    taken, the same every time. An empty array gives two empty ones.
    """
    sample = values.ravel()[:: max(1, -(-values.size // _MOST_SORTED))]
    ordered = np.sort(sample.astype(np.float32))
    if ordered.size == 0:
        return np.zeros(0), np.zeros(0)
    starts = np.unique(
        np.linspace(0, ordered.size, min(_GROUPS, ordered.size), endpoint=False).astype(np.int64)
    )
    starts = np.unique(np.searchsorted(ordered, ordered[starts], side="left"))
    counts = np.diff(np.append(starts, ordered.size)).astype(np.float64)
    return np.add.reduceat(ordered, starts, dtype=np.float64) / counts, counts


def k_means_centres(
    means: NDArray[np.float64], weights: NDArray[np.float64], classes: int, method: str = "k-means"
) -> NDArray[np.float64]:
    """(classes,) means of the classes, rising; the best of two starts, so the same values give the same answer.

    Lloyd's rounds end in the nearest of several optima. They start once from the quantiles (classes of equal
    size) and once from equal steps between the lowest and highest value, and the tighter result is kept. `method`
    is named where there are too few values.

    Raises
    ------
    InputError
        If there are fewer different values than classes.

    Examples
    --------
    >>> k_means_centres(np.array([0.0, 1, 9]), np.array([1.0, 1, 1]), 2).round(6).tolist()
    [0.5, 9.0]
    """
    require_extra("k-means", method)
    from sklearn.cluster import KMeans as Lloyd

    require_values(np.unique(means).size, classes, method)
    scale = float(np.ptp(means))
    points = ((means - means[0]) / scale)[:, None]
    shares = (np.arange(classes) + 0.5) / classes
    quantiles = np.interp(shares, (np.cumsum(weights) - weights / 2) / weights.sum(), points[:, 0])
    found = []
    for start in (quantiles, shares):
        fitted = Lloyd(classes, init=start[:, None], n_init=1, max_iter=_ROUNDS, tol=0).fit(
            points, sample_weight=weights
        )
        found.append((fitted.inertia_, np.sort(fitted.cluster_centers_[:, 0])))
    best = min(found, key=lambda item: item[0])[1]
    return np.asarray(best * scale + means[0], np.float64)


K_MEANS = KMeans()
