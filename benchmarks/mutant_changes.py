"""The small faults that a file's code allows: what may stand in the place of what stands there."""

import ast
import copy
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

_COMPARE: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}
_PAIRS = ("min max", "minimum maximum", "argmin argmax", "any all", "floor ceil", "cos sin", "mean sum")
_NAMES = dict(pair for names in _PAIRS for a, b in [names.split()] for pair in ((a, b), (b, a)))
#: Calls whose first two arguments mean the same in either order, or whose swap no program survives.
_NOT_SWAPPED = {
    *(
        "min",
        "max",
        "minimum",
        "maximum",
        "allclose",
        "array_equal",
        "isclose",
        "isinstance",
        "getattr",
        "hasattr",
    ),
    *("same_grid", "logical_and", "logical_or", "cast", "range", "Field", "multiply", "add"),
}
#: Arguments that guard against a slip of the programmer and change no answer.
_LINT = ("strict", "stacklevel")
_MESSAGES = {"warn", "debug", "info", "warning", "error", "log", "exception"}


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of an expression or operator."""
    match node:
        case ast.Constant(value=bool() | int() | float()):
            yield from (ast.Constant(value) for value in _other_values(node.value))
        case ast.UnaryOp(op=ast.Not() | ast.Invert() | ast.USub()) if not isinstance(
            node.operand, ast.Constant
        ):
            yield node.operand
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
            yield node.operand
        case ast.Compare():
            yield from _compared_otherwise(node)
        case ast.BoolOp():
            yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
            for n in range(len(node.values)):
                neutral = ast.Constant(isinstance(node.op, ast.And))
                yield _with(node, values=[*node.values[:n], neutral, *node.values[n + 1 :]])
        case ast.BinOp():
            yield from _calculated_otherwise(node)
        case ast.Slice():
            yield from (
                _with(node, **{part: None}) for part in ("lower", "upper", "step") if getattr(node, part)
            )
        case ast.Call():
            yield from _called_otherwise(node)


def _other_values(value: float) -> tuple[float, ...]:
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        return (value + 1, value - 1)
    return (1.0,) if value == 0 else (float(f"{value * 0.8:.9g}"), value + 1)


def _compared_otherwise(node: ast.Compare) -> Iterator[ast.AST]:
    for n, op in enumerate(node.ops):
        for other in _COMPARE[type(op)]:
            yield _with(node, ops=[*node.ops[:n], other(), *node.ops[n + 1 :]])


def _calculated_otherwise(node: ast.BinOp) -> Iterator[ast.AST]:
    text = (ast.Constant, ast.JoinedStr)
    if any(isinstance(side, text) and not _is_number(side) for side in (node.left, node.right)):
        return
    if isinstance(node.op, ast.MatMult):
        yield _with(node, left=node.right, right=node.left)
    elif type(node.op) in _ARITHMETIC:
        yield _with(node, op=_ARITHMETIC[type(node.op)]())


def _called_otherwise(node: ast.Call) -> Iterator[ast.AST]:
    name = _name(node.func)
    if name in _NAMES:
        other = _NAMES[name]
        func = _with(node.func, **({"id": other} if isinstance(node.func, ast.Name) else {"attr": other}))
        yield _with(node, func=func)
    for n, keyword in enumerate(node.keywords):
        if keyword.arg not in (None, *_LINT):
            yield _with(node, keywords=[*node.keywords[:n], *node.keywords[n + 1 :]])
    first = node.args[:2]
    if (
        len(first) == 2
        and name not in _NOT_SWAPPED
        and not any(isinstance(arg, ast.Starred) for arg in first)
    ):
        yield _with(node, args=[*reversed(first), *node.args[2:]])


def _with(node: ast.AST, **changes: Any) -> ast.AST:
    new = copy.copy(node)
    for name, value in changes.items():
        setattr(new, name, value)
    return new


def _name(func: ast.AST) -> str:
    return func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def _negated(name: str, child: ast.AST) -> ast.AST | None:
    # A comparison or a `not` has its opposite among its variants.
    if name not in ("test", "ifs") or isinstance(child, ast.Compare):
        return None
    if isinstance(child, ast.UnaryOp) and isinstance(child.op, ast.Not):
        return None
    return ast.UnaryOp(ast.Not(), child) if isinstance(child, ast.expr) else None


def _may_go(owner: ast.AST, child: ast.AST) -> bool:
    """Whether a statement can be taken out without a name going missing or a function losing its only answer."""
    if isinstance(child, ast.Return):
        return not isinstance(owner, ast.FunctionDef | ast.ClassDef)
    if isinstance(child, ast.Assign):
        return not any(isinstance(target, ast.Name | ast.Tuple) for target in child.targets)
    return isinstance(child, ast.Expr | ast.AugAssign | ast.Raise | ast.Continue | ast.Break | ast.Delete)


@dataclass(frozen=True, slots=True, eq=False)
class Mutant:
    """One change in one file; `key` names it whatever is edited around it."""

    file: str
    line: int
    text: str
    change: str
    nth: int
    #: First and last line of the statement; None where it runs on import.
    lines: tuple[int, int] | None
    apply: Callable[[], None]
    tree: ast.Module

    @property
    def key(self) -> str:
        return json.dumps([self.file, self.text, self.change, self.nth])


@dataclass(frozen=True, slots=True)
class _Place:
    line: int = 1
    lines: tuple[int, int] | None = None
    in_function: bool = False

    def inner(self, node: ast.AST) -> "_Place":
        """The place of what stands in `node`: lines of a statement's head; of the whole body for defaults."""
        if isinstance(node, ast.FunctionDef):
            return _Place(
                node.lineno, (node.body[0].lineno, node.end_lineno or node.lineno), in_function=True
            )
        if not self.in_function:
            return _Place(getattr(node, "lineno", self.line), None)
        if isinstance(node, ast.stmt | ast.ExceptHandler):
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else (node.end_lineno or node.lineno)
            return _Place(node.lineno, (node.lineno, last), in_function=True)
        return _Place(getattr(node, "lineno", self.line), self.lines, in_function=True)


