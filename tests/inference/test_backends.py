"""OpenVINO beside torch: the same outputs of the same weights, labels that are equal but for ties, no torch loaded."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg import settings
from medseg.domain import NetworkSpec, Run
from medseg.domain.recipe import WindowRule
from medseg.errors import Cancelled, InputError, ModelError
from medseg.geometry.shares import LARGEST_RELATIVE_ERROR
from medseg.inference import ModelSegmenter
from medseg.inference.backends.cache import keep, kept
from medseg.inference.backends.graph import GRAPHS, graph_of
from medseg.inference.backends.openvino import compiled
from medseg.inference.load import choose_backend, measure_backends
from medseg.io import read
from medseg.models import as_arrays, read_card
from medseg.networks import build, load_state, state_for
from tests.inference.conftest import make_card
from tests.networks.test_build import DYN_3D, UNET_2D
from tests.networks.test_monai import DYN_2D

ov = pytest.importorskip("openvino")
MODELS = settings.shipped_folder() / "models"
SAMPLES = settings.shipped_folder() / "samples"
WIDE = NetworkSpec(
    "dynunet", 3, 1, 3, (4, 8, 8, 8), ((1, 1, 1), (2, 2, 2), (2, 2, 1), (2, 2, 2)), ((3,) * 3,) * 4
)
#: As nnU-Net plans them: a thin first axis, kernels and strides that differ by axis, blocks that differ by level.
NNUNET = NetworkSpec(
    "plain_conv_unet", 3, 2, 3, (4, 6, 8), ((1, 1, 1), (1, 2, 2), (2, 2, 3)), ((1, 3, 3), (3, 3, 3), (3, 3, 3)),
    encoder_blocks=(2, 1, 2), decoder_blocks=(1, 2), bias=True, norm="instance", norm_eps=1e-3, negative_slope=0.03,
)  # fmt: skip
RESIDUAL = replace(NNUNET, architecture="residual_encoder_unet", encoder_blocks=(1, 3, 2))
SPECS = {
    "nnU-Net's": NNUNET,
    "nnU-Net's without bias": replace(NNUNET, bias=False),
    "nnU-Net's residual": RESIDUAL,
    "nnU-Net's residual, alike in features": replace(RESIDUAL, filters=(6, 6, 6)),
    "nnU-Net's in slices": replace(
        NNUNET,
        dimensions=2,
        strides=tuple(step[1:] for step in NNUNET.strides),
        kernels=tuple(size[1:] for size in NNUNET.kernels),
    ),
    "3D": DYN_3D,
    "four levels": WIDE,
    "residual": replace(DYN_3D, residual=True),
    "in slices": DYN_2D,
    "exported from torch": replace(UNET_2D, residual=False),
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDSEG_CACHE_DIR", str(tmp_path / "cache"))


def drawn(spec: NetworkSpec) -> tuple[Any, bytes]:
    """A network with random weights, and these as a safetensors file."""
    import torch
    from safetensors.torch import save

    torch.manual_seed(0)
    network = build(spec)
    for value in network.parameters():  # norms too, which start at 1 and 0
        torch.nn.init.normal_(value, 0.1, 0.3)
    return network.eval(), save(state_for(spec, network))


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_outputs_are_those_of_torch(spec: NetworkSpec) -> None:
    import torch

    network, weights = drawn(spec)
    window = tuple(2 * step for step in spec.divisor)
    windows = np.random.default_rng(0).normal(size=(2, spec.in_channels, *window)).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(windows)).numpy()
    backend = compiled(spec, weights, window)
    found = backend(windows)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
    again = compiled(spec, weights, window)  # from the cache
    assert np.array_equal(again(windows), found)
    assert (backend.name, backend.device) == ("openvino", "cpu")


SHIPPED = {
    "hippocampus": {"mr": "hippocampus/mr.nii.gz"},
    "sarcoma": {"mr": "sarcoma/mr.nii.gz", "pet": "sarcoma/pet.nii.gz"},
}


def test_an_operation_that_differs_from_run_to_run_is_refused_by_name() -> None:
    """Under `--deterministic`; put back afterwards, and allowed without it."""
    import torch

    from medseg.inference.backends.torch import TorchBackend

    class Differs(torch.nn.Module):
        def forward(self, windows: torch.Tensor) -> torch.Tensor:
            if torch.are_deterministic_algorithms_enabled():
                raise RuntimeError("sum_of_all does not have a deterministic implementation, but you set …")
            return windows

    backend = TorchBackend(Differs(), torch.device("cpu"))
    windows = np.ones((1, 1, 2, 2, 2), np.float32)
    with (
        backend.running(Run(deterministic=True)),
        pytest.raises(InputError, match="on cpu sum_of_all differs by run"),
    ):
        backend(windows)
    assert not torch.are_deterministic_algorithms_enabled()
    with backend.running(Run()):
        assert backend(windows).sum() == 8


@pytest.mark.parametrize("name", SHIPPED)
def test_labels_of_the_shipped_models_are_those_of_torch_but_for_ties(name: str) -> None:
    model = ModelSegmenter(read_card(MODELS / name), MODELS / name)
    images = {channel: read(SAMPLES / path) for channel, path in SHIPPED[name].items()}
    asked = model.Params(keep_probabilities=True)
    torchs, openvinos = (
        model.segment(images, asked, run=Run(device="cpu", backend=backend))
        for backend in ("torch", "openvino")
    )
    first = np.sort(np.asarray(torchs.probabilities), axis=0)
    apart = first[-1] - first[-2] > 1e-4 + LARGEST_RELATIVE_ERROR  # they are kept in float16
    assert np.array_equal(torchs.labels[apart], openvinos.labels[apart])
    assert (torchs.labels != openvinos.labels).sum() <= 1e-5 * torchs.labels.size
    assert "openvino" in dict(openvinos.made_by.run)
    assert "torch" in dict(torchs.made_by.run)


def test_segmenting_with_a_shipped_model_loads_neither_torch_nor_monai(tmp_path: Path) -> None:
    code = (
        "import sys, medseg\n"
        f"image = medseg.read({str(SAMPLES / 'hippocampus/mr.nii.gz')!r})\n"
        "mask = medseg.segment('hippocampus', image, run=medseg.Run(device='cpu'))\n"
        "print(mask.labels.any(), 'torch' in sys.modules, 'monai' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "False"]


def test_which_backend_runs_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    card = make_card()
    monkeypatch.setattr("medseg.inference.load.has_accelerator", lambda: False)
    assert choose_backend(card, Run()).backend == "openvino"
    assert choose_backend(card, Run(backend="torch")).backend == "torch"
    assert choose_backend(card, Run(device="cuda")).backend == "torch"
    slow = replace(card, network=replace(UNET_2D, in_channels=1, residual=False), window=(8, 8))
    assert "by way of torch" in choose_backend(slow, Run()).reason
    theirs = replace(card, network=replace(RESIDUAL, in_channels=1, out_channels=2), window=(12, 8, 12))
    assert choose_backend(theirs, Run()).backend == "openvino"
    exact = replace(theirs, windows=WindowRule(sums="float16"))
    assert (choose_backend(exact, Run()).backend, choose_backend(theirs, Run(backend="torch")).backend) == (
        "torch",
        "torch",
    )
    monkeypatch.setattr("medseg.inference.load.has_accelerator", lambda: True)
    assert choose_backend(card, Run()).reason == "there is an accelerator"
    assert choose_backend(card, Run(device="cpu")).backend == "openvino"
    with pytest.raises(InputError, match="runs on the CPU here"):
        choose_backend(card, Run(device="cuda", backend="openvino"))


CONV, HEAD = "bottleneck.conv1.conv.weight", "output_block.conv.conv"
MORE_CLASSES = {
    f"{HEAD}.weight": np.zeros((5, 4, 1, 1, 1), np.float32),
    f"{HEAD}.bias": np.zeros(5, np.float32),
}
#: What is done to the weights.
WRONG = {
    "a name is missing": lambda state: state.pop(CONV),
    "a name too many": lambda state: state.update(more=np.zeros(1, np.float32)),
    "another shape": lambda state: state.update({CONV: np.zeros((8, 4, 3, 3, 3), np.float32)}),
    "other classes": lambda state: state.update(MORE_CLASSES),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_weights_of_another_network_are_refused(change: Any) -> None:
    _, weights = drawn(DYN_3D)
    state = as_arrays(weights, "it")
    change(state)
    with pytest.raises(ModelError, match="do not fit the network of the card"):
        graph_of(DYN_3D, state, (8, 8, 4))


def test_what_is_no_number_is_refused() -> None:
    from safetensors.numpy import save

    with pytest.raises(ModelError, match="no numbers"):
        as_arrays(save({"a": np.array([np.nan], np.float32)}), "it")
    with pytest.raises(ModelError, match="it is no safetensors file"):
        as_arrays(b"PK\3\4", "it")


class TestCache:
    """Compiled networks in the user's folder."""

    def test_what_was_kept_comes_back_and_what_is_damaged_does_not(self) -> None:
        assert kept("ab") is None
        keep("ab", b"content")
        assert kept("ab") == b"content"
        (file,) = (settings.user_cache_folder() / "networks").iterdir()
        file.write_bytes(file.read_bytes()[:-1])  # as after a full disk
        assert kept("ab") is None

    def test_a_damaged_network_is_made_again(self) -> None:
        _, weights = drawn(DYN_3D)
        windows = np.ones((1, 2, 8, 8, 4), np.float32)
        first = compiled(DYN_3D, weights, (8, 8, 4))(windows)
        (file,) = (settings.user_cache_folder() / "networks").iterdir()
        whole = file.read_bytes()
        for left in (b"", b"x" * 100, whole[: len(whole) // 2]):
            file.write_bytes(left)
            assert np.array_equal(compiled(DYN_3D, weights, (8, 8, 4))(windows), first)
            assert file.read_bytes()[32:] != left[32:]
        keep(file.stem, b"whole, and of another program")
        assert np.array_equal(compiled(DYN_3D, weights, (8, 8, 4))(windows), first)

    def test_other_windows_precisions_and_weights_are_kept_apart(self) -> None:
        _, weights = drawn(DYN_3D)
        compiled(DYN_3D, weights, (8, 8, 4))
        compiled(DYN_3D, weights, (8, 8, 8))
        compiled(DYN_3D, weights, (8, 8, 8), precision="bf16")
        compiled(DYN_3D, weights, (8, 8, 8), threads=1)
        _, others = drawn(replace(DYN_3D, in_channels=1))
        compiled(replace(DYN_3D, in_channels=1), others, (8, 8, 8))
        assert len(list((settings.user_cache_folder() / "networks").iterdir())) == 5

    @pytest.mark.skipif(os.name != "posix", reason="needs a folder that can't be written to")
    def test_where_nothing_can_be_kept_it_runs_all_the_same(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("MEDSEG_CACHE_DIR", str(tmp_path / "file"))
        _, weights = drawn(DYN_3D)
        assert compiled(DYN_3D, weights, (8, 8, 4))(np.ones((1, 2, 8, 8, 4), np.float32)).shape == (
            1,
            3,
            8,
            8,
            4,
        )


def test_a_long_window_stops_within_a_second() -> None:
    spec = NetworkSpec("dynunet", 3, 1, 2, (24, 24, 24), ((1,) * 3, (2,) * 3, (2,) * 3), ((3,) * 3,) * 3)
    _, weights = drawn(spec)
    backend = compiled(spec, weights, (96, 96, 96), threads=1)
    began = time.monotonic()
    with pytest.raises(Cancelled), backend.running(Run(cancel=lambda: time.monotonic() - began > 0.3)):
        backend(np.zeros((1, 1, 96, 96, 96), np.float32))
    assert time.monotonic() - began < 1.3


def test_torch_stops_between_layers_of_a_window() -> None:
    import torch

    from medseg.inference.backends.torch import TorchBackend

    done: list[int] = []

    class Layer(torch.nn.Module):
        def forward(self, windows: torch.Tensor) -> torch.Tensor:
            done.append(1)
            return windows

    backend = TorchBackend(torch.nn.Sequential(*(Layer() for _ in range(9))), torch.device("cpu"))
    windows = np.zeros((1, 1, 2, 2, 2), np.float32)
    with pytest.raises(Cancelled), backend.running(Run(cancel=lambda: len(done) >= 3)):
        backend(windows)
    assert len(done) == 3
    assert backend(windows).shape == windows.shape  # nothing is left of that run
    assert len(done) == 12


def test_the_faster_backend_is_kept_for_the_next_run_and_an_order_stands_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("medseg.inference.load.has_accelerator", lambda: False)
    folder = MODELS / "touching-objects"
    card = read_card(folder)
    assert choose_backend(card, Run()).seconds == ()
    choice = measure_backends(card, folder, Run())
    assert choice.backend == min(choice.seconds, key=lambda one: one[1])[0]
    assert choose_backend(card, Run()) == choice
    assert choose_backend(card, Run(backend="torch")).reason == "asked for"


def test_every_graph_is_of_an_architecture() -> None:
    from medseg.networks.build import BUILDERS

    assert set(GRAPHS) <= set(BUILDERS)


def test_weights_come_back_from_a_safetensors_file_as_float32() -> None:
    _, weights = drawn(DYN_3D)
    state = as_arrays(weights, "it")
    assert {value.dtype for value in state.values()} == {np.dtype(np.float32)}
    import torch

    load_state(build(DYN_3D), {name: torch.from_numpy(value) for name, value in state.items()})
