"""What a killed run has put there is known as its own; what a person put or changed there since is not."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from medseg.errors import InputError, OutputError
from medseg.io.atomic import require_absent, staged_folder, write_bytes
from medseg.io.plain import read_plain
from medseg.io.unfinished import put_all, together

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


def refuse(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    """A disk that lets no file have this name."""
    replace = Path.replace

    def replaced(self: Path, target: Path) -> Path:
        if target.name == name:
            raise OSError(number, os.strerror(number))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replaced)


def over_older(folder: Path, outputs: tuple[str, ...]) -> None:
    with together(*(folder / name for name in outputs)):
        for name in outputs:
            write_bytes(folder / name, b"new", force=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EACCES, "no permission"), (errno.ENOSPC, "the disk is full")]
)
@pytest.mark.parametrize("older", [("a.txt", "b.txt", "c.txt"), ("a.txt", "b.txt"), ("b.txt",)])
def test_where_one_of_several_can_not_be_replaced_all_are_as_they_were(
    tmp_path: Path, older: tuple[str, ...], number: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in older:
        (tmp_path / name).write_bytes(b"old")
    refuse(monkeypatch, "b.txt", number)
    with pytest.raises(OutputError, match=rf"b\.txt can't be written: {words}[^;]*; [^;]*$"):
        over_older(tmp_path, ("a.txt", "b.txt", "c.txt"))
    assert contents(tmp_path) == dict.fromkeys(older, b"old")


def test_what_was_named_early_is_as_it_was_too(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"old")

    def fail() -> None:
        with together(tmp_path / "a.txt"):
            for content in (b"new", b"newer"):
                write_bytes(tmp_path / "a.txt", content, force=True)
                put_all()
                assert (tmp_path / "a.txt").read_bytes() == content
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert contents(tmp_path) == {"a.txt": b"old"}


def test_what_could_not_be_kept_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk without links a file has no second name while it is replaced."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_bytes(b"old")

    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    refuse(monkeypatch, "b.txt", errno.EACCES)
    with pytest.raises(
        OutputError, match=r"b\.txt can't .*what stood before at \S*a\.txt could not be kept$"
    ):
        over_older(tmp_path, ("a.txt", "b.txt"))
    assert contents(tmp_path) == {"a.txt": b"new", "b.txt": b"old"}


def test_where_the_second_name_is_taken_the_first_is_taken_back(tmp_path: Path) -> None:
    def write() -> None:
        with together(tmp_path / "a.txt", tmp_path / "b.txt"):
            write_bytes(tmp_path / "a.txt", b"ours")
            write_bytes(tmp_path / "b.txt", b"ours")
            (tmp_path / "b.txt").write_bytes(b"another's")

    with pytest.raises(OutputError, match=r"b\.txt"):
        write()
    assert names(tmp_path) == ["b.txt"]


def test_of_a_note_that_was_cut_nothing_is_believed(tmp_path: Path) -> None:
    killed(tmp_path, f"{FIRST}; write_bytes(Path('b.txt'), b'second')")
    (note,) = tmp_path.glob(".medseg-*.note")
    note.write_bytes(note.read_bytes()[:-5])
    with pytest.raises(OutputError, match=r"a\.txt"):  # no name is given before the line is whole
        both(tmp_path)


BETWEEN = """
import os, signal
from pathlib import Path
from medseg.io.atomic import write_bytes
from medseg.io.unfinished import together
names = {names!r}
left, real = [{after}], Path.replace
def replace(self, target):
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return real(self, target)
Path.replace = replace
with together(*map(Path, names)):
    for name in names:
        write_bytes(Path(name), b"new", force=True)
"""
THREE = ("a.txt", "b.txt", "sub/c.txt")


def killed_between(folder: Path, after: int) -> None:
    """Three outputs in two folders are replaced; the run is killed before name number `after`."""
    (folder / "sub").mkdir(exist_ok=True)
    for name in THREE:
        (folder / name).write_bytes(b"old")
    code = BETWEEN.format(names=THREE, after=after)
    assert subprocess.run([sys.executable, "-c", code], cwd=folder, check=False).returncode == -9
    assert [content(folder, name) for name in THREE].count(b"new") == after


def content(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()


def read_one(folder: Path, name: str) -> None:
    read_plain(folder / name)


def write_beside(folder: Path, name: str) -> None:
    write_bytes((folder / name).with_name("another.txt"), b"")


@pytest.mark.parametrize("look", [read_one, write_beside])
@pytest.mark.parametrize("first", THREE)
@pytest.mark.parametrize("after", [0, 1, 2])
def test_whoever_looks_next_finds_one_runs_outputs(tmp_path: Path, after: int, first: str, look) -> None:
    killed_between(tmp_path, after)
    look(tmp_path, first)
    assert {content(tmp_path, name) for name in THREE} == {b"new"}
    with together(*(tmp_path / name for name in THREE)):
        for name in THREE:
            write_bytes(tmp_path / name, b"newer")  # without force: they are a killed run's
    assert {content(tmp_path, name) for name in THREE} == {b"newer"}
    assert not list(tmp_path.rglob(".medseg-*"))


def test_what_a_person_put_there_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    killed_between(tmp_path, 1)
    (tmp_path / "b.txt").write_bytes(b"mine")
    read_plain(tmp_path / "a.txt")
    assert [content(tmp_path, name) for name in THREE] == [b"new", b"mine", b"old"]


def test_where_the_rest_can_not_be_named_nothing_of_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_between(tmp_path, 1)
    (tmp_path / "other.txt").write_bytes(b"other")

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refused)
    for name in THREE:
        with pytest.raises(
            InputError, match=r"one of several outputs of a run that was killed.*Permission denied"
        ):
            read_plain(tmp_path / name)
    assert read_plain(tmp_path / "other.txt") == b"other"


def test_what_a_running_process_writes_is_left_to_it(tmp_path: Path) -> None:
    killed_between(tmp_path, 1)
    for note in tmp_path.rglob("*.note"):
        machine = note.name.split("-")[1]
        note.rename(note.with_name(f".medseg-{machine}-{os.getppid()}-00000000.note"))
    read_plain(tmp_path / "a.txt")
    assert [content(tmp_path, name) for name in THREE] == [b"new", b"old", b"old"]
