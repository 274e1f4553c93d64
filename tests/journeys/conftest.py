"""Run the command line as a user does, and see what a user sees."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg import cli


@dataclass(frozen=True)
class Seen:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def line(self) -> str:
        """The one line of an error."""
        lines = [line for line in self.err.splitlines() if line.startswith("medseg")]
        assert len(lines) == 1, self.err
        return lines[0]


@pytest.fixture
def medseg(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Seen]:
    def run(*arguments: object) -> Seen:
        monkeypatch.setattr(sys, "argv", ["medseg", *(str(item) for item in arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        seen = capfd.readouterr()
        return Seen(int(end.value.code or 0), seen.out, seen.err)

    return run


@pytest.fixture
def ball(tmp_path: Path) -> Path:
    """A synthetic scan: a bright ball of radius 8 mm on 1 × 1 × 2 mm, as NIfTI."""
    import nibabel as nib

    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    i, j, k = np.indices((40, 40, 20))
    inside = (i - 20) ** 2 + (j - 20) ** 2 + (2 * (k - 10)) ** 2 <= 8**2
    values = (inside * 100 + np.random.default_rng(0).normal(0, 5, inside.shape)).astype(np.float32)
    image = nib.Nifti1Image(values, affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, 1)
    path = tmp_path / "ball.nii.gz"
    nib.save(image, path)
    return path
