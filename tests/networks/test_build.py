"""Networks from a specification."""

import subprocess
import sys
from dataclasses import replace

import pytest

from medseg.domain import NetworkSpec
from medseg.errors import ConfigError, ModelError
from medseg.networks import build, load_state, state_for

UNET_2D = NetworkSpec("unet", 2, 3, 2, (4, 8, 16), ((1, 1), (2, 2), (2, 2)), ((3, 3),) * 3, residual=True)
DYN_3D = NetworkSpec(
    "dynunet", 3, 2, 3, (4, 8, 8), ((1, 1, 1), (2, 2, 1), (2, 2, 2)), ((3, 3, 1), (3, 3, 3), (3, 3, 3))
)


@pytest.mark.parametrize(
    ("spec", "window"),
    [(UNET_2D, (16, 24)), (DYN_3D, (16, 8, 6)), (replace(DYN_3D, residual=True, dropout=0.1), (8, 8, 4))],
    ids=["unet", "dynunet", "dynunet residual"],
)
def test_logits_have_the_windows_extents(spec: NetworkSpec, window: tuple[int, ...]) -> None:
    import torch

    assert all(size % step == 0 for size, step in zip(window, spec.divisor, strict=True))
    network = build(spec).eval()
    assert network(torch.zeros(2, spec.in_channels, *window)).shape == (2, spec.out_channels, *window)


def test_deep_supervision_adds_outputs_in_training_and_nothing_to_a_bundle() -> None:
    import torch

    supervised = replace(DYN_3D, deep_supervision=1)
    trained = build(supervised)
    windows = torch.rand(1, 2, 8, 8, 4)
    assert trained.train()(windows).shape == (1, 2, 3, 8, 8, 4)
    plain = build(DYN_3D)
    state = state_for(DYN_3D, trained)
    load_state(plain, state)
    assert torch.equal(plain.eval()(windows), trained.eval()(windows))
    assert sum(value.numel() for value in state.values()) == sum(p.numel() for p in plain.parameters())


def test_weights_of_another_network_are_refused() -> None:
    network = build(DYN_3D)
    with pytest.raises(ModelError, match="do not fit the network"):
        load_state(
            network,
            state_for(replace(DYN_3D, filters=(4, 8, 16)), build(replace(DYN_3D, filters=(4, 8, 16)))),
        )
    state = state_for(DYN_3D, network)
    state.pop(next(iter(state)))
    with pytest.raises(ModelError, match="1 names differ"):
        load_state(network, state)


def test_a_specification_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match="as many filters"):
        replace(DYN_3D, filters=(4, 8))
    with pytest.raises(ConfigError, match="no deep supervision"):
        build(replace(UNET_2D, deep_supervision=1))
    with pytest.raises(ConfigError, match="no less than 3"):
        build(replace(DYN_3D, filters=(4, 8), strides=DYN_3D.strides[:2], kernels=DYN_3D.kernels[:2]))


def test_the_room_loads_torch_only_when_it_builds() -> None:
    rooms = "medseg.networks, medseg.models, medseg.inference"
    code = f"import {rooms}, sys; print('torch' in sys.modules, 'monai' in sys.modules)"
    assert printed(code) == ["False", "False"]


def test_looking_at_a_network_does_not_load_torchs_compiler() -> None:
    code = (
        "import sys, torch; from medseg.networks import build, tensors_of\n"
        "from tests.networks.test_build import DYN_3D\n"
        "with torch.device('meta'): found = tensors_of(build(DYN_3D, drawn=False))\n"
        "print(len(found) > 0, 'torch._dynamo' in sys.modules)"
    )
    assert printed(code) == ["True", "False"]


def printed(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()
