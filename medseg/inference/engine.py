"""Sliding windows: probabilities of a whole array from a predictor of windows."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Run
from medseg.domain.values import as_details
from medseg.inference.device import is_out_of_memory

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["Engine", "NetworkPredictor", "Predictor", "WindowEngine", "count_windows"]


class Predictor(Protocol):
    """Windows (N, C, *window) → class probabilities (N, L, *window), on the device of its input."""

    def __call__(self, windows: "Tensor") -> "Tensor":
        """Predict a batch of windows."""
        ...

    def to(self, device: "torch.device") -> "Predictor":
        """Move to a device."""
        ...


class Engine(Protocol):
    """Array (C, *extents) → class probabilities (L, *extents); how windows are cut is its own affair."""

    def run(self, arrays: Sequence[NDArray[np.float32]], run: Run) -> list[NDArray[np.float32]]:
        """Predict arrays of equal channels, one after another."""
        ...

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the reader of the result must know about how it was computed."""
        ...


@dataclass
class NetworkPredictor:
    """Mean of several networks over mirrored copies of each window.

    Softmax over the first `classes` outputs (None: all), a sigmoid of each of the others (distances).
    """

    networks: "Sequence[nn.Module]"
    mirror_axes: tuple[int, ...] = ()
    classes: int | None = None

    def __call__(self, windows: "Tensor") -> "Tensor":
        """Mean probabilities."""
        import torch

        flips = [
            axes for size in range(len(self.mirror_axes) + 1) for axes in combinations(self.mirror_axes, size)
        ]
        total: Tensor | None = None
        for axes in flips:
            dims = [axis + 2 for axis in axes]
            turned = torch.flip(windows, dims) if dims else windows
            for network in self.networks:
                outputs = network(turned).float()
                shares = torch.softmax(outputs[:, : self.classes], dim=1)
                if self.classes is not None:
                    shares = torch.cat([shares, torch.sigmoid(outputs[:, self.classes :])], dim=1)
                shares = torch.flip(shares, dims) if dims else shares
                total = shares if total is None else total + shares
        assert total is not None  # noqa: S101 - for the type checker: there is always the unmirrored copy
        return total / (len(flips) * len(self.networks))

    def to(self, device: "torch.device") -> "NetworkPredictor":
        """Move all networks."""
        for network in self.networks:
            network.to(device)
        return self


def count_windows(extents: Sequence[int], window: Sequence[int], overlap: float) -> int:
    """How many windows cover an array; each axis steps by window × (1 − overlap), the last one sits at the end.

    >>> count_windows((10, 4), (4, 4), 0.5)
    4
    """
    counts = []
    for extent, size in zip(extents, window, strict=True):
        step = max(1, int(size * (1 - overlap)))
        counts.append(1 if extent <= size else math.ceil((extent - size) / step) + 1)
    return math.prod(counts)


@dataclass
class WindowEngine:
    """MONAI's sliding window inferer with Gaussian weights, in fp32; falls back when memory runs out.

    Out of memory on an accelerator halves the batch of windows, and at one window moves to the CPU; each
    step down is a Finding. Progress is reported and cancel polled per batch of windows.
    """

    predictor: Predictor
    window: tuple[int, ...]
    overlap: float
    device: "torch.device"
    batch: int = 4
    _findings: list[Finding] = field(default_factory=list)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What happened on the way."""
        return tuple(dict.fromkeys(self._findings))

    def run(self, arrays: Sequence[NDArray[np.float32]], run: Run) -> list[NDArray[np.float32]]:
        """Class probabilities (L, *extents) of each array (C, *extents), in order."""
        per_array = [self._batches(array) for array in arrays]
        total = sum(per_array)
        results = []
        with _precise(run):
            self.predictor.to(self.device)
            for number, array in enumerate(arrays):
                results.append(self._one(array, run, done=sum(per_array[:number]), total=total))
        return results

    def _batches(self, array: NDArray[np.float32]) -> int:
        return math.ceil(count_windows(array.shape[1:], self.window, self.overlap) / self.batch)

    def _one(self, array: NDArray[np.float32], run: Run, *, done: int, total: int) -> NDArray[np.float32]:
        import torch

        while True:
            try:
                return self._slide(array, self._watched(run, done, total))
            except RuntimeError as error:
                if self.device.type == "cpu" or not is_out_of_memory(error):
                    raise
            # Outside the handler, so that the failed attempt's tensors are free.
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            self._step_down()

    def _slide(
        self, array: NDArray[np.float32], predict: "Callable[[Tensor], Tensor]"
    ) -> NDArray[np.float32]:
        import torch
        from monai.inferers.utils import sliding_window_inference

        values = torch.from_numpy(np.array(array, dtype=np.float32, order="C"))[None]
        with torch.inference_mode():
            result = sliding_window_inference(
                values,
                roi_size=self.window,
                sw_batch_size=self.batch,
                predictor=predict,
                overlap=self.overlap,
                mode="gaussian",
                sw_device=self.device,
                device=torch.device("cpu"),
            )
        probabilities: NDArray[np.float32] = result[0].numpy()
        return probabilities

    def _watched(self, run: Run, done: int, total: int) -> "Callable[[Tensor], Tensor]":
        batches = iter(range(done + 1, 1 << 62))

        def predict(windows: "Tensor") -> "Tensor":
            run.check()
            shares = self.predictor(windows)
            run.progress(min(next(batches), total), total, "windows")
            return shares

        return predict

    def _step_down(self) -> None:
        import torch

        if self.batch > 1:
            self.batch //= 2
            what = f"windows were computed {self.batch} at a time"
        else:
            self.device = torch.device("cpu")
            self.predictor.to(self.device)
            what = "the model ran on the CPU"
        self._findings.append(
            Finding(
                "device.out_of_memory",
                "info",
                f"The accelerator's memory was not enough, so {what}; the result is the same within rounding.",
                as_details(batch=self.batch, device=self.device.type),
            )
        )


@contextmanager
def _precise(run: Run) -> Iterator[None]:
    """Full fp32 (no TF32) and the caller's threads, put back afterwards."""
    import torch

    threads = torch.get_num_threads()
    matmul = torch.backends.cuda.matmul.allow_tf32
    try:
        if run.threads:
            torch.set_num_threads(run.threads)
        torch.backends.cuda.matmul.allow_tf32 = False
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=run.deterministic, allow_tf32=False
        ):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul
        torch.set_num_threads(threads)
