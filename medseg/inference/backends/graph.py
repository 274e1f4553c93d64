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


def graph_of(spec: NetworkSpec, weights: Weights, window: Sequence[int]) -> "openvino.Model":
    """(1, C, *window) float32 → (1, L, *window) float32.

    Raises
    ------
    ModelError
        If weights are missing, left over, or do not fit.
    """
    import openvino as ov
    from openvino import opset15 as ops

    layers = _Layers(ops, weights, spec)
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
    spec: NetworkSpec
    used: set[str] = field(default_factory=set)

    @property
    def dimensions(self) -> int:
        """Of windows."""
        return self.spec.dimensions

    def take(self, name: str) -> NDArray[np.float32]:
        """Weights, which then count as used."""
        if name not in self.weights:
            raise ModelError(f"the weights do not fit the network of the card: {name} is missing")
        self.used.add(name)
        return self.weights[name]

    def conv(self, values: Any, name: str, stride: Sequence[int], *, inner: str = ".conv") -> Any:
        """Padded as the torch module of the architecture pads; `inner` is what a layer calls its weights within."""
        kernel = self.take(f"{name}{inner}.weight")
        sizes = zip(kernel.shape[2:], stride, strict=True)
        by_step = self.spec.architecture == "dynunet"
        padding = [int((size - step + 1) / 2) if by_step else (size - 1) // 2 for size, step in sizes]
        ones = [1] * self.dimensions
        return self.ops.convolution(values, self._constant(kernel), list(stride), padding, padding, ones)

    def transposed(self, values: Any, name: str, stride: Sequence[int], *, inner: str = ".conv") -> Any:
        kernel = self._constant(self.take(f"{name}{inner}.weight"))
        nothing = [0] * self.dimensions
        ones = [1] * self.dimensions
        return self.ops.convolution_backprop_data(
            values, kernel, list(stride), pads_begin=nothing, pads_end=nothing, dilations=ones
        )

    def norm(self, values: Any, name: str) -> Any:
        axes = np.arange(2, 2 + self.dimensions)
        eps = self.spec.norm_eps
        even = self.ops.mvn(
            values, self._constant(axes), normalize_variance=True, eps=eps, eps_mode="inside_sqrt"
        )
        return self.ops.add(
            self.ops.multiply(even, self._per_feature(f"{name}.weight")), self._per_feature(f"{name}.bias")
        )

    def bias(self, values: Any, name: str) -> Any:
        return self.ops.add(values, self._per_feature(name))

    def pool(self, values: Any, stride: Sequence[int]) -> Any:
        nothing = [0] * self.dimensions
        return self.ops.avg_pool(values, list(stride), nothing, nothing, list(stride), exclude_pad=True)

    def activate(self, values: Any) -> Any:
        slope = np.array([self.spec.negative_slope], np.float32)
        return self.ops.prelu(values, self._constant(slope))

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


def _nnunet(spec: NetworkSpec, layers: _Layers, image: Any) -> Any:
    """As `networks.encoders`: nnU-Net's two encoders, and its decoder."""
    ones, residual = (1,) * spec.dimensions, spec.architecture == "residual_encoder_unet"
    values = _conv_norm(layers, image, "encoder.stem.convs.0", ones) if residual else image
    found = []
    for number, (count, stride) in enumerate(zip(spec.encoder_blocks, spec.strides, strict=True)):
        stage = f"encoder.stages.{number}"
        values = (
            _blocks(layers, values, f"{stage}.blocks", count, stride)
            if residual
            else _stack(layers, values, f"{stage}.0.convs", count, stride)
        )
        found.append(values)
    for number, count in enumerate(spec.decoder_blocks):
        up = f"decoder.transpconvs.{number}"
        values = layers.transposed(values, up, spec.strides[len(spec.filters) - 1 - number], inner="")
        values = layers.bias(values, f"{up}.bias") if spec.bias else values
        values = layers.ops.concat([values, found[-2 - number]], axis=1)
        values = _stack(layers, values, f"decoder.stages.{number}.convs", count, ones)
    last = f"decoder.seg_layers.{len(spec.filters) - 2}"
    return layers.bias(layers.conv(values, last, ones, inner=""), f"{last}.bias")


def _stack(layers: _Layers, values: Any, name: str, count: int, stride: Sequence[int]) -> Any:
    """Convolutions one after another; the first one strided."""
    for number in range(count):
        values = _conv_norm(
            layers, values, f"{name}.{number}", stride if number == 0 else (1,) * layers.dimensions
        )
    return values


def _blocks(layers: _Layers, values: Any, name: str, count: int, stride: Sequence[int]) -> Any:
    """Residual blocks; around the first one the skip pools, and projects where features change."""
    ones = (1,) * layers.dimensions
    for number in range(count):
        block, strided = f"{name}.{number}", number == 0 and max(stride) > 1
        found = _conv_norm(layers, values, f"{block}.conv1", stride if number == 0 else ones)
        found = _conv_norm(layers, found, f"{block}.conv2", ones, active=False)
        around = layers.pool(values, stride) if strided else values
        skip = f"{block}.skip.{int(strided)}"
        if f"{skip}.conv.weight" in layers.weights:
            around = layers.norm(layers.conv(around, skip, ones), f"{skip}.norm")
        values = layers.activate(layers.ops.add(found, around))
    return values


def _conv_norm(layers: _Layers, values: Any, name: str, stride: Sequence[int], *, active: bool = True) -> Any:
    values = layers.conv(values, name, stride)
    if layers.spec.bias:
        values = layers.bias(values, f"{name}.conv.bias")
    values = layers.norm(values, f"{name}.norm")
    return layers.activate(values) if active else values


#: Architecture → what draws its graph; others are exported from torch.
GRAPHS: dict[str, Callable[[NetworkSpec, _Layers, Any], Any]] = {
    "dynunet": _dynunet,
    "plain_conv_unet": _nnunet,
    "residual_encoder_unet": _nnunet,
}


def has_graph(spec: NetworkSpec) -> bool:
    """Whether a network is drawn without torch; graphs know an instance norm with weights, and no other."""
    return spec.architecture in GRAPHS and spec.norm == "instance"
