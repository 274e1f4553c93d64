"""Pairs of masks that are compared: which files belong together, and how both are read."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import numpy as np

from medseg.domain import Label, LabelTable, ReadOptions, Segmentation
from medseg.errors import GridMismatchError, InputError
from medseg.geometry import require_same_grid
from medseg.io import is_dataset, open_dataset, read_segmentation
from medseg.io.datasets.nnunet import ignored_label
from medseg.io.dicom.mask.source import series_of_mask
from medseg.io.names import split_part, stem_of
from medseg.io.suffixes import image_suffixes
from medseg.masks.ignored import without_ignored
from medseg.masks.onto import lies_on, onto_grid
from medseg.workflows.aside import files_of_cases, reference_files
from medseg.workflows.batch import unique

__all__ = [
    "LabelMap",
    "PairOptions",
    "as_map",
    "case_of",
    "files_in",
    "one_of_case",
    "pair_files",
    "read_pair",
]

#: What people put behind the name of a case: `p07_seg`, `p07-pred`, `p07_gt`.
_ROLE = re.compile(
    r"[._-](seg|segmentation|mask|labels?|pred|prediction|gt|reference|manual)$", re.IGNORECASE
)
#: What nnU-Net puts behind the name of a case in that of its first image.
_FIRST_CHANNEL = "_0000"
_HIGHEST = 65535


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Old value → new value (0 is background), of one of the two masks or of both."""

    pairs: tuple[tuple[int, int], ...] = ()
    prediction: tuple[tuple[int, int], ...] = ()
    reference: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class PairOptions:
    """How both masks of a pair are read.

    Parameters
    ----------
    labels
        Names for masks without them, YAML or JSON.
    mapping
        Values that stand for others.
    read
        As for `read_segmentation`; with `resample`, a prediction on another grid is brought onto the reference's.
    """

    labels: Path | None = None
    mapping: LabelMap = LabelMap()
    read: ReadOptions = ReadOptions()


def as_map(items: list[str]) -> LabelMap:
    """A map from `OLD=NEW`, `prediction:OLD=NEW` or `reference:OLD=NEW`.

    Raises
    ------
    InputError
        If one is none of these, or gives a value two meanings.

    Examples
    --------
    >>> as_map(["255=1", "reference:3=0"])
    LabelMap(pairs=((255, 1),), prediction=(), reference=((3, 0),))
    """
    found: dict[str, dict[int, int]] = {"": {}, "prediction": {}, "reference": {}}
    for item in items:
        matched = re.fullmatch(r"(?:(prediction|reference):)?(\d+)=(\d+)", item.strip())
        if matched is None or max(int(matched[2]), int(matched[3])) > _HIGHEST:
            raise InputError(f"--map takes OLD=NEW, such as 255=1 or prediction:3=0; not {item!r}")
        values = found[matched[1] or ""]
        if values.setdefault(int(matched[2]), int(matched[3])) != int(matched[3]):
            raise InputError(f"--map gives label {matched[2]} two meanings")
    both, ours, theirs = (tuple(sorted(values.items())) for values in found.values())
    return LabelMap(both, ours, theirs)


def pair_files(prediction: Path, reference: Path) -> dict[str, tuple[tuple[Path, ...], tuple[Path, ...]]]:
    """Case → (files of the prediction, of the reference) of two folders or datasets; either may have none.

    A case is a file's name without the word for its role (`p07_pred`, `p07_gt`), then without nnU-Net's number of the
    first channel; of SEG and RTSTRUCT, which are named by chance, last the series that they were made from. Several
    files of one case are a pair each where both sides call them the same, else a clash, which `one_of_case` names.

    Raises
    ------
    InputError
        If no prediction has a reference.
    """
    ours, theirs = _masks(prediction), _masks(reference)
    found: dict[str, tuple[tuple[Path, ...], tuple[Path, ...]]] = {}
    for key_of in (_case, _case_of_channel, _series):
        mine, other = _by_case(ours, key_of), _by_case(theirs, key_of)
        for case in mine.keys() & other.keys() - {""}:
            left = {stem: ours.pop(stem) for stem in mine[case]}
            found |= _paired(
                _case(next(iter(other[case]))), left, {stem: theirs.pop(stem) for stem in other[case]}
            )
    if not found:
        raise InputError(f"no file in {prediction} has the name of a case in {reference}")
    found |= {stem: ((), files) for stem, files in theirs.items()}
    alone: dict[str, tuple[tuple[Path, ...], tuple[Path, ...]]] = {
        stem if stem not in found else f"{stem} (no reference)": (files, ()) for stem, files in ours.items()
    }
    return {**dict(sorted(found.items())), **alone}


