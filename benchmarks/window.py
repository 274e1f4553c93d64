"""A 512 × 512 × 400 int16 study in napari's window: CPU time of opening it and of a slice step, and memory.

Run: xvfb-run -a -s "-screen 0 1600x1200x24" python -m benchmarks.window   (or with the number of slices)
"""

import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

#: What may be spent: CPU seconds of opening, of a step beyond napari's own; memory as a multiple of the volume.
OPEN_S, STEP_S, MEMORY = 5.0, 0.05, 3.0
_STEPS = 40


def study(folder: Path, slices: int) -> Path:
    import numpy as np

    from medseg.domain import Grid, Image
    from medseg.workflows import write

    noise = np.random.default_rng(0).integers(-1000, 1000, (512, 512, 1), np.int16)
    array = np.broadcast_to(noise, (512, 512, slices)).copy()
    image = Image(array, Grid(array.shape, np.diag([0.7, 0.7, 1.0, 1.0])))
    return write(image, folder / "scan.nii")


def resident() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def settle(seconds: float = 0.3) -> None:
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()


def step_time(viewer: Any) -> float:
    """CPU seconds of one step of the slider, drawn."""
    from qtpy.QtWidgets import QApplication

    first = int(viewer.dims.nsteps[0]) // 3
    start = time.process_time()
    for at in range(_STEPS):
        viewer.dims.set_current_step(0, first + at)
        QApplication.processEvents()
    return (time.process_time() - start) / _STEPS


def opened(path: Path) -> tuple[float, float, float]:
    """CPU seconds of opening by the Open tab and of a step, and the memory that came."""
    import napari

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    _, panel = viewer.window.add_plugin_dock_widget("medseg", "medseg")
    settle()
    before, start = resident(), time.process_time()
    tab = panel.tab("Open")
    tab.look_through([path])
    while not viewer.layers:
        settle(0.01)
    spent = time.process_time() - start
    settle()
    step = step_time(viewer)
    grown = resident() - before
    viewer.close()
    return spent, step, grown


def bare(path: Path) -> float:
    """CPU seconds of a step of the same array in a window without medseg."""
    import napari

    from medseg.workflows import read

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    viewer.add_image(read(path).array.transpose(2, 1, 0), contrast_limits=(-160, 240))
    settle()
    step = step_time(viewer)
    viewer.close()
    return step


def main(slices: int = 400) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = study(Path(folder), slices)
        volume = 512 * 512 * slices * 2
        spent, step, grown = opened(path)
        own = bare(path)
    rows = [
        ("open, CPU s", spent, OPEN_S),
        ("slice step beyond napari's own, CPU s", step - own, STEP_S),
        ("memory / volume", grown / volume, MEMORY),
    ]
    print(f"{platform.machine()}, {os.cpu_count()} cores; 512 x 512 x {slices} int16")
    for name, found, allowed in rows:
        print(f"{name}: {found:.3f} (budget {allowed}) {'ok' if found <= allowed else 'OVER'}")
    return int(any(found > allowed for _, found, allowed in rows))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
