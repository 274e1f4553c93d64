"""Measuring 117 labels of a 512×512×300 CT, beside SimpleITK's label filters, in one process.

Run: python -m benchmarks.regions [--small]
"""

import argparse
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

THREADS, ROUNDS = 2, 5
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = str(THREADS)

import numpy as np  # noqa: E402 - the number of threads must stand before numpy comes
from numpy.typing import NDArray  # noqa: E402

SHAPE, LABELS, SPACING = (512, 512, 300), 117, (0.8, 0.8, 1.5)


def organs(shape: tuple[int, int, int], count: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Ellipsoids and bumpy boxes of mixed size (F order, as NIfTI has it) in noisy tissue."""
    rng = np.random.default_rng(0)
    labels = np.zeros(shape, np.uint8, order="F")
    scale = min(shape) / 300
    for value in range(1, count + 1):
        semi = rng.lognormal(3.0, 0.55, 3).clip(4, 70) * scale
        centre = [
            rng.uniform(reach + 2, extent - reach - 2) for reach, extent in zip(semi, shape, strict=True)
        ]
        low = [int(c - s) for c, s in zip(centre, semi, strict=True)]
        high = [int(c + s) + 2 for c, s in zip(centre, semi, strict=True)]
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        steps = np.meshgrid(
            *[(np.arange(a, b) - c) / s for a, b, c, s in zip(low, high, centre, semi, strict=True)],
            indexing="ij",
        )
        power = 2 if value % 3 else 6
        radius = sum(np.abs(step) ** power for step in steps)
        bumps = 0.12 * np.sin(7 * steps[0]) * np.sin(6 * steps[1]) * np.sin(5 * steps[2])
        labels[box][(radius + bumps) < 1] = value
    image = np.empty(shape, np.float32, order="F")
    for k in range(shape[2]):
        image[..., k] = rng.normal(40, 25, shape[:2])
    return labels, image


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def simpleitk(labels: Any, image: Any) -> Any:
    import SimpleITK as sitk

    shape, intensity = sitk.LabelShapeStatisticsImageFilter(), sitk.LabelIntensityStatisticsImageFilter()
    for made in (shape, intensity):
        made.ComputePerimeterOff()
        made.ComputeFeretDiameterOff()
    shape.Execute(labels)
    intensity.Execute(labels, image)
    return {
        value: (
            shape.GetNumberOfPixels(value),
            intensity.GetMean(value),
            intensity.GetStandardDeviation(value),
        )
        for value in shape.GetLabels()
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="a quarter of the size along each axis")
    shape = tuple(n // 4 for n in SHAPE) if parser.parse_args().small else SHAPE
    from medseg.domain import Grid, Image, LabelTable, Quantity, Segmentation
    from medseg.measuring.measure import measure

    names = ["VOLUME", "MEAN", "SD", "MAJOR_AXIS", "MINOR_AXIS", "LEAST_AXIS"]
    names += [f"CENTROID_{axis}" for axis in "XYZ"] + [
        f"BOX_{end}_{axis}" for end in ("MIN", "MAX") for axis in "IJK"
    ]
    basic = [Quantity[name] for name in names]
    imported = peak_mb()
    labels, values = organs(shape, LABELS)  # type: ignore[arg-type]
    for array in (labels, values):
        array.setflags(write=False)
    table = LabelTable.from_values(tuple(range(1, LABELS + 1)))
    grid = Grid(shape, np.diag([*SPACING, 1.0]))  # type: ignore[arg-type]
    segmentation, images = Segmentation(labels, grid, table), {"ct": Image(values, grid)}
    held = (labels.nbytes + values.nbytes) / 2**20

    print(
        f"{platform.platform()}, Python {platform.python_version()}, {THREADS} threads, {shape}, {LABELS} labels"
    )
    work = lambda: measure(segmentation, images, only=basic)  # noqa: E731
    work()
    basic_peak = peak_mb() - imported
    full, rows = timed(lambda: measure(segmentation, images))
    full_peak = peak_mb() - imported

    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(THREADS)
    label_image, float_image = sitk.GetImageFromArray(labels.T), sitk.GetImageFromArray(values.T)
    for stored in (label_image, float_image):
        stored.SetSpacing(SPACING)
    # In turns, so that other work on the machine meets both.
    pairs = []
    for _ in range(ROUNDS):
        theirs, found = timed(lambda: simpleitk(label_image, float_image))
        pairs.append((timed(work)[0], theirs))
    compare(rows, found)
    middle, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"volume, centroid, box, axes, mean, SD: medseg {middle:.2f} s, SimpleITK {other:.2f} s, ratio {middle / other:.2f} (aim: at most 2)"
    )
    print(f"full table: {full:.1f} s, {len(rows)} rows (aim: within 60 s)")
    print(
        f"peak memory above import: {basic_peak:.0f} MB and {full_peak:.0f} MB, {basic_peak / held:.2f} and {full_peak / held:.2f} times image + labels of {held:.0f} MB (aim: at most 3)"
    )


def compare(rows: Any, found: Any) -> None:
    """Both must have measured the same."""
    from medseg.domain import Quantity

    ours = {(row.target.labels[0], row.quantity): row.value for row in rows}
    for value, (count, mean, sd) in found.items():
        assert ours[value, Quantity.VOXEL_COUNT] == count
        assert abs(ours[value, Quantity.MEAN] - mean) < 1e-4
        # SimpleITK divides by N − 1.
        assert abs(ours[value, Quantity.SD] * (count / max(count - 1, 1)) ** 0.5 - sd) < 1e-3


if __name__ == "__main__":
    main()
