"""Every configuration of nnU-Net against its own predictions, on models that `benchmarks/nnunet_oracle.py` trains.

Two channels, thick slices, oblique and flipped files, several folds, 2D networks, low resolution and cascade, regions,
torch's interpolation, other orders of axes, and pictures. Skipped where the folders are not there.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medseg.io import read_segmentation
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
Data = Callable[[str], Path]
#: nnU-Net's own probabilities within this of the decision are ties.
TIE = 1e-3

CONFIGURATIONS = [
    ("Dataset911_Thick", "2d", "911_2d", ("CT", "MRI")),
    ("Dataset911_Thick", "3d_fullres", "911_3d_fullres", ("CT", "MRI")),
    ("Dataset912_Cascade", "3d_lowres", "912_3d_lowres", ("zscore",)),
    ("Dataset912_Cascade", "3d_cascade_fullres", "912_3d_cascade_fullres", ("zscore",)),
    ("Dataset913_Regions", "3d_fullres", "913_3d_fullres", ("rescale_to_0_1", "noNorm")),
    ("Dataset914_Pictures", "2d", "914_2d", ("image",)),
]


def margin(npz: Path, *, regions: bool) -> np.ndarray:
    """How far probabilities lie from the decision, (I, J, K)."""
    shares = np.load(npz)["probabilities"]
    ordered = np.sort(shares, axis=0)
    gap = np.abs(shares - 0.5).min(axis=0) if regions else ordered[-1] - ordered[-2]
    return gap.transpose(2, 1, 0)


@pytest.mark.slow
@pytest.mark.parametrize("mirror", [False, True], ids=["plain", "mirrored"])
@pytest.mark.parametrize(
    ("dataset", "configuration", "name", "channels"), CONFIGURATIONS, ids=[row[2] for row in CONFIGURATIONS]
)
def test_labels_are_nnunets_in_every_configuration(
    dataset: str,
    configuration: str,
    name: str,
    channels: tuple[str, ...],
    mirror: bool,
    data: Data,
    medseg: Medseg,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    model = data(f"nnunet_more/{dataset}/nnUNetTrainer__nnUNetPlans__{configuration}")
    assert medseg("models", "add", model, "--name", "theirs").code == 0
    expected = data(f"nnunet_more/expected/{name}_mirror{int(mirror)}")
    masks = sorted(path for path in expected.iterdir() if path.suffix in (".gz", ".png"))
    assert masks
    counts = np.zeros(4, np.int64)
    for mask in masks:
        case, _, ending = mask.name.partition(".")
        files = [
            data(f"nnunet_more/input/{dataset}/images/{case}_{number:04d}.{ending}")
            for number in range(len(channels))
        ]
        given = [
            part
            for pair in zip(channels, files, strict=True)
            for part in ("--channel", "=".join(map(str, pair)))
        ]
        out = tmp_path / f"{case}.{ending}"
        words = ["--out", out, "--same-space", "-p", f"mirror={str(mirror).lower()}"]
        seen = medseg("segment", "theirs", *(given if len(files) > 1 else files), *words)
        assert seen.code == 0, seen.err
        found, theirs = read_segmentation(out).labels, read_segmentation(mask).labels
        foreground = (found > 0) | (theirs > 0)
        sure = foreground & (margin(expected / f"{case}.npz", regions="Regions" in dataset) > TIE)
        same = found == theirs
        counts += [same[foreground].sum(), foreground.sum(), same[sure].sum(), sure.sum()]
    assert counts[0] / counts[1] >= 0.999
    assert counts[2] / counts[3] >= 0.9999
