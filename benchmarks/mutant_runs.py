"""Which tests execute which line of a room, and what they say of one mutant in a process of its own."""

import ast
import builtins
import hashlib
import importlib
import importlib.machinery
import importlib.util
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mutant_changes import ROOT, Mutant

RESULTS = ROOT / "runs" / "mutants"
#: Words in a file of tests that make it related to a room, beside the room's name.
VERBS = {"measuring": "medseg.measure(", "metrics": "medseg.evaluate(", "training": "medseg.train("}
#: Not asked: windows, commands in processes of their own, and rules about the source's text.
NOT_ASKED = ("napari", "cli", "journeys", "docs", "examples", "architecture")
#: Of tests that are not the room's own or do not execute the statement, those that take longer than the first (s) are not
#: asked, and all of them together get the second.
QUICK_S, OTHERS_S = 1.0, 5.0
#: A mutant may take this many times what its tests took when they were recorded, and never less than LEAST_S.
PATIENCE, LEAST_S = 3, 20.0
_MARK = "__mark__"
MEMORY_BYTES = 12 * 1024**3
OPTIONS = ["-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", "-n", "0", "--no-header", "--tb=no"]
#: Plugins of pytest are imported before it starts, and it can't rewrite their asserts any more.
OPTIONS += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]


def sources(room: str) -> list[Path]:
    return sorted((ROOT / "medseg" / room).rglob("*.py"))


def related(room: str) -> list[Path]:
    """Files of tests that may meet the room: its own first."""
    words = [f"medseg.{room}", *([VERBS[room]] if room in VERBS else [])]
    own, others = [], []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        folder = path.relative_to(ROOT / "tests").parts[0]
        if folder == room:
            own.append(path)
        elif folder not in NOT_ASKED and any(word in path.read_text(encoding="utf-8") for word in words):
            others.append(path)
    return own + others


@dataclass(eq=False)
class Recorder:
    """A pytest plugin: the room's lines that each test executes, also in shared fixtures and on collection."""

    lines: dict[str, dict[str, set[int]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )
    shared: dict[str, list[str]] = field(default_factory=dict)
    seconds: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    contexts: list[str] = field(default_factory=lambda: ["start"])

    def mark(self, name: str, line: int) -> None:
        """What every statement of the room calls before it is executed."""
        self.lines[self.contexts[-1]][name].add(line)

    @contextmanager
    def inside(self, context: str) -> Iterator[None]:
        self.contexts.append(context)
        try:
            yield
        finally:
            self.contexts.pop()

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: Any) -> Iterator[None]:
        with self.inside(collector.nodeid):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        with self.inside(item.nodeid):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        own = fixturedef.scope == "function"
        with self.inside(self.contexts[-1] if own else f"{fixturedef.baseid} {fixturedef.argname}"):
            return (yield)

    def pytest_collection_finish(self, session: Any) -> None:
        for item in session.items:
            info = getattr(item, "_fixtureinfo", None)
            known = info.name2fixturedefs.items() if info else ()
            names = [f"{one.baseid} {name}" for name, definitions in known for one in definitions]
            self.shared[item.nodeid] = [item.nodeid.split("::")[0], *names]

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed.append(report.nodeid)

    def result(self) -> dict[str, Any]:
        """By file of tests: its tests, their seconds, and per file and line of the room the numbers of those tests."""
        found: dict[str, dict[str, Any]] = {}
        for test, contexts in self.shared.items():
            entry = found.setdefault(contexts[0], {"tests": [], "seconds": [], "met": {}})
            number = len(entry["tests"])
            entry["tests"].append(test)
            entry["seconds"].append(round(self.seconds[test], 3))
            for name, lines in self.executed([test, *contexts]).items():
                for line in lines:
                    entry["met"].setdefault(name, {}).setdefault(line, []).append(number)
        return found

    def executed(self, contexts: Sequence[str]) -> dict[str, set[int]]:
        """Lines by file, of several contexts together."""
        together: dict[str, set[int]] = defaultdict(set)
        for context in contexts:
            for name, lines in self.lines.get(context, {}).items():
                together[name] |= lines
        return together


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """Tests of a room in the order of running, their seconds, and which of them (by number) execute which line."""

    tests: list[str]
    seconds: list[float]
    met: dict[str, dict[int, set[int]]]
    modules: list[str]


