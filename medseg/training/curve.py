"""Pictures of a training run as PNG bytes."""

import csv
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from medseg.domain.calibration import Calibration
from medseg.training.validate import SubjectDice

__all__ = ["draw_curve", "draw_quality", "draw_reliability"]


def draw_curve(folder: Path, title: str) -> bytes:
    """Learning curve of a fold from Lightning's CSV logs: loss over steps, training and validation patches.

    A run that was stopped has one log per attempt; where they overlap the last attempt counts.
    """
    rows: list[dict[str, str]] = []
    for log in sorted(folder.glob("log/csv-*/metrics.csv"), key=lambda path: int(path.parent.name[4:])):
        with log.open(encoding="utf-8", newline="") as stream:
            rows += csv.DictReader(stream)
    figure, axes = _figure(title)
    for key, name in (("train_loss", "training"), ("validation_loss", "validation patches")):
        points = {int(row["step"]) + 1: float(row[key]) for row in rows if row.get(key)}
        if points:
            axes.plot(*zip(*sorted(points.items()), strict=True), label=name, marker=".")
    axes.set(xlabel="step", ylabel="loss (Dice + cross-entropy)")
    axes.legend()
    return _png(figure)


def draw_quality(rows: Sequence[SubjectDice], title: str) -> bytes:
    """Dice of every validation subject, one column per label or region, with the mean as a bar."""
    figure, axes = _figure(title)
    targets = list(dict.fromkeys(row.target for row in rows))
    for place, target in enumerate(targets):
        values = [row.dice for row in rows if row.target == target and row.dice is not None]
        spread = [place + 0.3 * ((index * 0.618034) % 1 - 0.5) for index in range(len(values))]
        axes.scatter(spread, values, s=12, alpha=0.6)
        if values:
            axes.hlines(sum(values) / len(values), place - 0.3, place + 0.3, colors="black")
    axes.set(xticks=range(len(targets)), ylim=(0, 1), ylabel="Dice, subjects not trained on")
    axes.set_xticklabels(targets)
    return _png(figure)


def draw_reliability(calibration: Calibration, title: str) -> bytes:
    """Share that came true over what was said, before and after; a disc's area is the share of the voxels."""
    figure, axes = _figure(title)
    axes.plot((0, 1), (0, 1), color="grey", linewidth=1, label="as said")
    for found, name, colour, marker in (
        (calibration.before, "before", "#d55e00", "o"),
        (calibration.after, f"after, temperature {calibration.temperature:.3g}", "#0072b2", "s"),
    ):
        places = [item.confidence for item in found.bins], [item.accuracy for item in found.bins]
        sizes = [20 + 300 * item.share for item in found.bins]
        words = f"{name}: error {found.error:.4f}"
        axes.plot(*places, color=colour, linewidth=1, marker=marker, markersize=4, label=words)
        axes.scatter(*places, s=sizes, alpha=0.25, color=colour, edgecolors="none")
    least = min(item.confidence for found in (calibration.before, calibration.after) for item in found.bins)
    axes.set(
        xlim=(max(0.0, least - 0.05), 1.02),
        ylim=(0, 1.02),
        xlabel="largest probability of a voxel",
        ylabel="share that came true",
    )
    axes.legend(loc="lower right")
    return _png(figure)


def _figure(title: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    return figure, axes


def _png(figure: Any) -> bytes:
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=120)
    return stream.getvalue()
