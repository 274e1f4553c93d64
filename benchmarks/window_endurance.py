"""Whether the window's memory grows with use: a reader's day at a script's speed.

A round opens a sample, segments it, goes to 20 slices and paints there, takes half of it back, waits for all numbers, looks
at three planes and in 3D, in every fourth round writes a report, and closes all layers: about 60 actions. As many as a
reader does in two hours at one action in 5 s are 24 rounds. The first rounds load libraries and fill caches, so growth is the
slope of a line through the memory of the later half. Beside it the same opens, strokes and closes in a bare napari.

Run: xvfb-run -a -s "-screen 0 1600x1200x24" python -m benchmarks.window_endurance [--rounds 24]
(writes docs/reference/window-memory.md; about 6 minutes on two cores)
"""

import argparse
import gc
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil

from benchmarks.commit import commit_tried

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "window-memory.md"
ROUNDS, REPORT_EVERY, STROKES = 24, 4, 20


def wait(done: Callable[[], bool], seconds: float = 300.0) -> None:
    from qtpy.QtCore import QCoreApplication

    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise SystemExit("the window did not get there")
        QCoreApplication.processEvents()
        time.sleep(0.005)


def settle(seconds: float = 0.3) -> None:
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end)


def delete_widgets() -> None:
    """Delete what the window has done with, as an event loop does that comes round; `processEvents` leaves it alone."""
    from qtpy.QtCore import QCoreApplication, QEvent

    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    settle()


def held_mb() -> float:
    """Memory of the window and of what works for it, in MB."""
    gc.collect()
    mine = psutil.Process()
    return sum(one.memory_info().rss for one in (mine, *mine.children(recursive=True))) / 2**20


def segment(viewer: Any, panel: Any) -> Any:
    """The mask's layer."""
    tab = panel.tab("Segment")
    tab.choice.setCurrentIndex(tab.choice.findData("otsu"))
    tab.run_button.click()
    wait(lambda: "otsu mask" in viewer.layers and tab.run_button.isEnabled())
    return viewer.layers["otsu mask"]