def record(room: str) -> Map:
    """The room's map: recorded once, and again for a file of tests that has changed, or for all when the room has."""
    path = RESULTS / f"{room}.map.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    code = b"".join(source.read_bytes() for source in sources(room))
    digests = {
        file.relative_to(ROOT).as_posix(): hashlib.sha256(code + file.read_bytes()).hexdigest()
        for file in related(room)
    }
    stale = [file for file, digest in digests.items() if known.get(file, {}).get("digest") != digest]
    if stale:
        print(f"{room}: recording which of its lines {len(stale)} files of tests execute", flush=True)
        before = known.get("modules", [])
        known |= _recorded(room, stale, digests)
        known["modules"] = list(dict.fromkeys([*before, *known["modules"]]))
        path.write_text(json.dumps(known))
    return _joined([known[file] for file in digests], known["modules"])


def _joined(entries: list[dict[str, Any]], modules: list[str]) -> Map:
    joined = Map([], [], defaultdict(lambda: defaultdict(set)), modules)
    for entry in entries:
        before = len(joined.tests)
        joined.tests.extend(entry["tests"])
        joined.seconds.extend(entry["seconds"])
        for name, lines in entry["met"].items():
            for line, numbers in lines.items():
                joined.met[name][int(line)] |= {before + number for number in numbers}
    return joined


def _recorded(room: str, files: list[str], digests: dict[str, str]) -> dict[str, Any]:
    path = RESULTS / f"{room}.recorded.json"
    path.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        _record_here(room, files, path)
    os.waitpid(pid, 0)
    found = json.loads(path.read_text())
    if found["failed"]:
        raise SystemExit(f"{room}: tests fail without any fault: {', '.join(found['failed'])}")
    empty: dict[str, Any] = {"tests": [], "seconds": [], "met": {}}
    entries = {file: {**found["files"].get(file, empty), "digest": digests[file]} for file in files}
    return {**entries, "modules": found["modules"]}


def _record_here(room: str, files: list[str], path: Path) -> None:
    recorder = Recorder()
    _quiet(RESULTS / f"{room}.map.log")
    vars(builtins)[_MARK] = recorder.mark
    sys.meta_path.insert(0, Finder({source: _marked(source) for source in sources(room)}))
    pytest.main([*(option for option in OPTIONS if option != "-x"), *files], plugins=[recorder])
    ours = ("medseg", "tests", "benchmarks", "__main__", "conftest")
    modules = [name for name in sys.modules if name.split(".")[0] not in ours]
    path.write_text(json.dumps({"files": recorder.result(), "failed": recorder.failed, "modules": modules}))
    os._exit(0)


def _marked(path: Path) -> ast.Module:
    """The file with a mark before its first statement and before every statement of a function."""
    name, tree = path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        _mark_body(function, name)
    _put_marks(tree.body, name, tree.body[1:2] if ast.get_docstring(tree) else tree.body[:1])
    return ast.fix_missing_locations(tree)


def _mark_body(owner: ast.AST, name: str) -> None:
    for part in ("body", "orelse", "finalbody"):
        statements = getattr(owner, part, None)
        if isinstance(statements, list):
            inner = [one for one in statements if not _is_text(one)]
            for statement in inner:
                if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
                    _mark_body(statement, name)
            _put_marks(statements, name, inner)
    for other in (*getattr(owner, "handlers", ()), *getattr(owner, "cases", ())):
        _mark_body(other, name)


def _put_marks(statements: list[ast.stmt], name: str, before: list[ast.stmt]) -> None:
    for statement in before:
        call = ast.Call(ast.Name(_MARK, ast.Load()), [ast.Constant(name), ast.Constant(statement.lineno)], [])
        statements.insert(statements.index(statement), ast.copy_location(ast.Expr(call), statement))


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def chosen(mutant: Mutant, known: Map, room: str) -> list[list[str]]:
    """The tests to ask, the room's own first and quick ones before others; nothing if no test executes the statement.

    Of the room: those that execute the statement, then quick ones that use the file (a fixture or a cache may have
    executed it for them). Of others: quick ones that execute the statement.
    """
    met = known.met.get(mutant.file, {})
    users = set().union(*met.values())
    own = {n for n, test in enumerate(known.tests) if test.startswith(f"tests/{room}/")}
    low, high = mutant.lines or (0, 0)
    first = set().union(*(numbers for line, numbers in met.items() if low <= line <= high)) if high else users
    then = _quick((users if mutant.lines else own) & own - first, known)
    stages = [first & own, then, _quick(first - own, known)] if first else []
    ordered = [sorted(numbers, key=lambda n: (known.seconds[n], n)) for numbers in stages]
    return [[known.tests[n] for n in numbers] for numbers in ordered if numbers]


