"""nnU-Net v2's folders as cards: plans old and new, labels and regions, and the names of weights."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medseg.domain.card import Clip, RequireRange, Scale, ToUnit, ZScoreInside
from medseg.domain.recipe import Resize
from medseg.errors import ModelError
from medseg.models.foreign import Wanted
from medseg.models.foreign.nnunet import NNUNET
from medseg.models.foreign.plans import channels_of, configuration_of, labels_of
from medseg.models.foreign.reading import Fields, read_fields
from medseg.models.foreign.told import plain_words

Data = Callable[[str], Path]
PLAIN = "nnunet/Dataset901_HippoTiny/nnUNetTrainer__nnUNetPlans__3d_fullres"
RESIDUAL = "nnunet/Dataset901_HippoTiny/nnUNetTrainer__nnUNetResEncUNetMPlans__3d_fullres"
REGIONS = "nnunet/Dataset902_HippoRegions"


def made_plans(**configuration: Any) -> Fields:
    """Plans of two levels, whose one configuration `a` is changed."""
    kwargs = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
    whole = {
        "preprocessor_name": "DefaultPreprocessor",
        "patch_size": [8, 16, 16],
        "spacing": [3.0, 1.0, 1.0],
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": kwargs,
        "resampling_fn_seg_kwargs": {**kwargs, "is_seg": True, "order": 1},
        "resampling_fn_probabilities_kwargs": {**kwargs, "order": 1},
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": 32,
        "unet_max_num_features": 320,
        "n_conv_per_stage_encoder": [2] * 6,
        "n_conv_per_stage_decoder": [2] * 5,
        "num_pool_per_axis": [3, 5, 5],
        "conv_kernel_sizes": [[1, 3, 3]] + [[3, 3, 3]] * 5,
        "pool_op_kernel_sizes": [[1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2], [1, 2, 2]],
        **configuration,
    }
    values = {
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [2, 0, 1],
        "transpose_backward": [1, 2, 0],
        "configurations": {
            "a": {key: value for key, value in whole.items() if value is not None},
            "b": {"inherits_from": "a", "previous_stage": "low"},
            "c": {"inherits_from": "c"},
        },
        "foreground_intensity_properties_by_modality": {
            "0": {"mean": 50.0, "std": 20.0, "percentile_00_5": -100.0, "percentile_99_5": 200.0}
        },
    }
    return Fields(values, "plans.json")


def made_dataset(labels: dict[str, Any], **more: Any) -> Fields:
    return Fields(
        {"channel_names": {"0": "CT"}, "labels": {"background": 0, **labels}, **more}, "dataset.json"
    )


def test_old_plans_name_features_and_leave_the_rest_to_the_reader() -> None:
    network = configuration_of(made_plans(), "a").network
    assert network.architecture == "plain_conv_unet"
    assert network.filters == (32, 64, 128, 256, 320, 320)
    assert (network.bias, network.norm, network.norm_eps, network.negative_slope) == (
        True,
        "instance",
        1e-5,
        0.01,
    )


def test_a_configuration_inherits_what_it_does_not_say() -> None:
    found = configuration_of(made_plans(), "b")
    assert found.patch == (8, 16, 16)
    assert found.previous == "low"


def test_axes_of_the_network_are_array_axes_from_the_last_one_on() -> None:
    # nnU-Net's array is (z, y, x) = (k, j, i); [2, 0, 1] of it are x, z, y.
    assert configuration_of(made_plans(), "a").grid.axes == (0, 2, 1)


@pytest.mark.parametrize(
    ("scheme", "steps"),
    [
        ("CTNormalization", (Clip("CT", -100, 200), Scale("CT", 50, 20))),
        ("ZScoreNormalization", (ZScoreInside("CT"),)),
        ("NoNormalization", ()),
        ("RescaleTo01Normalization", (ToUnit("CT"),)),
        ("RGBTo01Normalization", (RequireRange("CT", 0, 255), Scale("CT", 0, 255))),
    ],
)
def test_each_normalisation_is_steps_of_a_card(scheme: str, steps: tuple[object, ...]) -> None:
    configuration = configuration_of(made_plans(normalization_schemes=[scheme]), "a")
    assert channels_of(made_dataset({"one": 1}), configuration)[1] == steps


def test_interpolation_is_what_the_plans_name() -> None:
    torch = {"is_seg": False, "force_separate_z": False}
    plans = made_plans(resampling_fn_data="resample_torch_fornnunet", resampling_fn_data_kwargs=torch)
    grid = configuration_of(plans, "a").grid
    assert grid.image == Resize("linear", 1, 0, 3.0, one_by_one=False)
    assert grid.outputs == Resize("spline", 1, 0)


UNKNOWN = [
    ({"patch_scale": 2}, "'patch_scale' not understood"),
    ({"preprocessor_name": "OtherPreprocessor"}, "OtherPreprocessor"),
    ({"normalization_schemes": ["HistogramNormalization"]}, "HistogramNormalization"),
    ({"resampling_fn_data": "resample_by_magic"}, "resample_by_magic"),
    ({"UNet_class_name": "PrimusUNet"}, "PrimusUNet"),
    ({"patch_size": [8]}, "patch_size has 1 extents"),
    ({"spacing": ["a", 1, 1]}, "'spacing' is not a list of numbers"),
    ({"spacing": None}, "no 'spacing'"),
    ({"use_mask_for_norm": ["no"]}, "use_mask_for_norm"),
]


@pytest.mark.parametrize(("change", "words"), UNKNOWN, ids=[next(iter(change)) for change, _ in UNKNOWN])
def test_what_is_not_understood_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        channels_of(made_dataset({"one": 1}), configuration_of(made_plans(**change), "a"))


def test_a_configuration_that_is_not_there_or_is_its_own_parent_is_named() -> None:
    for name in ("3d_huge", "c"):
        with pytest.raises(ModelError, match="there are a, b, c"):
            configuration_of(made_plans(), name)


LABELS = [
    ({"liver": 1, "tumour": 2}, {}, ("liver", "tumour"), (), ()),
    ({"liver": 1, "ignore": 2}, {}, ("liver",), (), ()),
    (
        {"whole": [1, 2, 3], "core": [2, 3], "enhancing": 3},
        {"regions_class_order": [1, 2, 3]},
        ("whole, rest", "core, rest", "enhancing"),
        ("whole", "core"),
        (1, 2, 3),
    ),
    (
        {"whole": [1, 2], "core": [2]},
        {"regions_class_order": [1, 2]},
        ("whole, rest", "core"),
        ("whole",),
        (1, 2),
    ),
]


@pytest.mark.parametrize(("labels", "more", "names", "regions", "order"), LABELS)
def test_labels_and_regions(
    labels: dict[str, Any],
    more: dict[str, Any],
    names: tuple[str, ...],
    regions: tuple[str, ...],
    order: tuple[int, ...],
) -> None:
    found = labels_of(made_dataset(labels, **more))
    assert tuple(label.name for label in found.table.labels) == names
    assert tuple(region.name for region in found.table.regions) == regions
    assert found.decision.order == order
    assert found.outputs == (len(order) or len(names) + 1)
    # What no region has for itself alone is no structure.
    assert [label.is_part for label in found.table.labels] == [name.endswith(", rest") for name in names]


@pytest.mark.parametrize(
    ("labels", "more", "words"),
    [
        ({"one": 1, "three": 3}, {}, "leave gaps"),
        ({"whole": [1, 2], "core": 2}, {"regions_class_order": [1]}, "2 regions"),
        ({"whole": [1, 2], "core": 2}, {}, "regions_class_order"),
        ({"one": "a"}, {}, "whole numbers"),
    ],
)
def test_labels_without_a_certain_output_are_refused(labels: Any, more: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        labels_of(made_dataset(labels, **more))


def test_real_plans_of_others(data: Data) -> None:
    folder = data("nnunet/plans_of_others")
    plans = read_fields(folder / "autopet4_plans.json")
    dataset = read_fields(folder / "autopet4_dataset.json")
    found = configuration_of(plans, "3d_cascade_fullres")
    channels, steps = channels_of(dataset, found)
    assert found.previous == "3d_lowres"
    assert [channel.name for channel in channels] == ["CT", "PET", "FG", "BG"]
    assert [channel.modality for channel in channels] == ["CT", "PT", None, None]
    assert isinstance(steps[0], Clip)
    assert [type(step) for step in steps[2:]] == [ZScoreInside] * 3
    assert configuration_of(plans, "2d").network.dimensions == 2


@pytest.mark.parametrize(
    ("folder", "architecture", "tensors"),
    [(PLAIN, "plain_conv_unet", 68), (RESIDUAL, "residual_encoder_unet", 93)],
)
def test_each_tensor_is_taken_once_under_nnunets_name(
    folder: str, architecture: str, tensors: int, data: Data
) -> None:
    found = NNUNET.understand(data(folder), Wanted())
    assert found.card.network.architecture == architecture
    names = {str(name) for name in found.states[0]}
    # Of 68 and 93 tensors, two of each head of deep supervision are left out.
    heads = 2 * (len(found.card.network.filters) - 2)
    assert len(names) + heads == tensors
    assert not any("all_modules" in name or name.startswith("decoder.encoder") for name in names)


def test_a_dataset_folder_stands_for_the_only_model_in_it(data: Data) -> None:
    found = NNUNET.understand(data(REGIONS), Wanted(name="mine"))
    assert found.card.name == "mine"
    assert found.card.decision.order == (1, 2)
    assert found.card.network.out_channels == 2
    with pytest.raises(ModelError, match="2 trained models"):
        NNUNET.understand(data("nnunet/Dataset901_HippoTiny"), Wanted())


def test_what_was_understood_is_told_field_by_field(data: Data) -> None:
    told = dict(NNUNET.understand(data(PLAIN), Wanted()).told)
    assert told["configuration"] == "3d_fullres"
    assert told["labels"] == "1 anterior, 2 posterior"
    assert told["spacing"] == "1 × 1 × 1 mm"
    assert set(told) >= {
        "network",
        "weights",
        "trainer",
        "channels",
        "axes",
        "interpolation",
        "mirroring",
        "licence",
    }


def test_a_name_is_a_word_that_every_file_system_takes() -> None:
    assert plain_words("Dataset Ä/..\\x") == "dataset-..-x"
    assert plain_words("..") == "model"
    assert json.dumps(plain_words("Liver_2")) == '"liver_2"'
