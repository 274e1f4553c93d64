"""The pages of repeatability: readable on a phone, escaped, every dot and line at its value."""

import re
from pathlib import Path

import numpy as np
import pytest

import medseg
from medseg.domain import Finding
from medseg.domain.repeatability import Disturbed, Recovered, RepeatabilityStudy
from medseg.reporting.repeatability.page import repeatability_to_html
from medseg.reporting.repeatability.plot import bland_altman_svg
from medseg.reporting.repeatability.words import figures_of, study_sentences
from tests.reporting.browsed import assert_no_sideways_scroll

EVIL = "</script><img src=x onerror=alert(1)>"


def study(*, grows: bool = False, name: str = "gland") -> RepeatabilityStudy:
    rng = np.random.default_rng(4)
    sizes = np.linspace(5, 80, 20)
    gaps = rng.normal(0, 0.05 * sizes if grows else np.full(20, 0.5))
    return medseg.repeatability({name: list(zip(sizes + gaps / 2, sizes - gaps / 2, strict=True))}, "volume")


def self_study(name: str) -> RepeatabilityStudy:
    disturbed = tuple(Disturbed(f"noise {n}", name, 2.0 + 0.01 * n, 2.1) for n in range(4))
    recovered = (Recovered("grown", name, 2.0, 0.5, 0.4), Recovered("planted", name, 0.1, 0.1, 0.0))
    return RepeatabilityStudy(
        "one scan",
        "self",
        (),
        findings=(Finding("a", "warning", name),),
        disturbed=disturbed,
        recovered=recovered,
    )


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("made", [study(grows=True), self_study("tumour")], ids=["pairs", "self"])
def test_nothing_lies_beyond_the_side_of_the_window(
    made: RepeatabilityStudy, tmp_path: Path, width: int
) -> None:
    assert_no_sideways_scroll(repeatability_to_html(made), tmp_path, width=width)


@pytest.mark.parametrize("made", [study(name=EVIL), self_study(EVIL)], ids=["pairs", "self"])
def test_names_run_nothing(made: RepeatabilityStudy) -> None:
    page = repeatability_to_html(made).decode()
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    assert "<script" not in page


def test_dots_and_lines_lie_at_their_values() -> None:
    """Two known dots give the scales of the drawing; all else must follow from them."""
    made = study()
    item, pairs = made.items[0], made.pairs_of(made.items[0])
    svg = bland_altman_svg(item, pairs, "p")
    dots = [
        (float(x), float(y)) for x, y in re.findall(r'<circle class="dot" cx="([\d.]+)" cy="([\d.]+)"', svg)
    ]
    means = np.array([(pair.first + pair.second) / 2 for pair in pairs])
    gaps = np.array([pair.first - pair.second for pair in pairs])
    places = np.array(dots)
    across, up = np.polyfit(means, places[:, 0], 1), np.polyfit(gaps, places[:, 1], 1)
    assert np.polyval(across, means) == pytest.approx(places[:, 0], abs=0.1)
    assert np.polyval(up, gaps) == pytest.approx(places[:, 1], abs=0.1)
    (bias,) = re.findall(r'<line class="median" x1="[\d.]+" y1="([\d.]+)"', svg)
    assert float(bias) == pytest.approx(np.polyval(up, item.bias.value), abs=0.1)
    limits = sorted(float(y) for y in re.findall(r'<line class="limit" x1="[\d.]+" y1="([\d.]+)"', svg))
    assert limits == pytest.approx(sorted(np.polyval(up, value) for value in item.limits), abs=0.1)


def test_where_errors_grow_the_range_widens_with_the_mean() -> None:
    made = study(grows=True)
    assert made.items[0].scale == "log"
    svg = bland_altman_svg(made.items[0], made.pairs_of(made.items[0]), "p")
    rays = [
        tuple(map(float, ray))
        for ray in re.findall(r'class="ray" x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="([\d.]+)"', svg)
    ]
    assert len(rays) == 2
    assert abs(rays[0][3] - rays[1][3]) > abs(rays[0][1] - rays[1][1])
    assert "log scale, as errors grow with size" in study_sentences(made)[0]


def test_pairs_that_are_all_alike_are_drawn_too() -> None:
    made = medseg.repeatability({"gland": [(2.0, 2.0)] * 3}, "volume")
    assert bland_altman_svg(made.items[0], made.pairs_of(made.items[0]), "p").count("<circle") == 3
    assert ("RC", "0 ml", "0 to 0") in figures_of(made.items[0])
