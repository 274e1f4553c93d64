"""The journal: every change is kept, taken back and made again, and after a kill the work is there."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from medseg.domain import Grid, Image, Label, LabelTable, Run, Segmentation, digest_of
from medseg.domain.provenance import Provenance
from medseg.domain.segmentation import count_labels, smallest_unsigned
from medseg.errors import InputError
from medseg.workflows import measure, read_record
from medseg.workflows.edit import Request
from medseg.workflows.record import write_record
from napari_medseg.workspace import EditedMask, Session
from napari_medseg.workspace.autosave import SUFFIX, read_kept, unfinished
from napari_medseg.workspace.journal import Journal
from napari_medseg.workspace.limits import Limits

SHAPE = (12, 10, 8)
GRID = Grid(SHAPE, np.diag([0.5, 0.5, 3.0, 1.0]))
TABLE = LabelTable((Label(1, "tumour"), Label(2, "liver")))


def segmentation(grid: Grid = GRID) -> Segmentation:
    labels = np.zeros(grid.shape, np.uint8)
    labels[2:7, 2:7, 2:5], labels[8:11, 2:8, 1:6] = 1, 2
    return Segmentation(labels, grid, TABLE, Provenance("otsu"))


def paint(
    mask: EditedMask, corner: tuple[int, int, int], extent: tuple[int, int, int], value: int, **how: Any
) -> None:
    """One stroke that fills a box, as a layer tells of it."""
    i, j, k = (slice(a, a + n) for a, n in zip(corner, extent, strict=True))
    box = (i, j, k)
    before = mask.labels[box].copy()
    mask.stroke(box, before, np.full_like(before, value), **how)


def digest(labels: NDArray[Any]) -> str:
    return digest_of(smallest_unsigned(labels.astype(np.uint16)))


corners = st.tuples(*[st.integers(0, n - 1) for n in SHAPE])
actions = st.one_of(
    st.tuples(st.just("paint"), corners, st.integers(0, 3)),
    st.tuples(
        st.just("operate"), st.sampled_from(["dilate=1", "erode=1", "keep-largest", "split=0.5"]), st.just(0)
    ),
    st.tuples(st.just("undo"), st.just(0), st.just(0)),
    st.tuples(st.just("redo"), st.just(0), st.just(0)),
    st.tuples(st.just("name"), st.just(0), st.integers(1, 5)),
    st.tuples(st.just("run"), st.just(0), st.just(0)),
)


def act(mask: EditedMask, action: tuple[str, Any, int]) -> None:
    kind, what, value = action
    if kind == "paint":
        paint(mask, what, tuple(min(3, n - a) for a, n in zip(what, SHAPE, strict=True)), value)
    elif kind == "operate":
        mask.operate(what, labels=[mask.table.name_of(1)])
    elif kind == "name":
        mask.name_label(value, f"name {value} of {len(mask.journal.done)}")
    elif kind == "run":
        mask.made_anew(segmentation(), tool="otsu")
    else:
        getattr(mask, kind)()


@settings(max_examples=20, deadline=None)
@given(done=st.lists(actions, max_size=12))
def test_any_sequence_can_be_taken_back_made_again_and_replayed(
    done: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Undone to the beginning it is as it came; redone, or replayed from the file, as it was."""
    path = tmp_path_factory.mktemp("journal") / f"mask{SUFFIX}"
    mask = EditedMask("uid", segmentation(), keep_at=path)
    mask.keep()
    for action in done:
        act(mask, action)
        assert np.array_equal(count_labels(mask.now().labels), np.bincount(mask.labels.ravel()))
        assert mask.now().digest == digest(mask.labels)
    end, table, now = mask.labels.copy(), mask.table, mask.now()
    mask.settle()
    again = EditedMask("other", read_kept(path).before)
    again.continue_from(path, read_kept(path))
    assert digest(again.labels) == digest(end) == now.digest
    assert again.table == table
    assert again.now().made_by == now.made_by
    steps = len(mask.journal.done)
    for _ in range(steps):
        assert mask.undo()
    assert not mask.undo()
    assert (mask.labels == segmentation().labels).all()
    assert mask.table == TABLE
    for _ in range(steps):
        assert mask.redo()
    assert (mask.labels == end).all()
    assert mask.table == table


