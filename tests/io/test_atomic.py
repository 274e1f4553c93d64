"""Files are whole or absent."""

import errno
from pathlib import Path

import pytest

from medseg.errors import OutputError
from medseg.io.atomic import require_absent, staged_file, staged_folder, write_bytes


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
