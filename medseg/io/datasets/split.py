"""Fixed splits by subject, in a file that is bound to its dataset by digest."""

from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from medseg.domain import Dataset, Split
from medseg.domain.texts import plain_json
from medseg.errors import InputError
from medseg.io.atomic import write_bytes
from medseg.io.plain import read_plain

__all__ = ["make_split", "read_split", "write_split"]

_ADAPTER = TypeAdapter(Split)


def make_split(dataset: Dataset, *, folds: int = 5, seed: int = 0, held_out: tuple[str, ...] = ()) -> Split:
    """Shuffle subjects and deal them into folds; at most one fold per subject.

    Of several sets the subjects of one are dealt after those of another, so that every fold has its share of each.

    Raises
    ------
    InputError
        If no subject is left, or `held_out` names one that the dataset lacks.
    """
    if unknown := sorted(set(held_out) - set(dataset.subjects)):
        raise InputError(f"{dataset.name} has no subjects {', '.join(unknown)} to hold out")
    subjects = [name for name in dataset.subjects if name not in held_out]
    if not subjects or folds < 1:
        raise InputError(f"{dataset.name} has {len(subjects)} subjects for {folds} folds")
    sets: dict[str, set[str]] = {}
    for case in dataset.cases:
        sets.setdefault(case.subject, set()).add("" if case.labels is None else case.labels.set_name)
    drawn = np.random.default_rng(seed).permutation(len(subjects))
    order = sorted(drawn, key=lambda number: sorted(sets[subjects[int(number)]]))
    count = min(folds, len(subjects))
    parts = tuple(tuple(sorted(subjects[int(n)] for n in order[part::count])) for part in range(count))
    return Split(dataset.digest, parts, tuple(held_out), seed)


def write_split(split: Split, path: str | Path, *, force: bool = False) -> Path:
    """Write a split as JSON."""
    return write_bytes(path, _ADAPTER.dump_json(split, indent=1), force=force)


def read_split(path: str | Path, dataset: Dataset | None = None) -> Split:
    """Read a split; with `dataset`, one made for other cases is refused.

    Raises
    ------
    InputError
        If the file is no split, or belongs to another dataset.
    """
    try:
        split = _ADAPTER.validate_json(plain_json(read_plain(path)))
    except ValidationError as error:
        raise InputError(f"{path} is no split: {error.errors()[0]['msg']}") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is no split: {error}") from error
    if dataset is not None and split.dataset_digest != dataset.digest:
        raise InputError(f"{path} was made for other cases than those of {dataset.name}")
    return split
