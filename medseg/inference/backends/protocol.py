"""What a backend promises, whichever library is behind it."""

from contextlib import AbstractContextManager
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Run

__all__ = ["Backend", "BackendMemoryError", "Precision"]

#: Of what is multiplied; sums are float32. A library's own default may be whatever the processor is fastest in.
Precision: TypeAlias = Literal["f32", "bf16"]


class BackendMemoryError(MemoryError):
    """A device had no room for the windows at hand; fewer at once may fit."""


class Backend(Protocol):
    """One network with its weights: (N, C, *window) float32 → (N, L, *window) float32, raw."""

    @property
    def name(self) -> str:
        """`torch`, `openvino`: what a record calls it."""
        ...

    @property
    def device(self) -> str:
        """`cpu`, `cuda`, `mps`."""
        ...

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Outputs of a batch of windows.

        Raises
        ------
        BackendMemoryError
            If the device has no room for so many.
        """
        ...

    def running(self, run: Run) -> AbstractContextManager[None]:
        """Threads and exactness of a run, while it lasts."""
        ...

    def to_cpu(self) -> None:
        """Leave a device that is too small."""
        ...
