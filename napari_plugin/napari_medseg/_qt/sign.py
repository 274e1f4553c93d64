"""Signing: the findings that a reader confirms, who signs, and the button."""

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFormLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_medseg._qt.task import TaskRow
from napari_medseg.bridge.preferences import Preferences, preferences
from napari_medseg.workspace.review import Review

__all__ = ["SignBox"]

_FINDING = int(Qt.ItemDataRole.UserRole)
_HEIGHT = 160
_MARKS = {"warning": "⚠", "error": "✖"}


class SignBox(QWidget):
    """View of a review: what is left to confirm, and signing.

    Parameters
    ----------
    review
        Of the window.
    task
        The row in which its work is shown.
    """

    def __init__(self, review: Review, task: TaskRow) -> None:
        super().__init__()
        self._review, self._task = review, task
        self.findings = QListWidget()
        self.findings.setAccessibleName("Findings to confirm")
        self.findings.setToolTip("Tick what you have seen: everything here is to be confirmed before signing")
        self.findings.setWordWrap(True)
        self.findings.setMaximumHeight(_HEIGHT)
        self.findings.itemChanged.connect(self._ticked)
        self.reader, self.organization = QLineEdit(), QLineEdit()
        self._known = Preferences()
        self.key = QLineEdit()
        self.key.setPlaceholderText("none: a digest, which proves nothing about who signed")
        self.key.setToolTip("File of a private Ed25519 key (PEM); made if it is not there")
        self.button = QPushButton("Sign")
        self.button.clicked.connect(self.sign)
        self.bar = QLabel(wordWrap=True)
        form = QFormLayout()
        form.addRow("Reader", self.reader)
        form.addRow("Organisation", self.organization)
        form.addRow("Key file", self.key)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.heading = QLabel(wordWrap=True)
        layout.addWidget(self.heading)
        layout.addWidget(self.findings)
        layout.addLayout(form)
        layout.addWidget(self.button)
        layout.addWidget(self.bar)
        self.reader.textChanged.connect(self._show_bar)
        self.organization.textChanged.connect(self._show_bar)
        task.running.connect(self._show_bar)
        self._shown: tuple[Any, ...] | None = None
        self.prefer(preferences())
        self.refresh()

    def prefer(self, known: Preferences) -> None:
        """Take over what the preferences say; what was typed here stays."""
        for line, was, now in (
            (self.reader, self._known.reader, known.reader),
            (self.organization, self._known.organisation, known.organisation),
        ):
            if line.text() == was:
                line.setText(now)
        self._known = known

    def refresh(self) -> None:
        """Show the findings of the Record that was written last."""
        wanted = self._review.to_confirm
        self.findings.blockSignals(True)  # noqa: FBT003 - Qt's signature
        if wanted != self._shown:
            self._shown = wanted
            self.findings.clear()
            for finding in wanted:
                item = QListWidgetItem(f"{_MARKS[finding.severity]} {finding.message}")
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
                item.setData(_FINDING, finding)
                self.findings.addItem(item)
        for at in range(self.findings.count()):
            item = self.findings.item(at)
            seen = self._review.is_confirmed(item.data(_FINDING))
            item.setCheckState(Qt.CheckState.Checked if seen else Qt.CheckState.Unchecked)
        self.findings.blockSignals(False)  # noqa: FBT003
        self.findings.setVisible(bool(wanted))
        self.heading.setText("Findings to confirm" if wanted else "No findings to confirm.")
        self._show_bar()

    def sign(self) -> None:
        """Check everything again and sign, beside the window."""
        name, organization = self.reader.text(), self.organization.text()
        key = Path(self.key.text().strip()).expanduser() if self.key.text().strip() else None
        self._task.run(
            lambda run: self._review.sign(name=name, organization=organization, key=key, run=run),
            self._review.accept_signed,
        )

    def _ticked(self, item: QListWidgetItem) -> None:
        self._review.confirm(item.data(_FINDING), seen=item.checkState() == Qt.CheckState.Checked)

    def _show_bar(self, _any: Any = None) -> None:
        bar = self._review.bar_to_signing
        if not bar and not (self.reader.text().strip() and self.organization.text().strip()):
            bar = "name the reader and the organisation"
        working = self._task.is_running
        self.bar.setText(bar and f"Not yet: {bar}.")
        self.bar.setVisible(bool(bar))
        self.button.setEnabled(not bar and not working)
