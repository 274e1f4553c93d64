"""Networks of plain torch modules are MONAI's: same names, same weights of the same seed, same outputs."""

from dataclasses import replace
from typing import Any

import pytest

from medseg.domain import NetworkSpec
from medseg.networks import build, load_state, tensors_of
from tests.networks.test_build import DYN_3D, UNET_2D

DYN_2D = NetworkSpec(
    "dynunet", 2, 1, 4, (4, 6, 8, 8), ((1, 1), (2, 1), (2, 2), (2, 2)), ((1, 3), (3, 3), (3, 3), (3, 5))
)
UNET_3D = NetworkSpec("unet", 3, 2, 3, (3, 5), ((1, 1, 1), (2, 2, 1)), ((3, 5, 1),) * 2)
SPECS = {
    "dynunet": DYN_3D,
    "dynunet in slices": DYN_2D,
    "dynunet residual, dropout": replace(DYN_3D, residual=True, dropout=0.1),
    "dynunet, a head": replace(DYN_3D, deep_supervision=1),
    "dynunet, two heads": replace(DYN_2D, deep_supervision=2),
    "unet": replace(UNET_2D, residual=False),
    "unet residual": UNET_2D,
    "unet residual, dropout": replace(UNET_2D, dropout=0.2),
    "unet of two levels": UNET_3D,
    "unet of two levels, residual": replace(UNET_3D, residual=True),
}


def monais(spec: NetworkSpec) -> Any:
    from monai.networks.nets.dynunet import DynUNet
    from monai.networks.nets.unet import UNet

    if spec.architecture == "unet":
        return UNet(
            spatial_dims=spec.dimensions,
            in_channels=spec.in_channels,
            out_channels=spec.out_channels,
            channels=spec.filters,
            strides=spec.strides[1:],
            kernel_size=spec.kernels[0],
            up_kernel_size=spec.kernels[0],
            num_res_units=2 if spec.residual else 0,
            norm=("INSTANCE", {"affine": True}),
            dropout=spec.dropout,
        )
    return DynUNet(
        spatial_dims=spec.dimensions,
        in_channels=spec.in_channels,
        out_channels=spec.out_channels,
        kernel_size=spec.kernels,
        strides=spec.strides,
        upsample_kernel_size=spec.strides[1:],
        filters=spec.filters,
        dropout=spec.dropout or None,
        deep_supervision=spec.deep_supervision > 0,
        deep_supr_num=max(1, spec.deep_supervision),
        res_block=spec.residual,
    )


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_same_seed_draws_the_same_weights_under_the_same_names(spec: NetworkSpec) -> None:
    import torch

    torch.manual_seed(3)
    theirs, after = tensors_of(monais(spec)), torch.rand(1)
    torch.manual_seed(3)
    ours = tensors_of(build(spec))
    assert torch.equal(torch.rand(1), after)
    assert sorted(ours) == sorted(theirs)
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_same_weights_give_the_same_outputs_and_gradients(spec: NetworkSpec, training: bool) -> None:
    import torch

    torch.manual_seed(5)
    theirs, ours = monais(spec).train(training), build(spec).train(training)
    load_state(ours, tensors_of(theirs))
    windows = torch.randn(2, spec.in_channels, *(3 * step for step in spec.divisor))
    answers = []
    for network in (theirs, ours):
        torch.manual_seed(7)  # for dropout
        answers.append(network(windows))
        answers[-1].square().sum().backward()
    assert torch.equal(*answers)
    slopes = [
        {name: one.grad for name, one in network.named_parameters() if one.grad is not None}
        for network in (theirs, ours)
    ]
    assert slopes[0].keys() == slopes[1].keys()
    assert all(torch.equal(value, slopes[1][name]) for name, value in slopes[0].items())


WRONG = [
    replace(DYN_3D, deep_supervision=2),
    replace(DYN_3D, kernels=((3, 3, 1), (3, 3, 3), (1, 3, 3)), strides=((1, 1, 1), (2, 2, 1), (4, 2, 2))),
    replace(UNET_2D, kernels=((2, 3),) * 3),
]


@pytest.mark.parametrize("spec", WRONG)
def test_what_monai_refuses_is_refused(spec: NetworkSpec) -> None:
    from medseg.errors import ConfigError

    with pytest.raises((ValueError, AssertionError, NotImplementedError)):
        monais(spec)
    with pytest.raises(ConfigError, match="can't be built"):
        build(spec)
