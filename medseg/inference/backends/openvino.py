"""Networks run by OpenVINO on the CPU; float32 unless bfloat16 is asked for by name."""

import hashlib
import io
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Run
from medseg.domain.network import NetworkSpec
from medseg.inference.backends.cache import keep, kept
from medseg.inference.backends.graph import graph_of, has_graph
from medseg.inference.backends.protocol import Precision
from medseg.models import as_arrays
from medseg.networks import build, load_state

if TYPE_CHECKING:
    import openvino

__all__ = ["OpenVinoBackend", "compiled"]

#: Milliseconds between two looks at whether to stop.
LOOK_MS = 100
#: Requests that were told to stop; a request that goes out of use waits for its layer.
_LEFT: "list[openvino.InferRequest]" = []


@dataclass
class OpenVinoBackend:
    """A compiled network for one window at a time."""

    network: "openvino.CompiledModel"
    name: str = "openvino"
    device: str = "cpu"
    _run: Run = field(default_factory=Run)

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Outputs; a run that is cancelled stops within a window."""
        request = self.network.create_infer_request()
        answers = []
        for window in windows:
            request.start_async([np.ascontiguousarray(window[None])])
            while not request.wait_for(LOOK_MS):
                if self._run.cancel():
                    request.cancel()  # stops before its next layer; who asked need not wait for that
                    _LEFT.append(request)
                    self._run.check()
            answers.append(request.get_output_tensor(0).data.copy())
        return np.concatenate(answers)

    @contextmanager
    def running(self, run: Run) -> Iterator[None]:
        """Threads are those that the network was compiled for."""
        before, self._run = self._run, run
        try:
            yield
        finally:
            self._run = before

    def to_cpu(self) -> None:
        """It is there."""


def compiled(
    spec: NetworkSpec,
    weights: bytes,
    window: Sequence[int],
    *,
    precision: Precision = "f32",
    threads: int | None = None,
) -> OpenVinoBackend:
    """Network with the weights of a safetensors file, from the cache or compiled and kept there.

    Raises
    ------
    ModelError
        If the weights do not fit the network.
    """
    import openvino as ov

    core = ov.Core()
    settings = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"} | (
        {"INFERENCE_NUM_THREADS": threads} if threads else {}
    )
    asked = {
        "openvino": ov.__version__,
        "processor": core.get_property("CPU", "FULL_DEVICE_NAME"),
        "can": sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")),
        "network": asdict(spec),
        "window": list(window),
        "weights": hashlib.sha256(weights).hexdigest(),
        "settings": settings,
    }
    key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    network = _imported(core, key, settings)
    if network is None:
        network = core.compile_model(_model(spec, weights, window), "CPU", settings)
        keep(key, _exported(network))
    return OpenVinoBackend(network)


def _model(spec: NetworkSpec, weights: bytes, window: Sequence[int]) -> "openvino.Model":
    if has_graph(spec):
        return graph_of(spec, as_arrays(weights, "the weights file"), window)
    return (
        _from_onnx(spec, weights, window)
        if spec.architecture == "onnx"
        else _from_torch(spec, weights, window)
    )


def _from_onnx(spec: NetworkSpec, content: bytes, window: Sequence[int]) -> "openvino.Model":
    """As the file has it, for one window at a time; from memory, so that it reads no other file."""
    import openvino as ov

    model = ov.Core().read_model(content)
    model.reshape({model.inputs[0]: [1, spec.in_channels, *window]})
    return model


def _from_torch(spec: NetworkSpec, weights: bytes, window: Sequence[int]) -> "openvino.Model":
    """Traced from the torch module: slow, and done once."""
    import openvino as ov
    import torch

    network = build(spec, drawn=False).eval()
    state = as_arrays(weights, "the weights file")
    load_state(network, {name: torch.from_numpy(value) for name, value in state.items()})
    shape = [1, spec.in_channels, *window]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ways of tracing that OpenVINO takes
        return ov.convert_model(network, example_input=torch.zeros(shape), input=shape)


def _imported(core: "openvino.Core", key: str, settings: dict[str, Any]) -> "openvino.CompiledModel | None":
    content = kept(key)
    if content is None:
        return None
    try:
        return core.import_model(io.BytesIO(content), "CPU", settings)
    except RuntimeError:
        return None  # of another build of OpenVINO: it is made again


def _exported(network: "openvino.CompiledModel") -> bytes:
    content = network.export_model()
    return content if isinstance(content, bytes) else bytes(content.getvalue())
