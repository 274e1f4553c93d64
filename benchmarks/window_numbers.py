"""Numbers that follow a stroke, beside a measurement from scratch, on a 512×512×400 int16 study, in CPU time.

Run: python -m benchmarks.window_numbers [--small]
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

THREADS, STROKES = 2, 20
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = str(THREADS)

import numpy as np  # noqa: E402 - the number of threads must stand before numpy comes

SHAPE, SPACING = (512, 512, 400), (0.8, 0.8, 1.5)


def spent(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of all threads."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def study(shape: tuple[int, int, int]) -> tuple[Any, Any]:
    """A body, two organs and a tumour in noise."""
    from medseg.domain import Grid, Image, Label, LabelTable, Segmentation

    labels = np.zeros(shape, np.uint8, order="F")
    i, j = np.ogrid[: shape[0], : shape[1]]
    balls = (((0.4, 0.5, 0.5), 0.12), ((0.6, 0.45, 0.4), 0.08), ((0.5, 0.55, 0.6), 0.04))
    for k in range(shape[2]):
        wide = 1 - 0.2 * np.cos(3 * k / shape[2])  # a waist, as bodies have one
        reach = ((i / shape[0] - 0.5) / 0.42) ** 2 + ((j / shape[1] - 0.5) / 0.3) ** 2
        labels[..., k][reach < wide**2] = 1
        for value, (place, size) in enumerate(balls, 2):
            away = [
                (axis - at * n) / (size * min(shape))
                for axis, at, n in zip((i, j, k), place, shape, strict=True)
            ]
            labels[..., k][away[0] ** 2 + away[1] ** 2 + away[2] ** 2 < 1] = value
    values = np.empty(shape, np.int16, order="F")
    rng = np.random.default_rng(0)
    for slice_ in range(shape[2]):
        values[..., slice_] = rng.normal(40, 25, shape[:2])
    for array in (labels, values):
        array.setflags(write=False)
    grid = Grid(shape, np.diag([*SPACING, 1.0]))
    names = ("body", "liver", "spleen", "tumour")
    table = LabelTable(tuple(Label(value, name) for value, name in enumerate(names, 1)))
    return Segmentation(labels, grid, table), Image(values, grid, channel="ct")


def warm_up() -> None:
    """Measure a small mask: what the libraries take is no matter of the study."""
    from medseg.domain import Run
    from napari_medseg.workspace import EditedMask
    from napari_medseg.workspace.measures import Measures

    segmentation, image = study((64, 64, 50))
    Measures(EditedMask("uid", segmentation), {"ct": image}).work()(Run())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="a quarter of the size along each axis")
    shape = tuple(n // 4 for n in SHAPE) if parser.parse_args().small else SHAPE
    from medseg.domain import Run
    from medseg.inference.memory import held_bytes
    from medseg.workflows import measure
    from napari_medseg.workspace import EditedMask
    from napari_medseg.workspace.measures import Measures

    print(f"{platform.platform()}, Python {platform.python_version()}, {THREADS} threads, {shape}, 4 labels")
    warm_up()
    empty = held_bytes() or 0
    segmentation, image = study(shape)  # type: ignore[arg-type]
    volume = image.array.nbytes
    mask = EditedMask(
        "uid", segmentation, file="mask.nii.gz", labels=np.array(segmentation.labels, order="K")
    )
    numbers = Measures(mask, {"ct": image})
    first, found = spent(lambda: numbers.work()(Run()))
    numbers.take(found)
    del found  # as the window does: it holds the voxels that were measured
    print(f"full table: {first:.1f} s of CPU, {len(numbers.rows)} rows (aim: within 10 s)")

    times = []
    rng = np.random.default_rng(1)
    for _ in range(STROKES):
        # A brush of 20 mm on one slice, across the edge of the tumour and the body.
        at = [int(n * (0.5 + 0.1 * rng.random())) for n in shape]
        reach = max(int(10 / SPACING[0]), 2)
        box = (
            slice(at[0] - reach, at[0] + reach),
            slice(at[1] - reach, at[1] + reach),
            slice(at[2], at[2] + 1),
        )
        before = mask.labels[box].copy()
        seconds, _ = spent(partial(mask.stroke, box, before, np.full_like(before, 4)))
        times.append(seconds)
    worst, middle = max(times), statistics.median(times)
    print(
        f"stroke with the rows of sums: median {1000 * middle:.1f} ms, worst {1000 * worst:.1f} ms of CPU (aim: 50 ms)"
    )
    undone, _ = spent(mask.undo)
    print(f"undo with the rows of sums: {1000 * undone:.1f} ms of CPU")
    again, found = spent(lambda: numbers.work()(Run()))
    numbers.take(found)
    came = (held_bytes() or 0) - empty
    print(f"peak of memory that came: {came / 2**20:.0f} MB, {came / volume:.1f} times the volume (aim: 3)")
    scratch, record = spent(lambda: measure(mask.now(), {"ct": image}))
    assert numbers.record is not None
    assert numbers.record.measurements == record.measurements
    print(
        f"after strokes: {again:.1f} s, from scratch {scratch:.1f} s, ratio {again / scratch:.2f}; digits equal"
    )


if __name__ == "__main__":
    main()
