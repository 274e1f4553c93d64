"""The pictures of the tutorial of the window, each as it is on the screen at that step.

Run: xvfb-run -a -s "-screen 0 1600x1200x24" python docs/images/window.py
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
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
    layer.mode, layer.selected_label, layer.brush_size = "paint", 1, 10
    at = [int(step) for step in viewer.dims.current_step]
    layer.paint((at[0], at[1], at[2] + 4), 1)
    wait(tab.undo_button.isEnabled, 10)
    shoot(viewer, "window-correct")


def report(viewer: Any, panel: Any) -> None:
    """A written report, its findings confirmed, signed."""
    from qtpy.QtCore import Qt

    tab = panel.tab("Report")
    with TemporaryDirectory() as folder:
        tab.form.folder.line.setText(str(Path(folder) / "report"))
        tab.write_button.click()
        wait(lambda: tab.review.page is not None, 300)
        tab.signing.reader.setText("A. Reader")
        tab.signing.organization.setText("Study centre")
        for at in range(tab.signing.findings.count()):
            tab.signing.findings.item(at).setCheckState(Qt.CheckState.Checked)
        tab.signing.button.click()
        wait(lambda: tab.review.is_reviewed, 300)
        # What stands in the field is not needed any more; the picture shows no path of this machine.
        tab.form.folder.line.setText("report")
        tab.task.say("")
        shoot(viewer, "window-report")


if __name__ == "__main__":
    with TemporaryDirectory() as work:  # no work of other windows is offered in the pictures
        os.environ["MEDSEG_WORK_DIR"] = work
        main()
