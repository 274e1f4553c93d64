"""Jobs of a window, without one: one at a time, stopped at once, and no result that nobody waits for."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from medseg.domain import Run
from medseg.errors import InputError
from napari_medseg.workspace.jobs import STOPPED, Job, Jobs


class Told:
    """What a job came to."""

    def __init__(self) -> None:
        self.results: list[object] = []
        self.faults: list[str] = []


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    found = Jobs()
    yield found
    found.cancel()
    until(lambda: found.is_idle)


def until(done: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.005)


def polling(run: Run) -> None:
    while True:
        run.check()
        time.sleep(0.005)


def ask(jobs: Jobs, told: Told, work: Callable[[Run], object], kind: str = "segment", key: object = 1) -> Job:
    return jobs.submit(kind, key, work, told.results.append, told.faults.append)


def test_a_result_is_told(jobs: Jobs, told: Told) -> None:
    ask(jobs, told, lambda _run: 42)
    until(lambda: jobs.is_idle)
    assert (told.results, told.faults) == ([42], [])


def test_a_fault_is_one_line_and_the_next_job_works(jobs: Jobs, told: Told) -> None:
    def refuse(_run: Run) -> None:
        raise InputError("no such channel")

    ask(jobs, told, refuse)
    until(lambda: jobs.is_idle)
    ask(jobs, told, lambda _run: 1 / 0)
    until(lambda: jobs.is_idle)
    ask(jobs, told, lambda _run: "well")
    until(lambda: jobs.is_idle)
    assert told.faults == ["no such channel", "a fault in medseg: ZeroDivisionError: division by zero"]
    assert told.results == ["well"]


def test_one_works_at_a_time_in_the_order_asked_for(jobs: Jobs, told: Told) -> None:
    at_work: list[str] = []
    most = 0

    def work(name: str) -> Callable[[Run], str]:
        def carried_out(_run: Run) -> str:
            nonlocal most
            at_work.append(name)
            most = max(most, len(at_work))
            time.sleep(0.05)
            at_work.remove(name)
            return name

        return carried_out

    for kind in ("open", "segment", "measure"):
        ask(jobs, told, work(kind), kind)
    until(lambda: jobs.is_idle)
    assert (most, told.results) == (1, ["open", "segment", "measure"])


def test_cancel_is_heard_at_once_and_nothing_is_told_of_the_result(jobs: Jobs, told: Told) -> None:
    ask(jobs, told, polling)
    until(lambda: jobs.working is not None)
    start = time.monotonic()
    jobs.cancel()
    until(lambda: jobs.is_idle)
    assert time.monotonic() - start < 1
    assert (told.results, told.faults) == ([], [STOPPED])


def test_a_new_one_of_the_same_kind_takes_the_place_of_the_old(jobs: Jobs, told: Told) -> None:
    ask(jobs, told, polling, key="first prompt")
    ask(jobs, told, lambda _run: "second", key="second prompt")
    ask(jobs, told, lambda _run: "third", key="third prompt")
    until(lambda: jobs.is_idle)
    assert told.results == ["third"]
    assert told.faults == [STOPPED, STOPPED]


def test_another_kind_is_left_alone(jobs: Jobs, told: Told) -> None:
    going = threading.Event()
    ask(jobs, told, lambda _run: going.wait(5) and "segmented", "segment")
    ask(jobs, told, lambda _run: "measured", "measure")
    jobs.cancel("measure")
    going.set()
    until(lambda: jobs.is_idle)
    assert told.results == ["segmented"]


def test_the_result_of_what_changed_meanwhile_is_dropped(jobs: Jobs, told: Told) -> None:
    going = threading.Event()
    ask(jobs, told, lambda _run: going.wait(5) and "of the old mask", "measure", key="before the stroke")
    jobs.forget("measure")
    going.set()
    until(lambda: jobs.is_idle)
    assert told.results == []


def test_what_runs_beside_the_window_may_be_told_to_stop_by_it(told: Told) -> None:
    stop = threading.Event()
    jobs = Jobs(launch=lambda work, _name: threading.Thread(target=work, args=(stop.is_set,)).start())
    ask(jobs, told, polling)
    stop.set()
    until(lambda: jobs.is_idle)
    assert told.faults == [STOPPED]


def test_results_are_told_where_the_window_says(told: Told) -> None:
    calls: list[Callable[[], None]] = []
    jobs = Jobs(tell=calls.append)
    ask(jobs, told, lambda _run: 42)
    until(lambda: bool(calls))
    assert told.results == []
    for call in calls:
        call()
    assert told.results == [42]


def test_phase_and_time_left_are_those_of_the_work(jobs: Jobs, told: Told) -> None:
    seen: list[tuple[str, float | None]] = []

    def work(run: Run) -> None:
        run.progress(0, None, "loading")
        seen.append((job().phase, job().left_s))
        run.progress(0, 4, "windows")
        time.sleep(0.2)
        run.progress(1, 4, "windows")
        seen.append((job().phase, job().left_s))

    def job() -> Job:
        assert jobs.working is not None
        return jobs.working

    ask(jobs, told, work)
    until(lambda: jobs.is_idle)
    assert told.faults == []
    assert seen[0] == ("loading", None)
    phase, left = seen[1]
    assert phase == "windows"
    assert left == pytest.approx(0.6, abs=0.3)
