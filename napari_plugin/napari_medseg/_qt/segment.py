"""Segment: a model or a method, its channels and parameters, prompts; the mask comes as a layer."""

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from medseg.domain import Prompts, Segmentation
from medseg.errors import MedsegError
from medseg.workflows.apart import Asked
from napari_medseg._qt.again import AgainChoice
from napari_medseg._qt.channels import ChannelChoice
from napari_medseg._qt.choice import SegmenterChoice
from napari_medseg._qt.form import ParameterForm
from napari_medseg._qt.job import follow, is_alive, jobs_of
from napari_medseg._qt.progress import JobBar
from napari_medseg._qt.prompted import Prompted
from napari_medseg.bridge.placement import Placement
from napari_medseg.bridge.results import earlier_mask, place_result, show_mask
from napari_medseg.workspace.runs import Runs

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["SegmentPanel"]


class SegmentPanel(QWidget):
    """Segmenter, channels, parameters, prompts, run and cancel.

    Parameters
    ----------
    napari_viewer
        The viewer; napari passes it to a parameter of this name only, and lets it do what is public only.
    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.runs = Runs(jobs_of(napari_viewer))
        self.segmenters = SegmenterChoice()
        self.choice = self.segmenters.choice
        self.prompts = Prompted(self)
        self.again = AgainChoice()
        self.job_bar = JobBar(self.runs.jobs)
        self.run_button = QPushButton("Segment")
        self.run_button.setToolTip("Find the structure; the window stays alive meanwhile")
        self.run_button.clicked.connect(self.start)
        self.message = QLabel(wordWrap=True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.message.setAccessibleName("message")
        self._choosable, self._parameters = QVBoxLayout(), QVBoxLayout()
        self._arrange()
        follow(self.runs.jobs, self._show_running)
        self.segmenters.chosen.connect(self._choose)
        self._choose()

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("For research use; not a medical device."))
        layout.addWidget(self.segmenters)
        layout.addLayout(self._choosable)
        layout.addWidget(self.prompts.tools)
        layout.addLayout(self._parameters)
        for part in (self.run_button, self.job_bar, self.again, self.message):
            layout.addWidget(part)
        layout.addStretch(1)

    def _choose(self) -> None:
        """Show what the chosen segmenter needs."""
        for part in (self._choosable, self._parameters):
            place = part.takeAt(0)
            if place is not None and (old := place.widget()) is not None:
                old.hide()  # deleting waits for the event loop; until then it would lie over the new one
                old.deleteLater()
        spec = self.segmenter.spec
        self.channels = ChannelChoice(self.viewer, spec)
        self.form = ParameterForm(self.segmenter.Params)
        self._choosable.addWidget(self.channels)
        self._parameters.addWidget(self.form)
        self.prompts.tools.setVisible(self.takes_prompts)

    @property
    def segmenter(self) -> Any:
        """The one chosen."""
        return self.segmenters.segmenter

    @property
    def takes_prompts(self) -> bool:
        """Whether the one chosen can be pointed at things."""
        return bool(self.segmenter.spec.needs_prompts or self.segmenter.spec.near_prompts)

    def asked(self, prompts: Prompts | None = None) -> tuple[Asked, dict[str, Placement]]:
        """What is to be done as it stands in the panel, and where its images lie.

        Raises
        ------
        InputError
            If something is missing.
        """
        images, places = self.channels.inputs()
        declared = self.channels.same_space.isChecked()
        return Asked(self.segmenter, images, self.form.values(), prompts, None, declared), places

    def start(self) -> None:
        """Run beside the window; a segmenter that is pointed at things gets what was drawn."""
        self.again.drop()
        if self.takes_prompts and self.prompts.start():
            return
        try:
            asked, places = self.asked()
        except MedsegError as error:
            self.say(str(error))
            return
        self.say("")
        self.runs.segment(asked, partial(self._came, tuple(places.values())), self.say)

    def stop(self) -> None:
        """Stop what is running, if anything is."""
        self.runs.jobs.cancel()

    def say(self, text: str) -> None:
        """Tell the user, if the window is still there."""
        if is_alive(self):
            self.message.setText(text)

    def shut(self) -> None:
        """Stop, let go of keys and of what was lent, and of itself: nothing of it stays in the window."""
        self.stop()
        self.runs.close()
        self.prompts.close()
        self.deleteLater()

    def changeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """A panel taken out of its dock is shut: napari's way to close one."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.shut()
        super().changeEvent(event)

    def _came(self, places: tuple[Placement, ...], mask: Segmentation) -> None:
        self.say("\n".join(finding.message for finding in mask.findings))
        before = earlier_mask(self.viewer, mask)
        if before is None:
            show_mask(self.viewer, mask, places)
        else:
            self.again.ask(
                before.name, lambda way: self.say(place_result(self.viewer, before, mask, places, way))
            )

    def _show_running(self) -> None:
        self.run_button.setEnabled(self.runs.jobs.working is None)
