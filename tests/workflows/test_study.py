"""What a folder or files offer to a window, from one look at their headers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import medseg
from medseg.domain import Grid, Image, Label, LabelTable, Run, Segmentation
from medseg.errors import Cancelled, InputError
from medseg.workflows.look import (
    DISPLAY_ONLY,
    full_range,
    grey_text,
    on_grid_for_display,
    windows_of,
    without_options,
)
from medseg.workflows.study import find_offers, image_of_mask, open_image, open_mask, open_recorded

SHAPE = (6, 5, 4)


def image(**traits: Any) -> Image:
    values = np.arange(120, dtype=np.int16).reshape(SHAPE)
    return Image(values, Grid(SHAPE, np.diag([2.0, 2.0, 3.0, 1.0])), **traits)


def mask() -> Segmentation:
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:4, 2:4, 1:3] = 1
    return Segmentation(labels, image().grid, LabelTable((Label(1, "liver"),)))


def test_a_folder_offers_images_masks_and_records_but_no_sidecars(tmp_path: Path) -> None:
    medseg.write(image(), tmp_path / "ct.nii.gz")
    medseg.write(mask(), tmp_path / "liver.nii.gz")
    medseg.workflows.measure_files(
        tmp_path / "liver.nii.gz", {"ct": tmp_path / "ct.nii.gz"}, tmp_path / "r.json"
    )
    (tmp_path / "notes.txt").write_text("no scan", encoding="utf-8")
    (tmp_path / "other.json").write_text(json.dumps({"a": 1}), encoding="utf-8")
    found = find_offers([tmp_path])
    assert [(offer.kind, offer.name) for offer in found] == [
        ("image", "ct"),
        ("mask", "liver"),
        ("record", "r"),
    ]
    assert not any(offer.fault for offer in found)
    assert open_image(found[0]).digest == image().digest
    assert open_mask(found[1]).table.labels[0].name == "liver"
    study = open_recorded(found[2])
    assert study.mask.digest == mask().digest
    assert [item.channel for item in study.images] == ["ct"]
    (tmp_path / "ct.nii.gz").unlink()
    (missing,) = open_recorded(found[2]).missing
    assert "does not exist" in missing


def test_any_file_of_whole_numbers_opens_as_a_mask(tmp_path: Path) -> None:
    medseg.write(mask(), tmp_path / "liver.nii.gz")
    (tmp_path / "liver.seg.json").unlink()
    (offer,) = find_offers([tmp_path / "liver.nii.gz"])
    assert offer.kind == "image"
    assert open_mask(offer).digest == mask().digest


def test_what_offers_nothing_says_why(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no scan", encoding="utf-8")
    for path, words in [
        (tmp_path, "holds nothing that medseg reads"),
        (tmp_path / "notes.txt", "no known format"),
        (tmp_path / "gone.nii", "does not exist"),
    ]:
        (offer,) = find_offers([path])
        assert words in offer.fault


def test_headers_are_read_once_for_each_file(data: Callable[[str], Path], monkeypatch: Any) -> None:
    from medseg.io.dicom import reader
    from medseg.io.dicom.image.headers import Header, read_header

    folder = data("dicom/ibsi_sts002")
    read: list[Path] = []
    told: list[tuple[int, int | None]] = []

    def counted(path: Path) -> Header | None:
        read.append(path)
        return read_header(path)

    monkeypatch.setattr(reader, "_SEEN", {})
    monkeypatch.setattr(reader, "read_header", counted)
    found = find_offers([folder], run=Run(progress=lambda done, total, what: told.append((done, total))))
    assert [offer.kind for offer in found] == ["image", "mask"] * 3
    first, *_ = (open_image(offer) for offer in found if offer.kind == "image")
    assert len(read) == len(set(read)) == len(told) == told[-1][1]
    drawn = open_mask(found[1], on=image_of_mask(found[1], [first]))
    assert drawn.grid.shape == first.grid.shape
    assert image_of_mask(found[3], [first]) is None


def test_looking_through_a_study_stops_between_two_files(data: Callable[[str], Path]) -> None:
    seen: list[int] = []
    run = Run(progress=lambda done, total, what: seen.append(done), cancel=lambda: len(seen) >= 3)
    with pytest.raises(Cancelled):
        find_offers([data("dicom/ibsi_sts002")], run=run)
    assert len(seen) == 3


def test_a_dataset_is_offered_case_by_case(data: Callable[[str], Path]) -> None:
    found = find_offers([data("hippocampus")])
    assert {offer.kind for offer in found} == {"case"}
    assert found[0].case is not None
    assert found[0].name == found[0].case.id


def test_uneven_slices_are_offered_resampled(data: Callable[[str], Path], tmp_path: Path) -> None:
    source = data("dicom/ibsi_sts002")
    files = sorted(file for file in source.rglob("*") if file.is_file())
    series = {}
    for file in files:
        for offer in find_offers([file]):
            if offer.source is not None and offer.source.modality == "CT":
                series[file] = offer
    for number, file in enumerate(sorted(series)[:8]):
        if number != 3:
            shutil.copy(file, tmp_path / file.name)
    (offer,) = find_offers([tmp_path])
    assert offer.uneven
    assert "missing" in offer.fault or offer.fault == "gap"
    assert open_image(offer, resample=True).array.shape[2] >= 7


@pytest.mark.parametrize(
    ("traits", "names"),
    [
        (
            {"modality": "CT", "value_unit": "[hnsf'U]"},
            ["soft tissue", "lung", "bone", "brain", "full range"],
        ),
        ({"modality": "PT", "value_unit": "g/ml{SUVbw}"}, ["SUV 0–7", "SUV 0–10", "full range"]),
        ({"modality": "MR"}, ["1–99 %", "5–95 %", "0.1–99.9 %", "full range"]),
    ],
)
def test_windows_follow_what_an_image_is(traits: dict[str, str], names: list[str]) -> None:
    found = windows_of(image(**traits))
    assert [item.name for item in found] == names
    assert all(item.high > item.low for item in found)
    assert (found[-1].low, found[-1].high) == full_range(image()) == (0.0, 119.0)


def test_values_are_said_with_their_unit() -> None:
    assert grey_text(image(value_unit="[hnsf'U]"), -1024) == "−1024 HU"
    assert grey_text(image(value_unit="g/ml{SUVbw}"), 2.5) == "2.5 SUVbw (g/ml)"
    assert grey_text(image(), float("nan")) == "no value"


def test_another_series_is_shown_on_the_grid_and_marked_so() -> None:
    ramp = np.broadcast_to(np.arange(10.0)[:, None, None], (10, 10, 10)).astype(np.float32)
    frame = {"frame_of_reference": "1.2.3"}
    moving = Image(ramp, Grid((10, 10, 10), np.diag([2.0, 2.0, 2.0, 1.0]), **frame), channel="pet")
    grid = Grid((12, 4, 4), np.diag([1.0, 1.0, 1.0, 1.0]), **frame)
    shown = on_grid_for_display(moving, grid)
    assert shown.array[4, 1, 1] == pytest.approx(2.0)
    assert [item.code for item in shown.findings] == [DISPLAY_ONLY]
    other = Grid((12, 4, 4), np.eye(4), frame_of_reference="9.9")
    with pytest.raises(InputError, match="another frame of reference"):
        on_grid_for_display(moving, other)
    unknown = Grid((12, 4, 4), np.eye(4))
    with pytest.raises(InputError, match="don't say"):
        on_grid_for_display(moving, unknown)
    assert on_grid_for_display(moving, unknown, same_space=True).grid is unknown


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("It is oblique.", "It is oblique."),
        ("The series mixes 2 stacks; pick one with --volume: a; b.", "The series mixes 2 stacks."),
        ("Slices are missing. Give --resample to fill them.", "Slices are missing."),
        ("measure it with 'medseg measure x'", ""),
    ],
)
def test_a_window_names_no_options_of_the_command_line(said: str, shown: str) -> None:
    assert without_options(said) == shown
