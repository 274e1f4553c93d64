"""Views of a Record: JSON, rows and tables, one page as HTML and PDF, pictures. All return bytes; none opens files."""

from medseg.reporting.extras import PageExtras, Picture
from medseg.reporting.page import to_html, to_pdf
from medseg.reporting.panels import draw
from medseg.reporting.record_json import record_from_json, record_to_json
from medseg.reporting.rows import to_rows
from medseg.reporting.schema import record_schema
from medseg.reporting.tables import to_csv
from medseg.reporting.tissue import draw_tissue
from medseg.reporting.view3d import view3d
from medseg.reporting.workbook import to_xlsx

__all__ = [
    "PageExtras",
    "Picture",
    "draw",
    "draw_tissue",
    "record_from_json",
    "record_schema",
    "record_to_json",
    "to_csv",
    "to_html",
    "to_pdf",
    "to_rows",
    "to_xlsx",
    "view3d",
]
