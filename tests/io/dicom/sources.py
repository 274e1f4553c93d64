"""Real series of every kind of geometry, and masks on them with all that an outline finds hard."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from medseg import io
from medseg.domain import Code, Grid, Label, LabelTable, Segmentation, Source
from medseg.io.dicom.derived.origin import Origin, read_origin

Data = Callable[[str], Path]

#: What it exercises → folder below the test data.
REAL = {
    "axial": "dicom/ibsi_sts002/CT/image",
    "axial, empty character set": "dicom/dcmqi/ct-3slice",
    "axial multi-frame, 23 columns": "dicom/dcmqi/23x38x3/multiframe",
    "oblique multi-frame": "dicom/mr_xa30_gre_enh",
    "sagittal": "dicom/mr_sag_gre_fieldmap",
    "oblique sagittal": "dicom/dicom2nifti/hitachi",
    "oblique coronal": "dicom/dicom2nifti/philips/anatomical/001",
    "double oblique, pixels 3.5 × 2.5": "dicom/rt_utils/oriented_data",
    "oblique, pixels 4.0 × 6.4": "dicom/dicom2nifti/generic/anatomical/002_non_isotropic",
    "sagittal multi-frame": "dicom/dicom2nifti/philips_enhanced",
    "sheared": "dicom/dicom2nifti/failing/gantrytilting/001",
}
#: Directions of rows and columns that no real series here has: written over those of a real one.
TURNED = {
    "negative rows": (-1, 0, 0, 0, 1, 0),
    "negative columns": (1, 0, 0, 0, -1, 0),
    "rows and columns swapped": (0, 1, 0, 1, 0, 0),
}
KINDS = (*REAL, *TURNED)


@dataclass(frozen=True, eq=False)
class Scene:
    """A series, and a mask on it."""

    files: list[Path]
    source: Source
    origin: Origin
    mask: Segmentation


def scene(kind: str, data: Data, folder: Path) -> Scene:
    """The series of a kind of geometry with a mask."""
    path = data(REAL[kind]) if kind in REAL else turned(data("dicom/dcmqi/ct-3slice"), folder, TURNED[kind])
    source = next(item for item in io.inspect(path) if item.grid is not None)
    assert source.grid is not None
    files = [Path(name) for name in dict.fromkeys(item.file for item in source.instances)]
    return Scene(files, source, read_origin(source), mask_on(source.grid))


def mask_on(grid: Grid) -> Segmentation:
    """A ring with an island in its hole, voxels that touch by a corner, and a slab at the border."""
    axes = [np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in grid.shape]
    a, b, k = np.meshgrid(*axes, indexing="ij")
    radius = np.sqrt(a**2 + b**2 + 0.1 * k**2)
    labels = np.zeros(grid.shape, np.uint8)
    labels[radius < 0.8] = 1
    labels[radius < 0.55] = 0
    labels[radius < 0.3] = 1
    labels[radius < 0.15] = 2
    labels[:2, :2, :1] = labels[2:4, 2:4, :1] = 2
    labels[-1, :, -1] = 2
    table = LabelTable((Label(1, "Ring", side="left", type=Code("10200004", "Liver")), Label(2, "Core ä")))
    return Segmentation(labels, grid, table)


def turned(series: Path, folder: Path, orientation: tuple[float, ...]) -> Path:
    """A copy of an axial series whose rows and columns run elsewhere; synthetic, and so called."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(series.glob("*.dcm")):
        shutil.copy(file, folder / file.name)
        ds = pydicom.dcmread(folder / file.name)
        ds.ImageOrientationPatient = list(orientation)
        ds.save_as(folder / file.name)
    return folder
