"""What a comparison is told by: two CSV files, a page with curves and pictures, and the docs' tables."""

import base64
import csv
import html
import io
import shutil
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.method_cases import DATASETS, DEVELOPED_ON, network_dice, read_task, tasks, threshold_ceiling
from benchmarks.method_pictures import curves, picture
from benchmarks.method_runs import AFTER, PIECES
from medseg.metrics.summarise import bootstrap_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["write_outputs"]

BEGIN, END = "<!-- benchmarks.methods begin -->", "<!-- benchmarks.methods end -->"
#: Median Dice on the sarcomas' PET that was aimed at, by number of seeds.
AIMS = {3: 0.65, 10: 0.78}

Row = dict[str, Any]
Cases = dict[str, tuple[str, ...]]
#: Median and mean Dice of what stands beside the methods, by its name.
Ceilings = dict[str, tuple[float, float]]


def write_outputs(
    rows: list[Row], cases: Cases, root: Path, out: Path, *, repository: Path | None, minutes: float
) -> None:
    """Write results.csv, summary.csv and index.html into `out`; the docs' block too if a repository is given."""
    _write_csv(out / "results.csv", [_flat(row) for row in rows])
    summary = _summary(rows)
    _write_csv(out / "summary.csv", [_rounded(line) for line in summary])
    lists = [name for name in cases if any(line["dataset"] == name for line in summary)]
    ceilings = {name: _ceilings(name, cases[name], root) for name in lists}
    figures = {f"{name}-seeds": curves(name, _of(name, summary), ceilings[name]) for name in lists}
    for name in lists:
        if DATASETS[name].showable:
            figures[f"{name}-case"] = picture(name, rows, _of(name, summary), cases[name], root)
    parts = [f"All runs together took {minutes:.0f} minutes of one worker's time.\n"]
    for name in lists:
        count = f"{len(cases[name])} of {len(tasks(root, name))} cases"
        parts.append(f"\n## {DATASETS[name].title}: {count}\n\n{_ceilings_text(name, ceilings[name])}")
        parts.append(_tables(name, _of(name, summary)))
        if name == "sarcoma":
            parts.append(_unseen([row for row in rows if row["dataset"] == name]))
        parts += [f"\n![{name}](comparison-{key}.png)\n" for key in figures if key.startswith(f"{name}-")]
    text = "".join(parts)
    (out / "index.html").write_text(_page(text, figures), encoding="utf-8")
    if repository is not None:
        docs = repository / "docs" / "methods"
        _write_block(docs / "comparison.md", text)
        shutil.copyfile(out / "summary.csv", docs / "comparison.csv")
        for key, figure in figures.items():
            figure.savefig(docs / f"comparison-{key}.png", dpi=70)
    print(text)


def _of(dataset: str, summary: list[Row]) -> list[Row]:
    return [line for line in summary if line["dataset"] == dataset]


def _flat(row: Row) -> Row:
    names = ("dataset", "case", "method", "params", "label", "seeds", "dice", "surface_dice", "seconds")
    return {name: row[name] for name in (*names, "memory_mib", "status")}


def _rounded(line: Row) -> Row:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in line.items()}


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
            line |= {f"{name}_mean": float(values.mean()), f"{name}_median": float(np.median(values))}
            line |= {f"{name}_low": low, f"{name}_high": high}
        line["seconds_median"] = float(np.median([row["seconds"] for row in group]))
        line["seconds_p95"] = float(np.percentile([row["seconds"] for row in group], 95))
        line["memory_mib_median"] = float(np.median([row["memory_mib"] for row in group]))
        failed = [row["status"] for row in group if row["status"] != "ok"]
        line |= {"failed": len(failed), "why": failed[0] if failed else ""}
        found.append(line)
    return found


def _ceilings(dataset: str, names: tuple[str, ...], root: Path) -> Ceilings:
    best = [threshold_ceiling(read_task(root, dataset, name)) for name in names]
    found = {"best threshold": (float(np.median(best)), float(np.mean(best)))}
    network = network_dice(dataset)
    if dice := [network[name] for name in names if name in network]:
        found["shipped network"] = (float(np.median(dice)), float(np.mean(dice)))
    return found


def _ceilings_text(dataset: str, ceilings: Ceilings) -> str:
    median, mean = ceilings["best threshold"]
    text = f"Ceiling of one threshold chosen with the reference: median Dice {median:.2f}, mean {mean:.2f}."
    if "shipped network" in ceilings:
        median, mean = ceilings["shipped network"]
        grid = " (from MR and PET, on the MR's grid)" if dataset == "sarcoma" else ""
        text += (
            f" The shipped network, by the fold that did not train on the case{grid}: median {median:.2f}, "
            f"mean {mean:.2f}."
        )
    return text + "\n"


