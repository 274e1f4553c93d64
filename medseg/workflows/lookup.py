"""Inputs of a Record that are not where it says: found by the digest of their voxels among files that are given."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from medseg import io
from medseg.domain import InputRef, Record
from medseg.errors import InputError, MedsegError
from medseg.io.dicom.mask.source import series_of_mask
from medseg.io.dicom.opened import is_dicom
from medseg.io.plain import require_regular
from medseg.io.suffixes import image_suffixes
from medseg.workflows.reopen import reopen_image, reopen_mask

__all__ = ["find_inputs"]


def find_inputs(record: Record, folder: Path, among: Sequence[Path]) -> Record:
    """The Record with the places where its mask and images lie now, relative to `folder`, where the Record lies.

    Parameters
    ----------
    among
        Files, series of DICOM and folders of them, however deep; the first whose voxels are those that were measured
        is taken. None leaves the Record as it is.

    Raises
    ------
    InputError
        Naming every input that neither they nor its own place hold.
    """
    if not among:
        return record
    for path in among:
        _require_candidate(path)
    candidates = tuple(dict.fromkeys(place for path in among for place in _places(path)))
    inputs = tuple(_found(record, item, folder, candidates) for item in record.inputs)
    lost = [
        before for before, after in zip(record.inputs, inputs, strict=True) if not _is_there(after, folder)
    ]
    if lost:
        words = ", ".join(f"{item.channel or 'mask'} (digest {item.digest[:8]})" for item in lost)
        raise InputError(
            f"not found among the files given: {words}; none of them has the voxels that were measured"
        )
    return replace(record, inputs=inputs)


def _require_candidate(path: Path) -> None:
    """Refuse what can hold no image and no mask: said at once, not found out by waiting for a pipe."""
    require_regular(path)
    if not path.exists():
        raise InputError(f"{path} is not there")
    files = (item for item in path.rglob("*") if item.is_file()) if path.is_dir() else iter((path,))
    if not any(_is_single(item) or is_dicom(item) for item in files):
        raise InputError(
            f"{path} holds no image and no mask, so that nothing of the record can be found in it"
        )


def _places(path: Path) -> Iterator[Path]:
    """What may be one image or mask: a slice of a series stands for its folder."""
    if path.is_dir():
        yield path
        for place, folders, names in os.walk(path):
            folders.sort()
            yield from (found for name in sorted(names) if _is_single(found := Path(place) / name))
    elif is_dicom(path) and series_of_mask(path) is None:
        yield path.parent
    else:
        yield path


def _is_single(path: Path) -> bool:
    named = not path.name.startswith(".") and path.name.lower().endswith(image_suffixes())
    return path.is_file() and (named or series_of_mask(path) is not None)


def _found(record: Record, item: InputRef, folder: Path, candidates: Sequence[Path]) -> InputRef:
    """The input where it was found; where it was not, as it is.

    Files of its own name and of its subject's come first: which one it is the digest says, but among many cases
    most need not be read.
    """
    names = (PurePosixPath(item.path).name, record.subject)

    def is_far(path: Path) -> bool:
        return path.name != names[0] and not (names[1] and path.name.startswith(names[1]))

    for path in sorted(candidates, key=is_far):
        if _is_input(record, item, path):
            return replace(item, path=Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix())
    return item


def _is_input(record: Record, item: InputRef, path: Path) -> bool:
    try:
        if item.role == "mask":
            if path.is_dir():
                return False
            reopen_mask(record, path)
        elif not _may_be_image(item, path):
            return False
        else:
            reopen_image(record, item, path)
    except MedsegError:
        return False
    return True


def _may_be_image(item: InputRef, path: Path) -> bool:
    """Whether headers allow it, so that voxels of other images are not read."""
    shape = sorted(item.grid.shape)
    sources = io.inspect(path)
    if item.series_uid is not None:
        return any(source.series_uid == item.series_uid for source in sources)
    return any(source.grid is None or sorted(source.grid.shape) == shape for source in sources)


def _is_there(item: InputRef, folder: Path) -> bool:
    return bool(item.path) and (folder / item.path).exists()
