"""Files are whole or absent."""

import errno
import os
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from medseg.errors import OutputError
from medseg.io.atomic import require_absent, staged_file, staged_folder, write_bytes
from medseg.io.leftovers import aside_name, staged_name


def write_and_fail(path: Path, failure: BaseException, *, force: bool = False) -> None:
    with staged_file(path, force=force) as staged:
        staged.write_bytes(b"half")
        raise failure


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "größe und rest.nii.gz"
    with staged_file(path) as staged:
        assert staged.name.endswith(".nii.gz")
        assert staged.parent == path.parent
        staged.write_bytes(b"1")
        assert not path.exists()
    assert path.read_bytes() == b"1"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("force", [True, False])
def test_nothing_stays_behind(tmp_path: Path, failure: type[BaseException], force: bool) -> None:
    path = tmp_path / "x.txt"
    if force:
        path.write_bytes(b"old")
    with pytest.raises(failure):
        write_and_fail(path, failure(), force=force)
    assert [item.read_bytes() for item in tmp_path.iterdir()] == ([b"old"] if force else [])


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "x.txt", b"old")
    with pytest.raises(OutputError, match="--force"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert write_bytes(path, b"new", force=True).read_bytes() == b"new"
    with pytest.raises(OutputError, match="folder"):
        require_absent(tmp_path, force=True)


def test_what_came_into_being_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    staging = staged_file(path)
    staging.__enter__().write_bytes(b"mine")
    path.write_bytes(b"theirs")
    with pytest.raises(OutputError, match="--force"):
        staging.__exit__(None, None, None)
    assert path.read_bytes() == b"theirs"


REASONS = [(errno.ENOSPC, "disk is full"), (errno.EACCES, "no permission"), (errno.EROFS, "read-only")]


@pytest.mark.parametrize(("number", "words"), REASONS)
def test_why_it_can_not_be_written(tmp_path: Path, number: int, words: str) -> None:
    with pytest.raises(OutputError, match=words) as caught:
        write_and_fail(tmp_path / "x.txt", OSError(number, "no"))
    assert "x.txt" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_full_disk(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this system")
    with (
        pytest.raises(OutputError, match="disk is full"),
        staged_file(tmp_path / "x.txt"),
        full.open("wb") as file,
    ):
        file.write(b"1" * 100_000)


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError):
        write_bytes(tmp_path / "file" / "x.txt", b"1")


def test_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "bundle"
    with staged_folder(path) as staged:
        (staged / "a").write_bytes(b"1")
        assert not path.exists()
    assert (path / "a").read_bytes() == b"1"
    with pytest.raises(OutputError, match="--force"), staged_folder(path):
        pass
    with staged_folder(path, force=True) as staged:
        (staged / "b").write_bytes(b"2")
    assert [item.name for item in path.iterdir()] == ["b"]
    assert [item.name for item in path.parent.iterdir()] == ["bundle"]


def test_a_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.mkdir()
    with staged_folder(path) as staged:  # an empty folder counts as absent
        (staged / "a").write_bytes(b"1")
    with pytest.raises(KeyboardInterrupt), staged_folder(path, force=True):
        raise KeyboardInterrupt
    assert [item.name for item in tmp_path.iterdir()] == ["bundle"]
    assert (path / "a").exists()


def test_the_working_folder_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "precious").write_bytes(b"1")
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(OutputError, match="can't be replaced"), staged_folder(tmp_path, force=True):
        pass
    assert (tmp_path / "precious").exists()


def test_of_two_writers_one_wins_whole(tmp_path: Path) -> None:
    path, barrier, ends = tmp_path / "x.txt", threading.Barrier(8), []

    def write(number: int) -> None:
        barrier.wait()
        with suppress(OutputError):
            write_bytes(path, bytes([number]) * 100_000)
            ends.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 1
    assert path.read_bytes() == bytes(ends) * 100_000
    assert list(tmp_path.iterdir()) == [path]


def test_without_links_it_is_written_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    assert write_bytes(tmp_path / "x.txt", b"1").read_bytes() == b"1"
    with pytest.raises(OutputError, match="--force"):
        write_bytes(tmp_path / "x.txt", b"2")


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_killed_runs_left_is_swept(tmp_path: Path) -> None:
    dead = staged_name(tmp_path / "x", ".nii.gz").name.replace(f"-{os.getpid()}-", f"-{dead_process()}-")
    running = staged_name(tmp_path / "x").name.replace(f"-{os.getpid()}-", f"-{os.getppid()}-")
    kept = [
        running,
        ".medseg-01234567",
        ".medseg-notes",
        "medseg-report.jsonl",
        ".medseg-abcdef-12-00000000.nii",
    ]
    for name in (dead, ".medseg-76543210.json", *kept):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / dead.replace(".nii.gz", "")).mkdir()
    (tmp_path / dead.replace(".nii.gz", "") / "a").write_bytes(b"1")
    os.utime(tmp_path / ".medseg-76543210.json", (0, 0))
    write_bytes(tmp_path / "new", b"1")
    assert sorted(item.name for item in tmp_path.iterdir()) == sorted([*kept, "new"])


def test_a_folder_that_a_killed_run_had_moved_aside_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "voc"
    aside = aside_name(path).name.replace(f"-{os.getpid()}-", f"-{dead_process()}-")
    (tmp_path / aside).mkdir()
    (tmp_path / aside / "a").write_bytes(b"1")
    write_bytes(tmp_path / "new", b"1")
    assert (path / "a").read_bytes() == b"1"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["new", "voc"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system")
def test_devices_and_pipes_are_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(OutputError, match="device or a pipe"):
            write_bytes(path, b"1", force=True)
        assert stat.S_ISREG(path.stat().st_mode) is False


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev/stdout on this system")
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
def test_standard_output_is_written_to(tmp_path: Path, name: str) -> None:
    code = f"from medseg.io.atomic import write_bytes; print('first'); write_bytes({name!r}, b'data')"
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_bytes() == b"first\ndata"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"first\ndata"
    )
