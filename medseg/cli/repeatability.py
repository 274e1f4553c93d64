"""`medseg repeatability`: how far two scans differ although nothing changed."""

from pathlib import Path
from typing import Annotated

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, print_findings, print_table, show
from medseg.domain import ReadOptions
from medseg.domain.repeatability import RepeatabilityStudy
from medseg.errors import ConfigError
from medseg.reporting.repeatability.table import repeatability_rows
from medseg.reporting.repeatability.words import figures_of, name_of, study_sentences
from medseg.workflows.paired import quantity_of
from medseg.workflows.repeatability import PairsOptions, RepeatabilityFiles, repeatability_files


@opt.reading(without=("series", "volume", "space"))
def command(
    pairs: Annotated[
        Path,
        typer.Argument(
            help="CSV with the columns subject, first, second: values (then label, quantity, unit too), or paths of "
            "Records or masks."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The study as JSON, which 'medseg followup' takes as the error of a change."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Page with figures and Bland–Altman plots.")] = None,
    csv: Annotated[Path | None, typer.Option(help="One row per structure and size, exact values.")] = None,
    quantity: Annotated[
        list[str] | None,
        typer.Option(
            help="What is compared of Records and masks (repeat for several; default volume); what values are."
        ),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of the values, such as mm3; default that of the quantity.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=THEIRS",
            help="What the CSV calls subject, first, second, label, lesion, quantity or unit; repeat for each.",
        ),
    ] = None,
    sizes: Annotated[
        str | None, typer.Option(help="Where to cut volumes by size, in ml, such as 0.1,1,10.")
    ] = None,
    labels: opt.Labels = None,
    source: Annotated[str, typer.Option(help="Citation of the pairs; default the file's name.")] = "",
    model: Annotated[
        str | None,
        typer.Option(
            help="Also keep the study with this model (a name or folder), whose weights must have made all masks."
        ),
    ] = None,
    read: ReadOptions = ReadOptions(),
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Say how far two scans of a patient differ although nothing changed: the error that a change is judged by.

    Example: medseg repeatability pairs.csv --out repeatability.json --html repeatability.html

    Within-subject SD and CV, repeatability coefficient, the range of no change on the log scale, ICC(2,1), bias.
    """
    options = PairsOptions(
        columns=opt.pairs(column, "--column"),
        quantities=tuple(quantity_of(name, "--quantity") for name in quantity or ()),
        unit=unit,
        labels=labels,
        sizes=_sizes(sizes),
        source=source,
        read=read,
    )
    files = RepeatabilityFiles(out, html, csv)
    study = repeatability_files(pairs, files, options=options, model=model, force=force)
    show_study(study, as_json=json)


def show_study(study: RepeatabilityStudy, *, as_json: bool) -> None:
    """A study for people, or as the one JSON object."""
    if as_json:
        emit(
            "repeatability",
            {"rows": repeatability_rows(study), "sentences": study_sentences(study)},
            study.findings,
        )
        return
    print_findings(study.findings)
    for line in study_sentences(study):
        show(line)
    items = (*study.items, *study.by_size)
    if not items:
        return
    head = ("structure", "n", *(name for name, _, _ in figures_of(items[0])))
    rows = [(name_of(item), item.subjects, *map(_cell, figures_of(item))) for item in items]
    print_table(head, rows)


def _cell(figure: tuple[str, str, str]) -> str:
    _, value, ends = figure
    return f"{value} ({ends})" if ends else value


def _sizes(text: str | None) -> tuple[float, ...]:
    if text is None:
        return ()
    try:
        sizes = tuple(float(part) for part in text.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) <= 0:
        raise ConfigError(f"--sizes takes volumes in ml, such as 0.1,1,10; not {text!r}")
    return sizes
