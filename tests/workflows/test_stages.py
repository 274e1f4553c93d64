"""Reading, work and writing overlap over many cases: told by what happens when, not by a clock."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from medseg.domain import Case, ChannelFile, Grid, Label, LabelTable, Params, Run, Segmentation, SegmenterSpec
from medseg.errors import Cancelled, InputError
from medseg.io import read_segmentation
from medseg.workflows import cases as room
from medseg.workflows.batch import CaseResult
from medseg.workflows.cases import find_cases, segment_cases
from medseg.workflows.segment import read_task, write_result
from medseg.workflows.stages import Stages, bytes_when_read, each_in_stages, room_beside

#: Seconds after which what should have happened meanwhile has not.
PATIENCE = 20
NAMES = ("a", "b", "c", "d")


@dataclass
class Course:
    """Stages that keep what happened, and wait for what must happen meanwhile: event → those that it waits for."""

    waits: dict[str, tuple[str, ...]] = field(default_factory=dict)
    faults: dict[str, Exception] = field(default_factory=dict)
    fits: bool = True
    told: list[str] = field(default_factory=list)
    events: dict[str, Event] = field(default_factory=dict)

    def event(self, name: str) -> Event:
        return self.events.setdefault(name, Event())

    def happens(self, name: str) -> None:
        self.told.append(name)
        self.event(name).set()
        for other in self.waits.get(name, ()):
            assert self.event(other).wait(PATIENCE), f"while {name}, {other} did not happen: {self.told}"
        if name in self.faults:
            raise self.faults[name]

    def read(self, name: str) -> str:
        self.happens(f"read {name}")
        return name

    def work(self, name: str, _run: Run) -> str:
        self.happens(f"work {name}")
        self.told.append(f"worked {name}")
        return name.upper()

    def write(self, name: str, done: str) -> CaseResult:
        self.happens(f"write {name}")
        return CaseResult(name, "done", 0.0, done)

    def beside(self, _held: str, _next: str) -> Run | None:
        return Run() if self.fits else None

    def run(self, run: Run | None = None) -> tuple[CaseResult, ...]:
        stages = Stages(self.read, self.work, self.write, self.beside)
        return each_in_stages(NAMES, stages, run or Run(), "try")


def test_while_one_is_worked_on_the_next_is_read_and_the_last_is_written() -> None:
    course = Course(waits={"work b": ("read c", "write a"), "work c": ("read d", "write b")})
    results = course.run()
    assert [(one.case, one.state, one.output) for one in results] == [
        (name, "done", name.upper()) for name in NAMES
    ]


def test_writing_does_not_hold_up_the_work_on_the_next_case() -> None:
    """What is written waits for the work on the next case to have begun: without overlap it would wait for ever."""
    waits = {f"write {one}": (f"work {two}",) for one, two in pairwise(NAMES)}
    assert [one.state for one in Course(waits=waits).run()] == ["done"] * 4


def test_at_most_one_case_is_read_ahead_and_one_waits_to_be_written() -> None:
    course = Course()
    course.run()
    for number, name in enumerate(NAMES[:-1]):
        after = course.told[: course.told.index(f"work {name}") + 1]
        # The next one at most has begun to be read, and all but the last one that was worked on are written.
        assert {f"read {other}" for other in NAMES[number + 2 :]}.isdisjoint(after)
        assert {f"write {other}" for other in NAMES[: max(0, number - 1)]} <= set(after)


def test_where_there_is_no_room_the_next_case_is_read_after_the_work() -> None:
    course = Course(fits=False)
    course.run()
    for one, two in pairwise(NAMES):
        assert course.told.index(f"worked {one}") < course.told.index(f"read {two}")


@pytest.mark.parametrize("stage", ["read", "work", "write"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("error", "reason"),
    [(InputError("it is bent"), "it is bent"), (KeyError("x"), "a fault in medseg: KeyError: 'x'")],
)
def test_an_error_is_that_of_its_case(stage: str, name: str, error: Exception, reason: str) -> None:
    results = Course(faults={f"{stage} {name}": error}).run()
    assert [one.case for one in results] == list(NAMES)
    assert {one.case: one.reason for one in results if one.state == "failed"} == {name: reason}


def test_all_may_fail_each_in_its_own_way() -> None:
    faults: dict[str, Exception] = {
        "read a": InputError("one"),
        "write b": InputError("two"),
        "read c": InputError("three"),
        "work d": InputError("four"),
    }
    assert [one.reason for one in Course(faults=faults).run()] == ["one", "two", "three", "four"]


def test_a_stop_leaves_the_case_that_is_written_whole() -> None:
    stop = Event()
    course = Course(waits={"write a": ("work b",)})

    def work(name: str, run: Run) -> str:
        course.happens(f"work {name}")
        if name == "b":
            stop.set()
            run.check()
        return name

    written: list[str] = []

    def write(name: str, done: str) -> CaseResult:
        found = course.write(name, done)
        written.append(name)
        return found

    stages = Stages(course.read, work, write, course.beside)
    run = Run(cancel=stop.is_set)
    stages = replace(stages, beside=lambda *_: run)
    with pytest.raises(Cancelled):
        each_in_stages(NAMES, stages, run, "try")
    assert written == ["a"]
    assert "work c" not in course.told


def test_a_stop_is_heard_while_a_case_is_read() -> None:
    never, stop = Event(), Event()

    def read(name: str) -> str:
        stop.set()
        never.wait(PATIENCE)
        return name

    course = Course()
    stages = Stages(read, course.work, course.write, course.beside)
    with pytest.raises(Cancelled):
        each_in_stages(NAMES, stages, Run(cancel=stop.is_set), "try")
    assert course.told == []
    never.set()


class Bright:
    """Finds what is bright; tells of its work."""

    Params = Params

    def __init__(self, course: Course) -> None:
        self.course = course
        self.spec = SegmenterSpec("bright", "Bright", "Brighter.", "a test", kind="model")
        self.budgets: list[int | None] = []
        self.needs = 0

    def segment(self, images: Any, params: Any, *, run: Run, **_: object) -> Segmentation:
        image = images["image"]
        self.budgets.append(run.memory_bytes)
        self.course.happens(f"work {Path(image.source.uri).name.partition('.')[0]}")
        return Segmentation((image.array > 0).astype(np.uint8), image.grid, LabelTable((Label(1, "bright"),)))

    def memory_bytes(self, grids: dict[str, Grid], params: Any) -> int:
        return self.needs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four scans."""
    made = tmp_path / "scans"
    made.mkdir()
    for number, name in enumerate(NAMES):
        values = np.zeros((6, 7, 8), np.float32)
        values[: number + 1] = 1
        image = nib.Nifti1Image(values, np.eye(4))
        image.header.set_xyzt_units("mm")
        nib.save(image, made / f"{name}.nii.gz")
    return made


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Callable[[Course], Bright]:
    """A segmenter that the batch finds, and a course that hears of its reading and writing."""

    def watch(course: Course) -> Bright:
        engine = Bright(course)

        def read(engine: Any, inputs: Any, out: Path, options: Any) -> Any:
            course.happens(f"read {out.name.partition('.')[0]}")
            return read_task(engine, inputs, out, options)

        def write(result: Any, engine: Any, out: Path, options: Any) -> None:
            write_result(result, engine, out, options)
            course.happens(f"write {out.name.partition('.')[0]}")

        monkeypatch.setattr(room, "find_segmenter", lambda _: engine)
        monkeypatch.setattr(room, "read_task", read)
        monkeypatch.setattr(room, "write_result", write)
        return engine

    return watch


