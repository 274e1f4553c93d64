"""Bundles of MONAI's Model Zoo: brought in once, and labels are those that MONAI's own run of the configuration gives.

Weights are random, networks smaller than the zoo's; all voxels count, ties among them.
"""

import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.io import read_segmentation
from medseg.models import read_card
from tests.journeys.conftest import Seen
from tests.journeys.zoo import CORONAL, OBLIQUE, THICK, Change, made_bundle, monais_labels, scan

Medseg = Callable[..., Seen]
Data = Callable[[str], Path]
Values = dict[str, Any]
pytestmark = pytest.mark.filterwarnings(
    "ignore"
)  # MONAI's own, of readers that are not installed and of its defaults


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own models folder, empty."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "medseg" / "models"


def outputs_of(metadata: Values, *names: str) -> None:
    found = metadata["network_data_format"]["outputs"]["pred"]
    found["channel_def"] = {str(number): name for number, name in enumerate(names)}


def spleen(config: Values, _: Values) -> None:
    config["network_def"]["channels"] = [8, 8, 16, 16, 16]
    config["inferer"]["roi_size"] = [32, 32, 32]


def whole_body(config: Values, _: Values) -> None:
    config["network_def"]["init_filters"] = 8
    config["inferer"]["roi_size"] = [32, 32, 32]


def brats(config: Values, _: Values) -> None:
    config["network_def"]["init_filters"] = 8
    config["inferer"]["roi_size"] = [32, 32, 16]


def swin(config: Values, _: Values) -> None:
    del config["network_def"]["img_size"]  # MONAI has none since 1.5
    config["network_def"]["feature_size"] = 12
    config["inferer"]["roi_size"] = [64, 32, 32]


def pediatric(config: Values, _: Values) -> None:
    config["network_def"]["filters"] = [8, 8, 16, 16, 16, 16]
    config["inferer"].update(roi_size=[32, 32, 32], overlap=0.5)


def as_it_is(_: Values, __: Values) -> None:
    """The template is small enough."""


def like_prostate(config: Values, metadata: Values) -> None:
    """As `prostate_mri_anatomy`: decided, largest components kept, then numbers of labels interpolated."""
    spleen(config, metadata)
    config["network_def"].update(out_channels=3, num_res_units=4, dropout=0.15, act="prelu")
    config["preprocessing"]["transforms"][4:5] = [
        {"_target_": "ScaleIntensityd", "keys": "image", "minv": 0, "maxv": 1},
        {"_target_": "NormalizeIntensityd", "keys": "image"},
    ]
    _, invert, decide, save = config["postprocessing"]["transforms"]
    keep = {"_target_": "KeepLargestConnectedComponentd", "keys": "pred", "applied_labels": [1, 2]}
    config["postprocessing"]["transforms"] = [decide, keep, invert, save]
    outputs_of(metadata, "background", "central gland", "peripheral zone")


def like_ventricles(config: Values, metadata: Values) -> None:
    """As `ventricular_short_axis_3label`: slices of the file's own order, one after another."""
    config["network_def"] = {
        "_target_": "monai.networks.nets.UNet",
        "spatial_dims": 2,
        "in_channels": 1,
        "out_channels": 4,
        "channels": [8, 8, 16],
        "strides": [2, 2],
        "num_res_units": 2,
    }
    load, first, _, _, _, typed = config["preprocessing"]["transforms"]
    config["preprocessing"]["transforms"] = [
        load,
        first,
        {"_target_": "ScaleIntensityd", "keys": "image"},
        typed,
    ]
    config["inferer"] = {"_target_": "SliceInferer", "roi_size": [32, 32], "spatial_dim": 2}
    outputs_of(metadata, "background", "lv_pool", "myocardium", "rv_pool")


