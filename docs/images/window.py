"""The pictures of the tutorial of the window, each as it is on the screen at that step.

Run: xvfb-run -a -s "-screen 0 1600x1200x24" python docs/images/window.py
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def wait(done: Callable[[], bool] = lambda: False, seconds: float = 1.0) -> None:
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end and not done():
        QApplication.processEvents()
        time.sleep(0.01)


def shoot(viewer: Any, name: str) -> None:
    wait(seconds=2)
    viewer.screenshot(str(HERE / f"{name}.png"), canvas_only=False, flash=False)


def main() -> None:
    import napari

    from medseg.workflows.demo import sample_folder
    from napari_medseg._qt.look import LookBox

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    wait()
    _, panel = viewer.window.add_plugin_dock_widget("medseg", "medseg")
    tab, look = panel.tab("Open"), panel.findChild(LookBox)
    tab.look_through([sample_folder("sarcoma")])
    wait(lambda: not tab.cancel_button.isEnabled(), 30)
    shoot(viewer, "window-open")
    tab.rows.selectAll()
    tab.open_rows()
    wait(lambda: not tab.cancel_button.isEnabled(), 30)
    shoot(viewer, "window-look")
    look.three.click()
    shoot(viewer, "window-planes")
    look.three.click()
    find_tumour(viewer, panel)
    correct(viewer, panel)
    report(viewer, panel)
    viewer.theme = "light"
    panel.tab("Open")
    look.volume.click()
    shoot(viewer, "window-3d")
    viewer.close()


def find_tumour(viewer: Any, panel: Any) -> None:
    """The sarcoma model on both images, and its numbers."""
    tab = panel.tab("Segment")
    tab.choice.setCurrentIndex(tab.choice.findData("sarcoma"))
    tab.channels.same_space.setChecked(True)
    viewer.layers["reference"].visible = False
    shoot(viewer, "window-segment")
    tab.run_button.click()
    wait(lambda: "sarcoma mask" in viewer.layers, 300)
    tab = panel.tab("Measure")
    wait(lambda: tab.measures is not None and tab.measures.is_fresh, 300)
    shoot(viewer, "window-measure")


def correct(viewer: Any, panel: Any) -> None:
    """A stroke with napari's brush, as the tab *Correct* shows it."""
    tab = panel.tab("Correct")
    layer = viewer.layers["sarcoma mask"]
    viewer.layers.selection.active = layer
    layer.mode, layer.selected_label, layer.brush_size = "paint", 1, 12
    at = [int(step) for step in viewer.dims.current_step]
    layer.paint((at[0], at[1], at[2] + 30), 1)
    wait(lambda: tab.undo_button.isEnabled(), 10)
    shoot(viewer, "window-correct")


def report(viewer: Any, panel: Any) -> None:
    """What is written, where, and who signs."""
    tab = panel.tab("Report")
    tab.form.folder.line.setText("report")
    shoot(viewer, "window-report")


if __name__ == "__main__":
    main()
