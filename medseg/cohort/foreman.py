"""Who does which case: few at a time for each worker, those of a worker that is gone once more on another one.

Knows no Dask: a crew has workers, takes orders, and gives answers.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from medseg.cohort.ledger import CaseRow
from medseg.cohort.work import CaseAnswer, Order
from medseg.errors import ResourceError

__all__ = ["TRIED_AGAIN", "Crew", "Foreman", "Patience"]

#: Begins the reason of a case whose worker was lost in the same run.
TRIED_AGAIN = "tried again"
#: A case is begun this often: once, and once more on another worker.
_TRIES = 2
#: A case that only waited on workers that went is handed on this often, then it counts as one that was worked on.
_HANDED_ON = 4
#: Each worker has so many cases, one to work on and one to read; more where they are quick, to fill so many seconds.
_FEW, _MANY, _AHEAD_S = 2, 16, 0.25
_LOOK_EVERY_S = 1.0


class Crew(Protocol):
    """Workers, wherever they are."""

    def workers(self) -> Mapping[str, float]:
        """Workers that there are, and for how many seconds each has given no sign of life."""

    def send(self, worker: str, orders: Sequence[Order]) -> None:
        """Give orders to a worker; it does them in turn."""

    def answers(self, patience_s: float) -> list[CaseAnswer]:
        """What has come in, waiting for it no longer than that."""

    def faults(self) -> Mapping[int, str]:
        """Orders that no answer will come for although their worker is there, and why; empty: their worker is gone."""

    def drop(self, worker: str, orders: Sequence[int]) -> None:
        """Expect no more of a worker and these orders; one that does not answer is ended where that can be done."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a worker may be silent, and how long there may be none at all (None: for ever)."""

    silence_s: float
    without_workers_s: float | None = None


@dataclass(slots=True)
class _Try:
    """A case under way: how often it was begun before, handed on, and where it must not go again."""

    order: Order
    begun: int = 0
    handed_on: int = 0
    avoid: str = ""
    first_cause: str = ""


