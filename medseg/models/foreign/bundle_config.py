"""Configurations of MONAI bundles: references resolved, a few shapes of expressions recognised, nothing evaluated.

A text that begins with `$` is Python to MONAI. Here its syntax is looked at, and only joined texts, lists and numbers,
lengths, choices by a flag and names of constants are understood; whatever else is asked for is refused.
"""

import ast
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from medseg.domain.texts import parse_json, parse_yaml
from medseg.errors import ModelError
from medseg.models.foreign.reading import MAX_JSON_BYTES, Fields

__all__ = ["Config", "read_config"]

#: Longer expressions are programs.
MOST_TEXT = 1000
#: References that lead to references; nobody needs more.
MOST_DEPTH = 32
_REFERENCE = re.compile(r"@([A-Za-z_][\w]*(?:(?:#|::)\w+)*)")
#: Names that stand for a word or a type of numbers.
_CONSTANTS = {
    "monai.utils.CommonKeys.IMAGE": "image",
    "monai.utils.CommonKeys.PRED": "pred",
    "monai.utils.CommonKeys.LABEL": "label",
    **{
        f"{library}.{kind}": kind
        for library in ("torch", "numpy", "np")
        for kind in ("float", "float16", "float32", "float64", "uint8", "int16", "int32", "int64", "long")
    },
}


