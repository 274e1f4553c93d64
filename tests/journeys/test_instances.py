"""Objects with numbers, from an image to a row for each: by methods, and by the network that ships."""

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
#: Centres in mm and radii of two balls that touch, and of one that stands alone.
BALLS = (((20, 24, 24), 12.0), ((42, 24, 24), 11.0), ((70, 24, 24), 8.0))


def balls(shape: tuple[int, int, int] = (84, 48, 48), spacing: tuple[float, ...] = (1, 1, 1)) -> np.ndarray:
    """Ids of the balls, on a grid whose first voxel lies at half a step."""
    places = [(np.arange(n) + 0.5) * step for n, step in zip(shape, spacing, strict=True)]
    at = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1)
    ids = np.zeros(shape, np.uint8)
    for number, (centre, radius) in enumerate(BALLS, start=1):
        ids[((at - np.array(centre)) ** 2).sum(axis=-1) <= radius**2] = number
    return ids


def scan(
    path: Path, shape: tuple[int, int, int] = (84, 48, 48), spacing: tuple[float, ...] = (1, 1, 1)
) -> Path:
    """A synthetic scan of the balls, bright on dark with noise."""
    values = (balls(shape, spacing) > 0) * 100 + np.random.default_rng(0).normal(0, 5, shape)
    image = nib.Nifti1Image(values.astype(np.float32), np.diag([*spacing, 1.0]))
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(exist_ok=True)
    nib.save(image, path)
    return path


@pytest.mark.parametrize("name", ["split-objects", "touching-objects"])
def test_each_object_is_a_label_and_a_row(medseg: Medseg, tmp_path: Path, name: str) -> None:
    image, mask, objects = (
        scan(tmp_path / "scan.nii.gz"),
        tmp_path / "mask.nii.gz",
        tmp_path / "objects.nii.gz",
    )
    seen = medseg("segment", name, image, "--out", mask, "--objects", objects, "--json")
    assert seen.code == 0, seen.err
    assert sum(label["objects"] for label in seen.json["result"]["labels"]) == 3
    assert medseg("measure", objects, "--image", image, "--out", tmp_path / "record.json").code == 0
    found = {
        item.target.name: item.value
        for item in api.read_record(tmp_path / "record.json").measurements
        if item.quantity.value == "volume" and item.target.kind == "label"
    }
    expected = sorted(4 / 3 * np.pi * radius**3 / 1000 for _, radius in BALLS)
    assert sorted(value or 0 for value in found.values()) == pytest.approx(expected, rel=0.12)


@pytest.mark.parametrize(("name", "param"), [("supervoxels", "size_mm=16"), ("watershed", "depth=0.2")])
def test_numbered_parts_are_labels_too(medseg: Medseg, tmp_path: Path, name: str, param: str) -> None:
    image, objects = scan(tmp_path / "scan.nii.gz"), tmp_path / "objects.nii.gz"
    out = ("--out", tmp_path / "mask.nii.gz", "--objects", objects)
    seen = medseg("segment", name, image, *out, "-p", param, "--json")
    parts = api.read_segmentation(objects)
    assert len(parts.table.labels) == seen.json["result"]["labels"][0]["objects"] > 1
    assert ((parts.labels > 0) == (api.read_segmentation(tmp_path / "mask.nii.gz").labels > 0)).all()


def test_objects_are_named_numbers_of_one_region(medseg: Medseg, tmp_path: Path) -> None:
    image, objects = scan(tmp_path / "scan.nii.gz"), tmp_path / "objects.nii.gz"
    seen = medseg("segment", "split-objects", image, "--out", tmp_path / "mask.nii.gz", "--objects", objects)
    assert "objects" in seen.out
    found = api.read_segmentation(objects)
    mask = api.read_segmentation(tmp_path / "mask.nii.gz")
    assert [label.value for label in found.table.labels] == [1, 2, 3]
    (region,) = found.table.regions
    assert region.name == mask.table.labels[0].name
    assert ((found.labels > 0) == (mask.labels > 0)).all()
    assert found.made_by.segmenter == "split-objects"
    sizes = np.bincount(found.labels.ravel())[1:]
    assert (np.diff(sizes) < 0).all()


def test_lesions_by_their_numbers(medseg: Medseg, tmp_path: Path) -> None:
    """Touching objects stay two lesions, where components of the mask would be one."""
    image, objects = scan(tmp_path / "scan.nii.gz"), tmp_path / "objects.nii.gz"
    mask = tmp_path / "mask.nii.gz"
    medseg("segment", "split-objects", image, "--out", mask, "--objects", objects)
    counts = {}
    for path in (mask, objects):
        record = tmp_path / f"{path.name}.json"
        assert medseg("measure", path, "--lesions", "all", "--out", record).code == 0
        rows = api.read_record(record).measurements
        counts[path.name] = len({(i.target.name, i.target.lesion) for i in rows if i.target.kind == "lesion"})
    assert counts == {"mask.nii.gz": 2, "objects.nii.gz": 3}


