"""Networks as OpenVINO's graphs, straight from weights: no torch is loaded.

Each function says the same as the torch module of its architecture, and a test holds the outputs of both together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain.network import NetworkSpec
from medseg.errors import ModelError

if TYPE_CHECKING:
    import openvino

__all__ = ["GRAPHS", "graph_of", "has_graph"]

Weights = Mapping[str, NDArray[np.float32]]
#: What instance norm adds to the variance, and the slope of a LeakyReLU below zero, as the torch modules have them.
EPSILON = 1e-5
SLOPE = 0.01


def graph_of(spec: NetworkSpec, weights: Weights, window: Sequence[int]) -> "openvino.Model":
    """(1, C, *window) float32 → (1, L, *window) float32.

    Raises
    ------
    ModelError
        If weights are missing, left over, or do not fit.
    """
    import openvino as ov
    from openvino import opset15 as ops

    layers = _Layers(ops, weights, spec.dimensions)
    image = ops.parameter([1, spec.in_channels, *window], np.float32)
    try:
        output = GRAPHS[spec.architecture](spec, layers, image)
    except RuntimeError as error:
        raise ModelError(
            f"the weights do not fit the network of the card: {str(error).splitlines()[-1]}"
        ) from error
    if left := sorted(set(weights) - layers.used):
        raise ModelError(
            f"the weights do not fit the network of the card: {len(left)} names differ ({left[0]}, …)"
        )
    if list(output.get_output_shape(0)) != [1, spec.out_channels, *window]:
        raise ModelError(
            f"the weights do not fit the network of the card: outputs are {output.get_output_shape(0)}"
        )
    return ov.Model([output], [image])


@dataclass
class _Layers:
    """Layers by the names of their weights."""

    ops: Any
    weights: Weights
    dimensions: int
    used: set[str] = field(default_factory=set)

    def take(self, name: str) -> NDArray[np.float32]:
        """Weights, which then count as used."""
        if name not in self.weights:
            raise ModelError(f"the weights do not fit the network of the card: {name} is missing")
        self.used.add(name)
        return self.weights[name]

    def conv(self, values: Any, name: str, stride: Sequence[int]) -> Any:
        kernel = self.take(f"{name}.conv.weight")
        padding = [int((size - step + 1) / 2) for size, step in zip(kernel.shape[2:], stride, strict=True)]
        ones = [1] * self.dimensions
        return self.ops.convolution(values, self._constant(kernel), list(stride), padding, padding, ones)

    def transposed(self, values: Any, name: str, stride: Sequence[int]) -> Any:
        kernel = self._constant(self.take(f"{name}.conv.weight"))
        nothing = [0] * self.dimensions
        ones = [1] * self.dimensions
        return self.ops.convolution_backprop_data(
            values, kernel, list(stride), pads_begin=nothing, pads_end=nothing, dilations=ones
        )

    def norm(self, values: Any, name: str) -> Any:
        axes = np.arange(2, 2 + self.dimensions)
        even = self.ops.mvn(
            values, self._constant(axes), normalize_variance=True, eps=EPSILON, eps_mode="inside_sqrt"
        )
        return self.ops.add(
            self.ops.multiply(even, self._per_feature(f"{name}.weight")), self._per_feature(f"{name}.bias")
        )

    def bias(self, values: Any, name: str) -> Any:
        return self.ops.add(values, self._per_feature(name))

    def activate(self, values: Any) -> Any:
        return self.ops.prelu(values, self._constant(np.array([SLOPE], np.float32)))

    def _per_feature(self, name: str) -> Any:
        return self._constant(self.take(name).reshape(1, -1, *[1] * self.dimensions))

    def _constant(self, values: NDArray[Any]) -> Any:
        return self.ops.constant(np.ascontiguousarray(values))


def _dynunet(spec: NetworkSpec, layers: _Layers, image: Any) -> Any:
    bottom = len(spec.filters) - 1
    skips = [_block(spec, layers, image, "input_block", 0)]
    for level in range(1, bottom):
        skips.append(_block(spec, layers, skips[-1], f"downsamples.{level - 1}", level))
    values = _block(spec, layers, skips[-1], "bottleneck", bottom)
    for number, level in enumerate(range(bottom, 0, -1)):
        name = f"upsamples.{number}"
        values = layers.transposed(values, f"{name}.transp_conv", spec.strides[level])
        values = layers.ops.concat([values, skips[level - 1]], axis=1)
        values = _basic(layers, values, f"{name}.conv_block", (1,) * spec.dimensions)
        values = layers.activate(values)
    found = layers.conv(values, "output_block.conv", (1,) * spec.dimensions)
    return layers.bias(found, "output_block.conv.conv.bias")


def _block(spec: NetworkSpec, layers: _Layers, values: Any, name: str, level: int) -> Any:
    stride = spec.strides[level]
    found = _basic(layers, values, name, stride)
    if spec.residual:
        if f"{name}.conv3.conv.weight" in layers.weights:
            values = layers.norm(layers.conv(values, f"{name}.conv3", stride), f"{name}.norm3")
        found = layers.ops.add(found, values)
    return layers.activate(found)


def _basic(layers: _Layers, values: Any, name: str, stride: Sequence[int]) -> Any:
    """Two convolutions, up to the last activation."""
    ones = (1,) * layers.dimensions
    found = layers.activate(layers.norm(layers.conv(values, f"{name}.conv1", stride), f"{name}.norm1"))
    return layers.norm(layers.conv(found, f"{name}.conv2", ones), f"{name}.norm2")


#: Architecture → what draws its graph; others are exported from torch.
GRAPHS: dict[str, Callable[[NetworkSpec, _Layers, Any], Any]] = {"dynunet": _dynunet}


def has_graph(spec: NetworkSpec) -> bool:
    """Whether a network is drawn without torch; graphs know an instance norm with weights, and no other."""
    return spec.architecture in GRAPHS and spec.norm == "instance"
