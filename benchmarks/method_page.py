"""What a comparison is told by: two CSV files, a page with curves and pictures, and the docs' table."""

import base64
import csv
import html
import io
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.method_cases import DATASETS, network_dice, read_task, tasks, threshold_ceiling
from benchmarks.method_runs import AFTER, PIECES, Chain, last_mask
from medseg.metrics.summarise import bootstrap_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["write_outputs"]

BEGIN, END = "<!-- benchmarks.methods begin -->", "<!-- benchmarks.methods end -->"
#: Drawn beside the reference.
SHOWN = 3

Row = dict[str, Any]
Cases = dict[str, tuple[str, ...]]


def write_outputs(
    rows: list[Row], cases: Cases, root: Path, out: Path, *, repository: Path | None, minutes: float
) -> None:
    """Write results.csv, summary.csv and index.html into `out`; the docs' block too if a repository is given."""
    _write_csv(out / "results.csv", [_flat(row) for row in rows])
    summary = _summary(rows)
    _write_csv(out / "summary.csv", summary)
    text = _table_text(summary, cases, root, minutes)
    figures = {name: _curves(name, summary) for name in cases if any(r["dataset"] == name for r in summary)}
    pictures = {
        name: _picture(name, rows, summary, cases, root) for name in figures if DATASETS[name].showable
    }
    (out / "index.html").write_text(_page(text, figures, pictures), encoding="utf-8")
    if repository is not None:
        shown = "".join(f"\n![Dice over seeds: {name}](comparison-{name}.png)\n" for name in figures)
        _write_block(repository / "docs" / "methods" / "comparison.md", text + shown)
        for name, figure in figures.items():
            figure.savefig(repository / "docs" / "methods" / f"comparison-{name}.png", dpi=70)
    print(text)


def _flat(row: Row) -> Row:
    names = (
        "dataset",
        "case",
        "method",
        "params",
        "label",
        "seeds",
        "dice",
        "surface_dice",
        "seconds",
        "memory_mib",
    )
    return {name: row[name] for name in (*names, "status")}


def _summary(rows: list[Row]) -> list[Row]:
    """One line per list, method and number of seeds; a refusal or a fault counts as an empty mask."""
    groups: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["dataset"], row["method"], row["seeds"]].append(row)
    found = []
    for (dataset, method, seeds), group in sorted(groups.items()):
        line: Row = {"dataset": dataset, "method": method, "seeds": seeds, "cases": len(group)}
        for name in ("dice", "surface_dice"):
            values = np.array([row[name] for row in group])
            low, high = bootstrap_interval(values, patients=[row["case"] for row in group])
            line |= {f"{name}_mean": values.mean(), f"{name}_median": np.median(values)}
            line |= {f"{name}_low": low, f"{name}_high": high}
        line["seconds_median"] = float(np.median([row["seconds"] for row in group]))
        line["seconds_p95"] = float(np.percentile([row["seconds"] for row in group], 95))
        line["memory_mib_median"] = float(np.median([row["memory_mib"] for row in group]))
        failed = [row["status"] for row in group if row["status"] != "ok"]
        line |= {"failed": len(failed), "why": failed[0] if failed else ""}
        found.append(line)
    return found


def _table_text(summary: list[Row], cases: Cases, root: Path, minutes: float) -> str:
    parts = [f"All runs together took {minutes:.0f} minutes of one worker's time.\n"]
    for dataset, names in cases.items():
        lines = [line for line in summary if line["dataset"] == dataset]
        if not lines:
            continue
        scan = DATASETS[dataset]
        unit = "pixels" if dataset == "glioma" else "mm"
        parts.append(f"\n## {scan.title}: {len(names)} of {len(tasks(root, dataset))} cases\n")
        parts.append(_ceilings(dataset, names, root))
        parts.append(
            "\n| method | seeds | median Dice | mean Dice (95 % interval) | mean surface Dice "
            f"at {scan.tolerance:g} {unit} (interval) | seconds | MiB |\n|---|---|---|---|---|---|---|\n"
        )
        refused = {}
        for line in lines:
            if line["failed"] == line["cases"] and line["dice_mean"] == 0:
                refused[line["method"]] = line["why"]
            else:
                parts.append(_line(line))
        parts += [f"\n`{method}` gave no answer here: {why}\n" for method, why in refused.items()]
    return "".join(parts)


def _ceilings(dataset: str, names: tuple[str, ...], root: Path) -> str:
    best = np.array([threshold_ceiling(read_task(root, dataset, name)) for name in names])
    text = f"\nCeiling of one threshold chosen with the reference: median Dice {np.median(best):.2f}, mean {best.mean():.2f}."
    network = network_dice(dataset)
    dice = np.array([network[name] for name in names if name in network])
    if dice.size:
        grid = " (from MR and PET, on the MR's grid)" if dataset == "sarcoma" else ""
        text += (
            f" The shipped network, by the fold that did not train on the case{grid}: median {np.median(dice):.2f}, "
            f"mean {dice.mean():.2f} ({dice.size} cases)."
        )
    return text + "\n"


