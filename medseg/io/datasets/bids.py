"""BIDS: `sub-*/[ses-*/]` with images named by entities and a suffix; masks under `derivatives`."""

from pathlib import Path

from medseg.domain import Case, ChannelFile, Dataset
from medseg.errors import InputError
from medseg.io.datasets.paths import NIFTI_SUFFIXES, image_files

__all__ = ["is_bids", "open_bids"]

_MASKS = ("_msk", "_mask", "_dseg", "_seg")


def is_bids(root: Path) -> bool:
    """Whether the folder holds subjects, directly or under `rawdata`."""
    return any(
        folder.is_dir() for base in (root, root / "rawdata") if base.is_dir() for folder in base.glob("sub-*")
    )


def open_bids(root: Path) -> Dataset:
    """One case per subject and session; a channel is an image's suffix (`flair`, `T1w`), or `acq-x_T1w` where needed.

    The mask is the first file under `derivatives` of that subject and session whose suffix is msk, mask,
    dseg or seg. BIDS promises one space per session only for derivatives, so `same_space` is not declared.

    Raises
    ------
    InputError
        If no subject has an image.
    """
    base = root / "rawdata" if (root / "rawdata").is_dir() else root
    cases = []
    for subject in sorted(item for item in base.glob("sub-*") if item.is_dir()):
        sessions = sorted(item for item in subject.glob("ses-*") if item.is_dir()) or [subject]
        for session in sessions:
            files = _images(session)
            if files:
                name = subject.name if session == subject else f"{subject.name}_{session.name}"
                cases.append(Case(name, subject.name, files, _mask(root, subject.name, session, subject)))
    if not cases:
        raise InputError(f"{root} has subjects and no NIfTI images")
    channels = tuple(dict.fromkeys(file.channel for case in cases for file in case.images))
    return Dataset(root.name, "bids", tuple(cases), channels)


def _images(session: Path) -> tuple[ChannelFile, ...]:
    paths = image_files(session, NIFTI_SUFFIXES, deep=True)
    names = [_suffix(path) for path in paths]
    return tuple(
        ChannelFile(name if names.count(name) == 1 else _long_name(path), str(path))
        for name, path in zip(names, paths, strict=True)
        if f"_{name}" not in _MASKS
    )


def _mask(root: Path, subject_name: str, session: Path, subject: Path) -> str | None:
    for folder in sorted((root / "derivatives").rglob(subject_name)):
        for path in image_files(folder, NIFTI_SUFFIXES, deep=True):
            entities = {*path.relative_to(folder).parts[:-1], *path.name.split("_")}
            if f"_{_suffix(path)}" in _MASKS and (session == subject or session.name in entities):
                return str(path)
    return None


def _suffix(path: Path) -> str:
    return path.name.split(".", maxsplit=1)[0].rpartition("_")[2]


def _long_name(path: Path) -> str:
    parts = path.name.split(".", maxsplit=1)[0].split("_")
    return "_".join(part for part in parts if not part.startswith(("sub-", "ses-")))
