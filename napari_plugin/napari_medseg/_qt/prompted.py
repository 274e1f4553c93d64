"""Prompts and their answers: each one runs by itself, into one mask that follows what is drawn."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Labels

from medseg.domain import Prompts, Segmentation
from medseg.errors import InputError, MedsegError
from napari_medseg._qt.prompt_files import load_prompts, save_prompts
from napari_medseg._qt.prompts import PromptTools
from napari_medseg.bridge.keys import bind_keys, free_keys
from napari_medseg.bridge.layers import segmentation_of
from napari_medseg.bridge.placement import Placement
from napari_medseg.bridge.results import Answer
from napari_medseg.workspace.prompting import Tool, labels_of

if TYPE_CHECKING:
    from napari_medseg._qt.segment import SegmentPanel

__all__ = ["Prompted"]

_KIND = "prompt"


class Prompted:
    """Joins the tools, the panel that knows images and parameters, and the mask that answers."""

    def __init__(self, panel: "SegmentPanel") -> None:
        self.panel = panel
        self.tools = PromptTools(panel.viewer)
        self.answer = Answer(panel.viewer)
        self._asked = 0
        self.tools.taken_up.connect(self.take_up)
        self.tools.asked.connect(self.start)
        self.tools.from_mask.connect(self.start_from_mask)
        self.tools.next.clicked.connect(self.next_object)
        self.tools.save.clicked.connect(lambda: self.save(None))
        self.tools.load.clicked.connect(lambda: self.load(None))
        bind_keys(panel.viewer, self.tools.keys())

    def close(self) -> None:
        """Give back the keys."""
        for where in (self.panel.viewer, *self.panel.viewer.layers):
            free_keys(where, self.tools.keys())

    def take_up(self, tool: Tool) -> None:
        """Draw with this, over the image that is segmented; meanwhile a process gets ready."""
        if not self.panel.takes_prompts:
            self.panel.say(f"{self.panel.segmenter.spec.title} takes no prompts; choose a method that does.")
            return
        with self._told():
            asked, places = self.panel.asked()
            self.tools.prompting.choose(tool)
            self.tools.layers.take_up(tool, self._reference(places))
            bind_keys(self.panel.viewer.layers.selection.active, self.tools.keys())
            if self.panel.runs.jobs.is_idle and self.answer.layer is None:
                self.panel.runs.warm_up(asked, self.panel.say)

    def start(self) -> bool:
        """Answer what is drawn now; False if nothing is and nothing must be."""
        try:
            asked, places = self._given()
        except MedsegError as error:
            self.panel.say(str(error))
            return True
        if asked is None:
            return self.panel.segmenter.spec.needs_prompts and self._say_what_is_missing()
        self._asked += 1
        self.panel.say("")
        place, prompts = self._reference(places), asked.prompts

        def done(found: Segmentation) -> None:
            self._came(found, prompts, place)

        self.panel.runs.segment(asked, done, self._failed, kind=_KIND, key=self._asked)
        return True

    def next_object(self) -> None:
        """Go on with another object; all that was drawn stays."""
        _, places = self.panel.channels.inputs()
        self.tools.prompting.next_object(self._whole(self._reference(places)))

    def start_from_mask(self) -> None:
        """Turn the selected mask into prompts, and let the segmenter find its boundary anew."""
        layer = self.panel.viewer.layers.selection.active

        def done(prompts: Prompts) -> None:
            self.answer.layer = None  # the answer is another mask: the one it came from stays
            self.tools.prompting.begin(prompts)
            self.start()

        with self._told():
            if not isinstance(layer, Labels):
                raise InputError("select the layer of a mask in the list of layers first")
            window = [item.as_layer_data_tuple() for item in self.panel.viewer.layers]
            data, meta, _ = layer.as_layer_data_tuple()
            self.panel.runs.prompts_of(segmentation_of(data, meta, window), done, self.panel.say)

    def save(self, path: Path | None = None) -> None:
        """Write what was given, as the command line reads it."""
        with self._told():
            _, places = self.panel.channels.inputs()
            save_prompts(self._whole(self._reference(places)), self.tools, path)

    def load(self, path: Path | None = None) -> None:
        """Start from prompts that were saved."""
        with self._told():
            found = load_prompts(self.tools, path)
            if found is not None:
                self.tools.prompting.begin(found)
                self.start()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What is refused is told, and nothing is done."""
        try:
            yield
        except MedsegError as error:
            self.panel.say(str(error))

    def _given(self) -> tuple[Any, dict[str, Placement]]:
        """What is asked with the prompts that there are; None where no object has any."""
        _, places = self.panel.channels.inputs()
        prompts = self._whole(self._reference(places))
        if not labels_of(prompts) or self.tools.layers.waits_for_a_face:
            if prompts.is_empty:  # the last one was taken away, and with it the answer
                self.panel.runs.jobs.forget(_KIND)
                self.answer.drop()
            return None, places
        return self.panel.asked(prompts)

    def _say_what_is_missing(self) -> bool:
        waits = self.tools.layers.waits_for_a_face
        text = "Now draw the rectangle on its last slice." if waits else "Draw a prompt inside the object."
        self.panel.say(text)
        return True

    def _whole(self, place: Placement) -> Prompts:
        return self.tools.prompting.whole(self.tools.layers.drawn(place))

    def _reference(self, places: dict[str, Placement]) -> Placement:
        spec = self.panel.segmenter.spec
        return places[spec.reference or spec.channels[0].name]

    def _came(self, found: Segmentation, prompts: Prompts | None, place: Placement) -> None:
        self.panel.say("\n".join(finding.message for finding in found.findings))
        self.answer.show(found, prompts, place)

    def _failed(self, text: str) -> None:
        if self.panel.runs.jobs.working is None:  # else a newer prompt has taken its place
            self.panel.say(text)
