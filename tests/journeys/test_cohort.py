"""`medseg cohort` in a shell, on a dozen cases: finished ones stand; workers killed, hanging, out of room."""

import csv
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.conftest import ROOT

pytestmark = [
    pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="processes are looked up by Linux's means"
    ),
    pytest.mark.timeout(240),
]

#: A method of a plugin: a threshold that does what the brightest voxel says.
TRAP = """
import os, signal, time
from dataclasses import replace
from pathlib import Path
from medseg.methods.threshold import Threshold

class Trap(Threshold):
    spec = replace(Threshold.spec, name="trap")

    def segment(self, images, params, *, within=None, prompts=None, run):
        top = int(next(iter(images.values())).array.max())
        once = Path(os.environ["TRAP"]) / str(top)
        first = not once.exists()
        once.touch()
        if top == 901 or (top == 902 and first):
            os.kill(os.getpid(), signal.SIGKILL)
        if top == 903:
            time.sleep(1000)
        if top == 904:
            raise OSError(28, "No space left on device", "mask.nii.gz")
        if top == 905 and first:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(1000)
        if top == 906:
            time.sleep(2)
        return super().segment(images, params, within=within, prompts=prompts, run=run)

TRAP = Trap()
"""


def draw(path: Path, *, radius: float = 6.0, top: int | None = None) -> None:
    import nibabel as nib

    i, j, k = np.indices((24, 24, 14))
    inside = (i - 12) ** 2 + (j - 12) ** 2 + (2 * (k - 7)) ** 2 <= radius**2
    values = (inside * 100).astype(np.int16)
    values[12, 12, 7] = top or 100
    image = nib.Nifti1Image(values, np.diag([1.0, 1.0, 2.0, 1.0]))
    image.header.set_xyzt_units("mm")
    image.set_qform(image.affine, 1)
    path.parent.mkdir(exist_ok=True)
    nib.save(image, path)


