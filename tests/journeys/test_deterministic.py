"""`--deterministic`: two runs in a shell give the same bytes, whichever backend, compiled anew or kept."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from medseg import settings

Data = Callable[[str], Path]
MR = settings.shipped_folder() / "samples" / "hippocampus" / "mr.nii.gz"
PLAIN = "nnunet/Dataset901_HippoTiny/nnUNetTrainer__nnUNetPlans__3d_fullres"


def shell(*words: object, home: Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with its own folders of models and of compiled networks."""
    own = {"XDG_DATA_HOME": str(home / "data"), "MEDSEG_CACHE_DIR": str(home / "cache")}
    told = [sys.executable, "-m", "medseg", *(str(word) for word in words)]
    return subprocess.run(told, capture_output=True, text=True, env={**os.environ, **own}, check=False)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("backend", ["openvino", "torch"])
@pytest.mark.parametrize("model", ["hippocampus", "nnU-Net"])
def test_two_runs_give_the_same_bytes(
    model: str, backend: str, threads: int, data: Data, tmp_path: Path
) -> None:
    if backend == "openvino":
        pytest.importorskip("openvino")
    name, image = "hippocampus", MR
    if model == "nnU-Net":
        name, image = "theirs", data("nnunet/input/hippocampus_035_0000.nii.gz")
        assert shell("models", "add", data(PLAIN), "--name", name, home=tmp_path).returncode == 0
    how = ("--backend", backend, "--threads", threads, "--deterministic", "--device", "cpu")
    kept = []
    for number in range(2):
        folder = tmp_path / str(number)
        out = folder / "mask.nii.gz"
        done = shell("segment", name, image, "--out", out, "--probabilities", *how, home=tmp_path)
        assert done.returncode == 0, done.stderr
        kept.append({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    assert {"mask.nii.gz", "mask.prob.nii.gz"} <= set(kept[0])
    for name in ("mask.nii.gz", "mask.prob.nii.gz", "mask.prob.json"):
        assert kept[0][name] == kept[1][name], name
