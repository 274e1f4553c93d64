"""`medseg report`: a record as page, PDF and tables."""

from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, say
from medseg.cli.progress import running
from medseg.cli.segment import print_results
from medseg.errors import ConfigError, InputError
from medseg.reporting.purpose import ASKABLE, PAPERS, PageLook
from medseg.workflows.aside import left_aside
from medseg.workflows.report import BesideRecord, ReportFiles, report_files
from medseg.workflows.report_many import records_by_stem, report_cases
from medseg.workflows.study_files import StudyFiles, study_files


def command(
    record: Annotated[
        Path, typer.Argument(help="The JSON that 'medseg measure' wrote; or a folder of them.")
    ],
    files: opt.Inputs = None,
    html: Annotated[
        Path | None,
        typer.Option(
            help="One self-contained page; of many records a folder of pages with a contact sheet, index.html."
        ),
    ] = None,
    pdf: Annotated[
        Path | None, typer.Option(help="The same page as PDF (A4); a folder for many records.")
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(help="One row per measurement, exact values; of many records one row per case."),
    ] = None,
    csv_long: Annotated[
        Path | None, typer.Option(help="Of many records: one row per measurement of each of them.")
    ] = None,
    xlsx: Annotated[
        Path | None,
        typer.Option(
            help="The same rows with findings, inputs and a data dictionary; of many records both tables."
        ),
    ] = None,
    image: Annotated[
        Path | None, typer.Option(help="The image, if it is no longer where the record says.")
    ] = None,
    channel: opt.Channels = None,
    mask: Annotated[
        Path | None, typer.Option(help="The mask, if it is no longer where the record says.")
    ] = None,
    purpose: Annotated[
        str | None,
        typer.Option(
            help="What the page answers: structure, lesions, organs or tissue; default: what was measured."
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(help="A reference mask: the page answers how far the record's mask agrees with it."),
    ] = None,
    paper: Annotated[str, typer.Option(help="What the page is printed on: A4 or Letter.")] = "A4",
    full: Annotated[
        bool, typer.Option("--full", help="With the appendix: every measurement, its method, all pictures.")
    ] = False,
    window: opt.Windows = None,
    redcap: Annotated[
        Path | None,
        typer.Option(
            help="A folder for REDCap's data dictionary, dictionary.csv, and the data in its fields, data.csv."
        ),
    ] = None,
    methods: Annotated[
        Path | None,
        typer.Option(
            help="A paragraph on methods with references, and what an author has to add (Markdown)."
        ),
    ] = None,
    checklist: Annotated[
        Path | None,
        typer.Option(
            help="The checklist CLAIM for papers on AI in medical imaging, filled where the records know it (Markdown)."
        ),
    ] = None,
    identified: Annotated[
        bool,
        typer.Option(
            "--identified",
            help="Every view names the patient and the days of acquisition, read again from the DICOM series; each "
            "page is marked. The record stays without identity.",
        ),
    ] = False,
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Render a record. All numbers come from it; pictures are drawn from the inputs it names.

    The page holds what was asked for, then tables, review and digests; --full adds every measurement.

    Example: medseg report record.json --html report.html --pdf report.pdf

    Many records: medseg report records/ --html pages/ --csv cases.csv --xlsx cases.xlsx

    Their masks and images moved: medseg report records/ masks/ images/ --html pages/
    """
    look = _look(purpose, paper, full=full, window=window)
    views = ReportFiles(html, pdf, csv, xlsx, csv_long)
    if _study_files(record, StudyFiles(redcap, methods, checklist), force=force) and not views.given:
        return
    if record.is_dir():
        _require_of_many(single=bool(image or channel or mask), reference=reference, identified=identified)
        records = records_by_stem(record)
        with running("cpu", quiet=json) as run:
            results = report_cases(
                records,
                views,
                among=files or (),
                look=look,
                force=force,
                run=run,
            )
        aside = left_aside(record, chain.from_iterable(records.values()))
        print_results(results, as_json=json, command="report", findings=aside)
        return
    images = opt.channel_paths(channel) or ({"image": image} if image else {})
    written = report_files(
        record,
        views,
        images=images,
        mask=mask,
        among=files or (),
        beside=BesideRecord(identified, reference),
        look=look,
        force=force,
    )
    if json:
        emit("report", {view: str(path) for view, path in written.items()})
        return
    for path in written.values():
        say(f"wrote {path}")


def _look(purpose: str | None, paper: str, *, full: bool, window: list[str] | None) -> PageLook:
    if purpose is not None and purpose not in ASKABLE:
        raise ConfigError(f"--purpose is one of {', '.join(ASKABLE)}, not {purpose!r}")
    if paper not in PAPERS:
        raise ConfigError(f"--paper is one of {', '.join(PAPERS)}, not {paper!r}")
    return PageLook(purpose, full, paper, opt.windows(window))


def _require_of_many(*, single: bool, reference: Path | None, identified: bool) -> None:
    """Refuse what is about one record where a folder of them is given."""
    if single:
        raise InputError(
            "--image, --channel and --mask are of one record; give files or folders after the records"
        )
    if reference is not None:
        raise InputError("--reference is of one record; 'medseg evaluate' compares folders")
    if identified:
        raise InputError("--identified names one patient: give one record, not a folder")


def _study_files(record: Path, files: StudyFiles, *, force: bool) -> bool:
    """Write what a study asks for, and whether it asked for anything."""
    written = study_files(record, files, force=force) if files.given else {}
    for path in written.values():
        say(f"wrote {path}")
    return bool(written)
