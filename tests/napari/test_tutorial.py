"""The tutorial followed to the letter: each step is done by the words that the page has for it, in a real window."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QTabBar,
    QTreeWidget,
    QWidget,
)

from medseg.settings import shipped_folder
from medseg.workflows import read_record
from tests.napari.test_mouse import Mouse
from tests.napari.test_plugin import entries

pytestmark = pytest.mark.gui

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "napari.md"
W = TypeVar("W", bound=QWidget)


class Reader:
    """Somebody who has the page, and finds on the screen what it names."""

    def __init__(self, screen: Any, qtbot: Any) -> None:
        self.viewer, self.qtbot, self.screen = screen.viewer, qtbot, screen
        self.page = " ".join(PAGE.read_text(encoding="utf-8").split())
        self.viewer.window.resize(1280, 800)

    def reads(self, sentence: str) -> None:
        """What is done next is what the page says."""
        assert sentence in self.page, f"the page does not say (any more): {sentence}"

    def sees(self, kind: type[W]) -> list[W]:
        QApplication.processEvents()
        return [
            widget for widget in QApplication.allWidgets() if isinstance(widget, kind) and widget.isVisible()
        ]

    def button(self, words: str) -> QAbstractButton:
        found = [item for item in self.sees(QAbstractButton) if item.text().split(" (")[0] == words]
        assert len(found) == 1, f"{len(found)} visible buttons say {words!r}"
        return found[0]

    def press(self, words: str) -> None:
        button = self.button(words)
        assert button.isEnabled(), f"{words!r} can't be pressed"
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton, pos=QPoint(9, button.height() // 2))

    def goes_to(self, tab: str, key: str) -> None:
        self.reads(f"*{tab}* ({key})")
        (bar,) = (bar for bar in self.sees(QTabBar) if tab in [bar.tabText(at) for at in range(bar.count())])
        at = [bar.tabText(at) for at in range(bar.count())].index(tab)
        self.qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(at).center())

    def chooses(self, words: str, label: str = "") -> None:
        """An entry of a list to choose from; of several lists the one beside these words."""
        offered = {
            box: [box.itemText(at).strip() for at in range(box.count())]
            for box in self.sees(QComboBox)
            if self.beside(box, label)
        }
        found = [(box, texts.index(words)) for box, texts in offered.items() if words in texts]
        assert len(found) == 1, f"{len(found)} visible lists offer {words!r}: {list(offered.values())}"
        box, at = found[0]
        box.setCurrentIndex(at)
        box.activated.emit(at)

    def types(self, text: str, label: str) -> None:
        (line,) = (item for item in self.sees(QLineEdit) if self.beside(item, label))
        line.clear()
        self.qtbot.keyClicks(line, text)

    @staticmethod
    def beside(widget: QWidget, label: str) -> bool:
        """Whether a form has this label beside a widget, or beside the row that it is in."""
        inner: QWidget | None = widget
        while label and inner is not None:
            above = inner.parentWidget()
            for form in above.findChildren(QFormLayout) if above is not None else ():
                named = form.labelForField(inner)
                if isinstance(named, QLabel) and named.text() == label:
                    return True
            grid = None if above is None else above.layout()
            if isinstance(grid, QGridLayout) and grid.indexOf(inner) > 0:
                left = grid.itemAt(grid.indexOf(inner) - 1).widget()
                if isinstance(left, QLabel) and left.text() == label:
                    return True
            inner = above
        return not label

    def waits(self, done: Callable[[], bool], seconds: int = 60) -> None:
        self.qtbot.waitUntil(done, timeout=1000 * seconds)

    def text(self) -> str:
        return "\n".join(label.text() for label in self.sees(QLabel))


@pytest.fixture
def reader(screen: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Reader:
    # A system's own dialogue can't be read from here; what is chosen there is.
    sample = str(shipped_folder() / "samples" / "sarcoma")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_args, **_kw: sample)
    return Reader(screen, qtbot)


def test_the_page_leads_to_a_signed_report(reader: Reader, tmp_path: Path) -> None:
    opens_a_study(reader)
    looks(reader)
    finds_the_tumour(reader)
    measures(reader)
    corrects(reader)
    reports_and_signs(reader, tmp_path / "report")


def opens_a_study(reader: Reader) -> None:
    reader.reads("*Plugins → medseg → medseg (medseg)* opens the panel")
    (action,) = (
        item for item in entries(reader.viewer.window.plugins_menu) if item.text() == "medseg (medseg)"
    )
    action.trigger()
    reader.reads("Press *Open folder…* in its first tab")
    reader.press("Open folder…")
    reader.reads(
        "Here it is the sarcoma that ships with medseg (`medseg/shipped/samples/sarcoma` in the checkout)"
    )
    (table,) = reader.sees(QTreeWidget)
    reader.waits(lambda: table.topLevelItemCount() >= 3)
    reader.reads("Each row says what can be opened, with its size and spacing. Choose rows, and press *Open*")
    table.selectAll()
    reader.press("Open")
    reader.waits(lambda: {"mr", "pet", "reference"} <= {layer.name for layer in reader.viewer.layers})


def looks(reader: Reader) -> None:
    reader.reads("*Three planes* shows the coronal and the sagittal plane too.")
    reader.press("Three planes")
    reader.waits(lambda: len(planes()) == 3)
    reader.press("Three planes")
    reader.waits(lambda: len(planes()) == 1)
    reader.reads("*3D* shows the volume")
    reader.press("3D")
    assert reader.viewer.dims.ndisplay == 3
    reader.press("3D")
    reader.reads(
        "choose *pet* at *over it*, tick *they share one space* (these files don't say it), and press *Lay over*"
    )
    reader.chooses("pet", "over it")
    reader.press("they share one space")
    before = len(reader.viewer.layers)
    reader.press("Lay over")
    reader.waits(lambda: len(reader.viewer.layers) == before + 1)


def finds_the_tumour(reader: Reader) -> None:
    reader.goes_to("Segment", "Alt+2")
    reader.reads(
        "Choose *Soft-tissue sarcoma on MR and PET*: below it stand version, licence, what it is for"
    )
    reader.chooses("Soft-tissue sarcoma on MR and PET")
    reader.waits(lambda: "CC BY 3.0" in reader.text() and "Research only" in reader.text())
    reader.reads(
        "Tick *channels share one world space* (these files don't say it), scroll down if need be, and press *Segment*."
    )
    reader.press("channels share one world space")
    reader.press("Segment")
    reader.reads("The mask comes as a layer, *sarcoma mask*.")
    reader.waits(lambda: "sarcoma mask" in reader.viewer.layers, 300)
    reader.reads(
        "The mask *reference* came with the sample: an expert drew it. Hide it with the eye in the list of layers."
    )
    reader.viewer.layers["reference"].visible = False


def measures(reader: Reader) -> None:
    reader.goes_to("Measure", "Alt+4")
    reader.reads("The numbers come by themselves")
    reader.waits(lambda: "up to date" in reader.text())
    reader.reads("*All numbers* unfolds the rest with every digit")
    reader.press("All numbers")


def corrects(reader: Reader) -> None:
    reader.goes_to("Correct", "Alt+3")
    reader.reads("press *Brush*, and paint over a part of the edge; *Erase* takes voxels away.")
    reader.press("Brush")
    layer = reader.viewer.layers["sarcoma mask"]
    before = np.array(layer.data)
    places = np.argwhere(before[int(reader.viewer.dims.current_step[0])])
    row, column = places[len(places) // 2] if len(places) else np.array(before.shape[1:]) // 2
    start = layer.data_to_world((reader.viewer.dims.current_step[0], row, column))
    end = layer.data_to_world((reader.viewer.dims.current_step[0], row, before.shape[2] - 2))
    Mouse(reader.screen).drag(start, end)
    assert (np.asarray(layer.data) != before).any()
    reader.reads("The line below *Undo* says what was changed last. *Undo* goes back step by step")
    assert "brush" in reader.text()
    reader.press("Undo")
    assert (np.asarray(layer.data) == before).all()


def reports_and_signs(reader: Reader, folder: Path) -> None:
    reader.goes_to("Report", "Alt+6")
    reader.reads("*Mask* says *sarcoma mask*. Name a new *Folder*")
    (mask,) = (box for box in reader.sees(QComboBox) if reader.beside(box, "Mask"))
    assert mask.currentText() == "sarcoma mask"
    reader.types(str(folder), "Folder")
    reader.reads("press *Write report*")
    reader.press("Write report")
    reader.waits((folder / "record.json").exists)
    reader.waits(lambda: reader.button("Open page").isEnabled())
    reader.reads(
        "Where there are *Findings to confirm*, tick each that you have seen. Type *Reader* and *Organisation*"
    )
    for findings in reader.sees(QListWidget):
        if findings.accessibleName() == "Findings to confirm":
            for at in range(findings.count()):
                findings.item(at).setCheckState(Qt.CheckState.Checked)
    reader.types("A. Reader", "Reader")
    reader.types("Study centre", "Organisation")
    reader.reads("and press *Sign*. The line on top turns green and says who signed")
    reader.press("Sign")
    reader.waits(lambda: "REVIEWED by A. Reader, Study centre" in reader.text())
    assert read_record(folder / "record.json").review.state == "reviewed"
    reader.reads("Paint one voxel more, and the line turns amber")
    layer = reader.viewer.layers["sarcoma mask"]
    layer.data_setitem((np.array([0]), np.array([1]), np.array([1])), 1)
    assert "NOT REVIEWED: the mask was changed after A. Reader signed" in reader.text()


def planes() -> list[QWidget]:
    return [
        item
        for item in QApplication.allWidgets()
        if type(item).__name__ == "CanvasBackendDesktop" and item.isVisible()
    ]
