"""`medseg info`: what is this path?"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, print_findings, print_table, show
from medseg.cli.progress import running
from medseg.domain import Source
from medseg.domain.card import ModelCard
from medseg.domain.card_files import IntervalQuality
from medseg.domain.parts_card import PartsCard
from medseg.domain.protocol import ProtocolRow
from medseg.errors import PartialFailure
from medseg.reporting.repeatability.words import study_sentences
from medseg.workflows.info import Info, describe_grid, info
from medseg.workflows.protocol import check_protocol, passes, read_protocol
from medseg.workflows.repeatability import model_repeatability


def command(
    path: Annotated[Path, typer.Argument(help="A file, series, study, dataset or model.")],
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Read every case of a dataset and look for faults.")
    ] = True,
    protocol: Annotated[
        Path | None,
        typer.Option(
            help="How the study asks for scans to be taken (YAML): each case passes or fails, with the tag."
        ),
    ] = None,
    json: opt.Json = False,
) -> None:
    """Say what a path is, and what is wrong with it: geometry, verdicts on slices, labels, channels."""
    if protocol is not None:
        asked = read_protocol(protocol)
        with running(quiet=json) as run:
            _print_protocol(check_protocol(path, asked, run=run), as_json=json)
        return
    with running(quiet=json) as run:
        found = info(path, check=check, run=run)
    if json:
        emit("info", as_plain(found), found.findings)
    elif found.kind == "dataset":
        _print_dataset(found)
        print_findings(found.findings)
    elif found.kind == "model":
        print_card(found)
    else:
        _print_sources(found)


def _print_protocol(rows: tuple[ProtocolRow, ...], *, as_json: bool) -> None:
    """Every rule of every case, those that fail first to see; exit code 3 where a case fails."""
    cases = passes(rows)
    failed = [case for case, good in cases.items() if not good]
    if as_json:
        emit("info", {"kind": "protocol", "cases": cases, "rows": [asdict(row) for row in rows]})
    else:
        head = ("case", "channel", "fact", "wanted", "found", "where", "state")
        ordered = sorted(rows, key=lambda row: row.state == "pass")
        print_table(head, [tuple(asdict(row).values()) for row in ordered])
        show(f"{len(cases) - len(failed)} of {len(cases)} cases are taken as the protocol asks")
    if failed and as_json:
        raise typer.Exit(PartialFailure.exit_code)
    if failed:
        raise PartialFailure(f"{len(failed)} of {len(cases)} cases are not as the protocol asks")


def as_plain(found: Info) -> dict[str, Any]:
    """The JSON of an Info."""
    plain: dict[str, Any] = {"kind": found.kind, "path": found.path}
    if found.dataset is not None:
        plain["dataset"] = asdict(found.dataset)
        plain["checks"] = {case: [asdict(item) for item in findings] for case, findings in found.checks}
    if found.card is not None:
        plain["card"] = asdict(found.card)
    plain["sources"] = [_source(source) for source in found.sources]
    return plain


def print_card(found: Info) -> None:
    """A model card for people."""
    card = found.card
    assert card is not None  # noqa: S101 - for the type checker
    show(f"{card.name} {card.version}: {card.title}\n{card.summary}\n")
    rows = [
        ("channels", ", ".join(f"{item.name} ({item.modality or 'any'})" for item in card.channels)),
        ("labels", ", ".join(f"{item.value} {item.name}" for item in card.table.labels)),
        ("regions", ", ".join(item.name for item in card.table.regions)),
        ("model grid", f"{card.spacing} mm" if card.spacing else "native"),
        ("trained", "; ".join(f"{key}: {value}" for key, value in card.trained)),
        ("intended use", card.intended_use),
        *(("limit", limit) for limit in card.limits),
        ("licence", card.licence),
        ("attribution", card.attribution),
        ("folder", found.path),
    ]
    print_table(("", ""), rows)
    quality = [
        (
            item.label,
            item.quantity,
            f"{item.mean:.3f}",
            "one case" if item.low is None or item.high is None else f"{item.low:.3f} to {item.high:.3f}",
            item.cases,
            item.command,
        )
        for item in card.quality
    ]
    if quality:
        print_table(("label", "quantity", "mean", "interval", "cases", "command"), quality)
    if isinstance(card, PartsCard):
        return
    study = model_repeatability(found.path)
    for line in () if study is None else study_sentences(study):
        show(line)
    for text in _sentences(card):
        show(text)
    if card.intervals is not None:
        title = f"{card.intervals.level:.0%} intervals of volumes"
        head = ("label", "guaranteed", "measured coverage", "median width", "subjects")
        print_table(head, map(_interval_row, card.intervals.quality), title=title)


def _sentences(card: ModelCard) -> Iterator[str]:
    """What is known of the scans of the training, and of probabilities."""
    if card.domain is not None:
        known = card.domain
        yield (
            f"Scans unlike the {known.scans} of the training are named; {known.false_alarms:.1%} of those would be "
            f"(at most {known.false_alarms_upper:.1%})."
        )
    if card.calibration is not None:
        found = card.calibration
        yield (
            f"Probabilities have the temperature {found.temperature:.3g}, fitted on {found.subjects} subjects that "
            f"folds had not seen; calibration error {found.before.error:.4f} before, {found.after.error:.4f} after."
        )


def _interval_row(item: IntervalQuality) -> tuple[object, ...]:
    return (
        item.label,
        f"{item.guaranteed:.0%}",
        f"{item.measured:.0%}",
        f"{item.median_width_ml:.3g} ml",
        item.subjects,
    )


def _print_sources(found: Info) -> None:
    rows = [
        (
            source.format,
            source.series_uid,
            source.volume,
            source.modality,
            source.verdict.value,
            describe_grid(source.grid) if source.grid else "no grid",
            source.value_unit,
            source.description,
        )
        for source in found.sources
    ]
    print_table(("format", "series", "volume", "modality", "verdict", "grid", "unit", "description"), rows)
    print_findings(dict.fromkeys(finding for source in found.sources for finding in source.findings))


def _print_dataset(found: Info) -> None:
    dataset = found.dataset
    assert dataset is not None  # noqa: S101 - for the type checker
    labels = (
        ", ".join(f"{item.value} {item.name}" for item in dataset.table.labels)
        if dataset.table
        else "not stated"
    )
    references = sum(case.reference is not None for case in dataset.cases)
    show(
        f"{dataset.name} ({dataset.kind}): {len(dataset.cases)} cases of {len(dataset.subjects)} subjects, "
        f"{references} with a reference; channels {', '.join(dataset.channels)}; labels {labels}"
    )
    faults = [
        (case, item.severity, item.code, item.message) for case, items in found.checks for item in items
    ]
    if faults:
        print_table(("case", "severity", "code", "finding"), faults)
    elif found.checks:
        show("every case was read; nothing is wrong with them")


def _source(source: Source) -> dict[str, Any]:
    return {
        "format": source.format,
        "series": source.series_uid,
        "volume": source.volume,
        "modality": source.modality,
        "verdict": source.verdict.value,
        "grid": describe_grid(source.grid) if source.grid else None,
        "shape": list(source.grid.shape) if source.grid else None,
        "affine": source.grid.affine.tolist() if source.grid else None,
        "unit": source.grid.unit if source.grid else None,
        "value_unit": source.value_unit,
        "description": source.description,
        "findings": [
            {"code": item.code, "severity": item.severity, "message": item.message}
            for item in source.findings
        ],
    }
