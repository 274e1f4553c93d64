"""Every method on fixed lists of shared cases, with a robot user: Dice, surface Dice, seconds, memory.

Run: python -m benchmarks.methods --out build/methods [--minutes 55] [--cases N] [--only METHOD ...] [--write]

Resumable: each finished run is a line of OUT/runs.jsonl, and a later call goes on with what is missing. `--write`
puts the table into docs/methods/comparison.md. Parameters are chosen per fold of cases from the small grids of
`benchmarks.method_grids`, by the mean Dice of the cases outside the fold (with seeds: after the first and third).
"""

import argparse
import json
import platform
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.method_cases import DATASETS, tasks
from benchmarks.method_grids import all_methods, grid_of
from benchmarks.method_page import write_outputs
from benchmarks.method_runs import AFTER, Chain, is_compared, is_seeded, run_chain

ROOT = Path(__file__).resolve().parent.parent
FOLDS = 3
#: Seeds of the runs that parameters are chosen by.
FEW = 3

Row = dict[str, Any]


def main() -> None:
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    start, log = time.monotonic(), options.out / "runs.jsonl"
    due = start + 60 * options.minutes
    cases = {dataset: tasks(options.data, dataset, options.cases) for dataset in options.datasets}
    methods = {
        name: engine
        for name, engine in all_methods().items()
        if engine.spec.kind != "model" and (not options.only or name in options.only)
    }
    if due > start:
        with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
            _work(pool, options.data, log, _choosing(cases, methods, small=options.small), due)
            _work(pool, options.data, log, _judging(cases, methods, _read(log)), due)
    rows = _read(log)
    missing = sum(1 for chain in _all_left(cases, methods, rows, small=options.small))
    minutes = (time.monotonic() - start) / 60
    busy = sum(row["chain_seconds"] for row in rows if row["first"])
    print(
        f"{platform.processor() or platform.machine()}, {options.workers} workers: {minutes:.1f} min this time"
    )
    print(f"{busy / 60:.1f} min of work in all runs so far; {missing} runs are missing")
    final = _final(cases, methods, rows)
    repository = ROOT if options.write else None
    write_outputs(final, cases, options.data, options.out, repository=repository, minutes=busy / 60)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "methods")
    parser.add_argument("--minutes", type=float, default=55.0, help="no run is started after this")
    parser.add_argument("--cases", type=int, help="the first N of each list")
    parser.add_argument("--datasets", nargs="*", default=list(DATASETS), choices=list(DATASETS))
    parser.add_argument("--only", nargs="*", default=[], help="these methods")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="one setting per method, no choosing")
    parser.add_argument("--write", action="store_true", help="rewrite the docs' table and pictures")
    return parser.parse_args()


def _work(pool: ProcessPoolExecutor, root: Path, log: Path, chains: Iterator[Chain], due: float) -> None:
    """Run chains that the log lacks, two at a time per worker at most, until the time is over."""
    done = {_key(row) for row in _read(log)}
    left = [chain for chain in chains if _key_of(chain) not in done]
    waiting: set[Future[tuple[list[Row], float]]] = set()
    with log.open("a", encoding="utf-8") as stream:
        while left or waiting:
            while left and len(waiting) < 4 and time.monotonic() < due:
                waiting.add(pool.submit(_timed, root, left.pop(0)))
            if not waiting:
                return
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                rows, seconds = future.result()
                for number, row in enumerate(rows):
                    told = row | {"chain_seconds": round(seconds, 3), "first": number == 0}
                    stream.write(json.dumps(told) + "\n")
                stream.flush()


def _timed(root: Path, chain: Chain) -> tuple[list[Row], float]:
    start = time.perf_counter()
    return run_chain(root, chain), time.perf_counter() - start


def _choosing(cases: dict[str, tuple[str, ...]], methods: dict[str, Any], *, small: bool) -> Iterator[Chain]:
    """Short chains of every setting; the cases take turns, so that a run cut short has some of each method."""
    for place in range(max(map(len, cases.values()), default=0)):
        for dataset, names in cases.items():
            for method, engine in methods.items() if place < len(names) else ():
                if is_compared(engine, dataset):
                    for chosen in grid_of(method, small=small):
                        yield Chain(dataset, names[place], method, chosen, FEW)


def _judging(cases: dict[str, tuple[str, ...]], methods: dict[str, Any], rows: list[Row]) -> Iterator[Chain]:
    """Chains to the last seed, of methods with seeds, with the settings of each case's fold."""
    best = _chosen(cases, rows)
    for place in range(max(map(len, cases.values()), default=0)):
        for dataset, names in cases.items():
            for method, engine in methods.items() if place < len(names) else ():
                chosen = best.get((dataset, method, place % FOLDS))
                if chosen is not None and is_seeded(engine):
                    yield Chain(dataset, names[place], method, chosen[0], AFTER[-1])


def _all_left(
    cases: dict[str, tuple[str, ...]], methods: dict[str, Any], rows: list[Row], *, small: bool
) -> Iterator[Chain]:
    done = {_key(row) for row in rows}
    for chains in (_choosing(cases, methods, small=small), _judging(cases, methods, rows)):
        yield from (chain for chain in chains if _key_of(chain) not in done)


def _chosen(cases: dict[str, tuple[str, ...]], rows: list[Row]) -> dict[tuple[str, str, int], list[Any]]:
    """(dataset, method, fold) → the setting and label with the best mean Dice on the other folds (all, where one case)."""
    scores: dict[tuple[str, str], dict[str, dict[int, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for row in rows:
        names = cases.get(row["dataset"], ())
        if row["most"] == FEW and row["case"] in names:
            setting = json.dumps([row["params"], row["label"]])
            place = names.index(row["case"])
            scores[row["dataset"], row["method"]][setting][place].append(row["dice"])
    found = {}
    for (dataset, method), settings in scores.items():
        for fold in range(FOLDS):
            means = {}
            for setting, places in settings.items():
                other = [np.mean(dice) for place, dice in places.items() if place % FOLDS != fold]
                means[setting] = float(np.mean(other or [np.mean(dice) for dice in places.values()]))
            found[dataset, method, fold] = json.loads(max(sorted(means), key=means.__getitem__))
    return found


def _final(cases: dict[str, tuple[str, ...]], methods: dict[str, Any], rows: list[Row]) -> list[Row]:
    """Rows that count: of each case those with its fold's setting, to the last seed where there are seeds."""
    best, kept = _chosen(cases, rows), []
    for row in rows:
        names = cases.get(row["dataset"], ())
        if row["case"] not in names or row["method"] not in methods:
            continue
        fold = names.index(row["case"]) % FOLDS
        most = AFTER[-1] if is_seeded(methods[row["method"]]) else FEW
        setting = [row["params"], row["label"]]
        if row["most"] == most and setting == best.get((row["dataset"], row["method"], fold)):
            kept.append(row)
    return kept


def _key(row: Row) -> str:
    return json.dumps([row["dataset"], row["case"], row["method"], row["params"], row["most"]])


def _key_of(chain: Chain) -> str:
    return json.dumps(list(chain))


def _read(log: Path) -> list[Row]:
    """Rows of the log; a last line cut by a kill is left out, and its run is done again."""
    if not log.exists():
        return []
    rows = []
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


if __name__ == "__main__":
    main()
