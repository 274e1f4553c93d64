"""Views of a Record: JSON, rows and tables, one page as HTML and PDF, pictures. All return bytes; none opens files."""

from medseg.report.extras import PageExtras, Picture
from medseg.report.page import to_html, to_pdf
from medseg.report.panels import draw
from medseg.report.record_json import record_from_json, record_to_json
from medseg.report.rows import to_rows
from medseg.report.schema import record_schema
from medseg.report.tables import to_csv

__all__ = [
    "PageExtras",
    "Picture",
    "draw",
    "record_from_json",
    "record_schema",
    "record_to_json",
    "to_csv",
    "to_html",
    "to_pdf",
    "to_rows",
]
