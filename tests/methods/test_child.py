"""Work in another process: its answer, its errors, and its end when the user cancels."""

import operator
import os
import signal
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from medseg.domain import Run
from medseg.errors import Cancelled, InputError, ResourceError
from medseg.methods.child import in_child
from medseg.methods.otsu import otsu_threshold
from medseg.methods.watershed import WatershedParams, basins_of_minima


def alarm(seconds: float) -> Callable[[], bool]:
    """A cancel that turns true after some seconds."""
    due = time.monotonic() + seconds
    return lambda: time.monotonic() > due


def test_arrays_go_there_and_come_back() -> None:
    a = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    frozen = np.asfortranarray(a)
    frozen.setflags(write=False)
    for given in (a, frozen, a[:, ::-1], a[:0]):
        answer = in_child(Run(), operator.add, given, given)
        np.testing.assert_array_equal(answer, given + given)
        assert answer.dtype == np.float32
        answer[...] = 0


def test_one_process_serves_many_calls() -> None:
    assert in_child(Run(), os.getpid) == in_child(Run(), os.getpid) != os.getpid()


def flood(run: Run) -> np.ndarray:
    values = np.random.default_rng(1).normal(size=(20, 20, 20)).astype(np.float32)
    everywhere = np.ones(values.shape, np.bool_)
    return in_child(run, basins_of_minima, values, everywhere, (1.0, 1.0, 1.0), 0.0, WatershedParams())


def test_progress_is_told_in_order_in_the_caller_s_own_thread() -> None:
    told: list[tuple[int, int | None, str]] = []
    threads = set()

    def hear(done: int, total: int | None, what: str) -> None:
        threads.add(threading.get_ident())
        told.append((done, total, what))

    assert flood(Run(progress=hear)).any()
    assert told == [(2, 4, "gradient"), (3, 4, "minima")]
    assert threads == {threading.get_ident()}


def test_who_hears_of_progress_may_stop_the_work() -> None:
    def stop(done: int, total: int | None, what: str) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        flood(Run(progress=stop))
    assert flood(Run()).any(), "the next call gets a process of its own"


def test_calls_from_several_threads_do_not_mix() -> None:
    found: dict[int, int] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: in_child(Run(), operator.mul, n, 10)}))
        for n in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: 0, 1: 10, 2: 20}


def test_an_exception_keeps_its_type_and_message() -> None:
    with pytest.raises(InputError, match="needs different values") as caught:
        in_child(Run(), otsu_threshold, np.zeros(5))
    assert "otsu_threshold" in caught.value.__notes__[0], "where it was raised is told"
    with pytest.raises(ZeroDivisionError):
        in_child(Run(), operator.truediv, 1, 0)


def test_memory_that_runs_out_is_a_resource_error() -> None:
    with pytest.raises(ResourceError, match="memory ran out"):
        in_child(Run(), np.zeros, (1 << 45,))


@pytest.mark.parametrize("after", [0.0, 0.2])
def test_cancel_ends_it_within_a_second(after: float) -> None:
    in_child(Run(), os.getpid)
    start = time.monotonic()
    with pytest.raises(Cancelled):
        in_child(Run(cancel=alarm(after)), time.sleep, 60)
    assert time.monotonic() - start < after + 1
    assert in_child(Run(), operator.add, 1, 1) == 2, "the next call has a new process"


def test_a_process_ended_by_the_system_is_named() -> None:
    with pytest.raises(ResourceError, match=r"ended the process that ran raise_signal.*memory"):
        in_child(Run(), signal.raise_signal, signal.SIGKILL)


def test_a_process_that_ends_by_itself_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"_exit ended without an answer \(exit status 3\)"):
        in_child(Run(), os._exit, 3)


def test_what_is_printed_there_does_not_mix_with_answers(capfd: pytest.CaptureFixture[str]) -> None:
    in_child(Run(), print, "a library's banner", "with more")
    assert in_child(Run(), operator.add, 1, 1) == 2