def _quick(numbers: set[int], known: Map) -> set[int]:
    """The quickest of them, as many as there is time for."""
    kept, spent = set[int](), 0.0
    for n in sorted(numbers, key=lambda n: known.seconds[n]):
        spent += known.seconds[n]
        if known.seconds[n] >= QUICK_S or spent >= OTHERS_S:
            break
        kept.add(n)
    return kept


class Chooser:
    """A pytest plugin: the chosen tests only, in their order; tells which one failed."""

    def __init__(self, tests: Sequence[str], tell: int) -> None:
        self.rank = {test: n for n, test in enumerate(tests)}
        self.tell = tell

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.rank), key=lambda item: self.rank[item.nodeid]
        )

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.end(report.nodeid)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.end(f"{report.nodeid} (on import)")

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        # What follows in a process that is going away is only cleaning up.
        sys.stdout.flush()
        os._exit(int(exitstatus))

    def end(self, test: str) -> None:
        os.write(self.tell, test.encode())
        os._exit(1)


class Changed(importlib.machinery.SourceFileLoader):
    """Loads one module from a changed tree instead of its file."""

    tree: ast.Module

    def get_code(self, fullname: str) -> Any:  # noqa: ARG002
        return compile(self.tree, self.path, "exec")


class Finder:
    """First on the way of every import: gives the changed modules, and leaves the rest to others."""

    def __init__(self, trees: dict[Path, ast.Module]) -> None:
        self.found = {_module(path): (path, tree) for path, tree in trees.items()}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG002
        if name not in self.found:
            return None
        file, tree = self.found[name]
        loader = Changed(name, str(file))
        loader.tree = tree
        inside = [str(file.parent)] if file.stem == "__init__" else None
        return importlib.util.spec_from_file_location(
            name, file, loader=loader, submodule_search_locations=inside
        )


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def attempt(mutant: Mutant, known: Map, room: str) -> dict[str, Any]:
    """Outcome of one mutant as a row of the results."""
    seconds = dict(zip(known.tests, known.seconds, strict=True))
    start, outcome, told, asked = time.monotonic(), "survived", "", 0
    for tests in chosen(mutant, known, room):
        asked += len(tests)
        outcome, told = _ask(mutant, tests, max(LEAST_S, PATIENCE * sum(seconds[test] for test in tests)))
        if outcome != "survived":
            break
    return {"outcome": outcome, "by": told, "tests": asked, "seconds": round(time.monotonic() - start, 2)}


def _ask(mutant: Mutant, tests: list[str], limit_s: float) -> tuple[str, str]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _run_here(mutant, tests, writing)
    os.close(writing)
    status = _wait(pid, time.monotonic() + limit_s)
    told = os.read(reading, 10_000).decode(errors="replace")
    os.close(reading)
    shutil.rmtree(_scratch(pid), ignore_errors=True)
    return "timed out" if status is None else "survived" if status == 0 else "killed", told


def _scratch(pid: int) -> Path:
    return Path(tempfile.gettempdir()) / f"mutant-{pid}"


def _wait(pid: int, until: float) -> int | None:
    """The exit status; None if it had to be ended."""
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        time.sleep(0.02)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _run_here(mutant: Mutant, tests: list[str], tell: int) -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    code = 1
    try:
        _quiet(RESULTS / "last.log")
        mutant.apply()
        tree = ast.fix_missing_locations(mutant.tree)
        sys.meta_path.insert(0, Finder({ROOT / mutant.file: tree}))
        files = list(dict.fromkeys(test.split("::")[0] for test in tests))
        base = f"--basetemp={_scratch(os.getpid())}"
        code = pytest.main([*OPTIONS, base, *files], plugins=[Chooser(tests, tell)])
    finally:
        os._exit(int(code))


def _quiet(log: Path) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(handle, stream)
