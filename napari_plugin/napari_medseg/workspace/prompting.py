"""Prompting: which object is pointed at, on which side, and all that was said so far."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from psygnal import Signal

from medseg.domain import Prompts

__all__ = ["TOOLS", "Prompting", "Tool"]

Tool: TypeAlias = Literal["point", "box", "scribble", "lasso"]
#: Key → what it draws with.
TOOLS: dict[str, Tool] = {"p": "point", "b": "box", "s": "scribble", "l": "lasso"}


@dataclass(eq=False)
class Prompting:
    """What the next prompt says beside its place.

    Parameters
    ----------
    label
        Object that it is of: 1, 2, …
    inside
        Whether it lies in the object.
    tool
        What is drawn with; None while nothing is.
    depth_mm
        Depth of a box; 0 draws it by two rectangles, one on its first and one on its last slice.
    width_mm
        Of a scribble.
    start
        Prompts that a mask was turned into, to start from; they come before what is drawn.
    """

    label: int = 1
    inside: bool = True
    tool: Tool | None = None
    depth_mm: float = 20.0
    width_mm: float = 3.0
    start: Prompts = field(default_factory=Prompts)

    #: What the next prompt says is another thing now.
    changed = Signal()

    def flip(self) -> None:
        """To the other side."""
        self.inside = not self.inside
        self.changed.emit()

    def next_object(self, given: Prompts) -> None:
        """On to the object after all that have prompts; what is drawn next lies inside it."""
        self.label = max(labels_of(given), default=0) + 1
        self.inside = True
        self.changed.emit()

    def choose(self, tool: Tool | None) -> None:
        """Take up a tool."""
        self.tool = tool
        self.changed.emit()

    def begin(self, start: Prompts) -> None:
        """Start from what a mask says."""
        self.start = start
        self.label, self.inside = min(labels_of(start), default=1), True
        self.changed.emit()

    def whole(self, drawn: Prompts) -> Prompts:
        """What a segmenter is given: what came from a mask, and what was drawn."""
        start = self.start
        return Prompts(
            (*start.points, *drawn.points), (*start.boxes, *drawn.boxes), (*start.strokes, *drawn.strokes)
        )


def labels_of(prompts: Prompts) -> set[int]:
    """Objects that some prompt says where to find."""
    points = {item.label for item in prompts.points if item.positive}
    strokes = {item.label for item in prompts.strokes if item.positive}
    return points | strokes | {item.label for item in prompts.boxes}
