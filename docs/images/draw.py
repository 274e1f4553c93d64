"""The pictures of the README: first page of the sarcoma report, and the widget in napari.

Run: xvfb-run -a -s "-screen 0 1600x1200x24" python docs/images/draw.py   (needs poppler's pdftoppm)
"""

import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def draw_report() -> None:
    from medseg.workflows.demo import demo

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "demo"
        demo(out)
        for name in ("sarcoma", "hippocampus", "cut"):
            pdf = out / name / "report.pdf"
            command = ["pdftoppm", "-r", "70", "-f", "1", "-l", "1", "-singlefile", "-png", str(pdf)]
            subprocess.run([*command, str(HERE / f"report-{name}")], check=True)


def draw_viewer() -> None:
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer(show=True)
    viewer.open_sample("medseg", "sarcoma")
    viewer.layers["pet"].opacity = 0.4
    _, widget = viewer.window.add_plugin_dock_widget("medseg", "Segment and measure")
    viewer.window.resize(1500, 950)
    widget.choice.setCurrentIndex(widget.choice.findData("sarcoma"))
    widget.same_space.setChecked(True)
    widget.run_button.click()
    end = time.monotonic() + 120
    while widget.record is None and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.02)
    viewer.dims.set_current_step(0, int(viewer.dims.nsteps[0]) - 1 - 28)
    for _ in range(50):
        QApplication.processEvents()
        time.sleep(0.02)
    viewer.screenshot(str(HERE / "napari.png"), canvas_only=False, flash=False)
    viewer.close()


if __name__ == "__main__":
    draw_report()
    draw_viewer()
