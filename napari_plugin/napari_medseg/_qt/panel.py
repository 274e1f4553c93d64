"""The panel of the window: its tabs in the order in which a study is worked on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QTabWidget, QWidget

from napari_medseg._qt.compare import ComparePanel
from napari_medseg._qt.correct import CorrectPanel
from napari_medseg._qt.learn import LearnPanel
from napari_medseg._qt.measure import MeasurePanel
from napari_medseg._qt.open import OpenPanel
from napari_medseg._qt.report import ReportPanel
from napari_medseg._qt.room import Room
from napari_medseg._qt.segment import SegmentPanel

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["TABS", "MedsegPanel", "Tab", "panel_of"]

#: Pixels the panel asks for: beside it and napari's own docks 1280 pixels keep a canvas of 700.
_WIDTH = 330


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab: what it is called, what it is for, and the widget that is made for a viewer."""

    title: str
    tip: str
    panel: type[QWidget]


#: In the order of the work; each panel takes the viewer and nothing else.
TABS: tuple[Tab, ...] = (
    Tab("Open", "Open a study, and how it is looked at", OpenPanel),
    Tab("Segment", "Find structures by a model or a method", SegmentPanel),
    Tab("Correct", "Paint, operate, undo", CorrectPanel),
    Tab("Measure", "Numbers that follow the mask", MeasurePanel),
    Tab("Compare", "Two masks, readers or time points side by side and in numbers", ComparePanel),
    Tab("Report", "Write the report of a mask, and sign it", ReportPanel),
    Tab("Learn", "Collect corrected masks as a training set", LearnPanel),
)


class MedsegPanel(QTabWidget):
    """One dock for the whole work: each tab scrolls, so that none asks for more room than there is.

    Parameters
    ----------
    napari_viewer
        The viewer; napari passes it to a parameter of this name only, and lets it do what is public only.
    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__()
        self.setAccessibleName("medseg")
        self.setUsesScrollButtons(True)
        self.setDocumentMode(True)
        self._room = Room(self)
        for tab in TABS:
            panel = tab.panel(napari_viewer)
            panel.setAccessibleName(tab.title)
            panel.setAccessibleDescription(tab.tip)
            at = self.addTab(_scrolled(panel), tab.title)
            self.setTabToolTip(at, f"{tab.tip} (Alt+{at + 1})")
            napari_viewer.bind_key(f"Alt-{at + 1}", _goes_to(tab.title), overwrite=True)

    def tab(self, title: str) -> QWidget:
        """The panel of the tab with this title, brought to the front."""
        at = next(at for at in range(self.count()) if self.tabText(at) == title)
        self.setCurrentIndex(at)
        area = self.widget(at)
        assert isinstance(area, QScrollArea)  # noqa: S101 - made so above
        panel = area.widget()
        assert panel is not None  # noqa: S101
        return panel

    def showEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Now it has a window, and the canvas beside it a width."""
        super().showEvent(event)
        self._room.watch()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As wide as leaves the canvas its room, whatever a tab would like."""
        return QSize(_WIDTH, super().sizeHint().height())


def panel_of(viewer: "Viewer") -> MedsegPanel:
    """The panel of this window, opened and shown."""
    dock, panel = viewer.window.add_plugin_dock_widget("medseg", "medseg", tabify=False)
    dock.show()
    dock.raise_()
    assert isinstance(panel, MedsegPanel)  # noqa: S101 - the manifest names it
    return panel


def _goes_to(title: str) -> Callable[["Viewer"], None]:
    """What a key does: the panel may have been closed since."""

    def go(viewer: "Viewer") -> None:
        panel_of(viewer).tab(title)

    return go


def _scrolled(panel: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
    area.setWidget(panel)
    return area