def mutants(path: Path) -> list[Mutant]:
    """All changes of a file, in the order of its text."""
    source = path.read_text(encoding="utf-8")
    rows, tree, seen = source.splitlines(), ast.parse(source), Counter[tuple[str, str]]()
    found = []
    for place, change, apply in _changes(tree, _Place(), set()):
        text = rows[place.line - 1].strip()
        nth = seen[text, change]
        seen[text, change] += 1
        name = path.relative_to(ROOT).as_posix()
        found.append(Mutant(name, place.line, text, change, nth, place.lines, apply, tree))
    return found


def _changes(
    owner: ast.AST, place: _Place, met: set[int]
) -> Iterator[tuple[_Place, str, Callable[[], None]]]:
    for name, value in ast.iter_fields(owner):
        for n, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _is_left_alone(owner, name, child):
                continue
            here = place.inner(child)
            own = list(variants(child)) if _is_code(owner, name, child) else []
            if (negated := _negated(name, child)) is not None:
                own.append(negated)
            if isinstance(child, ast.stmt) and _may_go(owner, child):
                own.append(ast.Pass())
            for new in own:
                yield here, _told(owner, name, n, new), _setter(owner, name, n, new)
            if name in ("annotation", "returns"):
                yield from _in_annotation(child, here, met)
            else:
                yield from _changes(child, here, met)


def _in_annotation(
    node: ast.AST, place: _Place, met: set[int]
) -> Iterator[tuple[_Place, str, Callable[[], None]]]:
    # Of an annotation only what is called is code: the limits in `Annotated[float, Field(gt=0)]`.
    for call in (part for part in ast.walk(node) if isinstance(part, ast.Call) and id(part) not in met):
        met.update(id(part) for part in ast.walk(call))
        for n, keyword in enumerate(call.keywords):
            here = _Place(call.lineno, place.lines, in_function=place.in_function)
            kept = [*call.keywords[:n], *call.keywords[n + 1 :]]
            if keyword.arg not in ("description", "title"):
                yield here, f"without {ast.unparse(keyword)}", _setter(call, "keywords", None, kept)
            yield from _changes(keyword, here, met)


def _is_left_alone(owner: ast.AST, name: str, child: ast.AST) -> bool:
    match child:
        case ast.Raise() | ast.Import() | ast.ImportFrom() | ast.JoinedStr() | ast.Global():
            return not isinstance(child, ast.Raise)
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=attr))) if attr in _MESSAGES:
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.keyword(arg=arg) if arg in _LINT:
            return True
    return name in ("decorator_list", "exc", "cause", "bases", "keywords") and not isinstance(owner, ast.Call)


def _is_code(owner: ast.AST, name: str, child: ast.AST) -> bool:
    """Whether a value there is calculated with: no type, and no union of types."""
    if name in ("annotation", "returns", "type_params"):
        return False
    if isinstance(owner, ast.Call) and _name(owner.func) in ("isinstance", "cast", "TypeVar"):
        return False
    match child:
        case ast.BinOp(op=ast.BitOr(), left=ast.Name()):
            return not isinstance(owner, ast.Assign)
    return True


def _told(owner: ast.AST, name: str, n: int | None, new: Any) -> str:
    """The change in words, with what stands around a number."""
    value = getattr(owner, name)
    old = value if n is None else value[n]
    if isinstance(new, ast.Pass):
        return f"without {_short(ast.unparse(old))}"
    around = isinstance(old, ast.Constant | ast.Slice) and isinstance(owner, ast.expr | ast.keyword)
    before = ast.unparse(owner if around else old)
    put = _setter(owner, name, n, new)
    put()
    after = ast.unparse(owner if around else new)
    _setter(owner, name, n, old)()
    return f"{_short(before)} → {_short(after)}" if len(before) < 70 else _difference(before, after)


def _difference(before: str, after: str) -> str:
    low = next((n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    high = next((n for n, (a, b) in enumerate(zip(before[::-1], after[::-1], strict=False)) if a != b), 0)
    high = min(high, len(before) - low, len(after) - low)
    start = max(0, low - 20)
    ends = [len(text) - max(high - 20, 0) for text in (before, after)]
    return f"…{_short(before[start : ends[0]])}… → …{_short(after[start : ends[1]])}…"


def _short(text: str, most: int = 100) -> str:
    first = " ".join(text.split())
    return first if len(first) <= most else first[: most - 1] + "…"


def _setter(owner: ast.AST, name: str, n: int | None, new: Any) -> Callable[[], None]:
    def put() -> None:
        if n is None:
            setattr(owner, name, new)
        else:
            getattr(owner, name)[n] = new

    return put
