"""Prompts in a real window: drawn by tools and keys, answered by themselves, the same from the command line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtWidgets import QFileDialog

from medseg.domain import Grid, Image
from medseg.geometry import affine_orientation
from medseg.workflows import read, read_segmentation, write
from medseg.workflows.prompts import read_prompts
from medseg.workflows.segmenters import find_segmenter, list_segmenters
from napari_medseg.bridge.layers import image_layer

pytestmark = pytest.mark.gui

SHAPE = (48, 44, 30)
#: Corners of two bright blocks, in voxels of the file.
BLOCKS = (((10, 12, 8), (22, 24, 18)), ((30, 12, 8), (40, 24, 18)))
PROMPTED = sorted(found.spec.name for found in list_segmenters() if found.spec.needs_prompts)


def scan(orientation: str = "LPS", degrees: float = 0.0) -> Image:
    array = np.random.default_rng(2).normal(100, 6, SHAPE).astype(np.float32)
    for number, (low, high) in enumerate(BLOCKS):
        array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] += 100 + 60 * number
    affine = affine_orientation((1.0, 1.1, 1.5), orientation)
    affine[:3, 3] = (-10, 20, 5)
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return Image(array, Grid(SHAPE, turn @ affine), modality="MR")


class Drawing:
    """Hands: prompts at voxels of the file, in the window of a panel."""

    def __init__(self, widget: Any, image: Image, segmenter: str) -> None:
        self.widget, self.panel, self.viewer = widget, widget.panel, widget.screen.viewer
        self.image = image
        values, meta, _ = image_layer(image, "mr")
        self.layer = self.viewer.add_image(values, **meta)
        ids = np.arange(np.prod(SHAPE)).reshape(SHAPE)
        self._shown = image_layer(Image(ids, image.grid), "ids")[0]
        widget.choose(segmenter)

    def seen(self, *voxel: int) -> list[float]:
        """Where a voxel of the file is in the layers."""
        number = np.ravel_multi_index(voxel, SHAPE)
        return [float(part) for part in np.argwhere(self._shown == number)[0]]

    def take_up(self, tool: str) -> Any:
        self.panel.prompts.take_up(tool)
        self.widget.settle()
        return self.viewer.layers.selection.active

    def point(self, *voxel: int) -> None:
        self.take_up("point").add([self.seen(*voxel)])
        self.widget.settle()

    def rectangle(self, axis: int, at: int, low: tuple[int, int], high: tuple[int, int]) -> None:
        """On the slice `at` across an axis of the file."""
        corners = [(low[0], low[1]), (low[0], high[1]), (high[0], high[1]), (high[0], low[1])]
        voxels = [tuple(np.insert(np.array(corner), axis, at)) for corner in corners]
        self.take_up("box").add_rectangles([self.seen(*map(int, voxel)) for voxel in voxels])
        self.widget.settle()

    def line(self, tool: str, *voxels: tuple[int, int, int]) -> None:
        layer = self.take_up(tool)
        path = [self.seen(*voxel) for voxel in voxels]
        if tool == "lasso":
            layer.add_polygons(path)
        else:
            layer.add_paths(path)
        self.widget.settle()

    @property
    def answer(self) -> Any:
        layer = self.panel.prompts.answer.layer
        assert layer is not None, self.panel.message.text()
        return layer

    def labels(self) -> np.ndarray:
        """The answer, as in the file."""
        return np.asarray(self.widget.mask(self.answer.name).labels)


def block(number: int) -> np.ndarray:
    found = np.zeros(SHAPE, np.bool_)
    low, high = BLOCKS[number]
    found[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return found


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def by_command(path: Path, segmenter: str, prompts: Path) -> str:
    """Digest of the mask that the command line makes."""
    out = path.with_name("mask.nii.gz")
    command = [sys.executable, "-m", "medseg", "segment", segmenter, str(path), "--out", str(out)]
    done = subprocess.run(
        [*command, "--prompts", str(prompts), "--force", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["command"] == "segment"
    return read_segmentation(out).digest


@pytest.mark.parametrize("name", [name for name in PROMPTED if name != "livewire"])
def test_one_point_is_answered_by_itself_with_every_prompted_method(widget: Any, name: str) -> None:
    hands = Drawing(widget, scan(), name)
    hands.point(16, 18, 13)
    assert overlap(hands.labels() == 1, block(0)) > 0.8, hands.panel.message.text()


def test_prompts_saved_and_loaded_by_their_buttons_give_the_same_mask_in_window_and_shell(
    widget: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, saved = Path(write(scan(), tmp_path / "image.nii.gz")), tmp_path / "prompts.json"
    for asks in ("getSaveFileName", "getOpenFileName"):
        monkeypatch.setattr(QFileDialog, asks, lambda *_: (str(saved), ""))
    hands = Drawing(widget, read(path), "random-walker")
    hands.point(16, 18, 13)
    hands.panel.prompts.tools.side.click()
    hands.line("scribble", (26, 10, 13), (26, 28, 13))
    drawn = widget.mask(hands.answer.name).digest
    tools = hands.panel.prompts.tools
    tools.save.click()
    tools.clear.click()
    widget.settle()
    assert hands.panel.prompts.answer.layer is None
    tools.load.click()
    widget.settle()
    assert widget.mask(hands.answer.name).digest == drawn == by_command(path, "random-walker", saved)


def test_livewire_is_answered_once_it_has_its_anchors(widget: Any) -> None:
    hands = Drawing(widget, scan(), "livewire")
    hands.line("lasso", (10, 12, 13), (21, 12, 13), (21, 23, 13), (10, 23, 13))
    assert overlap(hands.labels()[..., 13] > 0, block(0)[..., 13]) > 0.8


@pytest.mark.parametrize(("orientation", "degrees"), [("LPS", 0), ("PSR", 0), ("IPL", 20)])
def test_prompts_of_all_kinds_replay_to_the_same_mask_by_the_command_line(
    widget: Any, tmp_path: Path, orientation: str, degrees: float
) -> None:
    path = Path(write(scan(orientation, degrees), tmp_path / "image.nii.gz"))
    hands = Drawing(widget, read(path), "random-walker")
    hands.point(16, 18, 13)
    hands.line("scribble", (12, 14, 10), (20, 22, 10))
    hands.panel.prompts.tools.side.click()
    hands.line("scribble", (26, 10, 13), (26, 28, 13))
    hands.panel.prompts.tools.next.click()
    hands.line("lasso", (32, 14, 12), (38, 14, 12), (38, 22, 12), (32, 22, 12))
    hands.rectangle(2, 13, (29, 11), (41, 25))
    hands.point(16, 17, 12)
    labels = hands.labels()
    assert {1, 2} <= set(np.unique(labels).tolist())
    saved = tmp_path / "prompts.json"
    hands.panel.prompts.save(saved)
    given = read_prompts(saved)
    assert (len(given.points), len(given.boxes), len(given.strokes)) == (2, 1, 3)
    assert [stroke.positive for stroke in given.strokes] == [True, False, True]
    assert by_command(path, "random-walker", saved) == widget.mask(hands.answer.name).digest


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("way", ["depth", "two rectangles"])
def test_a_box_has_a_depth_on_any_plane(widget: Any, axis: int, way: str) -> None:
    image = scan("PSR")
    hands = Drawing(widget, image, "random-walker")
    low, high = (
        tuple(at + 3 * side for at in corner) for side, corner in zip((-1, 1), BLOCKS[0], strict=True)
    )
    others = [other for other in range(3) if other != axis]
    corners = tuple(low[other] for other in others), tuple(high[other] - 1 for other in others)
    depth = (high[axis] - low[axis]) * image.grid.spacing[axis]
    hands.panel.prompts.tools.box_depth.setValue(depth if way == "depth" else 0)
    if way == "depth":
        hands.rectangle(axis, (low[axis] + high[axis]) // 2, *corners)
    else:
        hands.rectangle(axis, low[axis], *corners)
        assert hands.panel.prompts.answer.layer is None
        assert "last slice" in hands.panel.message.text()
        hands.rectangle(axis, high[axis] - 1, *corners)
    labels = hands.labels()
    assert overlap(labels > 0, block(0)) > 0.8
    near = np.zeros(SHAPE, np.bool_)
    near[tuple(slice(a - 1, b + 1) for a, b in zip(low, high, strict=True))] = True
    assert not (labels[~near] > 0).any()


def test_a_negative_prompt_takes_away_and_undo_gives_it_back(widget: Any) -> None:
    hands = Drawing(widget, scan(), "random-walker")
    hands.point(16, 18, 13)
    before = hands.labels().copy()
    hands.panel.prompts.tools.side.click()
    hands.point(20, 22, 16)
    assert hands.labels()[20, 22, 16] == 0
    hands.panel.prompts.tools.undo.click()
    widget.settle()
    assert np.array_equal(hands.labels(), before)
    hands.panel.prompts.tools.undo.click()
    widget.settle()
    assert hands.panel.prompts.answer.layer is None
    assert not [layer for layer in hands.viewer.layers if "mask" in layer.name]


def test_the_answer_stays_one_layer_and_the_prompt_layer_stays_the_one_drawn_on(widget: Any) -> None:
    hands = Drawing(widget, scan(), "random-walker")
    hands.point(16, 18, 13)
    drawn_on = hands.viewer.layers.selection.active
    hands.point(14, 16, 12)
    assert [layer.name for layer in hands.viewer.layers if "mask" in layer.name] == ["random-walker mask"]
    assert hands.viewer.layers.selection.active is drawn_on
    assert drawn_on.mode == "add"
    assert [str(unit) for unit in drawn_on.units] == ["millimeter"] * 3
    assert drawn_on.scale == pytest.approx(hands.layer.scale)


def test_keys_take_up_tools_flip_the_side_and_go_to_the_next_object(widget: Any, qtbot: Any) -> None:
    hands = Drawing(widget, scan(), "graph-cut")
    canvas = hands.viewer.window._qt_viewer.canvas.native
    modes = []
    for key in "PBSL":
        qtbot.keyClick(canvas, key)
        widget.settle()
        modes.append(hands.viewer.layers.selection.active.mode)
    assert modes == ["add", "add_rectangle", "add_path", "add_polygon_lasso"]
    said = hands.panel.prompts.tools.prompting
    qtbot.keyClick(canvas, "T")
    assert (said.label, said.inside) == (1, False)
    qtbot.keyClick(canvas, "T")
    hands.point(16, 18, 13)
    qtbot.keyClick(canvas, "R")
    assert (said.label, said.inside) == (2, True)
    hands.point(35, 18, 13)
    labels = hands.labels()
    assert overlap(labels == 1, block(0)) > 0.7
    assert overlap(labels == 2, block(1)) > 0.7
    qtbot.keyClick(canvas, "U")
    widget.settle()
    assert set(np.unique(hands.labels()).tolist()) == {0, 1}


def test_a_mask_is_the_start_and_is_refined(widget: Any) -> None:
    image = scan()
    hands = Drawing(widget, image, "graph-cut")
    rough = np.zeros(SHAPE, np.uint8)
    rough[7:25, 9:27, 6:20] = 1
    shown = hands.layer.data.shape
    layer = hands.viewer.add_labels(
        np.zeros(shown, np.uint8), name="mine", scale=hands.layer.scale, units="mm"
    )
    layer.translate = hands.layer.translate
    for voxel in np.argwhere(rough):
        z, y, x = map(int, hands.seen(*voxel))
        layer.data[z, y, x] = 1
    hands.viewer.layers.selection.active = layer
    hands.panel.prompts.tools.start.click()
    widget.wait(lambda: hands.panel.prompts.answer.layer is not None)
    widget.settle()
    assert overlap(hands.labels() > 0, block(0)) > overlap(rough > 0, block(0))
    assert "mine" in hands.viewer.layers


def test_without_a_prompt_it_says_what_to_draw_and_a_method_without_prompts_says_so(widget: Any) -> None:
    hands = Drawing(widget, scan(), "random-walker")
    hands.panel.run_button.click()
    assert "Draw a prompt" in hands.panel.message.text()
    widget.choose("otsu")
    hands.panel.prompts.take_up("point")
    assert "takes no prompts" in hands.panel.message.text()


def test_methods_that_may_take_prompts_run_without_any(widget: Any) -> None:
    hands = Drawing(widget, scan(), "watershed")
    assert find_segmenter("watershed").spec.near_prompts
    hands.panel.run_button.click()
    widget.settle()
    assert "watershed mask" in hands.viewer.layers