def one_sigmoid(config: Values, metadata: Values) -> None:
    """A single region, its own threshold, another orientation, and values scaled before and after interpolation."""
    spleen(config, metadata)
    config["network_def"]["out_channels"] = 1
    load, first, turn, space, scale, typed = config["preprocessing"]["transforms"]
    turn["axcodes"] = "PIR"
    space["pixdim"] = [2.0, -1, 1.5]
    percentiles = {"lower": 2, "upper": 95, "b_min": -1.0, "b_max": 1.0, "clip": True}
    last = {"_target_": "ScaleIntensityRangePercentilesd", "keys": "image", **percentiles}
    config["preprocessing"]["transforms"] = [load, first, turn, scale, space, last, typed]
    activate, invert, decide, save = config["postprocessing"]["transforms"]
    activate.update(softmax=False, sigmoid=True)
    decide.update(argmax=False, threshold=0.4)
    config["postprocessing"]["transforms"] = [activate, invert, decide, save]
    outputs_of(metadata, "organ")


def labels_and_crop(config: Values, metadata: Values) -> None:
    """Nearest labels of a crop, whose margin lies within the image."""
    spleen(config, metadata)
    crop = {
        "_target_": "CropForegroundd",
        "keys": "image",
        "source_key": "image",
        "margin": 2,
        "allow_smaller": True,
    }
    config["preprocessing"]["transforms"].insert(5, crop)
    config["preprocessing"]["transforms"][4].update(a_min=30)
    activate, invert, decide, save = config["postprocessing"]["transforms"]
    config["postprocessing"]["transforms"] = [activate, decide, {**invert, "nearest_interp": True}, save]


MODEL = "models/model.pt"
BUNDLES: dict[str, tuple[str, Change, str]] = {
    "spleen": ("spleen_ct_segmentation", spleen, MODEL),
    "whole body": ("wholeBody_ct_segmentation", whole_body, MODEL),
    "brats": ("brats_mri_segmentation", brats, MODEL),
    "swin": ("swin_unetr_btcv_segmentation", swin, MODEL),
    "pediatric": ("pediatric_abdominal_ct_segmentation", pediatric, "models/dynunet_FT.pt"),
    "template": ("segmentation_template", as_it_is, MODEL),
    "like prostate": ("spleen_ct_segmentation", like_prostate, MODEL),
    "like ventricles": ("spleen_ct_segmentation", like_ventricles, MODEL),
    "one sigmoid": ("spleen_ct_segmentation", one_sigmoid, MODEL),
    "labels and crop": ("spleen_ct_segmentation", labels_and_crop, MODEL),
}
IMAGES = {
    "oblique": ((40, 40, 16), OBLIQUE),
    "coronal": ((40, 32, 16), CORONAL),
    "thick": ((48, 48, 8), THICK),
}
QUICK = {
    ("spleen", "oblique"),
    ("whole body", "thick"),
    ("brats", "coronal"),
    ("pediatric", "coronal"),
    ("template", "oblique"),
    ("like prostate", "thick"),
    ("like ventricles", "coronal"),
    ("one sigmoid", "oblique"),
    ("labels and crop", "thick"),
}
CASES = [
    pytest.param(
        bundle, image, marks=() if (bundle, image) in QUICK else pytest.mark.slow, id=f"{bundle}, {image}"
    )
    for bundle in BUNDLES
    for image in IMAGES
]


@pytest.mark.parametrize(("bundle", "image"), CASES)
def test_labels_are_monais(
    bundle: str, image: str, home: Path, data: Data, medseg: Medseg, tmp_path: Path
) -> None:
    if bundle == "swin":
        pytest.importorskip("einops", reason="MONAI's transformers need it")
    name, change, weights = BUNDLES[bundle]
    folder = made_bundle(data(f"monai_zoo/{name}"), tmp_path / name, change, weights=weights)
    assert medseg("models", "add", folder, "--name", "theirs").code == 0
    shape, affine = IMAGES[image]
    channels = ("T1c", "T1", "T2", "FLAIR") if bundle == "brats" else ("image",)
    paths = [scan(tmp_path / f"{one}.nii.gz", shape, affine, seed=seed) for seed, one in enumerate(channels)]
    given = [
        word for one, path in zip(channels, paths, strict=True) for word in ("--channel", f"{one}={path}")
    ]
    out = tmp_path / "mask.nii.gz"
    assert medseg("segment", "theirs", *given, "--out", out).code == 0
    found = read_segmentation(out).labels
    numbers = monais_labels(folder, paths if len(paths) > 1 else paths[0], weights=weights)
    theirs = np.rint(numbers)
    foreground = (found > 0) | (theirs > 0)
    # Numbers of labels that MONAI interpolates to a half are neither one's: rounding decides in the seventh digit.
    ties = foreground & (np.abs(numbers - np.floor(numbers) - 0.5) < 1e-5)
    assert foreground.mean() > 0.005
    assert len(np.unique(theirs)) > 1
    assert ties.sum() < 0.25 * foreground.sum()
    assert (found == theirs)[foreground & ~ties].mean() >= 0.999
    assert (found == theirs)[foreground].mean() >= (0.999 if not ties.any() else 0.995)


