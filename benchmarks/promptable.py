"""Clicks against Dice: the promptable network beside methods without one, by the robot user, on cases held out.

Run: python -m benchmarks.promptable DATA [--model FOLDER] [--out FOLDER] [--cases N] [--only METHOD ...] [--write]

DATA holds `hippocampus/` and `sarcoma/`. Cases are those of the fold that the configuration `promptable` holds out, of which
the network has seen nothing; the first N of each set, in order of their names. The object of the hippocampus is the whole,
that of a sarcoma the tumour. All methods run with their defaults, on one thread, `margin_mm` apart: of the methods without a
network the margin with the best mean Dice over all of its clicks is shown, chosen with the reference, in their favour.
Finished rows are kept in FOLDER, so that a run that was stopped goes on. `--write` writes docs/reference/promptable.md;
`--ship` puts the model with its figures among those that come with medseg.
"""

import argparse
import json
import platform
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import medseg
from benchmarks.robot import next_seed
from medseg.domain import Case, Grid, Image, Prompts, Run, Segmenter
from medseg.domain.card import Quality
from medseg.domain.prompts import Point
from medseg.errors import MedsegError
from medseg.io.datasets import read_channel
from medseg.metrics.summarise import bootstrap_interval
from medseg.models import load_weights, read_card, write_bundle
from medseg.training.assemble import licence_text
from medseg.training.config import PromptConfig, dump_config, load_config
from medseg.training.prompting.objects import held_out_cases
from medseg.workflows.segment import segment
from medseg.workflows.segmenters import find_segmenter

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "promptable.md"
NETWORK = "promptable"
#: Beside the network, with margins that suit objects of 4 cm (whose crops end at 2 cm) and of 5 to 20 cm.
OTHERS = ("random-walker", "graph-cut")
MARGINS = {"hippocampus": (15.0, 45.0), "sarcoma": (45.0, 80.0)}
CLICKS = 10
SHOWN = (1, 2, 3, 5, 7, 10)
COMMAND = "python -m benchmarks.promptable DATA"
KEPT = ("set", "case", "subject", "clicks", "dice")
#: Extents and spacing of the box that the first answer is timed in, and what it may take.
BOX, ALLOWED_S = 96, 2.0

Row = dict[str, Any]
HEAD = """# The promptable network: clicks against Dice

Written by `python -m benchmarks.promptable DATA --write`.

The robot user of the [comparison of methods](../methods/comparison.md) clicks in the middle of the object, then in the middle
of the largest error, inside or outside, ten times. Cases: the fold that the configuration `promptable` holds out, by person
and by patient; the network has seen nothing of them. Mean Dice, with its 95 % bootstrap interval over persons or patients. Of
the methods without a network the margin shown is the better of two (15 and 45 mm; 45 and 80 mm) over all clicks, chosen with
the reference: in their favour. The last column is the difference to the network, case by case; an interval above 0 says that the network is better.
"""


def main() -> None:
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    log = options.out / "clicks.jsonl"
    done = {(row["set"], row["case"], row["method"], row["margin_mm"], row["model"]) for row in _read(log)}
    engines = {name: _engines(name, options.model, options.only) for name in MARGINS}
    for name, case in _cases(options.data, options.cases):
        for method, margin, engine, version in engines[name]:
            if (name, case.id, method, margin, version) not in done:
                rows = [
                    {"set": name, "case": case.id, "subject": case.subject, "method": method}
                    | {"margin_mm": margin, "model": version}
                    | row
                    for row in _chain(engine, case, margin)
                ]
                with log.open("a", encoding="utf-8") as stream:
                    stream.writelines(json.dumps(row) + "\n" for row in rows)
                last = rows[-1]
                print(
                    f"{name} {case.id} {method} {margin}: {rows[0]['dice']:.3f} to {last['dice']:.3f}",
                    flush=True,
                )
    version = read_card(_folder(options.model)).weights[0].digest
    card = read_card(_folder(options.model))
    text = page(_read(log), version, _timed(options.model), dict(card.trained))
    print(text)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    if options.ship:
        ship(_read(log), version, _folder(options.model))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, help="bundle; the shipped one")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "promptable")
    parser.add_argument("--cases", type=int, default=20, help="the first N of each set")
    parser.add_argument("--only", nargs="*", default=[NETWORK, *OTHERS], help="these methods")
    parser.add_argument("--write", action="store_true", help="rewrite the docs' page")
    parser.add_argument(
        "--ship", action="store_true", help="put the model among the shipped ones, with its figures"
    )
    return parser.parse_args()


