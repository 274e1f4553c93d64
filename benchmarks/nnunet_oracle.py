"""Train small nnU-Net models and keep nnU-Net's own predictions: what `tests/models` compares medseg with.

Run by an environment that has nnunetv2 2.8 (medseg's own does not, and does not need it)::

    python -m venv oracle && oracle/bin/pip install nnunetv2==2.8.1
    oracle/bin/python benchmarks/nnunet_oracle.py ../shared/data/nnunet_more

Every dataset is made of phantoms (bright and dark balls in noise), planned, preprocessed, built, saved and predicted by
nnU-Net; only widths and patches in its plans are lowered, so that a case takes seconds. Datasets and what they stand for:

=====  ==========================================================================================
911    CT and MR as channels, thick slices (separate z), oblique and non-RAS files, two folds, 2D and 3D
912    low resolution and cascade, finer files than the network, mirroring
913    regions, torch resampling, other axis order (transpose_forward), 0–1 scaling
914    RGB pictures (PNG), 2D
=====  ==========================================================================================
"""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np

OUT = Path(sys.argv[1]).absolute()
WORK = OUT / "work"
for name in ("raw", "preprocessed", "results"):
    os.environ[f"nnUNet_{name}"] = str(WORK / name)
    (WORK / name).mkdir(parents=True, exist_ok=True)
os.environ["nnUNet_compile"] = "F"  # noqa: SIM112 - its own spelling

import SimpleITK as sitk  # noqa: E402
import torch  # noqa: E402
from nnunetv2.experiment_planning.plan_and_preprocess_api import (  # noqa: E402
    extract_fingerprint_dataset,
    plan_experiment_dataset,
    preprocess_dataset,
)
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor  # noqa: E402
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer  # noqa: E402
from nnunetv2.utilities.label_handling.label_handling import convert_labelmap_to_one_hot  # noqa: E402
from PIL import Image  # noqa: E402

SEED = 7
CASES, HELD_OUT = 8, 3
STEPS = 40


def phantom(rng, shape, channels):
    """Noise with a border of zeros, one bright ball (1) and in it a dark one (2), (C, z, y, x) and its labels."""
    lines = (np.linspace(-1, 1, size) if size > 1 else np.zeros(1) for size in shape)
    axes = np.meshgrid(*lines, indexing="ij")
    centre = rng.uniform(-0.25, 0.25, 3)
    far = np.sqrt(sum((axis - at) ** 2 for axis, at in zip(axes, centre, strict=True)))
    size = rng.uniform(0.35, 0.5)
    labels = (far < size).astype(np.uint8) + (far < size * 0.55)
    body = np.sqrt(sum(axis**2 for axis in axes)) < 0.95
    means = np.array([[40, 140, -60], [300, 180, 520], [100, 30, 220]])[:channels]
    values = means[:, labels] + rng.normal(0, 25, (channels, *shape))
    return np.where(body, values, 0).astype(np.float32), labels


def write_case(folder, name, arrays, spacing, direction):
    values, labels = arrays
    for number, channel in enumerate(values):
        write(folder / "images" / f"{name}_{number:04d}.nii.gz", channel, spacing, direction)
    write(folder / "labels" / f"{name}.nii.gz", labels, spacing, direction)


def write(path, array, spacing, direction):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetDirection(direction)
    image.SetOrigin((-31.5, 12.25, 100.0))
    sitk.WriteImage(image, str(path))


def turned(rng, number):
    """A direction matrix: axis aligned, flipped, permuted or oblique."""
    turns = [np.eye(3), np.diag([-1.0, -1, 1]), np.eye(3)[[1, 2, 0]], np.diag([1.0, -1, -1])]
    matrix = turns[number % 4]
    if number % 3 == 2:
        a = np.deg2rad(rng.uniform(5, 20))
        matrix = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ matrix
    return matrix.ravel().tolist()


