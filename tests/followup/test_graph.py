"""Which lesion is which: a table of small cases, what a reader says, what lies outside, identities over many scans."""

import numpy as np
import pytest

from medseg.errors import ConfigError, InputError
from medseg.followup import MatchRules, make_tracks, match_lesions
from medseg.followup.graph import Correction
from medseg.followup.tracks import families
from tests.followup.scenes import grid, places, scan

RULES = MatchRules(1.0, 4.0)
A, B, C = (15.0, 15.0, 20.0), (40.0, 15.0, 20.0), (15.0, 45.0, 20.0)


def follow(*scans, rules=RULES, corrections=(), least=None, grids=None):
    """Events by lesion id over scans of balls."""
    seen = [places(scan(balls, (grids or {}).get(n, grid()))) for n, balls in enumerate(scans)]
    links = [
        link
        for n in range(1, len(seen))
        for link in match_lesions(seen[n - 1], seen[n], rules, point=n, corrections=corrections)
    ]
    return make_tracks(seen, links, seed="x", detection_mm3=least), links


def kinds(tracks):
    return {track.id: [event.kind for event in track.events] for track in tracks}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([(A, 5)], [(A, 5)], {1: ["first seen", "followed"]}),
        ([(A, 5)], [(A, 8)], {1: ["first seen", "followed"]}),
        ([(A, 5)], [], {1: ["first seen", "gone"]}),
        ([], [(A, 5)], {1: ["candidate new"]}),
        ([], [], {}),
        ([(A, 5)], [(B, 5)], {1: ["first seen", "gone"], 2: ["candidate new"]}),
        # Moved by more than its own size, but nothing else is near: by distance.
        ([(A, 3)], [((24.0, 15.0, 20.0), 3)], {1: ["first seen", "followed"]}),
        # Two neighbours that both grow are not joined by their margins.
        (
            [(A, 4), ((26.0, 15.0, 20.0), 4)],
            [(A, 4.6), ((26.0, 15.0, 20.0), 4.6)],
            {1: ["first seen", "followed"], 2: ["first seen", "followed"]},
        ),
        # What appears beside a lesion, within the margin and outside of it, is no part of it.
        ([(A, 6)], [(A, 6), ((25.0, 15.0, 20.0), 2.5)], {1: ["first seen", "followed"], 2: ["candidate new"]}),
        (
            [((11.0, 15.0, 20.0), 4), ((21.0, 15.0, 20.0), 4)],
            [((11.0, 15.0, 20.0), 4), ((21.0, 15.0, 20.0), 4), ((16.0, 15.0, 20.0), 3)],
            {1: ["first seen", "merged"], 2: ["first seen", "merged away"]},
        ),
        (
            [((11.0, 15.0, 20.0), 4), ((21.0, 15.0, 20.0), 4), ((16.0, 15.0, 20.0), 3)],
            [((11.0, 15.0, 20.0), 4.4), ((21.0, 15.0, 20.0), 4)],
            {1: ["first seen", "split"], 2: ["split off"]},
        ),
    ],
    ids=str,
)  # fmt: skip
def test_what_became_of_a_lesion(before, after, expected) -> None:
    tracks, _ = follow(before, after)
    assert kinds(tracks) == expected


def test_a_tangle_is_told_apart() -> None:
    # Of two lesions the first splits, and one part joins the second: both are said, and they are compared as one.
    before = [((12.0, 15.0, 20.0), 4), ((20.0, 15.0, 20.0), 4.2), ((38.0, 15.0, 20.0), 5)]
    after = [
        ((11.0, 15.0, 20.0), 3.6),
        ((21.0, 15.0, 20.0), 3.4),
        ((29.0, 15.0, 20.0), 5.2),
        ((38.0, 15.0, 20.0), 5),
    ]
    tracks, links = follow(before, after)
    said = kinds(tracks)
    assert len(families(tracks)) == 1
    assert {kind for events in said.values() for kind in events[1:]} <= {
        "merged",
        "split",
        "split off",
        "merged away",
    }
    assert {link.chosen_by for link in links} == {"overlap"}


def test_a_tie_is_told() -> None:
    middle = ((15.0, 30.0, 20.0), 3.0)
    parts = [((10.0, 30.0, 20.0), 4), ((20.0, 30.0, 20.0), 4)]
    _, links = follow([*parts, middle], parts)
    carried = [link for link in links if link.carries]
    assert len(carried) == 1
    assert "nearly a tie with 1 other link" in carried[0].reason


def test_the_largest_part_keeps_the_identity_and_the_uid() -> None:
    whole = [((11.0, 15.0, 20.0), 4.5), ((21.0, 15.0, 20.0), 4), ((16.0, 15.0, 20.0), 3)]
    tracks, _ = follow(whole, whole[:2])
    first, second = tracks
    assert first.events[1].lesion == 1  # by size: the larger part
    assert second.events[0].others == (first.id,)
    assert first.uid != second.uid
    assert first.uid.startswith("2.25.")
    assert len(first.uid) <= 64


