"""`medseg evaluate`: predictions against references."""

from pathlib import Path
from typing import Annotated

import typer

from medseg.cli import options as opt
from medseg.errors import PartialFailure


def command(
    prediction: Annotated[Path, typer.Argument(help="A mask, or a folder of masks.")],
    reference: Annotated[Path, typer.Argument(help="The reference mask, or a folder; paired by file name.")],
    tolerance_mm: Annotated[float, typer.Option(help="Tolerance of the surface Dice in mm.")] = 2.0,
    out: Annotated[
        Path | None, typer.Option(help="Also write one row per case, label and quantity as CSV.")
    ] = None,
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Compare masks: Dice, surface Dice, HD95, ASSD and volume error, in true mm.

    When both masks are empty Dice is 1; when one is, Dice is 0 and distances are not computed. Beside a
    mean stand the cases, the misses and the false positives.
    """
    from medseg.cli.output import emit, print_table, say
    from medseg.workflows.evaluate import evaluate_files, evaluation_rows, summary_rows

    results = evaluate_files(prediction, reference, tolerance_mm=tolerance_mm)
    rows = evaluation_rows(results)
    summary = summary_rows(results)
    if out is not None:
        from medseg.workflows.evaluate import write_rows

        write_rows(rows, out, force=force)
    failed = [item for item in results if item.error]
    if json:
        emit(
            "evaluate",
            {"measurements": rows, "summary": summary, "failed": {item.case: item.error for item in failed}},
        )
        if failed:
            raise typer.Exit(PartialFailure.exit_code)
        return
    if rows:
        head = ("case", "name", "quantity", "value", "unit", "status", "reason")
        print_table(head, [tuple(row[key] for key in head) for row in rows])
    if len(results) > 1 and summary:
        print_table(tuple(summary[0]), [tuple(row.values()) for row in summary], title="summary")
    for item in failed:
        say(f"{item.case}: {item.error}")
    if failed:
        raise PartialFailure(f"{len(failed)} of {len(results)} cases could not be compared")
