"""A folder per patient: images by channel, with or without a mask, or a DICOM series in each."""

from collections import Counter
from itertools import islice
from pathlib import Path

from medseg.domain import Case, ChannelFile, Dataset
from medseg.errors import InputError
from medseg.io.datasets.paths import image_files
from medseg.io.dicom.files import dicom_files
from medseg.io.dicom.image.headers import read_header
from medseg.io.dicom.mask.source import series_of_mask
from medseg.io.dicom.opened import is_dicom
from medseg.io.names import stem_of

__all__ = ["dicom_masks", "is_patients", "open_patients", "several_masks"]

#: How masks are called, alone or behind the name of their image.
_MASKS = ("mask", "seg", "segmentation", "label", "labels", "reference", "gt")
#: So many folders are looked at to tell the layout.
_LOOKED_AT = 3


def is_patients(root: Path) -> bool:
    """Whether two folders at least hold images each, and none lies beside them; DICOM only of different patients."""
    folders = list(islice(_folders(root), _LOOKED_AT))
    if len(folders) < 2 or image_files(root):
        return False
    if all(image_files(folder) for folder in folders):
        return any(_masks_and_images(folder)[0] for folder in folders)
    patients = [_patient(folder) for folder in folders]
    return all(patients) and len(set(patients)) == len(patients)


def open_patients(root: Path) -> Dataset:
    """One case and subject per folder; a channel is an image's name without what all in its folder begin with.

    Raises
    ------
    InputError
        If a folder holds two masks, or two images of one channel.
    """
    cases = [case for folder in _folders(root) if (case := _case(folder)) is not None]
    counted = Counter(file.channel for case in cases for file in case.images)
    return Dataset(root.name, "patients", tuple(cases), tuple(counted))


def dicom_masks(folder: Path) -> dict[Path, frozenset[str]]:
    """SEG and RTSTRUCT of a folder → the series that each was made from."""
    return {file: named for file in dicom_files(folder) if (named := series_of_mask(file)) is not None}


def several_masks(case: Case) -> tuple[Path, ...]:
    """SEG and RTSTRUCT in the folder of a case that has no reference, because there are several; else none."""
    if case.reference is not None or not Path(case.images[0].path).is_dir():
        return ()
    found = tuple(dicom_masks(Path(case.images[0].path)))
    return found if len(found) > 1 else ()


def _folders(root: Path) -> list[Path]:
    return sorted(item for item in root.iterdir() if item.is_dir() and not item.name.startswith("."))


def _case(folder: Path) -> Case | None:
    images, masks = _masks_and_images(folder)
    if len(masks) > 1:
        raise InputError(
            f"{folder} holds {len(masks)} masks ({', '.join(path.name for path in masks)}); keep one"
        )
    if not images:
        if not any(is_dicom(file) for file in dicom_files(folder)):
            return None
        return _of_dicom(folder)
    names = [_channel(path, folder) for path in images]
    if len(images) == 1:
        names = ["image"] if names[0] == stem_of(images[0]) else names
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"{folder} holds two images called {twice[0]!r}")
    files = tuple(ChannelFile(name, str(path)) for name, path in zip(names, images, strict=True))
    return Case(folder.name, folder.name, files, str(masks[0]) if masks else None)


def _of_dicom(folder: Path) -> Case:
    """A series with the one SEG or RTSTRUCT that was made from it; several leave open which is the reference."""
    masks = dicom_masks(folder)
    mask, series = next(iter(masks.items())) if len(masks) == 1 else (None, frozenset())
    image = ChannelFile("image", str(folder), series=next(iter(series)) if len(series) == 1 else None)
    return Case(folder.name, folder.name, (image,), None if mask is None else str(mask))


def _masks_and_images(folder: Path) -> tuple[list[Path], list[Path]]:
    files = image_files(folder)
    masks = [path for path in files if _is_mask(path)]
    return [path for path in files if path not in masks], masks


def _is_mask(path: Path) -> bool:
    words = stem_of(path).lower().replace("-", "_").split("_")
    return words[-1] in _MASKS or path.name.lower().endswith(".seg.nrrd")


def _channel(path: Path, folder: Path) -> str:
    """`BraTS_001_t1` in the folder `BraTS_001` is `t1`."""
    stem = stem_of(path)
    own = stem.removeprefix(folder.name).strip("_-. ")
    return own or stem


def _patient(folder: Path) -> str:
    """The patient of the first DICOM file of a folder; empty where there is none."""
    for file in islice((item for item in dicom_files(folder) if is_dicom(item)), 1):
        try:
            header = read_header(file)
        except InputError:
            return ""
        return header.patient.strip() if header is not None else ""
    return ""