def test_hundreds_of_strokes_are_taken_back() -> None:
    mask = EditedMask("uid", segmentation())
    rng = np.random.default_rng(0)
    for _ in range(400):
        corner = tuple(int(rng.integers(0, n - 2)) for n in SHAPE)
        paint(mask, corner, (2, 2, 2), int(rng.integers(0, 3)))
    steps = 0
    while mask.undo():
        steps += 1
    assert steps > 300
    assert (mask.labels == segmentation().labels).all()


def test_memory_stays_within_its_budget_and_what_was_forgotten_is_still_told() -> None:
    """The oldest voxels go first; how many they were stays in the history, and the file has them all."""
    mask = EditedMask("uid", segmentation(), journal=Journal(budget_bytes=300))
    for k in range(8):
        paint(mask, (0, 0, k), (12, 10, 1), 3)
        paint(mask, (0, 0, k), (12, 10, 1), 0)
    kept = sum(item.patch.nbytes for item in mask.journal.done if item.patch is not None)
    assert kept <= 300
    assert not mask.journal.is_whole
    (edit,) = mask.now().made_by.edits
    assert dict(edit.parameters)["strokes"] == 16
    steps = 0
    while mask.undo():
        steps += 1
    assert 0 < steps < 16


class TestHistory:
    """What the Record says of it."""

    def test_tools_are_told_apart_in_order(self) -> None:
        mask = EditedMask("uid", segmentation())
        paint(mask, (0, 0, 0), (2, 2, 1), 1, tool="brush")
        paint(mask, (0, 0, 3), (2, 1, 1), 1, tool="brush")
        paint(mask, (2, 2, 2), (1, 1, 1), 0, tool="eraser")
        mask.operate(Request("erode", (("radius_mm", 0.5),), ("liver",)))
        paint(mask, (0, 5, 0), (3, 1, 1), 1, tool="fill")
        edits = mask.now().made_by.edits
        told = [(edit.operation, dict(edit.parameters).get("tool")) for edit in edits]
        assert told == [
            ("changed by hand", "brush"),
            ("changed by hand", "eraser"),
            ("erode", None),
            ("changed by hand", "fill"),
        ]
        first = edits[0]
        assert dict(first.parameters)["strokes"] == 2
        assert (first.changes[0].added, first.changes[0].removed, first.slices) == (6, 0, (0, 3))
        assert first.volume_change_ml == 6 * GRID.voxel_volume / 1000
        assert first.changed_at is not None

    def test_what_was_taken_back_leaves_no_trace(self) -> None:
        mask = EditedMask("uid", segmentation())
        paint(mask, (0, 0, 0), (2, 2, 2), 1)
        mask.undo()
        assert mask.now() is mask.before

    def test_a_new_run_begins_a_new_history_and_can_be_taken_back(self) -> None:
        mask = EditedMask("uid", segmentation())
        paint(mask, (0, 0, 0), (2, 2, 2), 1)
        other = Segmentation(np.ones(SHAPE, np.uint8), GRID, TABLE, Provenance("random-walker"))
        mask.made_anew(other, tool="random-walker")
        assert (mask.now().made_by.segmenter, mask.now().made_by.edits) == ("random-walker", ())
        mask.undo()
        assert mask.now().made_by.segmenter == "otsu"
        assert mask.now().made_by.edits[0].operation == "changed by hand"

    def test_a_change_that_nobody_told_of_is_told(self) -> None:
        """Another plugin wrote into the array: the Record says so, and it can be taken back."""
        mask = EditedMask("uid", segmentation())
        paint(mask, (0, 0, 0), (1, 1, 1), 1)
        mask.labels[0, 9, 7] = 2
        (by_hand, outside) = mask.now().made_by.edits
        assert (by_hand.operation, outside.operation) == ("changed by hand", "changed outside medseg")
        assert (outside.changes[0].label, outside.changes[0].added, outside.slices) == ("liver", 1, (7,))
        assert sorted(item.severity for item in mask.now().findings) == ["info", "warning"]
        mask.undo()
        assert mask.labels[0, 9, 7] == 0

    def test_an_operation_on_a_mask_that_changed_meanwhile_is_dropped(self) -> None:
        mask = EditedMask("uid", segmentation())
        found = mask.edited(["dilate=1"])(Run())
        paint(mask, (0, 0, 0), (1, 1, 1), 1)
        with pytest.raises(InputError, match="changed meanwhile"):
            mask.take(found)


