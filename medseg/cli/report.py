"""`medseg report`: a record as page, PDF and tables."""

from pathlib import Path
from typing import Annotated

import typer

from medseg.cli import options as opt


def command(
    record: Annotated[Path, typer.Argument(help="The JSON that 'medseg measure' wrote.")],
    html: Annotated[Path | None, typer.Option(help="One self-contained page.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="The same page as PDF (A4).")] = None,
    csv: Annotated[Path | None, typer.Option(help="One row per measurement, exact values.")] = None,
    xlsx: Annotated[
        Path | None, typer.Option(help="The same rows with findings, inputs and a data dictionary.")
    ] = None,
    image: Annotated[
        Path | None, typer.Option(help="The image, if it is no longer where the record says.")
    ] = None,
    channel: opt.Channels = None,
    mask: Annotated[
        Path | None, typer.Option(help="The mask, if it is no longer where the record says.")
    ] = None,
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Render a record. All numbers come from it; pictures are drawn from the inputs it names.

    Example: medseg report record.json --html report.html --pdf report.pdf
    """
    from medseg.cli.output import emit, say
    from medseg.workflows.report import ReportFiles, report_files

    images = opt.channel_paths(channel) or ({"image": image} if image else {})
    written = report_files(record, ReportFiles(html, pdf, csv, xlsx), images=images, mask=mask, force=force)
    if json:
        emit("report", {view: str(path) for view, path in written.items()})
        return
    for path in written.values():
        say(f"wrote {path}")
