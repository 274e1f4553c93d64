"""Probabilities kept small: what rounding may do, which class lies where, and a file that gives back what was kept."""

import json
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Grid, Label, LabelTable, Quantity, Segmentation
from medseg.geometry import order_to
from medseg.geometry.resample import grid_with_spacing, resample
from medseg.geometry.shares import LARGEST_RELATIVE_ERROR, KeptShares, ShareKeeper, reordered_shares
from medseg.io import write_probabilities
from medseg.io.probabilities import has_probabilities, probability_files, with_probabilities
from medseg.measuring import measure

TURNED = np.array([[0.0, -1.6, 0.3, 5], [1.5, 0.1, 0, -7], [0.1, 0.2, 2.5, 3], [0, 0, 0, 1]])
TABLE = LabelTable((Label(1, "liver"), Label(2, "spleen")))


def shares_on(grid: Grid, classes: int = 3, seed: int = 0) -> np.ndarray:
    """A softmax of noise: (C, I, J, K) float32."""
    values = np.exp(3 * np.random.default_rng(seed).normal(size=(classes, *grid.shape)))
    return (values / values.sum(axis=0)).astype(np.float32)


def kept_of(shares: np.ndarray, source: Grid, grid: Grid, axis: int = 0, step: int = 2) -> KeptShares:
    keeper = ShareKeeper(source, grid, axis, len(shares))
    for number, values in enumerate(shares):
        planes = np.moveaxis(values, axis, 0)
        for start in range(0, len(planes), step):
            keeper.add(number, planes[start : start + step])
    return keeper.done()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_what_is_kept_is_float16_of_what_came_whatever_the_axis(axis: int) -> None:
    grid = Grid((5, 4, 7), TURNED)
    shares = shares_on(grid)
    kept = kept_of(shares, grid, grid, axis)
    assert kept.shape == (3, 5, 4, 7)
    assert np.array_equal(np.asarray(kept), shares.astype(np.float16).astype(np.float32))
    assert (np.abs(np.asarray(kept) - shares) <= LARGEST_RELATIVE_ERROR * shares + 2.0**-24).all()
    for number in range(3):
        added = kept[number].sum(dtype=np.float64) - shares[number].sum(dtype=np.float64)
        assert kept.rounded_by[number] == pytest.approx(added, abs=1e-9)
        assert kept.rounded_by_ml(number) == pytest.approx(added * grid.voxel_volume / 1000)


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "SAR", "IRP"])
def test_in_another_order_of_axes_they_are_the_same_shares(orientation: str) -> None:
    source = Grid((6, 5, 4), np.diag([2.0, 2.0, 3.0, 1.0]))
    native = grid_with_spacing(source, (1.3, 1.1, 2.0))
    kept = kept_of(shares_on(source), source, native)
    order = order_to(native, orientation)
    turned = reordered_shares(kept, order, order.grid(native))
    assert np.allclose(np.asarray(turned), order.apply(np.asarray(kept)), atol=1e-6)
    assert np.array_equal(reordered_shares(np.asarray(kept), order, native), order.apply(np.asarray(kept)))
    # On the voxels of the network nothing is interpolated.
    order = order_to(source, orientation)
    same = np.asarray(kept.on(order.grid(source)))
    assert np.array_equal(same, order.apply(np.asarray(kept.on(source))))


def test_beyond_the_network_there_is_background_and_between_voxels_a_line() -> None:
    source = Grid((3, 3, 3), np.eye(4))
    native = Grid((8, 3, 3), np.diag([0.5, 1.0, 1.0, 1.0]))
    shares = shares_on(source, 2)
    kept = kept_of(shares, source, native)
    expected = resample(shares[1].astype(np.float16).astype(np.float32), source, native)
    assert np.allclose(kept[1], expected, atol=1e-6)
    assert (kept[0][-1] == 1).all()
    assert (kept[1][-1] == 0).all()


def test_what_is_nearly_nowhere_takes_nearly_nothing() -> None:
    grid = Grid((64, 64, 64), np.eye(4))
    shares = np.zeros((20, 64, 64, 64), np.float32)
    shares[0] = 1
    shares[:, 20:30, 20:30, 20:30] = 1 / 20
    assert kept_of(shares, grid, grid, step=8).nbytes < shares.nbytes / 200