def volumes(name, channels, labels, shape_of, spacing_of, *, order=None):
    rng = np.random.default_rng(SEED + int(name[7:10]))
    folder = WORK / "raw" / name
    inputs = OUT / "input" / name
    for case in range(CASES + HELD_OUT):
        held_out = case >= CASES
        values, mask = phantom(rng, shape_of(rng), len(channels))
        target = inputs if held_out else folder
        write_case(target, f"case_{case:03d}", (values, mask), spacing_of(rng), turned(rng, case))
    (folder / "images").rename(folder / "imagesTr")
    (folder / "labels").rename(folder / "labelsTr")
    dataset = {
        "channel_names": {str(n): channel for n, channel in enumerate(channels)},
        "labels": labels,
        "numTraining": CASES,
        "file_ending": ".nii.gz",
        **({"regions_class_order": order} if order else {}),
    }
    (folder / "dataset.json").write_text(json.dumps(dataset))


def pictures(number, name):
    rng = np.random.default_rng(SEED + number)
    folder = WORK / "raw" / name
    for case in range(CASES + HELD_OUT):
        held_out = case >= CASES
        values, mask = phantom(rng, (1, 90 + 7 * (case % 3), 120), 3)
        rgb = np.clip(values[:, 0] * 0.25 + 80, 0, 255).astype(np.uint8)
        where = (OUT / "input" / name, "images") if held_out else (folder, "imagesTr")
        for root, kind in (where,):
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(rgb.transpose(1, 2, 0)).save(root / kind / f"case_{case:03d}_0000.png")
        if not held_out:
            (folder / "labelsTr").mkdir(exist_ok=True)
            Image.fromarray(mask[0]).save(folder / "labelsTr" / f"case_{case:03d}.png")
    dataset = {
        "channel_names": {"0": "rgb_to_0_1", "1": "rgb_to_0_1", "2": "rgb_to_0_1"},
        "labels": {"background": 0, "ring": 1, "core": 2},
        "numTraining": CASES,
        "file_ending": ".png",
    }
    (folder / "dataset.json").write_text(json.dumps(dataset))


def plan(number, change):
    extract_fingerprint_dataset(number, num_processes=1, verbose=False, show_progress_bar=False)
    plans, name = plan_experiment_dataset(number)
    path = next((WORK / "preprocessed").glob(f"Dataset{number}_*")) / f"{name}.json"
    plans = json.loads(path.read_text())
    for configuration in plans["configurations"].values():
        if "architecture" in configuration:
            narrow(configuration)
    change(plans)
    path.write_text(json.dumps(plans, indent=1))
    return plans, path.parent


def narrow(configuration):
    arch = configuration["architecture"]["arch_kwargs"]
    arch["features_per_stage"] = [6 * 2 ** min(level, 3) for level in range(arch["n_stages"])]


def cut(configuration, stages, patch):
    """Fewer stages and a smaller patch, so that a case needs several windows."""
    arch = configuration["architecture"]["arch_kwargs"]
    arch["n_stages"] = stages
    for key in ("features_per_stage", "kernel_sizes", "strides", "n_conv_per_stage", "n_blocks_per_stage"):
        if key in arch:
            arch[key] = arch[key][:stages]
    arch["n_conv_per_stage_decoder"] = arch["n_conv_per_stage_decoder"][: stages - 1]
    configuration["patch_size"] = list(patch)


def train(plans, dataset, configuration, fold, *, steps=STEPS):
    torch.manual_seed(SEED + fold)
    trainer = nnUNetTrainer(
        {**plans, "continue_training": False}, configuration, fold, dataset, torch.device("cpu")
    )
    trainer.initialize()
    trainer.inference_allowed_mirroring_axes = tuple(range(len(trainer.configuration_manager.patch_size)))
    folder = Path(trainer.preprocessed_dataset_folder)
    cases = trainer.dataset_class(str(folder), None)
    loaded = [cases.load_case(key)[:2] for key in cases.identifiers]
    rng = np.random.default_rng(SEED + fold)
    optimizer = torch.optim.Adam(trainer.network.parameters(), 3e-3)
    trainer.network.train()
    scales = [1.0] if not trainer.enable_deep_supervision else trainer._get_deep_supervision_scales()  # noqa: SLF001
    for _ in range(steps):
        data, target = patches(rng, loaded, trainer)
        targets = [nearest(target, scale) for scale in scales]
        optimizer.zero_grad()
        loss = trainer.loss(trainer.network(data), targets)
        loss.backward()
        optimizer.step()
    print(configuration, fold, float(loss.detach()), flush=True)
    results = Path(trainer.output_folder)
    trainer.save_checkpoint(str(results / "checkpoint_final.pth"))
    (results.parent / "plans.json").write_text(json.dumps(plans, indent=1))
    (results.parent / "dataset.json").write_text(json.dumps(dataset, indent=1))
    return results.parent


