"""How much memory a run may have, what it will need, and what is chosen by that.

A budget chooses where the sums of windows lie and how many native planes are decided at once: never a window, an
overlap, a type of number or a backend, so that labels are the same at any budget.
"""

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from math import prod
from pathlib import Path

import psutil

from medseg.domain import Grid, ModelCard
from medseg.inference.windows import stream_axis

__all__ = ["MOST_CHUNK_BYTES", "MemoryPlan", "Needs", "available_bytes", "held_bytes", "needs", "plan_memory"]

#: Feature maps of the finest level that a backend holds at once, in multiples of the network's first filters.
LIVE_FEATURES = 5
#: Copies of the outputs of a window that are alive at once: raw, activated, weighted, and those of a window of air.
LIVE_OUTPUTS = 4
#: Bytes of one class on the native planes that are decided at once; more gain nothing, fewer cost time.
MOST_CHUNK_BYTES = 8 << 20
LEAST_CHUNK_BYTES = 1 << 20
#: Arrays of that size that deciding holds: two neighbours, their mean, the best so far, who it is, and masks.
LIVE_CHUNKS = 6
#: Bytes per voxel on the model's grid while channels are scaled: values, statistics in double precision, masks.
SCALING_BYTES = 22
#: Sums that are not worth a file.
SMALL_SUMS = 256 << 20
#: The share of free memory that a run takes by itself.
FREE_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Needs:
    """What a run holds at its peak beside what is in memory already, in bytes.

    Parameters
    ----------
    prepared
        Channels on the model's grid.
    sums
        Of what windows said, over the planes that are not finished.
    window
        Outputs and features of the windows at hand.
    deciding
        Native planes that are decided at once, and the model planes beside them.
    native
        What grows with the image: labels and their copies.
    kept
        Outputs that are kept whole.
    scaling
        Peak while channels are prepared, before the rest.
    """

    prepared: int
    sums: int
    window: int
    deciding: int
    native: int
    kept: int
    scaling: int

    @property
    def least(self) -> int:
        """Peak with sums on disk as far as that makes a difference."""
        return self.total(sums_in_memory=False) + min(self.sums, SMALL_SUMS)

    def total(self, *, sums_in_memory: bool) -> int:
        """Peak, with the sums in memory or on disk."""
        sums = self.sums if sums_in_memory else 0
        running = self.prepared + sums + self.window + self.deciding + self.native + self.kept
        return max(running, self.scaling)


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What a budget chose.

    Parameters
    ----------
    sums_on_disk
        Whether sums of windows lie in a temporary file.
    chunk_bytes
        Of one class on the native planes that are decided at once.
    predicted_bytes
        Peak beside what was in memory before.
    """

    sums_on_disk: bool
    chunk_bytes: int
    predicted_bytes: int


def needs(
    card: ModelCard, native: Grid, model: Grid, kept_bytes: int, *, flat: int | None, apart: int = 0
) -> Needs:
    """What segmenting one image needs; `apart` networks whose outputs are kept beside those of all.

    `kept_bytes` is that of outputs that a run keeps.
    """
    window = card.window if flat is None else (*card.window[:flat], 1, *card.window[flat:])
    if card.windows.placing == "whole":
        window = model.shape if flat is None else (*model.shape[:flat], 1, *model.shape[flat + 1 :])
    extents = tuple(max(pair) for pair in zip(model.shape, window, strict=True))
    axis = flat if flat is not None else stream_axis(model.shape, window)
    outputs = card.network.out_channels * (1 + apart)
    voxels, cells = prod(native.shape), prod(extents)
    across = cells // extents[axis]
    channels = len(card.channels)
    resampled = model is not native
    sums = 4 * (outputs + 1) * window[axis] * across
    at_once = prod(window) * (LIVE_OUTPUTS * outputs + LIVE_FEATURES * card.network.filters[0])
    labels = 1 if max(card.table.values) < 256 else 2
    deciding = LIVE_CHUNKS * MOST_CHUNK_BYTES + 4 * outputs * across
    return Needs(
        prepared=4 * channels * cells,
        sums=sums,
        window=4 * at_once,
        deciding=deciding,
        native=(3 + apart) * labels * voxels,
        kept=kept_bytes,
        scaling=(13 if resampled else 5) * voxels + (4 * channels + SCALING_BYTES) * cells,
    )


def plan_memory(needed: Needs, budget_bytes: int) -> MemoryPlan:
    """Sums in memory where they fit, else on disk; fewer native planes at once where that helps."""
    chunk = MOST_CHUNK_BYTES
    on_disk = needed.total(sums_in_memory=True) > budget_bytes and needed.sums > SMALL_SUMS
    total = needed.total(sums_in_memory=not on_disk)
    if total > budget_bytes:
        chunk = LEAST_CHUNK_BYTES
        total -= LIVE_CHUNKS * (MOST_CHUNK_BYTES - LEAST_CHUNK_BYTES)
    return MemoryPlan(on_disk, chunk, total)


def available_bytes() -> int:
    """Free memory of the machine, or what its control group leaves, whichever is less."""
    free = int(psutil.virtual_memory().available)
    return int(FREE_SHARE * min([free, *_group_leaves()]))


def held_bytes() -> int | None:
    """Most memory that this process has held so far, by the operating system's account; None where it has none.

    Linux says it of the program that runs now; `getrusage` there also counts what the process that started it
    held, so that a small program started by a large one would seem large.
    """
    with suppress(OSError, StopIteration):
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024
    if find_spec("resource") is None:
        return None
    resource = import_module("resource")
    held = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return held if sys.platform == "darwin" else held * 1024


def _group_leaves() -> Iterator[int]:
    """What the control group of this process has left, by version 2 and version 1 of its files."""
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        with suppress(OSError, ValueError):
            yield max(0, int(Path(limit).read_text()) - int(Path(used).read_text()))
