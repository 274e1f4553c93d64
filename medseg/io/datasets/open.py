"""Which layout a path has, and opening it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from medseg.domain import Dataset
from medseg.errors import InputError
from medseg.io.datasets.ade20k import is_ade20k, open_ade20k
from medseg.io.datasets.bids import is_bids, open_bids
from medseg.io.datasets.caselist import is_caselist, open_caselist
from medseg.io.datasets.coco import is_coco, open_coco
from medseg.io.datasets.labelset import is_labelset_file, open_labelset_cases
from medseg.io.datasets.msd import is_msd, open_msd
from medseg.io.datasets.nnunet import is_nnunet, is_nnunet_images, open_nnunet, open_nnunet_images
from medseg.io.datasets.pairs import is_pairs, open_pairs
from medseg.io.datasets.paths import read_json
from medseg.io.datasets.patients import is_patients, open_patients
from medseg.io.datasets.streets import is_cityscapes, is_kitti, open_cityscapes, open_kitti
from medseg.io.datasets.voc import is_voc, open_voc
from medseg.io.datasets.youtubevos import is_youtubevos, open_youtubevos

__all__ = ["is_dataset", "open_dataset", "rename_channels"]


def is_dataset(path: str | Path) -> bool:
    """Whether a path is a dataset of a known layout; looks at names and the head of one file only."""
    path = Path(path)
    if path.is_file():
        return _opener_of_file(path) is not None
    if not path.is_dir():
        return False
    return (path / "dataset.json").is_file() or _opener_of_folder(path) is not None


def open_dataset(path: str | Path, *, root: Path | None = None) -> Dataset:
    """Open a dataset; files are named, not read.

    Parameters
    ----------
    path
        A folder (MSD, nnU-Net, image + mask pairs, BIDS, Pascal VOC, COCO, Cityscapes, KITTI, ADE20K,
        YouTube-VOS), a case list (CSV, JSON), a COCO file, or the mapping of a set of PNG masks.
    root
        For a case list: what its paths are relative to, when not its own folder.

    Raises
    ------
    InputError
        If it is no dataset, or names files outside its folder.
    """
    path = Path(path)
    if path.is_file():
        opener = _opener_of_file(path)
        if opener is None:
            raise InputError(
                f"{path} is no case list (a CSV needs a column 'id' and one per channel), no COCO file and no "
                "mapping of masks"
            )
        return open_caselist(path, root) if opener is open_caselist else opener(path)
    if not path.is_dir():
        raise InputError(f"{path} does not exist")
    if (path / "dataset.json").is_file():
        content = read_json(path / "dataset.json")
        if is_nnunet(path, content):
            return open_nnunet(path)
        if is_msd(content):
            return open_msd(path)
        raise InputError(f"{path / 'dataset.json'} is neither a Decathlon's nor an nnU-Net's")
    opener = _opener_of_folder(path)
    if opener is None:
        raise InputError(
            f"{path} is no dataset: no dataset.json, no sub-* folders, no image with a _mask beside it, no "
            "annotations of COCO, no SegmentationClass of VOC, no leftImg8bit of Cityscapes, no training/semantic of "
            "KITTI, no annotations/training of ADE20K, no Annotations with meta.json of YouTube-VOS, no folder per "
            "patient"
        )
    return opener(path)


def _opener_of_file(path: Path) -> Callable[[Path], Dataset] | None:
    if path.suffix.lower() in (".csv", ".json") and is_caselist(path):
        return open_caselist
    if is_coco(path):
        return open_coco
    return open_labelset_cases if is_labelset_file(path) else None


def _opener_of_folder(path: Path) -> Callable[[Path], Dataset] | None:
    layouts: tuple[tuple[Callable[[Path], bool], Callable[[Path], Dataset]], ...] = (
        (is_bids, open_bids),
        (is_voc, open_voc),
        (is_cityscapes, open_cityscapes),
        (is_kitti, open_kitti),
        (is_ade20k, open_ade20k),
        (is_youtubevos, open_youtubevos),
        (is_coco, open_coco),
        (is_labelset_file, open_labelset_cases),
        (is_pairs, open_pairs),
        (is_nnunet_images, open_nnunet_images),
        (is_patients, open_patients),
    )
    return next((opener for is_layout, opener in layouts if is_layout(path)), None)


def rename_channels(dataset: Dataset, names: Mapping[str, str]) -> Dataset:
    """The dataset with channels renamed, old name → new.

    Raises
    ------
    InputError
        If it has no channel of an old name.
    """
    if unknown := sorted(set(names) - set(dataset.channels)):
        raise InputError(
            f"{dataset.name} has channels {', '.join(dataset.channels)}, not {', '.join(unknown)}"
        )
    cases = tuple(
        replace(
            case,
            images=tuple(
                replace(file, channel=names.get(file.channel, file.channel)) for file in case.images
            ),
        )
        for case in dataset.cases
    )
    return replace(dataset, cases=cases, channels=tuple(names.get(name, name) for name in dataset.channels))
