"""Follow-up of files: Records with their inputs, what a user says about them, and the views that are written."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from medseg import measuring
from medseg.domain import Quantity, Run
from medseg.domain.followup import FollowedGroup, FollowUp
from medseg.domain.plan import LesionPlan
from medseg.errors import InputError, MedsegError, OutputError
from medseg.extras import require_extra
from medseg.followup import ChangeRules, LesionPlaces
from medseg.followup.graph import Correction
from medseg.followup.response import PickedTarget
from medseg.followup.tracks import pieces
from medseg.geometry import same_grid
from medseg.io.atomic import require_absent, write_bytes
from medseg.io.plain import read_plain
from medseg.io.transforms import read_transform
from medseg.io.unfinished import together
from medseg.reporting.extras import Picture
from medseg.reporting.followup.document import followup_to_json
from medseg.reporting.followup.page import followup_to_html, followup_to_pdf
from medseg.reporting.followup.pictures import ShownScan, draw_alignment, draw_lesion, on_baseline
from medseg.reporting.followup.tables import followup_to_csv, followup_to_xlsx
from medseg.reporting.followup.words import lesion_name
from medseg.workflows.align import shown_image
from medseg.workflows.followup import FollowOptions, FollowScan, follow_up, in_order, lesion_places
from medseg.workflows.followup_again import Again, again_files, measured_again, write_again
from medseg.workflows.followup_record import with_earlier
from medseg.workflows.known_errors import errors_of_model, known_errors
from medseg.workflows.lookup import find_inputs
from medseg.workflows.record import read_record, write_record
from medseg.workflows.reopen import as_recorded, reopen_image, reopen_mask

__all__ = [
    "FollowFiles",
    "followup_files",
    "open_scan",
    "picked_targets",
    "reader_links",
    "write_followup",
]

#: Lesions that are drawn: those with something to say first.
_MOST_PICTURES = 8
_YES = {"yes", "true", "1", "node"}


@dataclass(frozen=True, slots=True)
class FollowFiles:
    """Where the follow-up and its views go; None leaves a view out.

    `record` is the last scan's Record with the baseline's values beside its own, for `report` and `export`.
    """

    out: Path
    html: Path | None = None
    pdf: Path | None = None
    csv: Path | None = None
    xlsx: Path | None = None
    record: Path | None = None

    @property
    def views(self) -> dict[str, Path]:
        """View → path, for those asked for."""
        views = {"html": self.html, "pdf": self.pdf, "csv": self.csv, "xlsx": self.xlsx}
        return {view: path for view, path in views.items() if path is not None}


@dataclass(frozen=True, slots=True, eq=False)
class FollowInputs:
    """What a user gives beside the Records: files, read here.

    Parameters
    ----------
    among
        Files that hold masks and images, where they are not where the Records say.
    transforms
        Index of a scan → file of the transform from the common space into it.
    errors, links, targets
        Files; see `known_errors`, `reader_links`, `picked_targets`. Without `errors` those kept with the model count.
    again
        Folder for masks and Records of earlier scans that are segmented and measured again as the last one was, where
        another method or other settings made theirs; None compares what the Records say.
    """

    among: Sequence[Path] = ()
    transforms: Mapping[int, Path] = field(default_factory=dict)
    errors: Sequence[Path] = ()
    links: Path | None = None
    again: Path | None = None


def followup_files(
    records: Sequence[Path],
    files: FollowFiles,
    options: FollowOptions | None = None,
    inputs: FollowInputs | None = None,
    *,
    force: bool = False,
    run: Run | None = None,
) -> FollowUp:
    """Read Records and their inputs, follow, write the JSON and the views; all or nothing.

    Raises
    ------
    InputError
        As `follow_up`; and if a mask or an image is not there, or is not the one that was measured.
    OutputError
        If a file exists and `force` is not set.
    """
    options, inputs, run = options or FollowOptions(), inputs or FollowInputs(), run or Run()
    wanted = (files.out, *files.views.values(), *(() if files.record is None else (files.record,)))
    if inputs.again is not None:
        if inputs.again.exists() and not inputs.again.is_dir():
            raise OutputError(f"{inputs.again} is no folder; masks and records of earlier scans go into one")
        wanted = (*wanted, *(path for record in records for path in again_files(record, inputs.again)))
    with together(*wanted):
        for path in wanted:
            require_absent(path, force=force)
        if files.pdf is not None:
            require_extra("pdf", "a PDF")
        scans = []
        for number, path in enumerate(records):
            run.check()
            run.progress(number, len(records), f"reading {path.name}")
            scans.append(open_scan(path, inputs.among))
        redone = () if inputs.again is None else _again(scans, options, inputs.again, run)
        scans = [scan if item is None else item.scan for scan, item in zip_longest(scans, redone)]
        found = follow_up(scans, _with_files(options, inputs, scans), run=run)
        made = [item for item in redone if item is not None]
        found = replace(found, findings=(*(item.finding for item in made), *found.findings))
        write_again(made, force=force)
        write_followup(found, scans, files, force=force)
    return found


def _again(
    scans: Sequence[FollowScan], options: FollowOptions, folder: Path, run: Run
) -> tuple[Again | None, ...]:
    ordered, _, _ = in_order(scans, options.days)
    return measured_again(scans, ordered[-1], folder, run)


def open_scan(path: Path, among: Sequence[Path] = ()) -> FollowScan:
    """A Record with its mask and images, checked by digest; images that are gone are left out, the mask is needed.

    Raises
    ------
    InputError
        If the mask is not there, or something there was changed.
    """
    folder = path.parent
    record = read_record(path)
    if among:
        record = find_inputs(record, folder, among)
    try:
        mask = reopen_mask(record, folder / record.mask.path)
    except MedsegError as error:
        raise InputError(f"{path}: {error}") from error
    images = {}
    for item in record.images:
        if not item.path or not (folder / item.path).exists():
            continue
        try:
            images[item.channel] = as_recorded(item, reopen_image(record, item, folder / item.path))
        except MedsegError as error:
            raise InputError(f"{path}: {error}") from error
    return FollowScan(record, mask, images, str(path))


def _with_files(options: FollowOptions, inputs: FollowInputs, scans: Sequence[FollowScan]) -> FollowOptions:
    transforms = dict(options.transforms)
    for number, path in inputs.transforms.items():
        if not 0 <= number < len(scans):
            raise InputError(f"--transform names scan {number + 1}, and there are scans 1 to {len(scans)}")
        transforms[number] = read_transform(path, scans[0].mask.grid, scans[number].mask.grid)
    rules = options.rules
    known = tuple(item for path in inputs.errors for item in known_errors(path))
    # What a user gives comes before what a model carries.
    known = known or rules.known or errors_of_model(scans[-1].record)
    rules = ChangeRules(known, rules.alpha)
    corrections = options.corrections if inputs.links is None else reader_links(inputs.links)
    return replace(options, transforms=transforms, rules=rules, corrections=corrections)


def reader_links(path: Path) -> tuple[Correction, ...]:
    """Links that a reader gave: CSV with the columns scan, structure, earlier, later.

    `scan` is the number of the later one, from 2; `earlier` and `later` are numbers of lesions in their Records, one
    of them empty for a lesion that is new or gone.
    """
    return tuple(_rows(path, ("scan", "structure", "earlier", "later"), _correction))


def picked_targets(path: Path) -> tuple[PickedTarget, ...]:
    """Targets that a reader picked at baseline: CSV with the columns lesion, site, node (yes or no), structure."""
    return tuple(_rows(path, ("lesion",), _target))


def _correction(row: Mapping[str, str]) -> Correction:
    numbers = [int(row[key]) if row[key] else None for key in ("earlier", "later")]
    return Correction(int(row["scan"]) - 1, row["structure"], numbers[0], numbers[1])


def _target(row: Mapping[str, str]) -> PickedTarget:
    node = row.get("node", "").lower() in _YES
    return PickedTarget(int(row["lesion"]), row.get("site", ""), node, row.get("structure", ""))


def _rows(path: Path, needed: Sequence[str], make: Callable[[Mapping[str, str]], Any]) -> Iterator[Any]:
    text = read_plain(path).decode("utf-8-sig", "replace")
    table = csv.DictReader(io.StringIO(text.replace("\0", " ")))
    missing = [name for name in needed if name not in (table.fieldnames or ())]
    if missing:
        raise InputError(f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
    for line, row in enumerate(table, start=2):
        try:
            yield make({key: (value or "").strip() for key, value in row.items() if isinstance(key, str)})
        except ValueError as error:
            raise InputError(f"{path}, line {line}: {error}") from error


def write_followup(
    found: FollowUp, scans: Sequence[FollowScan], files: FollowFiles, *, force: bool = False
) -> None:
    """Draw what can be drawn, render each view, write each whole; the JSON comes last."""
    views = files.views
    ordered = [next(scan for scan in scans if scan.path == point.record) for point in found.points]
    pictures = tuple(_pictures(found, ordered)) if {"html", "pdf"} & set(views) else ()
    made: dict[str, Callable[[], bytes]] = {
        "html": lambda: followup_to_html(found, pictures),
        "pdf": lambda: followup_to_pdf(found, pictures),
        "csv": lambda: followup_to_csv(found),
        "xlsx": lambda: followup_to_xlsx(found),
    }
    for view, path in views.items():
        write_bytes(path, made[view](), force=force)
    if files.record is not None:
        _write_record(found, ordered[-1], files.record, force=force)
    folder = files.out.parent
    points = tuple(replace(point, record=_beside(point.record, folder)) for point in found.points)
    write_bytes(files.out, followup_to_json(replace(found, points=points)), force=force)


def _write_record(found: FollowUp, last: FollowScan, path: Path, *, force: bool) -> None:
    """The last scan's Record with earlier values; its inputs lie where they are."""
    record = with_earlier(last.record, found, len(found.points) - 1)
    folder = Path(last.path).parent
    anchored = tuple(
        replace(item, path=str(folder / item.path) if item.path else "") for item in record.inputs
    )
    write_record(replace(record, inputs=anchored), path, force=force)


