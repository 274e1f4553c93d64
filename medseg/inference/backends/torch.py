"""Networks run by torch, in float32 unless bfloat16 is asked for by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Run
from medseg.errors import InputError
from medseg.inference.backends.protocol import BackendMemoryError, Precision
from medseg.inference.device import is_out_of_memory

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["TorchBackend"]

#: What torch says, after its name, of an operation that gives other numbers at every run.
UNDETERMINED = "does not have a deterministic implementation"


@dataclass
class TorchBackend:
    """A network in evaluation mode, on one device."""

    network: "nn.Module"
    place: "torch.device"
    precision: Precision = "f32"
    name: str = "torch"

    def __post_init__(self) -> None:
        self.network.to(self.place)

    @property
    def device(self) -> str:
        """Kind of device."""
        return str(self.place.type)

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Outputs, back in the computer's own memory.

        Raises
        ------
        InputError
            If the same numbers were asked for at every run, and an operation has no such way on this device.
        """
        import torch

        try:
            with (
                torch.inference_mode(),
                torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16"),
            ):
                outputs = self.network(torch.from_numpy(np.ascontiguousarray(windows)).to(self.place))
                found: NDArray[np.float32] = outputs.float().cpu().numpy()
        except RuntimeError as error:
            if UNDETERMINED in str(error):
                what = str(error).split(UNDETERMINED)[0].strip()
                raise InputError(
                    f"--deterministic: on {self.device} {what} differs by run; use --device cpu or leave it out"
                ) from error
            if self.device == "cpu" or not is_out_of_memory(error):
                raise
            message = str(error)
        else:
            return found
        # Outside the handler, so that the failed attempt's tensors are free.
        if self.device == "cuda":
            torch.cuda.empty_cache()
        raise BackendMemoryError(message)

    def to_cpu(self) -> None:
        """Move the network."""
        import torch

        self.place = torch.device("cpu")
        self.network.to(self.place)

    @contextmanager
    def running(self, run: Run) -> Iterator[None]:
        """Full fp32 (no TF32), the caller's threads, a look at cancel before each layer; put back afterwards."""
        import torch

        threads = torch.get_num_threads()
        matmul = torch.backends.cuda.matmul.allow_tf32
        exact = torch.are_deterministic_algorithms_enabled()
        looks = [one.register_forward_pre_hook(lambda *_: run.check()) for one in self.network.modules()]
        try:
            if run.threads:
                torch.set_num_threads(run.threads)
            torch.backends.cuda.matmul.allow_tf32 = False
            torch.use_deterministic_algorithms(run.deterministic)
            with torch.backends.cudnn.flags(
                enabled=True, benchmark=False, deterministic=run.deterministic, allow_tf32=False
            ):
                yield
        finally:
            for look in looks:
                look.remove()
            torch.backends.cuda.matmul.allow_tf32 = matmul
            torch.use_deterministic_algorithms(exact)
            torch.set_num_threads(threads)
