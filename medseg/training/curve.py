"""Pictures of a training run as PNG bytes."""

import csv
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from medseg.training.validate import SubjectDice

__all__ = ["draw_curve", "draw_quality"]


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
