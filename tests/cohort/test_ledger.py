"""The ledger: why a case is done again, in one line; what a killed run leaves; one writer."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medseg.cohort.ledger import LEDGER, CaseRow, CohortLedger, why_again
from medseg.errors import OutputError

DONE = CaseRow(
    "a",
    "done",
    stage="done",
    seconds=1.5,
    peak_bytes=1 << 20,
    tries=1,
    input={"mr": "1", "pet": "2"},
    model="m",
    settings="s",
    outputs={"mask.nii.gz": "3", "record.json": "4"},
    facts={"numbers": {"liver volume (ml)": 3.5}},
)


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        (None, DONE, ""),
        (DONE, DONE, ""),
        (DONE, replace(DONE, input={"mr": "9", "pet": "2"}), "input mr changed"),
        (DONE, replace(DONE, input={"mr": "absent", "pet": "2"}), "input mr is gone"),
        (DONE, replace(DONE, input={"mr": "1"}), "input pet is gone"),
        (DONE, replace(DONE, model="n"), "the method or model changed"),
        (DONE, replace(DONE, settings="t"), "the settings changed"),
        (
            DONE,
            replace(DONE, outputs={"mask.nii.gz": "9", "record.json": "4"}),
            "mask.nii.gz was changed since",
        ),
        (DONE, replace(DONE, outputs={"mask.nii.gz": "3", "record.json": "absent"}), "record.json is gone"),
        (
            DONE,
            replace(DONE, input={"mr": "9", "pet": "2"}, settings="t"),
            "input mr changed; the settings changed",
        ),
        (
            replace(DONE, state="running", stage="measure"),
            DONE,
            "an earlier run ended while it was at work on it (measure)",
        ),
        (replace(DONE, state="failed", reason="no NIfTI"), DONE, "it failed before: no NIfTI"),
        (replace(DONE, state="left out", reason="rejected"), DONE, "it was left out before: rejected"),
    ],
)
def test_why_a_case_is_done_again(before: CaseRow | None, now: CaseRow, why: str) -> None:
    assert why_again(before, now) == why


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[CohortLedger]:
    found = CohortLedger(tmp_path)
    yield found
    found.close()


def test_a_row_comes_back_as_it_was(ledger: CohortLedger) -> None:
    ledger.expect(["b", "a"])
    ledger.put(DONE)
    assert ledger.find("a") == DONE
    assert ledger.find("b") is None


def test_rows_come_in_the_order_of_the_study_without_cases_that_left_it(ledger: CohortLedger) -> None:
    ledger.expect(["b", "a", "c"])
    for name in "abc":
        ledger.put(replace(DONE, name=name))
    ledger.expect(["c", "b"])
    assert [row.name for row in ledger.rows()] == ["c", "b"]
    assert ledger.find("a") == DONE, "its row stays, for a study that has it again"


def test_what_was_put_is_there_without_being_closed(ledger: CohortLedger, tmp_path: Path) -> None:
    """As after SIGKILL: nothing of the first is flushed, and the second reads what was committed."""
    import sqlite3

    ledger.put(DONE)
    other = sqlite3.connect(f"file:{tmp_path / LEDGER}?mode=ro", uri=True)
    assert other.execute("SELECT name, state FROM cases").fetchall() == [("a", "done")]
    other.close()


def test_what_is_no_ledger_is_named(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_bytes(b"no database at all, " * 100)
    with pytest.raises(OutputError, match="is no ledger of a study"):
        CohortLedger(tmp_path)


def test_a_ledger_of_a_newer_medseg_is_refused(tmp_path: Path) -> None:
    import sqlite3

    CohortLedger(tmp_path).close()
    with sqlite3.connect(tmp_path / LEDGER) as other:
        other.execute("UPDATE about SET value = 'medseg.cohort/2.0'")
    other.close()
    with pytest.raises(OutputError, match="newer medseg"):
        CohortLedger(tmp_path)
