"""Distributions over cases: what is counted, what is left out, who lies far out."""

from dataclasses import replace

import numpy as np
import pytest

from medseg.domain import (
    Grid,
    InputRef,
    Label,
    LabelTable,
    Measurement,
    Provenance,
    Quantity,
    Record,
    Status,
    Target,
)
from medseg.reporting.contact.distribution import distributions
from medseg.reporting.contact.strip import strip_svg

GRID = Grid((8, 8, 4), np.diag([1.0, 1.0, 2.0, 1.0]))
LIVER = Target("label", "liver", (1,))


def volume(value: float | None, status: Status = Status.OK) -> Measurement:
    reason = None if status is Status.OK else "why"
    return Measurement(LIVER, Quantity.VOLUME, value, "ml", status, reason)


def record(*rows: Measurement) -> Record:
    mask = InputRef("mask", "mask.nii.gz", "ab" * 32, GRID)
    return Record("s", (mask,), LabelTable((Label(1, "liver"),)), rows, Provenance())


def cases(*values: float) -> dict[str, Record]:
    return {f"case {number}": record(volume(value)) for number, value in enumerate(values)}


#: Values, and the cases that lie far out by Tukey's fences; quartiles by linear interpolation.
FAR = [
    ([1, 2, 3, 4, 5, 6, 7, 100], [7]),
    ([1, 2, 3, 4, 5, 6, 100], []),  # seven cases: nobody is far out
    ([-90, 2, 3, 4, 5, 6, 7, 100], [7, 0]),
    # Quartiles 2.75 and 6.25, so the upper fence is at 11.5: on it is not beyond it.
    ([1, 2, 3, 4, 5, 6, 7, 11.5], []),
    ([1, 2, 3, 4, 5, 6, 7, 11.6], [7]),
    ([5, 5, 5, 5, 5, 5, 5, 6], [7]),
    ([5] * 8, []),
]


@pytest.mark.parametrize(("values", "far"), FAR)
def test_outliers_by_tukeys_fences(values: list[float], far: list[int]) -> None:
    (found,) = distributions(cases(*values))
    assert found.outliers == tuple(f"case {number}" for number in far)


def test_bounds_and_refused_numbers_are_counted_and_not_shown() -> None:
    found = cases(1, 2, 3, 0)
    found["cut"] = record(volume(99.0, Status.TRUNCATED_LOWER_BOUND))
    found["odd"] = record(volume(98.0, Status.TRUNCATED_UNRELIABLE))
    found["none"] = record(volume(None, Status.NOT_COMPUTED))
    (shown,) = distributions(found)
    assert (shown.count, shown.cut, shown.refused, shown.zeros) == (4, 2, 1, 1)
    assert shown.span == (0, 3)
    assert shown.quartiles == (0.75, 1.5, 2.25)


def test_where_all_are_cut_there_is_a_distribution_without_values() -> None:
    (shown,) = distributions({"a": record(volume(9.0, Status.TRUNCATED_LOWER_BOUND))})
    assert (shown.count, shown.cut) == (0, 1)


def test_arbitrary_units_do_not_compare_and_units_are_not_mixed() -> None:
    rows = [Measurement(LIVER, Quantity.MEAN, 1.0, unit, channel="x") for unit in ("[arb'U]", "[hnsf'U]")]
    found = distributions({"a": record(rows[0]), "b": record(rows[1]), "c": record(volume(1.0))})
    assert [(item.title, item.unit, item.count) for item in found] == [
        ("Volume", "ml", 1),
        ("Mean (x)", "[hnsf'U]", 1),
    ]


@pytest.mark.parametrize(
    ("structures", "titles"), [(6, {"Volume", "Longest diameter in plane"}), (7, {"Volume"})]
)
def test_of_many_structures_only_sizes(structures: int, titles: set[str]) -> None:
    rows = []
    for number in range(structures):
        target = replace(LIVER, name=f"organ {number}")
        rows += [
            replace(volume(1.0), target=target),
            Measurement(target, Quantity.LONGEST_DIAMETER, 9.0, "mm"),
        ]
    found = distributions({"a": record(*rows)})
    assert {item.title for item in found} == titles
    assert len({item.structure for item in found}) == structures


@pytest.mark.parametrize(
    "values", [[3.0], [3.0, 3.0], [0.0], [1e-9, 5e6], [-4.0, -3.5, 12.0], list(range(400))]
)
def test_a_plot_has_a_dot_per_case_inside_its_picture(values: list[float]) -> None:
    (shown,) = distributions(cases(*values))
    svg = strip_svg(shown, [f"<{case}>" for case in shown.values], "Volume & more", "n 1", "k")
    assert svg.count('class="dot"') + svg.count('class="far"') == len(values)
    assert "<case" not in svg
    assert "Volume &amp; more" in svg
    for part in svg.split('cx="')[1:]:
        assert 0 <= float(part.split('"')[0]) <= 340
    for part in svg.split('cy="')[1:]:
        assert 0 <= float(part.split('"')[0]) <= 52
