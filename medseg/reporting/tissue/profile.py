"""Area of each tissue by slice position: a plot beside the slices."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Segmentation
from medseg.reporting.extras import Picture
from medseg.reporting.pictures.canvas import Canvas, show_text
from medseg.reporting.pictures.scene import Scene, ScenePlane

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["colour_of", "display_index", "draw_profile"]

_CELL = (84.0, 60.0)
_UPWARDS = {0: "left", 1: "back", 2: "head"}


def colour_of(tissues: Segmentation, name: str) -> tuple[float, ...]:
    """RGB of a tissue by its title, 0 to 1."""
    label = next(label for label in tissues.table.labels if label.name == name)
    return tuple(part / 255 for part in label.rgb)


def display_index(scene: Scene, plane: ScenePlane, native: int) -> int:
    """Index in display order of a slice's index in the file."""
    last = scene.grid.shape[plane.axis] - 1
    return last - native if scene.order.flipped[plane.axis] else native


def draw_profile(
    scene: Scene, plane: ScenePlane, levels: dict[int, str], tissues: Segmentation
) -> Picture | None:
    """Area of each tissue along the stack, head up; None with fewer than two slices or on a sheared grid.

    Parameters
    ----------
    scene, plane
        As drawn; slices lie across the plane's axis.
    levels
        Display index → name of each slice that is marked.
    tissues
        The map of tissues on the mask's grid.
    """
    colours = scene.order.apply(tissues.labels)
    others = tuple(axis for axis in range(3) if axis != plane.axis)
    used = np.flatnonzero((colours > 0).any(axis=others))
    if used.size < 2 or scene.grid.is_sheared:
        return None
    positions = _positions(scene, plane)
    pixel_cm2 = scene.grid.spacing[others[0]] * scene.grid.spacing[others[1]] / 100
    canvas = Canvas(1, 1, _CELL)
    axes = canvas.figure.add_axes((0.15, 0.16, 0.81, 0.68))
    part = slice(used[0], used[-1] + 1)
    for label in tissues.table.labels:
        areas = np.count_nonzero(colours == label.value, axis=others) * pixel_cm2
        axes.plot(
            areas[part],
            positions[part],
            color=colour_of(tissues, label.name),
            linewidth=1.4,
            marker="o",
            markersize=2.0,
            label=label.name,
        )
    for index, name in levels.items():
        place = positions[index]
        axes.axhline(place, color="white", linewidth=0.6, linestyle="dashed")
        show_text(
            axes,
            (0.995, place),
            name,
            ha="right",
            va="bottom",
            transform=axes.get_yaxis_transform(),
        )
    _dress(axes, scene, plane)
    caption = (
        f"Area of each tissue by slice position, {used.size} slices; dashed: the slice shown. "
        "Counted as in the table, slice by slice."
    )
    return Picture("tissue-profile", canvas.png(), caption)


def _positions(scene: Scene, plane: ScenePlane) -> NDArray[np.float64]:
    """Positions of the slices' middles along the patient's axis in mm; indices where that is not known."""
    index = np.tile((np.array(scene.grid.shape) - 1) / 2, (scene.grid.shape[plane.axis], 1))
    index[:, plane.axis] = np.arange(scene.grid.shape[plane.axis])
    if scene.has_letters:
        world = scene.grid.to_position(index)[:, plane.axis]
        return np.asarray(-world if plane.axis < 2 else world)
    if scene.order.flipped[plane.axis]:
        return np.asarray(scene.grid.shape[plane.axis] - 1 - index[:, plane.axis])
    return index[:, plane.axis]


def _dress(axes: "Axes", scene: Scene, plane: ScenePlane) -> None:
    axes.set_facecolor("black")
    axes.tick_params(colors="white", labelsize=5.5, length=2.0, width=0.5)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("white")
        spine.set_linewidth(0.5)
    axes.grid(color="white", alpha=0.15, linewidth=0.4)
    axes.set_xlim(left=0.0)
    axes.set_xlabel("area (cm²)", color="white", fontsize=6.0)
    letter = "ijk"[scene.order.source[plane.axis]]
    upwards = (
        f"position (mm), towards the {_UPWARDS[plane.axis]} ↑" if scene.has_letters else f"slice {letter}"
    )
    axes.set_ylabel(upwards, color="white", fontsize=6.0)
    axes.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=2,
        fontsize=5.5,
        frameon=False,
        labelcolor="white",
    )
