"""Hostile files and failing machines: one line, the right exit code, and no longer than it takes to say so."""

import gzip
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medseg.io.dicom import deflated
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]


@pytest.fixture
def record(medseg: Medseg, ball: Path, tmp_path: Path) -> Path:
    medseg("segment", "otsu", ball, "--out", tmp_path / "mask.nii.gz")
    medseg("measure", tmp_path / "mask.nii.gz", "--image", ball, "--out", tmp_path / "record.json")
    return tmp_path / "record.json"


def run(*words: object, **settings: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "medseg", *map(os.fsencode, map(str, words))],
        capture_output=True,
        check=False,
        env={**os.environ, **settings},
        timeout=120,
    )


def keys(count: int) -> str:
    return json.dumps({"schema": "medseg.record/1.0", **{f"key-{n}": n for n in range(count)}})


TEXTS = [
    ("report", "many.json", keys(40_000), ("--csv", "{out}/r.csv")),
    ("report", "deep.json", '{"a":' * 50_000, ("--csv", "{out}/r.csv")),
    ("measure", "{mask}", "", ("--labels", "{out}/deep.yaml", "--out", "{out}/new.json")),
    ("measure", "{mask}", "", ("--labels", "{out}/deep.json", "--out", "{out}/new.json")),
    ("info", "zero\0byte.nii", None, ()),
]


@pytest.mark.parametrize(
    ("command", "name", "text", "more"), TEXTS, ids=[f"{row[0]} {row[1]!r}" for row in TEXTS]
)
def test_texts_that_have_no_end_are_refused_in_one_line(
    medseg: Medseg,
    record: Path,
    tmp_path: Path,
    command: str,
    name: str,
    text: str | None,
    more: tuple[str, ...],
) -> None:
    (tmp_path / "deep.yaml").write_text("[" * 20_000, encoding="utf-8")
    (tmp_path / "deep.json").write_text('{"a":' * 50_000, encoding="utf-8")
    path = name.format(mask=tmp_path / "mask.nii.gz")
    if text:
        path = str(tmp_path / name)
        Path(path).write_text(text, encoding="utf-8")
    seen = medseg(command, path, *(part.format(out=tmp_path) for part in more))
    assert seen.code == 2, seen.err
    assert len(seen.line) < 500


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system")
@pytest.mark.parametrize("suffix", ["", ".nii", ".nii.gz", ".json", ".dcm", ".csv"])
def test_pipes_and_devices_are_no_inputs(medseg: Medseg, record: Path, tmp_path: Path, suffix: str) -> None:
    pipe = tmp_path / f"pipe{suffix}"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        for words in (("info", path), ("report", path, "--csv", tmp_path / "r.csv")):
            seen = medseg(*words)
            assert (seen.code, "device or a pipe" in seen.line) == (2, True), seen.err
    seen = medseg("measure", tmp_path / "mask.nii.gz", "--labels", pipe, "--out", tmp_path / "n.json")
    assert (seen.code, "device or a pipe" in seen.line) == (2, True), seen.err


def test_a_skip_of_more_lines_than_there_are(medseg: Medseg, tmp_path: Path) -> None:
    head = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nencoding: raw\nline skip: 1000000000000\n\n"
    (tmp_path / "x.nrrd").write_bytes(head.encode() + bytes(8))
    seen = medseg("convert", tmp_path / "x.nrrd", tmp_path / "y.nii")
    assert (seen.code, "skip of 1000000000000 lines" in seen.line) == (2, True), seen.err


def test_what_lies_behind_the_voxels_is_left_alone(medseg: Medseg, tmp_path: Path) -> None:
    head = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nspacings: 1 1 1\nencoding: gzip\n\n"
    bomb = gzip.compress(bytes(8) + bytes(1 << 28), 9)
    (tmp_path / "x.nrrd").write_bytes(head.encode() + bomb)
    # The checksum at the end of the packed data is never reached, so it is not what stops the reading.
    (tmp_path / "x.nrrd").write_bytes((head.encode() + bomb)[:-8] + b"\xff" * 8)
    assert medseg("convert", tmp_path / "x.nrrd", tmp_path / "y.nii").code == 0


