"""Seeds drawn in the viewer land where they were drawn, whatever the image's axes."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from medseg.domain import Grid
from medseg.geometry import affine_orientation
from napari_medseg.layers import viewer_affine
from napari_medseg.seeds import is_negative, prompts_of


def grid(orientation: str) -> Grid:
    affine = affine_orientation((1.0, 1.5, 3.0), orientation)
    affine[:3, 3] = (-10, 20, 5)
    return Grid((12, 10, 6), affine)


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "PSR", "ILA"])
def test_a_point_on_a_voxel_is_its_position(orientation: str) -> None:
    place = grid(orientation)
    meta: dict[str, Any] = {"name": "tumour", "affine": viewer_affine(place)}
    found = prompts_of([(np.array([[2.0, 4.0, 7.0]]), meta, "points")])
    assert found.points[0].position == pytest.approx(place.to_position(np.array([7, 4, 2])))
    assert found.points[0].positive


def test_a_layer_in_world_coordinates_needs_no_affine() -> None:
    found = prompts_of([(np.array([[5.0, -20.0, 10.0]]), {"name": "seeds"}, "points")])
    assert found.points[0].position == (-10.0, 20.0, 5.0)


def test_shapes_become_strokes_and_boxes() -> None:
    square = np.array([[1.0, 2, 2], [1, 2, 6], [1, 6, 6], [1, 6, 2]])
    meta = {
        "name": "not tumour",
        "shape_type": ["polygon", "path", "rectangle"],
        "edge_width": [1, 2, 1],
        "affine": np.eye(4),
    }
    found = prompts_of([([square, square[:3], square], meta, "shapes")])
    assert [(item.closed, item.positive) for item in found.strokes] == [(True, False), (False, False)]
    assert found.strokes[1].radius_mm == 1.0
    assert found.boxes[0].low == (-6.0, -6.0, 1.0)
    assert found.boxes[0].high == (-2.0, -2.0, 1.0)


def test_two_dimensions_lie_on_the_first_slice() -> None:
    found = prompts_of([(np.array([[3.0, 4.0]]), {"name": "a"}, "points")])
    assert found.points[0].position == (-4.0, -3.0, 0.0)


@pytest.mark.parametrize(
    ("name", "negative"), [("tumour", False), ("not tumour", True), ("- fat", True), ("nothing", False)]
)
def test_names_say_what_is_outside(name: str, negative: bool) -> None:
    assert is_negative(name) is negative


@pytest.mark.gui
def test_the_widget_takes_seeds_from_the_window(make_napari_viewer: Any, qtbot: Any) -> None:
    from medseg.domain import Image
    from napari_medseg._qt.segment import SegmentWidget
    from napari_medseg.layers import image_layer

    place = grid("LPS")
    array = np.full(place.shape, 10.0, np.float32)
    array[3:8, 3:7, 2:5] = 300
    viewer = make_napari_viewer()
    data, meta, _ = image_layer(Image(array, place, modality="MR"), "scan")
    viewer.add_image(data, **meta)
    widget = SegmentWidget(viewer)
    widget.choice.setCurrentIndex(widget.choice.findData("connected-threshold"))
    assert "seeds" in widget.summary.text()
    viewer.add_points(np.array([[3.0, 4.0, 5.0]]), name="tumour", affine=meta["affine"])
    widget.start()
    qtbot.waitUntil(
        lambda: "connected-threshold mask" in viewer.layers or bool(widget.message.text()), timeout=60_000
    )
    assert "connected-threshold mask" in viewer.layers, widget.message.text()
    mask = viewer.layers["connected-threshold mask"].data
    assert int((mask > 0).sum()) == 5 * 4 * 3
    widget.close()