class Place:
    """A folder with a study, and the command run in it as a user does."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "out"
        package = folder / "plugins"
        info = package / "trap-1.0.dist-info"
        info.mkdir(parents=True)
        (package / "trap.py").write_text(TRAP, encoding="utf-8")
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trap\nVersion: 1.0\n", encoding="utf-8")
        (info / "entry_points.txt").write_text("[medseg.segmenters]\ntrap = trap:TRAP\n", encoding="utf-8")
        (folder / "seen").mkdir()
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(package)]),
            "TRAP": str(folder / "seen"),
            "OMP_NUM_THREADS": "1",
        }
        self.study()

    def study(self, **changes: Any) -> None:
        words = {
            "inputs": "scans",
            "segment": {"method": "trap", "params": {"low": 50}},
            "report": {"pages": False, "pictures": False},
            "cluster": {"workers": 2, "timeout_s": 30},
            **changes,
        }
        (self.folder / "study.yaml").write_text(json.dumps(words), encoding="utf-8")

    def scan(self, name: str, **how: Any) -> None:
        draw(self.folder / "scans" / f"{name}.nii.gz", **how)

    def start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "medseg", "cohort", "study.yaml", "--out", "out", "--json"]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self) -> tuple[int, dict[str, Any]]:
        """Exit code and the JSON; nothing that it started is left."""
        process = self.start()
        out, err = process.communicate(timeout=200)
        assert out, err
        return process.returncode, json.loads(out)

    def rows(self) -> dict[str, dict[str, Any]]:
        base = sqlite3.connect(self.out / "cohort.sqlite")
        base.row_factory = sqlite3.Row
        found = {row["name"]: dict(row) for row in base.execute("SELECT * FROM cases WHERE present = 1")}
        base.close()
        return found

    def done(self) -> int:
        """How many are done so far."""
        try:
            return [row["state"] for row in self.rows().values()].count("done")
        except sqlite3.Error:
            return 0


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def wait_for(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")


def test_finished_cases_stand_and_what_changed_is_done_again_with_its_reason(place: Place) -> None:
    for number in range(4):
        place.scan(f"c{number}", radius=5 + number)
    (place.folder / "scans/broken.nii.gz").write_bytes(b"this is no image")
    code, first = place.run()
    assert code == 3
    assert first["result"]["states"] == {"done": 4, "failed": 1}
    assert "broken.nii.gz" in first["result"]["failed"]["broken"]
    rows = place.rows()
    assert {row["state"] for row in rows.values()} == {"done", "failed"}
    assert all(
        row["seconds"] > 0 and row["peak_bytes"] > 1 << 20 for row in rows.values() if row["state"] == "done"
    )
    assert [row["case"] for row in table(place.out / "cases.csv")] == ["c0", "c1", "c2", "c3"]

    place.scan("c1", radius=9)
    (place.out / "cases/c2/record.json").unlink()
    place.scan("c4")
    before = {name: (place.out / f"cases/{name}/record.json").stat().st_mtime_ns for name in ("c0", "c3")}
    code, second = place.run()
    assert second["result"]["states"] == {"kept": 2, "made again": 2, "done": 1, "failed": 1}
    assert second["result"]["again"] == {"c1": "input image changed", "c2": "record.json is gone"}
    assert place.rows()["c1"]["why"] == "input image changed"
    after = {name: (place.out / f"cases/{name}/record.json").stat().st_mtime_ns for name in before}
    assert before == after, "a finished case is not written again"

    place.study(segment={"method": "trap", "params": {"low": 60}})
    code, third = place.run()
    assert third["result"]["states"] == {"made again": 5, "failed": 1}
    assert set(third["result"]["again"].values()) == {"the settings changed"}


@pytest.mark.slow
def test_what_kills_or_stops_a_worker_is_named_and_harms_no_other_case(place: Place) -> None:
    """Poison, a process killed once, a case without end, a full disk, and a Dask worker killed, among good ones."""
    place.study(cluster={"workers": 2, "timeout_s": 15})
    for name, top in (("poison", 901), ("once", 902), ("hangs", 903), ("full", 904), ("worker", 905)):
        place.scan(name, top=top)
    for number in range(8):
        place.scan(f"c{number}", top=906)
    code, found = place.run()
    assert code == 3
    failed = found["result"]["failed"]
    assert set(failed) == {"poison", "hangs", "full"}
    assert "most likely because memory ran out" in failed["poison"]
    assert failed["poison"].startswith("twice: ")
    assert failed["hangs"] == "twice: it hung: no end after 15 s (at stage segment)"
    assert "No space left on device" in failed["full"]
    rows = place.rows()
    assert {name: rows[name]["tries"] for name in ("poison", "once", "hangs", "full", "worker")} == {
        "poison": 2,
        "once": 2,
        "hangs": 2,
        "full": 1,
        "worker": 2,
    }
    assert {rows[f"c{number}"]["tries"] for number in range(8)} == {1}
    assert rows["worker"]["why"].startswith("tried again: its worker ended")
    assert all("\n" not in row["reason"] for row in rows.values())


@pytest.mark.slow
def test_after_the_parent_was_killed_the_next_start_goes_on_and_says_so(place: Place) -> None:
    for number in range(8):
        place.scan(f"c{number}", top=906)
    process = place.start()
    wait_for(lambda: place.done() >= 2)
    children = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive, "workers end with the process that started them"
    before = place.rows()
    running = {name for name, row in before.items() if row["state"] == "running"}
    done = {name for name, row in before.items() if row["state"] == "done"}
    assert running
    code, found = place.run()
    assert code == 0
    assert found["result"]["states"].get("kept") == len(done)
    assert set(found["result"]["again"]) == running
    assert all(
        "an earlier run ended while it was at work" in why for why in found["result"]["again"].values()
    )


@pytest.mark.slow
def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(place: Place) -> None:
    many = 24  # on a busy machine most of two seconds' cases are done before this one looks again
    for number in range(many):
        place.scan(f"c{number}", top=906)
    process = place.start()
    wait_for(lambda: place.done() >= 2)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in json.loads(out)["error"]["message"]
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    code, found = place.run()
    assert code == 0
    assert sum(found["result"]["states"].values()) == many
    assert found["result"]["states"]["kept"] >= 1


def test_two_runs_in_one_folder_are_refused_and_a_folder_of_something_else_too(place: Place) -> None:
    from medseg.cohort.ledger import CohortLedger

    place.scan("a")
    place.out.mkdir()
    (place.out / "thesis.txt").write_text("mine", encoding="utf-8")
    process = place.start()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "holds something that is no study's" in json.loads(out)["error"]["message"]
    shutil.rmtree(place.out)
    place.out.mkdir()
    held = CohortLedger(place.out)
    process = place.start()
    out, _ = process.communicate(timeout=60)
    held.close()
    assert process.returncode == 2
    assert "another 'medseg cohort' works in" in json.loads(out)["error"]["message"]


def test_table_and_page_say_the_same_and_rejected_cases_are_left_out(place: Place) -> None:
    import pyarrow.parquet as pq

    from medseg.reporting.record.json import content_digest
    from medseg.workflows.record import read_record

    place.study(report={"pages": True, "pictures": True})
    for number in range(9):
        place.scan(f"c{number}", radius=5 + 0.4 * (number % 5))
    place.scan("large", radius=9.5)
    (place.folder / "scans/broken.nii.gz").write_bytes(b"this is no image")
    code, _ = place.run()
    assert code == 3
    rows = table(place.out / "cases.csv")
    head = "foreground volume (ml)"
    values = np.array([float(row[head]) for row in rows])
    parquet = pq.read_table(place.out / "cases.parquet").to_pydict()
    assert list(parquet) == list(rows[0])
    assert parquet["case"] == [row["case"] for row in rows]
    assert parquet[head] == list(values)
    for row in rows:
        record = read_record(place.out / "cases" / row["case"] / "record.json")
        assert any(item.value == float(row[head]) for item in record.measurements)

    page = (place.out / "index.html").read_text("utf-8")
    text = unescape(re.sub(r"<[^>]+>", "", page))
    assert "10 done, 1 failed." in text
    middle = float(np.median(values))
    mad = float(np.median(np.abs(values - middle)))
    z = 0.6744897501960817 * (values.max() - middle) / mad
    assert z > 3.5, "the case is an outlier by construction"
    assert '<li class="card" data-name="large">' in page
    assert 'src="data:image/png;base64,' in page
    assert f"n {len(values)}; median {middle:.3g} ml" in text or f"median {middle:.2g} ml" in text
    for link in re.findall(r'href="(cases/[^"]+)"', page):
        assert (place.out / link).is_file()
    assert "<script" not in page
    assert "http" not in re.sub(r"http://www.w3.org/[^\"]*", "", page)

    record = read_record(place.out / "cases/large/record.json")
    sheet = [sys.executable, "-m", "medseg", "report", place.out / "cases", "--html", place.folder / "sheet"]
    assert subprocess.run(sheet, check=False, capture_output=True).returncode == 0
    contact = (place.folder / "sheet/index.html").read_text("utf-8")
    assert content_digest(record) in contact
    assert all((place.folder / f"sheet/{row['case']}.html").is_file() for row in rows)
    verdicts = [{"case": "large", "record": content_digest(record), "verdict": "reject"}]
    qc = {"schema": "medseg.qc/1.0", "saved_at": "", "cases": verdicts}
    (place.folder / "qc.json").write_text(json.dumps(qc), encoding="utf-8")
    place.study(report={"pages": True, "pictures": True}, qc="qc.json")
    code, found = place.run()
    assert found["result"]["states"] == {"kept": 9, "left out": 1, "failed": 1}
    assert place.rows()["large"]["reason"] == "rejected by a reader (qc.json)"
    assert "large" not in [row["case"] for row in table(place.out / "cases.csv")]
    assert "left out: rejected by a reader (qc.json)" in (place.out / "index.html").read_text("utf-8")
