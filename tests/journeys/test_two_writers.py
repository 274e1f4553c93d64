"""Two writers of one output: one wins, whole, and the other is refused."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from medseg import io
from medseg.domain import Grid, Image, Label, LabelTable, Segmentation
from medseg.errors import OutputError
from medseg.io.surface.file import SurfaceNotes, write_surface
from medseg.io.voc.write import VocMask, write_voc
from medseg.masks.surfaces import surface_of
from medseg.workflows.measure import measure
from medseg.workflows.record import read_record, write_record
from medseg.workflows.report import report

WRITERS = 4


def mask(number: int, *, picture: bool = False) -> Segmentation:
    """A box of as many slices as its writer's number says, named by it."""
    labels = np.zeros((8, 8, 1 if picture else 6), np.uint8)
    labels[1 : 3 + number, 1:5, 0 if picture else slice(1, 4)] = 1
    grid = Grid(
        labels.shape,
        np.diag([-1.0, -1.0, 1.0, 1.0] if picture else [1.0, 1.0, 2.0, 1.0]),
        **({"unit": "px"} if picture else {}),
    )
    return Segmentation(labels, grid, LabelTable((Label(1, f"writer {number}"),)))


def write_mask(number: int, path: Path) -> None:
    io.write_segmentation(mask(number), path)


def whose_mask(path: Path) -> int:
    found = io.read_segmentation(path)
    assert not found.findings
    (label,) = found.table.labels
    number = int(label.name.split()[1])
    assert found.digest == mask(number).digest
    return number


def write_image(number: int, path: Path) -> None:
    io.write_image(Image(np.full((9, 9, 5), number, np.int16), Grid((9, 9, 5), np.eye(4))), path)


def whose_image(path: Path) -> int:
    (value,) = np.unique(io.read(path).array)
    return int(value)


def write_a_record(number: int, path: Path) -> None:
    write_record(measure(mask(number), subject=f"writer {number}"), path)


def whose_record(path: Path) -> int:
    return int(read_record(path).subject.split()[1])


def write_page(number: int, path: Path) -> None:
    report(measure(mask(number), subject=f"writer {number}"), html=path)


def whose_page(path: Path) -> int:
    text = path.read_text("utf-8")
    assert text.rstrip().endswith("</html>")
    (number,) = (number for number in range(WRITERS) if f"writer {number}" in text)
    return number


def write_a_surface(number: int, path: Path) -> None:
    found = mask(number)
    write_surface(
        surface_of(found.mask(1), found.grid), path, SurfaceNotes(f"writer {number}", (1, 2, 3), None)
    )


def whose_surface(path: Path) -> int:
    data = path.read_bytes()
    count = int.from_bytes(data[80:84], "little")
    assert len(data) == 84 + 50 * count
    (number,) = (
        n for n in range(WRITERS) if len(surface_of(mask(n).mask(1), mask(n).grid).triangles) == count
    )
    return number


def write_folder(number: int, path: Path) -> None:
    write_voc([VocMask(f"picture{number}", mask(number, picture=True))], path)


def whose_folder(path: Path) -> int:
    (file,) = (path / "SegmentationClass").iterdir()
    assert (path / "ImageSets" / "Segmentation" / "trainval.txt").read_text() == f"{file.stem}\n"
    return int(file.stem.removeprefix("picture"))


@dataclass(frozen=True)
class Output:
    """What is written, and how the one who wrote it is told."""

    name: str
    write: Callable[[int, Path], None]
    whose: Callable[[Path], int]


OUTPUTS = [
    Output("mask.nii.gz", write_mask, whose_mask),
    Output("mask.mha", write_mask, whose_mask),
    Output("image.nii.gz", write_image, whose_image),
    Output("record.json", write_a_record, whose_record),
    Output("page.html", write_page, whose_page),
    Output("surface.stl", write_a_surface, whose_surface),
    Output("voc", write_folder, whose_folder),
]


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda item: item.name)
def test_one_wins_whole(tmp_path: Path, output: Output) -> None:
    path, barrier = tmp_path / output.name, threading.Barrier(WRITERS)
    won: list[int] = []
    lost: list[BaseException] = []

    def work(number: int) -> None:
        barrier.wait()
        try:
            output.write(number, path)
            won.append(number)
        except BaseException as error:  # noqa: BLE001 - it is looked at below
            lost.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(error) for error in lost] == [OutputError] * (WRITERS - 1), lost
    assert won == [output.whose(path)]
    assert [item.name for item in tmp_path.iterdir() if item.name.startswith(".")] == []
