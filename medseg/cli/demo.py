"""`medseg demo`: the whole path on the shipped samples."""

from pathlib import Path
from typing import Annotated

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, print_table
from medseg.cli.progress import running
from medseg.workflows.demo import demo


def command(
    out: Annotated[Path, typer.Option(help="Folder for masks, records and reports.")] = Path("medseg-demo"),
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Segment the shipped samples on the CPU, measure them, compare with the reference, write the reports."""
    with running("cpu", quiet=json) as run:
        results = demo(out, force=force, run=run)
    if json:
        emit("demo", [item.as_plain() for item in results])
        return
    print_table(
        ("sample", "structure", "volume", "status", "Dice (sample only)"),
        [row for item in results for row in item.rows],
    )
    print("\nOpen these:")
    for item in results:
        print(f"  {item.html}")
