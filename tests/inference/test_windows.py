"""Where windows lie, what each of their voxels counts, and what happens when memory runs out."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from medseg.domain import Run
from medseg.inference.backends import BackendMemoryError
from medseg.inference.ensemble import Ensemble
from medseg.inference.stream import SlabStream
from medseg.inference.windows import Tiling, stream_axis
from tests.inference.conftest import OneHot, StandIn


def whole(stream: SlabStream, array: np.ndarray, run: Run | None = None) -> np.ndarray:
    """All slabs side by side, (L, I, J, K)."""
    parts = [(slab.axis, slab.start, slab.values.copy()) for slab in stream.run(array, run or Run())]
    assert [start for _, start, _ in parts] == np.cumsum([0, *(part.shape[1] for *_, part in parts)])[
        :-1
    ].tolist()
    joined = np.concatenate([part for *_, part in parts], axis=1)
    return np.moveaxis(joined, 1, parts[0][0] + 1)


@pytest.mark.parametrize(
    ("extents", "window", "overlap", "expected"),
    [
        ((8, 8, 8), (8, 8, 8), 0.5, 1),
        ((5, 8, 3), (8, 8, 8), 0.5, 1),  # smaller than the window: padded
        ((9, 8, 8), (8, 8, 8), 0.5, 2),  # one voxel more: the last window sits at the end
        ((16, 16, 16), (8, 8, 8), 0.5, 27),
        ((16, 16, 16), (8, 8, 8), 0.0, 8),
        ((16, 16, 16), (8, 8, 8), 0.875, 9**3),
        ((10, 4, 1), (4, 4, 1), 0.5, 4),
    ],
)
@pytest.mark.parametrize("batch", [1, 3])
def test_count_is_what_runs_and_the_answer_is_whole(
    extents: tuple[int, ...], window: tuple[int, ...], overlap: float, expected: int, batch: int
) -> None:
    seen: list[int] = []

    class Counting(OneHot):
        def __call__(self, windows: np.ndarray) -> np.ndarray:
            seen.append(len(windows))
            assert windows.shape[2:] == window
            return super().__call__(windows)

    tiling = Tiling(window, overlap)
    array = np.random.default_rng(0).integers(0, 2, (1, *extents)).astype(np.float32)
    shares = whole(SlabStream(Counting(2), tiling, batch=batch), array)
    assert sum(seen) == tiling.count(extents) == expected
    assert max(seen) <= batch
    assert np.array_equal(shares.argmax(axis=0), array[0])


#: Extent, size, overlap → first indices, stepped and at equal distances, by hand.
PLACES = [
    (8, 8, 0.5, (0,), (0,)),
    (9, 8, 0.5, (0, 1), (0, 1)),
    (14, 8, 0.5, (0, 4, 6), (0, 3, 6)),
    (20, 8, 0.5, (0, 4, 8, 12), (0, 4, 8, 12)),
    (21, 8, 0.25, (0, 6, 12, 13), (0, 4, 9, 13)),
    (10, 4, 0.9, tuple(range(7)), None),  # a step of less than a voxel is one
]


@pytest.mark.parametrize(("extent", "size", "overlap", "stepped", "even"), PLACES)
def test_places_by_hand(
    extent: int, size: int, overlap: float, stepped: tuple[int, ...], even: tuple[int, ...] | None
) -> None:
    assert Tiling((size,), overlap).starts((extent,)) == (stepped,)
    if even is not None:
        assert Tiling((size,), overlap, "even").starts((extent,)) == (even,)


@pytest.mark.parametrize("window", [(8,), (5, 8), (40, 56, 40), (1, 9, 4)])
def test_weights_are_those_of_the_inferer(window: tuple[int, ...]) -> None:
    from monai.data.utils import compute_importance_map

    theirs = compute_importance_map(window, mode="gaussian", sigma_scale=0.125).numpy()
    assert np.allclose(Tiling(window, 0.5).weights(), theirs, rtol=1e-6, atol=0)


def test_slabs_follow_the_axis_that_leaves_least_unfinished() -> None:
    assert stream_axis((256, 256, 300), (64, 64, 64)) == 2
    assert stream_axis((30, 20, 20), (8, 8, 8)) == 0
    assert stream_axis((20, 20, 20), (8, 8, 8)) == 0
    assert stream_axis((20, 20, 20), (16, 16, 4)) == 2


@pytest.mark.parametrize("batch", [1, 2])
def test_where_windows_overlap_the_nearer_middle_counts_more(batch: int) -> None:
    """Windows at 0 to 7 and 4 to 11 that say 1 and 0: between them the mean moves from the one to the other."""

    class InOrder(StandIn):
        """The first window is all of class 1, the second of class 0."""

        def __call__(self, windows: np.ndarray) -> np.ndarray:
            second = windows.max(axis=(1, 2, 3, 4), keepdims=True) > 1
            share = np.broadcast_to(np.where(second, 0, 1), windows.shape).astype(np.float32)
            return np.concatenate([1 - share, share], axis=1)

    array = np.ones((1, 12, 8, 8), np.float32)
    array[:, 11] = 2  # marks the second window
    shares = whole(SlabStream(InOrder(), Tiling((8, 8, 8), 0.5), batch=batch), array)
    # A Gaussian of an eighth of the window: with σ = 1 the share is 1 / (1 + exp((a² − b²) / 2)) at a and b
    # voxels from the two middles, 0.5 and 3.5 for the first voxel that both cover.
    between = 1 / (1 + np.exp([-6.0, -2.0, 2.0, 6.0]))
    assert np.allclose(shares[1, :, 3, 4], [1, 1, 1, 1, *between, 0, 0, 0, 0], atol=1e-4)
    assert np.allclose(shares.sum(axis=0), 1, atol=1e-5)


@dataclass
class Ramp(StandIn):
    """Logits that depend on the place in the window, so mirroring matters."""

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        ramp = np.arange(windows.shape[2], dtype=np.float32)[None, None, :, None, None]
        return np.concatenate([np.zeros_like(windows), windows * ramp], axis=1)


def test_mirrored_copies_are_turned_back_and_averaged() -> None:
    windows = np.ones((1, 1, 4, 4, 4), np.float32)
    plain = Ensemble([Ramp()])(windows)
    mirrored = Ensemble([Ramp()], mirror_axes=(0,))(windows)
    assert np.allclose(mirrored, (plain + plain[:, :, ::-1]) / 2)
    assert np.allclose(mirrored.sum(axis=1), 1)


@dataclass
class Constant(StandIn):
    """The same logit everywhere."""

    logit: float

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        return np.concatenate([np.zeros_like(windows), np.full_like(windows, self.logit)], axis=1)


#: Activation → what folds of logits 4 and −1 beside 0 say of the second class together.
MEANS = [
    ("softmax", (1 / (1 + np.exp(-4.0)) + 1 / (1 + np.exp(1.0))) / 2),
    ("sigmoid", (1 / (1 + np.exp(-4.0)) + 1 / (1 + np.exp(1.0))) / 2),
    ("none", 1.5),
]


@pytest.mark.parametrize(("activation", "expected"), MEANS)
def test_folds_are_averaged_after_the_activation(activation: str, expected: float) -> None:
    folds = Ensemble([Constant(4.0), Constant(-1.0)], activation=activation)
    shares = folds(np.zeros((1, 1, 2, 2, 2), np.float32))
    assert shares[0, 1, 0, 0, 0] == pytest.approx(expected, abs=1e-6)


def test_the_answers_of_a_backend_are_left_as_they_are() -> None:
    answer = np.ones((1, 2, 2, 2, 2), np.float32)

    class Same(StandIn):
        def __call__(self, windows: np.ndarray) -> np.ndarray:
            return answer

    for activation in ("softmax", "sigmoid", "none"):
        Ensemble([Same(), Same()], (0,), activation=activation)(answer[:, :1])
        assert (answer == 1).all()


@dataclass
class Small(OneHot):
    """An accelerator that has room for no window."""

    device: str = "cuda"
    tried: list[tuple[str, int]] = field(default_factory=list)

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        self.tried.append((self.device, len(windows)))
        if self.device == "cuda":
            raise BackendMemoryError("CUDA out of memory")
        return super().__call__(windows)


def test_out_of_memory_halves_the_batch_and_then_takes_the_cpu() -> None:
    predictor = Small(2)
    stream = SlabStream(predictor, Tiling((8, 8, 8), 0.5), batch=4)
    array = np.random.default_rng(0).integers(0, 2, (1, 9, 9, 12)).astype(np.float32)
    assert np.array_equal(whole(stream, array).argmax(axis=0), array[0])
    assert predictor.tried == [("cuda", 4), ("cuda", 2), ("cuda", 1)] + [("cpu", 1)] * 8
    assert [finding.code for finding in stream.findings] == ["device.out_of_memory"] * 3
    assert [finding.details for finding in stream.findings] == [
        (("batch", 2), ("device", "cuda")),
        (("batch", 1), ("device", "cuda")),
        (("batch", 1), ("device", "cpu")),
    ]
    assert "1 at a time" in stream.findings[1].message
    assert "CPU" in stream.findings[-1].message


def test_progress_counts_batches() -> None:
    told: list[tuple[int, int, str]] = []
    stream = SlabStream(OneHot(2), Tiling((8, 8, 8), 0.5), batch=2)
    whole(stream, np.zeros((1, 8, 20, 8), np.float32), Run(progress=lambda *said: told.append(said)))
    # Slabs follow the long axis: four rows of one window, told by twos.
    assert told == [(1, 2, "windows"), (1, 2, "windows"), (2, 2, "windows"), (2, 2, "windows")]


MEMORY = [
    (RuntimeError("MPS backend out of memory"), True),
    (RuntimeError("CUDA error: Out Of Memory"), True),
    (RuntimeError("shapes do not fit"), False),
    (ValueError("out of memory"), False),
]


@pytest.mark.parametrize(("error", "is_memory"), MEMORY)
def test_what_counts_as_missing_memory(error: Exception, is_memory: bool) -> None:
    from medseg.inference.device import is_out_of_memory

    assert is_out_of_memory(error) is is_memory


def test_threads_are_those_asked_for_and_put_back() -> None:
    import torch

    from medseg.inference.backends.torch import TorchBackend

    seen: list[tuple[int, bool]] = []

    class Watching(torch.nn.Module):
        def forward(self, windows: torch.Tensor) -> torch.Tensor:
            seen.append((torch.get_num_threads(), torch.backends.cuda.matmul.allow_tf32))
            return torch.cat([windows, windows], dim=1)

    before = torch.get_num_threads(), torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        predictor = Ensemble([TorchBackend(Watching(), torch.device("cpu"))])
        stream = SlabStream(predictor, Tiling((8, 8, 8), 0.5))
        whole(stream, np.zeros((1, 8, 8, 8), np.float32), Run(threads=before[0] + 1))
        assert seen == [(before[0] + 1, False)]
        assert (torch.get_num_threads(), torch.backends.cuda.matmul.allow_tf32) == (before[0], True)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before[1]


def test_another_error_is_not_taken_for_missing_memory() -> None:
    class Broken(StandIn):
        def __call__(self, windows: np.ndarray) -> np.ndarray:
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        whole(SlabStream(Broken(), Tiling((8, 8, 8), 0.5)), np.zeros((1, 9, 9, 9), np.float32))


def test_a_device_that_is_not_there_is_refused() -> None:
    import torch

    from medseg.errors import InputError
    from medseg.inference.device import choose_device

    if torch.backends.mps.is_available():
        pytest.skip("this machine has MPS")
    with pytest.raises(InputError, match="no mps device"):
        choose_device("mps")


@pytest.mark.gpu
def test_cuda_and_cpu_agree_within_a_thousandth_of_the_voxels() -> None:
    import torch

    from medseg.inference.backends.torch import TorchBackend
    from medseg.networks import build
    from tests.inference.conftest import make_card

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    torch.manual_seed(0)
    spec = make_card(labels=3, window=(32, 32, 32)).network
    array = np.random.default_rng(0).normal(size=(1, 70, 64, 50)).astype(np.float32)
    network = build(spec).eval()
    answers = []
    for device in ("cpu", "cuda"):
        predictor = Ensemble([TorchBackend(network, torch.device(device))])
        stream = SlabStream(predictor, Tiling((32, 32, 32), 0.5))
        answers.append(whole(stream, array).argmax(axis=0))
    assert (answers[0] != answers[1]).mean() < 1e-3
