"""Voxels that nobody judged have no part in what is learned and none in what is said of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.losses.dice import DiceCELoss

from medseg.domain import Run
from medseg.models import load_weights, read_card
from medseg.training import open_data, train, validate
from medseg.training.assemble import read_dice
from medseg.training.cache import UNJUDGED, _positions, build_cache
from medseg.training.config import LossConfig
from medseg.training.judged import JudgedLoss
from medseg.training.module import SegmentationModule
from medseg.training.patches import Patches
from medseg.training.run_folder import card_from, open_run
from tests.training.test_journey import decathlon, tiny, write

#: Extents, and how the loss is made.
LOSSES = [
    ((8, 6, 4), LossConfig()),
    ((8, 6), LossConfig(batch_dice=True)),
    ((8, 6, 4), LossConfig(include_background=True, dice=0.5, cross_entropy=2.0)),
    ((8, 6, 4), LossConfig(dice=0.0)),
]


def drawn(extents: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of three classes and classes, of two patches."""
    torch.manual_seed(0)
    return torch.randn(2, 3, *extents), torch.randint(0, 3, (2, 1, *extents))


def learned(
    loss: JudgedLoss, logits: torch.Tensor, classes: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    logits = logits.clone().requires_grad_()
    value = loss(logits, classes)
    value.backward()
    assert logits.grad is not None
    return value.detach(), logits.grad


@pytest.mark.parametrize(("extents", "settings"), LOSSES)
def test_what_is_judged_throughout_is_learned_as_before(
    extents: tuple[int, ...], settings: LossConfig
) -> None:
    theirs = DiceCELoss(
        include_background=settings.include_background,
        to_onehot_y=True,
        softmax=True,
        batch=settings.batch_dice,
        lambda_dice=settings.dice,
        lambda_ce=settings.cross_entropy,
    )
    assert torch.equal(JudgedLoss(settings)(*drawn(extents)), theirs(*drawn(extents)))


@pytest.mark.parametrize(("extents", "settings"), LOSSES)
def test_the_rest_is_learned_as_if_it_stood_alone(extents: tuple[int, ...], settings: LossConfig) -> None:
    loss, (logits, classes) = JudgedLoss(settings), drawn(extents)
    half = extents[0] // 2
    partly = classes.clone()
    partly[:, :, half:] = UNJUDGED
    value, gradient = learned(loss, logits, partly)
    alone, expected = learned(loss, logits[:, :, :half], classes[:, :, :half])
    assert torch.allclose(value, alone, rtol=1e-6)
    assert torch.allclose(gradient[:, :, :half], expected, rtol=1e-4, atol=1e-7)
    assert not gradient[:, :, half:].any()


@pytest.mark.parametrize("garbage", [0.0, 1e30, -1e30, float("inf"), float("nan")])
@pytest.mark.parametrize(("extents", "settings"), LOSSES)
def test_garbage_that_nobody_judged_changes_no_bit(
    extents: tuple[int, ...], settings: LossConfig, garbage: float
) -> None:
    loss, (logits, classes) = JudgedLoss(settings), drawn(extents)
    classes[:, :, 2:5] = UNJUDGED
    other = logits.clone()
    other[:, :, 2:5] = garbage
    one, two = learned(loss, logits, classes), learned(loss, other, classes)
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
    assert float(one[1].abs().max()) > 0


@pytest.mark.parametrize("share", [0.5, 1.0], ids=["one of two patches", "both patches"])
def test_a_patch_that_nobody_judged_teaches_nothing(share: float) -> None:
    logits, classes = drawn((4, 4, 4))
    classes[: int(2 * share)] = UNJUDGED
    value, gradient = learned(JudgedLoss(LossConfig()), logits, classes)
    assert bool(torch.isfinite(value))
    assert not gradient[: int(2 * share)].any()
    assert bool(gradient.any()) == (share < 1)


class Levels(torch.nn.Module):
    """A network that answers what it is told, whatever it sees."""

    def __init__(self, answers: torch.Tensor) -> None:
        super().__init__()
        self.answers = torch.nn.Parameter(answers)

    def forward(self, _image: torch.Tensor) -> torch.Tensor:
        return self.answers


def test_every_level_of_deep_supervision_leaves_it_out() -> None:
    module = SegmentationModule(tiny(Path("nowhere"), "network.deep_supervision=1"))
    classes = torch.randint(0, 3, (1, 1, 8, 8, 8))
    classes[..., 4:] = UNJUDGED
    module.network = Levels(torch.randn(1, 2, 3, 8, 8, 8))
    value = module.loss_of(torch.zeros(1, 1, 8, 8, 8), classes)
    value.backward()
    first, second = module.network.answers.unbind(1)
    assert torch.allclose(value, (module.loss(first, classes) + 0.5 * module.loss(second, classes)) / 1.5)
    gradient = module.network.answers.grad
    assert gradient is not None
    assert not gradient[..., 4:].any()
    assert [bool(level[..., :4].any()) for level in gradient.unbind(1)] == [True, True]


def partly_judged(folder: Path, ignore: int, *, told: bool) -> Path:
    """The Decathlon folder whose second label nobody judged beyond its first two columns."""
    import nibabel as nib

    root = decathlon(folder, 3)
    for path in sorted((root / "labelsTr").iterdir()):
        labels = np.asanyarray(nib.load(path).dataobj).copy()
        labels[11:16, 3:14, 2:12] = ignore
        write(path, labels.astype(np.uint8))
    content = json.loads((root / "dataset.json").read_text(encoding="utf-8"))
    if told:
        for path in sorted((root / "imagesTr").iterdir()):
            path.rename(path.with_name(path.name.replace(".nii", "_0000.nii")))
        content = {
            "channel_names": {"0": "MRI"},
            "file_ending": ".nii.gz",
            "labels": {"background": 0, "a": 1, "b": 2, "ignore": ignore},
        }
    (root / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    return root


COUNT = 5 * 11 * 10


def trained(config: Any, folder: Path) -> list[dict[str, torch.Tensor]]:
    run = Run(device="cpu", threads=1, deterministic=True)
    bundle = train(config, open_data(config), folder, run, fold=0)
    return [dict(state) for state in load_weights(read_card(bundle), bundle)]


def same(one: list[dict[str, Any]], two: list[dict[str, Any]]) -> bool:
    return all(
        np.array_equal(np.asarray(a[key]), np.asarray(b[key]))
        for a, b in zip(one, two, strict=True)
        for key in a
    )


def test_what_stands_for_it_changes_no_bit_of_the_weights(tmp_path: Path) -> None:
    """nnU-Net's word, another value by ours; and as background, which is what it must not be."""
    theirs = trained(tiny(partly_judged(tmp_path / "a", 3, told=True)), tmp_path / "run-a")
    ours = trained(tiny(partly_judged(tmp_path / "b", 9, told=False), "data.ignore=9"), tmp_path / "run-b")
    background = trained(tiny(partly_judged(tmp_path / "c", 0, told=False)), tmp_path / "run-c")
    assert same(theirs, ours)
    assert not same(theirs, background)
    card = read_card(tmp_path / "run-a" / "bundle")
    said = f"{3 * COUNT} voxels (9.55 %) of 3 of the 3 masks are marked 'ignore'"
    assert [text.startswith(said) for text in card.limits].count(True) == 1
    (rows,) = {tuple((row.target, row.reference_voxels) for row in read_dice(tmp_path / "run-a" / "fold0"))}
    assert rows[1][1] == 2 * 7 * 6


def test_validation_counts_it_in_neither_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny(partly_judged(tmp_path / "a", 9, told=False), "data.ignore=9")
    plan = open_run(config, open_data(config), tmp_path / "run")

    class Everything:
        """Finds label 2 everywhere."""

        Params = dict

        def __init__(self, *_: object) -> None:
            pass

        def segment(self, images: Any, *_: object, **__: object) -> Any:
            (image,) = images.values()
            return type("Found", (), {"labels": np.full(image.array.shape, 2)})

    monkeypatch.setattr(validate, "read_card", lambda _: card_from(config))
    monkeypatch.setattr(validate, "ModelSegmenter", Everything)
    rows = validate.validate_bundle(tmp_path, plan.cases[:1], config, plan.names, fold=0, run=Run())
    (row,) = [row for row in rows if row.target == config.labels.labels[1].name]
    assert (row.prediction_voxels, row.reference_voxels) == (18 * 20 * 16 - COUNT, 2 * 7 * 6)


def test_no_patch_is_drawn_from_it(tmp_path: Path) -> None:
    """A stroke of judged background in a mask that nobody judged otherwise: all patches hold it."""
    labels = np.full((12, 12, 12), UNJUDGED, np.uint8)
    labels[3, 4, 5:7] = 0
    labels[8, 8, 8] = 1
    found = _positions(labels)
    assert sorted(map(tuple, found.tolist())) == [(0, 3, 4, 5), (0, 3, 4, 6), (0, 8, 8, 8), (1, 8, 8, 8)]
    config = tiny(partly_judged(tmp_path / "a", 9, told=False), "data.ignore=9", "loop.patch=[4,4,4]")
    plan = open_run(config, open_data(config), tmp_path / "run")
    case = build_cache(plan, card_from(config), Run(device="cpu"))[plan.cases[0].id]
    assert (case.ignored, case.voxels) == (COUNT, 18 * 20 * 16)
    drawn_from = Patches([case], config, 0, augment=False)
    for number in range(40):
        assert int((drawn_from[number][1] != UNJUDGED).sum()) > 0