def files_in(path: Path) -> tuple[Path, ...]:
    """The masks of a folder or dataset that are compared, and a dataset's images."""
    cases = open_dataset(path).cases if is_dataset(path) else ()
    return (*chain.from_iterable(_masks(path).values()), *files_of_cases(cases))


def one_of_case(files: tuple[Path, ...], case: str, what: str) -> Path:
    """The one file of a case.

    Raises
    ------
    InputError
        If there are several: nobody says which of them is meant.
    """
    if len(files) > 1:
        names = " and ".join(file.name for file in files)
        raise InputError(f"{names} are {len(files)} {what}s of case {case}; rename or remove all but one")
    return files[0]


def read_pair(
    prediction: Path | None, reference: Path, options: PairOptions
) -> tuple[Segmentation, Segmentation]:
    """(prediction, reference), the one on the other's voxels where its format holds no whole grid.

    None stands for an empty prediction.

    Raises
    ------
    InputError
        If one can't be read, or holds structures whose voxels are not known.
    GridMismatchError
        If a SEG, RTSTRUCT or surface does not lie on the other's voxels.
    """
    for path in (prediction, reference):
        if path is not None and not split_part(path)[0].exists():
            raise InputError(f"{path} does not exist")
    read = replace(options.read, series=None)
    if prediction is None:
        wanted = read_segmentation(reference, options=read, labels=options.labels)
        wanted = without_ignored(wanted, ignored_label(reference, options.labels))
        wanted = _mapped(wanted, options, "reference")
        return Segmentation(np.zeros_like(wanted.labels), wanted.grid, wanted.table), wanted
    wanted = read_segmentation(reference, options=read, labels=options.labels)
    # Either may be the one that holds some slices only.
    found = _on(prediction, wanted, options, read)
    if not lies_on(found.grid, wanted.grid):
        wanted = _on(reference, found, options, read)
    if read.resample:
        found = onto_grid(found, wanted.grid, resample=True, what="prediction")
    found, wanted = _judged(found, wanted, ignored_label(reference, options.labels))
    return _mapped(found, options, "prediction"), _mapped(wanted, options, "reference")


def _judged(
    prediction: Segmentation, reference: Segmentation, ignored: int | None
) -> tuple[Segmentation, Segmentation]:
    """Both without the voxels that the reference's author left open, where neither is right or wrong."""
    if ignored is None or ignored not in reference.present:
        return without_ignored(prediction, ignored), without_ignored(reference, ignored)
    if lies_on(prediction.grid, reference.grid):
        prediction = onto_grid(prediction, reference.grid, what="prediction")
    require_same_grid(reference.grid, prediction.grid, "prediction")
    left = np.where(reference.labels == ignored, 0, prediction.labels).astype(prediction.labels.dtype)
    judged = replace(prediction, labels=left, instances=None, probabilities=None)
    return without_ignored(judged, ignored), without_ignored(reference, ignored)


def _on(path: Path, other: Segmentation, options: PairOptions, read: ReadOptions) -> Segmentation:
    """A mask on the other's grid, or where it lies of itself."""
    try:
        return read_segmentation(path, options=read, labels=options.labels, on=other.grid)
    except GridMismatchError:
        return read_segmentation(path, options=read, labels=options.labels)