TURN = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0] @ np.diag([0.7, 1.1, 4.0])


@pytest.mark.parametrize("name", ["anisotropic", "oblique"])
def test_painted_voxels_are_found_to_the_last_one_everywhere(name: str, tmp_path: Path) -> None:
    """N voxels painted are N × |det| in the journal, the history, the table and the JSON."""
    affine = np.eye(4)
    affine[:3, :3] = TURN if name == "oblique" else np.diag([0.5, 0.5, 3.0])
    grid = Grid(SHAPE, affine)
    mask = EditedMask("uid", Segmentation(np.zeros(SHAPE, np.uint8), grid, TABLE))
    paint(mask, (1, 2, 3), (4, 3, 2), 1)
    voxels, ml = 24, 24 * abs(np.linalg.det(affine[:3, :3])) / 1000
    assert mask.journal.net() == {1: voxels}
    record = measure(mask.now())
    (edit,) = record.made_by.edits
    assert edit.changes[0].net_voxels == voxels
    assert edit.volume_change_ml == pytest.approx(ml, rel=1e-12)
    rows = {item.quantity.name: item.value for item in record.measurements if item.target.name == "tumour"}
    assert rows["VOXEL_COUNT"] == voxels
    assert rows["VOLUME"] == edit.volume_change_ml
    write_record(record, tmp_path / "r.json", force=False)
    assert read_record(tmp_path / "r.json").measurements == record.measurements


class TestLimits:
    """Where painting may change something."""

    def test_a_locked_label_neither_loses_nor_gains(self) -> None:
        mask = EditedMask("uid", segmentation(), limits=Limits(locked=frozenset({2})))
        paint(mask, (0, 0, 0), SHAPE, 1)
        assert ((mask.labels == 2) == (segmentation().labels == 2)).all()
        assert (mask.labels > 0).all()
        paint(mask, (0, 0, 0), SHAPE, 2)
        assert ((mask.labels == 2) == (segmentation().labels == 2)).all()

    def test_painting_stays_inside_one_label_and_a_range(self) -> None:
        values = np.arange(np.prod(SHAPE), dtype=float).reshape(SHAPE)
        limits = Limits(inside=1, low=300.0, high=400.0, image=Image(values, GRID))
        mask = EditedMask("uid", segmentation(), limits=limits)
        paint(mask, (0, 0, 0), SHAPE, 3)
        allowed = (segmentation().labels == 1) & (values >= 300) & (values <= 400)
        assert ((mask.labels == 3) == allowed).all()
        assert allowed.any()