@pytest.fixture
def bundle(data: Data, tmp_path: Path) -> Path:
    """The spleen's, with random weights."""
    return made_bundle(data("monai_zoo/spleen_ct_segmentation"), tmp_path / "bundle", spleen)


def test_a_bundle_from_add_to_remove(home: Path, bundle: Path, medseg: Medseg, tmp_path: Path) -> None:
    told = medseg("models", "add", bundle, "--name", "mine", "--json").json["result"]["understood"]
    assert told["axes"] == "turned to RAS"
    assert told["spacing"] == "1.5 × 1.5 × 2 mm"
    assert told["window"] == "32 × 32 × 32, 0.5 of it overlaps, constant weights, zeros around"
    assert told["labels"] == "1 spleen"
    assert told["back to the image"] == "softmax interpolated, then decided"
    assert set(told) >= {
        "network",
        "weights",
        "channels",
        "before the network",
        "outputs",
        "after the network",
        "licence",
    }
    assert "Spleen CT segmentation" in medseg("models", "show", "mine").out
    image, mask = scan(tmp_path / "image.nii.gz", (32, 32, 16), OBLIQUE), tmp_path / "mask.nii.gz"
    assert medseg("segment", "mine", image, "--out", mask).code == 0
    parameters = dict(read_segmentation(mask).made_by.parameters)
    assert parameters["origin.kind"] == "MONAI bundle"
    assert parameters["origin.monai_version"] == "1.4.0"
    rows = medseg("models", "check", "mine", image, "--expect", mask, "--json").json["result"]
    assert all(row["agreement"] == 1 for row in rows)
    assert medseg("models", "remove", "mine").code == 0
    assert not (home / "mine").exists()


def test_a_zip_around_the_folder_and_weights_under_a_name(
    home: Path, bundle: Path, medseg: Medseg, tmp_path: Path
) -> None:
    import torch

    state = torch.load(bundle / MODEL, weights_only=True)
    torch.save(
        {"epoch": 7, "state_dict": {f"module.{name}": value for name, value in state.items()}}, bundle / MODEL
    )
    with zipfile.ZipFile(tmp_path / "spleen.zip", "w") as archive:
        for path in bundle.rglob("*"):
            archive.write(path, Path("spleen") / path.relative_to(bundle))
    assert medseg("models", "add", tmp_path / "spleen.zip", "--name", "zipped").code == 0
    assert medseg("models", "add", bundle, "--name", "plain").code == 0
    one, other = (home / name / "weights" / "0.safetensors" for name in ("zipped", "plain"))
    assert one.read_bytes() == other.read_bytes()


