"""Window arithmetic, mirroring, and what happens when memory runs out."""

import numpy as np
import pytest

from medseg.domain import Run
from medseg.inference.engine import NetworkPredictor, WindowEngine, count_windows
from tests.inference.conftest import OneHot


@pytest.mark.parametrize(
    ("extents", "window", "overlap", "expected"),
    [
        ((8, 8, 8), (8, 8, 8), 0.5, 1),
        ((5, 8, 3), (8, 8, 8), 0.5, 1),  # smaller than the window: padded
        ((9, 8, 8), (8, 8, 8), 0.5, 2),  # one voxel more: the last window sits at the end
        ((16, 16, 16), (8, 8, 8), 0.5, 27),
        ((16, 16, 16), (8, 8, 8), 0.0, 8),
        ((10, 4), (4, 4), 0.5, 4),
    ],
)
def test_count_is_what_the_inferer_runs(
    extents: tuple[int, ...], window: tuple[int, ...], overlap: float, expected: int
) -> None:
    import torch

    seen = 0

    class Counting(OneHot):
        def __call__(self, windows: torch.Tensor) -> torch.Tensor:
            nonlocal seen
            seen += len(windows)
            return super().__call__(windows)

    engine = WindowEngine(Counting(2), window, overlap, torch.device("cpu"), batch=3)
    array = np.random.default_rng(0).integers(0, 2, (1, *extents)).astype(np.float32)
    (shares,) = engine.run([array], Run())
    assert seen == count_windows(extents, window, overlap) == expected
    assert np.array_equal(shares.argmax(axis=0), array[0])


@pytest.mark.parametrize("batch", [1, 2])
def test_where_windows_overlap_the_nearer_middle_counts_more(batch: int) -> None:
    """Windows at 0 to 7 and 4 to 11 that say 1 and 0: between them the mean moves from the one to the other."""
    import torch

    class InOrder(OneHot):
        """The first window is all of class 1, the second of class 0."""

        def __call__(self, windows: torch.Tensor) -> torch.Tensor:
            second = windows.amax(dim=(1, 2, 3, 4), keepdim=True) > 1
            share = torch.where(second, 0.0, 1.0).expand(windows.shape)
            return torch.cat([1 - share, share], dim=1)

    array = np.ones((1, 12, 8, 8), np.float32)
    array[:, 11] = 2  # marks the second window
    engine = WindowEngine(InOrder(2), (8, 8, 8), 0.5, torch.device("cpu"), batch=batch)
    (shares,) = engine.run([array], Run())
    # A Gaussian of an eighth of the window: with σ = 1 the share is 1 / (1 + exp((a² − b²) / 2)) at a and b
    # voxels from the two middles, 0.5 and 3.5 for the first voxel that both cover.
    between = 1 / (1 + np.exp([-6.0, -2.0, 2.0, 6.0]))
    assert np.allclose(shares[1, :, 3, 4], [1, 1, 1, 1, *between, 0, 0, 0, 0], atol=1e-4)
    assert np.allclose(shares.sum(axis=0), 1, atol=1e-5)


def test_mirrored_copies_are_turned_back_and_averaged() -> None:
    import torch

    class Ramp(torch.nn.Module):
        """Logits that depend on the place in the window, so mirroring matters."""

        def forward(self, windows: torch.Tensor) -> torch.Tensor:
            ramp = torch.arange(windows.shape[2], dtype=torch.float32)[None, None, :, None, None]
            return torch.cat([torch.zeros_like(windows), windows * ramp], dim=1)

    windows = torch.ones(1, 1, 4, 4, 4)
    plain = NetworkPredictor([Ramp()])(windows)
    mirrored = NetworkPredictor([Ramp()], mirror_axes=(0,))(windows)
    assert torch.allclose(mirrored, (plain + plain.flip(2)) / 2)
    assert torch.allclose(mirrored.sum(dim=1), torch.ones(1, 4, 4, 4))


