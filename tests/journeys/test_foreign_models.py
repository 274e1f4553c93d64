"""Models of other programs: brought in once, then used like ours; a bad one is one line, and nothing is written."""

import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.io import read_segmentation
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
Data = Callable[[str], Path]
PLAIN = "nnunet/Dataset901_HippoTiny/nnUNetTrainer__nnUNetPlans__3d_fullres"
RESIDUAL = "nnunet/Dataset901_HippoTiny/nnUNetTrainer__nnUNetResEncUNetMPlans__3d_fullres"
REGIONS = "nnunet/Dataset902_HippoRegions"
CASES = ("035", "036", "037")
#: nnU-Net's own probabilities within this of the decision are ties.
TIE = 1e-3


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own models folder, empty."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "medseg" / "models"


def copy_of(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target)
    return target


def margin(npz: Path, *, regions: bool) -> np.ndarray:
    """How far nnU-Net's probabilities lie from the decision, (I, J, K)."""
    shares = np.load(npz)["probabilities"]
    if regions:
        return np.abs(shares - 0.5).min(axis=0).transpose(2, 1, 0)
    ordered = np.sort(shares, axis=0)
    return (ordered[-1] - ordered[-2]).transpose(2, 1, 0)


PARITY = [
    (PLAIN, "901_plain_mirror0", ("-p", "mirror=false"), False, True),
    (PLAIN, "901_plain_mirror1", (), False, True),
    (RESIDUAL, "901_resenc_mirror0", ("-p", "mirror=false"), False, False),
    (REGIONS, "902_regions_mirror0", ("-p", "mirror=false"), True, False),
]


@pytest.mark.parametrize(
    ("model", "expected", "options", "regions", "trained"), PARITY, ids=[row[1] for row in PARITY]
)
def test_labels_are_nnunets(
    model: str,
    expected: str,
    options: tuple[str, ...],
    regions: bool,
    trained: bool,
    home: Path,
    data: Data,
    medseg: Medseg,
    tmp_path: Path,
) -> None:
    medseg("models", "add", data(model), "--name", "theirs")
    sure_same, sure, same, either = 0, 0, 0, 0
    for case in CASES:
        out = tmp_path / f"{case}.nii.gz"
        image = data(f"nnunet/input/hippocampus_{case}_0000.nii.gz")
        assert medseg("segment", "theirs", image, "--out", out, *options).code == 0
        found = read_segmentation(out).labels
        theirs = read_segmentation(data(f"nnunet/expected/{expected}/hippocampus_{case}.nii.gz")).labels
        foreground = (found > 0) | (theirs > 0)
        certain = foreground & (
            margin(data(f"nnunet/expected/{expected}/hippocampus_{case}.npz"), regions=regions) > TIE
        )
        same += int((found == theirs)[foreground].sum())
        either += int(foreground.sum())
        sure_same += int((found == theirs)[certain].sum())
        sure += int(certain.sum())
    assert sure_same / sure >= 0.9999
    assert same / either >= (0.999 if trained else 0.995)


def test_in_their_precision_labels_are_theirs_voxel_for_voxel(home: Path, data: Data, medseg: Medseg) -> None:
    medseg("models", "add", data(RESIDUAL), "--name", "theirs", "--sums", "float16")
    image = data("nnunet/input/hippocampus_035_0000.nii.gz")
    mask = data("nnunet/expected/901_resenc_mirror0/hippocampus_035.nii.gz")
    rows = medseg("models", "check", "theirs", image, "--expect", mask, "-p", "mirror=false", "--json").json[
        "result"
    ]
    assert [row["label"] for row in rows] == ["anterior", "posterior", "all labels"]
    assert all(row["agreement"] == 1 for row in rows)


def test_a_model_from_add_to_remove(home: Path, data: Data, medseg: Medseg, tmp_path: Path) -> None:
    added = medseg("models", "add", data(PLAIN), "--name", "mine", "--json").json["result"]
    assert added["understood"]["configuration"] == "3d_fullres"
    assert Path(added["folder"]) == home / "mine"
    assert {path.name for path in (home / "mine").iterdir()} == {"card.yaml", "weights", "LICENSE"}
    assert "mine" in medseg("models").out
    assert "HippoTiny" in medseg("models", "mine").out
    assert "HippoTiny" in medseg("models", "show", "mine").out
    out = tmp_path / "mask.nii.gz"
    medseg(
        "segment",
        "mine",
        data("nnunet/input/hippocampus_035_0000.nii.gz"),
        "--out",
        out,
        "-p",
        "mirror=false",
    )
    made_by = read_segmentation(out).made_by
    parameters = dict(made_by.parameters)
    assert parameters["origin.kind"] == "nnU-Net v2"
    assert len(str(parameters["origin.source_digest"])) == 64
    assert made_by.weights_digest is not None
    assert made_by.model is not None
    assert "what they say" in made_by.model.limits[0]
    again = medseg("models", "add", data(PLAIN), "--name", "mine")
    assert again.code == 2
    assert "there already" in again.line
    assert medseg("models", "add", data(PLAIN), "--name", "mine", "--force").code == 0
    assert medseg("models", "remove", "mine").code == 0
    assert not (home / "mine").exists()


