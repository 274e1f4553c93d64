"""Endurance: every command that writes, ended by SIGKILL at many instants and right before every file operation.

Run: python -m benchmarks.kills                       writes docs/reference/kills.md
     python -m benchmarks.kills --only "report"       writes its rows anew; the others stay as they were
     python -m benchmarks.kills --instants 5 --only "edit" --only "sign" --json

After every kill: what bears a final name is whole, mask and sidecar agree, what was to be replaced is the old or the new
one; the same command then succeeds, gives what a run that nobody disturbed gives, and sweeps what was left.
"""

import argparse
import gc
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.commit import commit_tried
from benchmarks.kill_cases import CASES, Case, files_of, look_at, prepare
from benchmarks.kill_tries import Ended, Place, answer_of, run_command
from medseg import cli

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "kills.md"
INSTANTS = 50
#: One thread: a process with several can't be forked.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"),
    "1",
)
_LIBRARIES = (
    *(
        "numpy",
        "scipy.ndimage",
        "SimpleITK",
        "nibabel",
        "pydicom",
        "highdicom",
        "matplotlib.pyplot",
        "weasyprint",
    ),
    *(
        "openpyxl",
        "skimage.measure",
        "cc3d",
        "edt",
        "cryptography.hazmat.primitives",
        "pypdfium2",
        "PIL.Image",
    ),
    *("benchmarks.dicom_study", "medseg.io.dicom.seg"),
)
#: Of those that run networks alone; a larger process takes longer to fork.
_HEAVY = (
    *("torch", "safetensors.torch", "monai.networks.nets", "monai.inferers", "lightning.pytorch"),
    *(
        "torch.utils.tensorboard",
        "medseg.inference.segmenter",
        "medseg.training.loop",
        "medseg.training.module",
    ),
)
#: Files in memory, where there are such: a disk that is waited for makes a try ten times as long and changes nothing.
_MEMORY = Path("/dev/shm")
#: The part of a half-written thing's name that differs from run to run.
_CHANCE = re.compile(r"\.medseg-[0-9a-f]{6}-\d+-[0-9a-f]{8}")
#: What a refusal says of a run that had come to its end.
_DONE = ("exists already", "exists; give another", "is signed already", "signed already", "folder")


@dataclass
class Row:
    """Counts of one command in one way: kills and what held after them; `faults` say what did not; `at` which commit."""

    command: str
    way: str
    operations: int
    kills: int = 0
    finished: int = 0
    whole: int = 0
    agreed: int = 0
    mixed: int = 0
    reran: int = 0
    swept: int = 0
    faults: list[str] = field(default_factory=list)
    at: str = ""


@dataclass(frozen=True)
class Way:
    """One way of running a case: what stands before (a folder), and what a run that nobody disturbs gives."""

    name: str
    arguments: list[str]
    start: Path
    before: dict[str, str]
    after: dict[str, str]
    steady: frozenset[str]
    seconds: float
    operations: list[str]


