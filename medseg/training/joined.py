"""Sets that train one network as one dataset: cases know what their masks mean."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from medseg.domain import Case, Dataset, LabelTable
from medseg.domain.channels import pair_channels
from medseg.errors import ConfigError, InputError
from medseg.io import open_dataset
from medseg.io.datasets import rename_channels
from medseg.training.config import DataConfig
from medseg.training.sets import SetConfig, labels_of_set, of_set

__all__ = ["join_sets", "open_set", "sets_of"]

#: So many names stand in a message.
_NAMED = 5


def open_set(item: SetConfig) -> Dataset:
    """The cases of one set, as its files are."""
    return open_dataset(item.path if item.cases is None else Path(item.cases), root=item.path)


def join_sets(
    data: DataConfig, sets: Mapping[str, Dataset], labels: LabelTable, channels: Mapping[str, str | None]
) -> Dataset:
    """One dataset of the sets of a configuration; ids of cases begin with the name of their set.

    Parameters
    ----------
    data
        With `sets`.
    sets
        By name, as `open_set` gives them.
    labels, channels
        Of the network: its table, and name → modality of its channels.

    Raises
    ------
    ConfigError
        If a set lacks a channel or a label, or subjects of two sets have one name and nobody said whether they are one.
    """
    shared = _shared_subjects(sets)
    if shared and data.subjects is None:
        raise ConfigError(
            f"{len(shared)} subjects stand in more than one set ({', '.join(shared[:_NAMED])}); say "
            "data.subjects=shared if they are the same people, whose cases stay in one fold, or data.subjects=own if "
            "only the names are equal"
        )
    cases: list[Case] = []
    for item in data.sets:
        meaning = labels_of_set(item, sets[item.name].table, labels)
        for case in _renamed(item.name, sets[item.name], channels, data).cases:
            subject = f"{item.name}:{case.subject}" if data.subjects == "own" else case.subject
            cases.append(
                replace(
                    case, id=f"{item.name}-{case.id}", subject=subject, labels=of_set(case.labels, meaning)
                )
            )
    cases.sort(key=lambda case: case.id)
    licences = tuple(dict.fromkeys(found.licence for found in sets.values() if found.licence))
    return Dataset(" + ".join(sets), "sets", tuple(cases), tuple(channels), labels, "; ".join(licences))


def sets_of(dataset: Dataset) -> dict[str, Dataset]:
    """The cases of each set by its name; nothing where there are no sets."""
    found: dict[str, list[Case]] = {}
    for case in dataset.cases:
        if case.labels is not None and case.labels.set_name:
            found.setdefault(case.labels.set_name, []).append(case)
    return {name: replace(dataset, name=name, cases=tuple(cases)) for name, cases in found.items()}


def _shared_subjects(sets: Mapping[str, Dataset]) -> list[str]:
    names = [name for found in sets.values() for name in found.subjects]
    return sorted({name for name in names if names.count(name) > 1})


def _renamed(name: str, found: Dataset, channels: Mapping[str, str | None], data: DataConfig) -> Dataset:
    alone = len(channels) == len(found.channels) == 1
    by_position = alone or data.channels_by == "position"
    try:
        pairs = pair_channels(channels, dict.fromkeys(found.channels), by_position=by_position)
    except InputError as error:
        raise ConfigError(f"the set {name} does not fit the channels of the network: {error}") from error
    left = [channel for channel in found.channels if channel not in pairs.values()]
    cases = tuple(
        replace(case, images=tuple(file for file in case.images if file.channel not in left))
        for case in found.cases
    )
    kept = replace(found, cases=cases, channels=tuple(pairs.values()))
    return rename_channels(kept, {theirs: ours for ours, theirs in pairs.items()})
