"""Target-sum categories of the targets that a reader picked at baseline: a research aid, never an overall response."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from pydantic import ConfigDict

from medseg.domain import Measurement, Quantity, Status
from medseg.domain.followup import FollowUp, TargetSum, Track
from medseg.domain.values import STRICT
from medseg.errors import ConfigError, InputError
from medseg.followup.tracks import families, pieces

__all__ = ["CRITERIA", "Criteria", "PickedTarget", "TargetPlan", "target_sums"]

Criteria: TypeAlias = Literal["recist-1.1", "rano-2010", "rano-2.0", "rano-2.0-volume", "percist"]

#: Title and source of each, and what a reader must still add.
CRITERIA: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "recist-1.1": (
        "RECIST 1.1",
        "Eisenhauer et al. 2009, 10.1016/j.ejca.2008.10.026",
        (
            "non-target lesions, unequivocal new lesions and their confirmation",
            "confirmation of CR and PR after 4 weeks where the trial asks",
            "under iRECIST (Seymour et al. 2017) PD is iUPD until confirmed at 4 to 8 weeks",
        ),
    ),
    "rano-2010": (
        "RANO 2010",
        "Wen et al. 2010, 10.1200/JCO.2009.26.3541",
        ("T2/FLAIR, steroid dose and clinical status", "new lesions", "confirmation after 4 weeks"),
    ),
    "rano-2.0": (
        "RANO 2.0",
        "Wen et al. 2023, 10.1200/JCO.23.01059",
        (
            "the baseline after radiotherapy",
            "confirmation of PD within 12 weeks of radiotherapy",
            "clinical status and steroid dose, new lesions",
        ),
    ),
    "rano-2.0-volume": (
        "RANO 2.0 by volume",
        "Wen et al. 2023, 10.1200/JCO.23.01059",
        (
            "the baseline after radiotherapy",
            "confirmation of PD within 12 weeks of radiotherapy",
            "clinical status and steroid dose, new lesions",
        ),
    ),
    "percist": (
        "PERCIST",
        "Wahl et al. 2009, 10.2967/jnumed.108.057307",
        (
            "that the livers agree within 20 % and 0.3 SUL, and the uptake times within 15 min",
            "new lesions, and TLG +75 %",
        ),
    ),
}
#: RECIST 1.1: at most so many targets, so many of one organ; all nodes are one organ. A node below 10 mm is normal.
_MOST, _MOST_OF_SITE, _NORMAL_NODE_MM = 5, 2, 10.0
#: A figure this little short of a limit is at it: rounding of a quotient.
_ROUNDING = 1e-9
#: Targets of RANO 2010, and of RANO 2.0.
_MOST_RANO = {"rano-2010": 5, "rano-2.0": 3, "rano-2.0-volume": 3}


@dataclass(frozen=True, slots=True)
class PickedTarget:
    """A lesion of the baseline that a reader chose: its number in the Record, its organ, whether it is a node."""

    lesion: int
    site: str = ""
    node: bool = False
    name: str = ""
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class TargetPlan:
    """The targets, and by whose rules their sum is judged."""

    targets: tuple[PickedTarget, ...]
    criteria: Criteria = "recist-1.1"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if self.criteria not in CRITERIA:
            raise ConfigError(f"criteria are {', '.join(CRITERIA)}, not {self.criteria!r}")
        if not self.targets:
            raise ConfigError("no target was picked; a target sum needs one at least")
        keys = [(item.name, item.lesion) for item in self.targets]
        if len(set(keys)) < len(keys):
            raise ConfigError("a lesion is picked twice as a target")
        _require_numbers(self)


Measured = Sequence[Sequence[Measurement]]


def target_sums(draft: FollowUp, plan: TargetPlan, measured: Measured) -> tuple[TargetSum, ...]:
    """The targets' sum at each scan, and its category at each later one.

    Parameters
    ----------
    draft
        Identities; a target that split is the sum of its parts, one that merged has the merged axis once.
    plan
        Targets and criteria.
    measured
        Per scan the rows of its lesions.

    Returns
    -------
    tuple of TargetSum
        "not evaluable" where a target is missing, cut, or can't be compared, unless the rest already is PD.

    Raises
    ------
    InputError
        If a target is no lesion of the baseline.
    """
    lines = [_Line.of(item, draft, plan.criteria, measured) for item in plan.targets]
    if plan.criteria == "percist":
        return tuple(_percist(draft, lines, measured))
    return tuple(_sums(draft, plan, lines))


def _require_numbers(plan: TargetPlan) -> None:
    if plan.criteria == "recist-1.1":
        sites: dict[str, int] = {}
        for item in plan.targets:
            site = "lymph nodes" if item.node else item.site
            if not site:
                raise ConfigError(
                    f"target {item.lesion} needs its organ (site): RECIST 1.1 takes at most 2 of one"
                )
            sites[site] = sites.get(site, 0) + 1
        if len(plan.targets) > _MOST or max(sites.values()) > _MOST_OF_SITE:
            raise ConfigError(
                f"RECIST 1.1 takes at most {_MOST} targets, {_MOST_OF_SITE} of one organ, nodes being one"
            )
    elif plan.criteria in _MOST_RANO and len(plan.targets) > _MOST_RANO[plan.criteria]:
        raise ConfigError(f"{CRITERIA[plan.criteria][0]} takes at most {_MOST_RANO[plan.criteria]} targets")


@dataclass(frozen=True, slots=True)
class _Line:
    """One target over all scans: its length (or product, volume, uptake) at each, None with a reason."""

    target: PickedTarget
    values: tuple[float | None, ...]
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, target: PickedTarget, draft: FollowUp, criteria: str, measured: Measured) -> "_Line":
        track = _track_of(target, draft.tracks)
        ids = next(ids for ids in families(draft.tracks) if track.id in ids)
        quantity = _quantity(target, criteria)
        values: list[float | None] = []
        reasons = []
        for point, rows in enumerate(measured):
            value, reason = _value(draft, ids, track, point, (rows, quantity))
            values.append(value)
            reasons.append(reason)
        return cls(target, tuple(values), tuple(reasons))


def _quantity(target: PickedTarget, criteria: str) -> Quantity:
    if criteria == "recist-1.1":
        return Quantity.SHORT_DIAMETER if target.node else Quantity.LONGEST_DIAMETER
    if criteria == "rano-2.0-volume":
        return Quantity.VOLUME
    return Quantity.SUV_PEAK if criteria == "percist" else Quantity.BIDIMENSIONAL_PRODUCT


def _track_of(target: PickedTarget, tracks: Sequence[Track]) -> Track:
    for item in tracks:
        first = item.events[0]
        if (first.point, first.lesion) == (0, target.lesion) and target.name in ("", item.name):
            return item
    raise InputError(
        f"target {target.name} {target.lesion}".replace("  ", " ") + " is no lesion of the baseline"
    )


def _value(
    draft: FollowUp,
    ids: Sequence[int],
    track: Track,
    point: int,
    of: tuple[Sequence[Measurement], Quantity],
) -> tuple[float | None, str]:
    """Sum over a target's parts; of a family that merged, only what this target has become."""
    rows, quantity = of
    mine = _own(draft.tracks, ids, track, point)
    there = list(pieces(draft.tracks, mine, point))
    if not there:
        kinds = {event.kind for item in draft.tracks if item.id in mine for event in item.events}
        if kinds & {"not assessable", "below detection"}:
            return None, "it lies outside the scan, or was too small to be looked for"
        return 0.0, "gone"
    total = 0.0
    for key in there:
        row = next(
            (r for r in rows if (r.target.name, r.target.lesion) == key and r.quantity is quantity), None
        )
        if row is None or row.value is None:
            return None, (row.reason if row and row.reason else f"it has no {quantity.info.title.lower()}")
        if row.status is not Status.OK:
            return None, "it is cut by the border"
        total += float(row.value)
    return total, ""


