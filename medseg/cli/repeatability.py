"""`medseg repeatability`: how far two scans differ although nothing changed."""

from pathlib import Path
from typing import Annotated, cast

import typer

from medseg.cli import measure_options as ask
from medseg.cli import options as opt
from medseg.cli.output import emit, print_findings, print_table, show
from medseg.cli.progress import running
from medseg.domain import ReadOptions
from medseg.domain.repeatability import RepeatabilityStudy
from medseg.errors import ConfigError, InputError
from medseg.reporting.repeatability.table import repeatability_rows
from medseg.reporting.repeatability.words import figures_of, name_of, study_sentences
from medseg.workflows.paired import quantity_of
from medseg.workflows.repeatability import PairsOptions, RepeatabilityFiles, repeatability_files
from medseg.workflows.segment import SegmentOptions
from medseg.workflows.selftest import SelfOptions, self_test_files

_SELF = "One scan alone"


@opt.reading(without=("space",))
def command(
    pairs: Annotated[
        Path | None,
        typer.Argument(
            help="CSV with the columns subject, first, second: values (then label, quantity, unit too), or paths of "
            "Records or masks. With --self an image."
        ),
    ] = None,
    self_: Annotated[
        str | None,
        typer.Option(
            "--self",
            metavar="NAME",
            help="One scan alone: segment it again and again by this method or model, disturbed, and changed by known "
            "amounts. A lower bound.",
            rich_help_panel=_SELF,
        ),
    ] = None,
    channel: opt.Channels = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "-p", "--param", metavar="FIELD=VALUE", help="A parameter of it.", rich_help_panel=_SELF
        ),
    ] = None,
    plant: Annotated[
        list[str] | None,
        typer.Option(
            help="A label of which small objects are planted too; repeat for each.", rich_help_panel=_SELF
        ),
    ] = None,
    values: ask.Values = None,
    same_space: opt.SameSpace = False,
    device: opt.Device = "auto",
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
    """Say how far two scans differ although nothing changed: the error that a change is judged by.

    Example: medseg repeatability pairs.csv --out repeatability.json --html repeatability.html

    Within-subject SD and CV, repeatability coefficient, the range of no change on the log scale, ICC(2,1), bias.

    One scan alone: medseg repeatability scan.nii.gz --self hippocampus --html grade.html
    """
    files = RepeatabilityFiles(out, html, csv)
    if self_ is not None:
        asked = SegmentOptions(
            parameters=tuple(opt.pairs(param, "-p").items()),
            same_space=same_space,
            values=ask.value_kinds(values),
            read=read,
        )
        inputs = _images(pairs, channel)
        with running(device, quiet=json) as run:
            options = SelfOptions(tuple(plant or ()), asked)
            study = self_test_files(self_, inputs, files, options=options, force=force, run=run)
        show_study(study, as_json=json)
        return
    if pairs is None or channel or param or plant:
        raise InputError(
            "give a CSV of pairs; --channel, -p and --plant are of --self NAME, which tests one scan"
        )
    paired = PairsOptions(
        columns=opt.pairs(column, "--column"),
        quantities=tuple(quantity_of(name, "--quantity") for name in quantity or ()),
        unit=unit,
        labels=labels,
        sizes=_sizes(sizes),
        source=source,
        read=read,
    )
    study = repeatability_files(pairs, files, options=paired, model=model, force=force)
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
    if not items or study.evidence == "self":
        return
    head = ("structure", "n", *(name for name, _, _ in figures_of(items[0])))
    rows = [(name_of(item), item.subjects, *map(_cell, figures_of(item))) for item in items]
    print_table(head, rows)


def _images(image: Path | None, channel: list[str] | None) -> dict[str, Path]:
    channels = opt.channel_paths(channel)
    if (image is None) == (not channels):
        raise InputError("--self takes either an image or --channel NAME=FILE for each channel")
    return channels or {"image": cast("Path", image)}


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
