"""Work in another process: the same answers as here, and gone at once when it is ended."""

import os
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from medseg.domain import Grid, Image, Prompts, Run
from medseg.domain.prompts import Point
from medseg.domain.segmentation import count_labels
from medseg.errors import Cancelled, InputError
from medseg.workflows import measure, segment
from medseg.workflows.apart import Asked, measure_apart, segment_apart, warm_up
from medseg.workflows.lent import Lent, Shelf, Thin
from medseg.workflows.segmenters import find_segmenter

#: A segmenter that hears nothing, from the moment it is loaded in another process (whose program is `-c`) or later.
STUBBORN = """
import os, subprocess, sys, time
from medseg.domain import Params, SegmenterSpec

if {loads_slowly} and os.getpid() != {mine}:
    time.sleep(600)

class Stubborn:
    spec = SegmenterSpec("stubborn", "Stubborn", "Hears nothing.", "own")
    Params = Params

    def segment(self, images, params, *, within=None, prompts=None, run):
        run.progress(0, None, "solving")
        subprocess.run([sys.executable, "-c", "import time; time.sleep(600)"])

    def memory_bytes(self, grids, params):
        return 0
"""


def scan(shape: tuple[int, int, int] = (96, 90, 70)) -> Image:
    array = np.random.default_rng(5).normal(100, 5, shape).astype(np.float32, order="F")
    array[30:50, 30:55, 20:40] += 150
    return Image(array, Grid(shape, np.diag([-1.0, -1.2, 2.0, 1.0])), modality="MR")


def seed(image: Image) -> Prompts:
    x, y, z = image.grid.to_position(np.array([40, 40, 30]))
    return Prompts((Point((float(x), float(y), float(z))),))


@pytest.mark.parametrize("name", ["random-walker", "split-objects"])
def test_masks_and_numbers_are_those_of_this_process(name: str) -> None:
    image, shelf = scan(), Shelf()
    engine = find_segmenter(name)
    prompts = seed(image) if engine.spec.needs_prompts else None
    there = segment_apart(Asked(engine, {"image": image}, prompts=prompts), shelf, Run())
    here = segment(engine, image, prompts=prompts)
    assert there.digest == here.digest
    assert (there.made_by, there.findings, there.table) == (here.made_by, here.findings, here.table)
    if here.instances is None:
        assert there.instances is None
    else:
        assert there.instances is not None
        assert np.array_equal(there.instances, here.instances)
    numbers = measure_apart(there, {"image": image}, shelf, Run())
    assert numbers.measurements == measure(here, image).measurements
    shelf.close()


def test_what_is_refused_here_is_refused_there_in_the_same_words() -> None:
    image = scan()
    asked = Asked(find_segmenter("random-walker"), {"image": image})
    with pytest.raises(InputError, match="random-walker needs seeds"):
        segment_apart(asked, Shelf(), Run())


def test_a_scan_is_lent_once_and_taken_back_at_the_end() -> None:
    image, shelf = scan(), Shelf()
    lent = shelf.lend(image.array)
    assert isinstance(lent, Lent)
    assert shelf.lend(image.array) == lent
    assert np.array_equal(lent.open(), image.array)
    assert not lent.open().flags.writeable
    assert lent.open() is lent.open()
    folder = Path(lent.path).parent
    assert folder.stat().st_mode & 0o077 == 0
    shelf.keep_only(())
    assert not Path(lent.path).exists()
    shelf.lend(image.array)
    shelf.close()
    assert not folder.exists()


def test_where_the_disk_is_full_the_scan_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    image, shelf = scan(), Shelf()
    monkeypatch.setattr(Shelf, "_written", full)
    assert shelf.lend(image.array) is image.array
    engine = find_segmenter("otsu")
    there = segment_apart(Asked(engine, {"image": image}), shelf, Run())
    assert there.digest == segment(engine, image).digest


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("at", [(), ((0, 0, 0),), ((59, 69, 79),), ((3, 40, 7), (30, 0, 79))])
def test_a_thin_array_comes_back_voxel_for_voxel(at: tuple[tuple[int, int, int], ...], order: str) -> None:
    array = np.zeros((60, 70, 80), np.uint16, order=order)  # type: ignore[call-overload]
    for number, place in enumerate(at):
        array[place] = number + 1
    thin = Thin.of(array)
    assert np.array_equal(thin.whole(), array)
    assert thin.whole().dtype == array.dtype
    assert np.array_equal(count_labels(thin.whole()), np.bincount(array.ravel()))
    assert len(thin.pieces) <= len(at) * (1 << 16)


def works(process: psutil.Process) -> bool:
    """Not ended; one that ended and that nobody has asked about since still has its number."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("loads_slowly", [True, False])
def test_a_cancel_ends_the_process_and_all_that_it_started_within_a_second(
    *, loads_slowly: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"stubborn_{loads_slowly}".lower()
    (tmp_path / f"{name}.py").write_text(
        STUBBORN.format(loads_slowly=loads_slowly, mine=os.getpid()), encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    stubborn = __import__(name).Stubborn()
    phase, asked_at = "starting", 0.0
    running: list[psutil.Process] = []

    def progress(_done: int, _total: int | None, what: str) -> None:
        nonlocal phase
        phase = what

    def cancel() -> bool:
        nonlocal asked_at
        mine = psutil.Process().children(recursive=True)
        if (
            asked_at == 0.0
            and (loads_slowly or phase == "solving")
            and len(mine) >= (1 if loads_slowly else 2)
        ):
            running[:] = mine
            asked_at = time.monotonic()
        return asked_at > 0

    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(Cancelled):
        segment_apart(Asked(stubborn, {"image": scan()}), Shelf(), Run(progress=progress, cancel=cancel))
    assert time.monotonic() - asked_at < 1
    started = [process for process in running if process not in before]
    psutil.wait_procs(started, timeout=1)
    assert not [process for process in started if works(process)]


def test_a_process_that_is_warm_has_the_scan_and_its_digest() -> None:
    image, shelf = scan(), Shelf()
    asked = Asked(find_segmenter("connected-threshold"), {"image": image}, prompts=seed(image))
    warm_up(asked, shelf, Run())
    phases: list[str] = []
    segment_apart(asked, shelf, Run(progress=lambda _done, _total, what: phases.append(what)))
    assert phases[:2] == ["starting", "loading"]