def test_a_deflated_bomb_is_not_unpacked(
    medseg: Medseg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syntax = b"1.2.840.10008.1.2.1.99"
    meta = struct.pack("<HH2sH", 2, 16, b"UI", len(syntax)) + syntax
    pack = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = pack.compress(bytes(1 << 24)) + pack.flush()
    head = bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta)) + meta
    (tmp_path / "bomb.dcm").write_bytes(head + packed)
    monkeypatch.setattr(deflated, "MOST_BYTES", 1 << 22)
    seen = medseg("convert", tmp_path / "bomb.dcm", tmp_path / "y.nii")
    assert (seen.code, "unpacks to more than" in seen.line) == (2, True), seen.err


def test_strokes_of_more_positions_than_hands_draw(medseg: Medseg, ball: Path, tmp_path: Path) -> None:
    stroke = {"positions": [[float(n % 40), 20.0, 20.0] for n in range(400_000)], "radius_mm": 2.0}
    (tmp_path / "seeds.json").write_text(json.dumps({"strokes": [stroke]}), encoding="utf-8")
    seen = medseg(
        "segment", "watershed", ball, "--prompts", tmp_path / "seeds.json", "--out", tmp_path / "m.nii.gz"
    )
    assert seen.code == 2, seen.err
    assert len(seen.line) < 500


def test_control_characters_in_a_label_stop_no_view_and_steer_no_terminal(
    medseg: Medseg, record: Path, tmp_path: Path
) -> None:
    (tmp_path / "names.json").write_text(json.dumps({"1": "a\x1b[2Jb\x07"}), encoding="utf-8")
    again = tmp_path / "again.json"
    mask = tmp_path / "mask.nii.gz"
    seen = medseg("measure", mask, "--labels", tmp_path / "names.json", "--out", again)
    if seen.code == 2:  # such a name may be refused as a whole, in one line
        assert "\x1b" not in seen.err
        return
    views = ("--xlsx", tmp_path / "r.xlsx", "--csv", tmp_path / "r.csv", "--html", tmp_path / "r.html")
    seen = medseg("report", again, *views)
    assert seen.code == 0, seen.err
    for words in (("info", mask), ("verify", again), ("measure", mask, "--labels", tmp_path / "names.json")):
        seen = medseg(*words)
        assert "\x1b" not in seen.out + seen.err


def test_names_do_not_steer_the_terminal(medseg: Medseg, tmp_path: Path) -> None:
    seen = medseg("info", tmp_path / "a\x1b[31mb\x9b2J.nii")
    assert seen.code == 2
    assert not {"\x1b", "\x9b"} & set(seen.err)
    seen = medseg("info", tmp_path / "a\x1b[31mb\x9b2J.nii", "--json")
    assert not {"\x1b", "\x9b"} & set(seen.out)
    assert "a\x1b[31mb\x9b2J.nii" in seen.json["error"]["message"]


