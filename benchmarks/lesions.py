"""Seconds to find and measure 200 lesions in a 512×512×300 mask, beside one pass over the same mask.

Run: python -m benchmarks.lesions [--intensities]      or, for the error of axes on ellipsoids: --accuracy
"""

import math
import platform
import sys
import time
from collections.abc import Callable

import numpy as np

from medseg.domain import Grid, Image, Label, LabelTable, Quantity, Segmentation
from medseg.domain.plan import LesionPlan
from medseg.masks.diameters import plane_diameters
from medseg.measuring.lesions.measure import find_lesions, measure_lesions

SHAPE, SPACING, COUNT = (512, 512, 300), (0.7, 0.7, 1.25), 200
AIM_SECONDS = 5.0


def scattered() -> Segmentation:
    """Ellipsoids of 3 to 20 mm semi-axes in random directions, one per cell of a lattice."""
    random = np.random.default_rng(0)
    labels = np.zeros(SHAPE, np.uint8)
    cells = [(i, j, k) for i in range(8) for j in range(8) for k in range(4)]
    size = np.array(SHAPE) // (8, 8, 4)
    for cell in random.permutation(len(cells))[:COUNT]:
        low = size * cells[cell]
        index = np.stack(np.indices(size), axis=-1) - (size - 1) / 2
        turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
        inside = (((index * SPACING @ turn) / random.uniform(3, 20, 3)) ** 2).sum(axis=-1) <= 1
        box = tuple(slice(a, a + n) for a, n in zip(low, size, strict=True))
        labels[box] |= inside
    grid = Grid(SHAPE, np.diag([*SPACING, 1.0]), slice_thickness=SPACING[2])
    return Segmentation(labels, grid, LabelTable((Label(1, "lesion"),)))


def timed(call: Callable[[], object]) -> tuple[float, float, object]:
    """Wall seconds, seconds of this process on a CPU (what a busy machine does not stretch), and the result."""
    start, busy = time.perf_counter(), time.process_time()
    result = call()
    return time.perf_counter() - start, time.process_time() - busy, result


def accuracy() -> None:
    """Error of long and short axis on tilted ellipsoids at random places, in in-plane voxel diagonals."""
    random = np.random.default_rng(0)
    print(
        "mean radius in pixels: error of long, of short axis (median, 95th percentile, worst; voxel diagonals)"
    )
    for pixels in (3, 6, 12, 24):
        errors = np.array([ellipsoid_errors(random, pixels) for _ in range(120)])
        parts = [f"{np.median(e):.2f} {np.percentile(e, 95):.2f} {e.max():.2f}" for e in np.abs(errors).T]
        bias = ", ".join(f"{value:+.2f}" for value in errors.mean(axis=0))
        print(f"  {pixels:3d}: long {parts[0]}, short {parts[1]}; mean signed {bias}")


def ellipsoid_errors(random: np.random.Generator, pixels: int) -> tuple[float, float]:
    spacing = random.uniform(0.4, 1.2, 3) * (1, 1, random.uniform(1, 4))
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    own, _ = np.linalg.qr(random.normal(size=(3, 3)))
    semi = pixels * spacing[:2].mean() * np.array([1.4, 1.0, 0.7])
    shape = own @ np.diag(1 / semi**2) @ own.T
    extent = [2 * math.ceil(semi.max() / step) + 3 for step in spacing]
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    # The centre lies in a slice, so that the largest section is among those seen.
    shift = np.array([*random.uniform(-0.5, 0.5, 2), 0.0])
    affine[:3, 3] = affine[:3, :3] @ (shift - np.array(extent) // 2)
    grid = Grid(tuple(extent), affine)  # type: ignore[arg-type]
    points = grid.to_position(np.stack(np.indices(extent), axis=-1))
    found = plane_diameters(np.einsum("...a,ab,...b", points, shape, points) <= 1, grid, 2)
    small, large = np.linalg.eigvalsh((turn.T @ shape @ turn)[:2, :2])
    diagonal = math.hypot(spacing[0], spacing[1])
    if found is None:
        raise ValueError("an ellipsoid of some pixels has a diameter")
    return (found.long - 2 / math.sqrt(small)) / diagonal, (found.short - 2 / math.sqrt(large)) / diagonal


def main() -> None:
    print(
        f"{platform.platform()}, {platform.processor() or platform.machine()}, Python {platform.python_version()}"
    )
    if "--accuracy" in sys.argv:
        accuracy()
        return
    segmentation = scattered()
    images = {}
    if "--intensities" in sys.argv:
        values = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
        images = {"ct": Image(values, segmentation.grid)}
    plan = LesionPlan(rule="rano-2010", minimum_mm3=10)
    small = Segmentation(
        segmentation.labels[:64, :64, :75], Grid((64, 64, 75), np.eye(4)), segmentation.table
    )
    measure_lesions(small, None, plan)  # libraries load outside the clock
    one_wall, one_busy, _ = timed(lambda: np.bincount(segmentation.labels.ravel()))
    find_wall, find_busy, lesions = timed(lambda: find_lesions(segmentation, plan))
    wall, busy, found = timed(lambda: measure_lesions(segmentation, images, plan, lesions))  # type: ignore[arg-type]
    axes = [item for item in found if item.quantity is Quantity.LONGEST_DIAMETER]  # type: ignore[attr-defined]
    print(f"{len(axes)} lesions in {SHAPE}, {len(found)} rows{', with intensities' if images else ''}")  # type: ignore[arg-type]
    print(
        f"find {find_wall:.2f} s, measure {wall:.2f} s, together {find_wall + wall:.2f} s (aim: under {AIM_SECONDS:g} s)"
    )
    print(
        f"of these on a CPU: find {find_busy:.2f} s, measure {busy:.2f} s, together {find_busy + busy:.2f} s"
    )
    print(
        f"one count of the mask: {one_wall:.2f} s, {one_busy:.2f} s on a CPU; ratio {(find_busy + busy) / one_busy:.1f}"
    )


if __name__ == "__main__":
    main()
