"""Commands of menus and palette, and keys: each opens the panel where it is needed."""

from typing import TYPE_CHECKING

from napari import current_viewer

from napari_medseg._qt.open import OpenPanel
from napari_medseg._qt.panel import TABS, MedsegPanel, panel_of

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["measure_masks", "open_files", "open_study", "segment_images"]


def open_study() -> None:
    """Ask for a folder and show what can be opened from it."""
    _open_panel().ask_folder()


def open_files() -> None:
    """Ask for files and show what can be opened from them."""
    _open_panel().ask_files()


def segment_images() -> None:
    """Show the tab that finds structures."""
    _panel().tab("Segment")


def measure_masks() -> None:
    """Show the tab of measurements."""
    titles = [tab.title for tab in TABS]
    _panel().tab("Measure" if "Measure" in titles else "Segment")


def _open_panel() -> OpenPanel:
    found = _panel().tab("Open")
    assert isinstance(found, OpenPanel)  # noqa: S101 - the table of tabs names it
    return found


def _panel() -> MedsegPanel:
    viewer: Viewer | None = current_viewer()
    if viewer is None:
        raise RuntimeError("no window of napari is open")
    return panel_of(viewer)
