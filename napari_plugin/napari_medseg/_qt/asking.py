"""What a report is asked for: mask, rule set, subject, folder, views."""

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_medseg._qt.offered import OfferBox
from napari_medseg._qt.views import ViewBoxes
from napari_medseg.bridge.now import mask_in_hand, mask_names
from napari_medseg.bridge.preferences import Preferences, preferences
from napari_medseg.bridge.reporting import ask_report, obstacles_now
from napari_medseg.workspace.review import RULES, Asked

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["FolderLine", "ReportForm"]


class FolderLine(QWidget):
    """The path of a folder, typed or picked."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__()
        self._what = what
        self.line, self.button = QLineEdit(), QPushButton("Browse…")
        self.line.setPlaceholderText(hint)
        self.line.setAccessibleName(what)
        self.button.clicked.connect(self._browse)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.line, stretch=1)
        row.addWidget(self.button)

    @property
    def path(self) -> Path:
        """The folder; an empty path where none is named."""
        return Path(self.line.text().strip()).expanduser()

    def _browse(self) -> None:
        found = QFileDialog.getExistingDirectory(self, self._what, self.line.text())
        if found:
            self.line.setText(found)


class ReportForm(QWidget):
    """Everything that is chosen before the button is pressed."""

    chosen = Signal()

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self._viewer = viewer
        self.mask_choice, self.rule, self.subject = OfferBox(), QComboBox(), QLineEdit()
        for words, plan in RULES.items():
            self.rule.addItem(words, plan)
        self.rule.setToolTip(
            "What is measured: all that the tab Measure asks for, or lesions judged by a rule set of sizes"
        )
        self._known = Preferences()
        self.prefer(preferences())
        self.subject.setPlaceholderText("pseudonym; default: from the image")
        self.folder = FolderLine("Folder of the report", "a new folder")
        self.views = ViewBoxes()
        self.windowed = QCheckBox("Pictures with the grey window of the image layers")
        self.windowed.setChecked(True)
        self.replace = QCheckBox("Replace an earlier report in this folder")
        form = QFormLayout()
        form.addRow("Mask", self.mask_choice)
        form.addRow("Rule set", self.rule)
        form.addRow("Subject", self.subject)
        form.addRow("Folder", self.folder)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        for part in (self.views, self.windowed, self.replace):
            layout.addWidget(part)
        self.mask_choice.currentIndexChanged.connect(self._show_obstacles)

    def prefer(self, known: Preferences) -> None:
        """Take over the rule set of the preferences; another one that was chosen here stays."""
        if self.rule.currentText() == self._known.rule:
            self.rule.setCurrentText(known.rule)
        self._known = known

    @property
    def has_mask(self) -> bool:
        """Whether there is a mask to report on."""
        return bool(self.mask_choice.count())

    def refresh(self) -> None:
        """Offer the masks that there are now, the one in hand first."""
        self.mask_choice.offer(mask_names(self._viewer), mask_in_hand(self._viewer))
        self._show_obstacles()

    def ask(self) -> Asked:
        """The report that is asked for, of what the window shows now.

        Raises
        ------
        InputError
            If something is not chosen yet, or can't be had.
        """
        return ask_report(
            self._viewer,
            self.mask_choice.currentData(),
            self.folder.path,
            views=(self.views.views, self.views.kinds),
            plan=self.rule.currentData(),
            subject=self.subject.text().strip() or None,
            windowed=self.windowed.isChecked(),
            force=self.replace.isChecked(),
        )

    def _show_obstacles(self, _index: int = 0) -> None:
        self.views.show_obstacles(obstacles_now(self._viewer, self.mask_choice.currentData()))
        self.chosen.emit()
