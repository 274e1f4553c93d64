"""Lines of an SR: which measured spans belong together, and where they are drawn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from medseg.domain import Measurement, Quantity
from medseg.geometry import flip_positions
from medseg.io.dicom.derived.origin import Origin, series_slice

__all__ = ["Line", "coordinates", "lines_of"]

Tool: TypeAlias = Literal["Bidirectional", "Length"]
#: A tracking identifier that begins so is drawn by Cornerstone's tool of that name: `cornerstone3DTag.js` and
#: `BaseAdapter3D.js` of @cornerstonejs/adapters 5.6.8.
_TAG = "Cornerstone3DTools@^0.1.0"
#: Cornerstone's `imageToWorldCoords` multiplies columns by the spacing of rows and rows by that of columns
#: (cornerstone3D issue 2758), so pixel coordinates are placed rightly only where both are the same to this.
_SQUARE = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One drawing: a long axis with its short axis, or a single span."""

    tool: Tool
    items: tuple[Measurement, ...]

    @property
    def identifier(self) -> str:
        """The tracking identifier by which a viewer knows its tool."""
        return f"{_TAG}:{self.tool}"

    @property
    def role(self) -> str:
        """What tells this drawing from others of the same structure."""
        return "axes" if self.tool == "Bidirectional" else self.items[0].quantity.value


def lines_of(spans: Sequence[Measurement]) -> Iterator[Line]:
    """The long axis with the short one of its plane first, then every other span by itself."""
    short = {item.plane: item for item in spans if item.quantity is Quantity.SHORT_DIAMETER}
    taken: set[int] = set()
    for item in spans:
        if item.quantity is Quantity.LONGEST_DIAMETER and item.plane in short:
            pair = (item, short[item.plane])
            taken |= {id(one) for one in pair}
            yield Line("Bidirectional", pair)
    for item in spans:
        if id(item) not in taken:
            yield Line("Length", (item,))


def coordinates(line: Line, origin: Origin, sources: Sequence[Any]) -> list[Any]:
    """A polyline for each span of a line: pixels of the slice that they all lie in, else LPS mm.

    `sources` are the images as the SR refers to them: one for a slice, or one of many frames.
    """
    from highdicom.sr import CoordinatesForMeasurement, CoordinatesForMeasurement3D, SourceImageForRegion

    ends = [np.array(item.points_mm, np.float64) for item in line.items]
    k = series_slice(np.concatenate(ends), origin) if _is_square(origin) else None
    if k is None:
        uid = str(sources[0].FrameOfReferenceUID)
        return [CoordinatesForMeasurement3D("POLYLINE", flip_positions(points), uid) for points in ends]
    number, frame = origin.slices[k]
    image = sources[number if origin.is_multiframe else k]
    found = []
    for points in ends:
        # The first pixel's outer corner is 0\0, and its centre 0.5\0.5 (PS3.3 C.18.6.1.2).
        pixels = origin.grid.to_index(points)[:, :2] + 0.5
        frames = [frame + 1] if origin.is_multiframe else None
        reference = SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID, frames)
        found.append(CoordinatesForMeasurement("POLYLINE", pixels, reference))
    return found


def _is_square(origin: Origin) -> bool:
    across, down, _ = origin.grid.spacing
    return abs(across - down) <= _SQUARE * across