def _beside(path: str, folder: Path) -> str:
    try:
        return Path(path).resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return Path(path).name


def _pictures(found: FollowUp, scans: Sequence[FollowScan]) -> Iterator[Picture]:
    """The lesions with most to say on one plane at every scan, and a check of each alignment."""
    grid = scans[0].mask.grid
    if grid.is_sheared:
        return
    plan = (
        next((scan.record.plan.lesions for scan in scans if scan.record.plan.lesions), None) or LesionPlan()
    )
    places = [
        lesion_places(scan, plan, point.alignment) for scan, point in zip(scans, found.points, strict=True)
    ]
    shown = [_shown(found, scans[number], places[number], number, scans[0]) for number in range(len(scans))]
    for group in _worth_a_picture(found):
        where = _where(found, group, places)
        if where is not None and places[0].covered(where).all():
            yield draw_lesion(
                lesion_name(group), shown, grid, where, f"{lesion_name(group)}, {_said(found, group)}."
            )
    for number in range(1, len(scans)):
        check = draw_alignment(shown[0], shown[number], grid, found.points[number].alignment.kind)
        if check is not None:
            yield check


def _shown(
    found: FollowUp, scan: FollowScan, places: LesionPlaces, number: int, first: FollowScan
) -> ShownScan:
    days = found.points[number].days
    title = f"Scan {number + 1}{'' if days is None else f', day {days}'}"
    image = shown_image(scan.images, scan.mask.grid)
    if number == 0 and image is not None and same_grid(image.grid, scan.mask.grid):
        return ShownScan(title, places.ids > 0, measuring.find_field(image))
    return on_baseline(title, places.ids > 0, scan.mask.grid, image, (first.mask.grid, places.matrix))


