"""Whether the window's memory grows with use: a reader's day at a script's speed.

A round opens a sample, segments it, goes to 20 slices and paints there, takes half of it back, waits for all numbers, looks
at three planes and in 3D, in every fourth round writes a report, and closes all layers: about 60 actions. As many as a
reader does in two hours at one action in 5 s are 24 rounds. The first rounds load libraries and fill caches, so growth is the
slope of a line through the memory of the later half.

Run: xvfb-run -a -s "-screen 0 1600x1200x24" python -m benchmarks.window_endurance [--rounds 24]
"""

import argparse
import gc
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil

ROUNDS, REPORT_EVERY, STROKES = 24, 4, 20


def wait(done: Callable[[], bool], seconds: float = 300.0) -> None:
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise SystemExit("the window did not get there")
        QApplication.processEvents()
        time.sleep(0.005)


def settle(seconds: float = 0.3) -> None:
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end)


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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    from napari import Viewer

    print(
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, {rounds} rounds"
    )
    with TemporaryDirectory() as work:
        os.environ["MEDSEG_WORK_DIR"] = str(Path(work) / "work")
        viewer = Viewer(show=True)
        viewer.window.resize(1280, 800)
        panel = viewer.window.add_plugin_dock_widget("medseg", "medseg")[1]
        held = []
        start = time.monotonic()
        for number in range(rounds):
            one_round(viewer, panel, number, Path(work))
            held.append(held_mb())
            print(f"round {number + 1}: {held[-1]:.0f} MB after {time.monotonic() - start:.0f} s", flush=True)
        later = held[len(held) // 2 :]
        slope = float(np.polyfit(range(len(later)), later, 1)[0]) if len(later) > 1 else float("nan")
        print(f"growth in the later half: {slope:+.1f} MB a round, {slope * ROUNDS:+.0f} MB in two hours")
        viewer.close()


if __name__ == "__main__":
    main()
