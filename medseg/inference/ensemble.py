"""Several networks and mirrored copies as one: raw outputs → activation → mean."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Run
from medseg.inference.backends import Backend

__all__ = ["ACTIVATIONS", "Activation", "Ensemble", "Predictor"]

#: What makes the outputs of classes shares: one of all, each on its own, or none (the mean is one of raw outputs).
Activation: TypeAlias = Literal["softmax", "sigmoid", "none"]


class Predictor(Protocol):
    """(N, C, *window) float32 → (N, L, *window) float32: what is averaged over windows."""

    @property
    def name(self) -> str:
        """Of the backend."""
        ...

    @property
    def device(self) -> str:
        """Of the backend."""
        ...

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict a batch of windows."""
        ...

    def running(self, run: Run) -> AbstractContextManager[None]:
        """Threads and exactness of a run, while it lasts."""
        ...

    def to_cpu(self) -> None:
        """Leave a device that is too small."""
        ...


@dataclass
class Ensemble:
    """Mean of several networks over mirrored copies of each window.

    Parameters
    ----------
    members
        Networks of equal inputs and outputs, such as the folds of a training.
    mirror_axes
        Axes of a window; every subset of them is mirrored, predicted and turned back.
    classes
        How many outputs are classes (None: all); the others are distances, of which a sigmoid is taken.
    activation
        Of the classes, before the mean.
    apart
        Whether each member's own mean over mirrored copies follows that of all, one after another along the outputs.
    """

    members: Sequence[Backend]
    mirror_axes: tuple[int, ...] = ()
    classes: int | None = None
    activation: Activation = "softmax"
    apart: bool = False

    @property
    def name(self) -> str:
        """Backend of the members."""
        return self.members[0].name

    @property
    def device(self) -> str:
        """Device of the members."""
        return self.members[0].device

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean of members and mirrored copies."""
        axes = self.mirror_axes
        flips = [chosen for size in range(len(axes) + 1) for chosen in combinations(axes, size)]
        total = _Mean()
        own = [_Mean() for _ in self.members] if self.apart else []
        for chosen in flips:
            dims = tuple(axis + 2 for axis in chosen)
            turned = np.flip(windows, dims)
            for number, member in enumerate(self.members):
                shares = np.flip(self._shares(member(turned)), dims)
                if own:
                    own[number].add(shares.copy())
                total.add(shares)
        return np.concatenate([mean.values() for mean in (total, *own)], axis=1) if own else total.values()

    def running(self, run: Run) -> AbstractContextManager[None]:
        """That of each member."""
        return self._running(run)

    @contextmanager
    def _running(self, run: Run) -> Iterator[None]:
        with ExitStack() as stack:
            for member in self.members:
                stack.enter_context(member.running(run))
            yield

    def to_cpu(self) -> None:
        """Move all members."""
        for member in self.members:
            member.to_cpu()

    def _shares(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Shares in an array of its own, which may be written to."""
        activate = ACTIVATIONS[self.activation]
        if self.classes is None or self.classes == outputs.shape[1]:
            return activate(outputs)
        shares = np.empty_like(outputs)
        shares[:, : self.classes] = activate(outputs[:, : self.classes])
        shares[:, self.classes :] = _sigmoid(outputs[:, self.classes :])
        return shares


class _Mean:
    """Mean of arrays, the first of which it keeps and writes to."""

    def __init__(self) -> None:
        self._total: NDArray[np.float32] | None = None
        self._count = 0

    def add(self, values: NDArray[np.float32]) -> None:
        self._total = values if self._total is None else np.add(self._total, values, out=self._total)
        self._count += 1

    def values(self) -> NDArray[np.float32]:
        assert self._total is not None  # noqa: S101 - for the type checker: something is always added
        return self._total if self._count == 1 else np.divide(self._total, self._count, out=self._total)


def _softmax(outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Over the second axis; a copy."""
    shares: NDArray[np.float32] = outputs - outputs.max(axis=1, keepdims=True)
    np.exp(shares, out=shares)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def _sigmoid(outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 / (1 + exp(−x)), by way of tanh, which does not overflow; a copy."""
    shares: NDArray[np.float32] = np.tanh(outputs * np.float32(0.5))
    shares += np.float32(1)
    shares *= np.float32(0.5)
    return shares


#: Name → function of (N, L, *window) that gives a new array.
ACTIVATIONS: dict[Activation, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "softmax": _softmax,
    "sigmoid": _sigmoid,
    "none": np.array,
}
