"""`medseg followup`: records of one patient's scans in order of time."""

from pathlib import Path
from typing import Annotated

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, print_findings, print_table, say, show
from medseg.cli.progress import running
from medseg.domain.followup import FollowUp
from medseg.errors import ConfigError
from medseg.followup import ChangeRules
from medseg.followup.response import CRITERIA, TargetPlan
from medseg.reporting.followup.document import followup_to_json
from medseg.reporting.followup.tables import volume_rows
from medseg.reporting.followup.words import opening_sentences
from medseg.workflows.comparable import ACCEPTABLE
from medseg.workflows.followup import FollowOptions
from medseg.workflows.followup_files import FollowFiles, FollowInputs, followup_files, picked_targets

_SPACE, _JUDGING, _VIEWS = "Common space", "Judging", "Views"


def command(
    baseline: Annotated[Path, typer.Argument(help="The earliest record that 'medseg measure' wrote.")],
    later: Annotated[list[Path], typer.Argument(help="Records of later scans of the same patient.")],
    out: Annotated[Path, typer.Option(help="The follow-up as JSON.")],
    html: Annotated[
        Path | None, typer.Option(help="One self-contained page.", rich_help_panel=_VIEWS)
    ] = None,
    pdf: Annotated[Path | None, typer.Option(help="The same page as PDF.", rich_help_panel=_VIEWS)] = None,
    csv: Annotated[
        Path | None, typer.Option(help="One row per value and comparison, exact.", rich_help_panel=_VIEWS)
    ] = None,
    xlsx: Annotated[
        Path | None,
        typer.Option(
            help="The same with events, links, scans and a data dictionary.", rich_help_panel=_VIEWS
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            help="The last scan's record with the baseline's values, changes and errors beside its own, which 'medseg "
            "report' and 'medseg export' show.",
            rich_help_panel=_VIEWS,
        ),
    ] = None,
    among: Annotated[
        list[Path] | None,
        typer.Option(
            "--among",
            help="Files or folders among which masks and images are found by their digests, if they are no longer "
            "where the records say; repeat for each.",
        ),
    ] = None,
    days: Annotated[
        str | None,
        typer.Option(
            help="Days from the baseline to each scan, such as 0,183, where the files hold no dates."
        ),
    ] = None,
    same_space: Annotated[
        bool,
        typer.Option("--same-space", help="All scans share one world space.", rich_help_panel=_SPACE),
    ] = False,
    transform: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCAN=FILE",
            help="Transform of ITK or FSL that registered scan SCAN (2 is the first later one) to the baseline; with "
            "one for scan 1 too, each to a common space. Repeat for each.",
            rich_help_panel=_SPACE,
        ),
    ] = None,
    margin_mm: Annotated[
        float | None,
        typer.Option(
            help="Boundaries this near count as touching; default half the diagonal of the coarser voxel and the "
            "registration's residual.",
            rich_help_panel=_SPACE,
        ),
    ] = None,
    reach_mm: Annotated[
        float | None,
        typer.Option(
            help="Lesions that do not touch are the same up to this distance; default twice the margin.",
            rich_help_panel=_SPACE,
        ),
    ] = None,
    links: Annotated[
        Path | None,
        typer.Option(
            help="CSV with scan, structure, earlier, later: which lesion is which, where the program is wrong.",
            rich_help_panel=_SPACE,
        ),
    ] = None,
    repeatability: Annotated[
        list[Path] | None,
        typer.Option(
            help="Ranges of no change: what 'medseg repeatability' wrote, or a list in YAML. Without one, and without "
            "intervals, no growth is called. Repeat for each.",
            rich_help_panel=_JUDGING,
        ),
    ] = None,
    alpha: Annotated[
        float,
        typer.Option(
            help="Chance of any false event in a patient, over all comparisons.", rich_help_panel=_JUDGING
        ),
    ] = 0.05,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            help=f"A difference that is no hindrance here: {', '.join(ACCEPTABLE)}; it is said. Repeat for each.",
            rich_help_panel=_JUDGING,
        ),
    ] = None,
    remeasure: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Segment and measure earlier scans again as the last one was, where another model or other settings "
            "made theirs; new masks and records go into FOLDER, and the old ones stay.",
            rich_help_panel=_JUDGING,
        ),
    ] = None,
    targets: Annotated[
        Path | None,
        typer.Option(
            help="CSV with lesion, site, node, structure: the targets that a reader picked at baseline.",
            rich_help_panel=_JUDGING,
        ),
    ] = None,
    criteria: Annotated[
        str, typer.Option(help=f"Of the target sum: {', '.join(CRITERIA)}.", rich_help_panel=_JUDGING)
    ] = "recist-1.1",
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Follow lesions over scans: which is which, what changed, and whether that is more than error.

    Masks and images are found by the records and checked by digest. Growth and shrinkage are called only where patient,
    model, settings, review and protocol are comparable and the error of a change is known; both values stand anyway.

    Example: medseg followup first.json second.json --out follow.json --html follow.html
    """
    if criteria != "recist-1.1" and targets is None:
        raise ConfigError("--criteria is about targets: give them with --targets")
    options = FollowOptions(
        days=None if days is None else _days(days),
        same_space=same_space,
        margin_mm=margin_mm,
        reach_mm=reach_mm,
        rules=ChangeRules(alpha=alpha),
        targets=None if targets is None else TargetPlan(picked_targets(targets), criteria),  # type: ignore[arg-type]
        accept=tuple(accept or ()),
    )
    inputs = FollowInputs(
        tuple(among or ()), _transforms(transform or ()), tuple(repeatability or ()), links, remeasure
    )
    files = FollowFiles(out, html, pdf, csv, xlsx, record)
    with running("cpu", quiet=json) as run:
        found = followup_files([baseline, *later], files, options, inputs, force=force, run=run)
    _print(found, files, json=json)


def _print(found: FollowUp, files: FollowFiles, *, json: bool) -> None:
    if json:
        emit("followup", _json_of(found), found.findings)
        return
    for line in opening_sentences(found):
        show(line)
    head = ("structure", "lesion", "scan", "value", "unit", "percent", "call")
    print_table(head, [[row[key] for key in head] for row in volume_rows(found)])
    print_findings(found.findings)
    for path in (*files.views.values(), files.out, files.record):
        if path is None:
            continue
        say(f"wrote {path}")


def _json_of(found: FollowUp) -> object:
    import json  # noqa: PLC0415 - the option has its name

    return {"sentences": list(opening_sentences(found)), "followup": json.loads(followup_to_json(found))}


def _days(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise ConfigError(f"--days is whole numbers with commas, such as 0,183, not {text!r}") from None


def _transforms(items: list[str] | tuple[str, ...]) -> dict[int, Path]:
    found = {}
    for item in items:
        number, sign, path = item.partition("=")
        if not sign or not number.isdecimal() or int(number) < 1:
            raise ConfigError(f"--transform is SCAN=FILE, such as 2=later.tfm, not {item!r}")
        found[int(number) - 1] = Path(path)
    return found
