"""Which lesion of a scan is which of the scan before: an explicit graph, its edges weighed, chosen and explained."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from medseg.domain.followup import LesionLink
from medseg.domain.values import STRICT
from medseg.errors import ConfigError, InputError
from medseg.followup.places import LesionPlaces, Positions

__all__ = ["Correction", "MatchRules", "match_lesions"]

#: Another assignment whose links weigh at least this share of the chosen one's is a tie that is told.
_TIE = 0.95


@dataclass(frozen=True, slots=True)
class MatchRules:
    """When two lesions are one; every figure stands in the follow-up.

    Parameters
    ----------
    margin_mm
        As far as a place is uncertain: two boundaries this near count as touching.
    reach_mm
        Lesions that touch nothing are the same up to this distance, the nearest first; at least the margin.
    share
        Share of the smaller one that must lie within the margin of the other.
    """

    margin_mm: float
    reach_mm: float
    share: float = 0.5
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not 0 <= self.margin_mm <= self.reach_mm:
            raise ConfigError(
                f"the margin is 0 mm or more and no more than the reach, not {self.margin_mm:g} and {self.reach_mm:g}"
            )
        if not 0 < self.share <= 1:
            raise ConfigError(f"the share of an overlap lies above 0 and up to 1, not at {self.share:g}")


@dataclass(frozen=True, slots=True)
class Correction:
    """What a reader says of one lesion: which of the scan before it is; None for none."""

    point: int
    name: str
    earlier: int | None
    later: int | None

    def __post_init__(self) -> None:
        if self.earlier is None and self.later is None:
            raise InputError("a link names a lesion of the earlier scan, of the later one, or of both")


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two lesions near each other, by their indices, and how near."""

    earlier: int
    later: int
    earlier_share: float
    later_share: float
    earlier_overlap: float
    later_overlap: float
    gap: float
    dice: float

    @property
    def weight(self) -> float:
        """What the assignment adds up: shares within the margin, and the overlap itself."""
        return max(self.earlier_share, self.later_share) + self.dice


def match_lesions(
    earlier: LesionPlaces,
    later: LesionPlaces,
    rules: MatchRules,
    *,
    point: int = 1,
    corrections: Sequence[Correction] = (),
) -> tuple[LesionLink, ...]:
    """The links between the lesions of two scans, within each structure.

    Parameters
    ----------
    earlier, later
        Both in the common space.
    rules
        Margin, reach and share.
    point
        Index of the later scan.
    corrections
        What a reader said: each lesion that is named has the links given and no others.

    Returns
    -------
    tuple of LesionLink
        At most one link of each lesion `carries` its identity: those of the assignment with the largest sum of
        weights (share of the smaller within the margin, plus Dice). Others are parts: a lesion lies by its larger
        part in one whose identity another carries. Then, of those without any, the nearest within reach.
        Nothing near gives no links.

    Raises
    ------
    InputError
        If a correction names a lesion that is not there.

    Notes
    -----
    Own definition; assignment after Kuhn 1955 by SciPy. Positions of voxel centres, none resampled. Memory: a
    lesion's positions at a time.
    """
    named = [item for item in corrections if item.point == point]
    told = [_said(earlier, later, item) for item in named]
    settled_earlier = {one for one, _ in told if one is not None}
    settled_later = {two for _, two in told if two is not None}
    pairs = [
        item
        for item in _near(earlier, later, rules)
        if item.earlier not in settled_earlier and item.later not in settled_later
    ]
    links = list(_by_overlap(pairs, rules, (earlier, later), point))
    used_earlier = settled_earlier | {earlier.index_of(item.name, item.earlier) for item in links}
    used_later = settled_later | {later.index_of(item.name, item.later) for item in links}
    free = [item for item in pairs if item.earlier not in used_earlier and item.later not in used_later]
    links += _by_distance(free, rules, (earlier, later), point)
    links += _by_reader(told, (earlier, later), point)
    return tuple(sorted(links, key=lambda item: (item.name, item.earlier, item.later)))


def _near(earlier: LesionPlaces, later: LesionPlaces, rules: MatchRules) -> Iterator[_Pair]:
    """Every two lesions of one structure no further apart than the reach."""
    from scipy.spatial import cKDTree

    first = [_Cloud.of(earlier, index) for index in range(len(earlier.targets))]
    second = [_Cloud.of(later, index) for index in range(len(later.targets))]
    trees: dict[tuple[int, int], cKDTree] = {}
    for one in first:
        for two in second:
            same = earlier.targets[one.index].name == later.targets[two.index].name
            if not same or one.box_distance(two) > rules.reach_mm:
                continue
            trees.setdefault((0, one.index), cKDTree(one.boundary))
            trees.setdefault((1, two.index), cKDTree(two.boundary))
            found = _weigh(one, two, (trees[0, one.index], trees[1, two.index]), (earlier, later), rules)
            if found.gap <= rules.reach_mm:
                yield found


