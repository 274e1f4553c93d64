"""The pictures of the documentation: pages, the 3D view and a table as Chromium shows them, the widget in napari.

Run: xvfb-run -a -s "-screen 0 1600x1200x24" python docs/images/draw.py   (needs poppler's pdftoppm, and Chromium)
"""

import base64
import csv
import html
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: Columns of the wide table that its picture shows.
_COLUMNS = ("tumour volume (ml)", "tumour longest_in_plane_diameter (mm)", "tumour intensity_mean, mr")
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
        page = out / "sarcoma" / "report.html"
        shoot(page, "page-light.png", (860, 1010))
        shoot(page, "page-dark.png", (860, 1010), dark=True)
        draw_view3d(out / "hippocampus" / "report.html", Path(folder))
        draw_table([out / name / "record.json" for name in ("sarcoma", "cut")], Path(folder))


def draw_view3d(page: Path, folder: Path) -> None:
    """The 3D view alone: the rest of its page is hidden."""
    text = page.read_text(encoding="utf-8")
    hide = "<style>body * { visibility: hidden } .viewer, .viewer * { visibility: visible }"
    hide += " .viewer { position: absolute; top: 0; left: 0; width: 860px }</style>"
    alone = folder / "view3d.html"
    alone.write_text(text.replace("</head>", f"{hide}</head>"), encoding="utf-8")
    shoot(
        alone,
        "view3d.png",
        (880, 465),
        drawn="document.querySelector('.view3d').dataset.state === 'rendered'",
    )


def draw_table(records: list[Path], folder: Path) -> None:
    """The first columns of the table with a row per case."""
    from medseg.reporting import to_wide_csv
    from medseg.workflows.record import read_record

    found = {path.parent.name: read_record(path) for path in records}
    rows = list(csv.reader(to_wide_csv(found).decode().splitlines()))
    wanted = [0, *(n for n, name in enumerate(rows[0]) if name.startswith(_COLUMNS))]
    cells = [[_short(row[n]) for n in wanted] for row in rows]
    lines = "".join(
        f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in row)}</tr>"
        for tag, row in zip(["th", *["td"] * len(cells)], cells, strict=False)
    )
    style = "body{font:14px sans-serif;margin:12px} td,th{padding:4px 12px 4px 0;text-align:left}"
    style += "td,th{border-bottom:1px solid #ccc}"
    page = folder / "table.html"
    page.write_text(
        f"<!doctype html><meta charset=utf-8><style>{style}</style><table>{lines}</table>", "utf-8"
    )
    shoot(page, "table.png", (1000, 125))


def _short(cell: str) -> str:
    """Five digits of a number; the file has all."""
    try:
        return f"{float(cell):.5g}"
    except ValueError:
        return cell


def shoot(page: Path, name: str, size: tuple[int, int], *, dark: bool = False, drawn: str = "true") -> None:
    """What Chromium shows of a page, in light or dark, once `drawn` holds in it."""
    sys.path.insert(0, str(HERE.parents[1]))
    from tests.reporting.browser import Browser

    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(Path(profile))
        try:
            browser.resize(*size, dark=dark)
            browser.open(page)
            browser.until(drawn)
            browser.answer("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            shot = browser.call("Page.captureScreenshot", format="png")["data"]
        finally:
            browser.close()
    (HERE / name).write_bytes(base64.b64decode(shot))


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
