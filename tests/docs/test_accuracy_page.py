"""The tables of the accuracy page are what the command gives today."""

import re

import pytest

from benchmarks.phantom_errors import BEGIN, CASES, END, PAGE, RADII_MM, SHOWN, SPACINGS, table_row


def block() -> str:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    return text.partition(BEGIN)[2].partition(END)[0]


def lines_of(spacing: tuple[float, float, float]) -> dict[str, str]:
    """Lines of the table of one spacing, by their radius."""
    size = " × ".join(f"{step:g}" for step in spacing)
    table = block().partition(f"**Voxels of {size} mm**")[2].partition("**")[0]
    rows = [line for line in table.splitlines() if re.match(r"\| \d", line)]
    return {row.split("|")[1].strip(): row for row in rows}


def test_the_page_says_what_was_measured_and_on_what() -> None:
    assert f"{CASES} balls per line" in block()
    for head, _ in SHOWN.values():
        assert f"| {head} |" in block()
    for spacing in SPACINGS:
        assert list(lines_of(spacing)) == [f"{radius:g}" for radius in RADII_MM]


@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
@pytest.mark.parametrize("radius", RADII_MM[:4])
def test_lines_are_not_stale(radius: float, spacing: tuple[float, float, float]) -> None:
    assert lines_of(spacing)[f"{radius:g}"] == table_row(radius, spacing), (
        "run: python -m benchmarks.phantom_errors --write"
    )


@pytest.mark.slow
@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
@pytest.mark.parametrize("radius", RADII_MM[4:])
def test_lines_of_large_balls_are_not_stale(radius: float, spacing: tuple[float, float, float]) -> None:
    test_lines_are_not_stale(radius, spacing)
