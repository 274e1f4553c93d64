"""The 3D view: what stands in the page, and what real Chromium draws from it."""

import base64
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Grid, Label, LabelTable, Segmentation
from medseg.masks.surfaces import Surface, surface_of, volume_change
from medseg.reporting.view3d.fragment import ShownSurface, no_view3d, shown_surfaces, view3d, view3d_html
from tests.reporting.browser import Browser, Pixels

HOSTILE = '</script><img src=x onerror="alert(1)">'


def page(tmp_path: Path, fragment: str, *, above_px: int = 0) -> Path:
    path = tmp_path / "page.html"
    head = "<!doctype html><html><head><meta charset='utf-8'></head><body>"
    path.write_text(
        f"{head}<div style='height:{above_px}px'></div>{fragment}</body></html>", encoding="utf-8"
    )
    return path


def two_balls(
    *, names: tuple[str, str] = ("left ball", "right ball"), offset: tuple[float, float, float] = (0, 0, 0)
) -> Segmentation:
    """Synthetic: two balls of radius 8 and 5 mm, at the patient's left and right, on 1 × 1 × 2 mm."""
    grid = Grid((50, 30, 16), np.diag([1.0, 1.0, 2.0, 1.0]))
    places = grid.to_position(np.moveaxis(np.indices(grid.shape), 0, -1))
    labels = np.zeros(grid.shape, np.uint8)
    labels[np.linalg.norm(places - (13, 15, 15), axis=-1) <= 8] = 1
    labels[np.linalg.norm(places - (38, 15, 15), axis=-1) <= 5] = 2
    affine = np.array(grid.affine)
    affine[:3, 3] = offset
    table = LabelTable((Label(1, names[0]), Label(2, names[1])))
    return Segmentation(labels, Grid(grid.shape, affine), table)


def differing(a: Pixels, b: Pixels) -> float:
    """Share of pixels that differ by more than noise."""
    return float((np.abs(a - b).max(axis=-1) > 16).mean())


def coloured(pixels: Pixels) -> float:
    """Share of pixels with a colour, which only surfaces and letters have."""
    return float((np.ptp(pixels, axis=-1) > 40).mean())


@pytest.mark.slow
def test_chromium_turns_the_view_and_toggles_a_label(browser: Callable[..., Browser], tmp_path: Path) -> None:
    view = browser()
    view.open(page(tmp_path, view3d(two_balls())))
    view.until("document.querySelector('.view3d').dataset.state === 'rendered'")
    first = view.stage()
    assert coloured(first) > 0.03

    x, y, width, height = view.box(".v3d-stage")
    view.drag((x + width / 2, y + height / 2), (x + width / 2 + 120, y + height / 2 + 40))
    turned = view.stage()
    assert differing(first, turned) > 0.02

    view.click(".v3d-list li:nth-child(1) label")
    without = view.stage()
    assert view.value("document.querySelector('.v3d-list input').checked") is False
    assert 0 < coloured(without) < 0.6 * coloured(turned)

    view.mouse("mouseWheel", x + width / 2, y + height / 2, deltaX=0, deltaY=-300)
    assert differing(view.stage(), without) == 0, "the wheel is the page's until the view is clicked"
    view.click(".v3d-stage")
    view.mouse("mouseWheel", x + width / 2, y + height / 2, deltaX=0, deltaY=-300)
    assert differing(view.stage(), without) > 0.005

    view.click("[data-act=reset]")
    assert differing(view.stage(), first) < 0.001


@pytest.mark.slow
def test_keys_turn_it_and_the_front_shows_the_patients_right_on_the_left(
    browser: Callable[..., Browser], tmp_path: Path
) -> None:
    view = browser()
    view.open(page(tmp_path, view3d(two_balls())))
    view.until("document.querySelector('.view3d').dataset.state === 'rendered'")
    view.click("[data-act^='look 0']")
    front = view.stage()
    larger = np.flatnonzero((np.ptp(front, axis=-1) > 40).any(axis=0))
    columns = (np.ptp(front, axis=-1) > 40).sum(axis=0)
    half = len(columns) // 2
    # The larger ball has the smaller x: it lies to the patient's left, so on the right of the picture.
    assert larger.size
    assert columns[half:].sum() > 1.5 * columns[:half].sum()
    view.value("document.querySelector('.v3d-stage').focus()")
    for kind in ("keyDown", "keyUp"):
        view.call("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight")
    assert differing(view.stage(), front) > 0.005


@pytest.mark.slow
def test_the_picture_does_not_depend_on_where_the_data_lie(
    browser: Callable[..., Browser], tmp_path: Path
) -> None:
    view, seen = browser(), []
    for offset in ((0, 0, 0), (-180, 400, 900)):
        view.open(page(tmp_path, view3d(two_balls(offset=offset))))
        view.until("document.querySelector('.view3d').dataset.state === 'rendered'")
        seen.append(view.stage())
    assert differing(*seen) < 0.002


