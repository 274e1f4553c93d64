"""What is asked of a mask: operations and their parameters, as typed or as values, checked before any work."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from medseg.domain import Params
from medseg.errors import ConfigError
from medseg.masks.operations import OPERATIONS, Operation

__all__ = ["Request", "describe_operations", "operation_named", "params_of", "parse_request"]


@dataclass(frozen=True, slots=True)
class Request:
    """An operation that is asked for.

    Parameters
    ----------
    name
        See `medseg edit --list`.
    parameters
        By name; text is parsed. What is not given has its default.
    labels
        Names of labels or regions; none means every label for itself, in the order of the table.
    """

    name: str
    parameters: tuple[tuple[str, Any], ...] = ()
    labels: tuple[str, ...] = ()


def parse_request(text: str) -> Request:
    """A request as typed: `NAME`, `NAME=VALUE` for the first parameter, `,key=value` for others, `,label=NAME`.

    Lists are JSON: `split-plane,point=[0,0,40],normal=[0,0,1]`.

    >>> parse_request("margin=5,superior=10,label=tumour")
    Request(name='margin', parameters=(('margin_mm', '5'), ('superior', '10')), labels=('tumour',))
    """
    head, *rest = _split_commas(text)
    name, sign, value = (part.strip() for part in head.partition("="))
    fields = list(operation_named(name).Params.model_fields)
    given: dict[str, str] = {_first(fields): value} if sign else {}
    labels = []
    for part in rest:
        key, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign or not key:
            raise ConfigError(f"--op {text!r}: {part!r} is no key=value")
        if key == "label":
            labels.append(value)
        elif key in given:
            raise ConfigError(f"--op {text!r} gives {key} twice")
        else:
            given[key] = value
    return Request(name, tuple(given.items()), tuple(labels))


def operation_named(name: str) -> Operation:
    """The operation of this name.

    Raises
    ------
    ConfigError
        If there is none; the nearest is named.
    """
    if name in OPERATIONS:
        return OPERATIONS[name]
    near = get_close_matches(name, OPERATIONS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(OPERATIONS)}."
    raise ConfigError(f"no operation is called {name!r}; {hint} See 'medseg edit --list'")


def params_of(request: Request) -> Params:
    """Checked parameters of a request.

    Raises
    ------
    ConfigError
        If one is unknown (the nearest is named), missing or out of range.
    """
    operation = operation_named(request.name)
    fields = operation.Params.model_fields
    for key, _ in request.parameters:
        if key not in fields:
            near = get_close_matches(key, fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(fields)}"
            raise ConfigError(f"{request.name} has no parameter {key!r}; {hint}")
    try:
        return operation.Params(**{key: _parsed(value) for key, value in request.parameters})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        what = "is missing" if first["type"] == "missing" else f"= {first['input']!r}: {first['msg']}"
        raise ConfigError(f"{request.name}: {where} {what}; see 'medseg edit --list'") from error


def describe_operations() -> tuple[dict[str, Any], ...]:
    """Every operation: name, summary, and per parameter default, unit, range and meaning."""
    return tuple(
        {
            "name": operation.name,
            "summary": operation.summary,
            "parameters": {
                key: _described(part, required=key in schema.get("required", ()))
                for key, part in _own_first(schema["properties"]).items()
            },
        }
        for operation in OPERATIONS.values()
        for schema in (operation.Params.model_json_schema(),)
    )


def _parsed(value: Any) -> Any:
    if isinstance(value, str) and value[:1] == "[":
        try:
            return json.loads(value)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ConfigError(f"{value!r} is no list of numbers such as [0, 0, 40]") from error
    if value in ("26", "18", "6"):
        return int(value)
    return value


def _first(fields: Sequence[str]) -> str:
    # Fields of a base class stand before those of the operation itself.
    return next(name for name in fields if name != "over_labels")


def _split_commas(text: str) -> list[str]:
    """Text at commas that stand in no brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _own_first(properties: dict[str, Any]) -> dict[str, Any]:
    """The parameter that needs no name first, the one that all growing operations share last."""
    return {key: properties[key] for key in sorted(properties, key=lambda name: name == "over_labels")}


def _described(part: dict[str, Any], *, required: bool) -> dict[str, Any]:
    # An optional value is a choice between its kind and nothing.
    kind = part | next((item for item in part.get("anyOf", ()) if item.get("type") != "null"), {})
    return {
        "default": part.get("default"),
        "required": required,
        "unit": part.get("unit", ""),
        "range": _range(kind),
        "meaning": part.get("description", ""),
    }


def _range(kind: dict[str, Any]) -> str:
    if "enum" in kind:
        return " | ".join(str(item) for item in kind["enum"])
    low = kind.get("minimum", kind.get("exclusiveMinimum"))
    above = "above " if "exclusiveMinimum" in kind else "from "
    bounds = (
        "" if low is None else f"{above}{low:g}",
        f"to {kind['maximum']:g}" if "maximum" in kind else "",
    )
    names = {
        "array": "three numbers",
        "boolean": "true | false",
        "string": "name",
        "number": "",
        "integer": "",
    }
    return " ".join(part for part in bounds if part) or names[kind["type"]]