def _tables(dataset: str, lines: list[Row]) -> str:
    """One row per method: those with seeds, then those without, then those that gave no answer at all."""
    scan = DATASETS[dataset]
    surface = f"surface Dice at {scan.tolerance:g} {'pixels' if scan.slices else 'mm'}"
    answers: dict[str, dict[int, Row]] = defaultdict(dict)
    refused: dict[str, str] = {}
    for line in lines:
        if line["failed"] == line["cases"] and line["dice_mean"] == 0:
            refused.setdefault(line["method"], line["why"])
        else:
            answers[line["method"]][line["seeds"]] = line
    seeded = {name: by for name, by in answers.items() if 0 not in by}
    parts = [f"\nDice with seeds: median; mean (95 % interval). After the last seed also {surface}.\n\n"]
    parts += [_header("method", *(_counted(n) for n in AFTER), surface, "seconds", "MiB")]
    for name, by in sorted(seeded.items()):
        cells = [_dice(by[n]) if n in by else "no answer" for n in AFTER]
        parts.append(_cells(name, by[max(by)], *cells))
    parts.append(_aims(seeded) if dataset == "sarcoma" else "")
    unseeded = {name: by[0] for name, by in answers.items() if 0 in by}
    if unseeded:
        parts += ["\nWithout seeds:\n\n", _header("method", "Dice", surface, "seconds", "MiB")]
    for name, line in sorted(unseeded.items()):
        parts.append(_cells(f"{name} (best pieces)" if name in PIECES else name, line, _dice(line)))
    silent = [name for name in refused if name not in answers]
    return "".join(parts) + "".join(f"\n`{name}` gave no answer here: {refused[name]}\n" for name in silent)


def _counted(seeds: int) -> str:
    return f"{seeds} seed{'s' if seeds > 1 else ''}"


def _header(*names: str) -> str:
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}\n"


def _cells(name: str, last: Row, *dice: str) -> str:
    if last["failed"]:
        name += f" ({last['failed']} without an answer)"
    surface = f"{last['surface_dice_mean']:.2f}{_ends(last, 'surface_dice')}"
    cost = (f"{last['seconds_median']:.2f}", f"{last['memory_mib_median']:.0f}")
    return f"| {' | '.join((name, *dice, surface, *cost))} |\n"


def _dice(line: Row) -> str:
    return f"{line['dice_median']:.2f}; {line['dice_mean']:.2f}{_ends(line, 'dice')}"


def _ends(line: Row, part: str) -> str:
    low, high = line[f"{part}_low"], line[f"{part}_high"]
    return "" if low is None else f" ({low:.2f} to {high:.2f})"


def _aims(seeded: dict[str, dict[int, Row]]) -> str:
    """Which methods reach what was aimed at."""
    said = []
    for count, aim in AIMS.items():
        medians = {name: by[count]["dice_median"] for name, by in seeded.items() if count in by}
        reached = sorted((name for name in medians if medians[name] >= aim), key=lambda name: -medians[name])
        said.append(f"{aim:g} after {_counted(count)}: {', '.join(reached) or 'none'}")
    return f"\nThe aim, a median Dice of {'; of '.join(said)}.\n"


def _unseen(rows: list[Row]) -> str:
    """Medians after the seeds of the aims on cases that nothing was developed on."""
    fresh = [row for row in rows if row["case"] not in DEVELOPED_ON and row["seeds"] in AIMS]
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in fresh:
        found[row["method"]][row["seeds"]].append(row["dice"])
    if not found:
        return ""
    medians = {name: [float(np.median(by[count])) for count in AIMS] for name, by in found.items()}
    best = sorted(medians, key=lambda name: -medians[name][-1])
    told = "; ".join(f"{name} {', '.join(f'{value:.2f}' for value in medians[name])}" for name in best)
    count, seeds = len({row["case"] for row in fresh}), " and ".join(map(str, AIMS))
    return f"\nOn the {count} cases that nothing was developed on, median Dice after {seeds} seeds: {told}.\n"


def _page(text: str, figures: dict[str, "Figure"]) -> str:
    shown = "".join(f'<img src="{_inline(figure)}" alt="{key}">' for key, figure in figures.items())
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
