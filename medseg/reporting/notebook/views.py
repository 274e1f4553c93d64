"""An Image, a Segmentation or a Record as a piece of HTML for a notebook: slices with contours, tables with units.

All texts are escaped; a piece has no script and its own style alone, so that it looks the same in every notebook.
"""

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from medseg.domain import Finding, Image, LabelTable, Measurement, Record, Segmentation
from medseg.domain.segmentation import count_labels
from medseg.reporting.extras import Picture
from medseg.reporting.numbers import interval_text, number_text, unit_text, value_text
from medseg.reporting.page.headline import headline
from medseg.reporting.pictures.canvas import Canvas, show_base, show_contours, show_letters, show_scale
from medseg.reporting.pictures.palette import swatch
from medseg.reporting.pictures.scene import Scene, make_scene
from medseg.reporting.pictures.window import choose_window
from medseg.reporting.structures import structure_name
from medseg.reporting.wording import grid_text, quantity_text, review_text, status_view

__all__ = ["to_notebook"]

_CELL = (52.0, 44.0)
#: Rows of a table; what is left out is counted.
_MOST_ROWS, _MOST_FINDINGS = 24, 6
_STEP = 0.001
_BAND = "RESEARCH USE – NOT A MEDICAL DEVICE"
_TABLE = "border-collapse:collapse;font-size:0.9em;margin:4px 0"
_CELL_STYLE = (
    "text-align:left;padding:2px 14px 2px 0;border-bottom:1px solid rgba(128,128,128,0.35);vertical-align:top"
)
_NUMBER_STYLE = f"{_CELL_STYLE};text-align:right;white-space:nowrap"


def to_notebook(value: Image | Segmentation | Record) -> str:
    """One piece of HTML, with its pictures in it; light enough to show many of them."""
    if isinstance(value, Image):
        parts = _of_image(value)
    elif isinstance(value, Segmentation):
        parts = _of_mask(value)
    else:
        parts = _of_record(value)
    return f'<div class="medseg">{"".join(parts)}</div>'


def _of_image(image: Image) -> list[str]:
    nothing = Segmentation(np.zeros(image.grid.shape, np.uint8), image.grid, LabelTable(()))
    values = image.array if image.outside is None else image.array[~image.outside]
    unit = unit_text(image.value_unit)
    span = f"{_plain(values.min())} to {_plain(values.max())} {unit}" if values.size else "no value"
    rows = [
        ("Image", f"{image.channel}{f', {image.modality}' if image.modality else ''}"),
        ("Grid", grid_text(image.grid)),
        ("Values", f"{span}, {image.array.dtype}"),
    ]
    return [
        _picture(make_scene(nothing, {image.channel: image}), "The middle slices."),
        _facts(rows),
        *_findings(image.findings),
    ]


def _of_mask(mask: Segmentation) -> list[str]:
    counts = count_labels(mask.labels)
    sized = mask.grid.unit == "mm" and min(mask.grid.shape) > 1
    rows = []
    for label in mask.table.labels:
        count = int(counts[label.value]) if label.value < len(counts) else 0
        volume = (
            f"{number_text(count * mask.grid.voxel_volume / 1000, _STEP)} ml" if sized else "no physical size"
        )
        if label.name in mask.not_read:
            volume = "not read"
        rows.append((_swatch(mask.table, label.value), escape(label.name), str(count), volume))
    made = mask.made_by.segmenter if not mask.made_by.edits else f"{mask.made_by.segmenter}, edited since"
    head = _facts([("Mask", f"{len(mask.table.labels)} labels, by {made}"), ("Grid", grid_text(mask.grid))])
    return [
        _picture(make_scene(mask, {}), "The slices of the largest sections, with the outline of each label."),
        head,
        _table(("", "Label", "Voxels", "Volume"), rows, numbers=(2, 3)),
        *_findings(mask.findings),
    ]


