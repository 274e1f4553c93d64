"""Pictures of a comparison: Bland–Altman plots, and the slice where two masks differ most."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from medseg.domain import Image, Label, LabelTable, Segmentation
from medseg.geometry import order_to
from medseg.reporting.comparison.cases import Compared
from medseg.reporting.comparison.sentences import pair_words
from medseg.reporting.extras import Picture
from medseg.reporting.pictures.canvas import (
    Canvas,
    show_base,
    show_contours,
    show_letters,
    show_scale,
    show_text,
)
from medseg.reporting.pictures.palette import outline, swatch
from medseg.reporting.pictures.scene import make_scene
from medseg.reporting.pictures.window import choose_window
from medseg.reporting.planes import acquired_plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LEGEND", "AgreementPlot", "draw_agreement", "draw_pair", "draw_worst"]

_MM_PER_INCH, _DPI = 25.4, 160
_PLOT_MM, _MOST_PLOTS = (92.0, 58.0), 4
#: Of a single pair, which has the page for itself, and of one of many.
_CELL, _SMALL_CELL = (86.0, 70.0), (52.0, 43.0)
_POINT, _LINE, _INK = "#0072B2", "#D55E00", "#1a1d21"
_BOTH = LabelTable((Label(1, "reference"), Label(2, "prediction")))
#: Differences that all lie within this (ml) are one value and rounding; the axis must not show the rounding.
_NO_SPREAD = 1e-9
#: Whose outline has which colour and line.
LEGEND = tuple((label.name, swatch(_BOTH, label.value)) for label in _BOTH.labels)


@dataclass(frozen=True, slots=True)
class AgreementPlot:
    """Paired values of one structure in `unit`, with bias, limits and the interval of each."""

    name: str
    first: tuple[float, ...]
    second: tuple[float, ...]
    lines: tuple[float, float, float]
    intervals: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    unit: str = "ml"


def draw_agreement(plots: Sequence[AgreementPlot]) -> Picture:
    """Bland–Altman plots side by side, of four structures at most: difference against mean, bias, limits.

    Each line has the band of its interval. `lines` are the lower limit, the bias and the upper limit.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = plots[:_MOST_PLOTS]
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    size = columns * _PLOT_MM[0] / _MM_PER_INCH, rows * _PLOT_MM[1] / _MM_PER_INCH
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    for number, plot in enumerate(shown, start=1):
        _bland_altman(figure.add_subplot(rows, columns, number), plot)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=_DPI, metadata={"Software": None})
    more = "" if len(plots) <= len(shown) else f" {len(shown)} of {len(plots)} structures, the largest."
    caption = (
        "Bland–Altman: prediction − reference against their mean, a dot per case; bias (solid) and limits of "
        f"agreement (dashed), each with its 95 % interval.{more}"
    )
    return Picture("agreement", data.getvalue(), caption)


def _bland_altman(axes: "Axes", plot: AgreementPlot) -> None:
    first, second = np.array(plot.first), np.array(plot.second)
    axes.axhline(0, color="#9aa1ab", linewidth=0.6)
    for value, (low, high), style in zip(plot.lines, plot.intervals, ("--", "-", "--"), strict=True):
        axes.axhspan(low, high, color=_LINE, alpha=0.12, linewidth=0)
        axes.axhline(value, color=_LINE, linestyle=style, linewidth=0.9)
        axes.annotate(
            f"{value:+.3g}".replace("-", "−"),
            (1.0, value),
            xycoords=("axes fraction", "data"),
            xytext=(2, 0),
            textcoords="offset points",
            fontsize=6,
            va="center",
            color=_INK,
        )
    axes.plot((first + second) / 2, first - second, "o", color=_POINT, markersize=2.8, alpha=0.75)
    if np.ptp([*(first - second), *plot.lines]) < _NO_SPREAD:
        axes.set_ylim(plot.lines[1] - 1, plot.lines[1] + 1)
    axes.set_title(_plain(plot.name), fontsize=7.5, loc="left")
    axes.set_xlabel(f"mean of both, {plot.unit}", fontsize=6.5)
    axes.set_ylabel(f"prediction − reference, {plot.unit}", fontsize=6.5)
    axes.tick_params(labelsize=6)
    axes.spines[["top", "right"]].set_visible(False)


