"""Several sets that train one network: one label table out of theirs, and what each holds."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from medseg.domain import Dataset, Label, LabelTable, Region
from medseg.errors import ConfigError
from medseg.io.datasets.nnunet import ignored_label
from medseg.masks.ignored import table_without
from medseg.training.config import DataConfig
from medseg.training.joined import join_sets
from medseg.training.sets import SetConfig

__all__ = ["propose_sets"]


def propose_sets(
    places: Sequence[tuple[Dataset, DataConfig]], subjects: Literal["shared", "own"] | None
) -> tuple[Dataset, DataConfig]:
    """The sets as one dataset under one table, and how a configuration says it.

    Labels of two sets are one where their names are, whatever the case of letters and the signs between words; values
    are given anew from 1 on, in the order of the sets.

    Parameters
    ----------
    places
        Each set, and where it lies.
    subjects
        Whether subjects of the same name in two sets are the same people.

    Raises
    ------
    ConfigError
        If a set does not name its labels, or lacks a channel of the first.
    """
    names = _names([dataset.name for dataset, _ in places])
    tables = {name: _table_of(dataset) for name, (dataset, _) in zip(names, places, strict=True)}
    table, ours = _united(tables)
    sets = tuple(
        SetConfig(
            name,
            tuple(ours[_plain(label.name)] for label in tables[name].labels),
            root=where.root,
            cases=where.cases,
            values={ours[_plain(label.name)]: label.value for label in tables[name].labels},
        )
        for name, (_, where) in zip(names, places, strict=True)
    )
    data = DataConfig(sets=sets, subjects=subjects)
    opened = {name: dataset for name, (dataset, _) in zip(names, places, strict=True)}
    channels = dict.fromkeys(places[0][0].channels)
    return join_sets(data, opened, table, channels), data


def _names(given: Sequence[str]) -> list[str]:
    """Names that can begin the name of a file, each once."""
    found: list[str] = []
    for name in given:
        base = re.sub(r"[^\w.-]+", "_", name).strip("_.-") or "set"
        made, number = base, 2
        while made.casefold() in {other.casefold() for other in found}:
            made, number = f"{base}-{number}", number + 1
        found.append(made)
    return found


def _table_of(dataset: Dataset) -> LabelTable:
    if dataset.table is None or not dataset.table.labels:
        raise ConfigError(
            f"{dataset.name} does not name its labels, so nobody can say which are those of the other sets; write the "
            "configuration with data.sets by hand, where 'values' gives them"
        )
    table = dataset.table
    found = {ignored_label(case.reference) for case in dataset.cases if case.reference is not None}
    for value in sorted(value for value in found if value is not None):
        table = table_without(table, value)
    return table


def _united(tables: Mapping[str, LabelTable]) -> tuple[LabelTable, dict[str, str]]:
    """One table, and the name in it by plain name."""
    labels: dict[str, Label] = {}
    for table in tables.values():
        for label in table.labels:
            labels.setdefault(_plain(label.name), replace(label, value=len(labels) + 1))
    regions: dict[str, Region] = {}
    for table in tables.values():
        for region in table.regions:
            own = [_plain(label.name) for label in table.labels if label.value in region.labels]
            united = replace(region, labels=tuple(labels[name].value for name in own))
            if _plain(region.name) not in labels:
                regions.setdefault(_plain(region.name), united)
    return LabelTable(tuple(labels.values()), tuple(regions.values())), {
        plain: label.name for plain, label in labels.items()
    }


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())
