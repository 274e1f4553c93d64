"""The worked example of clustering: docs/how-to/brain-tissue.md, run as it is written, with its figures."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg import read, read_segmentation
from medseg.workflows.segment import segment

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "brain-tissue.md").read_text(
    encoding="utf-8"
)
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.S) for line in block.splitlines()]

pytestmark = pytest.mark.slow


def millilitres(path: Path) -> list[float]:
    found = read_segmentation(path)
    counts = np.bincount(found.labels.ravel(), minlength=4)[1:4]
    return [float(count) * found.grid.voxel_volume / 1000 for count in counts]


def test_the_page_runs_as_written(
    medseg: Any, data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(data("pyradiomics/brain1_image.nrrd"), tmp_path / "t1.nrrd")
    shutil.copy(data("hippocampus/imagesTr/hippocampus_003.nii.gz"), tmp_path / "crop.nii.gz")
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        seen = medseg(*shlex.split(command)[1:])
        assert seen.code == 0, seen.err
    fluid, brain, bright = millilitres(tmp_path / "tissue.nii.gz")
    assert f"| {fluid:.0f} |" in PAGE
    assert f"| {brain:.0f} |" in PAGE
    assert f"| {bright:.0f} |" in PAGE
    assert f"{fluid + brain + bright:.0f} ml are brain" in PAGE
    assert "{:.0f}, {:.0f} and {:.0f} ml".format(*millilitres(tmp_path / "even.nii.gz")) in PAGE


@pytest.mark.parametrize(
    ("deviations", "said"), [("equal", "In {over} of them"), ("own", "over 0.8 in {over}:")]
)
def test_the_hippocampus_is_grey_matter(data: Callable[[str], Path], deviations: str, said: str) -> None:
    images = sorted(data("hippocampus/imagesTr").glob("*.nii.gz"))[1:40:2]
    shares = []
    for path in images:
        reference = read_segmentation(data(f"hippocampus/labelsTr/{path.name}")).labels > 0
        grey = segment("gaussian-mixture", read(path), params={"deviations": deviations}).labels == 2
        shares.append(grey[reference].mean())
    assert len(shares) == 20
    assert said.format(over=sum(share > 0.8 for share in shares)) in PAGE
    if deviations == "equal":
        assert f"class 2 is {np.median(shares):.2f}." in PAGE
