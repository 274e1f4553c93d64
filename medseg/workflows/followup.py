"""Follow-up: Records of one patient's scans in order of time, lesions matched, changes with their own error."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg import measuring
from medseg.domain import Finding, Image, Measurement, Record, Run, Segmentation
from medseg.domain.followup import Alignment, FollowUp, LesionLink, TimePoint
from medseg.domain.plan import LesionPlan
from medseg.domain.values import Details, as_details
from medseg.errors import InputError
from medseg.followup import ChangeRules, LesionPlaces, MatchRules, make_tracks, match_lesions
from medseg.followup.changes import follow_groups
from medseg.followup.graph import Correction
from medseg.followup.response import TargetPlan, target_sums
from medseg.measuring.field import outside_of
from medseg.reporting.record.json import content_digest
from medseg.workflows.align import align_scans
from medseg.workflows.comparable import require_acceptable, said_differences, scan_differences
from medseg.workflows.record import days_between

__all__ = ["FollowOptions", "FollowScan", "follow_up", "in_order", "lesion_places"]

Transforms: TypeAlias = Mapping[int, NDArray[np.float64]]
#: Errors that rest on fewer pairs are called preliminary.
_ENOUGH_PAIRS = 35


@dataclass(frozen=True, slots=True, eq=False)
class FollowScan:
    """One scan: its Record with the mask and images that were measured, and where the Record lies."""

    record: Record
    mask: Segmentation
    images: Mapping[str, Image] = field(default_factory=dict)
    path: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class FollowOptions:
    """How scans are brought together and changes judged.

    Parameters
    ----------
    days
        From the first scan to each, 0 first, where the files say no dates; None takes the files' dates.
    same_space, transforms
        What connects the scans' spaces; see `align_scans`.
    margin_mm, reach_mm
        As far as a place is uncertain, and up to which lesions that do not touch are the same; None: half the
        diagonal of the coarser voxel and the registration's residual, and twice that.
    rules
        Ranges of no change, and alpha.
    corrections
        Links that a reader gave.
    targets
        What the reader picked at baseline.
    accept
        Differences that the user accepts as no hindrance: see `ACCEPTABLE`.
    """

    days: tuple[int, ...] | None = None
    same_space: bool = False
    transforms: Transforms = field(default_factory=dict)
    margin_mm: float | None = None
    reach_mm: float | None = None
    rules: ChangeRules = ChangeRules()
    corrections: tuple[Correction, ...] = ()
    targets: TargetPlan | None = None
    accept: tuple[str, ...] = ()


def follow_up(
    scans: Sequence[FollowScan], options: FollowOptions | None = None, *, run: Run | None = None
) -> FollowUp:
    """Follow the lesions of one patient over two scans or more.

    Parameters
    ----------
    scans
        The baseline first; later ones in any order where dates are known.
    options
        See `FollowOptions`.
    run
        Progress, and whether to stop.

    Raises
    ------
    InputError
        If there are fewer than two scans, they are in pixels, the common space of one can't be known, dates or days
        contradict the order, or links and targets name what is not there.
    """
    options, run = options or FollowOptions(), run or Run()
    require_acceptable(options.accept)
    given = list(scans)
    scans, days, days_from = in_order(scans, options.days)
    if list(scans) != given and (options.transforms or options.corrections):
        raise InputError(
            "the records are not in order of time, so transforms and links would name other scans; give them in order"
        )
    for scan in scans:
        if scan.mask.grid.unit == "px":
            raise InputError(
                f"{scan.path or scan.record.subject}: its pixels have no size, so no position is the same in two scans"
            )
    alignments = align_scans(
        [scan.mask.grid for scan in scans],
        [scan.images for scan in scans],
        same_space=options.same_space,
        transforms=options.transforms,
        run=run,
    )
    plan = (
        next((scan.record.plan.lesions for scan in scans if scan.record.plan.lesions), None) or LesionPlan()
    )
    places = [lesion_places(scan, plan, alignment) for scan, alignment in zip(scans, alignments, strict=True)]
    points = tuple(_points(scans, alignments, options, days, days_from))
    links, steps = _links(places, alignments, options, run)
    weights = scans[-1].record.made_by.weights_digest
    names = tuple(dict.fromkeys(target.name for item in places for target in item.targets))
    least = options.rules.detection_mm3(names, weights)
    tracks = make_tracks(places, links, seed=points[0].digest, detection_mm3=least)
    measured = [_rows(scan, plan) for scan in scans]
    groups = follow_groups(points, tracks, measured, options.rules)
    draft = FollowUp(
        scans[0].record.subject,
        points,
        tracks,
        links,
        groups,
        settings=(*_settings(options, least), *steps),
        versions=scans[-1].record.versions,
    )
    sums = () if options.targets is None else target_sums(draft, options.targets, measured)
    return replace(draft, targets=sums, findings=tuple(_findings(draft, scans, options)))


def lesion_places(scan: FollowScan, plan: LesionPlan, alignment: Alignment) -> LesionPlaces:
    """Lesions of a scan, numbered as its Record has them, in the common space.

    Raises
    ------
    InputError
        If the Record counted others: then its numbers are not those of the mask.
    """
    own = scan.record.plan.lesions or plan
    found = measuring.find_lesions(scan.mask, own)
    fields = {name: measuring.find_field(image) for name, image in scan.images.items()}
    wanted = tuple({value for item in found.structures for value in item.labels})
    places = LesionPlaces(
        found.ids,
        found.targets,
        found.boxes,
        scan.mask.grid,
        alignment.matrix,
        outside_of(fields, scan.mask.grid),
        (found.ids == 0) & scan.mask.mask(*wanted) if wanted and own.minimum_mm3 else None,
    )
    told = {item.target for item in scan.record.measurements if item.target.lesion is not None}
    listed = {replace(item, detail=None) for item in told}
    if scan.record.plan.lesions is not None and listed != set(found.targets):
        raise InputError(
            f"{scan.path or scan.record.subject}: the record lists {len(listed)} lesions and its mask has "
            f"{len(found)}; measure it again with this medseg"
        )
    return places


def _rows(scan: FollowScan, plan: LesionPlan) -> tuple[Measurement, ...]:
    """Rows of the Record; with those of lesions, where it was measured without."""
    rows = scan.record.measurements
    return (
        rows
        if scan.record.plan.lesions
        else (*rows, *measuring.measure_lesions(scan.mask, scan.images, plan))
    )


def in_order(
    scans: Sequence[FollowScan], given: tuple[int, ...] | None
) -> tuple[tuple[FollowScan, ...], tuple[int | None, ...], str]:
    """Scans in order of time, days from the first to each, and what these rest on; raises as `follow_up`."""
    if len(scans) < 2:
        raise InputError("a follow-up compares two records or more: the baseline, and later ones")
    if len({content_digest(scan.record) for scan in scans}) < len(scans):
        raise InputError("one record is given twice; a scan compared with itself shows no change")
    if given is not None:
        return tuple(scans), _given_days(given, len(scans)), "given"
    days = _days_of_files(scans)
    if days is None:
        return tuple(scans), (None,) * len(scans), ""
    if min(days) < 0:
        first = scans[days.index(min(days))].path or f"record {days.index(min(days)) + 1}"
        raise InputError(
            f"{first} was acquired {-min(days)} days before the baseline {scans[0].path}; give the "
            "earliest record first"
        )
    order = sorted(range(len(scans)), key=lambda index: (days[index], index))
    return tuple(scans[index] for index in order), tuple(days[index] for index in order), "acquisition dates"


def _given_days(given: tuple[int, ...], scans: int) -> tuple[int, ...]:
    if len(given) != scans:
        raise InputError(
            f"--days has {len(given)} numbers for {scans} records; give one each, 0 for the baseline"
        )
    if given[0] != 0 or any(later <= earlier for earlier, later in pairwise(given)):
        raise InputError(
            f"--days begins with 0 and grows, such as 0,183,365, not {','.join(map(str, given))}"
        )
    return given


def _days_of_files(scans: Sequence[FollowScan]) -> tuple[int, ...] | None:
    """Days from the first scan by the dates of acquisition; None where one has none."""
    dated = {
        str(number): image
        for number, scan in enumerate(scans)
        for image in reversed(list(scan.images.values()))
        if image.source is not None and image.source.acquired
    }
    if len(dated) < len(scans):
        return None
    found = days_between(dated)
    return tuple(found[str(number)] - found["0"] for number in range(len(scans)))


def _points(
    scans: Sequence[FollowScan],
    alignments: Sequence[Alignment],
    options: FollowOptions,
    days: Sequence[int | None],
    days_from: str,
) -> Iterator[TimePoint]:
    for number, (scan, alignment) in enumerate(zip(scans, alignments, strict=True)):
        record = scan.record
        found = scan_differences(scans[0].record, record, (scans[0].images, scan.images)) if number else ()
        yield TimePoint(
            scan.path,
            content_digest(record),
            record.subject,
            record.mask.digest,
            record.mask.grid,
            _made_by(record),
            alignment,
            days[number],
            days_from,
            record.made_by.weights_digest,
            record.review.state,
            tuple(item.words for item in found if item.aspect not in options.accept),
            tuple(f"{item.aspect}: {item.words}" for item in found if item.aspect in options.accept),
        )


def _made_by(record: Record) -> str:
    model = record.made_by.model
    name = f"{model.name} {model.version}".strip() if model else record.made_by.segmenter
    edits = len(record.made_by.edits)
    return f"{name}, {edits} edit{'s' * (edits > 1)}" if edits else name


def _links(
    places: Sequence[LesionPlaces], alignments: Sequence[Alignment], options: FollowOptions, run: Run
) -> tuple[tuple[LesionLink, ...], Details]:
    """The graph, and the rules of each step as settings."""
    links: list[LesionLink] = []
    told: list[tuple[str, float]] = []
    for item in options.corrections:
        if not 1 <= item.point < len(places):
            raise InputError(f"the links name scan {item.point + 1}, and there are scans 1 to {len(places)}")
    for point in range(1, len(places)):
        run.check()
        rules = _match_rules(places[point - 1 : point + 1], alignments[point - 1 : point + 1], options)
        links += match_lesions(
            places[point - 1], places[point], rules, point=point, corrections=options.corrections
        )
        told += [
            (f"scan_{point + 1}_margin_mm", rules.margin_mm),
            (f"scan_{point + 1}_reach_mm", rules.reach_mm),
        ]
    return tuple(links), tuple(told)


def _match_rules(
    places: Sequence[LesionPlaces], alignments: Sequence[Alignment], options: FollowOptions
) -> MatchRules:
    margin = options.margin_mm
    if margin is None:
        voxel = max(item.half_diagonal_mm for item in places)
        margin = voxel + sum(item.residual_mm or 0.0 for item in alignments)
    reach = options.reach_mm if options.reach_mm is not None else 2 * margin
    return MatchRules(round(margin, 3), round(max(reach, margin), 3))


def _settings(options: FollowOptions, least: Mapping[str, float]) -> Details:
    return as_details(
        alpha=options.rules.alpha,
        accepted=", ".join(options.accept),
        corrections=len(options.corrections),
        criteria="" if options.targets is None else options.targets.criteria,
        **{f"detection_mm3_{name}": size for name, size in least.items()},
    )


def _findings(draft: FollowUp, scans: Sequence[FollowScan], options: FollowOptions) -> Iterator[Finding]:
    for number, scan in enumerate(scans[1:], start=2):
        point = draft.points[number - 1]
        for fault in point.faults:
            yield Finding("followup.not_comparable", "warning", f"Scan {number} and the baseline: {fault}.")
        for fault in point.accepted:
            text = f"Scan {number}: taken as comparable at the user's word although it differs in {fault}."
            yield Finding("followup.accepted", "warning", text)
        yield from said_differences(scans[0].record, scan.record, number)
    yield from _unsaid(draft, scans)
    for item in options.corrections:
        yield Finding("followup.corrected", "info", _correction_words(item))
    for known in options.rules.known:
        if known.error.pairs is not None and known.error.pairs < _ENOUGH_PAIRS:
            text = f"A no-change range rests on {known.error.pairs} subjects, fewer than {_ENOUGH_PAIRS}: preliminary."
            yield Finding("followup.preliminary", "warning", text)
            break


def _unsaid(draft: FollowUp, scans: Sequence[FollowScan]) -> Iterator[Finding]:
    """What nobody could check: dates, identity, detection."""
    if draft.points[-1].days is None:
        text = "The days between the scans are not known, so nothing is said per year; give them with --days."
        yield Finding("followup.no_dates", "info", text)
    if any(
        not any(image.source and image.source.format == "dicom" for image in scan.images.values())
        for scan in scans
    ):
        text = "That the scans are of one patient rests on the user's word: no DICOM header says it of all of them."
        yield Finding("followup.identity", "warning", text)
    if any(event.kind == "candidate new" for item in draft.tracks for event in item.events) and not any(
        key.startswith("detection_mm3_") for key, _ in draft.settings
    ):
        text = "How small a lesion is found again reliably was not measured, so every new one is a candidate only."
        yield Finding("followup.detection", "warning", text)


def _correction_words(item: Correction) -> str:
    when = f"scan {item.point + 1}"
    if item.earlier is None:
        return f"A reader says that {item.name} lesion {item.later} of {when} was not there before."
    if item.later is None:
        return f"A reader says that {item.name} lesion {item.earlier} of the scan before is gone at {when}."
    return f"A reader linked {item.name} lesion {item.earlier} of the scan before with lesion {item.later} of {when}."