def _own(tracks: Sequence[Track], ids: Sequence[int], track: Track, point: int) -> tuple[int, ...]:
    """Ids of this lesion and of what split off it; where it merged away, none: the other holds the axis."""
    found = {track.id}
    for item in tracks:
        first = item.events[0]
        if (
            item.id in ids
            and first.point <= point
            and first.kind == "split off"
            and found & set(first.others)
        ):
            found.add(item.id)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Sums up to a scan."""

    now: float
    baseline: float
    nadir: float
    gone: bool


Judge: TypeAlias = Callable[[_Seen], tuple[str, str]]


def _sums(draft: FollowUp, plan: TargetPlan, lines: Sequence[_Line]) -> Iterator[TargetSum]:
    title, source, reader = CRITERIA[plan.criteria]
    unit = {"recist-1.1": "mm", "rano-2.0-volume": "ml"}.get(plan.criteria, "mm2")
    sums: list[float | None] = []
    for point in range(len(draft.points)):
        lost = [item for item in lines if item.values[point] is None]
        whole = sum(item.values[point] or 0.0 for item in lines)
        sums.append(None if lost else whole)
        if not point:
            continue
        known = [value for value in sums[:point] if value is not None]
        first, nadir = sums[0], min(known, default=None)
        category, reason = _category(draft, plan, (lines, point), (whole, first, nadir))
        yield TargetSum(
            title, point, category, sums[point], unit, first, nadir, f"{reason} ({source})", reader
        )


def _category(
    draft: FollowUp,
    plan: TargetPlan,
    at: tuple[Sequence[_Line], int],
    sums: tuple[float, float | None, float | None],
) -> tuple[str, str]:
    lines, point = at
    whole, first, nadir = sums
    if draft.points[point].faults:
        return "not evaluable", f"not comparable: {draft.points[point].faults[0]}"
    if not first or nadir is None:
        return "not evaluable", "the sum at baseline is not known, or 0"
    gone = all(
        (item.values[point] or 0.0) < _NORMAL_NODE_MM if item.target.node else item.values[point] == 0
        for item in lines
    )
    category, reason = _JUDGES[plan.criteria](_Seen(whole, first, nadir, gone))
    lost = next((item for item in lines if item.values[point] is None), None)
    if lost is not None and category != "PD":
        return "not evaluable", f"target {lost.target.lesion}: {lost.reasons[point]}"
    return category, reason


def _recist(seen: _Seen) -> tuple[str, str]:
    if seen.gone:
        return "CR", "all targets are gone, and nodes are below 10 mm"
    grown = seen.now - seen.nadir
    share = grown / seen.nadir if seen.nadir else float("inf")
    if share >= 0.2 - _ROUNDING and grown >= 5 - _ROUNDING:
        return (
            "PD",
            f"{_percent(share)} and {grown:+.1f} mm from the smallest sum, which is at least +20 % and 5 mm",
        )
    less = seen.now / seen.baseline - 1
    if less <= -0.3 + _ROUNDING:
        return "PR", f"{_percent(less)} from baseline, which is at least −30 %"
    return (
        "SD",
        f"{_percent(less)} from baseline, {_percent(share)} and {grown:+.1f} mm from the smallest sum",
    )


def _by_shares(response: float, progression: float) -> Judge:
    def judge(seen: _Seen) -> tuple[str, str]:
        if seen.gone:
            return "CR", "all targets are gone"
        more = seen.now / seen.nadir - 1 if seen.nadir else float("inf")
        less = seen.now / seen.baseline - 1
        if more >= progression - _ROUNDING:
            return "PD", f"{_percent(more)} from the smallest sum, which is at least {_percent(progression)}"
        if less <= response + _ROUNDING:
            return "PR", f"{_percent(less)} from baseline, which is at least {_percent(response)}"
        return "SD", f"{_percent(less)} from baseline, {_percent(more)} from the smallest sum"

    return judge


_JUDGES: Mapping[str, Judge] = {
    "recist-1.1": _recist,
    "rano-2010": _by_shares(-0.5, 0.25),
    "rano-2.0": _by_shares(-0.5, 0.25),
    "rano-2.0-volume": _by_shares(-0.65, 0.4),
}


def _percist(draft: FollowUp, lines: Sequence[_Line], measured: Measured) -> Iterator[TargetSum]:
    """By SULpeak of the hottest lesion at each time; without lean body mass there is none, which is said."""
    del lines
    title, source, reader = CRITERIA["percist"]
    peaks = [_hottest(rows) for rows in measured]
    for point in range(1, len(draft.points)):
        first, now = peaks[0], peaks[point]
        if draft.points[point].faults:
            category, reason = "not evaluable", f"not comparable: {draft.points[point].faults[0]}"
        elif first is None or now is None:
            category = "not evaluable"
            reason = "SULpeak needs SUV by lean body mass (height, sex, weight), and a record has none"
        else:
            category, reason = _by_peak(first, now)
        yield TargetSum(
            title, point, category, now, "g/ml{SUVlbm}", first, None, f"{reason} ({source})", reader
        )


def _hottest(rows: Sequence[Measurement]) -> float | None:
    found = [
        float(row.value)
        for row in rows
        if row.quantity is Quantity.SUV_PEAK and row.value is not None and row.target.lesion is not None
        if row.unit.startswith("g/ml{SUVlbm")
    ]
    return max(found, default=None)


def _by_peak(first: float, now: float) -> tuple[str, str]:
    change, share = now - first, now / first - 1
    words = f"{_percent(share)} and {change:+.2f} SUL of the hottest lesion at each time"
    if abs(share) >= 0.3 - _ROUNDING and abs(change) >= 0.8 - _ROUNDING:
        return ("PD" if change > 0 else "PR"), f"{words}, which is at least 30 % and 0.8"
    return "SD", words


def _percent(share: float) -> str:
    return f"{100 * share:+.0f} %".replace("-", "−") if share != float("inf") else "from nothing"
