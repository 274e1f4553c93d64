"""Which small faults in a room's code the fast tests would notice: one fault at a time, in a process of its own.

Run: python -m benchmarks.mutants ROOM [--number N] [--seed S]   (goes on where it stopped; survivors are printed)
     python -m benchmarks.mutants ROOM --again                   (survivors once more, after new tests)
     python -m benchmarks.mutants --table                        (writes docs/reference/mutants.md)

The libraries are imported once; every mutant is a fork that imports medseg with one changed module and stops at the
first failing test. Which test executes which line is recorded beforehand, so that only tests that meet the change
run, and after them the others that use the file. Outcomes go to `runs/mutants/ROOM.jsonl` as they come.
"""

import argparse
import gc
import hashlib
import importlib
import json
import os
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from benchmarks.commit import commit_tried
from benchmarks.mutant_changes import ROOT, Mutant, mutants
from benchmarks.mutant_runs import LEAST_S, OTHERS_S, PATIENCE, QUICK_S, RESULTS, attempt, record, sources

PAGE = ROOT / "docs" / "reference" / "mutants.md"
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.yaml")
ROOMS = {"geometry": 200, "measuring": 200, "metrics": 200, "inference": 80, "training": 80}


def run(room: str, number: int, seed: int, *, again: bool) -> None:
    """Tries what has no outcome yet, or what survived and isn't known as equivalent."""
    _prepare()
    known = record(room)
    _import(known.modules)
    gc.freeze()
    outcomes, equal, at = latest(room), equivalents(), commit_tried()
    for mutant in sample(room, number, seed):
        row = outcomes.get(mutant.key)
        if row and not (again and row["outcome"] == "survived" and _reason(mutant, equal) is None):
            continue
        found = {"key": json.loads(mutant.key), **attempt(mutant, known, room), "at": at}
        with (RESULTS / f"{room}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(found, ensure_ascii=False) + "\n")
        if found["outcome"] == "survived":
            print(f"{mutant.file}:{mutant.line} ({found['tests']} tests)  {mutant.change}", flush=True)
    print(summary(room, number, seed))


def _prepare() -> None:
    """Same draws of hypothesis every time, no limits of its own, one thread, and way for others."""
    os.environ.update(OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1")
    os.chdir(ROOT)
    os.nice(10)
    RESULTS.mkdir(parents=True, exist_ok=True)
    import hypothesis

    hypothesis.settings.register_profile("mutants", derandomize=True, database=None, deadline=None)
    hypothesis.settings.load_profile("mutants")


def _import(modules: list[str]) -> None:
    for name in modules:
        if name not in sys.modules:
            with suppress(Exception):
                importlib.import_module(name)
    assert not [name for name in sys.modules if name.split(".")[0] == "medseg"], (
        "medseg is imported by each mutant"
    )


def sample(room: str, number: int, seed: int) -> list[Mutant]:
    """The first `number` by a seeded digest of their keys: an edit elsewhere leaves the rest of the sample as it is."""
    every = [mutant for path in sources(room) for mutant in mutants(path)]
    return sorted(every, key=lambda mutant: hashlib.sha256(f"{seed} {mutant.key}".encode()).digest())[:number]


def latest(room: str) -> dict[str, dict[str, Any]]:
    """The last outcome by key, in the order in which they came; `first` in it is the first."""
    path, rows = RESULTS / f"{room}.jsonl", {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        row = json.loads(line)
        key = json.dumps(row["key"])
        first = rows.pop(key)["first"] if key in rows else row["outcome"]
        rows[key] = {**row, "first": first}
    return rows


def equivalents() -> dict[tuple[str, str, str], str]:
    rows = yaml.safe_load(EQUIVALENT.read_text(encoding="utf-8")) if EQUIVALENT.exists() else None
    return {(row["file"], row["text"], row["change"]): row["reason"] for row in rows or []}


def _reason(mutant: Mutant, equal: dict[tuple[str, str, str], str]) -> str | None:
    return equal.get(_place(mutant))


def _place(mutant: Mutant) -> tuple[str, str, str]:
    return mutant.file, mutant.text, mutant.change


HEAD = """# Faults put in on purpose

Written by `python -m benchmarks.mutants --table`. One small fault at a time is put into a room's code, and the fast tests
that execute the changed statement run until one fails. A fault that none notices **survived**: had a person made it, the tests
would have said nothing. No part of CI: `python -m benchmarks.mutants ROOM` goes on where it stopped.

**Faults**: a comparison, operation, number, condition, `not`, limit of a slice, name (`min` for `max`), order of two arguments
or operands turned into another; a statement, keyword or operand left out. Left alone: docstrings, types, messages, logs, imports,
decorators, `__all__`, and `strict=`. Drawn with seed {seed} from all that a room's files allow.

**Tests asked**: those in `tests/ROOM` that execute the statement; then quick ones there that use the file, and quick ones
elsewhere that name the room or its verb and execute the statement (under {quick:g} s each, {others:g} s together). None that is marked
slow; no commands, viewer or journeys. A fault that takes {patience} times as long as its tests did (at least {least:g} s) is timed out,
which counts as noticed.

**Share**: survivors among the faults that are not equivalent. **Equivalent** ones change nothing that a user could see; each has
its reason below. **When first tried**: the same share at each fault's first try. Tests were written for what survived, and the survivors
tried once more; what had been noticed was not. Faults drawn later met the tests that earlier ones had led to. Lines are those that are not blank; their ratio is no aim.

**At**: the commit at which a fault of the room was tried last (`+`: with changes that it did not hold yet); lines are those of when
the table was written. A room without results at hand keeps its row and its survivors, whose lines are those of its commit. First tries
count from when a room's results were begun: those of `metrics`, `inference` and `training` were begun anew on later code.

| room | lines of code | lines of tests | tests / code | faults drawn | of | noticed | timed out | survived | equivalent | share | when first tried | at |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""


def figures(room: str, number: int, seed: int) -> dict[str, Any]:
    """Counts of a room, and its survivors with their reasons."""
    outcomes, equal = latest(room), equivalents()
    tried = [mutant for mutant in sample(room, number, seed) if mutant.key in outcomes]
    count = Counter(outcomes[mutant.key]["outcome"] for mutant in tried)
    survivors = sorted(
        (mutant for mutant in tried if outcomes[mutant.key]["outcome"] == "survived"),
        key=lambda mutant: (mutant.file, mutant.line),
    )
    reasons = [(mutant, _reason(mutant, equal)) for mutant in survivors]
    same = sum(reason is not None for _, reason in reasons)
    first = sum(outcomes[mutant.key]["first"] == "survived" for mutant in tried)
    others = max(len(tried) - same, 1)
    return {
        "tried": len(tried),
        "killed": count["killed"],
        "timed": count["timed out"],
        "survived": len(survivors),
        "same": same,
        "share": (len(survivors) - same) / others,
        "first": (first - same) / others,
        "reasons": reasons,
        "at": next(reversed(outcomes.values()), {}).get("at", ""),
    }


def summary(room: str, number: int, seed: int) -> str:
    found = figures(room, number, seed)
    return "{room}: {tried} tried, {killed} noticed, {timed} timed out, {survived} survived, {same} of them equivalent: {share:.1%}".format(
        room=room, **found
    )


def write_page(seed: int) -> None:
    """Rooms that have outcomes here anew; those that have none as the page of before had them."""
    before, rows, parts = PAGE.read_text(encoding="utf-8"), [], []
    survivors: set[tuple[str, str, str]] = set()
    for room, number in ROOMS.items():
        found = figures(room, number, seed)
        if not found["tried"]:
            rows += [line for line in before.splitlines() if line.startswith(f"| `{room}` |")]
            parts += [
                part for part in before.split("\n## ")[1:] if part.startswith(f"Survivors in `{room}`\n")
            ]
            continue
        rows.append(_row(room, found))
        parts += [_survivors(room, found)] if found["reasons"] else []
        survivors |= {_place(mutant) for mutant, _ in found["reasons"]}
        for file, text, change in sorted(equivalents().keys() - survivors):
            if file.startswith(f"medseg/{room}/"):
                print(f"{EQUIVALENT.name} names what is no survivor: {file}: {text}: {change}")
    head = HEAD.format(seed=seed, quick=QUICK_S, others=OTHERS_S, patience=PATIENCE, least=LEAST_S)
    text = "\n\n## ".join([head + "\n".join(rows), *(part.strip() for part in parts)])
    PAGE.write_text(f"{text}\n", encoding="utf-8")


def _row(room: str, found: dict[str, Any]) -> str:
    code, tests = _lines(ROOT / "medseg" / room), _lines(ROOT / "tests" / room)
    every = sum(len(mutants(path)) for path in sources(room))
    tried = (found["tried"], every, found["killed"], found["timed"], found["survived"], found["same"])
    counts = " | ".join(map(str, tried))
    shares = f"{found['share']:.1%} | {found['first']:.1%}"
    return f"| `{room}` | {code} | {tests} | {tests / code:.2f} | {counts} | {shares} | `{found['at']}` |"


def _lines(folder: Path) -> int:
    """Lines that are not blank."""
    return sum(
        bool(line.strip())
        for path in folder.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
    )


def _survivors(room: str, found: dict[str, Any]) -> str:
    rows = [
        f"| `{mutant.file.removeprefix('medseg/')}:{mutant.line}` | {_cell(mutant.change)} | {reason or 'not noticed'} |"
        for mutant, reason in found["reasons"]
    ]
    return (
        f"Survivors in `{room}`\n\n| where | fault | why nobody could notice |\n|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )


def _cell(text: str) -> str:
    return " → ".join(f"`{part}`" for part in text.replace("|", "\\|").split(" → "))


def main() -> None:
    parser = argparse.ArgumentParser(description="Faults put in on purpose, and the tests that notice them.")
    parser.add_argument("room", nargs="?", choices=sorted(ROOMS))
    parser.add_argument("--number", type=int, help="how many faults are drawn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="try the survivors once more")
    parser.add_argument("--table", action="store_true", help="write the page")
    options = parser.parse_args()
    if options.room:
        run(options.room, options.number or ROOMS[options.room], options.seed, again=options.again)
    if options.table:
        write_page(options.seed)


if __name__ == "__main__":
    main()
