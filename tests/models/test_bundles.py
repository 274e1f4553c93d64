"""Bundles: written whole, read back equal, and refused in one line when something is wrong."""

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from medseg.domain import ChannelSpec, Label, LabelTable, ModelCard, NetworkSpec, Region
from medseg.domain.card import Clip, KeepLargest, Quality, RemoveSmall, Scale, ZScore
from medseg.errors import ModelError, OutputError
from medseg.models import dump_card, load_weights, read_card, weights_digest, write_bundle
from medseg.networks import build, state_for

SPEC = NetworkSpec("dynunet", 3, 2, 3, (4, 8, 8), ((1, 1, 1), (2, 2, 2), (2, 2, 2)), ((3, 3, 3),) * 3)
CARD = ModelCard(
    name="toy",
    title="Toy: α and β",
    summary="Nothing.",
    version="1.0",
    channels=(ChannelSpec("mr", "MR"), ChannelSpec("pet", "PT", fill=-1.5, value_unit="g/ml{SUVbw}")),
    reference="mr",
    spacing=(1.0, 1.5, 2.0),
    window=(8, 8, 8),
    network=SPEC,
    preprocessing=(ZScore("mr", "nonzero", (0.5, 99.5)), Clip("pet", 0.0, 20.0), Scale("pet", 0.0, 5.0)),
    table=LabelTable((Label(1, "one", (1, 2, 3)), Label(4, "four")), (Region("all", (1, 4)),)),
    weights=(),
    postprocessing=(KeepLargest((1, 4)), RemoveSmall((4,), 10.0)),
    mirror_axes=(1, 2),
    trained=(("cases", 2), ("seed", 0), ("share", 0.5), ("note", None)),
    quality=(Quality("one", "dice", 0.8, 0.7, 0.9, 0.95, 12, "medseg train …"),),
    limits=("Nothing is known.",),
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    state = state_for(SPEC, build(SPEC))
    write_bundle(tmp_path / "toy", CARD, [state, state], extras={"LICENSE": b"free"})
    return tmp_path / "toy"


def edit(bundle: Path, **changes: Any) -> None:
    """Change the card's file the way a stranger would."""
    values = yaml.safe_load((bundle / "card.yaml").read_text())
    for key, value in changes.items():
        *parents, last = key.split("__")
        inner = values
        for parent in parents:
            inner = inner[int(parent) if parent.isdigit() else parent]
        inner[last] = value
    (bundle / "card.yaml").write_text(yaml.safe_dump(values))


def put_weights(bundle: Path, data: bytes) -> None:
    (bundle / "weights" / "0.safetensors").write_bytes(data)
    edit(bundle, weights__0__digest=hashlib.sha256(data).hexdigest())


def test_a_card_comes_back_equal(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_bytes(dump_card(CARD))
    assert read_card(tmp_path) == CARD


def test_a_bundle_holds_what_was_written(bundle: Path) -> None:
    card = read_card(bundle)
    assert replace(card, weights=()) == CARD
    assert [item.file for item in card.weights] == ["weights/0.safetensors", "weights/1.safetensors"]
    assert {path.name for path in bundle.iterdir()} == {"card.yaml", "weights", "LICENSE"}
    first, second = load_weights(card, bundle)
    assert first.keys() == second.keys() == state_for(SPEC, build(SPEC)).keys()
    assert len(weights_digest(card)) == 64


def test_a_bundle_is_not_overwritten_unless_asked(bundle: Path) -> None:
    state = state_for(SPEC, build(SPEC))
    with pytest.raises(OutputError):
        write_bundle(bundle, CARD, [state])
    assert len(read_card(bundle).weights) == 2
    assert len(write_bundle(bundle, CARD, [state], force=True).weights) == 1


CARDS = [
    (lambda folder: (folder / "card.yaml").unlink(), "no model in"),
    (lambda folder: (folder / "card.yaml").write_text("just text"), "no mapping"),
    (lambda folder: (folder / "card.yaml").write_text("a: [1"), "no YAML"),
    (lambda folder: (folder / "card.yaml").write_bytes(b"\xff\xfe\x00"), "no YAML"),
    (lambda folder: (folder / "card.yaml").write_text("!!python/object/apply:os.system [true]"), "no YAML"),
    (lambda folder: (folder / "card.yaml").write_text("a: &x [1, 1]\nb: [*x, *x]"), "aliases"),
    (lambda folder: (folder / "card.yaml").write_text("a: " + "1" * (2 << 20)), "larger"),
    (lambda folder: edit(folder, schema="medseg.card/9.0"), "version 'medseg.card/9.0'"),
    (lambda folder: edit(folder, surprise=1), "surprise"),
    (lambda folder: edit(folder, network__architecture="os.system"), "network.architecture"),
    (lambda folder: edit(folder, reference="ct"), "reference channel 'ct'"),
    (lambda folder: edit(folder, window=[7, 8, 8]), "no multiple"),
    (lambda folder: edit(folder, overlap="lots"), "overlap"),
    (lambda folder: edit(folder, network__strides=[[1, 1, 1], [0, 0, 0], [2, 2, 2]]), "start at 1"),
]


@pytest.mark.parametrize(("damage", "message"), CARDS, ids=[message for _, message in CARDS])
def test_a_card_that_is_no_card_is_refused_in_one_line(bundle: Path, damage: Any, message: str) -> None:
    damage(bundle)
    with pytest.raises(ModelError, match=message) as caught:
        read_card(bundle)
    assert "\n" not in str(caught.value)


class Bomb:
    """Runs a command when unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("exploded"),)


WEIGHTS = [
    (lambda folder: (folder / "weights" / "1.safetensors").unlink(), "can't read .*1.safetensors"),
    (lambda folder: edit(folder, weights__0__file="../../elsewhere.safetensors"), "not of the form"),
    (lambda folder: edit(folder, weights__0__file="/etc/passwd"), "not of the form"),
    (lambda folder: edit(folder, weights__0__file="weights/0.pt"), "not of the form"),
    (lambda folder: (folder / "weights" / "0.safetensors").write_bytes(b"other"), "other digest"),
    (lambda folder: put_weights(folder, pickle.dumps(Bomb())), "no safetensors"),
    (lambda folder: put_weights(folder, b"\xff" * 64), "no safetensors"),
    (lambda folder: edit(folder, network__filters=[4, 8, 16]), "does not fit"),
    (lambda folder: edit(folder, network__filters=[4, 8, 10**6]), "more than"),
    (lambda folder: edit(folder, weights=[]), "lists no weights"),
]


@pytest.mark.parametrize(("damage", "message"), WEIGHTS, ids=[str(i) for i in range(len(WEIGHTS))])
def test_weights_that_do_not_belong_are_refused_in_one_line(
    bundle: Path, damage: Any, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    damage(bundle)
    with pytest.raises(ModelError, match=message) as caught:
        load_weights(read_card(bundle), bundle)
    assert "\n" not in str(caught.value)
    assert not Path("exploded").exists()


def test_a_link_out_of_the_bundle_is_refused(bundle: Path, tmp_path: Path) -> None:
    inside = bundle / "weights" / "0.safetensors"
    inside.rename(tmp_path / "outside.safetensors")
    inside.symlink_to(tmp_path / "outside.safetensors")
    with pytest.raises(ModelError, match="inside the bundle"):
        load_weights(read_card(bundle), bundle)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": [0, 0, 0]}, "at least one voxel"),
        ({"window": [-16, 16, 16]}, "at least one voxel"),
        ({"overlap": 1.0}, "overlaps by 0 to"),
        ({"overlap": -0.5}, "overlaps by 0 to"),
        ({"overlap": float("nan")}, "finite number"),
        ({"mirror_axes": [7]}, "axes to mirror"),
        ({"mirror_axes": [1, 1]}, "axes to mirror"),
    ],
)
def test_windows_that_can_not_be_run_are_refused(bundle: Path, changes: dict[str, Any], message: str) -> None:
    edit(bundle, **changes)
    with pytest.raises(ModelError, match=message):
        read_card(bundle)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("spacing", [1.0, 1.0, -1.0], "that of no image"),
        ("spacing", [1e9, 1.0, 1.0], "that of no image"),
        ("spacing", [float("nan"), 1.0, 1.0], "finite number"),
        (
            "preprocessing",
            [{"step": "scale", "channel": "pet", "offset": 0.0, "divisor": 0.0}],
            "no numbers",
        ),
        ("preprocessing", [{"step": "clip", "channel": "pet", "low": 5.0, "high": 5.0}], "no values apart"),
    ],
)
def test_a_card_that_fits_no_image_is_refused(key: str, value: Any, words: str, tmp_path: Path) -> None:
    plain = yaml.safe_load(dump_card(CARD))
    (tmp_path / "card.yaml").write_text(yaml.safe_dump({**plain, key: value}), encoding="utf-8")
    with pytest.raises(ModelError, match=words):
        read_card(tmp_path)


def test_weights_that_are_no_numbers_are_neither_written_nor_read(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load, save

    state = {name: value.clone() for name, value in state_for(SPEC, build(SPEC)).items()}
    name = next(iter(state))
    write_bundle(tmp_path / "whole", CARD, [state])
    for value in (float("nan"), 1e6):
        broken = {**state, name: torch.full_like(state[name], value)}
        with pytest.raises(ModelError, match="no numbers"):
            write_bundle(tmp_path / "broken", CARD, [broken])
    assert not (tmp_path / "broken").exists()
    path = tmp_path / "whole/weights/0.safetensors"
    kept = load(path.read_bytes())
    path.write_bytes(save({**kept, name: torch.full_like(kept[name], float("nan"))}))
    card = read_card(tmp_path / "whole")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    card = replace(card, weights=(replace(card.weights[0], digest=digest),))
    with pytest.raises(ModelError, match="no numbers"):
        load_weights(card, tmp_path / "whole")