def test_folds_are_averaged_as_probabilities() -> None:
    import torch

    class Constant(torch.nn.Module):
        def __init__(self, logit: float) -> None:
            super().__init__()
            self.logit = logit

        def forward(self, windows: torch.Tensor) -> torch.Tensor:
            return torch.cat([torch.zeros_like(windows), torch.full_like(windows, self.logit)], dim=1)

    shares = NetworkPredictor([Constant(4.0), Constant(-1.0)])(torch.zeros(1, 1, 2, 2, 2))
    expected = (1 / (1 + np.exp(-4.0)) + 1 / (1 + np.exp(1.0))) / 2
    assert shares[0, 1, 0, 0, 0].item() == pytest.approx(expected, abs=1e-6)


def test_out_of_memory_halves_the_batch_and_then_takes_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    tried: list[tuple[str, int]] = []
    slide = WindowEngine._slide

    def fails_on_cuda(self: WindowEngine, array: np.ndarray, predict: object) -> np.ndarray:
        tried.append((self.device.type, self.batch))
        if self.device.type == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return slide(self, array, predict)  # type: ignore[arg-type]

    monkeypatch.setattr(WindowEngine, "_slide", fails_on_cuda)
    engine = WindowEngine(OneHot(2), (8, 8, 8), 0.5, torch.device("cuda"), batch=4)
    engine.run([np.zeros((1, 9, 9, 9), np.float32)], Run())
    assert tried == [("cuda", 4), ("cuda", 2), ("cuda", 1), ("cpu", 1)]
    assert [finding.code for finding in engine.findings] == ["device.out_of_memory"] * 3
    assert [finding.details for finding in engine.findings] == [
        (("batch", 2), ("device", "cuda")),
        (("batch", 1), ("device", "cuda")),
        (("batch", 1), ("device", "cpu")),
    ]
    assert "1 at a time" in engine.findings[1].message
    assert "CPU" in engine.findings[-1].message


def test_progress_counts_batches_over_all_arrays() -> None:
    import torch

    told: list[tuple[int, int, str]] = []
    engine = WindowEngine(OneHot(2), (8, 8, 8), 0.5, torch.device("cpu"), batch=2)
    arrays = [np.zeros((1, *extents), np.float32) for extents in ((8, 8, 8), (20, 8, 8))]
    engine.run(arrays, Run(progress=lambda *said: told.append(said)))
    # One window, then four by twos.
    assert told == [(1, 3, "windows"), (2, 3, "windows"), (3, 3, "windows")]


def test_four_windows_at_once_unless_said_otherwise() -> None:
    import torch

    told: list[tuple[int, int, str]] = []
    engine = WindowEngine(OneHot(2), (8, 8, 8), 0.5, torch.device("cpu"))
    engine.run([np.zeros((1, 24, 8, 8), np.float32)], Run(progress=lambda *said: told.append(said)))
    assert [said[:2] for said in told] == [(1, 2), (2, 2)]


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

    seen: list[tuple[int, bool]] = []

    class Watching(OneHot):
        def __call__(self, windows: torch.Tensor) -> torch.Tensor:
            seen.append((torch.get_num_threads(), torch.backends.cuda.matmul.allow_tf32))
            return super().__call__(windows)

    before = torch.get_num_threads(), torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        engine = WindowEngine(Watching(2), (8, 8, 8), 0.5, torch.device("cpu"))
        engine.run([np.zeros((1, 8, 8, 8), np.float32)], Run(threads=before[0] + 1))
        assert seen == [(before[0] + 1, False)]
        assert (torch.get_num_threads(), torch.backends.cuda.matmul.allow_tf32) == (before[0], True)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before[1]


def test_another_error_is_not_taken_for_missing_memory() -> None:
    import torch

    class Broken(OneHot):
        def __call__(self, windows: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        WindowEngine(Broken(2), (8, 8, 8), 0.5, torch.device("cpu")).run(
            [np.zeros((1, 9, 9, 9), np.float32)], Run()
        )


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
        engine = WindowEngine(NetworkPredictor([network]), (32, 32, 32), 0.5, torch.device(device))
        answers.append(engine.run([array], Run())[0].argmax(axis=0))
    assert (answers[0] != answers[1]).mean() < 1e-3
