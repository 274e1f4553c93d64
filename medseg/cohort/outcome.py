"""The table (CSV and Parquet) and the page over all cases of a study, from its ledger, row by row."""

import csv
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from medseg.cohort.case import CASES, PAGE, PICTURE, CaseJob
from medseg.cohort.ledger import CaseRow, CohortLedger
from medseg.cohort.study import ReportWish
from medseg.extras import require_extra
from medseg.io.atomic import staged_file, write_bytes
from medseg.reporting.cohort.page import CohortCase, CohortView, cohort_to_html
from medseg.reporting.cohort.quantities import QuantityView, main_quantities
from medseg.reporting.tables.csv import table_cell
from medseg.reporting.tables.wide import CASE_COLUMNS

__all__ = ["COHORT_COLUMNS", "write_outcome"]

#: Columns between those of a case and its numbers → what they hold.
COHORT_COLUMNS = {
    "scanner": "Manufacturer, model and field strength of the first image; empty where its file does not say.",
    "domain": "What the model said where the image is unlike those that it learned from; else empty.",
    "seconds": "What the case took on its worker, without waiting.",
    "peak_mib": "Most memory that was held for it, in MiB; empty where it is not known.",
}
_BATCH = 1000
_MIB = 1 << 20


def write_outcome(ledger: CohortLedger, job: CaseJob, wish: ReportWish) -> dict[str, Path]:
    """Write `cases.csv`, `cases.parquet` and `index.html`; what an earlier run wrote is replaced.

    A row of the tables is a case that is done; the page names all.
    """
    out = Path(job.out)
    head = _head(ledger)
    files = {"csv": out / "cases.csv", "parquet": out / "cases.parquet", "html": out / "index.html"}
    _write_csv(ledger, head, files["csv"])
    _write_parquet(ledger, head, files["parquet"])
    write_bytes(files["html"], cohort_to_html(_view(ledger, head, job, wish)), force=True)
    return files


def _head(ledger: CohortLedger) -> list[str]:
    """Names of the numbers that any case has, each beside its `usable`, structures together."""
    found: dict[str, None] = {}
    for row in _done(ledger):
        found |= dict.fromkeys(row.facts["numbers"])
    return list(found)


def _done(ledger: CohortLedger) -> Iterator[CaseRow]:
    return (row for row in ledger.rows() if row.state == "done")


def _cells(row: CaseRow, numbers: list[str]) -> list[Any]:
    facts = row.facts
    own = [facts["scanner"] or None, facts["domain"] or None, row.seconds]
    peak = None if not row.peak_bytes else round(row.peak_bytes / _MIB, 1)
    about = [facts["about"].get(name) for name in CASE_COLUMNS]
    return [*about, *own, peak, *(facts["numbers"].get(name) for name in numbers)]


def _write_csv(ledger: CohortLedger, numbers: list[str], path: Path) -> None:
    with staged_file(path, force=True) as staged, staged.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        names = [*CASE_COLUMNS, *COHORT_COLUMNS, *numbers]
        writer.writerow(table_cell(name) for name in names)
        for row in _done(ledger):
            writer.writerow(table_cell(cell) for cell in _cells(row, numbers))


def _write_parquet(ledger: CohortLedger, numbers: list[str], path: Path) -> None:
    require_extra("cluster", "a table in Parquet")
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds: dict[str, Any] = dict.fromkeys([*CASE_COLUMNS, *COHORT_COLUMNS], pa.string())
    kinds |= dict.fromkeys(("warnings",), pa.int64())
    kinds |= dict.fromkeys(("expected_dice", "seconds", "peak_mib"), pa.float64())
    kinds |= {
        name: pa.string() if name.endswith((" usable", " level_method")) else pa.float64() for name in numbers
    }
    schema = pa.schema(list(kinds.items()))
    rows = _done(ledger)
    with staged_file(path, force=True) as staged, pq.ParquetWriter(staged, schema) as writer:
        while batch := [_cells(row, numbers) for row in islice(rows, _BATCH)]:
            columns = [
                pa.array([None if value is None else _as(value, kind) for value in column], kind)
                for column, kind in zip(zip(*batch, strict=True), kinds.values(), strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _as(value: Any, kind: Any) -> Any:
    return float(value) if str(kind) == "double" else value


def _view(ledger: CohortLedger, numbers: list[str], job: CaseJob, wish: ReportWish) -> CohortView:
    """What the page shows; of the cases only their numbers are held."""
    cases: list[CohortCase] = []
    reasons: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    shown = {item.head: item for item in main_quantities(numbers)}
    for row in ledger.rows():
        counts[row.state] += 1
        if row.state == "done":
            cases.append(_case(row, job, shown))
        else:
            reasons.setdefault(f"{row.state}: {row.reason}", []).append(row.name)
    return CohortView(
        counts=counts,
        reasons=reasons,
        cases=cases,
        quantities=list(shown.values()),
        hidden=len([name for name in numbers if not name.endswith(" usable")]) - len(shown),
        first=wish.outliers,
        picture_of=lambda name: _picture(Path(job.out) / CASES / name / PICTURE),
    )


def _case(row: CaseRow, job: CaseJob, shown: dict[str, QuantityView]) -> CohortCase:
    found, facts = row.facts["numbers"], row.facts
    values = {
        head: float(found[head])
        for head in shown
        if found.get(head) is not None and found.get(f"{head} usable") == "yes"
    }
    return CohortCase(
        name=row.name,
        href=f"{CASES}/{row.name}/{PAGE}" if job.pages else "",
        values=values,
        scanner=facts["scanner"],
        domain=facts["domain"],
        expected_dice=facts["about"].get("expected_dice"),
        caption=facts["caption"],
        seconds=row.seconds or 0.0,
    )


def _picture(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
