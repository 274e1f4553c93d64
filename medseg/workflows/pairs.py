"""Pairs of masks that are compared: which files belong together, and how both are read."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from medseg.domain import Label, LabelTable, ReadOptions, Segmentation
from medseg.errors import GridMismatchError, InputError
from medseg.io import is_dataset, open_dataset, read_segmentation
from medseg.io.names import split_part, stem_of
from medseg.io.suffixes import image_suffixes
from medseg.masks.onto import lies_on, onto_grid
from medseg.workflows.batch import unique

__all__ = ["LabelMap", "PairOptions", "as_map", "case_of", "pair_files", "read_pair"]

#: What people put behind the name of a case: `p07_seg`, `p07-pred`, `p07_gt`.
_ROLE = re.compile(
    r"[._-](seg|segmentation|mask|labels?|pred|prediction|gt|reference|manual)$", re.IGNORECASE
)
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

    Files of one name are a case. What is left is paired without the word for its role (`p07_pred`, `p07_gt`).

    Raises
    ------
    InputError
        If no prediction has a reference.
    """
    ours, theirs = _masks(prediction), _masks(reference)
    found = {stem: (ours.pop(stem, ()), files) for stem, files in theirs.items()}
    plain = _by_case(ours)
    for stem, (files, wanted) in found.items():
        case = case_of(stem)
        if not files and case in plain:
            found[stem] = (plain.pop(case), wanted)
    if not any(files for files, _ in found.values()):
        raise InputError(f"no file in {prediction} has the stem of a file in {reference}")
    rest = {stem: files for stem, files in ours.items() if any(files == kept for kept in plain.values())}
    rest |= {case: files for case, files in plain.items() if len(files) > 1}
    return {**found, **{stem: (files, ()) for stem, files in rest.items() if stem not in found}}


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
        wanted = _mapped(
            read_segmentation(reference, options=read, labels=options.labels), options, "reference"
        )
        return Segmentation(np.zeros_like(wanted.labels), wanted.grid, wanted.table), wanted
    wanted = read_segmentation(reference, options=read, labels=options.labels)
    # Either may be the one that holds some slices only.
    found = _on(prediction, wanted, options, read)
    if not lies_on(found.grid, wanted.grid):
        wanted = _on(reference, found, options, read)
    if read.resample:
        found = onto_grid(found, wanted.grid, resample=True, what="prediction")
    return _mapped(found, options, "prediction"), _mapped(wanted, options, "reference")


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


def _masks(path: Path) -> dict[str, tuple[Path, ...]]:
    """Mask files by case: the references of a dataset, else the files of a folder."""
    if is_dataset(path):
        cases = open_dataset(path).cases
        return {case.id: (Path(case.reference),) for case in cases if case.reference}
    return unique(item for item in sorted(path.iterdir()) if _is_mask(item))


def _by_case(files: dict[str, tuple[Path, ...]]) -> dict[str, tuple[Path, ...]]:
    found: dict[str, tuple[Path, ...]] = {}
    for stem, paths in files.items():
        found[case_of(stem)] = (*found.get(case_of(stem), ()), *paths)
    return found


def case_of(stem: str) -> str:
    """The name of a case without the word for its role.

    >>> [case_of(stem) for stem in ("p07_gt", "p07-pred", "p07")]
    ['p07', 'p07', 'p07']
    """
    return _ROLE.sub("", stem)


def _is_mask(path: Path) -> bool:
    name = path.name.lower()
    probabilities = stem_of(path).lower().endswith(".probabilities")
    return (
        path.is_file() and name.endswith(image_suffixes()) and not name.startswith(".") and not probabilities
    )