def _line(line: Row) -> str:
    name = f"{line['method']} (best pieces)" if line["method"] in PIECES else line["method"]
    if line["failed"]:
        name += f" ({line['failed']} without an answer)"
    ends = [_ends(line, part) for part in ("dice", "surface_dice")]
    return (
        f"| {name} | {line['seeds'] or '–'} | {line['dice_median']:.2f} | {line['dice_mean']:.2f}{ends[0]} | "
        f"{line['surface_dice_mean']:.2f}{ends[1]} | {line['seconds_median']:.2f} | {line['memory_mib_median']:.0f} |\n"
    )


def _ends(line: Row, part: str) -> str:
    low, high = line[f"{part}_low"], line[f"{part}_high"]
    return "" if low is None else f" ({low:.2f} to {high:.2f})"


def _curves(dataset: str, summary: list[Row]) -> "Figure":
    """Median Dice over seeds, a line per method; methods without seeds are dotted across."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    lines: dict[str, list[Row]] = defaultdict(list)
    for line in summary:
        if line["dataset"] == dataset and line["dice_median"] > 0:
            lines[line["method"]].append(line)
    for number, (method, points) in enumerate(lines.items()):
        style = f"C{number % 10}"
        if points[0]["seeds"] == 0:
            axes.axhline(
                points[0]["dice_median"], color=style, linestyle=(0, (1, 1 + number % 4)), label=method
            )
        else:
            heights = [point["dice_median"] for point in points]
            axes.plot(
                [point["seeds"] for point in points],
                heights,
                marker="osv^D"[number % 5],
                color=style,
                label=method,
            )
    axes.set(xlabel="seeds", ylabel="median Dice", title=DATASETS[dataset].title, ylim=(0, 1), xticks=AFTER)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8)
    return figure


def _picture(dataset: str, rows: list[Row], summary: list[Row], cases: Cases, root: Path) -> "Figure":
    """The middle case of the list in the slice with most of the reference, and the best methods' contours."""
    from matplotlib.figure import Figure

    case = cases[dataset][len(cases[dataset]) // 2]
    last = [line for line in summary if line["dataset"] == dataset and line["seeds"] in (0, AFTER[-1])]
    best = sorted(last, key=lambda line: -line["dice_median"])
    best = [line for line in best if line["method"] not in PIECES][:SHOWN]
    task = read_task(root, dataset, case)
    slot = int(np.argmax(task.reference.sum(axis=(0, 1))))
    figure = Figure(figsize=(4 * max(1, len(best)), 4.4), layout="constrained")
    for axes, line in zip(np.atleast_1d(figure.subplots(1, max(1, len(best)))), best, strict=False):
        row = next(
            (r for r in rows if (r["dataset"], r["case"], r["method"]) == (dataset, case, line["method"])),
            None,
        )
        axes.imshow(task.image.array[..., slot].T, cmap="gray", aspect=_aspect(task.image.grid.spacing))
        axes.contour(task.reference[..., slot].T, [0.5], colors="#00c853")
        if row is not None:
            mask = last_mask(
                root, Chain(dataset, case, line["method"], row["params"], row["most"]), row["label"]
            )
            if mask[..., slot].any():
                axes.contour(mask[..., slot].T, [0.5], colors="#ff6d00")
        axes.set_title(line["method"])
        axes.set_axis_off()
    figure.suptitle(f"{case}: reference green, answer orange")
    return figure


def _aspect(spacing: tuple[float, float, float]) -> float:
    return spacing[1] / spacing[0]


def _page(text: str, figures: dict[str, "Figure"], pictures: dict[str, "Figure"]) -> str:
    shown = "".join(
        f'<figure><img src="{_inline(figure)}" alt="{name}"></figure>'
        for group in (figures, pictures)
        for name, figure in group.items()
    )
    style = "body{font:15px sans-serif;margin:2em auto;max-width:70em}img{max-width:100%}pre{white-space:pre-wrap}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Methods compared</title><style>{style}</style>'
        f"<h1>Methods compared</h1>{shown}<pre>{html.escape(text)}</pre></html>"
    )


def _inline(figure: "Figure") -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=90)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def _write_csv(path: Path, rows: Iterable[Row]) -> None:
    kept = list(rows)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(kept[0]) if kept else ["dataset"])
        writer.writeheader()
        writer.writerows(kept)


def _write_block(path: Path, text: str) -> None:
    page = path.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")
