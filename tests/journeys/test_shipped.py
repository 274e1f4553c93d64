"""What ships: samples, models, the demo; and stopping in the middle."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import medseg as api
from medseg import settings
from medseg.models import read_card
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
MODELS = ("hippocampus", "sarcoma")
AIMS = {"hippocampus": 0.88, "sarcoma": 0.72}


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_model_is_small_documented_and_measured(name: str) -> None:
    folder = settings.shipped_folder() / "models" / name
    card = read_card(folder)
    assert sum(path.stat().st_size for path in (folder / "weights").iterdir()) <= 8_000_000
    assert card.licence.startswith("CC BY")
    assert card.attribution
    assert card.limits
    assert (folder / "quality.csv").is_file()
    labels = [item.mean for item in card.quality if item.label in {label.name for label in card.table.labels}]
    assert sum(labels) / len(labels) >= AIMS[name]
    assert all(item.command.startswith("medseg train ") for item in card.quality)


@pytest.mark.parametrize("name", MODELS)
def test_the_sample_stayed_out_of_training(name: str) -> None:
    card = read_card(settings.shipped_folder() / "models" / name)
    held_out = str(dict(card.trained)["held_out"])
    note = (settings.shipped_folder() / "samples" / name / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert held_out in note
    rows = (settings.shipped_folder() / "models" / name / "quality.csv").read_text(encoding="utf-8")
    assert held_out not in rows


def test_nothing_shipped_names_a_machine() -> None:
    for path in settings.shipped_folder().rglob("*"):
        if path.suffix in (".yaml", ".json", ".csv", ".md") or path.name == "LICENSE":
            text = path.read_text(encoding="utf-8")
            assert "/home/" not in text
            assert "/tmp/" not in text
            assert "/work/" not in text


@pytest.mark.slow
def test_the_demo(medseg: Medseg, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    seen = medseg("demo", "--out", out)
    assert seen.code == 0
    assert [line.strip() for line in seen.out.splitlines()[-3:]] == [
        str(out / name / "report.html") for name in ("hippocampus", "sarcoma", "cut")
    ]
    for name in ("hippocampus", "sarcoma", "cut"):
        files = {path.name for path in (out / name).iterdir()}
        wanted = {
            "mask.nii.gz",
            "mask.seg.json",
            "record.json",
            "contours.json",
            "measurements.csv",
            "report.html",
            "report.pdf",
        }
        assert wanted <= files
        again = medseg("report", out / name / "record.json", "--html", tmp_path / f"{name}.html")
        assert again.code == 0
        assert "No pictures" not in (tmp_path / f"{name}.html").read_text(encoding="utf-8")
    cut = api.read_record(out / "cut" / "record.json")
    volume = next(item for item in cut.measurements if item.quantity.value == "volume")
    assert volume.status.value == "truncated_lower_bound"
    page = (out / "sarcoma" / "report.html").read_text(encoding="utf-8")
    assert "Sample only" in page
    assert str(tmp_path) not in json.dumps(
        json.loads((out / "cut" / "record.json").read_text(encoding="utf-8"))["inputs"]
    )
    assert medseg("demo", "--out", out).code == 2


@pytest.mark.slow
def test_a_killed_segmentation_leaves_nothing(tmp_path: Path) -> None:
    sample = settings.shipped_folder() / "samples" / "sarcoma"
    channels: list[str] = []
    for name in ("mr", "pet"):  # wider than a window, so that it is still at work when it is stopped
        image = nib.load(sample / f"{name}.nii.gz")
        wide = np.tile(np.asanyarray(image.dataobj), (3, 3, 2))
        nib.save(nib.Nifti1Image(wide, image.affine), tmp_path / f"{name}.nii")
        channels += ["--channel", f"{name}={tmp_path / name}.nii"]
    before = sorted(tmp_path.iterdir())
    command = [*(sys.executable, "-m", "medseg", "segment", "sarcoma", "--same-space"), *channels]
    command += ["--out", str(tmp_path / "mask.nii.gz"), "-p", "overlap=0.9"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    time.sleep(4)
    running.send_signal(signal.SIGTERM)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "stopped" in err
    assert sorted(tmp_path.iterdir()) == before


def test_models_are_listed_with_their_cards(medseg: Medseg) -> None:
    seen = medseg("models")
    assert all(name in seen.out for name in MODELS)
    card = medseg("models", "hippocampus")
    assert "CC BY-SA 4.0" in card.out
    assert "research" in card.out.lower()
    assert medseg("info", "hippocampus", "--json").json["result"]["card"]["name"] == "hippocampus"


def test_a_model_refuses_what_does_not_fit(medseg: Medseg, ball: Path, tmp_path: Path) -> None:
    seen = medseg("segment", "sarcoma", ball, "--out", tmp_path / "m.nii.gz")
    assert seen.code == 2
    assert "needs channels mr, pet" in seen.line


def test_doctor_says_what_is_there(medseg: Medseg) -> None:
    seen = medseg("doctor", "--json")
    names = {item["name"]: item for item in seen.json["result"]}
    assert "torch 2." in names["extra models"]["found"]
    assert "3D convolution" in names
    assert names["model hippocampus"]["ok"]
    assert seen.code == 0
