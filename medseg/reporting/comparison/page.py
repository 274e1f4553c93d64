"""The comparison page: predictions against references as one self-contained HTML file, no script, all escaped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medseg.domain import Measurement, Quantity
from medseg.reporting.assets import page_asset, page_template
from medseg.reporting.comparison.cases import Compared, ComparedCase, compared_structures
from medseg.reporting.comparison.pictures import LEGEND
from medseg.reporting.comparison.sentences import COUNTS, opening
from medseg.reporting.extras import Picture
from medseg.reporting.groups import GROUPS
from medseg.reporting.numbers import number_text, unit_text

__all__ = ["Comparison", "comparison_sentences", "comparison_to_html"]

#: Structures in the table of page one, the worst first, and rows of single cases in the appendix.
MOST_STRUCTURES, MOST_ROWS = 24, 2000
_COLUMNS, _LESION_COLUMNS = (
    tuple(item for item in GROUPS["Against a reference"] if item.info.compared == columns)
    for columns in ("structure", "lesion")
)
_STEPS = {"mm": 0.01, "{px}": 0.1, "%": 0.1}

Summary = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What stands on the page.

    Parameters
    ----------
    cases
        Every pair, failed ones too.
    summary
        Rows per structure and quantity: name, detail, quantity, unit, headline, cases, of, misses,
        false_positives, total, mean, median, low, high.
    agreements
        Name of a structure → sentences on its bias, limits of agreement and ICC.
    pictures
        `worst…` (slices with both outlines) and `agreement` (Bland–Altman), where there are any.
    """

    cases: Sequence[ComparedCase]
    summary: Sequence[Summary]
    agreements: Mapping[str, Sequence[str]] = field(default_factory=dict)
    pictures: Sequence[Picture] = ()


def comparison_to_html(comparison: Comparison) -> bytes:
    """One HTML file that needs nothing else: no network, no script; every text is escaped.

    Page one has at most 24 structures, those with the lowest Dice first; the appendix has all. No cases give a
    page that says so.
    """
    return page_template("comparison").render(_context(comparison)).encode()


def comparison_sentences(cases: Sequence[ComparedCase], summary: Sequence[Summary]) -> tuple[str, ...]:
    """What stands first on a page about a comparison, of one case or of many; each number is one of `summary`."""
    table = _by_structure(summary)
    return tuple(opening(_in_order(table), table, cases))


def _context(comparison: Comparison) -> dict[str, Any]:
    table = _by_structure(comparison.summary)
    done = [case for case in comparison.cases if case.measurements]
    structures = _in_order(table)
    worst = _worst_of(comparison.cases)
    single = len(done) == 1
    rows = [_structure_row(name, table[name, None], worst.get(name), single=single) for name in structures]
    items = [(case, item) for case in done for item in case.measurements if item.target.lesion is None]
    lesions = [(case, item) for case in done for item in case.measurements if item.target.lesion is not None]
    pictures = [(picture, picture.uri) for picture in comparison.pictures]
    return {
        "css": page_asset("many.css"),
        "title": "Comparison with references",
        "single": done[0].case if len(comparison.cases) == 1 and done else None,
        "count": len(comparison.cases),
        "done": len(done),
        "failed": [case for case in comparison.cases if case.error is not None],
        "sentences": opening(structures, table, comparison.cases),
        "titles": [f"{quantity.info.title}{'' if single else ', mean'}" for quantity in _COLUMNS],
        "rows": rows,
        "most": MOST_STRUCTURES,
        "lesion_titles": [_short(quantity) for quantity in _LESION_COLUMNS],
        "lesion_rows": _lesion_rows(structures, table),
        "bins": _bin_rows(table),
        "agreements": comparison.agreements,
        "worst": [(picture, uri) for picture, uri in pictures if picture.name.startswith("worst")],
        "agreement": [(picture, uri) for picture, uri in pictures if picture.name == "agreement"],
        "legend": LEGEND,
        "items": [_item_row(case, item) for case, item in items[:MOST_ROWS]],
        "all_items": len(items),
        "lesions": [_item_row(case, item) for case, item in lesions[:MOST_ROWS]],
        "all_lesions": len(lesions),
        "definitions": [item.info for item in dict.fromkeys(item.quantity for _, item in items + lesions)],
    }


def _worst_of(cases: Sequence[ComparedCase]) -> dict[str, Compared]:
    """Structure → its comparison with the lowest Dice."""
    found: dict[str, Compared] = {}
    for item in compared_structures(cases):
        if item.name not in found or (item.dice, item.case) < (found[item.name].dice, found[item.name].case):
            found[item.name] = item
    return found


