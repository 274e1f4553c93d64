"""How large a SEG of 117 structures on a CT of 512×512 is: each kind, and what is written by default.

Run: python -m benchmarks.seg_size [--slices N]
"""

import argparse
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydicom.uid import generate_uid

from benchmarks.read_seg import SPACING, organs, source
from medseg.domain import Grid, Label, LabelTable, Segmentation
from medseg.io.dicom.checked import to_bytes
from medseg.io.dicom.derived.origin import Origin
from medseg.io.dicom.seg.write import SegOptions, make_seg

__all__ = ["STRUCTURES", "Size", "phantom", "sizes"]

STRUCTURES, SIDE, SLICES = 117, 512, 200


@dataclass(frozen=True, slots=True)
class Size:
    """One way to write it: its name, the kind that it gave, frames, bytes, and seconds."""

    name: str
    kind: str
    frames: int
    size_bytes: int
    seconds: float


def phantom(slices: int = SLICES) -> tuple[Segmentation, Origin]:
    """Ellipsoids of the size of organs on the slices of a synthetic CT series."""
    shape, frame = (SIDE, SIDE, slices), generate_uid()
    labels = organs(shape, STRUCTURES)
    grid = Grid(shape, np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0]), frame_of_reference=frame)
    table = LabelTable(tuple(Label(value, f"organ {value}") for value in range(1, STRUCTURES + 1)))
    origin = Origin(tuple(source(shape, frame)), tuple((k, 0) for k in range(slices)), grid)
    return Segmentation(labels, grid, table), origin


def sizes(mask: Segmentation, origin: Origin) -> Iterator[Size]:
    """Every way to write a mask."""
    for name, options in (
        ("default", SegOptions("AUTO")),
        ("BINARY", SegOptions("BINARY")),
        ("LABELMAP, not packed", SegOptions("LABELMAP", packing="NONE")),
    ):
        start = time.perf_counter()
        seg = make_seg(mask, origin, options)
        data = to_bytes(seg)
        seconds = time.perf_counter() - start
        yield Size(name, str(seg.SegmentationType), int(seg.NumberOfFrames), len(data), seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=SLICES, help="slices of the series")
    mask, origin = phantom(parser.parse_args().slices)
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; {platform.python_version()}"
    )
    filled = np.count_nonzero(mask.labels) / mask.labels.size
    print(f"{STRUCTURES} structures, {' × '.join(map(str, mask.labels.shape))}, {filled:.0%} of the voxels")
    found = list(sizes(mask, origin))
    for item in found:
        ratio = item.size_bytes / found[0].size_bytes
        print(
            f"{item.name}: {item.kind}, {item.frames} frames, {item.size_bytes / 1e6:.2f} MB, "
            f"{ratio:.1f} times the default, {item.seconds:.1f} s"
        )


if __name__ == "__main__":
    main()