@dataclass(frozen=True, slots=True, eq=False)
class _Cloud:
    """A lesion as points of the common space."""

    index: int
    points: Positions
    boundary: Positions
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    volume: float

    @classmethod
    def of(cls, places: LesionPlaces, index: int) -> "_Cloud":
        points = places.positions(index)
        low, high = points.min(axis=0), points.max(axis=0)
        return cls(index, points, places.boundary(index), low, high, places.volume_mm3(index))

    def box_distance(self, other: "_Cloud") -> float:
        apart = np.maximum(0, np.maximum(self.low - other.high, other.low - self.high))
        return float(np.linalg.norm(apart))


def _weigh(
    one: _Cloud,
    two: _Cloud,
    trees: tuple[Any, Any],
    places: tuple[LesionPlaces, LesionPlaces],
    rules: MatchRules,
) -> _Pair:
    earlier, later = places
    in_two = later.numbers_at(one.points) == two.index + 1
    in_one = earlier.numbers_at(two.points) == one.index + 1
    away_one = _distances(one.points, in_two, trees[1], rules.reach_mm)
    away_two = _distances(two.points, in_one, trees[0], rules.reach_mm)
    shared = (in_two.mean() * one.volume + in_one.mean() * two.volume) / 2
    return _Pair(
        one.index,
        two.index,
        float((away_one <= rules.margin_mm).mean()),
        float((away_two <= rules.margin_mm).mean()),
        float(in_two.mean()),
        float(in_one.mean()),
        float(min(away_one.min(), away_two.min())),
        float(2 * shared / (one.volume + two.volume)),
    )


def _distances(points: Positions, inside: NDArray[np.bool_], tree: Any, reach: float) -> NDArray[np.float64]:
    """(N,) distance to the other lesion's nearest voxel centre, 0 inside; infinite beyond reach."""
    found = np.zeros(len(points))
    if not inside.all():
        found[~inside] = tree.query(points[~inside], distance_upper_bound=np.nextafter(reach, np.inf))[0]
    return found


def _by_overlap(
    pairs: Sequence[_Pair], rules: MatchRules, places: tuple[LesionPlaces, LesionPlaces], point: int
) -> Iterator[LesionLink]:
    near = [n for n, item in enumerate(pairs) if max(item.earlier_share, item.later_share) >= rules.share]
    chosen = {near[n] for n in _assign([pairs[n] for n in near])}
    ties = _ties(pairs, chosen)
    parts = {*_largest_parts(pairs, chosen, rules)}
    for number in sorted(chosen | parts):
        item, carries = pairs[number], number in chosen
        words = _overlap_words(item, rules) + (ties.get(number, "") if carries else ", as a part")
        yield _link(item, places, point, by="overlap", carries=carries, reason=words)


def _largest_parts(pairs: Sequence[_Pair], chosen: set[int], rules: MatchRules) -> Iterator[int]:
    """Links beside the assignment: of a lesion without one, its best; of others, where they truly overlap.

    What only lies beside another, within the margin, is no part of it: half the share must truly overlap.
    """
    earlier = {pairs[n].earlier for n in chosen}
    later = {pairs[n].later for n in chosen}
    best: dict[tuple[str, int], int] = {}
    for number, item in enumerate(pairs):
        least = rules.share / 2
        if number in chosen or max(item.earlier_overlap, item.later_overlap) < least:
            continue
        free = [
            key
            for key, taken, share, overlap in (
                (
                    ("earlier", item.earlier),
                    item.earlier in earlier,
                    item.earlier_share,
                    item.earlier_overlap,
                ),
                (("later", item.later), item.later in later, item.later_share, item.later_overlap),
            )
            if not taken and share >= rules.share and overlap >= least
        ]
        for key in free:
            if key not in best or pairs[best[key]].weight < item.weight:
                best[key] = number
        if item.earlier in earlier and item.later in later:
            yield number
    yield from best.values()


