"""A study from its YAML to its table and page."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import TypeAdapter

from medseg._version import __version__
from medseg.cohort.case import CASES, CaseJob
from medseg.cohort.crew import crew_of
from medseg.cohort.foreman import TRIED_AGAIN, Crew, Foreman, Patience
from medseg.cohort.ledger import LEDGER, CaseRow, CohortLedger
from medseg.cohort.outcome import write_outcome
from medseg.cohort.study import Study, read_study
from medseg.cohort.work import CaseAnswer, Order
from medseg.domain import Case, Run
from medseg.domain.values import digest_of_plain
from medseg.errors import Cancelled, InputError, OutputError
from medseg.workflows.cases import by_id, find_cases
from medseg.workflows.record import read_record
from medseg.workflows.segment import SegmentOptions, require_options
from medseg.workflows.segmenters import find_segmenter
from medseg.workflows.verdicts import read_verdicts, verdicts_on

__all__ = ["CohortResult", "run_cohort"]

_GOES_ON = "stopped; what is done is in the ledger, and the same command goes on"
#: Workers of this machine come back within seconds; those of a queue may wait for hours.
_WITHOUT_WORKERS_S = {"local": 120.0, "address": 300.0}


@dataclass(frozen=True, slots=True)
class CohortResult:
    """How many cases came to which end, which failed and why, and what was written over all of them.

    Parameters
    ----------
    states
        `done`, `kept`, `made again`, `failed`, `left out` → how many.
    failed
        Case → reason.
    again
        Case → why it was done again.
    files
        `csv`, `parquet`, `html` → path.
    """

    states: Mapping[str, int]
    failed: Mapping[str, str]
    again: Mapping[str, str]
    files: Mapping[str, Path]


def run_cohort(
    study: Path | Study, out: Path, *, run: Run | None = None, force: bool = False
) -> CohortResult:
    """Do all cases of a study that are not done, and write table and page over all that are.

    Parameters
    ----------
    study
        A YAML, or what was read of it.
    out
        Folder of the study: ledger, a folder for each case, table and page. An earlier run is gone on with.
    run
        Progress, and whether to stop.
    force
        Whether everything is done anew; and whether a folder with other things in it is taken.

    Raises
    ------
    InputError
        If the study, its cases or its method are at fault.
    OutputError
        If the folder holds something else, another run works there, or the ledger can't be written.
    ResourceError
        If no worker can be had.
    Cancelled
        If the user stopped it; what is done is in the ledger.
    """
    wish = read_study(study) if isinstance(study, Path) else study
    cases = find_cases(Path(wish.inputs))
    if cases is None:
        raise InputError(f"inputs: {wish.inputs} is no folder of images, no dataset and no CSV of cases")
    job, asked = _job(wish, out)
    _require_own(out, force=force)
    ledger = CohortLedger(out)
    try:
        with _stopped_in_words(), _Progress(ledger, len(by_id(cases)), run or Run()) as progress:
            _work(wish, cases, _Plan(job, asked, ledger, force=force), progress)
        files = write_outcome(ledger, job, wish.report)
    finally:
        ledger.close()
    return CohortResult(progress.states, progress.failed, progress.again, files)


@contextmanager
def _stopped_in_words() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise Cancelled(_GOES_ON) from None


def _job(wish: Study, out: Path) -> tuple[CaseJob, tuple[str, str]]:
    """What is done with each case; digests of the model and of all that is asked."""
    engine = find_segmenter(wish.segment.method)
    options = SegmentOptions(
        parameters=tuple(wish.segment.params.items()),
        values=dict(wish.segment.values),
        same_space=wish.segment.same_space,
    )
    require_options(engine, options)
    job = CaseJob(
        str(out.absolute()),
        options,
        wish.segment.method,
        wish.measure.plan,
        wish.report.pages,
        wish.report.pictures,
        wish.segment.device,
        wish.segment.threads,
    )
    model = digest_of_plain([engine.spec.name, engine.spec.version])
    plain: Any = [
        {name: repr(value) for name, value in options.parameters},
        TypeAdapter(type(job.plan)).dump_python(job.plan, mode="json"),
        [dict(options.values), options.same_space, job.pages, job.pictures, __version__],
    ]
    return job, (model, digest_of_plain(plain))


def _require_own(out: Path, *, force: bool) -> None:
    try:
        other = out.is_dir() and not (out / LEDGER).exists() and any(out.iterdir())
        if other and not force:
            raise OutputError(
                f"{out} holds something that is no study's; give another --out, or --force to use it"
            )
        (out / CASES).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(f"{out} is no folder; give another --out") from error
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"can't make folder {out}: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class _Plan:
    """What orders are made of."""

    job: CaseJob
    asked: tuple[str, str]
    ledger: CohortLedger
    force: bool

    def order(self, case: Case, timeout_s: float) -> Order:
        """The order of a case, with its row of the ledger; with `force` it stands for nothing."""
        before = None if self.force else self.ledger.find(case.id)
        return Order(0, case, before, self.job, *self.asked, timeout_s)

    def out_of(self, case: str, reason: str, state: Any = "left out") -> CaseRow:
        """The row of a case that no worker sees."""
        return CaseRow(case, state, reason, model=self.asked[0], settings=self.asked[1])


def _work(wish: Study, cases: tuple[Case, ...], plan: _Plan, progress: "_Progress") -> None:
    known = by_id(cases)
    plan.ledger.expect(list(known))
    todo = []
    verdicts = read_verdicts(Path(wish.qc)) if wish.qc is not None else None
    for name, same in known.items():
        if len(same) > 1:
            files = " and ".join(Path(item.images[0].path).name for item in same)
            row = plan.out_of(name, f"{files} share the name {name}; rename or remove all but one", "failed")
            progress.ended(CaseAnswer(0, "failed", row))
        elif verdicts is not None and (reason := _rejected(verdicts, name, plan.job.folder(same[0]), wish)):
            progress.ended(CaseAnswer(0, "failed", plan.out_of(name, reason)))
        else:
            todo.append(same[0])
    if not todo:
        return
    orders: Iterator[Order] = (plan.order(case, wish.cluster.timeout_s) for case in todo)
    limits = Patience(wish.cluster.silence_s, _WITHOUT_WORKERS_S.get(wish.cluster.kind))
    with crew_of(wish.cluster, plan.job.out) as crew:
        oversee(crew, orders, len(todo), limits=limits, watch=progress)


class _Watch(Protocol):
    def begun(self, order: Order) -> None: ...

    def ended(self, answer: CaseAnswer) -> None: ...

    def check(self) -> None: ...


def oversee(crew: Crew, orders: Iterator[Order], total: int, *, limits: Patience, watch: _Watch) -> None:
    """Have all orders done by a crew."""
    Foreman(crew, orders, total, limits=limits, begun=watch.begun, ended=watch.ended).work(watch.check)


def _rejected(verdicts: Any, case: str, folder: Path, wish: Study) -> str:
    """Why a case is left out by a reader's verdict on its Record as it is now; empty where it is not."""
    path = folder / "record.json"
    if case not in verdicts.named("reject") or not path.is_file():
        return ""
    found = verdicts_on(verdicts, {case: read_record(path)})[case]
    return f"rejected by a reader ({Path(str(wish.qc)).name})" if found == "reject" else ""


