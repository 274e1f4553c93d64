"""Train a network that tells touching objects apart, and compare it with what needs no training.

Run: python examples/train_instances.py OUT [STEPS]

The network sees phantoms of touching ellipsoids (2 mm, equally bright, blurred, with noise) and learns foreground and
the distance to the boundary of the object that each voxel lies in. OUT becomes a bundle that `medseg segment OUT` runs.
Then 20 phantoms that it has not seen are segmented by it; the same foreground is also taken apart by connected
components, and by the necks of its own shape.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import label

import medseg
from medseg.masks.split import split_touching
from medseg.training.instances import InstanceTraining, draw_phantom, train_instances

#: Numbers of phantoms that no training reaches.
UNSEEN = range(10_000_000, 10_000_020)


def quality(found: np.ndarray, truth: np.ndarray) -> tuple[int, int, int]:
    """(objects found at an IoU above 0.5, missed, invented)."""
    hits = 0
    for one in range(1, int(truth.max()) + 1):
        inside = truth == one
        ids, counts = np.unique(found[inside & (found > 0)], return_counts=True)
        if len(ids):
            best = found == ids[counts.argmax()]
            hits += (inside & best).sum() / (inside | best).sum() > 0.5
    objects = len(np.unique(truth[truth > 0]))
    return int(hits), objects - int(hits), len(np.unique(found[found > 0])) - int(hits)


def compare(bundle: Path, settings: InstanceTraining) -> dict[str, float]:
    """Panoptic recognition quality (F1 of objects at IoU 0.5) of three ways to objects, on unseen phantoms."""
    counts = {way: np.zeros(3) for way in ("connected components", "split at necks", "network")}
    grid = medseg.Grid(settings.patch, np.diag([*[settings.spacing_mm] * 3, 1.0]))
    for number in UNSEEN:
        phantom = draw_phantom(number, settings)
        mask = medseg.segment(str(bundle), medseg.Image(phantom.image, grid))
        inside = mask.labels > 0
        for way, ids in (
            ("connected components", label(inside)[0]),
            ("split at necks", split_touching(inside, grid, settings.depth_mm)),
            ("network", mask.instances),
        ):
            counts[way] += quality(ids, phantom.ids)
    return {way: 2 * hit / (2 * hit + missed + more) for way, (hit, missed, more) in counts.items()}


def main() -> None:
    """Train, then print the comparison."""
    out = Path(sys.argv[1])
    settings = InstanceTraining(steps=int(sys.argv[2])) if len(sys.argv) > 2 else InstanceTraining()
    bundle = train_instances(out, settings, force=True)
    for way, score in compare(bundle, settings).items():
        print(f"{way}: F1 of objects {score:.2f}")


if __name__ == "__main__":
    main()
