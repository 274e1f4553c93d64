"""A budget changes where sums lie and how much is decided at once, and no label; what is predicted is what is held."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Label, LabelTable, NetworkSpec, Run
from medseg.domain.recipe import Decision, StoredGrid, WindowRule
from medseg.errors import ResourceError
from medseg.geometry.resample import crop_grid, grid_with_spacing
from medseg.inference import memory, prepare
from medseg.inference.disk import zeros_on_disk
from medseg.inference.ensemble import Ensemble
from medseg.inference.memory import LEAST_CHUNK_BYTES, Needs, needs, plan_memory
from medseg.inference.reducers import LabelsOnNative
from medseg.inference.stream import SlabStream
from medseg.inference.windows import Tiling
from medseg.models import write_bundle
from medseg.networks import build, state_for
from tests.inference.conftest import StandIn, make_card, make_image

GB = 10**9
NEEDS = Needs(prepared=GB, sums=4 * GB, window=GB, deciding=GB // 2, native=GB, kept=0, scaling=3 * GB)
#: Budget → whether sums go to disk, and whether less is decided at once.
BUDGETS = [(8 * GB, False, False), (7 * GB, True, False), (4 * GB, True, False), (3.49 * GB, True, True)]


@pytest.mark.parametrize(("budget", "on_disk", "small"), BUDGETS)
def test_what_a_budget_chooses(budget: float, on_disk: bool, small: bool) -> None:
    found = plan_memory(NEEDS, int(budget))
    assert found.sums_on_disk is on_disk
    assert (found.chunk_bytes == LEAST_CHUNK_BYTES) is small
    assert found.predicted_bytes <= NEEDS.total(sums_in_memory=not on_disk)


@pytest.mark.parametrize(("sums", "on_disk"), [(300 << 20, True), (256 << 20, False), (200 << 20, False)])
def test_sums_that_are_small_are_not_worth_a_file(sums: int, on_disk: bool) -> None:
    needed = replace(NEEDS, sums=sums, scaling=0)
    assert plan_memory(needed, GB).sums_on_disk is on_disk
    assert needed.least == needed.total(sums_in_memory=False) + min(sums, 256 << 20)


@pytest.mark.parametrize(("value", "bytes_each"), [(255, 1), (256, 2)])
def test_labels_beyond_a_byte_take_two(value: int, bytes_each: int) -> None:
    card = make_card(table=LabelTable((Label(value, "part"),)))
    grid = Grid((10, 10, 10), np.eye(4))
    assert needs(card, grid, grid, 0, flat=None).native == 3 * bytes_each * 1000
    assert needs(card, grid, grid, 0, flat=None, apart=2).native == 5 * bytes_each * 1000


def test_a_control_group_is_a_smaller_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_group_leaves", lambda: iter([GB]))
    assert memory.available_bytes() == int(0.9 * GB)


class Waves(StandIn):
    """Five classes whose logits depend on place and value."""

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        return np.concatenate([np.sin((number + 1.3) * windows) for number in range(5)], axis=1)


def labels_of(array: np.ndarray, source: Grid, native: Grid, *, on_disk: bool, chunk: int) -> np.ndarray:
    stream = SlabStream(Ensemble([Waves()]), Tiling((8, 6, 10), 0.5), on_disk=on_disk)
    reducer = LabelsOnNative.between(
        source, native, stream.axis(source.shape), (1, 2, 3, 4), chunk_bytes=chunk
    )
    for slab in stream.run(array, Run()):
        reducer.eat(slab)
    return reducer.labels


@pytest.mark.parametrize("spacing", [1.0, 0.7, 1.9])
def test_labels_are_the_same_bit_for_bit_at_any_budget(spacing: float) -> None:
    native = Grid((23, 17, 31), np.eye(4))
    source = native if spacing == 1 else grid_with_spacing(native, (spacing,) * 3)
    array = np.random.default_rng(0).normal(size=(1, *source.shape)).astype(np.float32)
    expected = labels_of(array, source, native, on_disk=False, chunk=8 << 20)
    assert len(np.unique(expected)) == 5
    for on_disk in (False, True):
        for chunk in (1, 4 * 17 * 23 * 3, 1 << 20):
            found = labels_of(array, source, native, on_disk=on_disk, chunk=chunk)
            assert np.array_equal(found, expected)


def test_a_full_disk_is_named() -> None:
    with pytest.raises(ResourceError, match="for the sums of windows"):
        zeros_on_disk((1 << 20, 1 << 20, 1 << 10), np.dtype(np.float32))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.7, 0.8, 2.2)])
@pytest.mark.parametrize("lean", [0.0, 0.2])
def test_a_large_image_in_parts_is_the_same_image(
    spacing: tuple[float, float, float], lean: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]]
    affine[2, 3] = 3.3
    values = np.random.default_rng(1).normal(size=(20, 24, 22))
    values[3:5, 2:9, 7] = np.nan
    image = make_image(values, affine)
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ [2, 0, 3]
    other = replace(make_image(values[2:, :, 3:], moved), channel="other")
    card = make_card(
        spacing=spacing, channels=(*make_card().channels, replace(make_card().channels[0], name="other"))
    )
    images = {"image": image, "other": other}
    whole = prepare(images, card)
    room = sys.modules["medseg.inference.prepare"]  # its function of that name stands before it
    monkeypatch.setattr(room, "LARGE", 1000)
    monkeypatch.setattr(room, "PART", 2000)
    parts = prepare(images, card)
    assert np.allclose(whole.array, parts.array, atol=1e-5)
    assert whole.findings == parts.findings


def test_a_box_of_a_grid_lies_where_it_lay() -> None:
    grid = Grid((9, 8, 7), np.diag([2.0, 1.0, 3.0, 1.0]))
    box = crop_grid(grid, (slice(2, 5), slice(None), slice(-2, None)))
    assert box.shape == (3, 8, 2)
    assert np.allclose(box.to_position(np.zeros(3)), grid.to_position(np.array([2.0, 0.0, 5.0])))


def test_what_the_program_that_starts_one_holds_is_not_its_own() -> None:
    held = np.ones(600_000_000, np.uint8)  # touched, so that this process holds it
    words = [sys.executable, "-c", "from medseg.inference.memory import held_bytes; print(held_bytes())"]
    own = memory.held_bytes()
    child = int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    assert own is not None
    assert own > held.nbytes > 1.5 * child


RUN = """
import json, sys
from pathlib import Path
import numpy as np
from medseg.domain import Grid, Image, Run
from medseg.inference.memory import held_bytes
from medseg.workflows.segment import segment
folder, shape, memory = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
array = np.random.default_rng(0).integers(-1000, 1000, shape, dtype=np.int16)
array.setflags(write=False)
notes = {}
run = Run(device="cpu", memory_bytes=memory, note=notes.__setitem__)
mask = segment(str(folder), Image(array, Grid(tuple(shape), np.diag([0.8, 0.8, 0.8, 1.0]))), run=run)
print(json.dumps({"predicted": notes["bytes.predicted"], "peak": held_bytes(), "digest": mask.digest}))
"""


@pytest.mark.slow
def test_the_peak_is_predicted_within_a_quarter_and_a_small_budget_gives_the_same_mask(
    tmp_path: Path,
) -> None:
    classes, filters = 60, (4, 8, 8)
    spec = NetworkSpec("dynunet", 3, 1, classes, filters, ((1,) * 3, (2,) * 3, (2,) * 3), ((3,) * 3,) * 3)
    card = make_card(labels=classes - 1, spacing=(1.6, 1.6, 1.6), window=(64, 64, 64), overlap=0.25)
    write_bundle(tmp_path / "model", replace(card, network=spec), [state_for(spec, build(spec))])

    def seen(shape: tuple[int, ...], budget: int | None) -> dict[str, Any]:
        words = [str(tmp_path / "model"), json.dumps(shape), json.dumps(budget)]
        done = subprocess.run([sys.executable, "-c", RUN, *words], capture_output=True, text=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    large = (320, 320, 240)
    answers = [seen((160, 160, 100), None), seen(large, None), seen(large, 700_000_000)]
    for answer in answers:
        assert answer["predicted"] == pytest.approx(answer["peak"], rel=0.25)
    assert answers[1]["digest"] == answers[2]["digest"]
    assert answers[2]["peak"] < answers[1]["peak"] - 100_000_000


@pytest.mark.slow
def test_a_model_on_stored_voxels_predicts_its_peak_and_gives_the_same_mask_on_a_small_budget(
    tmp_path: Path,
) -> None:
    """An nnU-Net-shaped network of many classes, which were held on both grids at once."""
    classes = 60
    spec = NetworkSpec(
        "plain_conv_unet", 3, 1, classes, (4, 8, 8), ((1,) * 3, (2,) * 3, (2,) * 3), ((3,) * 3,) * 3,
        encoder_blocks=(1, 1, 1), decoder_blocks=(1, 1), bias=True, norm="instance",
    )  # fmt: skip
    card = make_card(
        labels=classes - 1,
        network=spec,
        window=(64, 64, 64),
        overlap=0.25,
        grid=StoredGrid((2, 1, 0), (1.6, 1.6, 1.6)),
        windows=WindowRule("even", "gaussian_float16"),
        decision=Decision(average="logits"),
    )
    write_bundle(tmp_path / "model", card, [state_for(spec, build(spec))])

    def seen(shape: tuple[int, ...], budget: int | None) -> dict[str, Any]:
        words = [str(tmp_path / "model"), json.dumps(shape), json.dumps(budget)]
        done = subprocess.run([sys.executable, "-c", RUN, *words], capture_output=True, text=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    large = (320, 320, 200)
    answers = [seen(large, None), seen(large, 900_000_000)]
    for answer in answers:
        assert answer["predicted"] == pytest.approx(answer["peak"], rel=0.25)
    assert answers[0]["digest"] == answers[1]["digest"]
    # All outputs on the native voxels alone would be 4.9 GB.
    assert max(answer["peak"] for answer in answers) < 1_800_000_000