def correct(viewer: Any, panel: Any, layer: Any, rng: np.random.Generator) -> None:
    """Strokes, half of them taken back."""
    tab = panel.tab("Correct")
    viewer.layers.selection.active = layer
    layer.mode, layer.selected_label, layer.brush_size = "paint", 1, 5
    for _ in range(STROKES):
        at = [int(n * share) for n, share in zip(layer.data.shape, rng.uniform(0.2, 0.8, 3), strict=True)]
        viewer.dims.set_current_step(0, at[0])
        layer.paint(tuple(at), int(rng.integers(0, 2)))
        settle(0.02)
    for _ in range(STROKES // 2):
        tab.undo_button.click()
        settle(0.02)


def look(panel: Any) -> None:
    from napari_medseg._qt.look import LookBox

    panel.tab("Open")
    box = panel.findChild(LookBox)
    for button in (box.three, box.volume):
        button.click()
        settle()
        button.click()
        settle()


def report(panel: Any, folder: Path) -> None:
    tab = panel.tab("Report")
    tab.form.folder.line.setText(str(folder))
    tab.write_button.click()
    wait(lambda: not tab.task.is_running)


def one_round(viewer: Any, panel: Any, number: int, folder: Path) -> None:
    viewer.open_sample("medseg", "hippocampus")
    settle()
    layer = segment(viewer, panel)
    correct(viewer, panel, layer, np.random.default_rng(number))
    tab = panel.tab("Measure")
    wait(lambda: tab.measures is not None and tab.measures.is_fresh)
    look(panel)
    if number % REPORT_EVERY == 0:
        report(panel, folder / str(number))
    viewer.layers.clear()
    settle()


def one_bare_round(viewer: Any, number: int, image: Any, labels: Any) -> None:
    """What napari itself does in a round: the same layers, strokes, undo, and views."""
    from napari.layers import Layer

    viewer.add_layer(Layer.create(*image))
    settle()
    layer: Any = viewer.add_layer(Layer.create(np.array(labels[0]), *labels[1:]))
    layer.mode, layer.selected_label, layer.brush_size = "paint", 1, 5
    rng = np.random.default_rng(number)
    for _ in range(STROKES):
        at = [int(n * share) for n, share in zip(layer.data.shape, rng.uniform(0.2, 0.8, 3), strict=True)]
        viewer.dims.set_current_step(0, at[0])
        layer.paint(tuple(at), int(rng.integers(0, 2)))
        settle(0.02)
    for _ in range(STROKES // 2):
        layer.undo()
        settle(0.02)
    for ndisplay in (3, 2):
        viewer.dims.ndisplay = ndisplay
        settle()
    viewer.layers.clear()
    settle()


def held_after(rounds: int, one: Callable[[int], None]) -> list[float]:
    """Memory after each round (MB)."""
    held, start = [], time.monotonic()
    for number in range(rounds):
        one(number)
        delete_widgets()
        held.append(held_mb())
        told = f"round {number + 1}: {held[-1]:.0f} MB after {time.monotonic() - start:.0f} s"
        print(told, file=sys.stderr, flush=True)
    return held


def with_medseg(rounds: int) -> list[float]:
    """Rounds of the whole work."""
    from napari import Viewer

    with TemporaryDirectory() as work:
        os.environ["MEDSEG_WORK_DIR"] = str(Path(work) / "work")
        viewer = Viewer(show=True)
        viewer.window.resize(1280, 800)
        panel = viewer.window.add_plugin_dock_widget("medseg", "medseg")[1]
        held = held_after(rounds, lambda number: one_round(viewer, panel, number, Path(work)))
        viewer.close()
    return held


def without(rounds: int) -> list[float]:
    """The same image and mask in a window without medseg's panel."""
    from napari import Viewer

    from medseg import read, segment
    from medseg.workflows.demo import sample_folder
    from napari_medseg.bridge.layers import image_layer, labels_layer

    scan = read(sample_folder("hippocampus") / "mr.nii.gz", channel="mr")
    image, labels = image_layer(scan, "mr"), labels_layer(segment("otsu", scan), "mask")
    for _, meta, _ in (image, labels):
        meta["metadata"] = {}
    viewer = Viewer(show=True)
    viewer.window.resize(1280, 800)
    held = held_after(rounds, lambda number: one_bare_round(viewer, number, image, labels))
    viewer.close()
    return held


#: What is run, each in a process of its own.
RUNS = {"medseg": with_medseg, "napari alone": without}


def apart(who: str, rounds: int) -> list[float]:
    """Memory after each round of one run (MB)."""
    words = [sys.executable, "-m", "benchmarks.window_endurance", "--only", who, "--rounds", str(rounds)]
    ended = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return [float(part) for part in ended.stdout.splitlines()[-1].split()]


def growth(held: list[float]) -> float:
    """MB a round: the slope of a line through the later half."""
    later = held[len(held) // 2 :]
    return float(np.polyfit(range(len(later)), later, 1)[0]) if len(later) > 1 else float("nan")


def page(held: dict[str, list[float]], rounds: int) -> str:
    """The page of the documentation."""
    from importlib.metadata import version

    rows = [
        f"| {who} | {mb[0]:.0f} | {mb[-1]:.0f} | {growth(mb):+.1f} | {growth(mb) * ROUNDS:+.0f} |"
        for who, mb in held.items()
    ]
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return "\n".join(
        [
            "# Memory of the window in long use",
            "",
            f"Written by `python -m benchmarks.window_endurance` at {commit_tried()}: {rounds} rounds of about 60 actions, on",
            f"{machine}, napari {version('napari')}. {ROUNDS} rounds are as many actions as two hours at one",
            "action in 5 s. A round opens a scan, segments it, paints and takes back, measures, looks at three planes and in 3D,",
            "reports now and then, and closes all layers. *napari alone* is the same image and mask, strokes, undo and 3D, in a",
            "window without medseg: what closed layers leave behind there, they leave behind here too.",
            "",
            "| | first round, MB | last round, MB | growth a round, MB | in two hours, MB |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "Memory is that of the window and of the processes that work for it. Growth is the slope of a line through the later",
            "half of the rounds: in the first ones libraries are loaded and caches filled.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=RUNS, help="one of the two, and print its memory")
    asked = parser.parse_args()
    if asked.only:
        print(*RUNS[asked.only](asked.rounds))
        return
    held = {who: apart(who, asked.rounds) for who in RUNS}
    PAGE.write_text(page(held, asked.rounds), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
