"""Seconds that the seeded methods take on a box of 96³ voxels: `python -m benchmarks.seeded_boxes`.

Warm: the first call, which imports libraries and starts the process of its own, does not count. The ratio is that
of the 95th percentile to the limit: 1 s, and 2 s for the random walker.
"""

import importlib
import platform
import sys
import time

import numpy as np

from medseg.domain import Grid, Image, Prompts
from medseg.domain.prompts import Point
from medseg.workflows import segment

LIMITS = {
    "graph_cut": 1.0,
    "grow_cut": 1.0,
    "level_set": 1.0,
    "geodesic_contour": 1.0,
    "chan_vese": 1.0,
    "watershed": 1.0,
    "random_walker": 2.0,
}
REPEATS = 20
SIDE = 96


def scan(number: int) -> tuple[Image, Prompts]:
    """A noisy ellipsoid in a box; size, noise and place differ by number."""
    rng = np.random.default_rng(number)
    at = np.stack(np.indices((SIDE,) * 3), axis=-1) - SIDE / 2 - rng.uniform(-4, 4, 3)
    inside = np.linalg.norm(at / rng.uniform(15, 36, 3), axis=-1) <= 1
    values = np.where(inside, 100.0, 40.0) + rng.normal(0, rng.uniform(5, 20), inside.shape)
    middle = np.argwhere(inside).mean(axis=0)
    seeds = Prompts(points=(Point((float(middle[0]), float(middle[1]), float(middle[2]))),))
    return Image(values.astype(np.float32), Grid(inside.shape, np.eye(4))), seeds


def main() -> None:
    """Print one line per method."""
    sys.stdout.write(f"{platform.platform()}, {platform.processor() or platform.machine()}\n")
    for name in sys.argv[1:] or LIMITS:
        method = getattr(importlib.import_module(f"medseg.methods.{name}"), name.upper())
        seconds = []
        for number in range(REPEATS + 1):
            image, seeds = scan(number)
            start = time.perf_counter()
            segment(method, image, prompts=seeds, params={"margin_mm": SIDE})
            seconds.append(time.perf_counter() - start)
        median, late = np.percentile(seconds[1:], (50, 95))
        sys.stdout.write(
            f"{method.spec.name}: median {median:.2f} s, p95 {late:.2f} s, {late / LIMITS[name]:.2f} of the limit\n"
        )


if __name__ == "__main__":
    main()