class TestKilled:
    """A window that is gone leaves its work."""

    WORK = """
import sys, time
from pathlib import Path
import numpy as np
from napari_medseg.workspace import Session
from tests.workspace.test_journal import segmentation, paint, digest
session = Session(Path(sys.argv[1]))
mask = session.add_mask(segmentation(), file=sys.argv[2])
for k in range(6):
    paint(mask, (0, 0, k), (3, 3, 1), 1 + k % 2, tool="brush")
mask.operate("dilate=1", labels=["tumour"])
mask.undo()
mask.settle()
print(digest(mask.labels), flush=True)
time.sleep(60)
"""

    @pytest.mark.parametrize("saved", [False, True], ids=["never in a file", "of a file"])
    def test_after_kill_9_the_next_window_offers_the_work(self, tmp_path: Path, *, saved: bool) -> None:
        work, file = tmp_path / "work", str(tmp_path / "mask.nii.gz") if saved else ""
        command = [sys.executable, "-c", self.WORK, str(work), file]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        session = Session(work)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
            assert process.stdout is not None
            told = process.stdout.readline().strip()
            assert session.left_over() == {}, "a window that lives keeps its work"
            process.send_signal(signal.SIGKILL)
        ((path, kept),) = session.left_over().items()
        assert path.parent == work
        assert path.resolve().parent == (tmp_path if saved else work)
        mask = session.reopen(path)
        assert digest(mask.labels) == told
        assert kept.mask == file
        assert mask.redo(), "what was undone can be made again"
        assert session.left_over() == {}, "it is at work again"
        mask.saved(tmp_path / "out.nii.gz")
        session.remove(mask.uid)
        assert unfinished(work) == ()
        assert not list(tmp_path.glob(f"*{SUFFIX}"))

    @pytest.mark.parametrize("in_a_file", [False, True])
    def test_work_without_a_change_is_not_offered_and_its_file_is_swept(
        self, tmp_path: Path, *, in_a_file: bool
    ) -> None:
        """As a window leaves it that was killed before anything was painted, or after all was saved."""
        work = tmp_path / "work"
        mask = EditedMask("uid", segmentation(), file=str(tmp_path / "mask.nii.gz") if in_a_file else "")
        mask.keep_at = work / f"uid{SUFFIX}"
        if in_a_file:
            mask.keep_at, mask.link = tmp_path / f"mask{SUFFIX}", work / f"uid{SUFFIX}"
            paint(mask, (0, 0, 0), (1, 1, 1), 1)
            mask.saved()
        mask.keep()
        mask._autosave.close()
        assert unfinished(work)
        assert Session(work).left_over() == {}
        assert not [path for path in tmp_path.rglob("*") if path.name.endswith(SUFFIX)]

    def test_two_windows_do_not_go_on_with_one_work(self, tmp_path: Path) -> None:
        mask = EditedMask("uid", segmentation(), keep_at=tmp_path / f"uid{SUFFIX}")
        paint(mask, (0, 0, 0), (1, 1, 1), 1)
        mask._autosave.close()
        first, second = Session(tmp_path), Session(tmp_path)
        (path,) = second.left_over()
        first.reopen(path)
        with pytest.raises(InputError, match="another window works on it"):
            second.reopen(path)
        assert second.masks == {}

    def test_a_cut_file_gives_the_work_up_to_its_last_whole_entry(self, tmp_path: Path) -> None:
        """At whatever byte it was cut, what is read is the mask after some number of strokes."""
        path = tmp_path / f"m{SUFFIX}"
        mask = EditedMask("uid", segmentation(), keep_at=path)
        digests = [digest(mask.labels)]
        for k in range(5):
            paint(mask, (0, 0, k), (3, 3, 1), 1)
            digests.append(digest(mask.labels))
        mask.settle()
        data = path.read_bytes()
        kept = read_kept(path)
        assert not kept.is_cut
        start = len(data)
        seen = set()
        for length in range(len(data), 40, -7):
            cut = tmp_path / "cut"
            cut.write_bytes(data[:length])
            try:
                found = read_kept(cut)
            except InputError:
                start = length
                break
            again = EditedMask("x", found.before)
            again.continue_from(tmp_path / f"copy{length}{SUFFIX}", found)
            again.settle()
            assert digest(again.labels) == digests[len(found.events)]
            seen.add(len(found.events))
        assert seen == set(range(6))
        assert start < len(data)

    def test_a_changed_byte_ends_what_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / f"m{SUFFIX}"
        mask = EditedMask("uid", segmentation(), keep_at=path)
        for k in range(3):
            paint(mask, (0, 0, k), (3, 3, 1), 1)
        mask.settle()
        data = bytearray(path.read_bytes())
        data[-5] ^= 1
        path.write_bytes(bytes(data))
        found = read_kept(path)
        assert (len(found.events), found.is_cut) == (2, True)

    def test_a_disk_that_takes_no_more_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "work").write_text("a file, no folder")
        session = Session(tmp_path / "work")
        mask = session.add_mask(segmentation())
        mask.settle()
        assert "not kept on disk" in mask.fault
        paint(mask, (0, 0, 0), (1, 1, 1), 1)
        assert mask.undo()


def test_nothing_is_left_of_a_mask_that_was_only_looked_at(tmp_path: Path) -> None:
    session = Session(tmp_path / "work")
    mask = session.add_mask(segmentation(), file=str(tmp_path / "mask.nii.gz"))
    session.remove(mask.uid)
    assert not list(tmp_path.rglob(f"*{SUFFIX}"))
