"""What a killed run has put there is known as its own; what a person put or changed there since is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from medseg.errors import OutputError
from medseg.io.atomic import require_absent, staged_folder, write_bytes
from medseg.io.unfinished import together

KILLED = """
import os, signal
from pathlib import Path
from medseg.io.atomic import staged_folder, write_bytes
from medseg.io.unfinished import put_all, together
with together(*map(Path, {outputs!r})):
    {work}
    put_all()
    os.kill(os.getpid(), signal.SIGKILL)
"""
FIRST = "write_bytes(Path('a.txt'), b'first')"


def killed(folder: Path, work: str = FIRST, outputs: tuple[str, ...] = ("a.txt", "b.txt")) -> None:
    code = KILLED.format(outputs=outputs, work=work)
    assert subprocess.run([sys.executable, "-c", code], cwd=folder, check=False).returncode == -9


def both(folder: Path, *, only: str = "") -> None:
    names = [name for name in ("a.txt", "b.txt") if only in name]
    with together(*(folder / name for name in names)):
        for name in names:
            require_absent(folder / name)
        for name in names:
            write_bytes(folder / name, b"whole")


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def change(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"mine, by hand")


def change_back(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"first")


def put_another(folder: Path) -> None:
    (folder / "a.txt").unlink()
    (folder / "a.txt").write_bytes(b"first")
    os.utime(folder / "a.txt", ns=(1, 1))


def test_the_next_run_replaces_what_a_killed_one_put_there(tmp_path: Path) -> None:
    killed(tmp_path)
    assert (tmp_path / "a.txt").read_bytes() == b"first"
    both(tmp_path)
    assert names(tmp_path) == ["a.txt", "b.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"whole"
    with pytest.raises(OutputError, match="--force"):
        both(tmp_path)


def test_a_run_that_is_killed_again_is_known_for_both(tmp_path: Path) -> None:
    killed(tmp_path)
    killed(tmp_path)
    both(tmp_path)
    assert names(tmp_path) == ["a.txt", "b.txt"]


@pytest.mark.parametrize("work", [change, change_back, put_another])
def test_what_a_person_did_since_is_not_replaced(tmp_path: Path, work) -> None:
    killed(tmp_path)
    work(tmp_path)
    before = (tmp_path / "a.txt").read_bytes()
    with pytest.raises(OutputError, match="--force"):
        both(tmp_path)
    assert (tmp_path / "a.txt").read_bytes() == before
    assert not (tmp_path / "b.txt").exists()


def test_alone_a_file_replaces_nothing(tmp_path: Path) -> None:
    killed(tmp_path)
    with pytest.raises(OutputError, match="--force"):
        write_bytes(tmp_path / "a.txt", b"whole")


def test_of_a_run_with_fewer_outputs_the_note_stays_for_the_others(tmp_path: Path) -> None:
    killed(tmp_path, f"{FIRST}; write_bytes(Path('b.txt'), b'second')", ("a.txt", "b.txt", "c.txt"))
    both(tmp_path, only="a")
    both(tmp_path, only="b")
    # Nothing is as it says any more, so it goes with the next look.
    both(tmp_path / "x")
    with together(tmp_path / "d.txt"):
        pass
    assert names(tmp_path) == ["a.txt", "b.txt", "x"]


def test_a_folder_with_a_change_deep_inside_is_a_persons(tmp_path: Path) -> None:
    work = "\n    ".join(
        [
            "with staged_folder(Path('f')) as staged:",
            "    (staged / 'in').mkdir()",
            "    (staged / 'in/x').write_bytes(b'1')",
        ]
    )
    for changed in (False, True):
        killed(tmp_path, work, ("f",))
        if changed:
            (tmp_path / "f" / "in" / "x").write_bytes(b"mine")
            with (
                pytest.raises(OutputError, match="--force"),
                together(tmp_path / "f"),
                staged_folder(tmp_path / "f"),
            ):
                pass
            return
        with together(tmp_path / "f"), staged_folder(tmp_path / "f") as staged:
            (staged / "y").write_bytes(b"2")
        assert names(tmp_path) == ["f"]
        assert names(tmp_path / "f") == ["y"]
        (tmp_path / "f" / "y").unlink()
        (tmp_path / "f").rmdir()


@pytest.mark.parametrize("force", [True, False])
def test_a_run_that_fails_leaves_nothing_of_its_answer(tmp_path: Path, force: bool) -> None:
    if force:
        (tmp_path / "a.txt").write_bytes(b"old")

    def fail() -> None:
        with together(tmp_path / "a.txt", tmp_path / "b.txt"):
            write_bytes(tmp_path / "a.txt", b"new", force=force)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert names(tmp_path) == (["a.txt"] if force else [])
    assert not force or (tmp_path / "a.txt").read_bytes() == b"old"


def test_of_several_files_none_is_replaced_before_all_are_complete(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_bytes(b"old")
    with together(tmp_path / "a.txt", tmp_path / "b.txt"):
        for name in ("a.txt", "b.txt"):
            write_bytes(tmp_path / name, b"new", force=True)
            assert (tmp_path / name).read_bytes() == b"old"
    assert [(tmp_path / name).read_bytes() for name in names(tmp_path)] == [b"new", b"new"]


def test_where_the_second_name_is_taken_the_first_is_taken_back(tmp_path: Path) -> None:
    def write() -> None:
        with together(tmp_path / "a.txt", tmp_path / "b.txt"):
            write_bytes(tmp_path / "a.txt", b"ours")
            write_bytes(tmp_path / "b.txt", b"ours")
            (tmp_path / "b.txt").write_bytes(b"another's")

    with pytest.raises(OutputError, match=r"b\.txt"):
        write()
    assert names(tmp_path) == ["b.txt"]


def test_a_note_that_was_cut_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    killed(tmp_path, f"{FIRST}; write_bytes(Path('b.txt'), b'second')")
    (note,) = tmp_path.glob(".medseg-*.note")
    note.write_bytes(note.read_bytes()[:-5])
    with pytest.raises(OutputError, match=r"b\.txt"):
        both(tmp_path)
