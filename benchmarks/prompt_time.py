"""What a prompt costs beside the solver, in a window, on a scan of 512 × 512 × 400 voxels.

    xvfb-run -a python -m benchmarks.prompt_time

From the moment a point is drawn until its answer is shown, less what the method itself takes, in CPU time of both processes: reading what was
drawn, asking the process that works, its answer's way back, and the mask on the screen.
"""

import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import psutil

from benchmarks.timed_segmenter import Timed
from medseg.domain import Grid, Image

SHAPE = (512, 512, 400)
METHODS = ("connected-threshold", "graph-cut", "random-walker")
PROMPTS = 4
ALLOWED_S = 0.3


def scan() -> Image:
    """Noise, and a bright block in the middle of it."""
    plane = np.random.default_rng(0).normal(40, 10, SHAPE[:2]).astype(np.int16)
    array = np.repeat(plane[..., None], SHAPE[2], axis=2)
    array = np.asfortranarray(array)
    array[230:260, 240:275, 180:205] += 100
    array.setflags(write=False)
    return Image(array, Grid(SHAPE, np.diag([-0.7, -0.7, 1.0, 1.0])), modality="CT")


def main() -> None:
    """Print a row for each method: seconds in all, of the solver, and between them."""
    from napari import Viewer
    from qtpy.QtWidgets import QApplication

    from napari_medseg._qt.segment import SegmentPanel
    from napari_medseg.bridge.layers import image_layer
    from napari_medseg.bridge.window import window_of

    viewer = Viewer()
    panel = SegmentPanel(viewer)
    viewer.window.add_dock_widget(panel)
    values, meta, _ = image_layer(scan(), "ct")
    viewer.add_image(values, **meta)

    def wait(done: Callable[[], bool]) -> None:
        while not done():
            QApplication.processEvents()
            time.sleep(0.005)

    def used() -> float:
        """CPU seconds of this process and of the one that works for it; solvers have processes of their own."""
        mine = psutil.Process()
        return sum(sum(one.cpu_times()[:2]) for one in (mine, *mine.children()))

    print(f"{platform.processor() or platform.machine()}, {SHAPE[0]} × {SHAPE[1]} × {SHAPE[2]}, int16")
    for name in METHODS:
        panel.segmenters.segmenter = Timed(name)
        panel.segmenters.chosen.emit()
        panel.prompts.take_up("point")
        wait(lambda: bool(panel.runs.jobs.is_idle))
        beside = []
        for number in range(PROMPTS):
            start, before = time.perf_counter(), used()
            viewer.layers.selection.active.add([[212 - number, 254, 266]])
            wait(lambda: bool(panel.runs.jobs.is_idle))
            total, spent = time.perf_counter() - start, used() - before
            mask = window_of(viewer).mask_of(panel.prompts.answer.layer)
            solver = float(dict(mask.now().made_by.run)["solver_s"])
            beside.append(spent - solver)
            print(
                f"{name:22} {number + 1}  {total:6.2f} s in all  CPU {spent:5.2f} s, beside {beside[-1]:5.2f} s"
            )
        found = statistics.median(beside[1:])
        verdict = "within" if found < ALLOWED_S else "ABOVE"
        print(
            f"{name:22} beside the solver {found:.2f} s of CPU, median after the first: {verdict} {ALLOWED_S} s"
        )
        panel.prompts.tools.clear.click()
    viewer.close()


if __name__ == "__main__":
    main()
