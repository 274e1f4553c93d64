"""A package by someone else: installed, seen, run, held to the contract, removed; a broken one stops nothing."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medseg.domain import Segmenter
from medseg.testing.contract import PROMISES, Promise, answers_on_the_native_grid
from medseg.testing.segmenters import Trial

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "examples" / "plugin"
PAGE = (ROOT / "docs" / "how-to" / "add-a-method.md").read_text(encoding="utf-8")
BROKEN = 'broken = "medseg_outliers:NOT_THERE"'

pytestmark = pytest.mark.slow


def python(*arguments: object, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """This interpreter, in which packages under `path` are installed."""
    environment = os.environ | ({"PYTHONPATH": str(path)} if path else {})
    command = [sys.executable, *(str(item) for item in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def installed(source: Path, target: Path) -> Path:
    done = python(
        "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", target, source
    )
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the example is installed; it goes with the folder."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(PLUGIN, folder / "source")
    return installed(source, folder / "installed")


def test_it_is_short() -> None:
    lines = (PLUGIN / "medseg_outliers.py").read_text(encoding="utf-8").splitlines()
    assert sum(bool(line.strip()) for line in lines) < 40


def test_it_is_listed_and_shown(place: Path) -> None:
    assert "Outliers" in python("-m", "medseg", "methods", path=place).stdout
    shown = python("-m", "medseg", "methods", "outliers", path=place).stdout
    assert "Hampel 1974" in shown
    assert "spread" in shown


def test_it_segments(place: Path, data: Callable[[str], Path], tmp_path: Path) -> None:
    scan, out = data("hippocampus/imagesTr/hippocampus_001.nii.gz"), tmp_path / "mask.nii.gz"
    done = python("-m", "medseg", "segment", "outliers", scan, "-p", "spread=2", "--out", out, path=place)
    assert done.returncode == 0, done.stderr
    assert '"outliers"' in (tmp_path / "mask.seg.json").read_text(encoding="utf-8")


def test_it_keeps_the_promises_of_every_segmenter(place: Path) -> None:
    done = python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, PLUGIN / "tests", path=place
    )
    assert done.returncode == 0, done.stdout
    assert "11 passed" in done.stdout


def test_removed_it_is_gone() -> None:
    assert "Outliers" not in python("-m", "medseg", "methods").stdout
    done = python("-m", "medseg", "methods", "outliers")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_a_broken_one_is_named_and_stops_nothing(tmp_path: Path) -> None:
    source = shutil.copytree(PLUGIN, tmp_path / "source")
    settings = (source / "pyproject.toml").read_text(encoding="utf-8")
    good = 'outliers = "medseg_outliers:OUTLIERS"'
    assert good in settings
    (source / "pyproject.toml").write_text(settings.replace(good, f"{good}\n{BROKEN}"), encoding="utf-8")
    place = installed(source, tmp_path / "installed")
    doctor = python("-m", "medseg", "doctor", path=place)
    assert doctor.returncode == 1
    (fault,) = [line for line in doctor.stdout.splitlines() if line.startswith("FAULT")]
    assert "broken" in fault
    assert "medseg-outliers" in fault
    listed = python("-m", "medseg", "methods", path=place)
    assert listed.returncode == 0
    assert "Outliers" in listed.stdout
    asked = python("-m", "medseg", "methods", "broken", path=place)
    assert asked.returncode == 2
    assert "can't be loaded" in asked.stderr


def test_the_how_to_shows_the_example_as_it_is() -> None:
    for name in ("medseg_outliers.py", "pyproject.toml", "tests/test_outliers.py"):
        code = (PLUGIN / name).read_text(encoding="utf-8").strip()
        assert code.removeprefix('"""The promises of every segmenter, on this one."""').strip() in PAGE, name


def shown(name: str) -> Segmenter:
    """A method of the how-to that is no file of the example: from seeds, from several channels."""
    (code,) = [part for part in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if f"\n{name} = " in part]
    assert sum(bool(line.strip()) for line in code.splitlines()) < 40
    names: dict[str, Any] = {}
    exec(code, names)
    found: Segmenter = names[name]
    return found


@pytest.mark.parametrize(
    ("name", "trial"),
    [("NEAREST_MEAN", Trial()), ("HOT_AND_BRIGHT", Trial({"uptake": 60, "brightness": 60}))],
    ids=["seeds", "channels"],
)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_the_other_methods_of_the_how_to_keep_the_promises(name: str, trial: Trial, promise: Promise) -> None:
    promise(shown(name), trial)


def test_a_method_that_takes_all_channels_to_be_on_one_grid_is_found_out() -> None:
    method = shown("HOT_AND_BRIGHT")
    type(method).segment.__globals__["resample"] = lambda array, source, target, fill: array
    with pytest.raises(ValueError, match="broadcast"):
        answers_on_the_native_grid(method, Trial({"uptake": 60, "brightness": 60}))


@pytest.fixture(scope="module")
def npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader and writer of the how-to, as an installed package."""
    page = (ROOT / "docs" / "how-to" / "add-a-reader-or-writer.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    folder = tmp_path_factory.mktemp("npz")
    (folder / "medseg_npz.py").write_text(code, encoding="utf-8")
    told = folder / "medseg_npz-0.1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: medseg-npz\nVersion: 0.1\n", encoding="utf-8"
    )
    points = page.split("```toml\n")[1].split("```")[0]
    points = points.replace("project.entry-points.", "").replace('"', "")
    (told / "entry_points.txt").write_text(points, encoding="utf-8")
    return folder


def test_the_format_of_the_how_to_goes_there_and_back(npz: Path, tmp_path: Path) -> None:
    import nibabel as nib
    import numpy as np

    affine = np.array([[0, 0, -2.5, 10], [-0.9, 0, 0, 20], [0, 1.1, 0, -5], [0, 0, 0, 1]])
    values = np.random.default_rng(0).integers(-999, 999, (4, 5, 6)).astype(np.int16)
    image = nib.Nifti1Image(values, affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "a.nii.gz")
    for given, out in (("a.nii.gz", "b.npz"), ("b.npz", "c.nii.gz")):
        done = python("-m", "medseg", "convert", tmp_path / given, tmp_path / out, path=npz)
        assert done.returncode == 0, done.stderr
    back = nib.load(tmp_path / "c.nii.gz")
    np.testing.assert_allclose(back.affine, affine, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(back.dataobj), values)
    masked = python(
        "-m", "medseg", "segment", "otsu", tmp_path / "b.npz", "--out", tmp_path / "m.npz", path=npz
    )
    assert masked.returncode == 0, masked.stderr
    (tmp_path / "cut.npz").write_bytes((tmp_path / "b.npz").read_bytes()[:200])
    cut = python("-m", "medseg", "info", tmp_path / "cut.npz", path=npz)
    assert "Traceback" not in cut.stderr
    refused = python("-m", "medseg", "convert", tmp_path / "cut.npz", tmp_path / "d.nii.gz", path=npz)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
