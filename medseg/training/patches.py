"""Random patches: number n of a run is always the same patch, whatever was killed in between."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medseg.training.augment import augmenter
from medseg.training.cache import CachedCase
from medseg.training.config import TrainConfig

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["EpochSampler", "Patches", "cut"]


class Patches:
    """Map from a patch's number to its image, classes and outputs that its set holds.

    That is (C, *patch) float32; (1, *patch) int64, UNJUDGED among them; (outputs,) bool, background always.

    Each case comes once in every round, in a shuffled order; a share of the patches is centred on a
    labelled voxel, each label as often as the others. Where some voxels are not judged, the others are centred on a
    judged one. Of several sets each comes once in a round of its own (`data.balance`), so that none is drowned.
    """

    def __init__(self, cases: Sequence[CachedCase], config: TrainConfig, seed: int, *, augment: bool) -> None:
        self.groups = _groups(cases, by_set=config.data.balance == "sets")
        self.outputs = config.network.out_channels
        self.seed = seed
        self.foreground = config.loop.foreground
        self.flat = config.network.dimensions == 2
        self.patch = (1, *config.patch) if self.flat else config.patch
        self.augment: Callable[..., Any] | None = (
            augmenter(config.augmentation, config.network.dimensions) if augment else None
        )

    def __getitem__(self, number: int) -> "tuple[Tensor, Tensor, Tensor]":
        """Patch of this number."""
        import torch

        rng = np.random.default_rng([self.seed, number])
        case = self._case(number)
        image, labels = case.load("image"), case.load("labels")
        start = self._start(case, labels.shape, rng)
        values = torch.from_numpy(cut(image, start, self.patch).astype(np.float32))
        classes = torch.from_numpy(cut(labels[None], start, self.patch).astype(np.float32))
        if self.flat:
            values, classes = values[:, 0], classes[:, 0]
        if self.augment is not None:
            values, classes = self.augment(values, classes, rng)
        return values, classes.long(), torch.from_numpy(self._held(case))

    def _case(self, number: int) -> CachedCase:
        """A set, then a case of it; each once in every round."""
        turn, place = divmod(number, len(self.groups))
        order = np.random.default_rng([self.seed, turn, 2]).permutation(len(self.groups))
        group = self.groups[int(order[place])]
        turn, place = divmod(turn, len(group))
        order = np.random.default_rng([self.seed, turn, 1]).permutation(len(group))
        return group[int(order[place])]

    def _held(self, case: CachedCase) -> NDArray[np.bool_]:
        held = np.ones(self.outputs, np.bool_)
        if case.held:
            held[1:] = np.isin(np.arange(1, self.outputs), case.held)
        return held

    def _centre(self, case: CachedCase, rng: np.random.Generator) -> NDArray[Any] | None:
        """A labelled voxel, each label as often as the others; else any judged one where not all are, or None."""
        among: NDArray[Any] | None = None
        positions = case.load("positions")
        labelled = positions[positions[:, 0] > 0]
        if rng.random() < self.foreground and len(labelled):
            among = labelled[labelled[:, 0] == rng.choice(np.unique(labelled[:, 0]))]
        elif len(labelled) < len(positions):
            among = positions[positions[:, 0] == 0]
        return None if among is None else among[int(rng.integers(len(among))), 1:]

    def _start(self, case: CachedCase, extents: tuple[int, ...], rng: np.random.Generator) -> tuple[int, ...]:
        centre = self._centre(case, rng)
        starts = []
        for axis, (extent, size) in enumerate(zip(extents, self.patch, strict=True)):
            last = extent - size
            if last <= 0:
                starts.append(-((-last) // 2))  # padded on both sides, as windows are
            elif centre is None:
                starts.append(int(rng.integers(last + 1)))
            else:
                starts.append(int(np.clip(centre[axis] - size // 2, 0, last)))
        return tuple(starts)


def _groups(cases: Sequence[CachedCase], *, by_set: bool) -> list[list[CachedCase]]:
    found: dict[str, list[CachedCase]] = {}
    for case in cases:
        found.setdefault(case.set_name if by_set else "", []).append(case)
    return list(found.values())


class EpochSampler:
    """Numbers of the patches of one epoch, from the first that has not been seen.

    Parameters
    ----------
    per_epoch
        Patches per epoch, of all processes together.
    seen
        Counts the patches that the network has learned from. Lightning's own count of epochs is one ahead in a run that
        goes on from a checkpoint.
    share, rank, size
        Patches of a step that a process takes, its number, and how many processes there are: with the same patches in
        every step, several processes learn what one would.
    """

    def __init__(
        self, per_epoch: int, seen: Callable[[], int], share: int = 1, rank: int = 0, size: int = 1
    ) -> None:
        self.per_epoch = per_epoch
        self.seen = seen
        self.share = share
        self.rank = rank
        self.size = size

    def __iter__(self) -> Iterator[int]:
        """Patch numbers in order."""
        first = self.seen()
        for step in range(first, first + self.per_epoch, self.share * self.size):
            begin = step + self.share * self.rank
            yield from range(begin, begin + self.share)

    def __len__(self) -> int:
        """Patches per epoch of this process."""
        return self.per_epoch // self.size


def cut(array: NDArray[Any], start: Sequence[int], size: Sequence[int]) -> NDArray[Any]:
    """Box of `size` from `start` out of the last axes of (C, *extents); zeros where it leaves the array."""
    extents = array.shape[1:]
    low = [max(0, first) for first in start]
    high = [min(extent, first + length) for extent, first, length in zip(extents, start, size, strict=True)]
    inner = array[(slice(None), *(slice(a, b) for a, b in zip(low, high, strict=True)))]
    before = [a - first for a, first in zip(low, start, strict=True)]
    after = [first + length - b for first, length, b in zip(start, size, high, strict=True)]
    if not any((*before, *after)):
        return inner
    return np.pad(inner, [(0, 0), *zip(before, after, strict=True)])