@pytest.mark.parametrize("name", ["show", "add", "remove", "check", "../up", "A b", "hippocampus", "otsu"])
def test_names_that_can_be_none_are_refused(name: str, home: Path, data: Data, medseg: Medseg) -> None:
    seen = medseg("models", "add", data(PLAIN), "--name", name)
    assert seen.code == 2
    assert name in seen.line
    assert not home.exists()


@pytest.mark.parametrize(("name", "words"), [("hippocampus", "comes with medseg"), ("nothing", "no model")])
def test_what_is_not_the_users_is_not_removed(name: str, words: str, home: Path, medseg: Medseg) -> None:
    seen = medseg("models", "remove", name)
    assert seen.code == 2
    assert words in seen.line


def test_a_zip_is_a_folder(home: Path, data: Data, medseg: Medseg, tmp_path: Path) -> None:
    packed = shutil.make_archive(str(tmp_path / "model"), "zip", data(REGIONS))
    assert medseg("models", "add", packed, "--name", "zipped").code == 0
    assert (home / "zipped" / "card.yaml").is_file()


# What is wrong with a folder, and the words of the one line.


def change(path: Path, edit: Callable[[Any], None]) -> None:
    values = json.loads(path.read_text())
    edit(values)
    path.write_text(json.dumps(values))


def checkpoint(folder: Path) -> Path:
    return folder / "fold_all" / "checkpoint_final.pth"


def without_checkpoint(folder: Path) -> None:
    checkpoint(folder).unlink()


def half_a_download(folder: Path) -> None:
    path = checkpoint(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def another_network(folder: Path) -> None:
    def edit(plans: Any) -> None:
        arch = plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]
        arch["features_per_stage"] = [8, 16, 32, 128]

    change(folder / "plans.json", edit)


def newer_plans(folder: Path) -> None:
    change(folder / "plans.json", lambda plans: plans["configurations"]["3d_fullres"].update(rotary=True))


def another_class_count(folder: Path) -> None:
    change(folder / "dataset.json", lambda dataset: dataset["labels"].update(third=3))


def huge_network(folder: Path) -> None:
    def edit(plans: Any) -> None:
        arch = plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]
        arch["features_per_stage"] = [400_000] * 4

    change(folder / "plans.json", edit)


def deep_network(folder: Path) -> None:
    def edit(plans: Any) -> None:
        arch = plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]
        arch["n_conv_per_stage"] = [10**9] * 4

    change(folder / "plans.json", edit)


def saved(folder: Path, edit: Callable[[Any], None]) -> None:
    import torch

    values = torch.load(checkpoint(folder), weights_only=False)
    edit(values)
    torch.save(values, checkpoint(folder))


def weights_of_nan(folder: Path) -> None:
    def edit(values: Any) -> None:
        next(iter(values["network_weights"].values())).fill_(float("nan"))

    saved(folder, edit)


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("was-run"),))


def pickle_with_code(folder: Path) -> None:
    saved(folder, lambda values: values.update(trainer_name=Runs()))


def bare_pickle(folder: Path) -> None:
    checkpoint(folder).write_bytes(pickle.dumps(Runs()))


def bomb(folder: Path) -> None:
    with zipfile.ZipFile(checkpoint(folder), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(64 << 20))


def no_json(folder: Path) -> None:
    (folder / "plans.json").write_text("{" * 100_000)


def labels_twice(folder: Path) -> None:
    text = (folder / "dataset.json").read_text("utf-8")
    (folder / "dataset.json").write_text(text.replace("{", '{"labels": {"background": 0, "liver": 1}, ', 1))


def no_labels(folder: Path) -> None:
    change(folder / "dataset.json", lambda dataset: dataset.pop("labels"))


BAD = [
    (without_checkpoint, "checkpoint_final.pth is not there"),
    (half_a_download, "copy it again"),
    (another_network, "another network than its plans"),
    (newer_plans, "'rotary' not understood"),
    (another_class_count, "3 outputs, and its labels ask for 4"),
    (huge_network, "values, more than"),
    (deep_network, "up to 64 blocks"),
    (weights_of_nan, "no numbers"),
    (pickle_with_code, "wants to run code"),
    (bare_pickle, "no whole checkpoint"),
    (bomb, "would inflate"),
    (no_json, "plans.json is no JSON"),
    (labels_twice, "key 'labels' stands twice in one object"),
    (no_labels, "no 'labels'"),
]