def test_a_swin_unetr_of_before_monai_1_5_says_how_its_tokens_are_joined(
    home: Path, data: Data, medseg: Medseg, tmp_path: Path
) -> None:
    pytest.importorskip("einops", reason="MONAI's transformers need it")
    folder = made_bundle(data("monai_zoo/swin_unetr_btcv_segmentation"), tmp_path / "bundle", swin)
    told = medseg("models", "add", folder, "--name", "swin", "--json").json["result"]["understood"]
    assert "joined as in MONAI since 1.5" in told["network"]
    assert "--merging repeated" in " ".join(medseg("models", "show", "swin").out.split())
    again = ("models", "add", folder, "--name", "earlier", "--merging", "repeated", "--json")
    told = medseg(*again).json["result"]["understood"]
    assert "joined as in MONAI until 1.4" in told["network"]
    assert "--merging" not in medseg("models", "show", "earlier").out
    now, earlier = (read_card(home / name) for name in ("swin", "earlier"))
    assert now.network.attention is not None
    attention = replace(now.network.attention, merging="merging_repeated")
    assert earlier.network == replace(now.network, attention=attention)
    assert [one.digest for one in now.weights] == [one.digest for one in earlier.weights]
    image = scan(tmp_path / "image.nii.gz", (32, 32, 32), OBLIQUE)
    masks = []
    for name in ("swin", "earlier"):
        assert medseg("segment", name, image, "--out", tmp_path / f"{name}.nii.gz").code == 0
        masks.append(read_segmentation(tmp_path / f"{name}.nii.gz").digest)
    assert masks[0] != masks[1]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("bundle", "this is unet"),
        (
            "nnunet/Dataset901_HippoTiny/nnUNetTrainer__nnUNetPlans__3d_fullres",
            "no bundle but a nnU-Net v2 results folder",
        ),
    ],
)
def test_tokens_are_joined_otherwise_in_no_other_model(
    source: str, words: str, home: Path, bundle: Path, data: Data, medseg: Medseg
) -> None:
    folder = bundle if source == "bundle" else data(source)
    seen = medseg("models", "add", folder, "--name", "x", "--merging", "repeated")
    assert seen.code == 2
    assert "--merging repeated is for a SwinUNETR" in seen.line
    assert words.lower() in seen.line.lower()
    assert not (home / "x").exists()


def written(bundle: Path, change: Callable[[Values], None]) -> None:
    path = bundle / "configs" / "inference.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def step(config: Values, where: str, **values: Any) -> None:
    """Another transform at the end of a chain."""
    config[where]["transforms"].insert(-1, values)


def argument(config: Values, number: int, **values: Any) -> None:
    """Other arguments of a transform before the network."""
    config["preprocessing"]["transforms"][number].update(values)


REFUSED: list[tuple[str, Callable[[Values], None], str]] = [
    (
        "own network",
        lambda c: c["network_def"].update(_target_="scripts.net.Net"),
        "'scripts.net.Net' is code",
    ),
    (
        "own transform",
        lambda c: step(c, "preprocessing", _target_="scripts.t.Own", keys="image"),
        "scripts.t.Own",
    ),
    ("other network", lambda c: c["network_def"].update(_target_="DiNTS"), "'DiNTS' is not built here"),
    ("a function makes the network", lambda c: c.update(network_def="$f(@device)"), "no component"),
    ("argument", lambda c: c["network_def"].update(depth=3), "'depth' not understood"),
    ("norm", lambda c: c["network_def"].update(norm="layer"), "norm 'layer'"),
    ("activation", lambda c: c["network_def"].update(act="swish"), "activation 'swish'"),
    (
        "transform",
        lambda c: step(c, "preprocessing", _target_="HistogramNormalized", keys="image"),
        "Histogram",
    ),
    (
        "after the network",
        lambda c: step(c, "postprocessing", _target_="FillHolesd", keys="pred"),
        "FillHolesd",
    ),
    ("interpolation", lambda c: argument(c, 3, mode="nearest"), "mode 'nearest'"),
    ("diagonal", lambda c: argument(c, 3, diagonal=True), "diagonal True"),
    ("argument of a transform", lambda c: argument(c, 4, gamma=2), "'gamma' not understood"),
    ("expression", lambda c: argument(c, 4, a_min="$numpy.percentile([1, 2], 50)"), "none is evaluated"),
    (
        "expression that runs",
        lambda c: argument(c, 3, pixdim="$[__import__('os').system('true')] * 3"),
        "none is",
    ),
    ("circle", lambda c: argument(c, 4, a_min="@preprocessing#transforms#4#a_min"), "run in a circle"),
    ("to nowhere", lambda c: argument(c, 4, a_min="@no#where"), "points to nothing"),
    ("axes", lambda c: argument(c, 2, axcodes="RAX"), "'RAX'"),
    ("inferer", lambda c: c["inferer"].update(_target_="SaliencyInferer"), "SaliencyInferer"),
    ("weights of windows", lambda c: c["inferer"].update(mode="box"), "mode 'box'"),
    ("window", lambda c: c["inferer"].update(roi_size=[30, 30, 30]), "no multiple of"),
    ("no decision", lambda c: c["postprocessing"]["transforms"].pop(2), "no AsDiscreted"),
    ("no way back", lambda c: c["postprocessing"]["transforms"].pop(1), "no Invertd"),
    (
        "function of labels",
        lambda c: step(c, "postprocessing", _target_="Lambdad", keys="pred", func="$lambda x: x * 2"),
        "function of labels",
    ),
    ("boxes", lambda c: c.update(detector={"_target_": "RetinaNetDetector"}), "finds boxes"),
    ("outside", lambda c: c["checkpointloader"].update(load_path="../../model.pt"), "outside of the bundle"),
    ("outputs", lambda c: c["network_def"].update(out_channels=3), "names 2 outputs"),
]


