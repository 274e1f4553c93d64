"""Drawing one slice on a black canvas: true proportions, letters, scale bar, contours; and PNG bytes of it."""

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medseg.reporting.pictures.palette import outline
from medseg.reporting.pictures.scene import Box, Scene, ScenePlane, Values
from medseg.reporting.pictures.window import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Canvas", "nice_length"]

_MM_PER_INCH = 25.4
_DPI = 180
#: A picture that comes out larger is drawn again with fewer dots.
_MAX_BYTES = 150_000
_MIN_DPI = 60
_COLOURS = 256
_FONT = 6.0
#: Brightness (of 255) up to which a colour is dark (weights of ITU-R BT.601).
_DARK = 100


class Canvas:
    """A figure of equal cells in a row or grid, in mm on paper.

    Parameters
    ----------
    columns, rows
        Number of cells.
    cell_mm
        Width and height of one cell on paper.
    """

    def __init__(self, columns: int, rows: int, cell_mm: tuple[float, float]) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.columns, self.rows = columns, rows
        size = columns * cell_mm[0] / _MM_PER_INCH, rows * cell_mm[1] / _MM_PER_INCH
        self.figure: Figure = Figure(figsize=size, dpi=_DPI, facecolor="black")
        FigureCanvasAgg(self.figure)

    def cell(self, number: int) -> "Axes":
        """Empty axes that fill one cell, with a hair of black between neighbours."""
        row, column = divmod(number, self.columns)
        gap = 0.004
        axes = self.figure.add_axes(
            (
                column / self.columns + gap,
                1 - (row + 1) / self.rows + gap,
                1 / self.columns - 2 * gap,
                1 / self.rows - 2 * gap,
            )
        )
        axes.set_axis_off()
        return axes

    def png(self) -> bytes:
        """PNG with at most 256 colours and 150 kB; the same drawing gives the same bytes."""
        dpi = _DPI
        while True:
            data = _encode(self.figure, dpi)
            if len(data) <= _MAX_BYTES or dpi <= _MIN_DPI:
                return data
            shrink = min(0.8, 0.95 * math.sqrt(_MAX_BYTES / len(data)))
            dpi = max(_MIN_DPI, int(dpi * shrink))


def show_slice(
    axes: "Axes", scene: Scene, plane: ScenePlane, values: Values, look: tuple[Window, Box]
) -> None:
    """Grey values in a window, in true proportions; what holds no voxel is black."""
    window, box = look
    left, right, top, bottom = scene.frame(plane)
    axes.imshow(
        np.ma.masked_invalid(values),
        cmap="gray",
        vmin=window.low,
        vmax=window.high,
        extent=(left, right, bottom, top),
        origin="upper" if plane.rows_down else "lower",
        interpolation="antialiased",
        aspect="equal",
    )
    axes.set_xlim(box[0], box[1])
    axes.set_ylim(box[3], box[2])


def show_base(
    axes: "Axes", scene: Scene, plane: ScenePlane, index: int, look: tuple[Window | None, Box]
) -> None:
    """The scene's grey image in one slice; black where no image was given."""
    window, box = look
    if scene.base is None or window is None:
        flat: Values = np.zeros_like(scene.labels_on(plane, index), dtype=np.float64)
        show_slice(axes, scene, plane, flat, (Window(0, 1, "1", ""), box))
        return
    show_slice(axes, scene, plane, scene.values_on(scene.base, plane, index), (window, box))


def show_line(axes: "Axes", scene: Scene, plane: ScenePlane, points: Values, style: str) -> None:
    """A line through (N, 3) display indices, as seen in the plane: white with a dark edge."""
    from matplotlib.patheffects import Normal, Stroke

    x, y = (points[:, axis] * scene.grid.spacing[axis] for axis in (plane.column, plane.row))
    edge = [Stroke(linewidth=2.2, foreground="black"), Normal()]
    axes.plot(x, y, color="white", linewidth=1.1, linestyle=style, path_effects=edge, solid_capstyle="butt")


def show_contours(axes: "Axes", scene: Scene, plane: ScenePlane, labels: NDArray[np.unsignedinteger]) -> None:
    """Outline of each label along voxel edges, midway between voxel centres; closed at the image's edge."""
    from matplotlib.patheffects import Normal, Stroke

    for value in (int(value) for value in np.unique(labels) if value):
        colour, style = outline(scene.table, value)
        found = labels == value
        used = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
        (top, bottom), (left, right) = ((int(ends[0]), int(ends[-1]) + 1) for ends in used)
        mask = np.pad(found[top:bottom, left:right], 1).astype(np.float64)
        columns = (np.arange(mask.shape[1]) - 1 + left) * scene.grid.spacing[plane.column]
        rows = (np.arange(mask.shape[0]) - 1 + top) * scene.grid.spacing[plane.row]
        lines = axes.contour(
            columns, rows, mask, levels=[0.5], colors=[colour], linewidths=0.9, linestyles=style
        )
        lines.set_path_effects([Stroke(linewidth=1.8, foreground=_edge(colour), alpha=0.6), Normal()])


def _edge(colour: str) -> str:
    """Black around a light outline, white around a dark one, so that both stand out from any grey."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > _DARK else "white"


def show_letters(axes: "Axes", scene: Scene, plane: ScenePlane) -> None:
    """Signs at the four edges."""
    places = (
        (0.01, 0.5, "left", "center"),
        (0.99, 0.5, "right", "center"),
        (0.5, 0.985, "center", "top"),
        (0.5, 0.015, "center", "bottom"),
    )
    for letter, (x, y, across, along) in zip(scene.letters(plane), places, strict=True):
        show_text(axes, (x, y), letter, ha=across, va=along, weight="bold")


def show_scale(axes: "Axes", box: Box, unit: str) -> None:
    """A bar of a round length at the lower left, with its length."""
    width = abs(box[1] - box[0])
    length = nice_length(width / 3)
    share, x, y = length / width, 0.035, 0.045
    axes.plot([x, x + share], [y, y], color="black", linewidth=2.6, transform=axes.transAxes)
    axes.plot([x, x + share], [y, y], color="white", linewidth=1.4, transform=axes.transAxes)
    show_text(axes, (x, y + 0.03), f"{length:g} {unit}", ha="left", va="bottom")


def show_text(axes: "Axes", place: tuple[float, float], text: str, **style: Any) -> None:
    """White text with a dark edge, readable on any grey; `place` in shares of the axes."""
    from matplotlib.patheffects import Normal, Stroke

    edge = [Stroke(linewidth=1.6, foreground="black"), Normal()]
    style = {"color": "white", "fontsize": _FONT, "transform": axes.transAxes, **style}
    axes.text(*place, text, path_effects=edge, clip_on=False, **style)


def nice_length(longest: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above `longest`.

    >>> [nice_length(length) for length in (61.0, 20.0, 0.7)]
    [50.0, 20.0, 0.5]
    """
    power = 10.0 ** math.floor(math.log10(longest))
    return float(max(step * power for step in (1, 2, 5) if step * power <= longest * (1 + 1e-9)))


def _encode(figure: "Figure", dpi: int) -> bytes:
    from PIL import Image as Picture

    raw, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(raw, format="png", dpi=dpi, facecolor=figure.get_facecolor())
    drawn = Picture.open(raw).convert("RGB")
    drawn.quantize(_COLOURS, dither=Picture.Dither.NONE).save(packed, format="PNG", optimize=True)
    return packed.getvalue()