def read_config(path: Path) -> "Config":
    """A configuration in JSON or YAML.

    Raises
    ------
    ModelError
        If it is missing, too large, damaged, or no mapping.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_JSON_BYTES + 1)
        if len(data) > MAX_JSON_BYTES:
            raise ModelError(f"{path} is larger than {MAX_JSON_BYTES} bytes")
        values = parse_json(data) if path.suffix == ".json" else parse_yaml(data.decode())
    except OSError as error:
        raise ModelError(f"can't read {path}: {error.strerror or error}; copy the whole folder") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path} is damaged: {str(error).splitlines()[0]}") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path} holds no object of names and values")
    return Config(values, str(path))


class Config:
    """Values by name, their references and expressions resolved when they are asked for.

    Parameters
    ----------
    values
        As the file has them.
    place
        The file.
    """

    def __init__(self, values: Mapping[str, Any], place: str) -> None:
        self.values = dict(values)
        self.place = place

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def raw(self, name: str) -> Any:
        """What stands there, references of the whole value followed and nothing else.

        Raises
        ------
        ModelError
            If there is nothing, or references run in a circle.
        """
        if name not in self.values:
            raise ModelError(f"{self.place} has no {name!r}")
        return self._followed(self.values[name])

    def resolved(self, value: Any, depth: int = 0) -> Any:
        """A value in which every text is one, every reference is what it points to, and no expression is left.

        Raises
        ------
        ModelError
            Naming an expression that is not understood.
        """
        if depth > MOST_DEPTH:
            raise ModelError(f"{self.place}: references run in a circle")
        if isinstance(value, dict):
            return {name: self.resolved(one, depth + 1) for name, one in value.items()}
        if isinstance(value, list):
            return [self.resolved(one, depth + 1) for one in value]
        if not isinstance(value, str):
            return value
        if value.startswith("%"):
            raise ModelError(f"{self.place}: {value[:60]!r} names a part of a file, which is not understood")
        if value.startswith("@"):
            return self.resolved(self._at(value), depth + 1)
        return self._expression(value, depth) if value.startswith("$") else value

    def resolved_list(self, value: Any) -> list[Any]:
        """A list whose items stand as they are; lists that are joined by an expression are one.

        Raises
        ------
        ModelError
            If it is none.
        """
        value = self._followed(value)
        if isinstance(value, str) and value.startswith("$"):
            names = [name.strip() for name in value[1:].split("+")]
            if all(_REFERENCE.fullmatch(name) for name in names):
                return [item for name in names for item in self.resolved_list(name)]
        if not isinstance(value, list):
            raise ModelError(f"{self.place}: {str(value)[:80]!r} is no list of transforms")
        return [self._followed(item) for item in value]

    def fields(self, item: Mapping[str, Any], known: set[str], ignored: set[str]) -> Fields:
        """Arguments of a component, those in `known` resolved; others than the two kinds are refused by name."""
        target = str(item.get("_target_", "it"))
        given = {name: value for name, value in item.items() if not name.startswith("_")}
        place = f"{self.place}, {target}"
        Fields(given, place).require_known(known | ignored, "arguments")
        return Fields({name: self.resolved(value) for name, value in given.items() if name in known}, place)

    def _followed(self, value: Any) -> Any:
        for _ in range(MOST_DEPTH):
            text = value.strip() if isinstance(value, str) else ""
            bare = text.removeprefix("$").strip()
            if not _REFERENCE.fullmatch(bare):
                return value
            value = self._at(bare)
        raise ModelError(f"{self.place}: references run in a circle")

    def _at(self, reference: str) -> Any:
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            raise ModelError(f"{self.place}: reference {reference[:60]!r} is not understood")
        found: Any = self.values
        for part in re.split(r"#|::", match[1]):
            try:
                found = found[int(part)] if isinstance(found, list) else found[part]
            except (KeyError, IndexError, ValueError, TypeError) as error:
                raise ModelError(f"{self.place}: {reference!r} points to nothing") from error
        return found

    def _expression(self, text: str, depth: int) -> Any:
        names: dict[str, str] = {}

        def named(match: re.Match[str]) -> str:
            names[f"reference_{len(names)}"] = match[0]
            return f"reference_{len(names) - 1}"

        body = text[1:].strip()
        try:
            if len(body) > MOST_TEXT:
                raise ValueError("too long")
            tree = ast.parse(_REFERENCE.sub(named, body), mode="eval").body
            return _Shape(lambda name: self.resolved(names[name], depth + 1), names).value(tree)
        except ModelError:
            raise
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
            raise ModelError(
                f"{self.place}: the expression {text[:100]!r} is not understood, and none is evaluated"
            ) from error


class _Shape:
    """What the syntax of an expression says, for the few shapes that are understood; ValueError for all others."""

    def __init__(self, reference: Callable[[str], Any], names: Mapping[str, str]) -> None:
        self._reference = reference
        self._names = names

    def value(self, tree: ast.AST) -> Any:
        kinds: dict[type[ast.AST], Callable[[Any], Any]] = {
            ast.Constant: lambda one: one.value,
            ast.List: lambda one: [self.value(item) for item in one.elts],
            ast.Tuple: lambda one: [self.value(item) for item in one.elts],
            ast.UnaryOp: self._minus,
            ast.BinOp: self._sum,
            ast.IfExp: lambda one: self.value(one.body if self._flag(one.test) else one.orelse),
            ast.Name: lambda one: self._named(one.id),
            ast.Attribute: self._constant,
            ast.Call: self._call,
        }
        kind = kinds.get(type(tree))
        if kind is None:
            raise ValueError(type(tree).__name__)
        return kind(tree)

    def _named(self, name: str) -> Any:
        if name not in self._names:
            raise ValueError(name)
        return self._reference(name)

    def _flag(self, tree: ast.AST) -> bool:
        found = self.value(tree)
        if not isinstance(found, bool):
            raise ValueError("no flag")
        return found

    def _minus(self, tree: ast.UnaryOp) -> Any:
        found = self.value(tree.operand)
        if not isinstance(tree.op, ast.USub) or isinstance(found, bool) or not isinstance(found, int | float):
            raise ValueError("no number")
        return -found

    def _sum(self, tree: ast.BinOp) -> Any:
        """Texts, lists or whole numbers, joined or added."""
        one, other = self.value(tree.left), self.value(tree.right)
        if not isinstance(tree.op, ast.Add) or type(one) is not type(other):
            raise ValueError("no sum of alike")
        if not isinstance(one, str | list | int) or isinstance(one, bool):
            raise ValueError("no sum")
        return one + other

    def _constant(self, tree: ast.Attribute) -> Any:
        name = ast.unparse(tree)
        if name not in _CONSTANTS:
            raise ValueError(name)
        return _CONSTANTS[name]

    def _call(self, tree: ast.Call) -> Any:
        """`len(…)` and `os.path.join(…)`."""
        function = ast.unparse(tree.func)
        given = [self.value(one) for one in tree.args]
        if tree.keywords:
            raise ValueError(function)
        if function == "len" and len(given) == 1 and isinstance(given[0], list | dict | str):
            return len(given[0])
        if function == "os.path.join" and given and all(isinstance(one, str) for one in given):
            return "/".join(given)
        raise ValueError(function)
