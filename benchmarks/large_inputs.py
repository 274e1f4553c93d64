"""CPU seconds and peak memory of commands on large inputs: a 512×512×400 CT, its labels, a study of 2000 slices.

Run: python -m benchmarks.large_inputs [FOLDER]    (inputs and outputs lie there, 1.5 GB; else a temporary folder)
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil

from benchmarks.dicom_study import write_series
from medseg import io
from medseg.domain import Grid, Label, LabelTable, Segmentation

SHAPE, SPACING = (512, 512, 400), (0.8, 0.8, 1.25)
GRID = Grid(SHAPE, np.diag([*SPACING, 1.0]), slice_thickness=SPACING[2])
#: Label → semi-axes and centre as shares of the box. The body comes first, what lies in it replaces it.
SOLIDS = {
    "body": ((0.45, 0.35, 0.5), (0.5, 0.5, 0.5)),
    "liver": ((0.16, 0.14, 0.12), (0.35, 0.45, 0.55)),
    "spleen": ((0.06, 0.07, 0.07), (0.72, 0.55, 0.58)),
    "kidney": ((0.05, 0.05, 0.08), (0.62, 0.62, 0.42)),
}
LESIONS, SERIES = 60, 5


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "mask.nii.gz").exists():
        make_inputs(folder)
    print(f"| command | CPU seconds | wall seconds | peak memory (GiB) |\n|{'---|' * 4}")
    for name, words in commands(folder).items():
        busy, wall, peak = watched(words)
        print(f"| {name} | {busy:.1f} | {wall:.1f} | {peak / 2**30:.2f} |", flush=True)
    print(
        f"\n{datetime.now(UTC).date().isoformat()}: {platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB, Python {platform.python_version()}"
    )


def make_inputs(folder: Path) -> None:
    """The CT as DICOM, four more series beside it, a mask of body and organs, a mask of lesions, a second mask."""
    labels = np.zeros(SHAPE, np.uint8)
    for number, (axes, centre) in enumerate(SOLIDS.values(), start=1):
        paint(labels, axes, centre, number)
    random = np.random.default_rng(0)
    values = (labels * 30 + random.integers(-20, 20, SHAPE, np.int16) - 900 * (labels == 0)).astype(np.int16)
    write_series(folder / "study" / "1", values, SPACING, number=1)
    for number in range(2, SERIES + 1):
        write_series(folder / "study" / str(number), values[::8, ::8], SPACING, number=number)
    table = LabelTable(tuple(Label(n, name) for n, name in enumerate(SOLIDS, start=1)))
    grid = io.read(folder / "study" / "1").grid
    io.write_segmentation(Segmentation(labels, grid, table), folder / "mask.nii.gz")
    moved = Segmentation(np.roll(labels, 2, axis=0), grid, table)
    io.write_segmentation(moved, folder / "moved.nii.gz")
    lesions = np.zeros(SHAPE, np.uint8)
    for centre in random.uniform(0.1, 0.9, (LESIONS, 3)):
        paint(lesions, random.uniform(0.006, 0.03, 3), centre, 1)
    spots = Segmentation(lesions, grid, LabelTable((Label(1, "lesion"),)))
    io.write_segmentation(spots, folder / "lesions.nii.gz")


def paint(labels: np.ndarray, axes: object, centre: object, number: int) -> None:
    """A solid ellipsoid, axes and centre as shares of the box."""
    size = np.array(SHAPE)
    half, middle = np.asarray(axes) * size, np.asarray(centre) * size
    low = np.maximum(np.floor(middle - half).astype(int), 0)
    high = np.minimum(np.ceil(middle + half).astype(int) + 1, size)
    parts = np.ogrid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    away = sum(((part - m) / h) ** 2 for part, m, h in zip(parts, middle, half, strict=True))
    labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))][away <= 1] = number


def commands(folder: Path) -> dict[str, list[object]]:
    """What is run, in an order in which each finds what it needs."""
    series, mask = folder / "study" / "1", folder / "mask.nii.gz"
    record, spots = folder / "record.json", folder / "lesions.json"
    return {
        "read a series of 400 slices": [
            "-c", "import sys, medseg; medseg.read(sys.argv[1])", series,
        ],
        f"`info`, a study of {SERIES} series, 2000 slices": ["-m", "medseg", "info", folder / "study"],
        "`measure`, body and 3 organs": [
            "-m", "medseg", "measure", mask, "--image", series, "--out", record, "--force",
        ],
        f"`measure --lesions`, {LESIONS} lesions": [
            "-m", "medseg", "measure", folder / "lesions.nii.gz", "--image", series, "--lesions", "lesion",
            "--out", spots, "--force",
        ],
        "`report --html --csv --xlsx`": [
            "-m", "medseg", "report", record, "--html", folder / "r.html", "--csv", folder / "r.csv",
            "--xlsx", folder / "r.xlsx", "--force",
        ],
        "`export --seg --sr --rtstruct`": [
            "-m", "medseg", "export", record, "--seg", "--sr", "--rtstruct", "--out", folder / "objects", "--force",
        ],
        "`evaluate`, 4 labels": ["-m", "medseg", "evaluate", folder / "moved.nii.gz", mask],
    }  # fmt: skip


def watched(words: list[object]) -> tuple[float, float, float]:
    """CPU seconds, wall seconds and largest resident bytes of a command with its children."""
    start, peak, busy = time.perf_counter(), 0, 0.0
    with subprocess.Popen(
        [sys.executable, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        watch = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                family = [watch, *watch.children(recursive=True)]
                peak = max(peak, sum(item.memory_info().rss for item in family))
                times = watch.cpu_times()
                busy = max(busy, sum(times[:4]))
            except psutil.Error:
                pass
            time.sleep(0.02)
        message = process.stderr.read() if process.stderr else ""
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}: {message}")
    return busy, time.perf_counter() - start, peak


if __name__ == "__main__":
    main()