@pytest.mark.parametrize(("spoil", "words"), BAD, ids=[spoil.__name__ for spoil, _ in BAD])
def test_a_bad_model_is_one_line_and_nothing_written(
    spoil: Callable[[Path], None],
    words: str,
    home: Path,
    data: Data,
    medseg: Medseg,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = copy_of(data(PLAIN), tmp_path / "nnUNetTrainer__nnUNetPlans__3d_fullres")
    spoil(folder)
    monkeypatch.chdir(tmp_path)
    seen = medseg("models", "add", folder, "--name", "bad")
    assert seen.code == 2, seen.line
    assert words in seen.line
    assert not home.exists()
    assert not (tmp_path / "was-run").exists()


def slip(archive: zipfile.ZipFile) -> None:
    archive.writestr("../../out.json", "{}")


def absolute(archive: zipfile.ZipFile) -> None:
    archive.writestr("/out.json", "{}")


def windows(archive: zipfile.ZipFile) -> None:
    archive.writestr("C:\\out.json", "{}")


def link(archive: zipfile.ZipFile) -> None:
    entry = zipfile.ZipInfo("plans.json")
    entry.external_attr = 0o120777 << 16
    archive.writestr(entry, "/etc/passwd")


def zeros(archive: zipfile.ZipFile) -> None:
    archive.writestr("plans.json", bytes(8 << 20), zipfile.ZIP_DEFLATED)


def nothing(archive: zipfile.ZipFile) -> None:
    archive.writestr("readme.txt", "hello")


ZIPS = [
    (slip, "leads out of its folder"),
    (absolute, "leads out of its folder"),
    (windows, "leads out of its folder"),
    (link, "leads out of its folder"),
    (zeros, "which no model does"),
    (nothing, "no model that medseg knows"),
]


@pytest.mark.parametrize(("fill", "words"), ZIPS, ids=[fill.__name__ for fill, _ in ZIPS])
def test_a_bad_zip_is_one_line_and_nothing_written(
    fill: Callable[[zipfile.ZipFile], None], words: str, home: Path, medseg: Medseg, tmp_path: Path
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        fill(archive)
    (tmp_path / "bad.zip").write_bytes(packed.getvalue())
    seen = medseg("models", "add", tmp_path / "bad.zip")
    assert seen.code == 2, seen.line
    assert words in seen.line
    assert {path.name for path in tmp_path.iterdir()} == {"bad.zip"}


def test_a_part_of_another_model_is_refused(home: Path, medseg: Medseg, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_bytes(b"PK\x03\x04 no zip")
    for source, words in (("nowhere", "does not exist"), ("text.zip", "can't be unpacked")):
        seen = medseg("models", "add", tmp_path / source)
        assert seen.code == 2
        assert words in seen.line


def stored_otherwise(source: Path, target: Path, *, lean: float, flipped: bool) -> Path:
    """The same scan with leaning axes, and stored along others than RAS."""
    import nibabel as nib

    image = nib.load(source)
    values, affine = np.asarray(image.dataobj).astype(np.float32), image.affine.copy()
    if flipped:
        values, affine = values.transpose(2, 0, 1)[::-1], affine[:, [2, 0, 1, 3]]
        affine[:3, 3] += affine[:3, 0] * (values.shape[0] - 1)
        affine[:, 0] *= -1
    about = np.eye(4)
    about[:2, :2] = [[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]]
    written = nib.Nifti1Image(np.ascontiguousarray(values), about @ affine)
    written.header.set_xyzt_units("mm")
    nib.save(written, target)
    return target


@pytest.mark.parametrize(("lean", "flipped"), [(0.25, False), (0.0, True), (0.25, True)])
def test_labels_and_probabilities_of_a_foreign_model_are_the_same_at_any_budget(
    lean: float, flipped: bool, home: Path, data: Data, medseg: Medseg, tmp_path: Path
) -> None:
    medseg("models", "add", data(PLAIN), "--name", "theirs")
    source = data("nnunet/input/hippocampus_035_0000.nii.gz")
    image = stored_otherwise(source, tmp_path / "scan.nii.gz", lean=lean, flipped=flipped)
    digests, kept = [], []
    for name, options in (("free", ()), ("tight", ("--memory", "700MB"))):
        out = tmp_path / f"{name}.nii.gz"
        seen = medseg(
            "segment", "theirs", image, "--out", out, "-p", "mirror=false", "--probabilities", *options
        )
        assert seen.code == 0
        assert "GB predicted" in seen.err
        found = read_segmentation(out)
        digests.append(found.digest)
        kept.append((tmp_path / f"{name}.prob.nii.gz").read_bytes())
        assert "openvino" in dict(found.made_by.run)
    assert found.labels.any()
    assert digests[0] == digests[1]
    assert kept[0] == kept[1]
