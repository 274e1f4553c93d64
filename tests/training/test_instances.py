"""A network trained on phantoms tells touching objects apart that it has not seen, real shapes among them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import medseg
from medseg.domain import Run
from medseg.errors import Cancelled, OutputError
from medseg.masks.components import components
from medseg.training.instances import InstanceTraining, draw_phantom, train_instances

SETTINGS = InstanceTraining(steps=300)
GRID = medseg.Grid(SETTINGS.patch, np.diag([2.0, 2.0, 2.0, 1.0]))
#: Room for two real shapes.
FIELD = (48, 28, 28)
TWO = medseg.Grid(FIELD, GRID.affine)
UNSEEN = range(10_000_000, 10_000_008)


def objects_found(found: NDArray[np.uint32], truth: NDArray[np.uint32]) -> tuple[int, int, int]:
    """(true objects found at an IoU above 0.5, true objects, found objects)."""
    hits = 0
    for one in np.unique(truth[truth > 0]):
        inside = truth == one
        counts = np.bincount(found[inside])
        counts[0] = 0
        best = found == counts.argmax()
        hits += bool(counts.any()) and bool((inside & best).sum() / (inside | best).sum() > 0.5)
    return hits, len(np.unique(truth[truth > 0])), len(np.unique(found[found > 0]))


def f1(rows: list[tuple[int, int, int]]) -> float:
    hits, there, found = np.sum(rows, axis=0)
    return float(2 * hits / (there + found))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("touching") / "bundle"
    return train_instances(out, SETTINGS, Run(device="cpu", threads=2))


@pytest.mark.slow
def test_touching_ellipsoids_are_split_better_than_by_components(bundle: Path) -> None:
    by_network, by_components = [], []
    for number in UNSEEN:
        phantom = draw_phantom(number, SETTINGS)
        found = medseg.segment(str(bundle), medseg.Image(phantom.image, GRID), run=Run(device="cpu"))
        by_network.append(objects_found(found.instances, phantom.ids))
        by_components.append(objects_found(components(found.labels > 0), phantom.ids))
    assert f1(by_network) > f1(by_components) + 0.3
    assert f1(by_network) > 0.6


@pytest.mark.slow
def test_real_tumours_put_side_by_side_are_two(bundle: Path, data: Callable[[str], Path]) -> None:
    shapes = [
        shape(data(f"sarcoma/{name}/MR_T1_mask.nii.gz"))
        for name in ("STS_002", "STS_005", "STS_010", "STS_012")
    ]
    rng = np.random.default_rng(0)
    by_network, by_components = [], []
    for first, second in zip(shapes, shapes[1:] + shapes[:1], strict=True):
        ids = touching(first, second)
        image = medseg.Image((ids > 0) * 1.0 + rng.normal(0, 0.2, ids.shape), TWO)
        found = medseg.segment(str(bundle), image, run=Run(device="cpu"))
        by_network.append(objects_found(found.instances, ids))
        by_components.append(objects_found(components(found.labels > 0), ids))
    assert f1(by_components) < 0.35
    assert f1(by_network) > f1(by_components) + 0.3


def shape(path: Path) -> NDArray[np.bool_]:
    """A tumour's shape, made 22 mm across (by volume) on 2 mm."""
    from scipy.ndimage import zoom

    mask = medseg.read_segmentation(path)
    inside = mask.labels > 0
    across = (inside.sum() * mask.grid.voxel_volume * 6 / np.pi) ** (1 / 3)
    factors = np.array(mask.grid.spacing) / 2 * 22 / across
    small = zoom(inside.astype(np.float32), factors, order=1) > 0.5
    places = np.argwhere(small)
    return small[
        tuple(slice(low, high + 1) for low, high in zip(places.min(axis=0), places.max(axis=0), strict=True))
    ]


def touching(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Ids of two shapes in one field: the second is pushed along the first axis until it touches the first."""
    ids = np.zeros(FIELD, np.uint32)
    for one, (part, centre) in enumerate(((first, 12), (second, 36)), start=1):
        low = [middle - extent // 2 for middle, extent in zip((centre, 14, 14), part.shape, strict=True)]
        box = tuple(
            slice(max(0, a), min(size, a + n)) for a, n, size in zip(low, part.shape, FIELD, strict=True)
        )
        cut = tuple(slice(b.start - a, b.stop - a) for a, b in zip(low, box, strict=True))
        ids[box][part[cut] & (ids[box] == 0)] = one
    while components(ids > 0).max() > 1:
        moved = np.roll(np.where(ids == 2, 2, 0), -1, axis=0)
        ids = np.where(ids == 1, 1, moved).astype(np.uint32)
    return ids


def test_the_same_settings_give_the_same_weights_and_what_exists_stays(tmp_path: Path) -> None:
    tiny = InstanceTraining(steps=2, batch=1, patch=(16, 16, 16), radius_mm=(4.0, 6.0))
    run = Run(device="cpu", threads=1)
    one, two = (train_instances(tmp_path / name, tiny, run) for name in ("one", "two"))
    weights = "weights/0.safetensors"
    assert (one / weights).read_bytes() == (two / weights).read_bytes()
    with pytest.raises(OutputError, match="exists"):
        train_instances(one, tiny, run)


def test_it_stops_when_asked_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        train_instances(tmp_path / "out", SETTINGS, Run(device="cpu", cancel=lambda: True))
    assert not (tmp_path / "out").exists()
