"""Public sets of pictures in their own folders, by their own numbers: made examples, read as is meant."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from medseg.domain import Dataset
from medseg.errors import InputError, LabelError
from medseg.io import is_dataset, open_dataset
from medseg.io.datasets import check_dataset, make_split, read_channel, read_reference
from medseg.io.datasets.publictables import public_table
from medseg.training import load_config, open_data, train
from medseg.training.check import read_findings
from medseg.workflows.aside import reference_files
from medseg.workflows.convert_set import convert_set
from medseg.workflows.info import info
from medseg.workflows.plan import plan_files

WIDTH, HEIGHT = 48, 40


def picture(path: Path, rows: np.ndarray, seed: int = 0) -> None:
    """A picture in colour whose brightness follows the mask."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, *path.name.encode(), *path.parent.name.encode()])
    base = 40 + 40 * (np.unique(rows, return_inverse=True)[1].reshape(rows.shape) % 5)
    values = base[..., None] + rng.integers(0, 30, (*rows.shape, 3))
    Picture.fromarray(values.astype(np.uint8)).save(path)


def mask(path: Path, rows: np.ndarray, *, palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Picture.fromarray(rows.astype(np.uint8))
    if palette:
        made.putpalette(list(range(256)) * 3)
    made.save(path)


def halves(left: int, right: int, strip: int | None = None) -> np.ndarray:
    """Rows whose left half has one value and whose right half another; the last four rows have a third."""
    rows = np.full((HEIGHT, WIDTH), left)
    rows[:, WIDTH // 2 :] = right
    if strip is not None:
        rows[-4:] = strip
    return rows


def cityscapes(root: Path, numbers: str = "labelIds", kind: str = "gtFine") -> Path:
    """Two cities, of the first two sequences; road beside car, a strip of `static` that nobody judges."""
    road, car, static = (7, 26, 4) if numbers == "labelIds" else (0, 13, 255)
    for part, city, sequence, frame in (
        ("train", "aachen", 0, 19),
        ("train", "aachen", 1, 19),
        ("train", "aachen", 1, 20),
        ("val", "ulm", 0, 19),
        ("test", "bonn", 0, 19),
    ):
        name = f"{city}_{sequence:06}_{frame:06}"
        rows = halves(road, car, static)
        picture(root / f"leftImg8bit/{part}/{city}/{name}_leftImg8bit.png", rows, frame)
        mask(root / f"{kind}/{part}/{city}/{name}_{kind}_{numbers}.png", rows)
        mask(root / f"{kind}/{part}/{city}/{name}_{kind}_instanceIds.png", rows)
    return root


def coarse(root: Path) -> Path:
    return cityscapes(root, kind="gtCoarse")


def by_training(root: Path) -> Path:
    return cityscapes(root, "labelTrainIds")


def kitti(root: Path) -> Path:
    """Four pictures of two drives, and one of which nobody knows the drive."""
    for number in range(4):
        picture(root / f"training/image_2/{number:06}_10.png", halves(7, 26, 4), number)
        mask(root / f"training/semantic/{number:06}_10.png", halves(7, 26, 4))
    drives = ["2011_09_26_drive_0005_sync", "2011_09_26_drive_0005_sync", "2011_09_28_drive_0001_sync", ""]
    lines = [f"2011_09_26 {drive} {9 * line:010}" if drive else "" for line, drive in enumerate(drives)]
    (root / "mapping").mkdir()
    (root / "mapping/train_mapping.txt").write_text("\n".join(lines))
    return root


def ade20k(root: Path) -> Path:
    """Wall beside person, a strip of no class."""
    for part, name in (
        ("training", "ADE_train_00000001"),
        ("training", "ADE_train_00000002"),
        ("validation", "ADE_val_00000001"),
        ("validation", "ADE_val_00000002"),
    ):
        picture(root / f"images/{part}/{name}.jpg", halves(1, 13, 0))
        mask(root / f"annotations/{part}/{name}.png", halves(1, 13, 0))
    return root


def youtubevos(root: Path) -> Path:
    """Two videos; in the first object 1 is a zebra and 2 a dog, in the second it is the other way round."""
    videos = {"0a1b": {"1": "zebra", "2": "dog"}, "ff00": {"1": "dog", "2": "zebra"}, "c0de": {"1": "dog"}}
    for video, objects in videos.items():
        for frame in (0, 5):
            number = {name: int(key) for key, name in objects.items()}
            rows = halves(number["dog"], number.get("zebra", 0), 0)
            picture(root / f"train/JPEGImages/{video}/{frame:05}.jpg", rows, frame)
            mask(root / f"train/Annotations/{video}/{frame:05}.png", rows, palette=True)
    meta = {
        "videos": {
            video: {
                "objects": {key: {"category": name, "frames": ["00000"]} for key, name in objects.items()}
            }
            for video, objects in videos.items()
        }
    }
    (root / "train/meta.json").write_text(json.dumps(meta))
    return root


def voc(root: Path) -> Path:
    """Aeroplane beside person, the border undecided."""
    for name in ("2007_000032", "2007_000033", "2007_000039"):
        picture(root / f"JPEGImages/{name}.jpg", halves(1, 15, 255))
        mask(root / f"SegmentationClass/{name}.png", halves(1, 15, 255), palette=True)
    (root / "ImageSets/Segmentation").mkdir(parents=True)
    (root / "ImageSets/Segmentation/train.txt").write_text("2007_000032\n2007_000033\n2007_000039\n")
    return root


def coco_entry(number: int) -> dict[str, Any]:
    return {"id": number, "file_name": f"{number:012}.jpg", "width": WIDTH, "height": HEIGHT}


def coco(root: Path) -> Path:
    """A person beside a dog, and a crowd of persons below that covers a part of the person."""
    for number in (1, 2, 3):
        picture(root / f"val2017/{number:012}.jpg", halves(1, 2, 3))
    half = WIDTH // 2
    person, dog, both, crowd = (
        [[left, top, right, top, right, low, left, low]]
        for left, top, right, low in (
            (0, 0, half, HEIGHT - 4),
            (half, 0, WIDTH, HEIGHT - 4),
            (half - 2, HEIGHT - 6, half, HEIGHT - 4),
            (0, HEIGHT - 8, WIDTH, HEIGHT),
        )
    )
    outlines = [
        {"category_id": 1, "iscrowd": 0, "segmentation": person},
        {"category_id": 18, "iscrowd": 0, "segmentation": dog},
        {"category_id": 1, "iscrowd": 0, "segmentation": both},
        {"category_id": 1, "iscrowd": 1, "segmentation": crowd},
    ]
    annotations = [
        item | {"id": 10 * n + at, "image_id": n} for n in (1, 2, 3) for at, item in enumerate(outlines)
    ]
    return coco_file(root / "annotations/instances_val2017.json", annotations)


def coco_file(path: Path, annotations: list[dict[str, Any]]) -> Path:
    content = {
        "info": {},
        "images": [coco_entry(number) for number in (1, 2, 3)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path.parent.parent


def panoptic(root: Path) -> Path:
    """The same in segments: a person (id 300), a dog (70 000), the last rows void."""
    for number in (1, 2, 3):
        rows = halves(300, 70_000, 0)
        picture(root / f"val2017/{number:012}.jpg", rows)
        colours = np.stack([rows & 255, rows >> 8 & 255, rows >> 16], axis=-1).astype(np.uint8)
        path = root / f"annotations/panoptic_val2017/{number:012}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Picture.fromarray(colours).save(path)
    segments = [
        {"id": 300, "category_id": 1, "iscrowd": 0},
        {"id": 70_000, "category_id": 18, "iscrowd": 0},
    ]
    annotations = [
        {"image_id": number, "file_name": f"{number:012}.png", "segments_info": segments}
        for number in (1, 2, 3)
    ]
    return coco_file(root / "annotations/panoptic_val2017.json", annotations)


#: How it is made → kind, subjects, labels on the left and on the right, voxels that nobody judged, cases with a mask.
SETS: dict[str, tuple[Callable[[Path], Path], str, tuple[str, ...], str, str, int]] = {
    "cityscapes": (
        cityscapes, "cityscapes", ("aachen_000000", "aachen_000001", "bonn_000000", "ulm_000000"), "road", "car", 4,
    ),
    "cityscapes, coarse": (
        coarse, "cityscapes", ("aachen_000000", "aachen_000001", "bonn_000000", "ulm_000000"), "road", "car", 4,
    ),
    "cityscapes, for training": (
        by_training, "cityscapes", ("aachen_000000", "aachen_000001", "bonn_000000", "ulm_000000"), "road", "car", 4,
    ),
    "kitti": (
        kitti, "kitti", ("000003_10", "2011_09_26_drive_0005_sync", "2011_09_28_drive_0001_sync"), "road", "car", 4,
    ),
    "ade20k": (
        ade20k, "ade20k",
        ("ADE_train_00000001", "ADE_train_00000002", "ADE_val_00000001", "ADE_val_00000002"), "wall", "person", 4,
    ),
    "voc": (voc, "voc", ("2007_000032", "2007_000033", "2007_000039"), "aeroplane", "person", 4),
    "coco": (coco, "coco", tuple(f"{n:012}" for n in (1, 2, 3)), "person", "dog", 4),
    "coco, panoptic": (panoptic, "coco", tuple(f"{n:012}" for n in (1, 2, 3)), "person", "dog", 4),
    "youtubevos": (youtubevos, "youtubevos", ("0a1b", "c0de", "ff00"), "dog", "zebra", 0),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_every_set_is_read_as_its_publisher_means_it(name: str, tmp_path: Path) -> None:
    make, kind, subjects, left, right, strip = SETS[name]
    root = make(tmp_path / "set")
    assert is_dataset(root)
    dataset = open_dataset(root)
    assert (dataset.kind, dataset.subjects, dataset.channels) == (kind, subjects, ("R", "G", "B"))
    assert dataset.table is not None
    value = {label.name: label.value for label in dataset.table.labels}
    for case in dataset.cases:
        if case.reference is None:
            assert case.id.startswith("bonn")  # withheld by the publisher
            continue
        image = read_channel(case.images[0])
        found, ignored = read_reference(case, dataset.table, on=image)
        assert found.grid.shape == image.grid.shape == (WIDTH, HEIGHT, 1)
        upper = found.labels[:, : HEIGHT - 8, 0]
        assert set(np.unique(upper[: WIDTH // 2])) == {value[left]}
        if case.subject != "c0de":
            assert set(np.unique(upper[WIDTH // 2 :])) == {value[right]}
        rows = 0 if ignored is None else int(ignored[0].sum())
        assert rows == strip
        if ignored is not None:
            assert ignored[:, HEIGHT - 4 :].all()
            assert not found.labels[ignored].any()
    told = [item for found in check_dataset(dataset).values() for item in found]
    assert not [item for item in told if item.severity == "error"]
    assert bool([item for item in told if item.code == "labels.ignored"]) == bool(strip)


@pytest.mark.parametrize("name", SETS)
def test_no_scene_and_no_video_stands_in_two_folds(name: str, tmp_path: Path) -> None:
    dataset = open_dataset(SETS[name][0](tmp_path / "set"))
    split = make_split(dataset, folds=2)
    assert sorted(subject for fold in split.folds for subject in fold) == list(dataset.subjects)


@pytest.mark.parametrize("name", SETS)
def test_info_and_plan_know_every_set(name: str, tmp_path: Path) -> None:
    root = SETS[name][0](tmp_path / "set")
    assert info(root).kind == "dataset"
    plan_files(root, tmp_path / "plan.yaml", trial=False)
    config: Any = load_config(tmp_path / "plan.yaml")
    assert (config.network.dimensions, config.grid.spacing) == (2, None)
    assert [label.value for label in config.labels.labels] == list(table_of(root).values)


def table_of(root: Path) -> Any:
    return open_dataset(root).table


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_a_few_steps_are_learned_from_every_set(name: str, tmp_path: Path) -> None:
    from medseg.domain import Run

    root = SETS[name][0](tmp_path / "set")
    plan_files(root, tmp_path / "plan.yaml", trial=False)
    few = ["loop.steps=4", "loop.checkpoint_every=2", "network.filters=[4,4,8]", "data.folds=2"]
    few += ["network.strides=[[1,1],[2,2],[2,2]]", "network.kernels=[[3,3],[3,3],[3,3]]"]
    few += ["network.deep_supervision=0", "grid.window=[32,32]", "loop.batch=2"]
    config: Any = load_config(tmp_path / "plan.yaml", few)
    dataset = open_data(config)
    bundle = train(config, dataset, tmp_path / "run", Run(device="cpu"), fold=0)
    rows = json.loads((tmp_path / "run/fold0/dice.json").read_text("utf-8"))
    judged = sum(row["reference_voxels"] for row in rows)
    held = {row["subject"] for row in rows}
    cases = [case for case in dataset.cases if case.subject in held and case.reference is not None]
    assert bundle.is_dir()
    told = [item.message for item in read_findings(tmp_path / "run") if item.code == "train.no_reference"]
    assert len(told) == (dataset.kind == "cityscapes")
    # Of every case all pixels are judged and labelled but the strip, and in one video the half without a zebra.
    full = (HEIGHT - 4) * WIDTH
    assert judged == sum(full // 2 if case.subject == "c0de" else full for case in cases)


def test_tables_are_those_of_the_publishers() -> None:
    streets, scenes = public_table("cityscapes"), public_table("ade20k")
    assert (len(streets.table.labels), len(streets.ignored), len(scenes.table.labels)) == (19, 15, 150)
    assert [label.value for label in scenes.table.labels] == list(range(1, 151))
    assert [number for number, _ in streets.train] == list(range(19))
    names = {label.value: label.name for label in streets.table.labels}
    assert [names[value] for _, value in streets.train] == [
        "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation",
        "terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
    ]  # fmt: skip
    assert {label.value: label.color for label in streets.table.labels}[26] == (0, 0, 142)
    assert [(item.name, item.color) for item in scenes.table.labels][::149] == [
        ("wall", (120, 120, 120)),
        ("flag", (92, 0, 255)),
    ]


def test_a_kitti_without_drives_takes_each_picture_for_a_subject(tmp_path: Path) -> None:
    root = kitti(tmp_path)
    (root / "mapping/train_mapping.txt").unlink()
    assert open_dataset(root).subjects == tuple(f"{n:06}_10" for n in range(4))


# What is not as it should be


def read_all(dataset: Dataset) -> None:
    for case in dataset.cases:
        read_reference(case, dataset.table, on=read_channel(case.images[0]))


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


#: Set, file in it, what is put in whose place (all, where it is empty) → what is said.
BROKEN = [
    (youtubevos, "train/meta.json", "", "{", "can't be read as JSON"),
    (youtubevos, "train/meta.json", "", "[]", "holds a list"),
    (youtubevos, "train/meta.json", '"videos"', '"films"', "names no videos"),
    (youtubevos, "train/meta.json", '"0a1b"', '"../x"', "does not say what the objects of the video 0a1b are"),
    (youtubevos, "train/meta.json", '"objects"', '"things"', "names no objects"),
    (youtubevos, "train/meta.json", '"category"', '"kind"', "has no category"),
    (youtubevos, "train/meta.json", '"2":', '"two":', "whole number"),
    (youtubevos, "train/meta.json", '"2":', '"3":', "its mask holds 2"),
    (panoptic, "annotations/panoptic_val2017.json", '000001.png"', '00000/../../x.png"', "no file beside it"),
    (panoptic, "annotations/panoptic_val2017.json", '"id": 300', '"id": 301', "holds segment 300"),
    (panoptic, "annotations/panoptic_val2017.json", '"id": 300', '"id": -1', "has an id from 1"),
    (panoptic, "annotations/panoptic_val2017.json", '"category_id": 18', '"category_id": 5', "names category 5"),
    (panoptic, "annotations/panoptic_val2017.json", '"image_id": 2', '"image_id": 9', "names image 9"),
    (panoptic, "annotations/panoptic_val2017.json", f'"width": {WIDTH}', '"width": 47', "is no picture of segments"),
    (panoptic, "annotations/panoptic_val2017/000000000001.png", "", "no PNG", "000000000001.png"),
    (ade20k, "annotations/training/ADE_train_00000001.png", "", "no PNG", "ADE_train_00000001.png"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "name", "old", "new", "said"), BROKEN)
def test_broken_files_are_said_in_one_line(
    make: Callable[[Path], Path], name: str, old: str, new: str, said: str, tmp_path: Path
) -> None:
    root = make(tmp_path / "set")
    if old:
        changed(root / name, old, new)
    else:
        (root / name).write_text(new)
    with pytest.raises(InputError, match=said) as found:
        read_all(open_dataset(root))
    assert "\n" not in str(found.value)


def test_a_number_that_the_publisher_does_not_know_is_refused(tmp_path: Path) -> None:
    root = cityscapes(tmp_path)
    mask(root / "gtFine/val/ulm/ulm_000000_000019_gtFine_labelIds.png", halves(7, 99))
    dataset = open_dataset(root)
    with pytest.raises(LabelError, match=r"case ulm_000000_000019: its mask holds 99"):
        read_all(
            Dataset("x", "cityscapes", tuple(c for c in dataset.cases if c.reference), ("R",), dataset.table)
        )


def test_a_picture_of_a_size_that_nobody_reads_is_refused_unread(tmp_path: Path) -> None:
    import struct
    import zlib

    root = ade20k(tmp_path)
    head = struct.pack(">IIBBBBB", 1 << 20, 1 << 20, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + head
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (root / "annotations/training/ADE_train_00000001.png").write_bytes(data + b"\0\0\0\0IEND\xaeB`\x82")
    with pytest.raises(InputError, match=r"ADE_train_00000001\.png"):
        read_all(open_dataset(root))


def test_sets_of_two_publishers_train_one_network(tmp_path: Path) -> None:
    """Persons of ADE20K and of VOC are one label; the car of Cityscapes is its own."""
    roots = [make(tmp_path / make.__name__) for make in (ade20k, voc)]
    plan_files(roots, tmp_path / "plan.yaml", trial=False)
    config: Any = load_config(tmp_path / "plan.yaml")
    person = next(label.value for label in config.labels.labels if label.name == "person")
    dataset = open_data(config)
    for case in dataset.cases:
        found, ignored = read_reference(case, config.labels, on=read_channel(case.images[0]))
        assert set(np.unique(found.labels[WIDTH // 2 :, : HEIGHT - 4])) == {person}
        assert ignored is not None
        assert int(ignored.sum()) == 4 * WIDTH


def test_a_pixel_of_two_categories_is_left_out_and_of_two_persons_it_is_a_person(tmp_path: Path) -> None:
    root = coco(tmp_path)
    changed(root / "annotations/instances_val2017.json", "[[22, 34, 24, 34", "[[22, 34, 28, 34")
    changed(root / "annotations/instances_val2017.json", "24, 36, 22, 36]]", "28, 36, 22, 36]]")
    dataset = open_dataset(root)
    found, ignored = read_reference(dataset.cases[0], dataset.table)
    assert ignored is not None
    assert (found.labels[22:24, 34:36, 0] == 1).all()
    assert ignored[24:28, 34:36, 0].all()
    assert int(ignored.sum()) == 4 * WIDTH + 4 * 2
    assert found.table.values == (1, 18)


@pytest.mark.parametrize("make", [by_training, youtubevos])
def test_numbers_that_are_no_labels_are_measured_only_once_they_are_written_as_labels(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    root = make(tmp_path / "set")
    dataset = open_dataset(root)
    with pytest.raises(InputError, match=r"medseg convert SET OUT\.json"):
        reference_files(dataset.cases)
    convert_set(root, tmp_path / "all.json")
    written = open_dataset(tmp_path / "all.json")
    with_mask = [case for case in dataset.cases if case.reference is not None]
    for before, after in zip(with_mask, written.cases, strict=True):
        one, _ = read_reference(before, dataset.table)
        two, _ = read_reference(after, written.table)
        assert {one.table.name_of(value): int((one.labels == value).sum()) for value in one.present} == {
            two.table.name_of(value): int((two.labels == value).sum()) for value in two.present
        }
    assert reference_files(written.cases)
