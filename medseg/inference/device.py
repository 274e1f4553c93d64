"""Which device a run uses."""

from typing import TYPE_CHECKING

from medseg.domain.run import Device
from medseg.errors import InputError

if TYPE_CHECKING:
    import torch

__all__ = ["choose_device", "is_out_of_memory"]


def choose_device(wanted: Device) -> "torch.device":
    """The device asked for; `auto` takes CUDA, then MPS, then the CPU.

    Raises
    ------
    InputError
        If the device asked for is not there.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, found in there.items() if found))
    if not there[wanted]:
        raise InputError(f"no {wanted} device was found; use --device auto or cpu")
    return torch.device(wanted)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an accelerator ran out of memory (MPS says so only in words)."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "out of memory" in str(error).lower()
    )
