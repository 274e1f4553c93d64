"""Layers and masks work in one memory: strokes, undo, replaced arrays, duplicates, names, layers of others."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from medseg.domain import Grid, Image, Label, LabelTable, Segmentation, digest_of
from medseg.domain.segmentation import smallest_unsigned
from medseg.errors import InputError
from medseg.geometry import affine_orientation
from medseg.workflows import measure
from napari.layers import Labels
from napari_medseg.bridge.layers import image_layer, labels_layer
from napari_medseg.bridge.window import UID, Window, window_of
from napari_medseg.workspace import EditedMask
from napari_medseg.workspace.limits import Limits
from tests.geometry.test_orientation import ALL_48

SHAPE = (12, 10, 8)
TABLE = LabelTable((Label(1, "tumour"), Label(2, "liver")))


def scan(affine: NDArray[Any] | None = None, shape: tuple[int, int, int] = SHAPE) -> Image:
    values = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    return Image(values, Grid(shape, np.diag([0.5, 0.5, 3.0, 1.0]) if affine is None else affine))


def opened(viewer: Any, image: Image) -> tuple[Window, Any, EditedMask]:
    """A window with a scan and an empty mask on it: window, labels layer, mask."""
    window = window_of(viewer)
    data, meta, _ = image_layer(image, "scan")
    viewer.add_image(data, **meta)
    data, meta, _ = labels_layer(
        Segmentation(np.zeros(image.grid.shape, np.uint8), image.grid, TABLE), "mask"
    )
    layer = viewer.add_labels(data, **meta)
    mask = window.mask_of(layer)
    assert mask is not None
    return window, layer, mask


def digest(labels: NDArray[Any]) -> str:
    return digest_of(smallest_unsigned(labels.astype(np.uint16)))


def drag(layer: Any, places: list[tuple[int, int, int]], label: int) -> None:
    """One stroke over several places, as the mouse makes it: napari tells of it when it ends."""
    with layer.block_history():
        for place in places:
            layer.paint(place, label)


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any]) -> Any:
    return make_napari_viewer()


@pytest.mark.parametrize("letters", [*ALL_48[::7], "oblique"])
def test_what_is_painted_is_the_voxels_of_the_patient(viewer: Any, letters: str) -> None:
    """In every orientation a stroke is in the mask, on its native grid, and counted to the last voxel."""
    affine = affine_orientation((0.5, 0.8, 3.0), "RAS" if letters == "oblique" else letters)
    if letters == "oblique":
        affine[:3, :3] = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0] @ affine[:3, :3]
    _, layer, mask = opened(viewer, scan(affine))
    layer.mode, layer.brush_size = "paint", 6
    middle = tuple(n // 2 for n in layer.data.shape)
    drag(layer, [middle, (middle[0], middle[1], middle[2] + 1)], 1)
    painted = int((layer.data == 1).sum())
    assert painted > 5
    assert np.shares_memory(layer.data, mask.labels)
    assert int((mask.labels == 1).sum()) == painted
    assert mask.journal.net() == {1: painted}
    (edit,) = mask.now().made_by.edits
    assert (dict(edit.parameters)["tool"], edit.changes[0].net_voxels) == ("brush", painted)
    assert edit.volume_change_ml == pytest.approx(painted * 0.5 * 0.8 * 3.0 / 1000, rel=1e-9)
    rows = {
        item.quantity.name: item.value
        for item in measure(mask.now()).measurements
        if item.target.labels == (1,)
    }
    assert (rows["VOXEL_COUNT"], rows["VOLUME"]) == (painted, edit.volume_change_ml)


WAYS: dict[str, Callable[[Any], None]] = {
    "a drag": lambda layer: drag(layer, [(3, 4, 4), (3, 4, 6)], 1),
    "a dab": lambda layer: layer.paint((3, 4, 4), 1),
    "fill": lambda layer: layer.fill((3, 4, 4), 2),
    "a polygon": lambda layer: layer.paint_polygon([[3, 1, 1], [3, 1, 7], [3, 7, 7]], 1),
    "indices": lambda layer: layer.data_setitem((np.array([1, 2]), np.array([3, 3]), np.array([5, 6])), 2),
    "indices with values": lambda layer: layer.data_setitem(
        (np.array([1, 2]), np.array([3, 3]), np.array([5, 6])), [1, 2]
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_paint_is_undone_and_made_again_by_the_keys(viewer: Any, way: str) -> None:
    """napari tells of some of them before it writes, of others after: the journal is right for all."""
    _, layer, mask = opened(viewer, scan())
    layer.brush_size = 3
    WAYS[way](layer)
    painted = layer.data.copy()
    assert painted.any()
    assert np.shares_memory(layer.data, mask.labels)
    assert mask.journal.done[-1].voxels == np.count_nonzero(painted)
    viewer.layers.selection.active = layer
    layer.keymap[next(iter(layer.keymap))](layer)
    assert not layer.data.any()
    mask.redo()
    assert (layer.data == painted).all()


def test_undo_crosses_slices_tools_operations_and_runs(viewer: Any) -> None:
    _, layer, mask = opened(viewer, scan())
    states = [digest(mask.labels)]

    def did() -> None:
        states.append(digest(mask.labels))

    for k in (1, 5):
        layer.paint((k, 4, 4), 1)
        did()
    layer.fill((0, 0, 0), 2)
    did()
    mask.operate("erode=0.5", labels=["liver"])
    did()
    mask.made_anew(Segmentation(np.ones(SHAPE, np.uint8), mask.before.grid, TABLE), tool="otsu")
    did()
    layer.paint((2, 2, 2), 0)
    did()
    for state in reversed(states[:-1]):
        mask.undo()
        assert digest(mask.labels) == state
    for state in states[1:]:
        mask.redo()
        assert digest(mask.labels) == state
    assert np.shares_memory(layer.data, mask.labels)


@pytest.mark.parametrize("way", [way for way in WAYS if way != "indices with values"])
def test_what_limits_hold_back_is_neither_in_the_mask_nor_in_the_layer(viewer: Any, way: str) -> None:
    _, layer, mask = opened(viewer, scan())
    layer.brush_size = 5
    drag(layer, [(3, 4, 4), (1, 3, 5)], 2)
    locked = layer.data == 2
    mask.limits = Limits(locked=frozenset({2}))
    WAYS[way](layer)
    assert ((layer.data == 2) == locked).all()
    assert np.shares_memory(layer.data, mask.labels)


def test_an_array_put_in_place_of_another_is_taken_in_and_told(viewer: Any) -> None:
    _, layer, mask = opened(viewer, scan())
    other = np.zeros_like(layer.data)
    other[2:4, 3:5, 3:6] = 1
    layer.data = other
    assert np.shares_memory(layer.data, mask.labels)
    (edit,) = mask.now().made_by.edits
    assert (edit.operation, edit.changes[0].added) == ("changed outside medseg", 12)
    layer.paint((6, 6, 6), 2)
    mask.undo()
    mask.undo()
    assert not layer.data.any()


def test_an_array_of_another_shape_is_no_longer_the_mask(viewer: Any) -> None:
    window, layer, mask = opened(viewer, scan())
    layer.data = np.zeros((3, 3, 3), np.uint8)
    assert "not this mask" in window.fault_of(mask.uid)


def test_napari_s_own_undo_is_noticed(viewer: Any) -> None:
    """It tells nobody; the number of voxels does."""
    _, layer, mask = opened(viewer, scan())
    layer.paint((3, 4, 4), 1)
    layer.undo()
    (_, outside) = mask.now().made_by.edits
    assert outside.operation == "changed outside medseg"


def test_a_renamed_and_moved_layer_stays_its_mask(viewer: Any) -> None:
    window, layer, mask = opened(viewer, scan())
    layer.name = "mine"
    viewer.layers.move(1, 0)
    layer.paint((3, 4, 4), 1)
    assert window.layer(mask.uid) is layer
    assert mask.journal.done


def test_a_duplicate_is_a_mask_of_its_own_with_the_same_history(viewer: Any) -> None:
    window, layer, mask = opened(viewer, scan())
    layer.paint((3, 4, 4), 1)
    data, meta, _ = layer.as_layer_data_tuple()
    copy = viewer.add_layer(Labels(data.copy(), **{**meta, "name": "copy"}))
    twin = window.mask_of(copy)
    assert twin is not None
    assert twin.uid != mask.uid
    assert twin.now().made_by == mask.now().made_by
    copy.paint((6, 6, 6), 2)
    assert (layer.data == data).all()
    assert len(window.session.masks) == 2
    viewer.layers.remove(copy)
    assert list(window.session.masks) == [mask.uid]


def test_a_closed_layer_lets_go(viewer: Any) -> None:
    window, layer, _ = opened(viewer, scan())
    viewer.layers.remove(layer)
    assert not window.session.masks
    layer.paint((3, 4, 4), 1)


class TestAdopted:
    """Layers that medseg did not make."""

    @pytest.mark.parametrize("dtype", [bool, np.int64, np.uint8, np.int32])
    def test_a_layer_made_by_hand_becomes_a_mask_of_the_image(self, viewer: Any, dtype: Any) -> None:
        window, first, _ = opened(viewer, scan(affine_orientation((0.5, 0.8, 3.0), "PSR")))
        drawn = np.zeros(first.data.shape, dtype)
        drawn[2:4, 3:5, 1:3] = 1
        layer = viewer.add_labels(drawn, name="by hand", scale=first.scale, translate=first.translate)
        (image,) = window.session.images
        mask = window.adopt(layer, image)
        assert mask.now().grid.shape == window.session.images[image].grid.shape
        assert int((mask.now().labels == 1).sum()) == 8
        layer.paint((5, 5, 5), 1)
        assert mask.journal.net()[1] > 0

    @pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
    @pytest.mark.parametrize(
        "turned",
        [
            {"scale": (9.0, 1.0, 1.0)},
            {"rotate": np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]},
            {"affine": np.diag([2.0, 2.0, 2.0, 1.0])},
            {"shear": (0.2, 0.0, 0.0)},
        ],
        ids=lambda item: next(iter(item)),
    )
    def test_one_that_lies_elsewhere_is_refused(self, viewer: Any, turned: dict[str, Any]) -> None:
        window, first, _ = opened(viewer, scan())
        place = {"scale": first.scale, "translate": first.translate, **turned}
        layer = viewer.add_labels(np.zeros(first.data.shape, np.uint8), **place)
        with pytest.raises(InputError, match="not those of"):
            window.adopt(layer, next(iter(window.session.images)))
        assert window.mask_of(layer) is None
        assert UID not in layer.metadata

    def test_negative_labels_are_refused(self, viewer: Any) -> None:
        window, first, _ = opened(viewer, scan())
        layer = viewer.add_labels(
            np.full(first.data.shape, -1, np.int16), scale=first.scale, translate=first.translate
        )
        with pytest.raises(InputError, match="whole numbers"):
            window.adopt(layer, next(iter(window.session.images)))

    def test_of_several_levels_the_finest_counts(self, viewer: Any) -> None:
        window, first, _ = opened(viewer, scan())
        fine = np.zeros(first.data.shape, np.uint8)
        fine[2:4, 2:4, 2:4] = 1
        levels = [fine, fine[::2, ::2, ::2]]
        layer = viewer.add_labels(levels, multiscale=True, scale=first.scale, translate=first.translate)
        mask = window.adopt(layer, next(iter(window.session.images)))
        assert int((mask.now().labels == 1).sum()) == 8


def test_a_new_label_is_named_seen_and_wide_enough(viewer: Any) -> None:
    """Label 300 does not fit in eight bits: the layer gets memory that holds it, and the label a colour."""
    _, layer, mask = opened(viewer, scan())
    mask.name_label(300, "node", (10, 200, 30))
    mask.make_room(300)
    box = (slice(0, 2), slice(0, 2), slice(0, 2))
    before = mask.labels[box].copy()
    mask.stroke(box, before, np.full_like(before, 300))
    assert np.shares_memory(layer.data, mask.labels)
    assert int((layer.data == 300).sum()) == 8
    assert layer.get_color(300)[1] == pytest.approx(200 / 255)
    assert list(layer.features["name"]) == ["background", "tumour", "liver", "node"]
    mask.undo()
    mask.undo()
    assert list(layer.features["name"]) == ["background", "tumour", "liver"]


def test_the_work_of_a_window_that_is_gone_comes_back_as_a_layer(viewer: Any) -> None:
    window, layer, mask = opened(viewer, scan())
    layer.paint((3, 4, 4), 1)
    mask.settle()
    path, labels = mask.keep_at, mask.labels.copy()
    window.session.remove(mask.uid)
    viewer.layers.clear()
    assert path in window.session.left_over()
    back = window.reopen(path)
    found = window.mask_of(back)
    assert found is not None
    assert (found.labels == labels).all()
    assert back in viewer.layers
    found.undo()
    assert not back.data.any()
