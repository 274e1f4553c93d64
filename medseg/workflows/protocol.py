"""Protocol check: is each case of a study taken as the study asks? Each answer with the tag that it stands in."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from medseg.domain import Case, ChannelFile, ReadOptions, Run, Source
from medseg.domain.protocol import Fact, ProtocolRow, ProtocolRule, StudyProtocol
from medseg.domain.source import Verdict
from medseg.domain.texts import parse_yaml
from medseg.errors import ConfigError, MedsegError
from medseg.io import inspect, is_dataset, open_dataset
from medseg.io.choose import choose_all
from medseg.io.dicom.acquisition import TAGS, acquisition_facts
from medseg.io.plain import read_plain
from medseg.masks import slice_axis
from medseg.workflows.volumes import case_of_path

__all__ = ["FACTS", "check_protocol", "passes", "read_protocol"]

#: What every file states by its grid: name → where it stands.
_OF_GRID = {
    "slice_step_mm": "step from slice to slice",
    "pixel_mm": "larger spacing within a slice",
    "slices": "number of slices",
}
#: Names that a protocol may use.
FACTS = (*TAGS, *_OF_GRID)
_MOST_BYTES = 1 << 20
_EVERY, _CHANNELS = "every", "channels"
_RANGE = {"min", "max", "one_of", "contains"}


def read_protocol(path: Path) -> StudyProtocol:
    """Read a protocol (YAML): `every` has rules for all images, `channels` those by channel or modality.

    A rule is a value, a list of values, or an object with `min`, `max`, `one_of`, `contains`.

    Raises
    ------
    ConfigError
        Naming the first fault: an unknown fact (with the nearest), an unknown word, a range that holds nothing.
    """
    try:
        plain = parse_yaml(read_plain(path, most=_MOST_BYTES).decode("utf-8-sig"))
    except ValueError as error:
        raise ConfigError(f"{path} is no YAML of a protocol: {error}") from error
    if not isinstance(plain, dict) or not plain or set(plain) - {_EVERY, _CHANNELS}:
        raise ConfigError(f"{path}: a protocol has {_EVERY} and {_CHANNELS}, each an object of rules")
    channels = plain.get(_CHANNELS) or {}
    if not isinstance(channels, dict):
        raise ConfigError(f"{path}: {_CHANNELS} is an object of channels or modalities")
    return StudyProtocol(
        tuple(_rules(plain.get(_EVERY) or {}, f"{path}: {_EVERY}")),
        {str(name): tuple(_rules(rules, f"{path}: {name}")) for name, rules in channels.items()},
    )


def _rules(plain: Any, where: str) -> Iterator[ProtocolRule]:
    if not isinstance(plain, dict):
        raise ConfigError(f"{where}: rules are an object of facts, not {type(plain).__name__}")
    for name, value in plain.items():
        if name not in FACTS:
            near = get_close_matches(str(name), FACTS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(FACTS)}"
            raise ConfigError(f"{where}: there is no fact {name!r}; {hint}")
        yield _rule(name, value, where)


def _rule(name: str, value: Any, where: str) -> ProtocolRule:
    if isinstance(value, list):
        return ProtocolRule(name, one_of=tuple(value))
    if not isinstance(value, dict):
        return ProtocolRule(name, one_of=(value,) if value is not None else ())
    if unknown := set(value) - _RANGE:
        raise ConfigError(
            f"{where}: {name} has the word {sorted(unknown)[0]!r}; there are {', '.join(sorted(_RANGE))}"
        )
    ends = [value.get(end) for end in ("min", "max")]
    if any(end is not None and (isinstance(end, bool) or not isinstance(end, int | float)) for end in ends):
        raise ConfigError(f"{where}: min and max of {name} are numbers, not {value}")
    return ProtocolRule(
        name,
        ends[0],
        ends[1],
        tuple(_list(value.get("one_of"))),
        tuple(map(str, _list(value.get("contains")))),
    )


def _list(value: Any) -> Sequence[Any]:
    return () if value is None else value if isinstance(value, list) else (value,)


def check_protocol(path: Path, protocol: StudyProtocol, *, run: Run | None = None) -> tuple[ProtocolRow, ...]:
    """Every rule on every image of a dataset, or of a file or folder; a case that can't be read is a row too.

    Only headers are read.
    """
    run = run or Run()
    cases = open_dataset(path).cases if is_dataset(path) else _cases_of(path)
    rows: list[ProtocolRow] = []
    for number, case in enumerate(cases):
        run.check()
        run.progress(number, len(cases), f"protocol: {case.id}")
        for file in case.images:
            rows += _check(case, file, protocol)
    return tuple(rows)


def passes(rows: Sequence[ProtocolRow]) -> dict[str, bool]:
    """Case → whether all of its rules hold."""
    found: dict[str, bool] = {}
    for row in rows:
        found[row.case] = found.get(row.case, True) and row.state == "pass"
    return found


def _cases_of(path: Path) -> tuple[Case, ...]:
    """Each series of a file or folder as a case of one image."""
    name = case_of_path(path).id
    found = inspect(path)
    volumes = [source for source in found if source.verdict is not Verdict.NOT_A_VOLUME]
    sources = {source.series_uid: source for source in volumes or found}
    return tuple(
        Case(
            name if len(sources) == 1 else f"{name} …{str(uid)[-8:]}",
            name,
            (ChannelFile((source.modality or "image").lower(), str(path), None, uid),),
        )
        for uid, source in sources.items()
    )


def _check(case: Case, file: ChannelFile, protocol: StudyProtocol) -> Iterator[ProtocolRow]:
    try:
        path = Path(file.path)
        source = choose_all(path, inspect(path), ReadOptions(series=file.series, volume=file.volume))[0]
        facts = _facts(source)
    except MedsegError as error:
        yield ProtocolRow(case.id, file.channel, "", "", str(error), "", "not read")
        return
    modality = facts["modality"][0] if "modality" in facts else source.modality
    for rule in protocol.rules_of(file.channel, None if modality is None else str(modality)):
        value, where = facts.get(rule.name, (None, "not stated by this format"))
        state = "pass" if rule.holds(value) else "not stated" if value is None else "fail"
        yield ProtocolRow(case.id, file.channel, rule.name, rule.wanted, value, where, state)  # type: ignore[arg-type]


def _facts(source: Source) -> Mapping[str, Fact]:
    facts: dict[str, Fact] = {}
    if source.instances:
        facts |= acquisition_facts([item.file for item in source.instances])
    grid = source.grid
    if grid is not None and grid.unit == "mm":
        across = 2 if source.instances else slice_axis(grid)
        inside = max(step for axis, step in enumerate(grid.spacing) if axis != across)
        values = (grid.spacing[across], inside, grid.shape[across])
        facts |= {name: (value, where) for (name, where), value in zip(_OF_GRID.items(), values, strict=True)}
    return facts