@pytest.fixture
def mask() -> Segmentation:
    """On 2 mm an oblique network's grid, labels and shares on a native one."""
    source = Grid((9, 8, 7), TURNED)
    native = grid_with_spacing(source, (1.0, 1.2, 1.7))
    kept = kept_of(shares_on(source), source, native, axis=1, step=3)
    labels = np.asarray(kept).argmax(axis=0).astype(np.uint8)
    return Segmentation(labels, native, TABLE, probabilities=kept)


def test_a_file_gives_back_what_was_kept(mask: Segmentation, tmp_path: Path) -> None:
    path = tmp_path / "m.nii.gz"
    written = write_probabilities(mask, path)
    found = with_probabilities(Segmentation(mask.labels, mask.grid, TABLE), path).probabilities
    assert isinstance(found, KeptShares)
    assert np.array_equal(np.asarray(found), np.asarray(mask.probabilities))
    assert found.rounded_by == mask.probabilities.rounded_by
    told = json.loads(probability_files(path)[0].read_text())
    assert told["schema"] == "medseg.probabilities/1.1"
    assert told["rounding"]["to"] == "float16"
    assert told["rounding"]["largest_relative_error"] == 2.0**-11
    # Any viewer reads it: float32, on the grid of the network.
    import nibabel as nib

    image = nib.load(written)
    assert image.shape == (9, 8, 7, 3)
    assert np.allclose(image.affine, TURNED, atol=1e-5)
    again = tmp_path / "again.nii.gz"
    assert write_probabilities(mask, again).read_bytes() == written.read_bytes()


def a_value(file: Path, names: Path) -> None:
    import nibabel as nib

    image = nib.load(file)
    values = np.asarray(image.dataobj).copy()
    values[1, 1, 1, 1] += 0.25
    nib.save(nib.Nifti1Image(values, image.affine, image.header), file)


def half_of_it(file: Path, names: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def another_grid(file: Path, names: Path) -> None:
    told = json.loads(names.read_text())
    told["grid"]["shape"] = [9, 8, 8]
    names.write_text(json.dumps(told))


def no_rounding(file: Path, names: Path) -> None:
    told = json.loads(names.read_text())
    del told["rounding"]
    names.write_text(json.dumps(told))


def no_grid(file: Path, names: Path) -> None:
    told = json.loads(names.read_text())
    told["grid"] = "large"
    names.write_text(json.dumps(told))


@pytest.mark.parametrize("spoil", [a_value, half_of_it, another_grid, no_rounding, no_grid])
def test_what_was_changed_is_not_used_and_that_is_said(
    spoil: object, mask: Segmentation, tmp_path: Path
) -> None:
    path = tmp_path / "m.nii.gz"
    write_probabilities(mask, path)
    assert has_probabilities(mask, path)
    names, file = probability_files(path)
    spoil(file, names)  # type: ignore[operator]
    alone = Segmentation(mask.labels, mask.grid, TABLE)
    found = with_probabilities(alone, path)
    assert found.probabilities is None
    assert [item.code for item in found.findings] == ["probabilities.ignored"]
    assert not has_probabilities(alone, path)


def test_the_volume_says_what_rounding_did_to_it(mask: Segmentation) -> None:
    exact = np.stack(
        [resample(one, mask.probabilities.source, mask.grid) for one in shares_on(Grid((9, 8, 7), TURNED))]
    )
    rows = {row.target.name: row for row in measure(mask) if row.quantity is Quantity.PROBABILITY_VOLUME}
    for number, name in enumerate(("liver", "spleen"), start=1):
        row = rows[name]
        volume = float(exact[number].sum(dtype=np.float64)) * mask.grid.voxel_volume / 1000
        assert row.value == pytest.approx(volume, rel=LARGEST_RELATIVE_ERROR)
        told = float(row.method.rpartition("changed it by ")[2].removesuffix(" ml"))
        assert told == pytest.approx(mask.probabilities.rounded_by_ml(number), rel=0.05)