@pytest.mark.parametrize(("change", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_not_understood_is_named_and_nothing_is_written(
    change: Callable[[Values], None], words: str, home: Path, bundle: Path, medseg: Medseg
) -> None:
    written(bundle, change)
    seen = medseg("models", "add", bundle, "--name", "mine")
    assert seen.code == 2
    assert words in seen.line
    assert not home.exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("renalStructures_UNEST_segmentation", "scripts.networks.unest.UNesT"),
        ("wholeBrainSeg_Large_UNEST_segmentation", "UNesT"),
        ("renalStructures_CECT_segmentation", "images are joined"),
        ("pancreas_ct_dints_segmentation", "DiNTS"),
        ("endoscopic_tool_segmentation", "FlexibleUNet"),
        ("spleen_deepedit_annotation", "scripts.transforms.OrientationGuidanceMultipleLabelDeepEditd"),
        ("vista2d", "CellSamWrapper"),
        ("vista3d", "network_def is no component"),
    ],
)
def test_bundles_of_the_zoo_that_do_not_come_in(
    name: str, words: str, home: Path, data: Data, medseg: Medseg, tmp_path: Path
) -> None:
    shutil.copytree(data(f"monai_zoo/{name}"), tmp_path / "bundle")
    seen = medseg("models", "add", tmp_path / "bundle")
    assert seen.code == 2
    assert words in seen.line
    assert not home.exists()


class Runs:
    def __reduce__(self) -> Any:
        return (print, ("run",))


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def with_code(path: Path) -> None:
    import torch

    torch.save({"model": Runs()}, path, pickle_module=pickle)


def without_numbers(path: Path) -> None:
    import torch

    state = torch.load(path, weights_only=True)
    next(iter(state.values()))[0] = float("nan")
    torch.save(state, path)


def of_another(path: Path) -> None:
    import torch

    state = torch.load(path, weights_only=True)
    torch.save({name: value[:1] for name, value in state.items() if value.dim()}, path)


def as_script(path: Path) -> None:
    path.rename(path.with_suffix(".ts"))


def whole_network(path: Path) -> None:
    import torch

    torch.save([1, 2], path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (damaged, "copy it again"),
        (with_code, "wants to run code"),
        (without_numbers, "no numbers"),
        (of_another, "another network than its configuration"),
        (as_script, "TorchScript"),
        (whole_network, "holds no weights by name"),
        (Path.unlink, "large_files.yml"),
    ],
)
def test_bad_weights_are_one_line(
    change: Callable[[Path], None], words: str, home: Path, bundle: Path, medseg: Medseg
) -> None:
    change(bundle / MODEL)
    seen = medseg("models", "add", bundle, "--name", "mine")
    assert seen.code == 2
    assert words in seen.line
    assert "run\n" not in seen.out
    assert not home.exists()
