"""`medseg cohort`: a study over thousands of cases."""

from pathlib import Path
from typing import Annotated

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, print_table, say, show
from medseg.cli.progress import running
from medseg.cohort import CohortResult, run_cohort
from medseg.cohort.study import EXAMPLE
from medseg.errors import ConfigError, PartialFailure


def command(
    study: Annotated[
        Path | None, typer.Argument(help="The study as YAML; --example prints one with all its keys.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the study: ledger, a folder for each case, table and page; goes on there."
        ),
    ] = None,
    example: Annotated[bool, typer.Option("--example", help="Print a study to begin with.")] = False,
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Segment, measure and report thousands of cases on a cluster; what stands and still matches is skipped.

    A ledger, cohort.sqlite, says what became of each case; cases.csv, cases.parquet and index.html are of all.

    Examples: medseg cohort --example > study.yaml · medseg cohort study.yaml --out results
    """
    if example:
        show(EXAMPLE.rstrip())
        return
    if study is None or out is None:
        raise ConfigError(
            "give a STUDY and --out DIR; 'medseg cohort --example' prints a study to begin with"
        )
    with running("cpu", quiet=json) as run:
        result = run_cohort(study, out, run=run, force=force)
    _tell(result, as_json=json)


def _tell(result: CohortResult, *, as_json: bool) -> None:
    """Counts, then the cases that failed; raises PartialFailure where some did."""
    failed = len(result.failed)
    if as_json:
        files = {name: str(path) for name, path in result.files.items()}
        plain = {"states": dict(result.states), "failed": dict(result.failed), "again": dict(result.again)}
        emit("cohort", {**plain, "files": files})
    else:
        print_table(("state", "cases"), sorted(result.states.items()))
        if result.failed:
            print_table(("failed", "reason"), sorted(result.failed.items()))
        if result.again:
            print_table(("made again", "why"), sorted(result.again.items()))
        for path in result.files.values():
            say(f"wrote {path}")
    if failed and not as_json:
        raise PartialFailure(f"{failed} of {sum(result.states.values())} cases failed; the others are done")
    if failed:
        raise typer.Exit(PartialFailure.exit_code)
