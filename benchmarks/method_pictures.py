"""Pictures of a comparison: Dice over seeds, and the best methods' contours on one case."""

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.method_cases import DATASETS, Task, read_task
from benchmarks.method_runs import AFTER, PIECES, Chain, last_mask

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["curves", "picture"]

#: Methods drawn beside the reference.
SHOWN = 4
_REFERENCE, _ANSWER = "#00c853", "#ff6d00"

Row = dict[str, Any]


def curves(dataset: str, lines: list[Row], ceilings: dict[str, tuple[float, float]]) -> "Figure":
    """Median Dice over seeds, a line per method; the best without seeds and the ceilings go across."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    points: dict[str, list[Row]] = defaultdict(list)
    for line in lines:
        if line["seeds"]:
            points[line["method"]].append(line)
    for number, (method, found) in enumerate(points.items()):
        axes.plot(
            [line["seeds"] for line in found],
            [line["dice_median"] for line in found],
            marker="osv^D"[number % 5],
            color=f"C{number % 10}",
            linestyle="--" if number > 9 else "-",
            label=method,
        )
    unseeded = [line for line in lines if not line["seeds"] and line["method"] not in PIECES]
    across = {name: median for name, (median, _) in ceilings.items()}
    if unseeded:
        best = max(unseeded, key=lambda line: line["dice_median"])
        across[f"{best['method']} (no seeds)"] = best["dice_median"]
    for height, (name, median) in zip(((1, 1), (4, 2), (6, 2, 1, 2)), across.items(), strict=False):
        axes.axhline(median, color="black", linewidth=1, linestyle=(0, height), label=name)
    axes.set(xlabel="seeds", ylabel="median Dice", title=DATASETS[dataset].title, ylim=(0, 1), xticks=AFTER)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8)
    return figure


def picture(dataset: str, rows: list[Row], lines: list[Row], names: tuple[str, ...], root: Path) -> "Figure":
    """The middle case of the list in the slice with most of the reference, and the best methods' last contours."""
    from matplotlib.figure import Figure

    case = names[len(names) // 2]
    mine = {row["method"]: row for row in rows if (row["dataset"], row["case"]) == (dataset, case)}
    last = [line for line in lines if line["seeds"] in (0, AFTER[-1]) and line["method"] not in PIECES]
    best = [line for line in sorted(last, key=lambda line: -line["dice_median"]) if line["method"] in mine][
        :SHOWN
    ]
    task, count = read_task(root, dataset, case), max(1, len(best))
    figure = Figure(figsize=(3.2 * count, 3.6), layout="constrained")
    for axes, line in zip(np.atleast_1d(figure.subplots(1, count)), best, strict=False):
        row = mine[line["method"]]
        chain = Chain(dataset, case, line["method"], row["params"], row["most"])
        _outlined(axes, task, last_mask(root, chain, row["label"]))
        axes.set_title(line["method"])
    figure.suptitle(f"{case}: reference green, answer after {AFTER[-1]} seeds orange")
    return figure


def _outlined(axes: Any, task: Task, mask: np.ndarray) -> None:
    slot = int(np.argmax(task.reference.sum(axis=(0, 1))))
    spacing = task.image.grid.spacing
    axes.imshow(task.image.array[..., slot].T, cmap="gray", aspect=spacing[1] / spacing[0])
    for drawn, colour in ((task.reference, _REFERENCE), (mask, _ANSWER)):
        if drawn[..., slot].any():
            axes.contour(drawn[..., slot].T, [0.5], colors=colour, linewidths=1.2)
    axes.set_axis_off()