@dataclass(slots=True)
class _Progress:
    """What the ledger and the user are told."""

    ledger: CohortLedger
    total: int
    run: Run
    states: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    again: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> "_Progress":
        self.run.progress(0, self.total, "cohort: waiting for workers")
        return self

    def __exit__(self, *_: object) -> None:
        self.run.progress(self.states.total(), self.total, "cohort")

    def check(self) -> None:
        """Raise `Cancelled` if the user asked to stop."""
        try:
            self.run.check()
        except Cancelled as error:
            raise Cancelled(_GOES_ON) from error

    def begun(self, order: Order) -> None:
        """Note that a case is under way, for a run that is killed; one that is done stands until it is done again."""
        if order.before is None or order.before.state != "done":
            outputs = {} if order.before is None else order.before.outputs
            row = CaseRow(
                order.case.id,
                "running",
                stage="read",
                outputs=outputs,
                model=order.model,
                settings=order.settings,
            )
            self.ledger.put(row)

    def ended(self, answer: CaseAnswer) -> None:
        """Write down what became of a case."""
        row = answer.row
        if answer.outcome != "kept":
            self.ledger.put(row)
        state: str = "kept" if answer.outcome == "kept" else row.state
        if row.state == "failed":
            self.failed[row.name] = row.reason
        if answer.outcome == "done" and row.why:
            state = "done" if row.why.startswith(TRIED_AGAIN) else "made again"
            self.again[row.name] = row.why
        self.states[state] += 1
        self.run.progress(self.states.total(), self.total, f"cohort: {row.name}")
