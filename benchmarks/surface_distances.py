"""Surface distances of 24 labels on 256³ against DeepMind's surface-distance package: a ratio in one process.

Both get the same label arrays and give HD, HD95, average distances and surface Dice per label; figures must agree
to 1e-6. The package sees one mask of a label at a time, as its interface asks.

Run: pip install surface-distance==0.1 && python -m benchmarks.surface_distances
"""

import platform
import time
import warnings

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, LabelTable, Quantity, Segmentation
from medseg.metrics import evaluate

SIZE, LABELS, TOLERANCE = 256, 24, 2.0
SPACING = (0.8, 0.8, 1.5)


def label_arrays() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Ellipsoids of 12 to 36 voxels radius on a lattice, and the same ones moved and swollen by up to 3 voxels."""
    rng = np.random.default_rng(0)
    reference, prediction = (np.zeros((SIZE,) * 3, np.uint8) for _ in range(2))
    places = [(i, j, k) for i in (44, 128, 212) for j in (44, 128, 212) for k in (44, 128, 212)][:LABELS]
    for value, place in enumerate(places, start=1):
        radii = rng.uniform(12, 36, 3)
        _fill(reference, np.array(place), radii, value)
        _fill(prediction, place + rng.integers(-3, 4, 3), radii + rng.uniform(-3, 3, 3), value)
    return prediction, reference


def _fill(
    labels: NDArray[np.uint8], centre: NDArray[np.int64], radii: NDArray[np.float64], value: int
) -> None:
    axes = np.ogrid[:SIZE, :SIZE, :SIZE]
    distance = sum(((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radii, strict=True))
    labels[distance <= 1] = value


def theirs(prediction: NDArray[np.uint8], reference: NDArray[np.uint8]) -> list[tuple[float, ...]]:
    from surface_distance import metrics

    rows: list[tuple[float, ...]] = []
    for value in range(1, LABELS + 1):
        found = metrics.compute_surface_distances(reference == value, prediction == value, SPACING)
        rows.append(
            (
                metrics.compute_robust_hausdorff(found, 100),
                metrics.compute_robust_hausdorff(found, 95),
                metrics.compute_surface_dice_at_tolerance(found, TOLERANCE),
            )
        )
    return rows


def ours(prediction: Segmentation, reference: Segmentation) -> list[tuple[float, ...]]:
    found = evaluate(prediction=prediction, reference=reference, tolerance_mm=TOLERANCE)
    wanted = (Quantity.HD, Quantity.HD95, Quantity.SURFACE_DICE)
    values = {(item.target.labels, item.quantity): float(item.value or 0) for item in found}
    return [tuple(values[(value,), quantity] for quantity in wanted) for value in range(1, LABELS + 1)]


def main() -> None:
    warnings.simplefilter("ignore")  # the package calls names that SciPy has moved
    prediction, reference = label_arrays()
    grid = Grid((SIZE,) * 3, np.diag([*SPACING, 1.0]))
    table = LabelTable.from_values(tuple(range(1, LABELS + 1)))
    pair = (Segmentation(prediction, grid, table), Segmentation(reference, grid, table))
    tiny = np.pad(np.ones((2, 2, 2), np.uint8), 1)
    ours(
        *(Segmentation(tiny, Grid((4, 4, 4), np.eye(4)), table) for _ in range(2))
    )  # loads what either needs
    start = time.perf_counter()
    mine = ours(*pair)
    middle = time.perf_counter()
    package = theirs(prediction, reference)
    end = time.perf_counter()
    worst = float(np.abs(np.array(mine) - np.array(package)).max())
    print(f"{platform.platform()}, {platform.processor() or 'unknown processor'}, NumPy {np.__version__}")
    print(f"{LABELS} labels on {SIZE}³ at {SPACING} mm, largest difference {worst:.1e}")
    print(
        f"medseg.metrics.evaluate {middle - start:.2f} s (all its quantities), surface-distance {end - middle:.2f} s, "
        f"{(end - middle) / (middle - start):.1f} times faster (aim: at least 5)"
    )


if __name__ == "__main__":
    main()
