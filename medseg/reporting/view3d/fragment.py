"""The 3D view of a page: smoothed surfaces and a viewer in one fragment of HTML that needs no network."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from medseg.domain import Grid, Segmentation
from medseg.masks.surfaces import Surface, smoothed, surfaces_of, thinned, volume_change
from medseg.reporting.pictures.palette import outline

__all__ = ["ShownSurface", "no_view3d", "shown_surfaces", "view3d", "view3d_html"]

#: Triangles of all labels together: about 0.8 MB in the page, and smooth turning without a graphics card.
MOST_TRIANGLES = 60_000
#: No label gets fewer than this, however small its share.
FEWEST_TRIANGLES = 200
#: A mesh this many times finer than what is shown is thinned before smoothing too, which saves time only.
_MUCH_FINER = 8
#: A change of the volume beyond this share is told.
_TOLD = 0.01
_FILTER_FROM = 9
#: Ends of x, y, z, the upper one first.
_LETTERS = ("R", "L", "A", "P", "S", "I")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_LOOKS = (("From the front", 0, 0), ("From the left", -90, 0), ("From above", 0, 90))


@dataclass(frozen=True, slots=True, eq=False)
class ShownSurface:
    """One label as the 3D view shows it.

    Parameters
    ----------
    name, color
        For the list; `#rrggbb`.
    surface
        Smoothed and thinned.
    change
        Its volume against that of the measured mesh, as a share; None without a volume.
    """

    name: str
    color: str
    surface: Surface
    change: float | None = None

    def __post_init__(self) -> None:
        if not _COLOUR.fullmatch(self.color):
            raise ValueError(f"a colour is #rrggbb, not {self.color!r}")


def no_view3d(grid: Grid) -> str | None:
    """Why masks on this grid are not shown in 3D, as a sentence; None if they are."""
    if grid.unit != "mm":
        return "No 3D view: this mask is measured in pixels and has no depth in mm."
    if grid.is_sheared:
        return "No 3D view: the slices are sheared (a tilted gantry), and shapes would look skewed."
    if min(grid.shape) == 1:
        return "No 3D view: the mask is a single slice."
    return None


def view3d(segmentation: Segmentation, colours: Mapping[int, str] | None = None) -> Markup:
    """The 3D view of every label that occurs, or the sentence why there is none."""
    reason = no_view3d(segmentation.grid)
    if reason is None and not segmentation.present:
        reason = "No 3D view: the mask is empty."
    if reason is not None:
        return Markup('<p class="missing">{}</p>').format(reason)
    letters = _LETTERS if segmentation.grid.orientation_known else ()
    return view3d_html(shown_surfaces(segmentation, colours), letters=letters)


def shown_surfaces(
    segmentation: Segmentation, colours: Mapping[int, str] | None = None, *, most: int = MOST_TRIANGLES
) -> tuple[ShownSurface, ...]:
    """Every label that occurs as a surface for looking: smoothed, then thinned to a share of `most` triangles.

    Parameters
    ----------
    segmentation
        In mm.
    colours
        `#rrggbb` by label value; the rest get the colour of their outline.
    most
        Triangles of all labels together, as far as each keeps 200; shared by the root of the area.
    """
    meshes = dict(surfaces_of(segmentation))
    weights = {value: float(np.sqrt(mesh.area_mm2)) for value, mesh in meshes.items()}
    total = sum(weights.values())
    chosen = {**_colours(segmentation), **(colours or {})}
    names = {label.value: label.name for label in segmentation.table.labels}
    shown = []
    for value, mesh in meshes.items():
        share = max(FEWEST_TRIANGLES, int(most * weights[value] / total))
        surface = thinned(smoothed(thinned(mesh, _MUCH_FINER * share)), share)
        shown.append(ShownSurface(names[value], chosen[value], surface, volume_change(mesh, surface)))
    return tuple(shown)


def view3d_html(shown: Sequence[ShownSurface], *, letters: Sequence[str] = _LETTERS) -> Markup:
    """The viewer with its controls, data and script; names are escaped, nothing is fetched.

    Parameters
    ----------
    shown
        Surfaces in the order of the list.
    letters
        Signs at the upper and lower ends of x, y and z; empty where the orientation is not known.
    """
    data = {"labels": [_packed(number, item) for number, item in enumerate(shown)], "letters": list(letters)}
    rows = Markup("").join(_row(number, item) for number, item in enumerate(shown))
    # "<" can't stand in a script tag that holds a name with "</script>".
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return Markup(_FRAGMENT).format(  # noqa: S704 - a constant; format escapes what is not Markup
        css=_asset("view3d.css"),
        rows=rows,
        tools=_tools(len(shown)),
        note=_note(shown, letters),
        data=Markup(text),  # noqa: S704 - numbers, base64 and checked colours; "<" replaced above
        script=_asset("view3d.js"),
    )


_FRAGMENT = """<style>{css}</style>
<div class="v3d-print">The 3D view is in the HTML file of this report.</div>
<div class="view3d" data-state="waiting">
<div class="v3d-stage" tabindex="0" role="application" \
aria-label="3D view of the labels. Arrow keys turn, plus and minus zoom, R resets.">
<button type="button" class="v3d-start">Show the 3D view</button></div>
<div class="v3d-side">{tools}<ul class="v3d-list">{rows}</ul></div>
<p class="note v3d-note">{note}</p>
<noscript><p class="note">The 3D view needs JavaScript; the pictures and numbers are complete without it.</p></noscript>
<script type="application/json" class="v3d-data">{data}</script>
<script>{script}</script>
</div>
"""


def _tools(count: int) -> Markup:
    looks = Markup("").join(
        Markup('<button type="button" data-act="look {} {}">{}</button>').format(
            round(np.radians(azimuth), 6), round(np.radians(elevation), 6), title
        )
        for title, azimuth, elevation in _LOOKS
    )
    parts = [
        Markup(
            '<div class="v3d-buttons">{}<button type="button" data-act="reset">Reset</button></div>'
        ).format(looks),
        Markup(
            '<label class="v3d-slide">Opacity <input type="range" class="v3d-opacity" min="10" max="100" '
            'step="5" value="100" autocomplete="off"></label>'
        ),
    ]
    if count > 1:
        parts.append(
            Markup(
                '<div class="v3d-buttons"><button type="button" data-act="all">Show listed</button>'
                '<button type="button" data-act="none">Hide listed</button></div>'
            )
        )
    if count >= _FILTER_FROM:
        parts.append(
            Markup(
                '<input type="search" class="v3d-filter" placeholder="Filter {} labels" '
                'aria-label="Filter labels by name" autocomplete="off">'
            ).format(count)
        )
    return Markup("").join(parts)


def _row(number: int, item: ShownSurface) -> Markup:
    return Markup(
        '<li data-id="{}"><label><input type="checkbox" checked autocomplete="off">'
        '<span class="v3d-swatch" style="background:{}"></span>{}</label></li>'
    ).format(number, item.color, item.name)


def _note(shown: Sequence[ShownSurface], letters: Sequence[str]) -> Markup:
    changed = [
        f"{item.name} {100 * item.change:+.1f} %".replace("-", "−")
        for item in shown
        if item.change is not None and abs(item.change) > _TOLD
    ]
    text = (
        "Surfaces are smoothed for looking; every number of this report comes from the voxels. "
        "Click the view, then drag to turn, use the wheel to zoom, Shift and drag to move; or arrow keys, + and −, R."
    )
    if changed:
        text += f" Smoothing and thinning changed volumes by more than 1 %: {', '.join(changed)}."
    if not letters:
        text += " The file does not say how its axes lie in the patient, so the box has no letters."
    return escape(text)


def _packed(number: int, item: ShownSurface) -> dict[str, Any]:
    """Vertices as 16-bit steps in the box of the label, indices as small as they can be, both base64."""
    vertices, triangles = item.surface.vertices, item.surface.triangles
    low = vertices.min(axis=0) if len(vertices) else np.zeros(3)
    extent = vertices.max(axis=0) - low if len(vertices) else np.zeros(3)
    step = np.where(extent > 0, extent, 1.0) / 65535
    wide = len(vertices) > 65536
    return {
        "id": number,
        "color": item.color,
        "low": low.round(6).tolist(),
        "step": step.tolist(),
        "wide": wide,
        "vertices": _base64(np.rint((vertices - low) / step).astype("<u2")),
        "triangles": _base64(triangles.astype("<u4" if wide else "<u2")),
    }


def _base64(array: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()


def _colours(segmentation: Segmentation) -> dict[int, str]:
    return {value: outline(segmentation.table, value)[0] for value in segmentation.table.values}


@cache
def _asset(name: str) -> Markup:
    return Markup(files("medseg.reporting.view3d").joinpath(name).read_text("utf-8"))  # noqa: S704 - our own file