class Foreman:
    """Hands out orders until there are none left; the state is as large as what is in flight.

    Parameters
    ----------
    crew
        Who works.
    orders
        All cases, made as they are asked for.
    total
        How many.
    begun, ended
        Called when a case is handed out for the first time, and with the row of each that came to its end.
    """

    def __init__(
        self,
        crew: Crew,
        orders: Iterator[Order],
        total: int,
        *,
        limits: Patience,
        begun: Callable[[Order], None],
        ended: Callable[[CaseAnswer], None],
    ) -> None:
        self._crew, self._orders, self._left = crew, orders, total
        self._limits, self._begun, self._ended = limits, begun, ended
        self._again: deque[_Try] = deque()
        self._flight: dict[str, dict[int, _Try]] = {}
        self._pace = 1.0
        self._next = 0
        self._last_look = -math.inf
        self._seen = time.monotonic()

    def work(self, check: Callable[[], None]) -> None:
        """Work until all cases have come to their end; `check` is called often and may raise.

        Raises
        ------
        ResourceError
            If there are no workers for longer than the limit.
        """
        while self._left or self._again or any(self._flight.values()):
            check()
            if time.monotonic() - self._last_look > _LOOK_EVERY_S:
                self._look()
            self._hand_out()
            for answer in self._crew.answers(_LOOK_EVERY_S / 2):
                self._take(answer)

    def _look(self) -> None:
        """See which workers are there, and what became of those that are not."""
        self._last_look = time.monotonic()
        there = self._crew.workers()
        for worker in [name for name in self._flight if name not in there]:
            self._lose(worker, "its worker ended (killed, out of memory, or at the end of its time)")
        for worker, silent_s in there.items():
            if silent_s > self._limits.silence_s:
                cause = f"its worker gave no sign of life for {silent_s:.0f} s (starved, stopped or cut off)"
                self._lose(worker, cause)
            else:
                self._flight.setdefault(worker, {})
        for number, cause in self._crew.faults().items():
            self._fail_or_lose(number, cause)
        self._wait_for_workers()

    def _wait_for_workers(self) -> None:
        now = time.monotonic()
        if self._flight:
            self._seen = now
        limit = self._limits.without_workers_s
        if limit is not None and now - self._seen > limit:
            raise ResourceError(
                f"there is no worker any more, for {now - self._seen:.0f} s; what is done is in the ledger: start again"
            )

    def _hand_out(self) -> None:
        """Fill up every worker, the emptiest first."""
        depth = min(max(math.ceil(_AHEAD_S / max(self._pace, 1e-3)), _FEW), _MANY)
        for worker in sorted(self._flight, key=lambda name: len(self._flight[name])):
            flight = self._flight[worker]
            if len(flight) > depth // 2:
                continue  # several at once are one message
            batch: list[_Try] = []
            while len(flight) + len(batch) < depth:
                found = self._pick(worker, waits=bool(flight or batch))
                if found is None:
                    break
                batch.append(found)
            if batch:
                flight.update({item.order.number: item for item in batch})
                self._crew.send(worker, [item.order for item in batch])

    def _pick(self, worker: str, *, waits: bool) -> _Try | None:
        """The next case for a worker; the last ones do not wait behind others, as somebody will be free for them."""
        if waits and self._left + len(self._again) <= len(self._flight):
            return None
        alone = len(self._flight) == 1
        for item in self._again:
            if item.avoid != worker or alone:
                self._again.remove(item)
                return self._numbered(item)
        if not self._left:
            return None
        self._left -= 1
        order = next(self._orders)
        self._begun(order)
        return self._numbered(_Try(order))

    def _numbered(self, item: _Try) -> _Try:
        """A number for each handing out, so that late answers are known."""
        self._next += 1
        item.order = replace(item.order, number=self._next)
        return item

    def _take(self, answer: CaseAnswer) -> None:
        worker = next((name for name, flight in self._flight.items() if answer.number in flight), None)
        if worker is None:
            return  # of a worker that was given up meanwhile
        item = self._flight[worker].pop(answer.number)
        if answer.outcome == "died":
            self._died(item, worker, answer.row)
            return
        self._pace = 0.9 * self._pace + 0.1 * (answer.row.seconds or 0.0 if answer.outcome != "kept" else 0.0)
        self._end(item, worker, answer)

    def _end(self, item: _Try, worker: str, answer: CaseAnswer) -> None:
        row = answer.row
        if answer.outcome != "kept":
            why = "; ".join(
                filter(None, (row.why, item.first_cause and f"{TRIED_AGAIN}: {item.first_cause}"))
            )
            row = replace(row, why=why, tries=item.begun + 1, worker=worker)
        self._ended(replace(answer, row=row))

    def _died(self, item: _Try, worker: str, row: CaseRow) -> None:
        """Once more on another worker; then it is named."""
        if item.begun + 1 < _TRIES:
            item.begun += 1
            item.avoid, item.first_cause = worker, row.reason
            self._again.append(item)
            return
        both = row.reason if row.reason == item.first_cause else f"{item.first_cause}; then {row.reason}"
        failed = replace(row, reason=f"twice: {both}" if both == row.reason else both)
        self._end(item, worker, CaseAnswer(item.order.number, "failed", failed))

    def _lose(self, worker: str, cause: str) -> None:
        """A worker is gone: the oldest of its cases was being worked on, the others only waited."""
        flight = self._flight.pop(worker, {})
        self._crew.drop(worker, list(flight))
        for place, item in enumerate(flight.values()):
            if place and item.handed_on < _HANDED_ON:
                item.handed_on += 1
                self._again.appendleft(item)
                continue
            order = item.order
            row = CaseRow(
                order.case.id, "failed", cause, model=order.model, settings=order.settings, stage="unknown"
            )
            self._died(item, worker, row)

    def _fail_or_lose(self, number: int, cause: str) -> None:
        worker = next((name for name, flight in self._flight.items() if number in flight), None)
        if worker is None:
            return
        if not cause:
            self._lose(worker, "its worker ended")
            return
        item = self._flight[worker].pop(number)
        order = item.order
        row = CaseRow(
            order.case.id, "failed", cause, model=order.model, settings=order.settings, stage="start"
        )
        self._died(item, worker, row)