def _worth_a_picture(found: FollowUp) -> Sequence[FollowedGroup]:
    """Groups with an event or a call first, the larger first among equals."""
    last = len(found.points) - 1
    events = {
        track.id
        for track in found.tracks
        for event in track.events
        if event.kind not in ("first seen", "followed")
    }

    def rank(group: FollowedGroup) -> tuple[bool, bool, float]:
        change = group.change(Quantity.VOLUME, last)
        called = change is not None and change.call not in ("within error", "error unknown", "not comparable")
        size = max(
            (item.value or 0 for item in group.readings if item.quantity is Quantity.VOLUME), default=0
        )
        return not called, not events & set(group.tracks), -float(size)

    return sorted((group for group in found.groups if not group.is_sum), key=rank)[:_MOST_PICTURES]


def _where(found: FollowUp, group: FollowedGroup, places: Sequence[LesionPlaces]) -> np.ndarray | None:
    """Positions of a group at all scans, the last one it is on first."""
    clouds = [
        places[point].boundary(index)
        for point in range(len(places))
        for name, lesion in pieces(found.tracks, group.tracks, point)
        if (index := places[point].index_of(name, lesion)) is not None
    ]
    return np.concatenate(clouds) if clouds else None


def _said(found: FollowUp, group: FollowedGroup) -> str:
    change = group.change(Quantity.VOLUME, len(found.points) - 1)
    kinds = [
        event.kind
        for track in found.tracks
        if track.id in group.tracks
        for event in track.events
        if event.kind not in ("first seen", "followed")
    ]
    return ", ".join(dict.fromkeys([*kinds, *([change.call] if change else [])])) or "followed"
