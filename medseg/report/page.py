"""The page: a Record and its pictures as one self-contained file."""

import base64
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from medseg.domain import Record
from medseg.report.extras import PageExtras, Picture

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["to_html", "to_pdf"]


def to_html(record: Record, pictures: Sequence[Picture] = (), extras: PageExtras | None = None) -> bytes:
    """One HTML file that needs nothing else: no network, no script; every text from the Record is escaped."""
    return _template().render(_context(record, pictures, extras or PageExtras())).encode()


def to_pdf(record: Record, pictures: Sequence[Picture] = (), extras: PageExtras | None = None) -> bytes:
    """The same page as PDF (A4); nothing but data: URIs is fetched."""
    from weasyprint import HTML

    page = to_html(record, pictures, extras).decode()
    pdf: bytes = HTML(string=page, url_fetcher=_refuse).write_pdf()
    return pdf


def _refuse(url: str, *args: Any, **kwargs: Any) -> Any:
    from weasyprint import default_url_fetcher

    if not url.startswith("data:"):
        raise ValueError("a report loads nothing from outside")
    return default_url_fetcher(url, *args, **kwargs)


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(files("medseg.report").joinpath("page.html.j2").read_text("utf-8"))


def _context(record: Record, pictures: Sequence[Picture], extras: PageExtras) -> dict[str, Any]:
    return {
        "record": record,
        "extras": extras,
        "css": files("medseg.report").joinpath("page.css").read_text("utf-8"),
        "pictures": [
            (picture, f"data:image/png;base64,{base64.b64encode(picture.png).decode()}")
            for picture in pictures
        ],
    }
