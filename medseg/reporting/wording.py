"""Sentences of the page about review, history, orientation and grids."""

import math
import re

import numpy as np

from medseg.domain import Grid, Measurement, Quantity, Record, Status
from medseg.domain.provenance import ModelFacts
from medseg.masks.changes import edit_text
from medseg.reporting.record.older import model_of

__all__ = [
    "convention",
    "delineation_text",
    "edits_text",
    "grid_text",
    "how_made",
    "provenance",
    "quantity_text",
    "reason_text",
    "review_text",
    "status_view",
]

#: What a message asks to type, at its end.
_TO_TYPE = re.compile(r"[;,:]? (?:give|name|choose|use|with) (?:it |one |them )?(?:by |with )?--.*$")
_GIVEN = {Quantity.MTV: "Mask volume on PET", Quantity.TLG: "SUVmean × mask volume on PET"}


def status_view(status: Status) -> tuple[str, str, str]:
    """(icon, words, CSS class) of a status; what is cut is never shown like what is whole."""
    return {
        Status.OK: ("✓", "ok", "ok"),
        Status.TRUNCATED_LOWER_BOUND: ("≥", "cut by the border: lower bound", "cut"),
        Status.TRUNCATED_UNRELIABLE: ("⚠\ufe0e", "cut by the border: unreliable", "cut"),
        Status.NOT_COMPUTED: ("∅", "not computed", "none"),
    }[status]


def quantity_text(item: Measurement) -> str:
    """Title of what was measured, with its channel, delineation or level.

    A given mask is no metabolic volume, so its size on PET isn't called one.
    """
    info = item.quantity.info
    detail = item.target.detail
    if item.target.kind == "pair":
        return f"{info.title}{f' ({detail})' if detail else ''}"
    if info.kind == "pet":
        if detail == "given" and item.quantity in _GIVEN:
            return _GIVEN[item.quantity]
        inside = "" if detail in (None, "given") else f" ({delineation_text(detail)})"
        return f"{info.title}{inside}"
    if info.kind == "tissue":
        return f"{info.title}{f' ({detail})' if detail else ''}"
    return f"{info.title}{f' ({item.channel})' if item.channel else ''}"


def reason_text(reason: str | None) -> str:
    """Why a number is missing, without what to type and without a full stop: for sentences.

    >>> reason_text("the thickness of a slice is not known; give --slice-thickness MM")
    'the thickness of a slice is not known'
    """
    return _TO_TYPE.sub("", reason or "no reason given").rstrip(". ")


def delineation_text(detail: str | None) -> str:
    """A PET delineation in words; one that is not known here as it stands."""
    if detail is None:
        return "whole mask"
    if detail == "given":
        return "given mask"
    if detail == "percist":
        return "PERCIST-derived threshold"
    if detail.endswith("%"):
        return f"{detail[:-1].strip()} % of SUVmax"
    if detail.startswith("fixed-"):
        return f"SUV ≥ {detail.removeprefix('fixed-')}"
    return detail


def review_text(record: Record) -> str:
    """`NOT REVIEWED`, or who signed, for whom and when."""
    review = record.review
    if review.state != "reviewed":
        return "NOT REVIEWED"
    return f"Reviewed by {review.reviewer}, {review.organization}, {review.signed_at}"


def how_made(record: Record) -> list[tuple[str, str]]:
    """Few lines: by what, trained on what, edited how much."""
    made, model = record.made_by, model_of(record)
    lines = [("Made by", _named(model) if model else made.segmenter)]
    if made.weights_digest:
        lines.append(("Weights", f"SHA-256 {made.weights_digest[:16]}…"))
    if model and model.trained_on:
        lines.append(("Trained on", model.trained_on))
    if model and model.limits:
        first = model.limits[0].partition(". ")[0].rstrip(".")
        lines.append(("Limits", f"{first}. All limits: full page."))
    lines.append(("Edits", edits_text(record)))
    return lines


def _named(model: ModelFacts) -> str:
    licence = f", licence {model.licence}" if model.licence else ""
    return f"model {model.name} {model.version}{licence}"


def provenance(record: Record) -> list[tuple[str, str]]:
    """Everything known about how mask and numbers came about."""
    made = record.made_by
    lines = [("Segmenter", made.segmenter)]
    lines += [("Parameter", f"{name} = {value}") for name, value in made.parameters]
    if made.weights_digest:
        lines.append(("Weights", made.weights_digest))
    lines += [("Segmented from", f"{item.channel}: {item.digest}") for item in made.images]
    lines += [("Run", ", ".join(f"{name} = {value}" for name, value in made.run))] if made.run else []
    lines += [("Edit", edit_text(edit)) for edit in made.edits]
    lines += _model_lines(record)
    lines.append(("Versions", ", ".join(f"{name} {value}" for name, value in record.versions)))
    lines.append(("Record", record.schema))
    return lines


def convention(record: Record) -> str:
    """How to read left and right on the pictures, and what is not known about it."""
    grid = record.mask.grid
    if grid.unit == "px":
        return "As stored; the image has no physical size and no known orientation, so there are no letters."
    if not grid.orientation_known:
        return "The file does not say how its axes lie in the patient: no letters, and sides are not known."
    text = "Radiological convention: the patient's right is on the left of axial and coronal pictures."
    if any(label.side == "unknown" for label in record.table.labels):
        text += (
            " Letters show the axes of the file's header; which side of the body this structure is on "
            "is not known."
        )
    if grid.is_oblique:
        text += f" The grid is oblique by {_obliqueness(grid):.1f}°: planes follow its axes, letters name the nearest."
    return text


def grid_text(grid: Grid) -> str:
    """Shape, spacing and orientation in a line."""
    shape = " × ".join(str(extent) for extent in grid.shape)
    spacing = " × ".join(f"{step:.4g}" for step in grid.spacing)
    known = grid.unit == "mm" and grid.orientation_known
    letters = grid.orientation if known else "orientation unknown"
    sheared = ", sheared" if grid.is_sheared else ""
    return f"{shape} voxels of {spacing} {grid.unit}, {letters}{sheared}"


def edits_text(record: Record) -> str:
    """How the mask was changed after it was made, in a line; what can't be replayed is said in full."""
    edits = record.made_by.edits
    if not edits:
        return "none"
    known = [edit.volume_change_ml for edit in edits if edit.volume_change_ml is not None]
    change = f", {sum(known):+.3g} ml in all".replace("-", "−") if known else ""
    told = [edit_text(edit) for edit in edits if edit.changes or edit.slices]
    return "; ".join([f"{len(edits)}{change}", *told])


def _obliqueness(grid: Grid) -> float:
    cosines = np.abs(grid.direction).max(axis=0)
    return max(math.degrees(math.acos(min(1.0, float(cosine)))) for cosine in cosines)


def _model_lines(record: Record) -> list[tuple[str, str]]:
    model = model_of(record)
    if model is None:
        return []
    lines = [
        ("Model: name", model.name),
        ("Model: version", model.version),
        ("Model: trained on", model.trained_on),
        ("Model: intended use", model.intended_use),
        ("Model: limits", " ".join(model.limits)),
        ("Model: licence", model.licence),
        ("Model: card", model.digest),
    ]
    return [(name, text) for name, text in lines if text]