def _of_record(record: Record) -> list[str]:
    grid = record.mask.grid
    shown = [item for item in record.measurements if item.quantity.info.terminal]
    rows = [
        (
            escape(structure_name(record, item.target)),
            escape(quantity_text(item)),
            escape(value_text(item, grid)),
            escape(interval_text(item, grid)) if item.interval else "",
            escape(_status(item)),
        )
        for item in shown[:_MOST_ROWS]
    ]
    more = len(record.measurements) - len(rows)
    lead = "".join(f"<p style='margin:2px 0'><b>{escape(line)}</b></p>" for line in headline(record))
    note = (
        f"<p style='font-size:0.85em'>{more} more in <code>medseg.to_dataframe(record)</code>.</p>"
        if more
        else ""
    )
    return [
        f"<p style='font-size:0.8em;margin:2px 0'>{escape(f'{_BAND} · {review_text(record)} · {record.subject}')}</p>",
        lead,
        _table(("Structure", "Quantity", "Value", "Interval", "Status"), rows, numbers=(2,)),
        note,
        *_findings(record.findings),
    ]


def _status(item: Measurement) -> str:
    icon, words, _ = status_view(item.status)
    told = f"{icon} {words}".strip()
    return f"{told}: {item.reason}" if item.reason else told


def _picture(scene: Scene, caption: str) -> str:
    """The planes side by side, each where the section of all labels is largest; of an empty mask the middle."""
    planes = scene.planes
    canvas = Canvas(len(planes), 1, _CELL)
    found = scene.labels > 0
    window = None if scene.base is None else choose_window(scene.base)
    for number, plane in enumerate(planes):
        index = scene.largest_section(plane, found)
        box = scene.view_box(plane, found, _CELL[0] / _CELL[1])
        axes = canvas.cell(number)
        show_base(axes, scene, plane, index, (window, box))
        show_contours(axes, scene, plane, scene.labels_on(plane, index))
        show_letters(axes, scene, plane)
        show_scale(axes, box, scene.grid.unit)
    picture = Picture("slices", canvas.png(), caption)
    return f'<img src="{picture.uri}" alt="{escape(caption)}" style="max-width:100%;background:#000">'


def _facts(rows: Iterable[tuple[str, str]]) -> str:
    return _table((), [(f"<b>{escape(name)}</b>", escape(text)) for name, text in rows], numbers=())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int]) -> str:
    """A table of cells that are escaped already; columns of `numbers` stand to the right."""
    styles = dict.fromkeys(numbers, _NUMBER_STYLE)

    def line(cells: Sequence[str], tag: str) -> str:
        made = (
            f"<{tag} style='{styles.get(number, _CELL_STYLE)}'>{cell}</{tag}>"
            for number, cell in enumerate(cells)
        )
        return f"<tr>{''.join(made)}</tr>"

    top = f"<thead>{line([escape(text) for text in head], 'th')}</thead>" if head else ""
    return (
        f"<table style='{_TABLE}'>{top}<tbody>{''.join(line(cells, 'td') for cells in rows)}</tbody></table>"
    )


def _findings(findings: Sequence[Finding]) -> list[str]:
    worst = sorted(findings, key=lambda item: ("error", "warning", "info").index(item.severity))
    lines = [
        f"<li style='font-size:0.9em'><b>{item.severity}</b>: {escape(item.message)}</li>"
        for item in worst[:_MOST_FINDINGS]
    ]
    if len(worst) > _MOST_FINDINGS:
        lines.append(f"<li style='font-size:0.9em'>{len(worst) - _MOST_FINDINGS} more</li>")
    return [f"<ul style='margin:4px 0;padding-left:18px'>{''.join(lines)}</ul>"] if lines else []


def _swatch(table: LabelTable, value: int) -> str:
    """The label's outline as it is drawn, on the ground that it is drawn on."""
    line = f"<b style='display:block;height:0;border-top:3px {swatch(table, value)}'></b>"
    return f"<span style='display:inline-block;width:22px;padding:4px 2px;background:#1a1d21'>{line}</span>"


def _plain(value: float) -> str:
    return f"{float(value):.6g}".replace("-", "−")
