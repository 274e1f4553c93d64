"""A report made in another process: the same bytes, and gone within a second, whatever it was doing."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medseg.domain import Image, Run, Segmentation
from medseg.errors import Cancelled, InputError, OutputError
from medseg.workflows.publish import Published, PublishOptions, publish
from medseg.workflows.publish_apart import publish_apart, sign_apart
from medseg.workflows.verify import verify_files
from tests.workflows.test_publish import TABLES, WHO, mask, scan

__all__ = ["mask", "scan"]  # fixtures

#: What another process can be told to be slow at: each hears nothing while it works.
SLOW = """
import os, time
from medseg.workflows import publish

if os.getpid() != {mine}:
    def slow(*_args, **_how):
        time.sleep(600)
    publish.{what} = slow
"""


class Watched:
    """A run that is cancelled when it has been in a phase for a while."""

    def __init__(self, phase: str) -> None:
        self.phase, self.now, self.since, self.asked_at = phase, "", 0.0, 0.0

    def progress(self, _done: int, _total: int | None, what: str) -> None:
        self.now, self.since = what, time.monotonic()

    def cancel(self) -> bool:
        if not self.asked_at and self.phase in self.now and time.monotonic() - self.since > 0.3:
            self.asked_at = time.monotonic()
        return self.asked_at > 0

    def stopped_after(self, work: Any) -> float:
        """Seconds from the wish to stop until it has stopped."""
        with pytest.raises(Cancelled):
            work(Run(progress=self.progress, cancel=self.cancel))
        return time.monotonic() - self.asked_at


def slow_at(what: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Options that can't be had in another process without loading what makes a step slow there."""

    name = f"slow_at_{what}"
    text = SLOW.format(what=what, mine=os.getpid())
    text += "class Options(publish.PublishOptions):\n    __slots__ = ()\n"
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    return __import__(name).Options


def inside(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_it_writes_the_bytes_of_publish_and_signs_as_it(
    scan: Image, mask: Segmentation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    options = PublishOptions(TABLES)
    here = publish(mask, {"mr": scan}, tmp_path / "here", options)
    there = publish_apart(mask, {"mr": scan}, tmp_path / "there", options, Run())
    assert [path.name for path in there.files.values()] == [path.name for path in here.files.values()]
    assert there.record.measurements == here.record.measurements
    for name in ("measurements.csv", "mask.nii.gz"):
        assert (here.folder / name).read_bytes() == (there.folder / name).read_bytes()
    signed = sign_apart(there, mask, {"mr": scan}, **WHO, run=Run())
    assert signed.record.review.state == "reviewed"
    assert all(check.holds for check in verify_files(signed.record_path))


@pytest.mark.parametrize(
    ("what", "phase"),
    [("measure", "measuring"), ("write_views", "drawing"), ("export", "objects"), ("_named", "files")],
)
def test_a_cancel_is_heard_within_a_second_and_leaves_nothing(
    what: str,
    phase: str,
    scan: Image,
    mask: Segmentation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = slow_at(what, tmp_path, monkeypatch)(TABLES, ("fhir",))
    for _ in range(2):  # what was swept once is swept again
        took = Watched(phase).stopped_after(
            lambda run: publish_apart(mask, {"mr": scan}, tmp_path / "out", options, run)
        )
        assert took < 1
        assert not (tmp_path / "out").exists()


@pytest.fixture
def written(scan: Image, mask: Segmentation, tmp_path: Path) -> Published:
    return publish(mask, {"mr": scan}, tmp_path / "out", PublishOptions(TABLES))


@pytest.mark.parametrize(("what", "phase"), [("sign_files", "checking"), ("write_views", "drawing")])
def test_a_signature_that_is_stopped_leaves_the_report_as_it_was(
    what: str,
    phase: str,
    written: Published,
    scan: Image,
    mask: Segmentation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:

    before = inside(written.folder)
    asked = replace(written, options=slow_at(what, tmp_path, monkeypatch)(TABLES))
    took = Watched(phase).stopped_after(lambda run: sign_apart(asked, mask, {"mr": scan}, **WHO, run=run))
    assert took < 1
    assert inside(written.folder) == before
    again = sign_apart(written, mask, {"mr": scan}, **WHO, run=Run())
    assert all(check.holds for check in verify_files(again.record_path))


def test_what_publish_refuses_is_refused(
    written: Published, scan: Image, mask: Segmentation, tmp_path: Path
) -> None:
    before = inside(written.folder)
    with pytest.raises(OutputError, match="exists already"):
        publish_apart(mask, {"mr": scan}, written.folder, PublishOptions(), Run())
    sign_apart(written, mask, {"mr": scan}, **WHO, run=Run())
    with pytest.raises(InputError, match="signed"):
        sign_apart(written, mask, {"mr": scan}, **WHO, run=Run())
    assert inside(written.folder).keys() == before.keys()


#: A report whose other process is at the point where its files get their names: just before, or just after.
AT_THE_NAMES = """
import os, time
from pathlib import Path
from medseg.workflows import publish, publish_apart

if os.getpid() != {mine}:
    first = publish_apart._is_first

    def slow(decided):
        if {before}:
            Path({reached!r}).touch()
            time.sleep(1)
        found = first(decided)
        if not {before}:
            Path({reached!r}).touch()
            time.sleep(1)
        return found

    publish_apart._is_first = slow


class Options(publish.PublishOptions):
    __slots__ = ()
"""


@pytest.mark.parametrize("before", [True, False])
def test_what_is_said_of_a_cancel_at_the_last_moment_is_true(
    before: bool, scan: Image, mask: Segmentation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, out = tmp_path / "reached", tmp_path / "out"
    name = f"at_the_names_{before}"
    text = AT_THE_NAMES.format(mine=os.getpid(), before=before, reached=str(reached))
    (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    options = __import__(name).Options(TABLES)
    run = Run(cancel=reached.exists)
    if before:
        with pytest.raises(Cancelled):
            publish_apart(mask, {"mr": scan}, out, options, run)
        assert not out.exists()
    else:
        made = publish_apart(mask, {"mr": scan}, out, options, run)
        assert all(path.exists() for path in made.files.values())
        assert all(check.holds for check in verify_files(made.record_path))