def _plain(text: str) -> str:
    """Text in which matplotlib finds no formula."""
    return text.replace("$", r"\$")


def draw_worst(prediction: Segmentation, reference: Segmentation, image: Image | None = None) -> Picture:
    """The slice where one structure differs by most voxels: without and with both outlines, or of the masks alone.

    The structure is the one whose masks differ by most voxels; of masks that agree everywhere its largest section
    is shown. `image` may lie on another grid of the same space.
    """
    value = _most_different(prediction, reference)
    table = reference.table if value in reference.table.values else prediction.table
    png, words = _both_outlines(prediction, reference, (value,), image, _CELL)
    return Picture("worst", png, f"{table.name_of(value)}: {words}.")


def draw_pair(
    prediction: Segmentation, reference: Segmentation, item: Compared, image: Image | None = None
) -> Picture:
    """The same of a named structure of one of many pairs; the numbers of the caption are those of its rows."""
    png, words = _both_outlines(prediction, reference, item.labels, image, _SMALL_CELL)
    caption = " ".join(f"{text[0].upper()}{text[1:]}." for text in ("; ".join(item.why), words) if text)
    caption = f"{pair_words(item)}. {caption}"
    return Picture(f"worst {item.case} {item.name}", png, caption)


def _both_outlines(
    prediction: Segmentation,
    reference: Segmentation,
    labels: tuple[int, ...],
    image: Image | None,
    cell: tuple[float, float],
) -> tuple[bytes, str]:
    """(PNG, what it shows) of the slice where the masks of some labels differ by most voxels."""
    ours, theirs = prediction.mask(*labels), reference.mask(*labels)
    either = replace(
        reference,
        labels=(ours | theirs).astype(np.uint8),
        table=_BOTH,
        instances=None,
        probabilities=None,
    )
    scene = make_scene(either, {} if image is None else {image.channel: image})
    order = order_to(reference.grid, "LPS")
    ours, theirs = order.apply(ours), order.apply(theirs)
    plane = acquired_plane(scene)
    differs = ours ^ theirs
    index = scene.largest_section(plane, differs if differs.any() else ours | theirs)
    window = None if scene.base is None else choose_window(scene.base)
    box = scene.view_box(plane, scene.labels > 0, cell[0] / cell[1])
    canvas = Canvas(2, 1, cell)
    for number in range(2):
        axes = canvas.cell(number)
        show_base(axes, scene, plane, index, (window, box))
        show_letters(axes, scene, plane)
        show_scale(axes, box, scene.grid.unit)
        if number or window is None:
            for mask, label in ((theirs, 1), (ours, 2)):
                if number or label == 1:
                    flat = np.where(np.moveaxis(mask, plane.axis, 0)[index].T, label, 0).astype(np.uint8)
                    show_contours(axes, scene, plane, flat)
    _legend(canvas.figure.axes[1])
    first = "image" if window is not None else "reference"
    text = "mask only, no image was given" if window is None else window.text
    where = "where they differ by most voxels" if differs.any() else "the largest section of masks that agree"
    return (
        canvas.png(),
        f"{first} alone, and with both outlines; {scene.slice_name(plane, index)}, {where}; {text}",
    )


def _most_different(prediction: Segmentation, reference: Segmentation) -> int:
    """Label whose masks differ by most voxels, counted in one pass; ties and no difference: the largest one."""
    apart = prediction.labels != reference.labels
    top = int(max(prediction.labels.max(), reference.labels.max(), 1)) + 1
    counts = sum(np.bincount(item.labels[apart], minlength=top) for item in (prediction, reference))
    if not apart.any():
        counts = np.bincount(reference.labels.ravel(order="K"), minlength=top)
    counts = np.array(counts)
    counts[0] = -1
    return int(counts.argmax())


def _legend(axes: "Axes") -> None:
    for value, name, y in ((1, "reference", 0.985), (2, "prediction", 0.935)):
        show_text(axes, (0.99, y), name, ha="right", va="top", color=outline(_BOTH, value)[0], weight="bold")
