"""A folder of scans in one process: reading, work and writing one beside the other, against one after the other.

The shipped sample, many times over with noise, is segmented by the shipped hippocampus model, where the network takes most of
the time, and by otsu, where reading and writing do. Both ways in one process, interleaved, with the network compiled before.

Run: python -m benchmarks.many_cases
"""

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np

from medseg import settings
from medseg.domain import Image, Run
from medseg.domain.grid import Grid
from medseg.io import read, write_image
from medseg.workflows.cases import find_cases, segment_cases
from medseg.workflows.segment import SegmentOptions

ROUNDS, CASES = 3, 4
#: Segmenter → its parameters, and how many times over the sample is along each axis.
TRIED: dict[str, tuple[SegmentOptions, tuple[int, int, int]]] = {
    "hippocampus": (SegmentOptions(parameters=(("speed", "fast"),), force=True), (2, 1, 1)),
    "otsu": (SegmentOptions(force=True), (5, 5, 5)),
}
SAMPLE = settings.shipped_folder() / "samples" / "hippocampus" / "mr.nii.gz"
CPU = Run(device="cpu", threads=2)


def scans(folder: Path, times: tuple[int, int, int]) -> None:
    """Each is the sample many times over, so that it takes a while to read."""
    sample = read(SAMPLE)
    for number in range(CASES):
        values = np.tile(np.roll(sample.array, number, axis=0), times)
        rng = np.random.default_rng(number)
        noisy = values.astype(np.float32) + rng.normal(size=values.shape).astype(np.float32)
        grid = Grid(noisy.shape, sample.grid.affine)
        write_image(replace(Image(noisy, grid), modality=sample.modality), folder / f"case{number}.nii.gz")


class Now:
    """A thread that does its work before it goes on: no two stages at a time."""

    def __init__(self, target: Callable[[], None], *, daemon: bool) -> None:
        self.target, self.daemon = target, daemon

    def start(self) -> None:
        self.target()

    def is_alive(self) -> bool:
        return False


def beside(name: str, folder: Path, out: Path) -> float:
    start = time.perf_counter()
    cases = find_cases(folder)
    assert cases is not None
    results = segment_cases(name, cases, out, options=TRIED[name][0], run=CPU)
    assert all(result.state == "done" for result in results), results
    return time.perf_counter() - start


def one_by_one(name: str, folder: Path, out: Path) -> float:
    """The same, with no thread but one, and nothing read ahead."""
    with (
        patch("medseg.workflows.stages.Thread", Now),
        patch("medseg.workflows.cases.bytes_when_read", lambda _: None),
    ):
        return beside(name, folder, out)


def tried(name: str) -> str:
    """What both ways take, in words."""
    with tempfile.TemporaryDirectory() as place:
        folder, first, second = (Path(place) / part for part in ("scans", "beside", "one by one"))
        for made in (folder, first, second):
            made.mkdir()
        scans(folder, TRIED[name][1])
        one_by_one(name, folder, second)
        rounds = [(one_by_one(name, folder, second), beside(name, folder, first)) for _ in range(ROUNDS)]
        same = all(
            (first / path.name).read_bytes() == (second / path.name).read_bytes() for path in folder.iterdir()
        )
    alone, together = (statistics.median(column) for column in zip(*rounds, strict=True))
    return (
        f"{name}, {CASES} cases: one after another {alone:.2f} s, beside one another {together:.2f} s, "
        f"ratio {alone / together:.2f}; masks alike: {same}"
    )


def main() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{platform.machine()}, {cores} cores, Python {platform.python_version()}")
    for name in TRIED:
        print(tried(name), flush=True)


if __name__ == "__main__":
    main()
