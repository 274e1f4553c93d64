"""Follow-up: lesions of one patient over several scans, what changed, and whether that is more than error."""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from pydantic import ConfigDict

from medseg.domain.finding import Finding
from medseg.domain.grid import Grid
from medseg.domain.measurement import Status
from medseg.domain.quantity import Quantity
from medseg.domain.values import STRICT, Affine, Details
from medseg.errors import ConfigError

__all__ = [
    "FOLLOWUP_SCHEMA",
    "Alignment",
    "Call",
    "Change",
    "ChangeError",
    "ErrorKind",
    "EventKind",
    "FollowUp",
    "FollowedGroup",
    "KnownError",
    "LesionEvent",
    "LesionLink",
    "Reading",
    "TargetSum",
    "TimePoint",
    "Track",
]

#: Name and version of the JSON; readers accept every version with the same major number.
FOLLOWUP_SCHEMA = "medseg.followup/1.0"

#: Where the error of a change comes from, the best first. A lower bound is what segmenting alone adds: repeats of
#: one scan, resampling, injected change.
ErrorKind: TypeAlias = Literal["test-retest", "lower bound", "intervals"]
#: What became of a lesion from one scan to the next.
EventKind: TypeAlias = Literal[
    "first seen", "candidate new", "followed", "split", "split off", "merged", "merged away", "gone", "not assessable",
    "below detection",
]  # fmt: skip
#: What may be said of a change.
Call: TypeAlias = Literal[
    "grown", "shrunk", "larger than segmentation noise", "smaller than segmentation noise", "within error",
    "error unknown", "not comparable", "gone",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChangeError:
    """The no-change range of a quantity: where a second value lies when nothing has changed.

    Parameters
    ----------
    kind
        How it was had.
    low, high
        Its ends as factors of the earlier value, 0 ≤ low < 1 < high: exp(∓1.96·√2·σ_w) from test–retest.
    source
        A sentence for readers: which data, how many pairs.
    level
        Share of unchanged values within it.
    pairs
        Pairs that it rests on; below 35 it is preliminary.
    """

    kind: ErrorKind
    low: float
    high: float
    source: str
    level: float = 0.95
    pairs: int | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not 0 <= self.low < 1 < self.high:
            raise ConfigError(
                f"a no-change range lies around the factor 1, not from {self.low:g} to {self.high:g}"
            )
        if not 0.5 <= self.level < 1:
            raise ConfigError(f"the level of a no-change range lies between 0.5 and 1, not at {self.level:g}")


@dataclass(frozen=True, slots=True)
class KnownError:
    """A no-change range that was measured beforehand, and of what.

    Parameters
    ----------
    quantity, error
        Of which quantity, and the range.
    of
        Of single lesions, or of their sum: neither follows from the other.
    structure
        Name of the label or region; empty: of each.
    weights
        Digest of the model's weights that it was measured with; empty where no model was.
    detection_mm3
        Smallest lesion that was found again reliably; None where that was not measured.
    """

    quantity: Quantity
    error: ChangeError
    of: Literal["lesion", "sum"]
    structure: str = ""
    weights: str = ""
    detection_mm3: float | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """How positions of one scan become positions of the baseline.

    Parameters
    ----------
    kind
        How the common space is known.
    matrix
        4×4: position in this scan (RAS+ mm) → position in the baseline's.
    words
        A sentence: what was stated, read or computed.
    residual_mm
        How far apart the same place may lie; None where nothing tells.
    quality
        Figures of a registration.
    """

    kind: Literal["baseline", "same frame", "stated", "transform", "registration"]
    matrix: Affine
    words: str
    residual_mm: float | None = None
    quality: Details = ()
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True, eq=False)
class TimePoint:
    """One scan of the patient, as its Record says.

    Parameters
    ----------
    record, digest
        Place of the Record's JSON, relative to this one's, and SHA-256 of its content.
    days
        From baseline; None where it is not known. No date is kept.
    days_from
        `acquisition dates`, `given`, or empty.
    mask, grid
        Digest and grid of the mask.
    made_by
        How the mask came about, in a line; with `weights` the digest of the model's.
    review
        `not reviewed`, or `reviewed`.
    faults
        Why its numbers can't be compared with the baseline's; both stand, and no change is called.
    accepted
        Differences that the user accepted, in words.
    """

    record: str
    digest: str
    subject: str
    mask: str
    grid: Grid
    made_by: str
    alignment: Alignment
    days: int | None = None
    days_from: str = ""
    weights: str | None = None
    review: Literal["not reviewed", "reviewed"] = "not reviewed"
    faults: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class LesionLink:
    """One edge of the graph: a lesion of a scan and one of the scan before that are the same, in whole or in part.

    Parameters
    ----------
    point
        Index of the later scan.
    name, earlier, later
        The structure, and the numbers of the lesions in their Records.
    chosen_by
        `overlap`, `distance`, or `reader` where a person said so; `carries` tells which link keeps the identity.
    earlier_share, later_share
        Share of each that lies within the margin of the other.
    gap_mm
        Least distance between them; 0 where they overlap.
    reason
        In words, ties included.
    """

    point: int
    name: str
    earlier: int
    later: int
    chosen_by: Literal["overlap", "distance", "reader"]
    carries: bool
    earlier_share: float
    later_share: float
    gap_mm: float
    reason: str
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class LesionEvent:
    """One lesion at one scan.

    Parameters
    ----------
    point
        Index of the scan.
    lesion
        Its number in that Record; None where it is not there.
    kind, reason
        What became of it since the scan before, and why that is said.
    others
        Ids of lesions that it split into, merged with or came from.
    """

    point: int
    lesion: int | None
    kind: EventKind
    reason: str
    others: tuple[int, ...] = ()
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Track:
    """A lesion with one identity over all scans: `id` for people, `uid` for DICOM; its events in order of scans."""

    id: int
    uid: str
    name: str
    events: tuple[LesionEvent, ...]
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Reading:
    """A value at one scan; None with the reason. Of several parts their sum, of an uptake's maximum the largest."""

    point: int
    quantity: Quantity
    value: float | None
    unit: str
    status: Status = Status.OK
    reason: str = ""
    channel: str | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Change:
    """What a quantity did from one scan to a later one.

    Parameters
    ----------
    quantity, point, since
        Of what, at which scan, and compared with which earlier one.
    against
        `baseline` (of what came later: when it was first seen), or `nadir`, the smallest value before.
    call, reason
        What may be said, and why.
    absolute, percent
        The difference, in the quantity's unit and of the earlier value; None where they can't be compared.
    per_year
        Absolute by year; None below half a year.
    doubling_days, doubling_range
        Of growth beyond error alone.
    error
        No-change range; None where it is unknown.
    p, p_adjusted
        Chance of a change as large without one; after Holm over all that were tested in this patient.
    """

    quantity: Quantity
    point: int
    since: int
    against: Literal["baseline", "nadir"]
    call: Call
    reason: str = ""
    absolute: float | None = None
    percent: float | None = None
    per_year: float | None = None
    doubling_days: float | None = None
    doubling_range: tuple[float, float | None] | None = None
    error: ChangeError | None = None
    p: float | None = None
    p_adjusted: float | None = None
    channel: str | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class FollowedGroup:
    """What is compared as one: a lesion with all that split off it or merged into it, or the sum of a structure.

    Parameters
    ----------
    name
        The structure.
    tracks
        Ids of its lesions; none for the sum.
    readings, changes
        Values per scan, and their changes.
    """

    name: str
    tracks: tuple[int, ...]
    readings: tuple[Reading, ...]
    changes: tuple[Change, ...]
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    @property
    def is_sum(self) -> bool:
        """Whether it is the sum over all lesions of a structure."""
        return not self.tracks

    def value(self, quantity: Quantity, point: int) -> float | None:
        """A value at a scan; None where it was not measured."""
        found = (item.value for item in self.readings if (item.quantity, item.point) == (quantity, point))
        return next(found, None)

    def change(self, quantity: Quantity, point: int, against: str = "baseline") -> Change | None:
        """The change of a quantity at a scan."""
        wanted = (quantity, point, against)
        return next(
            (item for item in self.changes if (item.quantity, item.point, item.against) == wanted), None
        )


