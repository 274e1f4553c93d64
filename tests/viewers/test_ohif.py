"""OHIF's own code draws what medseg measured: its extension for SR, and Cornerstone's adapters for SR and SEG.

`npm ci` in this folder installs them, as `./test` does.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Label, LabelTable, Measurement, Quantity, Record, Segmentation
from medseg.io.dicom.checked import checked_seg, checked_sr
from medseg.io.dicom.derived.attributes import Uids
from medseg.io.dicom.seg.write import SegOptions, make_seg
from medseg.io.dicom.sr.write import SrInput, make_sr
from medseg.workflows.measure import measure
from tests.io.dicom.sources import Data, Scene, scene

HERE = Path(__file__).parent
#: One object per slice, oblique; one of many frames; pixels that are not square, without a frame of reference.
SQUARE = ("axial", "oblique sagittal", "oblique multi-frame", "axial multi-frame, 23 columns")
NOT_SQUARE = "oblique, pixels 4.0 × 6.4"
_PATIENCE_S = 120


def drawn(scene: Scene, **objects: Path) -> dict[str, Any]:
    """What OHIF draws of objects over the series of a scene."""
    node = shutil.which("node")
    if node is None or not (HERE / "node_modules").is_dir():
        pytest.skip("Node and the viewers' packages are not installed: run npm ci in tests/viewers")
    asked = {
        "images": [str(path) for path in scene.files],
        **{name: str(path) for name, path in objects.items()},
    }
    command = [node, str(HERE / "ohif.mjs")]
    done = subprocess.run(
        command, input=json.dumps(asked), capture_output=True, text=True, timeout=_PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def written_sr(found: Scene, folder: Path, *, everything: bool = False) -> tuple[Path, Record]:
    record, uids = measure(found.mask), Uids("seed")
    seg = make_seg(found.mask, found.origin, SegOptions(uids=uids))
    sr = make_sr(record, SrInput(found.origin, seg, uids=uids, everything=everything))
    (folder / "sr.dcm").write_bytes(checked_sr(sr, record, everything=everything))
    return folder / "sr.dcm", record


def row(record: Record, target: str, quantity: Quantity) -> Measurement:
    return next(
        item for item in record.measurements if (item.target.name, item.quantity) == (target, quantity)
    )


def lps(item: Measurement) -> np.ndarray:
    return np.array(item.points_mm) * (-1, -1, 1)


@pytest.mark.parametrize("kind", [*SQUARE, NOT_SQUARE])
def test_the_adapter_draws_both_axes_where_they_were_measured(kind: str, data: Data, tmp_path: Path) -> None:
    found = scene(kind, data, tmp_path / "series")
    sr, record = written_sr(found, tmp_path)
    axes = [item for item in drawn(found, sr=sr)["adapter"] if item["tool"] == "Bidirectional"]
    assert len(axes) == 2
    for item, target in zip(axes, ("Ring", "Core ä"), strict=True):
        long = row(record, target, Quantity.LONGEST_DIAMETER)
        short = row(record, target, Quantity.SHORT_DIAMETER)
        points = np.array(item["points"])
        assert np.abs(points - np.concatenate([lps(long), lps(short)])).max() < 0.01
        for ends, wanted in ((points[:2], long), (points[2:], short)):
            assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(wanted.value, abs=0.01)
        if kind == NOT_SQUARE:
            assert "image" not in item
            continue
        stats = item["stats"]
        assert (stats["length"], stats["width"]) == pytest.approx((long.value, short.value), abs=0.01)
        assert (stats["unit"], stats["widthUnit"]) == ("mm", "mm")
        k = round(found.origin.grid.to_index(np.array(long.points_mm))[0, 2])
        number, frame = found.origin.slices[k]
        uid = found.origin.datasets[number].SOPInstanceUID
        assert item["image"] == f"wadors:/instances/{uid}/frames/{frame + 1}"


def test_the_adapter_puts_each_volume_at_the_centre_of_its_structure(data: Data, tmp_path: Path) -> None:
    found = scene("axial", data, tmp_path / "series")
    sr, record = written_sr(found, tmp_path)
    probes = [item for item in drawn(found, sr=sr)["adapter"] if item["tool"] == "Probe"]
    centroid = (Quantity.CENTROID_X, Quantity.CENTROID_Y, Quantity.CENTROID_Z)
    for item, target in zip(probes, ("Ring", "Core ä"), strict=True):
        wanted = [float(row(record, target, quantity).value or 0) for quantity in centroid]
        assert np.abs(np.array(item["points"]) - np.array(wanted) * (-1, -1, 1)).max() < 0.01
        assert item["label"].endswith(f"at least {row(record, target, Quantity.VOLUME).value:.4g} ml")


@pytest.mark.parametrize("everything", [False, True], ids=["--sr", "--sr-all"])
@pytest.mark.parametrize("kind", ["axial", "oblique multi-frame"])
def test_the_extension_of_ohif_draws_every_group(
    kind: str, everything: bool, data: Data, tmp_path: Path
) -> None:
    """One group without coordinates stops it, with an error that nobody sees."""
    found = scene(kind, data, tmp_path / "series")
    sr, record = written_sr(found, tmp_path, everything=everything)
    seen = drawn(found, sr=sr)["extension"]
    assert "error" not in seen, seen["error"]
    assert seen["rehydratable"]
    assert seen["referencedImages"] == len(found.origin.datasets)
    assert all(item["loaded"] for item in seen["listed"])
    assert {item["trackingUid"] for item in seen["drawn"]} == {item["trackingUid"] for item in seen["listed"]}
    ring = next(item for item in seen["listed"] if item["trackingIdentifier"] == "Ring")
    volume = row(record, "Ring", Quantity.VOLUME).value
    assert ring["labels"][0] == f"Volume from Voxel Summation: {volume:.2f} cm3"
    long = row(record, "Ring", Quantity.LONGEST_DIAMETER)
    of_ring = [item for item in seen["drawn"] if item["labels"][0].startswith("Ring")]
    axes = next(item for item in of_ring if any("Long Axis" in label for label in item["labels"]))
    assert np.abs(np.array(axes["shapes"]["POLYLINE"][0]) - lps(long)).max() < 0.01


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("axial", SegOptions("LABELMAP")),
        # 143 × 161 pixels: its bits end in the middle of a word, and the adapter refuses the byte that DICOM adds.
        ("oblique sagittal", SegOptions("BINARY")),
        ("oblique sagittal", SegOptions("LABELMAP", packing="NONE")),
        ("oblique multi-frame", SegOptions("BINARY")),
        ("oblique multi-frame", SegOptions("LABELMAP")),
        ("axial multi-frame, 23 columns", SegOptions("BINARY")),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.kind} {value.packing}",
)
def test_the_adapter_loads_every_voxel_of_a_seg(
    kind: str, options: SegOptions, data: Data, tmp_path: Path
) -> None:
    found = scene(kind, data, tmp_path / "series")
    mask = Segmentation(found.mask.labels, found.mask.grid, LabelTable((Label(1, "Ring"), Label(2, "Core"))))
    seg = make_seg(mask, found.origin, options)
    (tmp_path / "seg.dcm").write_bytes(checked_seg(seg, mask, found.origin))
    loaded = drawn(found, seg=tmp_path / "seg.dcm")["segments"]
    assert "refused" not in loaded, loaded
    assert loaded["voxels"] == {str(value): int((mask.labels == value).sum()) for value in (1, 2)}
    assert loaded["names"][:2] == ["Ring", "Core"]  # by position, as the viewer takes them
    assert not loaded["overlapping"]


def test_the_adapter_refuses_fractions_as_the_export_says(data: Data, tmp_path: Path) -> None:
    found = scene("axial multi-frame, 23 columns", data, tmp_path / "series")
    labels = found.mask.labels
    shares = np.stack([labels == 0, labels == 1, labels == 2]).astype(np.float32)
    shares[1] *= 0.75
    mask = Segmentation(labels, found.mask.grid, found.mask.table, probabilities=shares)
    seg = make_seg(mask, found.origin, SegOptions("FRACTIONAL"))
    (tmp_path / "seg.dcm").write_bytes(checked_seg(seg, mask, found.origin))
    loaded = drawn(found, seg=tmp_path / "seg.dcm")["segments"]
    assert loaded == {"refused": "Fractional segmentations are not yet supported"}
