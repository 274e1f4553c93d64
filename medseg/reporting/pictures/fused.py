"""PET in colour over a grey image: a check of alignment, with the scale of uptake."""

import numpy as np

from medseg.reporting.extras import Picture
from medseg.reporting.numbers import unit_text
from medseg.reporting.pictures.canvas import (
    Canvas,
    nice_length,
    show_contours,
    show_letters,
    show_scale,
    show_slice,
    show_text,
)
from medseg.reporting.pictures.scene import Box, Scene, ScenePlane, Values
from medseg.reporting.pictures.window import Window

__all__ = ["draw_fused"]

_COLOURS = "inferno"
#: Opacity where uptake reaches the top of the scale; it fades with uptake, so that anatomy shows through.
_OPACITY = 0.75


def draw_fused(
    scene: Scene, plane: ScenePlane, index: int, look: tuple[Window, Box], cell_mm: tuple[float, float]
) -> Picture:
    """One slice of the scene's PET over its grey image, with contours and a colour scale."""
    from matplotlib import colormaps

    assert scene.pet is not None  # noqa: S101 - the caller asked
    assert scene.base is not None  # noqa: S101
    window, box = look
    values = scene.values_on(scene.pet, plane, index)
    top = _top(values)
    canvas = Canvas(1, 1, cell_mm)
    axes = canvas.cell(0)
    show_slice(axes, scene, plane, scene.values_on(scene.base, plane, index), look)
    share = np.clip(np.nan_to_num(values) / top, 0, 1)
    colours = colormaps[_COLOURS](share)
    colours[..., 3] = _OPACITY * np.sqrt(share) * np.isfinite(values)
    left, right, upper, lower = scene.frame(plane)
    axes.imshow(
        colours,
        extent=(left, right, lower, upper),
        origin="upper" if plane.rows_down else "lower",
        aspect="equal",
    )
    axes.set_xlim(box[0], box[1])
    axes.set_ylim(box[3], box[2])
    show_contours(axes, scene, plane, scene.labels_on(plane, index))
    show_letters(axes, scene, plane)
    show_scale(axes, box, scene.grid.unit)
    _show_bar(canvas, top, unit_text(scene.pet.value_unit))
    over = _name(scene.base.modality, scene.base.channel)
    under = ""
    if scene.is_resampled(scene.pet):
        under = "; PET interpolated to the mask's grid for display only"
    caption = (
        f"Check image: PET over {over}, {scene.slice_name(plane, index)}, "
        f"0–{top:g} {unit_text(scene.pet.value_unit)}, {window.text}{under}. "
        "A shared space does not prove alignment."
    )
    return Picture("fused", canvas.png(), caption)


def _top(values: Values) -> float:
    """A round number at or above the slice's largest value."""
    largest = float(np.nanmax(values, initial=0.0)) if np.isfinite(values).any() else 0.0
    if largest <= 0:
        return 1.0
    step = nice_length(largest / 4)
    return float(np.ceil(largest / step) * step)


def _show_bar(canvas: Canvas, top: float, unit: str) -> None:
    bar = canvas.figure.add_axes((0.93, 0.3, 0.025, 0.4))
    bar.imshow(np.linspace(0, 1, 128)[:, None], cmap=_COLOURS, origin="lower", aspect="auto")
    bar.set_axis_off()
    for place, value in ((0.0, 0.0), (1.0, top)):
        show_text(bar, (-0.3, place), f"{value:g}", ha="right", va="center")
    show_text(bar, (1.0, 1.12), unit, ha="right", va="bottom", fontsize=5.0)


def _name(modality: str | None, channel: str) -> str:
    return modality or channel.upper()