def _folder(model: Path | None) -> Path:
    return model or ROOT / "medseg" / "shipped" / "models" / NETWORK


def _engines(
    name: str, model: Path | None, only: list[str]
) -> list[tuple[str, float | None, Segmenter, str]]:
    """Method, margin, segmenter, and which network."""
    found: list[tuple[str, float | None, Segmenter, str]] = []
    if NETWORK in only:
        folder = _folder(model)
        found.append((NETWORK, None, find_segmenter(str(folder)), read_card(folder).weights[0].digest))
    for method in OTHERS:
        if method in only:
            found += [(method, margin, find_segmenter(method), "") for margin in MARGINS[name]]
    return found


def _cases(data: Path, most: int) -> Iterator[tuple[str, Case]]:
    """The sets take turns, so that a run cut short has some of each."""
    config = load_config("promptable", [f"prompts.root={data}"])
    assert isinstance(config, PromptConfig)
    sets = {one.name: held_out_cases(one, config.prompts)[:most] for one in config.prompts.sets}
    for place in range(max(map(len, sets.values()))):
        for name, cases in sets.items():
            if place < len(cases):
                yield name, cases[place]


def _chain(engine: Segmenter, case: Case, margin: float | None) -> list[Row]:
    """Dice after each click, and CPU seconds; where the robot sees nothing to correct the answer stands."""
    (file,) = (item for item in case.images if item.channel == "mr")
    image = replace(read_channel(file), modality="MR")
    assert case.reference is not None
    reference = medseg.read_segmentation(case.reference).labels > 0
    mask, prompts, rows = np.zeros_like(reference), Prompts(), []
    chosen = {} if margin is None else {"margin_mm": margin}
    for count in range(1, CLICKS + 1):
        point = next_seed(mask, reference, image.grid, prompts)
        start, status = time.process_time(), "ok"
        if point is not None:
            prompts = Prompts(points=(*prompts.points, point))
            try:
                mask = segment(engine, image, params=chosen, prompts=prompts, run=Run(threads=1)).mask(1)
            except MedsegError as error:
                status = str(error)
        dice = 2 * float((mask & reference).sum()) / float(mask.sum() + reference.sum())
        rows.append(
            {"clicks": count, "dice": round(dice, 5), "cpu_s": time.process_time() - start, "status": status}
        )
    return rows


def _timed(model: Path | None) -> float:
    """CPU seconds of the first answer in a box of 96³ voxels, the library's own start left out."""
    engine = find_segmenter(str(_folder(model)))
    grid = Grid((BOX,) * 3, np.eye(4))
    values = np.random.default_rng(0).normal(100, 10, grid.shape).astype(np.float32)
    place = (np.indices(grid.shape) - BOX / 2) ** 2
    values[place.sum(axis=0) < 20**2] += 60
    image = Image(values, grid, channel="mr", modality="MR")
    prompts, run = Prompts(points=(Point((BOX / 2,) * 3),)), Run(threads=2)
    segment(engine, image, prompts=prompts, run=run)
    start = time.process_time()
    segment(engine, image, prompts=prompts, run=run)
    return time.process_time() - start


def page(rows: list[Row], version: str, seconds: float, trained: dict[str, Any]) -> str:
    """What was reached, as Markdown."""
    sets = list(dict.fromkeys(row["set"] for row in rows))
    found = [_table(name, [row for row in rows if row["set"] == name], version) for name in sets]
    verdict = "within" if seconds < ALLOWED_S else "ABOVE"
    time_line = (
        f"An answer in a box of {BOX}³ voxels takes {seconds:.2f} s of CPU time on {platform.processor() or platform.machine()}"
        f" with two threads, {verdict} the {ALLOWED_S:g} s that were asked for."
    )
    learned = f"This network learned from {trained['data']}, in {trained['steps']} steps of {trained['batch']} windows.\n"
    return "\n".join([HEAD, learned, *found, _verdict(rows, version, sets), "", time_line]) + "\n"