@dataclass(frozen=True, slots=True)
class TargetSum:
    """Category of the targets that a reader picked, at one scan; never an overall response.

    Parameters
    ----------
    criteria, point
        Title of the rules, and the scan.
    category
        `CR`, `PR`, `SD`, `PD`, or `not evaluable`.
    value, unit
        The targets' sum; None where one can't be measured.
    baseline, nadir
        What it is compared with.
    reason
        The figures that decided.
    reader
        What a reader must still add.
    """

    criteria: str
    point: int
    category: str
    value: float | None
    unit: str
    baseline: float | None
    nadir: float | None
    reason: str
    reader: tuple[str, ...]
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True, eq=False)
class FollowUp:
    """All that a follow-up says; pages and tables are views of it.

    Parameters
    ----------
    subject
        Pseudonym, that of the baseline's Record.
    points
        Scans in order of time, the baseline first.
    tracks, links
        Lesions with their identities, and the graph that they come from.
    groups
        What is compared, the sums of structures first.
    targets
        Target-sum categories, where a reader picked targets.
    settings
        Margins, alpha, and other choices.
    findings
        What a reader must know.
    versions
        Of medseg and its libraries.
    """

    subject: str
    points: tuple[TimePoint, ...]
    tracks: tuple[Track, ...]
    links: tuple[LesionLink, ...]
    groups: tuple[FollowedGroup, ...]
    targets: tuple[TargetSum, ...] = ()
    settings: Details = ()
    findings: tuple[Finding, ...] = ()
    versions: Details = ()
    schema: str = FOLLOWUP_SCHEMA
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
