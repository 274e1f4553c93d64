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
    viewer.theme = "light"
    look.volume.click()
    shoot(viewer, "window-3d")
    viewer.close()


if __name__ == "__main__":
    main()
