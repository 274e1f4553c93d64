"""The report of a mask: what is written, where, and its state: reviewed only while nothing has changed."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from medseg.errors import MedsegError
from napari_medseg._qt.asking import ReportForm
from napari_medseg._qt.job import is_alive
from napari_medseg._qt.offered import Holdings
from napari_medseg._qt.sign import SignBox
from napari_medseg._qt.task import TaskRow
from napari_medseg.bridge.now import tell_changes
from napari_medseg.bridge.preferences import follow_preferences, preferences
from napari_medseg.bridge.window import review_of

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["ReportPanel"]

#: Not reviewed and reviewed; both are read on light and on dark.
_LOOK = {
    False: "padding: 6px; font-weight: bold; color: black; background: #f2b134;",
    True: "padding: 6px; font-weight: bold; color: white; background: #2e7d4f;",
}


class ReportPanel(QWidget):
    """View of the window's review: choose a mask and views, write, confirm, sign.

    Parameters
    ----------
    napari_viewer
        The viewer; napari passes it to a parameter of this name only.
    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.review = review_of(napari_viewer)
        tell_changes(napari_viewer)
        self.state = QLabel(wordWrap=True)
        self.state.setAccessibleName("State of the review")
        self.form, self.task = ReportForm(napari_viewer), TaskRow()
        self.write_button, self.open_button = QPushButton("Write report"), QPushButton("Open page")
        self.write_button.setToolTip(
            "Measure the mask as it is now, and write all that is ticked, or nothing"
        )
        self.open_button.setToolTip("Show the page in the web browser")
        self.signing = SignBox(self.review, self.task)
        self._arrange()
        self._connect()
        self.refresh()

    def _arrange(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.write_button)
        buttons.addWidget(self.open_button)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("For research use; not a medical device."))
        layout.addWidget(self.state)
        layout.addWidget(self.form)
        layout.addLayout(buttons)
        layout.addWidget(self.task)
        layout.addWidget(self.signing)
        layout.addStretch()

    def _connect(self) -> None:
        self.write_button.clicked.connect(self.write)
        self.open_button.clicked.connect(self.open_page)
        self.form.chosen.connect(self._enable)
        self.task.running.connect(self._enable)
        self.holdings = Holdings(self.viewer, self)
        self.holdings.changed.connect(self.refresh)
        self.review.events.changed.connect(self.show_state)
        follow_preferences(self.prefer)

    def prefer(self, _event: Any = None) -> None:
        """Take over what napari's preferences say now."""
        if is_alive(self):
            for part in (self.form, self.signing):
                part.prefer(preferences())

    def showEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Look again: napari makes its preferences anew when a plugin comes or goes."""
        self.prefer()
        super().showEvent(event)

    def shut(self) -> None:
        """Stop what is running, if anything is."""
        self.task.stop()

    def refresh(self) -> None:
        """Offer the masks that there are now, and show the state."""
        self.form.refresh()
        self.show_state()

    def show_state(self) -> None:
        """The review's state as it is now."""
        self.state.setText(self.review.words)
        self.state.setStyleSheet(_LOOK[self.review.is_reviewed])
        self.open_button.setEnabled(self.review.page is not None)
        self.signing.refresh()

    def write(self) -> None:
        """Measure and write everything that is ticked, beside the window."""
        try:
            asked = self.form.ask()
        except MedsegError as error:
            self.task.say(str(error))
            return
        self.task.run(asked.work, lambda written: self._written(asked, written))

    def open_page(self) -> None:
        """Show the page in the browser."""
        if self.review.page is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.review.page)))

    def _written(self, asked: Any, written: Any) -> None:
        self.review.accept(asked, written)
        text = f"{len(written.files)} files in {written.folder}."
        if written.copied:
            text += f" No file holds {', '.join(written.copied)} as shown, so it was written beside the mask."
        self.task.say(text)

    def _enable(self, _running: Any = None) -> None:
        self.write_button.setEnabled(self.form.has_mask and not self.task.is_running)
