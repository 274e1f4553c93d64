"""Bad input is the normal case: one clear line, the right exit code, nothing half-written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]


def left_behind(folder: Path, *expected: Path) -> set[str]:
    return {item.name for item in folder.iterdir()} - {item.name for item in expected}


def test_a_truncated_file(medseg: Medseg, ball: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(ball.read_bytes()[:2000])
    seen = medseg("segment", "otsu", broken, "--out", tmp_path / "mask.nii.gz")
    assert seen.code == 2
    assert "broken.nii.gz" in seen.line
    assert not left_behind(tmp_path, ball, broken)


CASES = [
    (["segment"], "see 'medseg segment --help'"),
    (["nonsense"], "No such command"),
    (["segment", "otsu", "BALL", "--out", "OUT", "--bogus"], "--bogus"),
    (["segment", "otsu", "BALL"], "--out"),
    (["segment", "otzu", "BALL", "--out", "OUT"], "did you mean 'otsu'"),
    (["segment", "otsu", "missing.nii.gz", "--out", "OUT"], "missing.nii.gz"),
    (["segment", "otsu", "BALL", "--out", "OUT", "-p", "binz=3"], "did you mean 'bins'"),
    (["segment", "otsu", "BALL", "--out", "OUT", "-p", "bins=1"], "bins"),
    (["segment", "otsu", "BALL", "--out", "OUT", "-p", "bins"], "NAME=VALUE"),
    (["segment", "otsu", "BALL", "--out", "OUT", "--device", "gpu"], "--device"),
    (["segment", "otsu", "BALL", "--out", "OUT", "--affine", "zform"], "qform or sform"),
    (["segment", "otsu", "--out", "OUT"], "INPUT"),
    (["segment", "otsu", "--channel", "mr", "--out", "OUT"], "NAME=VALUE"),
    (["segment", "otsu", "BALL", "--out", "OUT", "--probabilities"], "probabilities"),
    (["measure", "missing.nii.gz", "--out", "OUT"], "missing.nii.gz"),
    (["report", "BALL", "--html", "OUT"], "ball.nii.gz"),
    (["report", "missing.json", "--html", "OUT"], "missing.json"),
    (["info", "missing"], "missing"),
    (["train", "no_such_config", "--out", "OUT"], "hippocampus_3d"),
    (["convert", "BALL", "BALL"], "onto itself"),
    (["evaluate", "missing.nii.gz", "BALL"], "missing.nii.gz"),
]


@pytest.mark.parametrize(("arguments", "expected"), CASES, ids=[" ".join(words) for words, _ in CASES])
def test_one_clear_line(
    arguments: list[str], expected: str, medseg: Medseg, ball: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.nii.gz"
    words = [{"BALL": str(ball), "OUT": str(out)}.get(word, word) for word in arguments]
    seen = medseg(*words)
    assert seen.code == 2
    assert expected in seen.line
    assert not left_behind(tmp_path, ball)


def test_what_exists_is_not_overwritten(medseg: Medseg, ball: Path, tmp_path: Path) -> None:
    out = tmp_path / "mask.nii.gz"
    assert medseg("segment", "otsu", ball, "--out", out).code == 0
    before = out.read_bytes()
    seen = medseg("segment", "otsu", ball, "--out", out, "-p", "bins=8")
    assert seen.code == 2
    assert "--force" in seen.line
    assert out.read_bytes() == before
    assert medseg("segment", "otsu", ball, "--out", out, "-p", "side=below", "--force").code == 0
    assert out.read_bytes() != before


def test_errors_as_json(medseg: Medseg, tmp_path: Path) -> None:
    seen = medseg("info", tmp_path / "missing", "--json")
    assert seen.code == 2
    assert seen.json["error"]["class"] == "InputError"


def test_a_bug_is_one_line_and_a_log(medseg: Medseg, ball: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import import_module

    room = import_module("medseg.cli.info")

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr(room, "info", broken)
    seen = medseg("info", ball)
    assert seen.code == 1
    assert "fault in medseg" in seen.line
    log = Path(seen.line.rpartition(" in ")[2])
    assert "ZeroDivisionError" in log.read_text(encoding="utf-8")


def test_stopped_by_the_user(
    medseg: Medseg, ball: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medseg.methods import otsu

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(otsu, "otsu_threshold", interrupted)
    seen = medseg("segment", "otsu", ball, "--out", tmp_path / "mask.nii.gz")
    assert seen.code == 130
    assert not left_behind(tmp_path, ball)