@pytest.mark.slow
def test_it_is_built_when_it_comes_into_sight(browser: Callable[..., Browser], tmp_path: Path) -> None:
    view = browser()
    view.open(page(tmp_path, view3d(two_balls()), above_px=3000))
    time.sleep(0.3)
    assert view.value("document.querySelector('.view3d').dataset.state") == "starting"
    assert view.value("document.querySelector('canvas')") is None
    view.value("document.querySelector('.view3d').scrollIntoView()")
    view.until("document.querySelector('.view3d').dataset.state === 'rendered'")


@pytest.mark.slow
def test_without_webgl_it_says_so(browser: Callable[..., Browser], tmp_path: Path) -> None:
    view = browser("--disable-3d-apis")
    view.open(page(tmp_path, view3d(two_balls())))
    view.until("document.querySelector('.view3d').dataset.state === 'no-webgl'")
    assert "needs WebGL" in view.value("document.querySelector('.v3d-stage').innerText")


@pytest.mark.slow
def test_hostile_names_are_text(browser: Callable[..., Browser], tmp_path: Path) -> None:
    view = browser()
    view.open(page(tmp_path, view3d(two_balls(names=(HOSTILE, "b")))))
    view.until("document.querySelector('.view3d').dataset.state === 'rendered'")
    assert view.value("document.querySelector('.v3d-list label').innerText") == HOSTILE
    assert view.value("document.querySelectorAll('img').length") == 0


def test_the_page_needs_nothing_else_and_stays_small() -> None:
    fragment = view3d(two_balls(names=(HOSTILE, "b")))
    assert HOSTILE not in fragment
    assert fragment.count("</script>") == 2
    markup = re.sub(r"<script.*?</script>", "", fragment, flags=re.DOTALL)
    assert not re.findall(r"""\b(?:src|href)=|url\(|@import""", markup.replace("&lt;img src=", ""))
    assert set(re.findall(r"https?://[^\s\"'`)]+", fragment)) <= {"http://www.w3.org/1999/xhtml"}
    assert "Permission is hereby granted" in fragment
    assert "every number of this report comes from the voxels" in fragment
    assert len(view3d_html(())) < 2_000_000


def test_vertices_are_kept_to_a_65535th_of_the_box() -> None:
    surface = surface_of(two_balls().mask(1), two_balls().grid)
    text = view3d_html([ShownSurface("a", "#ff0000", surface)])
    found = re.search(r'class="v3d-data">(.*?)</script>', text)
    assert found
    (item,) = json.loads(found[1])["labels"]
    packed = np.frombuffer(base64.b64decode(item["vertices"]), "<u2").reshape(-1, 3)
    places = np.array(item["low"]) + packed * np.array(item["step"])
    assert np.abs(places - surface.vertices).max() < 20 / 65535
    indices = np.frombuffer(base64.b64decode(item["triangles"]), "<u2").reshape(-1, 3)
    assert np.array_equal(indices, surface.triangles)


def test_many_triangles_are_thinned_to_the_budget_and_the_change_is_told(data: Callable[[str], Path]) -> None:
    from medseg.io import read_segmentation

    mask = read_segmentation(data("misc/ct_small/example_seg.nii.gz"))
    shown = shown_surfaces(mask, most=30_000)
    assert len(shown) == 41
    assert sum(len(item.surface.triangles) for item in shown) <= 30_000 + 41 * 200
    for item in shown:
        assert item.change is not None
    text = view3d_html(shown)
    changed = [item for item in shown if abs(item.change or 0) > 0.01]
    assert changed
    assert all(item.name in text.partition("Smoothing and thinning changed volumes")[2] for item in changed)
    mesh = surface_of(mask.mask(mask.present[0]), mask.grid)
    assert shown[0].change == volume_change(mesh, shown[0].surface)


PX = Grid((8, 8, 4), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px")
SHEARED = Grid((8, 8, 4), np.array([[1.0, 0, 0, 0], [0, 1, 0.25, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))


@pytest.mark.parametrize(
    ("grid", "words"),
    [(PX, "pixels"), (SHEARED, "sheared"), (Grid((8, 8, 1), np.eye(4)), "single slice")],
    ids=["px", "sheared", "flat"],
)
def test_where_there_is_no_view_a_sentence_says_why(grid: Grid, words: str) -> None:
    assert words in (no_view3d(grid) or "")
    text = view3d(Segmentation(np.ones(grid.shape, np.uint8), grid, LabelTable((Label(1, "a"),))))
    assert words in text
    assert "<script" not in text


def test_an_empty_mask_has_no_view() -> None:
    grid = Grid((4, 4, 4), np.eye(4))
    assert "empty" in view3d(Segmentation(np.zeros(grid.shape, np.uint8), grid, LabelTable((Label(1, "a"),))))


def test_a_colour_is_a_colour() -> None:
    empty = Surface(np.empty((0, 3)), np.empty((0, 3), np.int32))
    with pytest.raises(ValueError, match="#rrggbb"):
        ShownSurface("a", 'red" onclick="', empty)
