"""Windows of air computed once, against each window computed: the hippocampus model on its sample in a wide field of view.

The shipped sample is a crop of a head; to its left and right lies its lowest value, as beside a head in a wide field of view. Both ways in one process, interleaved, with the network compiled before; masks are compared by digest.

Run: python -m benchmarks.air
"""

import os
import platform
import statistics
import time
from dataclasses import replace
from unittest.mock import patch

import numpy as np

from medseg import settings
from medseg.domain import Image, Run, Segmentation
from medseg.inference import ModelSegmenter
from medseg.io import read
from medseg.models import read_card

ROUNDS = 3
#: Voxels of air to the left and to the right, as a share of the extent: a field of view five times as wide as the crop.
AROUND = 2.0
FOLDER = settings.shipped_folder()
FILES = {"mr": "mr.nii.gz"}


def widened(image: Image) -> Image:
    """The scan with air on both sides; along the other axes up to the model's window, as nothing is set around it then."""
    more = [(round(AROUND * image.array.shape[0]),) * 2, *((2, 3) for _ in range(2))]
    values = np.pad(image.array, more, constant_values=image.array.min())
    affine = np.array(image.grid.affine)
    affine[:3, 3] -= affine[:3, :3] @ [before for before, _ in more]
    return replace(
        image, array=values, grid=replace(image.grid, shape=values.shape, affine=affine), outside=None
    )


def main() -> None:
    model = ModelSegmenter(read_card(FOLDER / "models" / "hippocampus"), FOLDER / "models" / "hippocampus")
    images = {name: widened(read(FOLDER / "samples" / "hippocampus" / file)) for name, file in FILES.items()}
    notes: dict[str, float] = {}
    run = Run(device="cpu", note=notes.__setitem__)

    def timed() -> tuple[float, Segmentation]:
        start = time.perf_counter()
        found = model.segment(images, model.Params(), run=run)
        return time.perf_counter() - start, found

    timed()
    known, rounds, masks = "", [], set()
    for _ in range(ROUNDS):
        once, mask = timed()
        known = f"{notes['windows.known']:.0f} of {notes['windows.all']:.0f} windows known"
        with patch("medseg.inference.stream._value_of_all", lambda _: None):
            each, other = timed()
        rounds.append((once, each))
        masks |= {mask.digest, other.digest}
    once, each = (statistics.median(column) for column in zip(*rounds, strict=True))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{platform.machine()}, {cores} cores, Python {platform.python_version()}")
    print(f"air once: {once:.2f} s ({known}); each window: {each:.2f} s; masks alike: {len(masks) == 1}")
    print(f"ratio {each / once:.2f}")


if __name__ == "__main__":
    main()