def nearest(target, scale):
    if all(part == 1 for part in scale):
        return target
    size = [max(1, round(n * part)) for n, part in zip(target.shape[2:], scale, strict=True)]
    return torch.nn.functional.interpolate(target.float(), size, mode="nearest")


def patches(rng, loaded, trainer):
    size = trainer.configuration_manager.patch_size
    manager = trainer.label_manager
    images, targets = [], []
    for _ in range(2):
        data, seg = loaded[rng.integers(len(loaded))]
        data, seg = np.asarray(data[:]), np.asarray(seg[:])
        if len(size) == 2:
            at = rng.integers(data.shape[1])
            data, seg = data[:, at], seg[:, at]
        missing = [max(0, want - have) for want, have in zip(size, data.shape[1:], strict=True)]
        pads = [(0, 0), *((part // 2, part - part // 2) for part in missing)]
        data, seg = np.pad(data, pads), np.pad(seg, pads)
        starts = [rng.integers(have - want + 1) for want, have in zip(size, data.shape[1:], strict=True)]
        box = (slice(None), *(slice(start, start + want) for start, want in zip(starts, size, strict=True)))
        data, seg = data[box].astype(np.float32), np.maximum(seg[box], 0)
        if trainer.is_cascaded:
            before = np.roll(seg[0], rng.integers(-2, 3), -1)
            data = np.vstack(
                [data, convert_labelmap_to_one_hot(before, manager.foreground_labels, data.dtype)]
            )
        if manager.has_regions:
            regions = [np.isin(seg[0], region) for region in manager.foreground_regions]
            seg = np.stack(regions).astype(np.uint8)
        images.append(data)
        targets.append(seg.astype(np.int16))
    return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(targets)).float()


def predict(model, name, dataset, *, folds, mirror, previous=None, probabilities=True):
    predictor = nnUNetPredictor(
        tile_step_size=0.5,
        use_gaussian=True,
        use_mirroring=mirror,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        verbose=False,
        verbose_preprocessing=False,
        allow_tqdm=False,
    )
    predictor.initialize_from_trained_model_folder(str(model), folds, "checkpoint_final.pth")
    target = OUT / "expected" / f"{name}_mirror{int(mirror)}"
    predictor.predict_from_files(
        str(OUT / "input" / dataset / "images"),
        str(target),
        save_probabilities=probabilities,
        num_processes_preprocessing=1,
        num_processes_segmentation_export=1,
        folder_with_segs_from_prev_stage=None if previous is None else str(previous),
    )
    for extra in (*target.glob("*.json"), *target.glob("*.pkl")):
        extra.unlink()
    return target


def keep(model):
    """The results folder without what only training needs."""
    target = OUT / model.parent.name / model.name
    for part in (*model.glob("fold_*/checkpoint_final.pth"), model / "plans.json", model / "dataset.json"):
        (target / part.relative_to(model)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(part, target / part.relative_to(model))


def thick_slices():
    name = "Dataset911_Thick"
    volumes(
        name,
        ("CT", "MRI"),
        {"background": 0, "ring": 1, "core": 2},
        lambda rng: (int(rng.integers(12, 17)), int(rng.integers(44, 60)), int(rng.integers(40, 56))),
        lambda rng: (float(rng.uniform(0.8, 1.1)), float(rng.uniform(0.8, 1.1)), float(rng.uniform(3.6, 5))),
    )

    def change(plans):
        for key in ("2d", "3d_fullres"):
            plans["configurations"][key]["use_mask_for_norm"] = [False, True]
        cut(plans["configurations"]["2d"], 3, (40, 32))
        cut(plans["configurations"]["3d_fullres"], 3, (8, 32, 40))

    plans, _ = plan(911, change)
    dataset = json.loads((WORK / "raw" / name / "dataset.json").read_text())
    preprocess_dataset(
        911, configurations=["2d", "3d_fullres"], num_processes=[1, 1], show_progress_bar=False
    )
    for configuration in ("2d", "3d_fullres"):
        folds = (0, 1) if configuration == "3d_fullres" else (0,)
        for fold in folds:
            model = train(plans, dataset, configuration, fold)
        keep(model)
        for mirror in (False, True):
            predict(model, f"911_{configuration}", name, folds=folds, mirror=mirror)


def cascade():
    name = "Dataset912_Cascade"
    volumes(
        name,
        ("zscore",),
        {"background": 0, "ring": 1, "core": 2},
        lambda rng: tuple(int(rng.integers(56, 76)) for _ in range(3)),
        lambda rng: tuple(float(rng.uniform(0.6, 1.3)) for _ in range(3)),
    )

    def change(plans):
        full = plans["configurations"]["3d_fullres"]
        cut(full, 3, (40, 40, 40))
        low = json.loads(json.dumps(full))
        low.update(
            data_identifier="nnUNetPlans_3d_lowres",
            spacing=[2.0, 2.1, 1.9],
            patch_size=[24, 24, 24],
            next_stage="3d_cascade_fullres",
        )
        plans["configurations"]["3d_lowres"] = low
        plans["configurations"]["3d_cascade_fullres"] = {
            "inherits_from": "3d_fullres",
            "previous_stage": "3d_lowres",
        }

    plans, _ = plan(912, change)
    dataset = json.loads((WORK / "raw" / name / "dataset.json").read_text())
    preprocess_dataset(
        912, configurations=["3d_fullres", "3d_lowres"], num_processes=[1, 1], show_progress_bar=False
    )
    low = train(plans, dataset, "3d_lowres", 0)
    fine = train(plans, dataset, "3d_cascade_fullres", 0)
    keep(low)
    keep(fine)
    for mirror in (False, True):
        before = predict(low, "912_3d_lowres", name, folds=(0,), mirror=mirror)
        predict(fine, "912_3d_cascade_fullres", name, folds=(0,), mirror=mirror, previous=before)


def regions():
    name = "Dataset913_Regions"
    volumes(
        name,
        ("rescale_to_0_1", "noNorm"),
        {"background": 0, "whole": [1, 2], "core": 2},
        lambda rng: (int(rng.integers(40, 56)), int(rng.integers(40, 56)), int(rng.integers(14, 20))),
        lambda rng: (float(rng.uniform(3.2, 4)), 1.0, float(rng.uniform(0.9, 1.2))),
        order=[1, 2],
    )

    def change(plans):
        full = plans["configurations"]["3d_fullres"]
        for what in ("data", "seg", "probabilities"):
            full[f"resampling_fn_{what}"] = "resample_torch_fornnunet"
            full[f"resampling_fn_{what}_kwargs"] = {
                "is_seg": what == "seg",
                "force_separate_z": None,
                "memefficient_seg_resampling": False,
            }
        cut(full, 3, full["patch_size"])
        full["patch_size"] = [-(-min(size, 32) // 8) * 8 for size in full["patch_size"]]

    plans, _ = plan(913, change)
    dataset = json.loads((WORK / "raw" / name / "dataset.json").read_text())
    preprocess_dataset(913, configurations=["3d_fullres"], num_processes=[1], show_progress_bar=False)
    model = train(plans, dataset, "3d_fullres", 0)
    keep(model)
    for mirror in (False, True):
        predict(model, "913_3d_fullres", name, folds=(0,), mirror=mirror)


def rgb():
    name = "Dataset914_Pictures"
    pictures(914, name)

    def change(plans):
        cut(plans["configurations"]["2d"], 4, (64, 64))

    plans, _ = plan(914, change)
    dataset = json.loads((WORK / "raw" / name / "dataset.json").read_text())
    preprocess_dataset(914, configurations=["2d"], num_processes=[1], show_progress_bar=False)
    model = train(plans, dataset, "2d", 0)
    keep(model)
    for mirror in (False, True):
        predict(model, "914_2d", name, folds=(0,), mirror=mirror)


if __name__ == "__main__":
    torch.set_num_threads(1)
    wanted = sys.argv[2:] or ["911", "912", "913", "914"]
    for number, make in {"911": thick_slices, "912": cascade, "913": regions, "914": rgb}.items():
        if number in wanted:
            make()
