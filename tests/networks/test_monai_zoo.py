"""Networks of the Model Zoo are MONAI's: its weights fit name by name, and give its outputs."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from medseg.domain import NetworkSpec
from medseg.domain.network import Attention
from medseg.errors import ConfigError
from medseg.networks import build, load_state, tensors_of


def spec_of(architecture: Any, filters: tuple[int, ...], dimensions: Any = 3, **more: Any) -> NetworkSpec:
    """Levels halve all axes; kernels have three voxels."""
    strides = ((1,) * dimensions, *((2,) * dimensions,) * (len(filters) - 1))
    values = {"norm": "instance_plain", **more}
    return NetworkSpec(
        architecture, dimensions, 2, 3, filters, strides, ((3,) * dimensions,) * len(filters), **values
    )


def swin(dimensions: Any = 3, window: int = 3, **more: Any) -> NetworkSpec:
    hidden = tuple(48 << stage for stage in range(4))
    attention = Attention((3, 3, 6, 12), hidden, (window,) * dimensions, **more)
    return spec_of(
        "swin_unetr",
        (12, 12, 24, 48, 96, 192),
        dimensions,
        residual=True,
        encoder_blocks=(2, 2, 1, 2),
        attention=attention,
    )


def unetr(window: tuple[int, ...], *, residual: bool = True, **more: Any) -> NetworkSpec:
    attention = Attention((4,), (24,), window, **more)
    return spec_of("unetr", (4, 8, 16, 32, 16), len(window), residual=residual, attention=attention)


def monais_unet(spec: NetworkSpec) -> Any:
    from monai.networks.nets.unet import UNet

    return UNet(
        spatial_dims=spec.dimensions,
        in_channels=2,
        out_channels=3,
        channels=spec.filters,
        strides=[stride[0] for stride in spec.strides[1:]],
        num_res_units=spec.units if spec.residual else 0,
        norm="batch" if spec.norm == "batch" else "instance",
    )


def monais_dynunet(spec: NetworkSpec) -> Any:
    from monai.networks.nets.dynunet import DynUNet

    return DynUNet(
        spatial_dims=spec.dimensions,
        in_channels=2,
        out_channels=3,
        kernel_size=spec.kernels,
        strides=spec.strides,
        upsample_kernel_size=spec.strides[1:],
        filters=spec.filters,
        norm_name="instance",
        res_block=spec.residual,
    )


def monais_segresnet(spec: NetworkSpec) -> Any:
    from monai.networks.nets.segresnet import SegResNet

    return SegResNet(
        spatial_dims=spec.dimensions,
        init_filters=spec.filters[0],
        in_channels=2,
        out_channels=3,
        blocks_down=spec.encoder_blocks,
        blocks_up=spec.decoder_blocks,
        dropout_prob=0.2,
        upsample_mode="deconv" if spec.upsample == "deconv" else "nontrainable",
        norm=("GROUP", {"num_groups": spec.groups}) if spec.norm == "group" else "batch",
    )


def monais_swin(spec: NetworkSpec) -> Any:
    from monai.networks.nets.swin_unetr import SwinUNETR

    assert spec.attention is not None
    return SwinUNETR(
        spatial_dims=spec.dimensions,
        in_channels=2,
        out_channels=3,
        feature_size=spec.filters[0],
        depths=spec.encoder_blocks,
        num_heads=spec.attention.heads,
        window_size=spec.attention.window[0],
        qkv_bias=spec.attention.bias,
        downsample=spec.attention.merging,
        use_v2=spec.attention.convolved,
    )


def monais_unetr(spec: NetworkSpec) -> Any:
    from monai.networks.nets.unetr import UNETR

    assert spec.attention is not None
    return UNETR(
        spatial_dims=spec.dimensions,
        in_channels=2,
        out_channels=3,
        img_size=spec.attention.window,
        feature_size=spec.filters[0],
        hidden_size=spec.filters[-1],
        mlp_dim=spec.attention.hidden[0],
        num_heads=spec.attention.heads[0],
        qkv_bias=spec.attention.bias,
        proj_type=spec.attention.patches,
        res_block=spec.residual,
    )


def monais_basic(spec: NetworkSpec) -> Any:
    from monai.networks.nets.basic_unet import BasicUNet

    return BasicUNet(spec.dimensions, 2, 3, spec.filters, bias=spec.bias)


def monais_attention(spec: NetworkSpec) -> Any:
    from monai.networks.nets.attentionunet import AttentionUnet

    return AttentionUnet(spec.dimensions, 2, 3, spec.filters, [stride[0] for stride in spec.strides[1:]])


def monais_vnet(spec: NetworkSpec) -> Any:
    from monai.networks.nets.vnet import VNet

    return VNet(spec.dimensions, 2, 3, bias=spec.bias)


MONAIS: dict[str, Callable[[NetworkSpec], Any]] = {
    "unet": monais_unet,
    "dynunet": monais_dynunet,
    "segresnet": monais_segresnet,
    "swin_unetr": monais_swin,
    "unetr": monais_unetr,
    "basic_unet": monais_basic,
    "attention_unet": monais_attention,
    "vnet": monais_vnet,
}
SEGRESNET = spec_of(
    "segresnet", (8, 16, 32), norm="group", groups=4, encoder_blocks=(1, 2, 2), decoder_blocks=(1, 1)
)
BASIC = spec_of("basic_unet", (4, 4, 8, 8, 16, 6), norm="instance", negative_slope=0.1)
BASIC = replace(BASIC, strides=(*BASIC.strides[:5], (1, 1, 1)))
ATTENTION = spec_of("attention_unet", (4, 8, 16), norm="batch")
VNET = spec_of("vnet", (16, 32, 64, 128, 256), norm="batch", bias=False)
SPECS = {
    "unet, norm without weights": spec_of("unet", (4, 8, 16), 2, residual=True),
    "unet, batch norm, four units": spec_of("unet", (4, 8), residual=True, norm="batch", units=4),
    "unet, batch norm": spec_of("unet", (4, 8), norm="batch"),
    "dynunet, norm without weights": spec_of("dynunet", (4, 8, 8), residual=True),
    "segresnet": SEGRESNET,
    "segresnet, linear": replace(SEGRESNET, upsample="linear"),
    "segresnet, batch norm": replace(SEGRESNET, norm="batch"),
    "segresnet in slices": spec_of(
        "segresnet", (8, 16), 2, norm="group", encoder_blocks=(1, 1), decoder_blocks=(2,), upsample="linear"
    ),
    "swin_unetr": swin(),
    "swin_unetr, other merging": swin(merging="mergingv2", bias=False),
    "swin_unetr, V2": swin(convolved=True),
    "swin_unetr, windows larger than a stage": swin(window=7),
    "swin_unetr in slices": swin(2),
    "unetr": unetr((32, 16, 32)),
    "unetr, a matrix of patches": unetr((16, 32, 32), patches="perceptron", bias=True),
    "unetr, no residual blocks, in slices": unetr((32, 16), residual=False),
    "basic_unet": BASIC,
    "basic_unet, no bias": replace(BASIC, bias=False),
    "attention_unet": ATTENTION,
    "attention_unet in slices": spec_of("attention_unet", (4, 8), 2, norm="batch"),
    "vnet": VNET,
    "vnet, bias": replace(VNET, bias=True),
}


def with_random_weights(network: Any) -> Any:
    """All of them, also those that are drawn as zeros or ones; variances stay positive."""
    import torch

    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, value in tensors_of(network).items():
            if value.is_floating_point():
                drawn = torch.randn(value.shape, generator=generator)
                scale = 1 / max(1, value[0].numel()) ** 0.5 if value.dim() > 1 else 0.3
                value.copy_(1 + drawn.abs() if name.endswith("running_var") else scale * drawn)
    return network


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_same_weights_give_the_same_outputs(spec: NetworkSpec) -> None:
    import torch

    if spec.attention is not None:
        pytest.importorskip("einops", reason="MONAI's transformers need it")
    theirs = with_random_weights(MONAIS[spec.architecture](spec)).eval()
    ours = build(spec, drawn=False).eval()
    load_state(ours, tensors_of(theirs))
    size = spec.divisor
    if spec.architecture == "unetr":
        assert spec.attention is not None
        size = spec.attention.window
    size = (2 * size[0], *size[1:]) if spec.architecture != "unetr" else size
    windows = torch.randn(2, 2, *size, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected, found = theirs(windows), ours(windows)
    assert expected.std() > 1e-3
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_meta_device_knows_shapes_without_weights(spec: NetworkSpec) -> None:
    import torch

    with torch.device("meta"):
        found = tensors_of(build(spec, drawn=False))
    assert {name: value.shape for name, value in found.items()} == {
        name: value.shape for name, value in tensors_of(build(spec, drawn=False)).items()
    }


def test_tokens_that_are_merged_twice_are_another_network() -> None:
    import torch

    networks = [build(swin(merging=kind), drawn=False).eval() for kind in ("merging", "merging_repeated")]
    load_state(networks[1], tensors_of(with_random_weights(networks[0])))
    with torch.no_grad():
        one, other = (
            network(torch.linspace(-1, 1, 4 * 32**3).reshape(1, 2, 64, 32, 32)) for network in networks
        )
    assert not torch.allclose(one, other, atol=1e-2)


WRONG = [
    (replace(SEGRESNET, filters=(8, 16, 24)), "doubles its features"),
    (
        replace(
            BASIC,
            filters=(4, 4, 8, 8, 16, 6, 6),
            strides=(*BASIC.strides, (1, 1, 1)),
            kernels=((3, 3, 3),) * 7,
        ),
        "5 levels",
    ),
    (replace(VNET, in_channels=3), "1, 2, 4, 8 or 16 channels"),
    (replace(VNET, filters=(8, 16, 32, 64, 128)), "features"),
    (unetr((32, 24, 32)), "multiples of 16"),
    (replace(ATTENTION, kernels=((2, 3, 3),) * 3), "needs a middle"),
]


@pytest.mark.parametrize(("spec", "words"), WRONG)
def test_what_can_not_be_built_is_refused(spec: NetworkSpec, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build(spec)