def test_a_folder_of_scans_overlaps_and_gives_the_masks(
    folder: Path, watched: Callable[[Course], Bright], tmp_path: Path
) -> None:
    engine = watched(Course(waits={"work b": ("read c", "write a"), "work c": ("read d", "write b")}))
    found = find_cases(folder)
    assert found is not None
    results = segment_cases("bright", found, tmp_path / "out")
    assert [(one.case, one.state) for one in results] == [(name, "done") for name in NAMES]
    for number, name in enumerate(NAMES):
        assert (read_segmentation(tmp_path / "out" / f"{name}.nii.gz").labels > 0).sum() == (number + 1) * 56
    # Each case gets what the next one leaves; the last one has all.
    assert all(budget is not None for budget in engine.budgets[:-1])
    assert engine.budgets[-1] is None


def test_bad_scans_are_named_and_the_others_done(
    folder: Path, watched: Callable[[Course], Bright], tmp_path: Path
) -> None:
    (folder / "b.nii.gz").write_bytes(b"no image")
    out = tmp_path / "out"
    out.mkdir()
    (out / "d.nii.gz").write_bytes(b"no mask")
    watched(Course(faults={"work c": InputError("c can't be")}))
    found = find_cases(folder)
    assert found is not None
    results = {one.case: one for one in segment_cases("bright", found, out)}
    assert {name: one.state for name, one in results.items()} == {
        "a": "done",
        "b": "failed",
        "c": "failed",
        "d": "failed",
    }
    assert "b.nii.gz" in results["b"].reason
    assert results["c"].reason == "c can't be"
    assert "is no mask" in results["d"].reason


def test_a_budget_that_holds_one_case_reads_none_ahead(
    folder: Path, watched: Callable[[Course], Bright], tmp_path: Path
) -> None:
    course = Course()
    engine = watched(course)
    engine.needs = 10**9
    found = find_cases(folder)
    assert found is not None
    segment_cases("bright", found, tmp_path / "out", run=Run(memory_bytes=10**9))
    for one, two in pairwise(NAMES):
        assert course.told.index(f"work {one}") < course.told.index(f"read {two}")
    assert engine.budgets == [10**9] * 4


def test_what_is_read_ahead_is_taken_off_the_budget() -> None:
    run = Run(memory_bytes=10**12)
    assert room_beside(1000, 5000, run) == replace(run, memory_bytes=10**12 - 5000)
    assert room_beside(1000, None, run) is None
    assert room_beside(10**12, 5000, run) is None
    free = room_beside(1, 1, Run())
    assert free is not None
    assert free.memory_bytes is not None


def test_what_a_case_takes_is_known_by_headers_and_sizes(folder: Path, tmp_path: Path) -> None:
    def case(*paths: Path) -> Case:
        return Case("x", "x", tuple(ChannelFile(str(number), str(path)) for number, path in enumerate(paths)))

    one = folder / "a.nii.gz"
    assert bytes_when_read(case(one)) == 8 * 6 * 7 * 8
    assert bytes_when_read(case(one, folder / "b.nii.gz")) == 2 * 8 * 6 * 7 * 8
    assert bytes_when_read(case(tmp_path / "absent.nii.gz")) is None
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "1.dcm").write_bytes(b"1" * 100)
    assert bytes_when_read(case(tmp_path / "series")) == 400
