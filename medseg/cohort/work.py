"""What a worker does with a case that it is given: look whether it stands, else have it done in a process that can end.

While one case is worked on, the next ones are read: their digests are needed anyway, and their files are then in the
system's memory. Nothing here raises: whatever happens to a case is an answer.
"""

import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medseg._version import __version__
from medseg.cohort.case import CaseJob, do_case, output_names
from medseg.cohort.ledger import LEDGER, CaseRow, why_again
from medseg.domain import Case, Run
from medseg.errors import Cancelled, MedsegError, ResourceError
from medseg.methods.child import in_child
from medseg.workflows.ledger import file_digest

__all__ = ["CaseAnswer", "Order", "stop_work", "work_on"]


@dataclass(frozen=True, slots=True)
class Order:
    """A case to do: under a number of its own, with what the ledger says of it and what is asked."""

    number: int
    case: Case
    before: CaseRow | None
    job: CaseJob
    model: str
    settings: str
    timeout_s: float
    version: str = __version__


@dataclass(frozen=True, slots=True)
class CaseAnswer:
    """What became of an order; `died` where the process that did it hung or ended, maybe no fault of it."""

    number: int
    outcome: Literal["done", "kept", "failed", "died"]
    row: CaseRow


class _Turns:
    """Who works next: the order in which cases came, so that the one worked on is always the oldest."""

    def __init__(self) -> None:
        self._waiting: deque[int] = deque()
        self._changed = threading.Condition()

    def come(self, number: int) -> None:
        with self._changed:
            self._waiting.append(number)

    def wait(self, number: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting[0] == number)

    def go(self, number: int) -> None:
        with self._changed:
            self._waiting.remove(number)
            self._changed.notify_all()


_TURNS = _Turns()
_STOPPED = threading.Event()


def stop_work() -> None:
    """End what is being done: the user stopped the study."""
    _STOPPED.set()


def work_on(order: Order) -> CaseAnswer:
    """Do an order on this worker."""
    _TURNS.come(order.number)
    try:
        outcome, row = _looked_at(order)
    except (MedsegError, OSError) as error:
        outcome, row = "failed", _row(order, "failed", reason=" ".join(str(error).split()), stage="read")
    finally:
        _TURNS.go(order.number)
    return CaseAnswer(order.number, outcome, row)


def _looked_at(order: Order) -> tuple[Literal["done", "kept", "failed", "died"], CaseRow]:
    _require_same_place(order)
    inputs = {item.channel: file_digest(Path(item.path)) for item in order.case.images}
    now = _row(order, "done", input=inputs, outputs=_outputs(order))
    why = why_again(order.before, now)
    if order.before is not None and order.before.state == "done" and not why:
        return "kept", order.before
    _TURNS.wait(order.number)
    return _done(order, inputs, why)


def _done(
    order: Order, inputs: dict[str, str], why: str
) -> tuple[Literal["done", "failed", "died"], CaseRow]:
    start = time.monotonic()
    stage = ["start"]

    def told(_done: int, _total: int | None, what: str) -> None:
        stage[0] = what

    def late() -> bool:
        return _STOPPED.is_set() or time.monotonic() - start > order.timeout_s

    def row(state: Literal["done", "failed"], **fields: Any) -> CaseRow:
        return _row(order, state, input=inputs, why=why, seconds=round(time.monotonic() - start, 3), **fields)

    try:
        found = in_child(Run(progress=told, cancel=late), do_case, order.case, order.job)
    except Cancelled:
        reason = "stopped" if _STOPPED.is_set() else f"it hung: no end after {order.timeout_s:g} s"
        return "died", row("failed", reason=f"{reason} (at stage {stage[0]})", stage=stage[0])
    except (ResourceError, RuntimeError) as error:
        ended = not getattr(
            error, "__notes__", ()
        )  # what the case itself raised has the other process's traceback
        reason = " ".join(str(error).split())
        return ("died" if ended else "failed"), row("failed", reason=reason, stage=stage[0])
    except MedsegError as error:
        return "failed", row("failed", reason=" ".join(str(error).split()), stage=stage[0])
    except Exception as error:  # noqa: BLE001 - the edge of a batch: one case must not stop the others
        reason = f"a fault in medseg: {type(error).__name__}: {error}"
        return "failed", row("failed", reason=" ".join(reason.split()), stage=stage[0])
    fields = {"facts": found["facts"], "peak_bytes": found["peak_bytes"], "outputs": _outputs(order)}
    return "done", row("done", stage="done", **fields)


def _require_same_place(order: Order) -> None:
    if order.version != __version__:
        raise ResourceError(
            f"this worker has medseg {__version__}, and the study was started by {order.version}; install one version"
        )
    if not (Path(order.job.out) / LEDGER).is_file():
        raise ResourceError(
            f"this worker does not see {order.job.out}; workers and starter need one file system in common"
        )


def _outputs(order: Order) -> dict[str, str]:
    folder = order.job.folder(order.case)
    return {name: file_digest(folder / name) for name in output_names(order.case, order.job)}


def _row(order: Order, state: Literal["done", "failed"], **fields: Any) -> CaseRow:
    return CaseRow(order.case.id, state, model=order.model, settings=order.settings, **fields)