def _mapped(mask: Segmentation, options: PairOptions, role: str) -> Segmentation:
    """The mask with its values mapped; a label that gets a new value keeps its name where the new one has none."""
    for name, reason in mask.not_read.items():
        raise InputError(
            f"structure {name} of the {role} could not be read ({reason}); pick others with --label"
        )
    own = options.mapping.prediction if role == "prediction" else options.mapping.reference
    pairs = {**dict(options.mapping.pairs), **dict(own)}
    if not pairs.keys() & set(mask.table.values):
        return mask
    lookup = np.arange(max(mask.table.values) + 1, dtype=np.uint16)
    names: dict[int, Label] = {}
    for label in sorted(mask.table.labels, key=lambda item: item.value in pairs):
        value = pairs.get(label.value, label.value)
        lookup[label.value] = value
        if value:
            names.setdefault(value, replace(label, value=value))
    regions = tuple(
        replace(region, labels=kept)
        for region in mask.table.regions
        if (kept := tuple(dict.fromkeys(int(lookup[value]) for value in region.labels if lookup[value])))
    )
    table = LabelTable(tuple(sorted(names.values(), key=lambda item: item.value)), regions)
    return replace(mask, labels=lookup[mask.labels], table=table, instances=None, probabilities=None)


_Files: TypeAlias = dict[str, tuple[Path, ...]]


def _masks(path: Path) -> _Files:
    """Mask files by case: the references of a dataset, else the files of a folder, or of a folder per patient."""
    if is_dataset(path):
        return reference_files(open_dataset(path).cases)
    own = unique(_mask_files(path))
    return own or _of_patients(path)


def _of_patients(path: Path) -> _Files:
    """The only mask of a patient's folder by the folder's name; several by their own names behind it."""
    found: _Files = {}
    for folder in sorted(item for item in path.iterdir() if item.is_dir() and not item.name.startswith(".")):
        files = unique(_mask_files(folder))
        for stem, paths in files.items():
            found[folder.name if len(files) == 1 else f"{folder.name}_{stem}"] = paths
    return found


def _mask_files(folder: Path) -> list[Path]:
    return [item for item in sorted(folder.iterdir()) if _is_mask(item) or series_of_mask(item) is not None]


def _by_case(files: _Files, key_of: Callable[[str, tuple[Path, ...]], str]) -> dict[str, list[str]]:
    """Case → stems."""
    found: dict[str, list[str]] = {}
    for stem, paths in files.items():
        found.setdefault(key_of(stem, paths), []).append(stem)
    return found


def _paired(case: str, ours: _Files, theirs: _Files) -> dict[str, tuple[tuple[Path, ...], tuple[Path, ...]]]:
    if ours.keys() == theirs.keys():
        return {stem: (files, theirs[stem]) for stem, files in ours.items()}
    mine, other = (tuple(file for files in side.values() for file in files) for side in (ours, theirs))
    return {next(iter(theirs)) if len(ours) == len(theirs) == 1 else case: (mine, other)}


def case_of(stem: str) -> str:
    """The name of a case without the words for its role.

    >>> [case_of(stem) for stem in ("p07_gt", "p07-pred", "p07")]
    ['p07', 'p07', 'p07']
    """
    while (plain := _ROLE.sub("", stem)) != stem:
        stem = plain
    return stem


def _case(stem: str, _: tuple[Path, ...] = ()) -> str:
    return case_of(stem)


def _case_of_channel(stem: str, _: tuple[Path, ...]) -> str:
    return _case(_case(stem).removesuffix(_FIRST_CHANNEL))


def _series(_: str, files: tuple[Path, ...]) -> str:
    """The series that a SEG or RTSTRUCT was made from; empty for other masks."""
    return " ".join(sorted(series_of_mask(files[0]) or ())) if len(files) == 1 else ""


def _is_mask(path: Path) -> bool:
    name = path.name.lower()
    probabilities = stem_of(path).lower().endswith(".probabilities")
    return (
        path.is_file() and name.endswith(image_suffixes()) and not name.startswith(".") and not probabilities
    )
