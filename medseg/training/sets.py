"""Several sets that label different things and train one network: what each holds, and what its values mean."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict

from medseg.domain import LabelTable
from medseg.domain.case import MaskMeaning
from medseg.domain.values import STRICT
from medseg.errors import ConfigError
from medseg.training.naming import place_of

__all__ = ["SetConfig", "labels_of_set", "of_set", "require_sets"]

#: What can begin the name of a file.
_NAME = re.compile(r"\w[\w.-]*")
#: So many names stand in a message.
_NAMED = 8


@dataclass(frozen=True, slots=True)
class SetConfig:
    """One of several sets that train one network.

    Parameters
    ----------
    name
        By which the card and the training page call it; begins the ids of its cases.
    holds
        Labels of the configuration that its masks show wherever they are. Of the others its masks say nothing:
        background there is background or one of them.
    root, cases
        As those of `data`; on the command line `data.sets.NAME.root=…`.
    values
        Name of a label that it holds → value in its masks, where its files do not name their values.
    background
        Names or values of its masks that count as background: what it labels and nobody wants.
    ignore
        Value in its masks of the voxels that nobody judged.
    """

    name: str
    holds: tuple[str, ...]
    root: str | None = None
    cases: str | None = None
    values: dict[str, int] = field(default_factory=dict)
    background: tuple[str | int, ...] = ()
    ignore: int | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"the name of a set can begin the name of a file, which {self.name!r} can't")
        if not self.holds or len(set(self.holds)) < len(self.holds):
            raise ConfigError(f"data.sets: {self.name} holds at least one label, each named once")
        if odd := sorted(set(self.values) - set(self.holds)):
            raise ConfigError(f"data.sets: {self.name} gives a value for {odd[0]!r}, which it does not hold")
        if any(value < 1 for value in self.values.values()) or len(set(self.values.values())) < len(
            self.values
        ):
            raise ConfigError(f"data.sets: values of {self.name} are different whole numbers from 1 on")

    @property
    def path(self) -> Path:
        """Its folder.

        Raises
        ------
        ConfigError
            If none is given.
        """
        if self.root is None:
            raise ConfigError(
                f"the configuration does not say where the set {self.name} lies; give data.sets.{self.name}.root=FOLDER"
            )
        return Path(self.root).expanduser()


def require_sets(sets: Sequence[SetConfig], labels: LabelTable) -> None:
    """Refuse sets that contradict the configuration's labels, or each other."""
    names = [item.name.casefold() for item in sets]
    if twice := [item.name for item in sets if names.count(item.name.casefold()) > 1]:
        raise ConfigError(f"data.sets: two sets are called {twice[0]!r}")
    known = [item.name for item in labels.labels]
    for item in sets:
        if unknown := [name for name in item.holds if name not in known]:
            raise ConfigError(
                f"data.sets: {item.name} holds {unknown[0]!r}, which is no label of the configuration; it has "
                f"{', '.join(known[:_NAMED])}"
            )
    held = {name for item in sets for name in item.holds}
    if missing := [name for name in known if name not in held]:
        raise ConfigError(f"data.sets: no set holds {', '.join(missing[:_NAMED])}, so it can't be learned")


def labels_of_set(item: SetConfig, table: LabelTable | None, labels: LabelTable) -> MaskMeaning:
    """What the masks of a set mean: by `values`, else by the names in the set's own table, else as they stand.

    Raises
    ------
    ConfigError
        If a label that it holds is none of its own, or two of its own are one.
    """
    ours = {label.name: label.value for label in labels.labels}
    named = {} if table is None else {label.name: label.value for label in table.labels}
    theirs = dict(item.values)
    for name in item.holds:
        if name in theirs:
            continue
        if table is None:
            theirs[name] = ours[name]
            continue
        place = place_of(name, list(named), 0)
        if place is None:
            raise ConfigError(
                f"data.sets: {item.name} is to hold {name!r}, and its labels are {', '.join(list(named)[:_NAMED])}; "
                f"say which it is by its value: data.sets.{item.name}.values={{{name}: …}}"
            )
        theirs[name] = list(named.values())[place]
    values = [(theirs[name], ours[name]) for name in item.holds]
    values += [(_background(entry, named, item), 0) for entry in item.background]
    stated = [value for value, _ in values] + ([] if item.ignore is None else [item.ignore])
    if twice := sorted({value for value in stated if stated.count(value) > 1}):
        raise ConfigError(
            f"data.sets: value {twice[0]} of {item.name} has two meanings; say which by `values`"
        )
    ignore = () if item.ignore is None else (item.ignore,)
    return MaskMeaning(tuple(values), ignore, item.name, tuple(ours[name] for name in item.holds))


def of_set(own: MaskMeaning | None, meaning: MaskMeaning) -> MaskMeaning:
    """What the mask of a set's case means, whose values are those of the set's table by the case's own meaning."""
    if own is None:
        return meaning
    ours = dict(meaning.values)
    values = meaning.values
    if own.values:
        ours[0] = 0
        values = tuple((raw, ours[theirs]) for raw, theirs in own.values if theirs in ours)
    return replace(meaning, values=values, ignore=tuple(dict.fromkeys((*own.ignore, *meaning.ignore))))


def _background(entry: str | int, named: dict[str, int], item: SetConfig) -> int:
    if isinstance(entry, int):
        return entry
    if entry not in named:
        raise ConfigError(
            f"data.sets: background of {item.name} names {entry!r}, which is none of its labels "
            f"({', '.join(list(named)[:_NAMED]) or 'its files name none: give the value'})"
        )
    return named[entry]