def test_many_cases_have_their_objects_in_a_folder(medseg: Medseg, tmp_path: Path) -> None:
    for name in ("a", "b"):
        scan(tmp_path / "scans" / f"{name}.nii.gz")
    arguments = ["segment", "split-objects", tmp_path / "scans", "--out", tmp_path / "masks"]
    objects = ["--objects", tmp_path / "objects"]
    assert medseg(*arguments, *objects).code == 0
    assert {path.name for path in (tmp_path / "objects").glob("*.nii.gz")} == {"a.nii.gz", "b.nii.gz"}
    assert medseg(*arguments, *objects, "--json").json["result"]["cases"][0]["state"] == "kept"
    (tmp_path / "objects" / "a.nii.gz").unlink()
    cases = medseg(*arguments, *objects, "--json").json["result"]["cases"]
    assert [case["state"] for case in cases] == ["made again", "kept"]
    assert "without its objects" in cases[0]["reason"]


def test_a_method_without_objects_says_who_has_them(medseg: Medseg, tmp_path: Path, ball: Path) -> None:
    out, objects = tmp_path / "mask.nii.gz", tmp_path / "objects.nii.gz"
    seen = medseg("segment", "otsu", ball, "--out", out, "--objects", objects)
    assert seen.code == 2
    assert "split-objects" in seen.line
    assert not out.exists()
    assert not objects.exists()


def test_what_exists_stays(medseg: Medseg, tmp_path: Path, ball: Path) -> None:
    objects = tmp_path / "objects.nii.gz"
    objects.write_bytes(b"mine")
    seen = medseg("segment", "split-objects", ball, "--out", tmp_path / "mask.nii.gz", "--objects", objects)
    assert seen.code != 0
    assert "exists" in seen.line
    assert objects.read_bytes() == b"mine"
    assert not (tmp_path / "mask.nii.gz").exists()


class TestShippedModel:
    """touching-objects: small, documented, measured, and said to have seen phantoms only."""

    def test_its_card(self, medseg: Medseg) -> None:
        folder = settings.shipped_folder() / "models" / "touching-objects"
        card = read_card(folder)
        assert sum(path.stat().st_size for path in (folder / "weights").iterdir()) <= 8_000_000
        assert {"LICENSE", "plan.yaml", "quality.csv"} <= {path.name for path in folder.iterdir()}
        assert "phantoms only" in card.summary
        assert "phantoms" in card.title
        assert any("no picture of a patient" in limit for limit in card.limits)
        (quality,) = card.quality
        assert quality.command == "medseg train touching_objects --out RUN"
        assert quality.low is not None
        assert quality.low >= 0.75
        assert "touching-objects" in medseg("models").out

    def test_the_figure_is_that_of_its_table(self) -> None:
        import csv

        from medseg.training.phantom_quality import WAYS, ObjectCount, f1_of

        folder = settings.shipped_folder() / "models" / "touching-objects"
        with (folder / "quality.csv").open(encoding="utf-8") as file:
            rows = [
                ObjectCount(
                    row["case"], row["way"], *(int(row[key]) for key in ("objects", "given", "fitting"))
                )
                for row in csv.DictReader(file)
            ]
        by_way = {way: f1_of([row for row in rows if row.way == way]) for way in WAYS}
        assert by_way["network"] == pytest.approx(read_card(folder).quality[0].mean)
        assert by_way["network"] > max(by_way[way] for way in WAYS[1:])

    @pytest.mark.parametrize(
        ("shape", "spacing"),
        [((84, 48, 48), (1, 1, 1)), ((28, 16, 24), (3, 3, 2)), ((105, 60, 12), (0.8, 0.8, 4))],
        ids=str,
    )
    def test_any_spacing_has_its_three_objects(
        self, tmp_path: Path, shape: tuple[int, int, int], spacing: tuple[float, ...]
    ) -> None:
        image = api.read(scan(tmp_path / "scan.nii.gz", shape, spacing))
        found = api.segment("touching-objects", image)
        truth = balls(shape, spacing)
        assert found.instances is not None
        assert len(np.unique(found.instances)) == 4
        for number in (1, 2, 3):
            inside = truth == number
            best = found.instances == np.bincount(found.instances[inside]).argmax()
            assert (inside & best).sum() / (inside | best).sum() > 0.7

    def test_nothing_there_gives_nothing(self) -> None:
        grid = api.Grid((40, 40, 40), np.diag([2.0, 2.0, 2.0, 1.0]))
        noise = np.random.default_rng(0).normal(0, 1, grid.shape).astype(np.float32)
        found = api.segment("touching-objects", api.Image(noise, grid))
        assert not found.labels.any()
        assert found.instances is not None
        assert not found.instances.any()