def _assign(pairs: Sequence[_Pair]) -> set[int]:
    """Numbers of the pairs whose sum of weights is largest, one to one."""
    from scipy.optimize import linear_sum_assignment

    if not pairs:
        return set()
    rows = {index: n for n, index in enumerate(sorted({item.earlier for item in pairs}))}
    columns = {index: n for n, index in enumerate(sorted({item.later for item in pairs}))}
    gain = np.zeros((len(rows), len(columns)))
    place = np.full(gain.shape, -1)
    for number, item in enumerate(pairs):
        gain[rows[item.earlier], columns[item.later]] = item.weight
        place[rows[item.earlier], columns[item.later]] = number
    picked = place[linear_sum_assignment(gain, maximize=True)]
    return {int(number) for number in picked if number >= 0}


def _ties(pairs: Sequence[_Pair], chosen: set[int]) -> Mapping[int, str]:
    """Words for each chosen pair that another, nearly as good, was turned down for."""
    words = {}
    for number in chosen:
        mine = pairs[number]
        rivals = [
            item
            for other, item in enumerate(pairs)
            if other not in chosen
            and (item.earlier == mine.earlier or item.later == mine.later)
            and item.weight >= _TIE * mine.weight
        ]
        if rivals:
            words[number] = (
                f"; nearly a tie with {len(rivals)} other link{'s' * (len(rivals) > 1)} "
                f"(weight {mine.weight:.2f} against {max(item.weight for item in rivals):.2f}), "
                "decided by the largest sum over all lesions"
            )
    return words


def _by_distance(
    pairs: Sequence[_Pair], rules: MatchRules, places: tuple[LesionPlaces, LesionPlaces], point: int
) -> Iterator[LesionLink]:
    """Of lesions that overlap nothing, the nearest within reach, one to one."""
    near = [item for item in pairs if item.gap <= rules.reach_mm]
    scored = [_closeness(item, rules) for item in near]
    for number in sorted(_assign(scored)):
        item = near[number]
        words = (
            f"they do not overlap enough; {item.gap:.1f} mm apart, within the reach of {rules.reach_mm:.1f} mm, and no "
            "other lesion is nearer"
        )
        yield _link(item, places, point, by="distance", carries=True, reason=words)


def _closeness(item: _Pair, rules: MatchRules) -> _Pair:
    share = 1 - item.gap / (rules.reach_mm + 1e-9) * 0.9
    return _Pair(item.earlier, item.later, share, share, 0.0, 0.0, item.gap, 0.0)


def _overlap_words(item: _Pair, rules: MatchRules) -> str:
    within = "" if not rules.margin_mm else f" within {rules.margin_mm:.1f} mm"
    return (
        f"{100 * item.earlier_share:.0f} % of the earlier and {100 * item.later_share:.0f} % of the later lie in each "
        f"other{within}"
    )


def _link(
    item: _Pair, places: tuple[LesionPlaces, LesionPlaces], point: int, *, by: str, carries: bool, reason: str
) -> LesionLink:
    one, two = places[0].targets[item.earlier], places[1].targets[item.later]
    return LesionLink(
        point,
        one.name,
        int(one.lesion or 0),
        int(two.lesion or 0),
        by,  # type: ignore[arg-type]
        carries,
        item.earlier_share,
        item.later_share,
        item.gap,
        reason,
    )


def _said(earlier: LesionPlaces, later: LesionPlaces, item: Correction) -> tuple[int | None, int | None]:
    """Indices of what a correction names."""
    found = []
    for places, lesion, when in ((earlier, item.earlier, "earlier"), (later, item.later, "later")):
        index = None if lesion is None else places.index_of(item.name, lesion)
        if lesion is not None and index is None:
            raise InputError(
                f"the links name {item.name} lesion {lesion}, and the {when} scan of time point {item.point} has none"
            )
        found.append(index)
    return found[0], found[1]


def _by_reader(
    told: Sequence[tuple[int | None, int | None]], places: tuple[LesionPlaces, LesionPlaces], point: int
) -> Iterator[LesionLink]:
    """Links that a reader gave; of several of one lesion the largest partner carries the identity."""
    pairs = [(one, two) for one, two in told if one is not None and two is not None]
    order = sorted(pairs, key=lambda pair: -min(places[0].volume_mm3(pair[0]), places[1].volume_mm3(pair[1])))
    first: set[int] = set()
    second: set[int] = set()
    for one, two in order:
        carries = one not in first and two not in second
        if carries:
            first.add(one)
            second.add(two)
        item = _Pair(one, two, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        yield _link(item, places, point, by="reader", carries=carries, reason="a reader linked them")
