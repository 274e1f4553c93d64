"""Every number of the opening is one of the table; the diagram and the curves are drawn of it, all escaped."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from medseg.domain import Quantity
from medseg.domain.followup import ChangeError, FollowUp, KnownError
from medseg.errors import InputError
from medseg.followup import ChangeRules, MatchRules, make_tracks, match_lesions
from medseg.followup.changes import follow_groups
from medseg.reporting.followup.diagram import curves_svg, graph_svg
from medseg.reporting.followup.document import followup_from_json, followup_to_json
from medseg.reporting.followup.page import followup_to_html
from medseg.reporting.followup.tables import (
    FOLLOWUP_COLUMNS,
    followup_rows,
    followup_to_csv,
    followup_to_xlsx,
)
from medseg.reporting.followup.words import opening_sentences, percent_text
from tests.followup.scenes import grid, make_scene, places, point, rows, scan

RETEST = ChangeError("test-retest", 1 / 1.35, 1.35, "40 pairs", pairs=40)
KNOWN = (
    KnownError(Quantity.VOLUME, RETEST, "lesion"),
    KnownError(Quantity.VOLUME, ChangeError("test-retest", 1 / 1.1, 1.1, "40 pairs", pairs=40), "sum"),
)
EVENTS = ("grown", "grown", "shrunk", "candidate new", "gone", "split", "merged", *["within error"] * 11)
WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}


def followed(*balls, days=None, known=KNOWN, faults=()) -> FollowUp:
    on = grid((94, 94, 68))
    scans = [scan(item, on) for item in balls]
    seen = [places(item) for item in scans]
    rules = MatchRules(1.0, 2.0)
    links = [
        link for n in range(1, len(seen)) for link in match_lesions(seen[n - 1], seen[n], rules, point=n)
    ]
    tracks = make_tracks(seen, links, seed="x")
    points = tuple(
        point(item, None if days is None else days[n], faults if n else ()) for n, item in enumerate(scans)
    )
    groups = follow_groups(points, tracks, [rows(item) for item in scans], ChangeRules(known))
    return FollowUp("p1", points, tracks, tuple(links), groups)


@pytest.fixture(scope="module")
def busy() -> FollowUp:
    scene = make_scene(np.random.default_rng(3), EVENTS)
    return followed(scene.before, scene.after, days=(0, 183))


def test_the_opening_has_the_form_of_a_sentence_and_the_numbers_of_the_table(busy: FollowUp) -> None:
    (sentence,) = opening_sentences(busy)
    table = [row for row in followup_rows(busy) if row["quantity"] in ("volume", "lesion_total_volume")]
    later = [row for row in table if row["scan"] == 2]
    single = [row for row in later if row["lesion"]]
    words = sentence.lower()
    counted = {
        "grew beyond error": sum(row["call"] == "grown" for row in single),
        "shrank beyond error": sum(row["call"] == "shrunk" for row in single),
        "candidate new": sum("candidate new" in row["event"] for row in single),
        "gone": sum(row["event"] == "gone" for row in single),
    }
    for what, count in counted.items():
        found = re.search(rf"(\w+)(?: lesions?)? {what}", words)
        assert found is not None, what
        assert WORDS[found[1]] == count, what
    total = next(row for row in later if not row["lesion"])
    before = next(row for row in table if not row["lesion"] and row["scan"] == 1)
    old, new = map(float, re.search(r"total ([\d.]+) → ([\d.]+) ml", sentence).groups())
    assert (old, new) == (pytest.approx(before["value"], rel=0.005), pytest.approx(total["value"], rel=0.005))
    assert (
        f"{percent_text(total['percent'])} (no-change range −9 to +10 %, from test–retest), 183 days."
        in sentence
    )


def test_nothing_is_called_without_an_error() -> None:
    at = (40.0, 40.0, 30.0)
    (sentence,) = opening_sentences(followed([(at, 5)], [(at, 8)], known=()))
    assert "grew" not in sentence
    assert sentence.startswith("No growth or shrinkage is called")
    assert "(error unknown)" in sentence


def test_what_is_not_comparable_says_why_and_both_values_stand() -> None:
    at = (40.0, 40.0, 30.0)
    first, second = opening_sentences(followed([(at, 5)], [(at, 8)], faults=("other segmenters: a and b",)))
    assert re.search(r"total 0\.5\d → 2\.1\d ml \(other segmenters: a and b\)", first)
    assert second == "No change is called, as the scans are not comparable: other segmenters: a and b."


@pytest.mark.parametrize(
    ("value", "text"),
    [(21.6, "+22 %"), (-9.1, "−9.1 %"), (9.96, "+10 %"), (0.04, "0 %"), (-0.0, "0 %"), (-100.0, "−100 %")],
)
def test_per_cent(value: float, text: str) -> None:
    assert percent_text(value) == text


def test_json_reads_back_and_others_are_refused(busy: FollowUp) -> None:
    written = followup_to_json(busy)
    assert followup_to_json(followup_from_json(written)) == written
    for text in (b"{", b"[]", b'{"schema": "medseg.record/1.5"}', written.replace(b'"points"', b'"dots"')):
        with pytest.raises(InputError):
            followup_from_json(text)


def test_tables_are_exact_and_safe(busy: FollowUp) -> None:
    import io

    from openpyxl import load_workbook

    hostile = replace(busy, subject="=cmd()")
    text = followup_to_csv(hostile).decode()
    assert text.splitlines()[0] == ",".join(FOLLOWUP_COLUMNS)
    assert "'=cmd()" in text
    assert repr(busy.groups[0].readings[0].value) in text
    book = load_workbook(io.BytesIO(followup_to_xlsx(busy)))
    assert book.sheetnames == [
        "changes",
        "events",
        "links",
        "scans",
        "target sums",
        "findings",
        "data dictionary",
    ]
    assert book["links"].max_row == len(busy.links) + 1
    assert followup_to_xlsx(busy) == followup_to_xlsx(busy)


def test_the_diagram_has_every_lesion_and_link(busy: FollowUp) -> None:
    svg, left_out = graph_svg(busy)
    tree = ET.fromstring(svg)
    assert left_out == ""
    lines = [item for item in tree.iter() if item.get("class", "").startswith("link")]
    assert len(lines) == len(busy.links)
    rows_ = [item for item in tree.iter() if item.get("class") == "row"]
    assert len(rows_) == len(busy.tracks)
    told = [item.text for item in tree.iter() if item.get("class") == "event"]
    assert {"candidate new", "gone", "split", "split off", "merged", "merged away"} == set(told)


def test_curves_are_drawn_of_the_values(busy: FollowUp) -> None:
    svg = curves_svg(busy, "lesion", "k")
    tree = ET.fromstring(f"<div>{svg}</div>")
    titles = [item.text for item in tree.iter("title")]
    total = busy.groups[0].value(Quantity.LESION_VOLUME, 1)
    assert f"All lesions: {total:g} ml" in titles
    assert any(text.startswith("no-change range of the total") for text in titles)


def test_names_from_files_are_escaped(busy: FollowUp) -> None:
    bad = '<script>alert(1)</script>"'
    named = replace(
        busy,
        subject=bad,
        tracks=tuple(replace(item, name=bad) for item in busy.tracks),
        links=tuple(replace(item, name=bad) for item in busy.links),
        groups=tuple(replace(item, name=bad) for item in busy.groups),
    )
    assert "<script" not in followup_to_html(named).decode()
