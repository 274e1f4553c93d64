"""Any ONNX network with a card that its user fills: from the file to a mask, fixed sizes included."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from medseg.io import read_segmentation
from tests.journeys.conftest import Seen

pytest.importorskip("openvino")
onnx = pytest.importorskip("onnx", reason="the tests write their networks with it")

Medseg = Callable[..., Seen]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("MEDSEG_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "data" / "medseg" / "models"


def network(path: Path, *sizes: int | None, **changes: Any) -> Path:
    """Background is 50, the label is the value itself: what is brighter than 50 has the label."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    extents = [size or f"open-{number}" for number, size in enumerate(sizes)]
    weights = np.zeros((changes.get("outputs", 2), 1, 1, 1, 1), np.float32)
    weights[1] = 1
    bias = np.zeros(changes.get("outputs", 2), np.float32)
    bias[0] = 50
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weights", "bias"], ["scores"])],
        "bright",
        [helper.make_tensor_value_info("image", kind, [1, 1, *extents])],
        [helper.make_tensor_value_info("scores", kind, None)],
        [
            onnx.numpy_helper.from_array(weights, "weights"),
            onnx.numpy_helper.from_array(bias, "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def card(path: Path, **changes: Any) -> Path:
    values = {
        "title": "Bright",
        "summary": "What is bright.",
        "channels": [{"name": "ct"}],
        "spacing": None,
        "window": [32, 32, 16],
        "labels": {1: "bright"},
        "licence": "CC0",
        **changes,
    }
    path.write_text(yaml.safe_dump(values))
    return path


def test_without_a_card_the_one_to_fill_is_printed(medseg: Medseg, home: Path, tmp_path: Path) -> None:
    seen = medseg("models", "add", network(tmp_path / "net.onnx", 64, 64, 32))
    assert seen.code == 0
    assert "opset 17; input image (1, 1, 64, 64, 32)" in seen.out
    values = yaml.safe_load(seen.out)
    assert values["window"] == [64, 64, 32]
    assert values["spacing"] == ["?", "?", "?"]
    assert not home.exists()
    (tmp_path / "card.yaml").write_text(seen.out)
    again = medseg("models", "add", tmp_path / "net.onnx", "--card", tmp_path / "card.yaml")
    assert again.code == 2
    assert "title, summary, spacing, labels, licence, limits still to fill in" in again.line


@pytest.mark.parametrize("sizes", [(32, 32, 16), (None, None, None)], ids=["fixed", "open"])
def test_from_the_file_to_a_mask(
    sizes: tuple[int | None, ...], medseg: Medseg, ball: Path, home: Path, tmp_path: Path
) -> None:
    source = network(tmp_path / "net.onnx", *sizes)
    added = medseg("models", "add", source, "--card", card(tmp_path / "card.yaml"), "--name", "bright")
    assert added.code == 0, added.err
    assert (home / "bright" / "weights" / "0.onnx").read_bytes() == source.read_bytes()
    out = tmp_path / "mask.nii.gz"
    assert medseg("segment", "bright", ball, "--out", out).code == 0
    import nibabel as nib

    expected = np.asarray(nib.load(ball).dataobj) > 50  # type: ignore[attr-defined]
    found = read_segmentation(out)
    np.testing.assert_array_equal(found.labels > 0, expected)
    assert dict(found.made_by.parameters)["origin.kind"] == "ONNX"


BAD: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"window": [16, 16, 16]}, {}, "takes windows of image (1, 1, 32, 32, 16)"),
    ({"channels": [{"name": "a"}, {"name": "b"}]}, {}, "takes 1 channels, and the card names 2"),
    ({"labels": {1: "a", 2: "b"}}, {}, "its labels ask for [1, 3, 32, 32, 16]"),
    ({"preprocessing": [{"step": "magic", "channel": "ct"}]}, {}, "wrong at preprocessing"),
    ({"spacing": [0, 1, 1]}, {}, "spacing (0.0, 1.0, 1.0)"),
    ({"extra": 1}, {}, "wrong at extra"),
    ({}, {"outputs": 3}, "gives [1, 3, 32, 32, 16]"),
]


@pytest.mark.parametrize(("changes", "net", "words"), BAD, ids=[words for *_, words in BAD])
def test_a_card_that_does_not_fit_is_refused(
    changes: dict[str, Any], net: dict[str, Any], words: str, medseg: Medseg, home: Path, tmp_path: Path
) -> None:
    source = network(tmp_path / "net.onnx", 32, 32, 16, **net)
    seen = medseg("models", "add", source, "--card", card(tmp_path / "card.yaml", **changes))
    assert seen.code == 2, seen.out
    assert words in seen.line
    assert not home.exists()


def test_a_card_that_says_a_thing_twice_is_refused(medseg: Medseg, home: Path, tmp_path: Path) -> None:
    path = card(tmp_path / "card.yaml")
    path.write_text(path.read_text() + "spacing: [1, 1, 1]\n")
    seen = medseg("models", "add", network(tmp_path / "net.onnx", 32, 32, 16), "--card", path)
    assert (seen.code, "key 'spacing' stands twice" in seen.line) == (2, True), seen.err
    assert not home.exists()


def test_a_file_that_is_no_network_is_refused(medseg: Medseg, home: Path, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"no network" * 100)
    seen = medseg("models", "add", tmp_path / "net.onnx")
    assert seen.code == 2
    assert "no ONNX network" in seen.line


def test_weights_outside_of_the_file_are_not_read(
    medseg: Medseg, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = network(tmp_path / "net.onnx", 32, 32, 16)
    model = onnx.load(source)
    onnx.save(model, source, save_as_external_data=True, location="secret.bin", size_threshold=0)
    monkeypatch.chdir(tmp_path)
    seen = medseg("models", "add", source)
    assert seen.code == 2
    assert "keeps weights in other files" in seen.line
