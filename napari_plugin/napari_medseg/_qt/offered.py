"""Lists of the masks and images that a window holds: they follow it, and show what is in hand."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox

from napari_medseg._qt.job import is_alive
from napari_medseg.bridge.window import window_of

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["Holdings", "OfferBox"]


class OfferBox(QComboBox):
    """A choice by uid: what a user picked stays as long as it is there, also under a new name."""

    def __init__(self) -> None:
        super().__init__()
        self._own: str | None = None
        self.activated.connect(self._picked)

    @property
    def own(self) -> str | None:
        """The uid that the user picked here; None where none was, or it is gone."""
        return self._own

    def offer(self, names: Mapping[str, str], proposed: str | None) -> None:
        """Offer these names by uid; without a choice of the user's the one proposed is shown, else the first."""
        self._own = self._own if self._own in names else None
        self.blockSignals(True)  # noqa: FBT003 - Qt's signature
        self.clear()
        for uid, name in names.items():
            self.addItem(name, uid)
        self.setCurrentIndex(max(self.findData(self._own or proposed), 0) if names else -1)
        self.blockSignals(False)  # noqa: FBT003

    def _picked(self, _index: int) -> None:
        self._own = self.currentData()


class Holdings(QObject):
    """Tells a panel when masks or images came or went, or another layer is in hand.

    Parameters
    ----------
    viewer
        Of the window.
    panel
        Whose life it shares.
    """

    changed = Signal()

    def __init__(self, viewer: "Viewer", panel: QObject) -> None:
        super().__init__(panel)
        # A layer is told who it is only after the session has it.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.changed)
        events = window_of(viewer).session.events
        for event in (events.mask_added, events.image_added):
            event.connect(self._came)
        for event in (events.mask_removed, events.image_removed):
            event.connect(self._went)
        viewer.layers.selection.events.active.connect(self._came)
        viewer.layers.events.renamed.connect(self._came)

    def _came(self, _what: Any = None) -> None:
        if is_alive(self):
            self._soon.start()

    def _went(self, _uid: str) -> None:
        if is_alive(self):
            self.changed.emit()
