"""Training says no, in numbers, when there is nothing to learn or nothing was learned."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Run
from medseg.errors import ConfigError, LabelError, ModelError
from medseg.training import load_config, open_data, train
from medseg.training.assemble import quality_of_folds
from medseg.training.cache import POSITIONS, _positions, build_cache
from medseg.training.cases import load_case, match_names
from medseg.training.check import check_cases
from medseg.training.run_folder import card_from, open_run
from tests.training.test_journey import TINY, decathlon, tiny, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return decathlon(tmp_path / "data", 3)


def checked(config: Any, folder: Path) -> tuple[str, ...]:
    plan = open_run(config, open_data(config), folder)
    found = check_cases(plan, build_cache(plan, card_from(config), Run(device="cpu")))
    return tuple(item.code for item in found)


def relabel(root: Path, change: Any) -> None:
    import nibabel as nib

    for path in sorted((root / "labelsTr").iterdir()):
        write(path, change(np.asanyarray(nib.load(path).dataobj)).astype(np.uint8))


def test_names_that_differ_are_said(root: Path, tmp_path: Path) -> None:
    assert checked(tiny(root), tmp_path / "run") == ("train.label_names",)


def test_empty_masks_are_refused(root: Path, tmp_path: Path) -> None:
    relabel(root, np.zeros_like)
    with pytest.raises(ConfigError, match="none of the 3 masks holds a label"):
        checked(tiny(root), tmp_path / "run")


def test_a_label_that_no_mask_holds_is_said(root: Path, tmp_path: Path) -> None:
    relabel(root, lambda labels: np.where(labels == 2, 0, labels))
    assert "train.label_absent" in checked(tiny(root), tmp_path / "run")


def one_label(root: Path, *more: str) -> Any:
    table = "labels={labels: [{value: 1, name: liver}], regions: []}"
    return load_config(
        "hippocampus_3d",
        [f"data.root={root}", *TINY, table, "network.out_channels=2", "postprocessing=[]", *more],
    )


def test_the_only_label_of_a_mask_is_not_taken_for_another(root: Path, tmp_path: Path) -> None:
    content = json.loads((root / "dataset.json").read_text(encoding="utf-8"))
    content["labels"] = {"0": "background", "2": "spleen"}
    (root / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    relabel(root, lambda labels: np.where(labels == 2, 2, 0))
    with pytest.raises(
        LabelError, match=r"labels 2 .* that the configuration does not name; it names 1 \(liver\)"
    ):
        checked(one_label(root), tmp_path / "run")


def test_black_and_white_is_the_only_label(root: Path, tmp_path: Path) -> None:
    relabel(root, lambda labels: np.where(labels > 0, 255, 0))
    config = one_label(root)
    assert "train.label_absent" not in checked(config, tmp_path / "run")
    data = open_data(config)
    labels = load_case(data.cases[0], config, match_names(data, config)).labels
    assert np.unique(labels).tolist() == [0, 1]
    assert int((labels == 1).sum()) == 10 * 7 * 6


def test_a_label_of_255_stays_it(root: Path) -> None:
    relabel(root, lambda labels: np.where(labels == 1, 255, 0))
    table = "labels={labels: [{value: 255, name: liver}], regions: []}"
    config = tiny(root, table, "network.out_channels=2", "postprocessing=[]")
    data = open_data(config)
    labels = load_case(data.cases[0], config, match_names(data, config)).labels
    assert np.unique(labels).tolist() == [0, 255]


FLAT = [
    "network.dimensions=2",
    "grid.window=[16,16]",
    "network.strides=[[1,1],[2,2],[2,2]]",
    "network.kernels=[[3,3],[3,3],[3,3]]",
    "augmentation.flip_axes=[]",
]


def test_for_a_network_of_slices_they_come_first(root: Path, tmp_path: Path) -> None:
    config = tiny(root, *FLAT)
    plan = open_run(config, open_data(config), tmp_path / "run")
    case = build_cache(plan, card_from(config), Run(device="cpu"))["c0"]
    image, labels, positions = (case.load(part) for part in ("image", "labels", "positions"))
    assert (image.shape, labels.shape) == ((1, 16, 18, 20), (16, 18, 20))
    assert (labels > 0).sum() == 420
    assert image[0][labels == 2].mean() > image[0][labels == 1].mean() > image[0][labels == 0].mean()
    assert sorted(map(tuple, positions)) == sorted(
        (int(labels[tuple(place)]), *place.tolist()) for place in np.argwhere(labels)
    )


def test_of_many_voxels_some_are_remembered() -> None:
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[:12], labels[12, 0, 0] = 1, 2  # 4800 voxels and one
    found = _positions(labels)
    assert np.bincount(found[:, 0]).tolist() == [0, POSITIONS, 1]
    assert len(np.unique(found, axis=0)) == POSITIONS + 1 == 4097
    assert (labels[tuple(found[:, 1:].T)] == found[:, 0]).all()
    assert _positions(np.zeros((2, 2, 2), np.uint8)).shape == (0, 4)


def test_the_only_channel_is_taken_whatever_it_is_called(root: Path) -> None:
    config = tiny(root, "channels=[{name: pet, modality: PT}]", "reference=pet", "preprocessing=[]")
    assert match_names(open_data(config), config) == {"pet": "MRI"}


def test_of_several_channels_the_order_counts_only_when_it_is_said_to(root: Path) -> None:
    content = json.loads((root / "dataset.json").read_text(encoding="utf-8"))
    content["modality"] = {"0": "one", "1": "other"}
    (root / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    channels = "channels=[{name: pet, modality: PT}, {name: ct, modality: CT}]"
    more = (channels, "reference=pet", "preprocessing=[]", "network.in_channels=2")
    config = tiny(root, *more, "data.channels_by=position")
    assert match_names(open_data(config), config) == {"pet": "one", "ct": "other"}
    config = tiny(root, *more)
    with pytest.raises(ConfigError, match=r"wants channels pet, ct .* has one, other"):
        match_names(open_data(config), config)


def test_lesions_that_vanish_at_the_spacing_are_counted(root: Path, tmp_path: Path) -> None:
    def dots(labels: np.ndarray) -> np.ndarray:
        dotted = np.where(labels > 0, 1, 0)
        dotted[1, 1, 1] = dotted[16, 18, 14] = 1
        return dotted

    relabel(root, dots)
    config = one_label(root, "grid.spacing=[3,3,3]")
    plan = open_run(config, open_data(config), tmp_path / "run")
    found = check_cases(plan, build_cache(plan, card_from(config), Run(device="cpu")))
    (lost,) = [item for item in found if item.code == "train.objects_vanish"]
    assert dict(lost.details) == {"label": "liver", "objects": 9, "kept": 3}
    relabel(root, lambda labels: np.where(np.indices(labels.shape).sum(axis=0) == 3, 1, 0) * (labels == 1))
    with pytest.raises(ConfigError, match="nothing is left of label 'liver'"):
        checked(config, tmp_path / "other")


def test_one_image_in_two_folds_is_refused(root: Path, tmp_path: Path) -> None:
    (root / "imagesTr/c1.nii.gz").write_bytes((root / "imagesTr/c0.nii.gz").read_bytes())
    with pytest.raises(ConfigError, match=r"1 pairs of cases show the same image .* c0 and c1"):
        checked(tiny(root), tmp_path / "run")


def test_one_subject_is_said_to_be_judged_by_itself(tmp_path: Path) -> None:
    root = decathlon(tmp_path / "data", 1)
    assert "train.one_subject" in checked(tiny(root), tmp_path / "run")


@pytest.mark.parametrize(("scale", "dtype"), [(1.0, np.float16), (1e6, np.float32), (1e-9, np.float32)])
def test_the_cache_keeps_the_range(scale: float, dtype: type, root: Path, tmp_path: Path) -> None:
    import nibabel as nib

    for path in sorted((root / "imagesTr").iterdir()):
        write(path, (np.asanyarray(nib.load(path).dataobj) * scale).astype(np.float32))
    config = tiny(root, "preprocessing=[]")
    plan = open_run(config, open_data(config), tmp_path / "run")
    cache = build_cache(plan, card_from(config), Run(device="cpu"))
    image = cache["c0"].load("image")
    assert image.dtype == dtype
    assert np.isfinite(image).all()
    assert float(image.std(dtype=np.float64)) > 0


@pytest.mark.parametrize(
    "override",
    ["grid.spacing=[1,1,-1]", "grid.spacing=[1e9,1,1]", "grid.overlap=1", "grid.window=[65536,65536,65536]"],
)
def test_a_grid_that_no_image_has_is_refused(override: str, root: Path) -> None:
    with pytest.raises(ConfigError, match=r"spacing|overlap|larger than any scan"):
        card_from(tiny(root, override))


def test_a_divisor_of_zero_is_refused(root: Path) -> None:
    with pytest.raises(ConfigError, match="gives no numbers"):
        tiny(root, "preprocessing=[{step: scale, channel: mr, offset: 0, divisor: 0}]")


def test_a_loss_that_is_no_number_stops_and_says_why(root: Path) -> None:
    import torch

    from medseg.training.module import SegmentationModule

    module = SegmentationModule(tiny(root))
    batch = torch.full((1, 1, 16, 16, 16), float("nan")), torch.zeros((1, 1, 16, 16, 16), dtype=torch.long)
    with pytest.raises(ModelError, match=r"stopped at step 1: the loss is nan.*lower optimiser\.lr"):
        module.training_step(batch, 0)
    with torch.no_grad():
        next(module.network.parameters()).fill_(1e6)
        if module.average is not None:
            next(module.average.parameters()).fill_(1e6)
    with pytest.raises(ModelError, match="weights that are no numbers"):
        module.weights()


def test_the_newest_whole_checkpoint_is_taken(tmp_path: Path) -> None:
    import torch

    from medseg.training.checkpoints import WholeCheckpoints, newest_whole

    state = {"state_dict": {}, "optimizer_states": [], "global_step": 2, "more": torch.zeros(1000)}
    for step in (2, 4):
        WholeCheckpoints().save_checkpoint(state, tmp_path / f"new/checkpoints/step={step}.ckpt")
    tmp_path /= "new"
    cut = tmp_path / "checkpoints/step=4.ckpt"
    cut.write_bytes(cut.read_bytes()[:500])
    newest, damaged = newest_whole(tmp_path)
    assert newest is not None
    assert (newest.name, [path.name for path in damaged]) == ("step=2.ckpt", ["step=4.ckpt"])
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "step=2.ckpt",
        "step=4.ckpt",
    ]


@pytest.mark.slow
def test_a_cut_checkpoint_does_not_stop_the_same_command(root: Path, tmp_path: Path) -> None:
    config, out = tiny(root), tmp_path / "run"
    train(config, open_data(config), out, Run(device="cpu"), fold=0)
    for name in ("dice.json", "bundle/card.yaml"):
        (out / "fold0" / name).unlink()
    newest = out / "fold0/checkpoints/step=4.ckpt"
    newest.write_bytes(newest.read_bytes()[:1000])
    said: list[str] = []
    run = Run(device="cpu", progress=lambda _done, _total, what: said.append(what))
    bundle = train(config, open_data(config), out, run, fold=0)
    assert any("went on from step 2" in what for what in said)
    assert "went on from step 2" in (bundle / "card.yaml").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_learning_rate_beyond_all_measure_leaves_no_bundle(root: Path, tmp_path: Path) -> None:
    config = tiny(root, "optimiser.lr=1e30")
    with pytest.raises(ModelError, match=r"lower optimiser\.lr"):
        train(config, open_data(config), tmp_path / "run", Run(device="cpu"), fold=0)
    assert not (tmp_path / "run/bundle").exists()


def test_no_rows_give_no_quality() -> None:
    assert quality_of_folds((), command="", note="") == ()