class Bench:
    """All tries of all cases below one folder."""

    def __init__(self, root: Path, instants: int, *, operations: bool = True) -> None:
        self.root, self.instants, self.operations = root, instants, operations
        self.place = Place(root / "try")
        self.judged: dict[tuple[Any, ...], tuple[dict[str, bool], list[str]]] = {}
        self.seen: dict[tuple[Any, ...], dict[str, list[str]]] = {}
        prepare(root / "start")
        work = root / "start" / "work"
        self.inputs = {
            path.relative_to(work).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in work.rglob("*")
            if path.is_file()
        }

    def ways(self, case: Case) -> Iterator[Way]:
        """Fresh, and over older outputs (with `--force`; a batch replaces its own)."""
        yield self._way(case, "new", case.arguments, self.root / "start")
        if case.no_older:
            return
        older = self.root / "older"
        shutil.rmtree(older, ignore_errors=True)
        self._reset(self.root / "start")
        self._succeed(case.before)
        shutil.copytree(self.place.root, older)
        force = [] if case.batch else ["--force"]
        yield self._way(case, "made again" if case.batch else "--force", [*case.arguments, *force], older)

    def instants_of(self, way: str) -> int:
        """All of them where nothing stood, a fifth over older outputs, where files get their names between the same operations."""
        return self.instants if way == "new" else max(1, self.instants // 5)

    def _way(self, case: Case, name: str, arguments: list[str], start: Path) -> Way:
        self._reset(start)
        before = self._files(case)
        seconds = self._succeed(arguments).seconds
        first = self._files(case)
        self._reset(start)
        time.sleep(1.1)  # so that times that are written differ
        ended = self._succeed(arguments)
        again = self._files(case)
        assert first.keys() == again.keys(), (first.keys(), again.keys())
        steady = frozenset(path for path in first if first[path] == again[path])
        shortest = min(seconds, ended.seconds)
        operations = ended.operations if self.operations else []
        return Way(name, arguments, start, before, again, steady, shortest, operations)

    def tries(self, case: Case, way: Way) -> Iterator[Row]:
        """The row as it grows, after each kill."""
        row = Row(case.name, way.name, len(way.operations))
        instants = self.instants_of(way.name)
        at = [(None, way.seconds * (n + 0.5) / instants) for n in range(instants)]
        for before, after_s in [*((n, None) for n in range(len(way.operations))), *at]:
            ended = self._killed(way, before, after_s)
            if ended.code is not None:
                continue
            row.kills += 1
            what = f"at {after_s:.3f} s" if before is None else f"before {before}: {way.operations[before]}"
            self._judge(case, way, row, what)
            yield row
        yield row

    def _killed(self, way: Way, before: int | None, after_s: float | None) -> Ended:
        """A run that is killed; where it came to its end before the kill did, once more with an earlier one."""
        for share in (1.0, 0.8, 0.6, 0.4, 0.2):
            self._reset(way.start)
            when = None if after_s is None else share * after_s
            ended = run_command(way.arguments, self.place, before=before, after_s=when)
            if ended.code is None:
                return ended
            assert ended.code == 0, ended.said
        return ended

    def _judge(self, case: Case, way: Way, row: Row, what: str) -> None:
        """Count what stands after a kill, and after the same command; equal states of the disk are tried once."""
        key = (case.name, way.name, self._state())
        if key not in self.judged:
            self.judged[key] = self._judged(case, way)
        verdict, faults = self.judged[key]
        for name, holds in verdict.items():
            setattr(row, name, getattr(row, name) + holds)
        for fault in faults:
            row.faults.append(f"{what}: {fault}")
            print(f"\n{row.command} ({row.way}), {row.faults[-1]}", file=sys.stderr)

    def _judged(self, case: Case, way: Way) -> tuple[dict[str, bool], list[str]]:
        found = self._files(case)
        if not case.batch and _is_mixed(way, found):
            # Whoever reads one of them gives the rest their names.
            run_command(["info", next(iter(way.before))], self.place)
            found = self._files(case)
        seen = self._look(case, found)
        strange = _neither(way, found)
        if not case.batch:
            strange += [f"{path} is gone" for path in way.before if path in way.after and path not in found]
        ended = run_command(way.arguments, self.place)
        after = self._files(case)
        done = (
            ended.code == 2 and any(words in ended.said for words in _DONE) and not _differences(way, found)
        )
        again = self._look(case, after)
        wrong = [*_differences(way, after), *again["broken"], *again["parted"]]
        if ended.code and not done:
            wrong.append(f"the same command ends with {ended.code}: {_last(ended)}")
        left = self._left()
        verdict = {
            "finished": done,
            "whole": not seen["broken"],
            "agreed": not seen["parted"] and not strange,
            "mixed": not case.batch and _is_mixed(way, found),
            "reran": not wrong,
            "swept": not left,
        }
        swept = [f"left behind: {', '.join(left)}"] if left else []
        return verdict, [*seen["broken"], *seen["parted"], *strange, *wrong, *swept]

    def _state(self) -> tuple[tuple[str, str], ...]:
        """All that is on disk, under names without what chance put into them."""
        found = []
        for path in (*self.place.work.rglob("*"), *self.place.temporary.rglob("*")):
            name = _CHANCE.sub(".medseg", path.relative_to(self.place.root).as_posix())
            found.append((name, hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""))
        return tuple(sorted(found))

    def _look(self, case: Case, found: dict[str, str]) -> dict[str, list[str]]:
        """What the readers say of these files; of the same bytes under the same names they say the same."""
        key = (case.name, *sorted(found.items()))
        if key not in self.seen:
            self.seen[key] = answer_of(lambda: look_at(case, self.place.work, list(found)))
        return self.seen[key]

    def _succeed(self, arguments: list[str]) -> Ended:
        ended = run_command(arguments, self.place)
        if ended.code:
            raise RuntimeError(f"medseg {' '.join(arguments)} ends with {ended.code}: {ended.said}")
        if left := self._left():
            raise RuntimeError(f"medseg {' '.join(arguments)} leaves {left}")
        return ended

    def _reset(self, start: Path) -> None:
        shutil.rmtree(self.place.root, ignore_errors=True)
        shutil.copytree(start, self.place.root)

    def _files(self, case: Case) -> dict[str, str]:
        return files_of(case, self.place.work, self.inputs)

    def _left(self) -> list[str]:
        """Names of half-written things in the working folder, and whatever is in the temporary one."""
        work = (
            path
            for path in self.place.work.rglob("*")
            if path.name.startswith((".", "tmp")) or path.suffix == ".part"
        )
        return [path.name for path in (*work, *self.place.temporary.iterdir())]


def _neither(way: Way, found: dict[str, str]) -> list[str]:
    """Outputs that are neither what stood before nor what is to come, where both can be told by their bytes."""
    wrong = []
    for path, digest in found.items():
        if path not in way.after and path not in way.before:
            wrong.append(f"{path} is no output of this command")
        elif (
            path in way.steady
            and digest not in (way.before.get(path), way.after[path])
            and not path.endswith(".seg.json")
        ):  # it may name the mask that it replaces, as the next one will not
            wrong.append(f"{path} is neither the old nor the new one")
    return wrong


def _is_mixed(way: Way, found: dict[str, str]) -> bool:
    """Whether some outputs are the old ones and others the new; a mask counts with its sidecar, a folder as one."""
    states = set()
    for path, old in way.before.items():
        changed = way.after.get(path) != old
        if not path.endswith(".seg.json") and changed:
            states.add("old" if found.get(path) == old else "new")
    return len(states) > 1


def _differences(way: Way, found: dict[str, str]) -> list[str]:
    """How outputs differ from those of a run that nobody disturbed."""
    missing = [f"{path} is missing" for path in way.after if path not in found]
    others = [f"{path} is there" for path in found if path not in way.after]
    changed = [
        f"{path} is another one"
        for path in way.steady & found.keys()
        if found[path] != way.after[path] and not path.endswith(".seg.json")
    ]
    return missing + others + changed


def _last(ended: Ended) -> str:
    return ended.said.strip().splitlines()[-1] if ended.said.strip() else "nothing was said"


def load(*, heavy: bool = False) -> None:
    """Import all that commands import, so that no try has to."""
    warnings.simplefilter("ignore")
    for name in _HEAVY if heavy else (*_LIBRARIES, *(f"medseg.cli.{command}" for command in cli.COMMANDS)):
        try:
            import_module(name)
        except ImportError:
            print(f"{name} is not installed", file=sys.stderr)
    gc.freeze()  # a collection would copy every page of every child
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise SystemExit("a library began a thread, and a process with threads can't be forked")


def table(rows: list[Row], before: str = "") -> str:
    """Lines of the page's table: of these rows, and of a page of before those of commands that were not run now."""
    head = "| command | over | file operations | kills | had finished | whole | agreed | old and new beside one another | reran | swept | at |"
    run = {row.command for row in rows}
    found = [(row.command, _line(row)) for row in rows]
    kept = [(line.split("`")[1], line) for line in before.splitlines() if _is_row(line)]
    found += [(command, line) for command, line in kept if command not in run]
    order = [case.name for case in CASES]
    known = sorted((item for item in found if item[0] in order), key=lambda item: order.index(item[0]))
    return "\n".join([head, "|" + "---|" * 11, *(line for _, line in known)])


def _is_row(line: str) -> bool:
    """Whether a line of a page is one of this table; its other table has words between the marks."""
    return bool(re.match(r"\| `[^`]+` \|", line)) and line.count("|") == 12


def _line(row: Row) -> str:
    good = [f"{value} of {row.kills}" if value != row.kills else "all" for value in (row.whole, row.agreed)]
    last = [f"{value} of {row.kills}" if value != row.kills else "all" for value in (row.reran, row.swept)]
    over = {"new": "nothing", "--force": "older outputs, `--force`"}.get(
        row.way, "outputs asked for otherwise"
    )
    cells = [
        f"`{row.command}`",
        over,
        row.operations or "–",
        row.kills,
        row.finished,
        *good,
        row.mixed or "–",
        *last,
        f"`{row.at}`",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--instants", type=int, default=INSTANTS, help="kills spread over the time of each command"
    )
    parser.add_argument(
        "--only", action="append", metavar="COMMAND", help="a row of the table; repeat for several"
    )
    parser.add_argument("--without", action="append", default=[], metavar="COMMAND", help="leave out a row")
    parser.add_argument("--without-operations", action="store_true", help="kill at instants alone")
    parser.add_argument("--json", action="store_true", help="print rows as JSON and write no page")
    parser.add_argument(
        "--keep", type=Path, help="append each finished row to this file, and skip those that are in it"
    )
    asked = parser.parse_args()
    if unknown := {*(asked.only or ()), *asked.without} - {case.name for case in CASES}:
        parser.error(
            f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(case.name for case in CASES)}"
        )
    if not _ONE_THREAD.items() <= os.environ.items():
        # Libraries look at these when they are imported, which some are by now.
        os.execve(
            sys.executable,
            [sys.executable, "-m", "benchmarks.kills", *sys.argv[1:]],
            {**os.environ, **_ONE_THREAD},
        )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    load()
    chosen = [c for c in CASES if c.name not in asked.without and (not asked.only or c.name in asked.only)]
    kept = (
        [Row(**json.loads(line)) for line in asked.keep.read_text().splitlines()]
        if asked.keep and asked.keep.exists()
        else []
    )
    with TemporaryDirectory(prefix="kills-", dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        caches = {"MEDSEG_CACHE_DIR": "caches", "MEDSEG_LOG_DIR": "logs", "XDG_CACHE_HOME": "caches"}
        for variable, part in caches.items():
            os.environ[variable] = str(Path(folder) / part)
            (Path(folder) / part).mkdir(exist_ok=True)
        rows = _run(
            Bench(Path(folder), asked.instants, operations=not asked.without_operations),
            chosen,
            kept,
            asked.keep,
        )
    if asked.json:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        PAGE.write_text(page(rows, asked.instants, before), encoding="utf-8")
        print(table(rows))
    sys.exit(any(row.faults for row in rows))


def _run(bench: Bench, chosen: list[Case], kept: list[Row], keep: Path | None) -> list[Row]:
    rows, at = [], commit_tried()
    for number, case in enumerate(chosen, start=1):
        known = [row for row in kept if row.command == case.name]
        if known:
            rows += known
            continue
        if case.heavy:
            load(heavy=True)
        done = []
        for way in bench.ways(case):
            start, row = time.monotonic(), Row(case.name, way.name, len(way.operations), at=at)
            total = bench.instants_of(way.name) + len(way.operations)
            for row in bench.tries(case, way):
                each = (time.monotonic() - start) / max(1, row.kills)
                left = max(0, total - row.kills) * each
                print(
                    f"\r{number}/{len(chosen)} {case.name} ({way.name}): {row.kills}/{total} kills, {len(row.faults)} faults, "
                    f"{left:.0f} s left of this row   ",
                    end="",
                    file=sys.stderr,
                    flush=True,
                )
            print(file=sys.stderr)
            done.append(replace(row, at=at))
        rows += done
        if keep is not None:
            with keep.open("a") as file:
                file.writelines(f"{json.dumps(asdict(row))}\n" for row in done)
    return rows


def page(rows: list[Row], instants: int, before: str = "") -> str:
    """The page, with the rows of a page of before for commands that were not run now."""
    lines = table(rows, before)
    cells = [line.split(" | ") for line in lines.splitlines() if _is_row(line)]
    kills = sum(int(row[3]) for row in cells)
    held = sum(
        int(cell.split(" of ")[0]) if " of " in cell else int(row[3])
        for row in cells
        for cell in (*row[5:7], *row[8:10])
    )
    faults = 4 * kills - held
    said = f"Of these {kills} kills, {faults or 'none'} left something that did not hold."
    said += "".join(
        f" {row[0].strip('| ')} was tried at {row[3]} instants alone, since a try of it takes long."
        for row in cells
        if row[2] == "–"
    )
    return PAGE_TEXT.format(instants=instants, kills=kills, table=lines, said=said)


PAGE_TEXT = """# Kills: what stands after `kill -9`

Written by `python -m benchmarks.kills`: every command that writes, on small phantoms, ended by SIGKILL at {instants} instants spread
over its time (a fifth of them over older outputs) and right before each of its file operations; {kills} kills in all.

{table}

After each kill, columns say how often

- **had finished**: all outputs stood already, so that there was nothing to run again: the same command refuses to replace them;
- **whole**: every file under a final name is read without complaint by its own reader, signatures and digests of weights hold;
- **agreed**: a mask has its own sidecar (or one that says itself that it is that of a mask still to come), and whatever was
  there before is the old or the new one;
- **old and new beside one another**: of several files that a command replaces by `--force`, some were the old ones when one of
  them was read (`medseg info`): they get their names one right after the other when all are complete and a note says so in one
  line, and whoever of medseg reads or writes there after a kill between two names gives the rest theirs first;
- **reran**: the same command, without `--force` where it had none, ends with 0 and gives what a run that nobody disturbed gives,
  to the byte where the format holds no time;
- **swept**: nothing half-written is left then, beside the outputs or in the temporary folder;
- **at**: the commit that was tried (`+`: with changes that it did not hold yet). Rows of one page may be those of several.

{said}

Two kills that leave the same files with the same bytes count as two, and the command is run again after the first. Files lie in
memory (`/dev/shm`) where there is such. A program that is not medseg's and reads between the kill and the next look of medseg
sees what is on disk.

What these tries found when they were first made, and what was mended (`--instants 5`):

| what was killed | before | after |
|---|---|---|
| `evaluate --out --html`, between its files | 6 of 15 reran: the table stood, and was refused | all |
| `convert` to several surfaces | 10 of 15 reran | all |
| `sign --key` with a new key | 15 of 20 reran: the public half stood alone | all |
| `convert --force` to a VOC folder | gone between two renames | the old or the new one |
| a batch; a person put a file under the name of the case that it had begun | replaced by the next run | refused |
| `train`, after a checkpoint | went on with later patches than a run that nobody stops | the same weights, to the byte |
| `train`, before its plan stood | refused, since the folder held its own split | begins again |
| any command over older outputs, `--force`, between two names | old and new ones beside one another until it ran again: 2 in `segment, objects` and `segment, model and probabilities`, 3 in `measure`, `report` and `export`, 1 in `evaluate` and `convert, surfaces` | none for who reads by medseg |
| any command, early | a file of `tempfile` or of a library stayed in the temporary folder | swept by the next run |
"""


if __name__ == "__main__":
    main()
