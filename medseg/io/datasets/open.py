"""Which layout a path has, and opening it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from medseg.domain import Dataset
from medseg.errors import InputError
from medseg.io.datasets.bids import is_bids, open_bids
from medseg.io.datasets.caselist import is_caselist, open_caselist
from medseg.io.datasets.msd import is_msd, open_msd
from medseg.io.datasets.nnunet import is_nnunet, open_nnunet
from medseg.io.datasets.pairs import is_pairs, open_pairs
from medseg.io.datasets.paths import read_json

__all__ = ["is_dataset", "open_dataset", "rename_channels"]


def is_dataset(path: str | Path) -> bool:
    """Whether a path is a dataset of a known layout; looks at names and the head of one file only."""
    path = Path(path)
    if path.is_file():
        return path.suffix.lower() in (".csv", ".json") and is_caselist(path)
    if not path.is_dir():
        return False
    return (path / "dataset.json").is_file() or is_bids(path) or is_pairs(path)


def open_dataset(path: str | Path, *, root: Path | None = None) -> Dataset:
    """Open a dataset; files are named, not read.

    Parameters
    ----------
    path
        A folder (MSD, nnU-Net, image + mask pairs, BIDS) or a case list (CSV, JSON).
    root
        For a case list: what its paths are relative to, when not its own folder.

    Raises
    ------
    InputError
        If it is no dataset, or names files outside its folder.
    """
    path = Path(path)
    if path.is_file():
        if not is_caselist(path):
            raise InputError(f"{path} is no case list: a CSV needs a column 'id' and one per channel")
        return open_caselist(path, root)
    if not path.is_dir():
        raise InputError(f"{path} does not exist")
    if (path / "dataset.json").is_file():
        content = read_json(path / "dataset.json")
        if is_nnunet(path, content):
            return open_nnunet(path)
        if is_msd(content):
            return open_msd(path)
        raise InputError(f"{path / 'dataset.json'} is neither a Decathlon's nor an nnU-Net's")
    if is_bids(path):
        return open_bids(path)
    if is_pairs(path):
        return open_pairs(path)
    raise InputError(
        f"{path} is no dataset: no dataset.json, no sub-* folders, no image with a _mask beside it"
    )


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