def test_identities_persist_when_a_scan_is_added() -> None:
    scans = ([(A, 5), (B, 4)], [(A, 6), (B, 4), (C, 3)], [(A, 7), (C, 4)], [(A, 7), (B, 3), (C, 4)])
    two, _ = follow(*scans[:2])
    four, _ = follow(*scans)
    assert [(item.id, item.uid) for item in two] == [(item.id, item.uid) for item in four[: len(two)]]
    assert kinds(four) == {
        1: ["first seen", "followed", "followed", "followed"],
        2: ["first seen", "followed", "gone"],
        3: ["candidate new", "followed", "followed"],
        # What comes back at a place where something went is a lesion of its own.
        4: ["candidate new"],
    }


def test_outside_the_other_scan_nothing_is_new_or_gone() -> None:
    half = grid((28, 60, 40))
    assert kinds(follow([(A, 5), (B, 5)], [(A, 5)], grids={1: half})[0])[2] == [
        "first seen",
        "not assessable",
    ]
    tracks, _ = follow([(A, 5)], [(A, 5), (B, 5)], grids={0: half})
    assert kinds(tracks)[2] == ["not assessable"]
    assert "outside an earlier scan" in tracks[1].events[0].reason


def test_padding_is_no_coverage() -> None:
    one, two = places(scan([(A, 5), (B, 5)], grid())), places(scan([(A, 5)], grid()))
    outside = np.zeros(two.ids.shape, bool)
    outside[35:] = True
    blind = type(two)(two.ids, two.targets, two.boxes, two.grid, two.matrix, outside)
    tracks = make_tracks([one, blind], match_lesions(one, blind, RULES), seed="x")
    assert kinds(tracks)[2] == ["first seen", "not assessable"]


def test_below_the_detection_size_nothing_is_new_or_gone() -> None:
    small, large = [(A, 2)], [(A, 4)]
    least = {"lesion": 100.0}
    assert kinds(follow(small, [], least=least)[0]) == {1: ["first seen", "below detection"]}
    assert kinds(follow([], small, least=least)[0]) == {1: ["below detection"]}
    assert kinds(follow(large, [], least=least)[0]) == {1: ["first seen", "gone"]}
    assert kinds(follow([], large, least=least)[0]) == {1: ["candidate new"]}


def test_structures_are_never_mixed() -> None:
    one, two = places(scan([(A, 5)], grid())), places(scan([(A, 5)], grid()))
    other = type(two)(
        two.ids,
        tuple(type(t)(t.kind, "node", t.labels, t.lesion) for t in two.targets),
        two.boxes,
        two.grid,
        two.matrix,
    )
    assert match_lesions(one, other, RULES) == ()


def test_a_reader_corrects_the_graph() -> None:
    scans = ([(A, 5), (B, 4)], [(A, 5), (B, 4)])
    apart = (Correction(1, "lesion", 2, None), Correction(1, "lesion", None, 2))
    assert kinds(follow(*scans, corrections=apart)[0]) == {
        1: ["first seen", "followed"],
        2: ["first seen", "gone"],
        3: ["candidate new"],
    }
    joined, links = follow([(A, 5)], [(C, 5)], corrections=(Correction(1, "lesion", 1, 1),))
    assert kinds(joined) == {1: ["first seen", "followed"]}
    assert [link.chosen_by for link in links] == ["reader"]
    merged, _ = follow(
        [(A, 5), (B, 4)],
        [(A, 6)],
        corrections=(Correction(1, "lesion", 1, 1), Correction(1, "lesion", 2, 1)),
    )
    assert kinds(merged) == {1: ["first seen", "merged"], 2: ["first seen", "merged away"]}


def test_a_correction_names_what_is_there() -> None:
    with pytest.raises(InputError, match="lesion lesion 7, and the later scan of time point 1 has none"):
        follow([(A, 5)], [(A, 5)], corrections=(Correction(1, "lesion", 1, 7),))
    with pytest.raises(InputError, match="names a lesion"):
        Correction(1, "lesion", None, None)


@pytest.mark.parametrize("figures", [(-1.0, 2.0), (3.0, 2.0), (1.0, 2.0, 0.0), (1.0, 2.0, 1.5)])
def test_rules_that_make_no_sense_are_refused(figures) -> None:
    with pytest.raises(ConfigError):
        MatchRules(*figures)


def test_the_order_of_storage_does_not_matter() -> None:
    balls = [(A, 5), (B, 4), (C, 3)]
    straight = scan(balls, grid())
    turned_grid = grid((60, 60, 40), (1.0, 1.0, 1.0))
    affine = np.array(turned_grid.affine)
    affine[0, 0], affine[0, 3] = -1.0, 59.0
    flipped = type(straight)(
        np.ascontiguousarray(straight.labels[::-1]), type(turned_grid)((60, 60, 40), affine), straight.table
    )
    later = scan([(A, 6), (C, 3)], grid())
    one = match_lesions(places(straight), places(later), RULES)
    two = match_lesions(places(flipped), places(later), RULES)
    assert one == two
