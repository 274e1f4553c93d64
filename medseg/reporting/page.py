"""The page: a Record and its pictures as one self-contained file."""

import base64
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from medseg.domain import Grid, Quantity, Record
from medseg.reporting.extras import PageExtras, Picture
from medseg.reporting.headline import key_rows, main_targets, sentence, status_view
from medseg.reporting.numbers import rounding_note, unit_text, value_text
from medseg.reporting.wording import convention, grid_text, how_made, provenance, review_text

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["to_html", "to_pdf"]

#: Findings on page one; the rest stand in the appendix, the worst come first.
MOST_FINDINGS = 5
_COMPARED = (Quantity.DICE, Quantity.HD95, Quantity.VOLUME_ERROR)
_RANK = {"error": 0, "warning": 1, "info": 2}
_SEVERITY = {"error": "Error:", "warning": "Warning:", "info": "Note:"}


def to_html(record: Record, pictures: Sequence[Picture] = (), extras: PageExtras | None = None) -> bytes:
    """One HTML file that needs nothing else: no network, no script; every text from the Record is escaped."""
    return _template().render(_context(record, pictures, extras or PageExtras())).encode()


def to_pdf(record: Record, pictures: Sequence[Picture] = (), extras: PageExtras | None = None) -> bytes:
    """The same page as PDF (A4); nothing but data: URIs is fetched."""
    import logging

    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    # It reports every CSS rule meant for screens only.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    page = to_html(record, pictures, extras).decode()
    fetcher = URLFetcher(allowed_protocols={"data"})
    pdf: bytes = HTML(string=page, url_fetcher=fetcher).write_pdf()
    return pdf


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(files("medseg.reporting").joinpath("page.html.j2").read_text("utf-8"))


def _context(record: Record, pictures: Sequence[Picture], extras: PageExtras) -> dict[str, Any]:
    grid = record.mask.grid
    targets = main_targets(record)
    rows = key_rows(record)
    used = dict.fromkeys(item.quantity for item in (*record.measurements, *extras.comparison))
    return {
        "record": record,
        "extras": extras,
        "title": "Volumetric report",
        "css": files("medseg.reporting").joinpath("page.css").read_text("utf-8"),
        "pictures": {picture.name: (picture, _uri(picture)) for picture in pictures},
        "reviewed": record.review.state == "reviewed",
        "review_text": review_text(record),
        "sentences": [sentence(record, target) for target in targets],
        "rows": rows,
        "several": len({row.item.target for row in rows}) > 1,
        "view": status_view,
        "unit": unit_text,
        "findings": sorted(record.findings, key=lambda item: _RANK[item.severity]),
        "most_findings": MOST_FINDINGS,
        "severity": _SEVERITY,
        "how_made": how_made(record),
        "provenance": provenance(record),
        "convention": convention(record),
        "comparison": _comparison(extras, grid),
        "value": lambda item: value_text(item, grid),
        "measurements": [(item, value_text(item, grid)) for item in record.measurements],
        "inputs": [(item, grid_text(item.grid)) for item in record.inputs],
        "definitions": [quantity.info for quantity in used],
        "rounding": rounding_note(grid),
    }


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