def test_workbooks_of_one_record_are_equal(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    for name in ("a.xlsx", "b.xlsx"):
        seconds = str(int(name == "b.xlsx") * 2.5)
        code = f"import time; time.sleep({seconds}); from medseg.cli import main; main()"
        words = [sys.executable, "-c", code, "report", str(record), "--xlsx", str(tmp_path / name)]
        assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_an_output_that_is_not_utf8(ball: Path) -> None:
    for words in (("info", ball), ("info", ball, "--json"), ("methods",)):
        done = run(*words, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
        assert (done.returncode, done.stderr) == (0, b""), done.stderr
        if "--json" in words:
            json.loads(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are text")
def test_a_file_name_that_is_not_utf8(ball: Path, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.nii.gz"))
    odd.write_bytes(ball.read_bytes())
    for words in (("info", odd), ("info", odd, "--json")):
        done = run(*words)
        assert done.returncode == 0, done.stderr
    masks = tmp_path / "m.nii.gz"
    assert run("segment", "otsu", ball, "--out", masks).returncode == 0
    done = run("measure", masks, "--image", odd, "--out", tmp_path / "r.json")
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1), done.stderr
    assert b"not UTF-8" in done.stderr


def test_a_disk_without_room_for_the_output(ball: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "medseg", "info", str(ball)],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1), done.stderr


@pytest.mark.skipif(os.name != "posix", reason="a shell closes the streams")
@pytest.mark.parametrize(("streams", "code"), [(">&-", 2), ("2>&-", 0), ("| true", 0)])
def test_closed_streams(ball: Path, streams: str, code: int) -> None:
    line = f"{sys.executable} -m medseg info {ball} {streams}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=False)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert b"fault in medseg" not in done.stderr


def test_a_time_zone_that_there_is_not(record: Path) -> None:
    done = run("sign", record, "--name", "A", "--organization", "B", TZ="XXX-25:00")
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.name != "posix", reason="elsewhere folders have no such permission")
def test_a_folder_that_may_not_be_searched() -> None:
    """Not in pytest's own folder, which is its user's alone: what stands in the way must be this one."""
    with tempfile.TemporaryDirectory() as made:
        closed = Path(made) / "closed"
        Path(made).chmod(0o755)
        closed.mkdir()
        (closed / "x.nii").write_bytes(b"")
        for mode, code, words in ((0o755, 0, b"no NIfTI file"), (0o600, 2, b"ermission denied")):
            closed.chmod(mode)
            done = as_nobody("info", closed / "x.nii")
            assert (done.returncode, done.stderr.count(b"\n")) == (code, 1), done.stderr
            assert words in done.stderr
        closed.chmod(0o700)


def as_nobody(*words: object) -> subprocess.CompletedProcess[bytes]:
    """A command as a user whom permissions hold: root may search every folder, so it becomes another one.

    It runs once before, as what it loads may lie in folders that are root's alone.
    """
    code = """
import contextlib, io, os
from medseg import cli
if os.geteuid() == 0:
    with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
        cli.main()
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
cli.main()
"""
    line = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(line, capture_output=True, check=False, timeout=120)


def test_a_machine_that_fails_is_no_fault_of_ours(
    medseg: Medseg, ball: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "somewhere")

    monkeypatch.setattr("medseg.cli.info.info", refused)
    seen = medseg("info", ball)
    assert (seen.code, "somewhere: Permission denied" in seen.line) == (2, True), seen.err


def test_the_log_of_a_fault_is_its_owners_alone(
    medseg: Medseg, ball: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*_: object, **__: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setenv("MEDSEG_LOG_DIR", str(tmp_path))
    monkeypatch.setattr("medseg.cli.info.info", bug)
    assert medseg("info", ball).code == 1
    (log,) = tmp_path.glob("medseg-*.log")
    assert log.stat().st_mode & 0o077 == 0


def test_a_slope_beyond_all_numbers(medseg: Medseg, tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.full((4, 4, 4), 30000, np.int16), np.eye(4))
    image.header.set_slope_inter(1e30, 0)
    nib.save(image, tmp_path / "x.nii")
    seen = medseg("segment", "otsu", tmp_path / "x.nii", "--out", tmp_path / "m.nii")
    assert seen.code in (0, 2), seen.err


def test_libraries_keep_their_caches_in_our_folder(record: Path, tmp_path: Path) -> None:
    home, own = tmp_path / "home", tmp_path / "own"
    home.mkdir()
    words = {"HOME": str(home), "MEDSEG_CACHE_DIR": str(own), "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": ""}
    kept = {name: value for name, value in os.environ.items() if name not in ("MPLCONFIGDIR", "TORCH_HOME")}
    line = [sys.executable, "-m", "medseg", "report", str(record), "--html", str(tmp_path / "r.html")]
    done = subprocess.run(line, env={**kept, **words}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not list(home.rglob("*"))
    assert [item.name for item in own.iterdir()] == ["matplotlib"]
