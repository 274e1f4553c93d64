"""Build a U-Net from its specification, and move weights in and out by name."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from medseg.domain.network import NetworkSpec
from medseg.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["BUILDERS", "build", "encoder_names", "load_state", "state_for", "tensors_of"]


def build(spec: NetworkSpec, *, drawn: bool = True) -> "nn.Module":
    """Network with random weights: (N, C, *window) float → (N, L, *window) logits.

    With `drawn=False` weights are left as they are: for those that are read, or only looked at.

    In training mode a network with deep supervision gives (N, 1 + levels, L, *window), finest first; in
    evaluation mode the finest output alone.

    Raises
    ------
    ConfigError
        If the architecture can't be built that way.
    """
    try:
        with nullcontext() if drawn else _undrawn():
            network: nn.Module = BUILDERS[spec.architecture](spec)
    except (ValueError, TypeError, RuntimeError, AssertionError, NotImplementedError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"a {spec.architecture} can't be built from this specification: {what}") from error
    return network


def state_for(spec: NetworkSpec, network: "nn.Module") -> "dict[str, Tensor]":
    """Weights that `spec` needs, by name, taken from a network that may have more (heads of deep supervision)."""
    have = network.state_dict()
    return {name: have[name].detach() for name in tensors_of(build(spec, drawn=False))}


def load_state(network: "nn.Module", state: "Mapping[str, Tensor]") -> None:
    """Copy weights into a network.

    Raises
    ------
    ModelError
        If names or shapes are not exactly those of the network.
    """
    import torch

    wanted = tensors_of(network)
    if missing := sorted(set(wanted) ^ set(state)):
        raise ModelError(
            f"the weights do not fit the network of the card: {len(missing)} names differ ({missing[0]}, …)"
        )
    for name, target in wanted.items():
        if target.shape != state[name].shape:
            raise ModelError(
                f"the weights do not fit the network of the card: {name} is {tuple(state[name].shape)}, "
                f"not {tuple(target.shape)}"
            )
    with torch.no_grad():
        for name, target in wanted.items():
            target.copy_(state[name])


def encoder_names(spec: NetworkSpec) -> tuple[str, ...]:
    """How names of the weights begin that lead from the image to the lowest level.

    Raises
    ------
    ConfigError
        If the architecture has them within the others.
    """
    names = {
        "dynunet": ("input_block.", "downsamples.", "bottleneck."),
        "plain_conv_unet": ("encoder.",),
        "residual_encoder_unet": ("encoder.",),
    }.get(spec.architecture)
    if names is None:
        raise ConfigError(f"a {spec.architecture} has no encoder apart, so that it can't be frozen")
    return names


def tensors_of(network: "nn.Module") -> "dict[str, Tensor]":
    """Parameters and buffers by name, each once."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def _undrawn() -> AbstractContextManager[object]:
    """Inside it nothing random is drawn into tensors; on the meta device that would import torch's compiler."""
    import torch
    from torch.overrides import TorchFunctionMode

    class Undrawn(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func in (torch.Tensor.normal_, torch.Tensor.uniform_):
                return args[0]
            return func(*args, **(kwargs or {}))

    return Undrawn()


def _unet(spec: NetworkSpec) -> "nn.Module":
    from medseg.networks.unet import unet  # noqa: PLC0415 - loads torch

    if spec.deep_supervision:
        raise ConfigError("architecture unet has no deep supervision; take dynunet or deep_supervision: 0")
    return unet(spec)


def _dynunet(spec: NetworkSpec) -> "nn.Module":
    from medseg.networks.dynunet import DynUNet  # noqa: PLC0415 - loads torch

    return DynUNet(spec)


def _plain_conv_unet(spec: NetworkSpec) -> "nn.Module":
    from medseg.networks.encoders import PlainConvUNet  # noqa: PLC0415 - loads torch

    return PlainConvUNet(spec)


def _residual_encoder_unet(spec: NetworkSpec) -> "nn.Module":
    from medseg.networks.encoders import ResidualEncoderUNet  # noqa: PLC0415 - loads torch

    return ResidualEncoderUNet(spec)


def _segresnet(spec: NetworkSpec) -> "nn.Module":
    from medseg.networks.segresnet import SegResNet  # noqa: PLC0415 - loads torch

    return SegResNet(spec)


def _swin_unetr(spec: NetworkSpec) -> "nn.Module":
    from medseg.networks.swin_unetr import SwinUNETR  # noqa: PLC0415 - loads torch

    return SwinUNETR(spec)


def _unetr(spec: NetworkSpec) -> "nn.Module":
    from medseg.networks.unetr import UNETR  # noqa: PLC0415 - loads torch

    return UNETR(spec)


def _basic_unet(spec: NetworkSpec) -> "nn.Module":
    from medseg.networks.basic_unet import BasicUNet  # noqa: PLC0415 - loads torch

    return BasicUNet(spec)


def _attention_unet(spec: NetworkSpec) -> "nn.Module":
    from medseg.networks.attention_unet import attention_unet  # noqa: PLC0415 - loads torch

    return attention_unet(spec)


def _vnet(spec: NetworkSpec) -> "nn.Module":
    from medseg.networks.vnet import VNet  # noqa: PLC0415 - loads torch

    return VNet(spec)


def _onnx(spec: NetworkSpec) -> "nn.Module":
    raise ConfigError(
        f"a network of {spec.in_channels} channels kept as ONNX runs by OpenVINO, and is not built"
    )


#: Architecture → what builds it; a test holds the keys to those of a NetworkSpec.
BUILDERS: dict[str, Callable[[NetworkSpec], "nn.Module"]] = {
    "unet": _unet,
    "dynunet": _dynunet,
    "plain_conv_unet": _plain_conv_unet,
    "residual_encoder_unet": _residual_encoder_unet,
    "segresnet": _segresnet,
    "swin_unetr": _swin_unetr,
    "unetr": _unetr,
    "basic_unet": _basic_unet,
    "attention_unet": _attention_unet,
    "vnet": _vnet,
    "onnx": _onnx,
}
