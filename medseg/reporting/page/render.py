"""The page: a Record and its pictures as one self-contained file."""

import base64
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from medseg.domain import Grid, Quantity, Record, Status
from medseg.extras import require_extra
from medseg.reporting.extras import PageExtras, Picture
from medseg.reporting.groups import rank, shown_in_order
from medseg.reporting.index import index_of, lesions_of
from medseg.reporting.lesions.panels import PREFIX
from medseg.reporting.lesions.table import lesion_sheets
from medseg.reporting.lesions.words import LINES, lesion_lines, lesion_sentences, rule_name
from medseg.reporting.numbers import rounding_note, unit_text, value_text
from medseg.reporting.page.fit import lines_taken, shown_findings
from medseg.reporting.page.headline import key_rows, main_targets, sentence
from medseg.reporting.page.matrix import all_measurements
from medseg.reporting.pictures.palette import swatch
from medseg.reporting.sheet import Sheet
from medseg.reporting.tissue.table import tissue_sheets
from medseg.reporting.uptake import structure_uptake
from medseg.reporting.wording import (
    convention,
    grid_text,
    how_made,
    provenance,
    quantity_text,
    review_text,
    status_view,
)

__all__ = ["to_html", "to_pdf"]

_COMPARED = shown_in_order(lambda row: row.headline, "comparison")
_RANK = {"error": 0, "warning": 1, "info": 2}
_SEVERITY = {"error": "Error:", "warning": "Warning:", "info": "Note:"}


def to_html(record: Record, pictures: Sequence[Picture] = (), extras: PageExtras | None = None) -> bytes:
    """One HTML file that needs nothing else: no network; every text from the Record is escaped.

    It holds no script but that of `extras.viewer`, which is inserted as it stands.
    """
    return _template().render(_context(record, pictures, extras or PageExtras())).encode()


def to_pdf(record: Record, pictures: Sequence[Picture] = (), extras: PageExtras | None = None) -> bytes:
    """The same page as PDF (A4), without the 3D view; nothing but data: URIs is fetched."""
    require_extra("pdf", "a report as PDF")
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    # It reports every CSS rule meant for screens only.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    flat = replace(extras or PageExtras(), viewer="")
    page = to_html(record, pictures, flat).decode()
    fetcher = URLFetcher(allowed_protocols={"data"})
    pdf: bytes = HTML(string=page, url_fetcher=fetcher).write_pdf()
    return pdf


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(files("medseg.reporting.page").joinpath("page.html.j2").read_text("utf-8"))


def _context(record: Record, pictures: Sequence[Picture], extras: PageExtras) -> dict[str, Any]:
    grid = record.mask.grid
    rows = key_rows(record)
    lines, made, sentences = lesion_lines(record), how_made(record), _sentences(record)
    compared = _comparison(extras, grid)
    findings = sorted(record.findings, key=lambda item: _RANK[item.severity])
    taken = lines_taken(rows, lines, made, len(compared["rows"]), sentences)
    first, again = shown_findings(findings, taken)
    used = {item.quantity for item in (*record.measurements, *extras.comparison)}
    return {
        "record": record,
        "extras": extras,
        "title": "Volumetric report",
        "css": files("medseg.reporting.page").joinpath("page.css").read_text("utf-8"),
        "pictures": {picture.name: (picture, _uri(picture)) for picture in pictures},
        "lesion_pictures": [(item, _uri(item)) for item in pictures if item.name.startswith(PREFIX)],
        "lesions_note": _lesions_note(record, pictures),
        "reviewed": record.review.state == "reviewed",
        "review_text": review_text(record),
        "sentences": sentences,
        "rows": rows,
        "several": len({row.item.target.name for row in rows}) > 1,
        "lesion_lines": lines,
        "more_lesions": _more_lesions(record, len(lines)),
        "rule": rule_name(record),
        "ok": Status.OK,
        "view": status_view,
        "unit": unit_text,
        "name": quantity_text,
        "swatch": lambda target: swatch(record.table, target.labels[0]) if target.kind == "label" else "",
        "findings": findings,
        "first_findings": first,
        "findings_again": again,
        "severity": _SEVERITY,
        "how_made": made,
        "provenance": provenance(record),
        "convention": convention(record),
        "comparison": compared,
        "value": lambda item: value_text(item, grid),
        "sheets": _sheets(record),
        "inputs": [(item, grid_text(item.grid)) for item in record.inputs],
        "definitions": _definitions(sorted(used, key=rank)),
        "rounding": rounding_note(grid),
    }


def _sentences(record: Record) -> list[str]:
    return [*(sentence(record, target) for target in main_targets(record)), *lesion_sentences(record)]


def _sheets(record: Record) -> dict[str, tuple[Sheet, ...]]:
    """Tables of the appendix by their place in it."""
    index = index_of(record.measurements)
    return {
        "lesions": lesion_sheets(record),
        "uptake": structure_uptake(record, index),
        "tissue": tissue_sheets(record, index),
        "all": all_measurements(record, index),
    }


def _definitions(used: Sequence[Quantity]) -> list[tuple[str, str]]:
    """Titles and definition with its IBSI code; quantities that are defined alike stand together."""
    found: dict[str, list[str]] = {}
    for quantity in used:
        info = quantity.info
        code = f" IBSI {info.ibsi}." if info.ibsi else ""
        found.setdefault(f"{info.definition}{code}", []).append(info.title)
    return [(", ".join(titles), definition) for definition, titles in found.items()]


def _more_lesions(record: Record, shown: int) -> int:
    return 0 if shown < LINES else len(lesions_of(record)) - shown


def _lesions_note(record: Record, pictures: Sequence[Picture]) -> str:
    """What the pictures of lesions show, and how many lesions have none."""
    drawn = sum(picture.name.startswith(PREFIX) for picture in pictures)
    if not drawn:
        return ""
    left_out = len(lesions_of(record)) - drawn
    note = "Long axis solid, perpendicular axis dashed, in the slice where the long axis lies."
    if left_out:
        note += f" The {drawn} largest with axes are drawn; {left_out} more stand in the table only."
    return note


def _comparison(extras: PageExtras, grid: Grid) -> dict[str, Any]:
    """The few figures against a reference that stand on page one: a row per structure."""
    texts = {(item.target.name, item.quantity): value_text(item, grid) for item in extras.comparison}
    names = dict.fromkeys(item.target.name for item in extras.comparison)
    return {
        "titles": [quantity.info.title for quantity in _COMPARED],
        "rows": [(name, [texts.get((name, quantity), "") for quantity in _COMPARED]) for name in names],
    }


def _uri(picture: Picture) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.png).decode()}"