Rows = dict[Quantity, Summary]


def _by_structure(summary: Sequence[Summary]) -> dict[tuple[str, str | None], Rows]:
    table: dict[tuple[str, str | None], Rows] = {}
    for row in summary:
        table.setdefault((row["name"], row["detail"]), {})[Quantity(row["quantity"])] = row
    return table


def _in_order(table: Mapping[tuple[str, str | None], Rows]) -> list[str]:
    names = (name for name, detail in table if detail is None)
    return sorted(names, key=lambda name: _rank(table[name, None]))


def _rank(rows: Rows) -> float:
    """Order of structures: the lowest mean Dice first."""
    row = rows.get(Quantity.DICE)
    return float(row["mean"]) if row and row["mean"] is not None else 2.0


def _structure_row(name: str, rows: Rows, worst: Compared | None, *, single: bool) -> dict[str, Any]:
    dice = rows[Quantity.DICE]
    return {
        "median": "" if single or dice["median"] is None else f"{dice['median']:.3f}",
        "worst": "" if single or worst is None else f"{worst.dice:.3f}",
        "where": "" if single or worst is None else worst.case,
        "name": name,
        "of": dice["of"],
        "misses": dice["misses"],
        "false_positives": dice["false_positives"],
        "cells": [_cell(rows.get(quantity), quantity, single=single) for quantity in _COLUMNS],
    }


def _cell(row: Summary | None, quantity: Quantity, *, single: bool) -> tuple[str, str]:
    """Mean, and under it the interval, or of how many cases it is where not of all."""
    if row is None or row["mean"] is None:
        return "not computed", ""
    value = _text(row["mean"], quantity, row["unit"])
    if single:
        return value, ""
    notes = []
    if row["low"] is not None:
        ends = (_bare(row[end], quantity, row["unit"]) for end in ("low", "high"))
        notes.append(" to ".join(ends))
    if row["cases"] < row["of"]:
        notes.append(f"{row['cases']} of {row['of']} cases")
    return value, "; ".join(notes)


def _bare(value: float, quantity: Quantity, unit: str) -> str:
    if unit == "1":
        return f"{value:.3f}"
    text = number_text(float(value), _STEPS.get(unit, 0.001))
    return f"+{text}" if quantity.info.signed and value > 0 else text


def _text(value: float, quantity: Quantity, unit: str) -> str:
    if quantity in COUNTS:
        return f"{value:g}"
    return f"{_bare(value, quantity, unit)} {unit_text(unit)}".rstrip()


def _lesion_rows(
    structures: Sequence[str], table: Mapping[tuple[str, str | None], Rows]
) -> list[dict[str, Any]]:
    found = [(name, table[name, None]) for name in structures if COUNTS[0] in table[name, None]]
    return [
        {
            "name": name,
            "totals": [rows[quantity]["total"] for quantity in COUNTS],
            "cells": [_cell(rows.get(quantity), quantity, single=False) for quantity in _LESION_COLUMNS],
        }
        for name, rows in found
        if any(rows[quantity]["total"] for quantity in COUNTS)
    ]


def _bin_rows(table: Mapping[tuple[str, str | None], Rows]) -> list[tuple[str, str, int, int, int, str]]:
    """Structure, bin, lesions, found, false positives, and sensitivity over all lesions; empty bins are left out."""
    found = []
    for (name, detail), rows in table.items():
        if detail is None or COUNTS[0] not in rows:
            continue
        wanted, got, false = (int(rows[quantity]["total"]) for quantity in COUNTS)
        if wanted or false:
            share = f"{got / wanted:.3f}" if wanted else "not computed"
            found.append((name, detail, wanted, got, false, share))
    return found


def _short(quantity: Quantity) -> str:
    """Title of a column in the table of lesions, where "lesion" says nothing."""
    title = quantity.info.title.removeprefix("Lesion ")
    return title[0].upper() + title[1:]


def _item_row(case: ComparedCase, item: Measurement) -> tuple[str, str, str, str, str]:
    target = item.target
    name = f"{target.name}, lesion {target.lesion}" if target.lesion is not None else target.name
    title = item.quantity.info.title
    if target.detail in ("prediction", "reference"):
        title = f"{title} of the {target.detail}"
    elif target.detail:
        name = f"{name} ({target.detail})"
    value = "not computed" if item.value is None else _text(item.value, item.quantity, item.unit)
    return case.case, name, title, value, item.reason or item.method
