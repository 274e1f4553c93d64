"""Seconds to take the slices of a body mask of 512×512×400 as views, beside `np.take` of each, as until 122b794.

Run: python -m benchmarks.slices_of_a_mask
"""

import platform
import time
from collections.abc import Callable

import numpy as np

from medseg.domain import Grid
from medseg.masks.sections import CutPlane, _cropped, slices_of

SHAPE, PAD, AXIS = (512, 512, 400), 4, 2
AIM = 15.0


def main() -> None:
    # In Fortran's order, as readers give it, in a box that is a part of the whole, as a structure's box is.
    whole = np.zeros(tuple(extent + 2 * PAD for extent in SHAPE), np.bool_, "F")
    mask = whole[PAD:-PAD, PAD:-PAD, PAD:-PAD]
    mask[40:-40, 80:-80, 10:-10] = True
    plane = CutPlane(Grid(SHAPE, np.diag([0.8, 0.8, 1.25, 1.0])), AXIS)
    used = np.flatnonzero(mask.any(axis=(0, 1)))
    now = seconds(lambda: slices_of(mask, plane))
    few = used[::20]
    before = (
        seconds(lambda: [_cropped(np.take(mask, int(index), axis=AXIS)) for index in few])
        * used.size
        / few.size
    )
    print(f"{used.size} slices: {now:.2f} s of CPU as views, {before:.1f} s taken: {before / now:.0f} times")
    print(
        f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}; aim {AIM:.0f} times"
    )


def seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


if __name__ == "__main__":
    main()
