"""How a value shows itself in a notebook: drawn by the room that draws, which is loaded when a value is shown."""

from importlib import import_module
from typing import Any

__all__ = ["shown_in_notebook"]

#: Named, not imported: domain knows no drawing, and a script that shows nothing loads none.
_DRAWN_BY = "medseg.reporting.notebook.views"


def shown_in_notebook(value: Any) -> str:
    """HTML of an Image, a Segmentation or a Record."""
    html: str = import_module(_DRAWN_BY).to_notebook(value)
    return html
