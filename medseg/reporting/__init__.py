"""Views of a Record: JSON, rows and tables, one page as HTML and PDF, pictures. All return bytes; none opens files."""

from medseg.reporting.extras import PageExtras, Picture
from medseg.reporting.page.panels import draw
from medseg.reporting.page.render import to_html, to_pdf
from medseg.reporting.record.json import record_from_json, record_to_json
from medseg.reporting.record.schema import record_schema
from medseg.reporting.tables.csv import to_csv, to_wide_csv
from medseg.reporting.tables.rows import to_rows
from medseg.reporting.tables.workbook import to_wide_xlsx, to_xlsx
from medseg.reporting.tissue.picture import draw_tissue
from medseg.reporting.view3d.fragment import view3d

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
    "to_wide_csv",
    "to_wide_xlsx",
    "to_xlsx",
    "view3d",
]
