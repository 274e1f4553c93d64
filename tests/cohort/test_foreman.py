"""Who does which case, told by a crew of no processes: what is tried again, what is named, how much is in flight."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from medseg.cohort.case import CaseJob
from medseg.cohort.foreman import Foreman, Patience
from medseg.cohort.ledger import CaseRow
from medseg.cohort.work import CaseAnswer, Order
from medseg.domain import Case, ChannelFile
from medseg.domain.plan import MeasurePlan
from medseg.errors import ResourceError
from medseg.workflows.segment import SegmentOptions

JOB = CaseJob("out", SegmentOptions(), "threshold", MeasurePlan(), pages=False, pictures=False)


class FakeCrew:
    """Workers that do what `act` says of a case: an outcome, `vanish` (the worker with it), or `silence`."""

    def __init__(self, names: Sequence[str], act: Callable[[str, int], str]) -> None:
        self.there = dict.fromkeys(names, 0.0)
        self.act, self.begun = act, Counter[str]()
        self.queues: dict[str, list[Order]] = {name: [] for name in names}
        self.most = 0
        self.where: list[tuple[str, str]] = []

    def workers(self) -> Mapping[str, float]:
        return dict(self.there)

    def send(self, worker: str, orders: Sequence[Order]) -> None:
        self.queues[worker] += orders
        self.most = max(self.most, len(self.queues[worker]))

    def answers(self, patience_s: float) -> list[CaseAnswer]:
        found = []
        for worker, queue in list(self.queues.items()):
            if not queue or worker not in self.there or self.there[worker]:
                continue
            order = queue[0]
            name = order.case.id
            self.begun[name] += 1
            self.where.append((name, worker))
            what = self.act(name, self.begun[name])
            if what == "vanish":
                del self.there[worker]
                self.there[f"{worker}+"], self.queues[f"{worker}+"] = 0.0, []
            elif what == "silence":
                self.there[worker] = 99.0
            else:
                queue.pop(0)
                state = "done" if what in ("done", "kept") else "failed"
                reason = "" if state == "done" else f"because {what}"
                found.append(CaseAnswer(order.number, what, CaseRow(name, state, reason, seconds=2.0)))  # type: ignore[arg-type]
                continue
        return found

    def faults(self) -> Mapping[int, str]:
        return {}

    def drop(self, worker: str, orders: Sequence[int]) -> None:
        """Another one comes in its place, as a nanny or a queue sees to."""
        self.queues[worker] = []
        if self.there.pop(worker, None) is not None:
            self.there[f"{worker}+"], self.queues[f"{worker}+"] = 0.0, []


def run(
    names: Sequence[str], act: Callable[[str, int], str], monkeypatch: pytest.MonkeyPatch, workers: int = 2
) -> tuple[dict[str, CaseRow], FakeCrew]:
    monkeypatch.setattr("medseg.cohort.foreman._LOOK_EVERY_S", 0.0)
    crew = FakeCrew([f"w{number}" for number in range(workers)], act)
    rows: dict[str, CaseRow] = {}

    def ended(answer: CaseAnswer) -> None:
        assert answer.row.name not in rows, "a case ends once"
        rows[answer.row.name] = answer.row

    cases = (Case(name, name, (ChannelFile("image", str(Path(name))),)) for name in names)
    orders = (Order(0, case, None, JOB, "m", "s", 10.0) for case in cases)
    foreman = Foreman(crew, orders, len(names), limits=Patience(60.0), begun=lambda _order: None, ended=ended)
    foreman.work(lambda: None)
    return rows, crew


def names_of(count: int) -> list[str]:
    return [f"c{number}" for number in range(count)]


@pytest.mark.parametrize(
    ("acts", "state", "words"),
    [
        (("done",), "done", ""),
        (("failed",), "failed", "because failed"),
        (("died", "done"), "done", ""),
        (("died", "died"), "failed", "twice: because died"),
        (("died", "failed"), "failed", "because failed"),
        (("vanish", "done"), "done", ""),
        (("silence", "done"), "done", ""),
        (("vanish", "vanish"), "failed", "twice: its worker ended"),
        (("silence", "silence"), "failed", "twice: its worker gave no sign of life for 99 s"),
        (
            ("silence", "died"),
            "failed",
            "its worker gave no sign of life for 99 s (starved, stopped or cut off); then",
        ),
    ],
)
def test_a_case_is_tried_once_more_and_then_named(
    acts: tuple[str, ...], state: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(name: str, time: int) -> str:
        return acts[time - 1] if name == "c2" else "done"

    rows, crew = run(names_of(8), act, monkeypatch)
    assert rows["c2"].state == state
    assert rows["c2"].reason.startswith(words)
    assert crew.begun["c2"] == len(acts)
    assert {row.state for name, row in rows.items() if name != "c2"} == {"done"}, "others take no harm"
    assert all(count == 1 for name, count in crew.begun.items() if name != "c2"), "nor are they done twice"


def test_it_is_tried_again_on_another_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    _, crew = run(
        names_of(6), lambda name, time: "died" if (name, time) == ("c0", 1) else "done", monkeypatch
    )
    places = [worker for name, worker in crew.where if name == "c0"]
    assert len(set(places)) == 2


def test_on_one_worker_it_is_tried_there(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = run(["a"], lambda _name, time: "died" if time == 1 else "done", monkeypatch, workers=1)
    assert rows["a"].state == "done"
    assert rows["a"].tries == 2
    assert rows["a"].why == "tried again: because died"


def test_few_are_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    _, crew = run(names_of(60), lambda _name, _time: "done", monkeypatch)
    assert crew.most == 2


def test_the_last_cases_do_not_wait_behind_others(monkeypatch: pytest.MonkeyPatch) -> None:
    _, crew = run(names_of(2), lambda _name, _time: "done", monkeypatch)
    assert {worker for _, worker in crew.where} == {"w0", "w1"}


def test_without_workers_it_ends_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medseg.cohort.foreman._LOOK_EVERY_S", 0.0)
    crew = FakeCrew([], lambda _name, _time: "done")
    order = Order(0, Case("a", "a", ()), None, JOB, "m", "s", 10.0)
    foreman = Foreman(
        crew, iter([order]), 1, limits=Patience(60.0, 0.05), begun=lambda _o: None, ended=lambda _a: None
    )
    with pytest.raises(ResourceError, match="no worker any more"):
        foreman.work(lambda: None)