def _verdict(rows: list[Row], version: str, sets: list[str]) -> str:
    """Whether the network is better than every other method on every set: only then it is shipped."""
    worse = []
    for name in sets:
        own = _mean(rows, name, NETWORK, None, version)
        for method in OTHERS:
            best = max(
                (_mean(rows, name, method, margin, "") for margin in MARGINS[name]),
                key=lambda means: sum(means.values()),
            )
            behind = [str(count) for count in SHOWN if own[count] <= best[count]]
            if behind:
                worse.append(f"than {method} on {name} after {', '.join(behind)} clicks")
    if not worse:
        return "**The network is better than both at every number of clicks, on both sets.**"
    return (
        f"**The network is no better {'; no better '.join(worse)}. It does not come with medseg until it is better at every "
        "number of clicks.**"
    )


def _mean(rows: list[Row], name: str, method: str, margin: float | None, version: str) -> dict[int, float]:
    """Mean Dice by number of clicks."""
    found = defaultdict(list)
    for row in rows:
        if (row["set"], row["method"], row["margin_mm"], row["model"]) == (name, method, margin, version):
            found[row["clicks"]].append(row["dice"])
    return {count: float(np.mean(dice)) for count, dice in found.items()}


def ship(rows: list[Row], version: str, folder: Path) -> None:
    """The bundle with what was measured, among the models that come with medseg."""
    own = [row for row in rows if row["model"] == version]
    quality = []
    for name in dict.fromkeys(row["set"] for row in own):
        for count in (1, 3, 10):
            found = [row for row in own if row["set"] == name and row["clicks"] == count]
            dice = np.array([row["dice"] for row in found])
            low, high = bootstrap_interval(dice, patients=[row["subject"] for row in found])
            label = f"{name}, {count} click{'s' * (count > 1)}"
            note = "cases held out by person or patient, clicked by a robot in the largest error"
            mean = float(dice.mean())
            quality.append(Quality(label, "dice", mean, low, high, 0.95, len(dice), COMMAND, note))
    config = load_config(NETWORK)
    assert isinstance(config, PromptConfig)
    sets = tuple(
        replace(one, cases=Path(one.cases).name, split=Path(one.split).name) for one in config.prompts.sets
    )
    plan = dump_config(PromptConfig(replace(config.prompts, sets=sets)))
    lines = ["set,case,subject,clicks,dice", *(",".join(str(row[key]) for key in KEPT) for row in own)]
    card = replace(read_card(folder), quality=tuple(quality))
    extras = {
        "LICENSE": licence_text(card),
        "plan.yaml": plan,
        "quality.csv": ("\n".join(lines) + "\n").encode(),
    }
    states = load_weights(card, folder)
    write_bundle(_folder(None), replace(card, weights=()), states, extras=extras, force=True)


def _table(name: str, rows: list[Row], version: str) -> str:
    curves: dict[tuple[str, float | None], dict[str, list[float]]] = defaultdict(dict)
    who = {}
    for row in rows:
        if row["model"] in ("", version):
            curves[row["method"], row["margin_mm"]].setdefault(row["case"], []).append(row["dice"])
            who[row["case"]] = row["subject"]
    common = sorted(set.intersection(*(set(found) for found in curves.values())))
    tables = {key: np.array([found[case] for case in common]) for key, found in curves.items()}
    patients = [who[case] for case in common]
    own = tables.get((NETWORK, None))
    lines = [f"## {name}: {len(common)} cases of {len(set(patients))} subjects\n"]
    lines.append(
        "| method | "
        + " | ".join(f"{count} clicks" for count in SHOWN)
        + " | network better by, 1, 3 and 10 clicks |"
    )
    lines.append("|---" * (len(SHOWN) + 2) + "|")
    for method in dict.fromkeys(method for method, _ in tables):
        margin = max((m for one, m in tables if one == method), key=lambda m: float(tables[method, m].mean()))
        table = tables[method, margin]
        cells = [_figure(table[:, count - 1], patients) for count in SHOWN]
        beside = "–"
        if own is not None and method != NETWORK:
            beside = ", ".join(
                _figure((own - table)[:, count - 1], patients, sign="+") for count in (1, 3, 10)
            )
        title = method if margin is None else f"{method} ({margin:g} mm)"
        lines.append(f"| {title} | " + " | ".join(cells) + f" | {beside} |")
    return "\n".join(lines) + "\n"


def _figure(values: Any, patients: list[str], sign: str = "") -> str:
    low, high = bootstrap_interval(np.asarray(values, np.float64), patients=patients)
    mean = f"{float(np.mean(values)):{sign}.3f}"
    return mean if low is None or high is None else f"{mean} ({low:{sign}.3f} to {high:{sign}.3f})"


def _read(log: Path) -> list[Row]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


if __name__ == "__main__":
    main()
