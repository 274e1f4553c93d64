"""JSON, YAML and tables from others, read strictly: each name once, finite numbers, nothing that grows when read."""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any, get_args, get_type_hints

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from medseg.errors import ConfigError

__all__ = ["parse_json", "parse_table", "parse_yaml", "plain_json", "refuse_unknown_keys"]

#: Characters of a number in YAML; a longer one takes ever longer to read, above all in base 60 (`1:1:1`).
_LONGEST_NUMBER = 400
#: Characters of a message: an error may repeat the whole text.
_LONGEST_REASON = 160


def parse_json(data: str | bytes, *, finite: bool = True) -> Any:
    """What a JSON text says; with `finite` off, whoever takes a number out of it looks whether it is one.

    Raises
    ------
    ValueError
        In one line, if it is none, too deep, says a key twice in one object, or holds NaN or a number beyond all
        numbers (`1e999`): of two answers none is chosen.
    """
    try:
        if not finite:
            return json.loads(data, object_pairs_hook=_each_key_once)
        return json.loads(
            data, object_pairs_hook=_each_key_once, parse_constant=_no_constant, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(_line(error)) from None


def plain_json(data: bytes) -> bytes:
    """The text itself, once `parse_json` takes it: for readers that check types but not these faults."""
    parse_json(data)
    return data


def parse_table(text: str, delimiter: str, rest: str | None = None) -> list[dict[str, Any]]:
    r"""Rows of a table by the names of its columns; cells beyond them lie under `rest`.

    >>> parse_table("index,name\n1,liver\n", ",")
    [{'index': '1', 'name': 'liver'}]

    Raises
    ------
    ValueError
        In one line, if two columns have one name (case and blanks aside), or a cell has no end.
    """
    found = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restkey=rest)
    try:
        counts = Counter(name.strip().lower() for name in found.fieldnames or () if name.strip())
        if twice := [name for name, count in counts.items() if count > 1]:
            raise ValueError(f"column {twice[0][:80]!r} stands twice")
        return list(found)
    except csv.Error as error:
        raise ValueError(_line(error)) from None


def parse_yaml(text: str) -> Any:
    """What a YAML text says, in plain values.

    Aliases (`*name`) are refused, by which a small file stands for a huge value.

    Raises
    ------
    ValueError
        In one line, if it is none, too deep, uses aliases, says a key twice in one mapping, or holds values that are
        not finite or not what they say.
    """
    try:
        return yaml.load(text, Loader=_Strict)  # noqa: S506 - a SafeLoader that takes less
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" in line {mark.line + 1}" if mark is not None else ""
        raise ValueError(f"{_line(error.problem or error.context or 'it is no YAML')}{place}") from None
    except (yaml.YAMLError, ValueError, OverflowError, KeyError, AttributeError, TypeError) as error:
        # PyYAML's constructors raise all of these for values that are not what they say.
        raise ValueError(_line(error)) from None


def refuse_unknown_keys(values: Mapping[str, Any], kind: type[Any], prefix: str = "") -> None:
    """Refuse keys that the data class `kind`, or one within it, has no field for; the nearest known one is named.

    Raises
    ------
    ConfigError
        At the first such key, which is written with `prefix` and the names that lead to it: `data.seed`.
    """
    known = [item.name for item in fields(kind) if item.init]
    hints = get_type_hints(kind)
    for key, value in values.items():
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"did you mean {prefix + near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise ConfigError(f"unknown key {prefix + str(key)!r}; {hint}")
        inner = next((item for item in (hints[key], *get_args(hints[key])) if is_dataclass(item)), None)
        if isinstance(value, dict) and isinstance(inner, type):
            refuse_unknown_keys(value, inner, f"{prefix}{key}.")


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = min(key for key, count in counts.items() if count > 1)
        raise ValueError(f"key {twice[:80]!r} stands twice in one object")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is beyond all numbers")
    return number


def _line(found: object) -> str:
    return (str(found).splitlines() or ["it can't be read"])[0][:_LONGEST_REASON]


class _Strict(yaml.SafeLoader):
    """PyYAML's safe loader without aliases, double keys and endless numbers."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise ComposerError(None, None, "aliases are not taken; write the value out", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        found: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        keys = Counter((key.tag, key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for (_, key), count in keys.items():
            if count > 1:
                problem = f"key {str(key)[:80]!r} stands twice in one mapping"
                raise ConstructorError(None, None, problem, node.start_mark)
        return found

    def construct_bytes(self, node: Any) -> None:
        raise ConstructorError(None, None, "bytes are not taken", node.start_mark)

    def construct_number(self, node: Any) -> int | float:
        text = str(self.construct_scalar(node))
        if len(text) > _LONGEST_NUMBER:
            raise ValueError(f"a number of {len(text)} characters")
        read = self.construct_yaml_int if node.tag.endswith(":int") else self.construct_yaml_float
        value: int | float = read(node)
        if not math.isfinite(value):
            raise ValueError(f"{text} is no finite number")
        return value


_Strict.add_constructor("tag:yaml.org,2002:binary", _Strict.construct_bytes)
for _tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
    _Strict.add_constructor(_tag, _Strict.construct_number)
