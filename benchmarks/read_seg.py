"""Reading a DICOM SEG of 98 segments at 512×512×300, beside highdicom's own reading of the same file.

Run: python -m benchmarks.read_seg [--small]
"""

import argparse
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402 - the number of threads must stand before numpy comes
from numpy.typing import NDArray  # noqa: E402
from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid  # noqa: E402

from medseg.domain import Grid, Label, LabelTable, Segmentation  # noqa: E402
from medseg.io import read_segmentation  # noqa: E402
from medseg.io.dicom.derived.origin import Origin  # noqa: E402
from medseg.io.dicom.seg.write import make_seg  # noqa: E402

SEGMENTS, ROUNDS, MOST_S = 98, 2, 10.0
SPACING = (0.8, 0.8, 1.5)


def source(shape: tuple[int, int, int], frame: str) -> list[Dataset]:
    """Headers of a synthetic CT series, without pixels."""
    study, series = generate_uid(), generate_uid()
    found = []
    for k in range(shape[2]):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
        ds.Modality, ds.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.Rows, ds.Columns = shape[1], shape[0]
        ds.PixelSpacing, ds.SliceThickness = list(SPACING[:2]), SPACING[2]
        ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, k * SPACING[2]]
        ds.SeriesNumber, ds.InstanceNumber = 1, k + 1
        ds.BitsAllocated = ds.BitsStored = 16
        found.append(ds)
    return found


def organs(shape: tuple[int, int, int], count: int = SEGMENTS) -> NDArray[np.uint8]:
    """Ellipsoids of the size of organs, 60 to 120 slices long, later ones over earlier ones."""
    rng = np.random.default_rng(0)
    labels = np.zeros(shape, np.uint8)
    for value in range(1, count + 1):
        semi = (rng.uniform((0.03, 0.03, 0.1), (0.09, 0.09, 0.2)) * shape).clip(3)
        centre = [rng.uniform(s + 1, n - s - 2) for s, n in zip(semi, shape, strict=True)]
        low = [int(c - s) for c, s in zip(centre, semi, strict=True)]
        high = [int(c + s) + 2 for c, s in zip(centre, semi, strict=True)]
        steps = np.ogrid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        radius = sum(((x - c) / s) ** 2 for x, c, s in zip(steps, centre, semi, strict=True))
        labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))][radius < 1] = value
    return labels


def write(path: Path, shape: tuple[int, int, int]) -> tuple[Segmentation, int]:
    """A SEG of the organs; the mask, and how many frames it took."""
    frame = generate_uid()
    labels = organs(shape)
    affine = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0])
    grid = Grid(shape, affine, frame_of_reference=frame)
    table = LabelTable(tuple(Label(int(v), f"organ {v}") for v in np.unique(labels)[1:]))
    mask = Segmentation(labels, grid, table)
    series = tuple(source(shape, frame))
    seg = make_seg(mask, Origin(series, tuple((k, 0) for k in range(shape[2])), grid))
    seg.save_as(path)
    return mask, int(seg.NumberOfFrames)


def by_highdicom(path: Path) -> Any:
    from highdicom.seg import segread

    found = segread(path)
    return found.get_volume(combine_segments=True, skip_overlap_checks=True, dtype=np.uint8).array


def best(work: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    times, result = [], None
    for _ in range(rounds):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    return min(times), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a quarter of the size along each axis")
    shape = (128, 128, 75) if parser.parse_args().small else (512, 512, 300)
    warnings.simplefilter("ignore")
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, 1 thread; {platform.python_version()}"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seg.dcm"
        mask, frames = write(path, shape)
        count, size = len(mask.table.labels), path.stat().st_size / 1e6
        print(f"{count} segments at {' × '.join(map(str, shape))}: {frames} frames, {size:.0f} MB")
        ours, found = best(lambda: read_segmentation(path, on=mask.grid), ROUNDS)
        report(ours, found, mask)
        theirs, other = best(lambda: by_highdicom(path), 1)  # minutes: once is enough for a ratio
    print(f"highdicom {theirs:.2f} s for {np.count_nonzero(other)} voxels; ratio {theirs / ours:.1f}")


def report(seconds: float, found: Segmentation, mask: Segmentation) -> None:
    """Our time, and whether every voxel is right: segments are numbered in the order of the labels."""
    numbers = np.zeros(256, np.uint8)
    for n, label in enumerate(mask.table.labels, start=1):
        numbers[label.value] = n
    wrong = int(np.count_nonzero(numbers[mask.labels] != found.labels))
    print(f"medseg {seconds:.2f} s (promised: under {MOST_S:.0f} s), {wrong} voxels wrong", flush=True)


if __name__ == "__main__":
    main()
