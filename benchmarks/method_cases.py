"""The fixed lists of cases that methods are compared on, and what stands beside them as ceiling."""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import medseg
from medseg import settings
from medseg.domain import Grid, Image
from medseg.workflows.declare import declare_values

__all__ = [
    "DATASETS",
    "DEVELOPED_ON",
    "Scan",
    "Task",
    "network_dice",
    "read_task",
    "tasks",
    "threshold_ceiling",
]


@dataclass(frozen=True, slots=True)
class Scan:
    """A list of cases: title, tolerance of its surface Dice, whether its pictures may be shown, whether it is 2D."""

    title: str
    tolerance: float
    cases: tuple[str, ...]
    showable: bool = True
    network: str | None = None
    structure: str = ""
    slices: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One image and its reference."""

    image: Image
    reference: NDArray[np.bool_]


#: Every 17th subject of the shared 200, from the first.
_HIPPOCAMPUS = tuple(f"hippocampus_{n:03d}" for n in (1, 37, 65, 99, 143, 169, 215, 244, 279, 309, 336, 370))
_SARCOMA = tuple(f"STS_{n:03d}" for n in (2, 4, 5, 8, 10, 12, 15, 17, 18, 23, 28, 33, 34, 35, 36))
#: Cases that methods were developed on: what they reach there is optimistic.
DEVELOPED_ON = ("STS_002", "STS_004", "STS_005", "STS_008", "STS_010", "STS_012")
DATASETS = {
    "hippocampus": Scan(
        "Hippocampus (T1 MR)", 1.0, _HIPPOCAMPUS, network="hippocampus", structure="hippocampus"
    ),
    "sarcoma": Scan("Sarcoma (FDG-PET)", 4.0, _SARCOMA, network="sarcoma", structure="tumour"),
    "glioma": Scan("Glioma (FLAIR slice, pixels)", 2.0, (), showable=False, slices=True),
    "brain1": Scan("brain1 (MR, a tumour)", 2.0, ("brain1",), showable=False),
}


def tasks(root: Path, dataset: str, most: int | None = None) -> tuple[str, ...]:
    """Names of a list's cases that are here, in order; the first `most`."""
    scan = DATASETS[dataset]
    if dataset == "glioma":
        found = tuple(sorted(path.name for path in (root / "lgg").glob("TCGA_*")))
    else:
        found = tuple(case for case in scan.cases if _paths(root, dataset, case)[0].exists())
    return found[:most]


def _paths(root: Path, dataset: str, case: str) -> tuple[Path, Path]:
    if dataset == "hippocampus":
        folder = root / "hippocampus"
        return folder / "imagesTr" / f"{case}.nii.gz", folder / "labelsTr" / f"{case}.nii.gz"
    if dataset == "sarcoma":
        folder = root / "sarcoma" / case
        return folder / "PET_image.nii.gz", folder / "PET_mask.nii.gz"
    folder = root / "pyradiomics"
    return folder / f"{case}_image.nrrd", folder / f"{case}_label.nrrd"


@lru_cache(maxsize=4)
def read_task(root: Path, dataset: str, case: str) -> Task:
    """Image and mask of a case; of a glioma patient the FLAIR channel of the slice with the largest mask."""
    if dataset == "glioma":
        return _glioma(root / "lgg" / case)
    image_path, mask_path = _paths(root, dataset, case)
    image = medseg.read(image_path)
    if dataset == "sarcoma":
        image = declare_values({"image": image}, {"*": "SUVbw"})["image"]
    reference = medseg.read_segmentation(mask_path).labels > 0
    return Task(image, reference)


def _glioma(folder: Path) -> Task:
    from PIL import Image as Picture

    masks = {path: np.asarray(Picture.open(path)) > 0 for path in sorted(folder.glob("*_mask.png"))}
    path = max(masks, key=lambda key: int(masks[key].sum()))
    flair = np.asarray(Picture.open(path.with_name(path.name.replace("_mask", ""))))[..., 1]
    values = np.ascontiguousarray(flair.T[..., None])
    grid = Grid(values.shape, np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px")
    return Task(Image(values, grid), np.ascontiguousarray(masks[path].T[..., None]))


def threshold_ceiling(task: Task) -> float:
    """Dice of the best single threshold, above or below, chosen with the reference."""
    values, inside = task.image.array.ravel(), task.reference.ravel()
    best = 0.0
    for sign in (1, -1):
        order = np.argsort(-sign * values.astype(np.float64), kind="stable")
        hits, taken = np.cumsum(inside[order]), np.arange(1, inside.size + 1)
        ends = np.append(np.diff(values[order]) != 0, True)
        best = max(best, float((2 * hits / (taken + inside.sum()))[ends].max()))
    return best


def network_dice(dataset: str) -> dict[str, float]:
    """Case → Dice of the shipped network that did not train on it, from its card; empty where there is none."""
    scan = DATASETS[dataset]
    if scan.network is None:
        return {}
    path = settings.shipped_folder() / "models" / scan.network / "quality.csv"
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {row["subject"]: float(row["dice"]) for row in rows if row["target"] == scan.structure}
