"""Known events come back: under rotation, resampling and rough outlines, merges and splits included."""

from collections import Counter

import numpy as np
import pytest

from medseg.domain import Quantity
from medseg.domain.followup import ChangeError, KnownError
from medseg.followup import ChangeRules, MatchRules, make_tracks, match_lesions
from medseg.followup.changes import follow_groups
from tests.followup.scenes import grid, make_scene, motion, places, point, rows, scan

EVENTS = ("within error", "grown", "shrunk", "candidate new", "gone", "split", "merged")
RULES = ChangeRules(
    (KnownError(Quantity.VOLUME, ChangeError("test-retest", 1 / 1.4, 1.4, "made so"), "lesion"),)
)
#: Name → the later scan's spacing, its turn on the table, and how it lies.
SCANS = {
    "the same grid": ((1.0, 1.0, 1.0), 0.0, motion(0.0, (0.0, 0.0, 0.0))),
    "turned and shifted": ((1.0, 1.0, 1.0), 0.0, motion(11.0, (6.0, -4.0, 3.0))),
    "finer, on an oblique grid": ((0.8, 0.9, 1.1), 14.0, motion(7.0, (3.0, 5.0, -2.0))),
    "thick slices": ((0.8, 0.8, 2.0), 0.0, motion(5.0, (-3.0, 2.0, 1.0))),
}


def found_events(scene, later, moved, error_mm, rng):
    """Site → what was found there."""
    first = scan(scene.before, grid((94, 94, 68)), noise=rng)
    second = scan(scene.after, later, moved, noise=rng)
    off = motion(0.0, tuple((rng.normal(size=3) * error_mm / np.sqrt(3)).tolist()))
    two = (places(first), places(second, np.linalg.inv(moved) @ off))
    margin = max(item.half_diagonal_mm for item in two) + error_mm
    links = match_lesions(*two, MatchRules(margin, 2 * margin))
    tracks = make_tracks(two, links, seed="x")
    points = (point(first), point(second))
    groups = follow_groups(points, tracks, (rows(first), rows(second)), RULES)
    return {site: _at(site, two, tracks, groups) for site in scene.truth}


def _at(site, two, tracks, groups):
    """The event of the lesions within a site, which is one group."""
    here = set()
    for number, scan_places in enumerate(two):
        for index, target in enumerate(scan_places.targets):
            centre = scan_places.positions(index).mean(axis=0)
            if np.linalg.norm(centre - np.array(site)) < 11:
                here |= {
                    track.id
                    for track in tracks
                    if any((e.point, e.lesion) == (number, target.lesion) for e in track.events)
                }
    mine = [group for group in groups if set(group.tracks) & here]
    if len(mine) != 1 or set(mine[0].tracks) != here:
        return f"{len(mine)} groups"
    kinds = {e.kind for track in tracks if track.id in here for e in track.events if e.point}
    for kind in ("split", "merged", "candidate new", "gone"):
        if kind in kinds:
            return kind
    return mine[0].change(Quantity.VOLUME, 1).call


@pytest.mark.parametrize("name", SCANS)
def test_known_events_come_back(name: str) -> None:
    spacing, turn, moved = SCANS[name]
    rng = np.random.default_rng(list(SCANS).index(name))
    shape = tuple(int(np.ceil(130 / step)) for step in spacing)
    later = grid(shape, spacing, degrees=turn, origin=(-14.0 if not turn else 4.0, -18.0, -26.0))
    right: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    confused = []
    for _ in range(3):
        scene = make_scene(rng, [EVENTS[n % len(EVENTS)] for n in range(18)])
        for site, told in found_events(scene, later, moved, 0.7, rng).items():
            truth = scene.truth[site]
            seen[truth] += 1
            right[truth] += told == truth
            confused += [] if told == truth else [(truth, told)]
    assert sum(right.values()) / sum(seen.values()) >= 0.95, confused
    assert all(right[event] for event in EVENTS)
