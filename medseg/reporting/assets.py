"""What pages are made of: templates, style and scripts beside the code of each page, read once."""

from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template

__all__ = ["page_asset", "page_template"]


@cache
def page_template(room: str, name: str = "page.html.j2") -> Template:
    """The template `name` of `medseg.reporting.ROOM`; what is put in is escaped, and what is missing is an error."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(page_asset(name, room))


@cache
def page_asset(name: str, room: str = "") -> str:
    """The text of a file of `medseg.reporting.ROOM`, or of those that all rooms share."""
    folder = files("medseg.reporting")
    return (folder / room / name if room else folder / name).read_text("utf-8")
