"""`python -m benchmarks.cohort`: many small cases with one worker killed and one corrupt; throughput, memory, overhead.

Parts, each by itself: `--part faults` (rows, failures, nothing done twice, memory over the run), `--part workers` (two
workers against one), `--part overhead` (empty cases against bare Dask in the same run).
"""

import argparse
import csv
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

__all__ = ["main"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("faults", "workers", "overhead"), action="append")
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--size", type=int, default=24, help="voxels along each axis of a case")
    asked = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {asked.cases} cases"
    )
    for part in asked.part or ("faults", "workers", "overhead"):
        with tempfile.TemporaryDirectory() as folder:
            {"faults": faults, "workers": workers, "overhead": overhead}[part](Path(folder), asked)


def draw(folder: Path, count: int, size: int) -> None:
    import nibabel as nib

    folder.mkdir()
    away = sum((axis - size / 2) ** 2 for axis in np.indices((size, size, size)))
    for number in range(count):
        values = (away <= (size / 4 + number % 5 / 2) ** 2) * 100
        noise = np.random.default_rng(number).normal(0, 5, values.shape)
        image = nib.Nifti1Image((values + noise).astype(np.int16), np.eye(4))
        image.header.set_xyzt_units("mm")
        nib.save(image, folder / f"c{number:05d}.nii")


def write_study(folder: Path, workers: int) -> None:
    words = {
        "inputs": "scans",
        "segment": {"method": "threshold", "params": {"low": 50}},
        "report": {"pages": False, "pictures": False},
        "cluster": {"workers": workers},
    }
    (folder / "study.yaml").write_text(json.dumps(words), encoding="utf-8")


def start(folder: Path, out: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "medseg", "cohort", "study.yaml", "--out", out, "--json"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)


class Memory(threading.Thread):
    """Resident MiB of the process that was started, and of all that it started, every two seconds."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process, self.parent, self.all = psutil.Process(pid), [], []

    def run(self) -> None:
        try:
            while True:
                family = [self.process, *self.process.children(recursive=True)]
                held = []
                for one in family:
                    try:
                        held.append(one.memory_info().rss / 2**20)
                    except psutil.Error:
                        held.append(0.0)
                self.parent.append(held[0])
                self.all.append(sum(held))
                time.sleep(2)
        except psutil.Error:
            return


def faults(folder: Path, asked: argparse.Namespace) -> None:
    draw(folder / "scans", asked.cases, asked.size)
    (folder / "scans" / f"c{asked.cases // 3:05d}.nii").write_bytes(b"no image")
    write_study(folder, 2)
    begin = time.monotonic()
    process = start(folder, "out")
    memory = Memory(process.pid)
    memory.start()
    while len(list((folder / "out/cases").glob("*/record.json"))) < asked.cases // 4:
        time.sleep(0.5)
    victim = next(child for child in psutil.Process(process.pid).children() if is_worker(child))
    os.kill(victim.pid, signal.SIGKILL)
    out, _ = process.communicate()
    took = time.monotonic() - begin
    found = json.loads(out)["result"]
    rows = list(csv.DictReader((folder / "out/cases.csv").read_text("utf-8").splitlines()))
    print(f"faults: {len(rows)} rows, failed {found['failed']}, tried again {found['again']}")
    print(f"faults: {took:.0f} s, {asked.cases / took:.1f} cases per s, page and tables included")
    for name, values in (("parent", memory.parent), ("all processes", memory.all)):
        part = max(1, len(values) // 4)
        second, last = np.median(values[part : 2 * part]), np.median(values[-part:])
        print(f"faults: {name} {second:.0f} MiB in the second quarter, {last:.0f} MiB in the last")
    stamps = {path: path.stat().st_mtime_ns for path in (folder / "out/cases").glob("*/record.json")}
    begin = time.monotonic()
    out, _ = start(folder, "out").communicate()
    again = json.loads(out)["result"]
    same = sum(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    print(
        f"faults, second start: {again['states']} in {time.monotonic() - begin:.0f} s; {same} of {len(stamps)} untouched"
    )


def is_worker(process: psutil.Process) -> bool:
    words = " ".join(process.cmdline())
    return "spawn_main" in words


def workers(folder: Path, asked: argparse.Namespace) -> None:
    """Time from the first case that is done to the last, so that the start of the cluster does not count."""
    import sqlite3

    draw(folder / "scans", asked.cases, asked.size)
    speeds = {}
    for count in (1, 2):
        write_study(folder, count)
        process = start(folder, f"out{count}")
        instants: list[float] = []
        base: Any = None
        while process.poll() is None:
            time.sleep(0.1)
            path = folder / f"out{count}/cohort.sqlite"
            if base is None and path.exists():
                base = sqlite3.connect(path, timeout=30)
            try:
                done = (
                    base.execute("SELECT count(*) FROM cases WHERE state = 'done'").fetchone()[0]
                    if base
                    else 0
                )
            except sqlite3.Error:
                continue
            while len(instants) < done:
                instants.append(time.monotonic())
        process.communicate()
        few = asked.cases // 10
        speeds[count] = (len(instants) - 1 - few) / (instants[-1] - instants[few])
        print(f"workers: {count}: {speeds[count]:.2f} cases per s")
    print(f"workers: 2 against 1: {speeds[2] / speeds[1]:.2f}")


def nothing(order: Any) -> Any:
    """An empty case."""
    from medseg.cohort.ledger import CaseRow
    from medseg.cohort.work import CaseAnswer

    return CaseAnswer(order.number, "done", CaseRow(order.case.id, "done", seconds=0.0, stage="done"))


def empty_task(number: int) -> int:
    return number


def empty_order(order: Any, topic: str) -> dict[str, Any]:
    from dataclasses import asdict

    from distributed import get_worker

    answer = asdict(nothing(order))
    get_worker().log_event(topic, answer)
    return answer


def overhead(folder: Path, asked: argparse.Namespace) -> None:
    """Foreman, ledger and crew with a task that does nothing, and Dask's own map and gather, on the same cluster."""
    from medseg.cohort import crew as room
    from medseg.cohort.case import CaseJob
    from medseg.cohort.foreman import Foreman, Patience
    from medseg.cohort.ledger import CaseRow, CohortLedger
    from medseg.cohort.study import ClusterWish
    from medseg.cohort.work import Order
    from medseg.domain import Case, ChannelFile
    from medseg.domain.plan import MeasurePlan
    from medseg.workflows.segment import SegmentOptions

    room._carry_out = empty_order  # noqa: SLF001 - what is measured is all around it
    job = CaseJob(str(folder), SegmentOptions(), "threshold", MeasurePlan(), pages=False, pictures=False)
    names = [f"c{number}" for number in range(asked.cases)]
    cases = (Case(name, name, (ChannelFile("image", f"{name}.nii"),)) for name in names)
    orders = (Order(0, case, None, job, "m", "s", 60.0) for case in cases)
    ledger = CohortLedger(folder)
    ledger.expect(names)
    done = []

    def begun(order: Order) -> None:
        ledger.put(CaseRow(order.case.id, "running", stage="read"))

    def ended(answer: Any) -> None:
        ledger.put(answer.row)
        done.append(answer.row.state)

    with room.crew_of(ClusterWish(workers=2)) as crew:
        client = crew._client  # noqa: SLF001
        client.gather(client.map(empty_task, range(100), pure=False))
        begin = time.monotonic()
        client.gather(client.map(empty_task, range(asked.cases), pure=False))
        bare = time.monotonic() - begin
        begin = time.monotonic()
        Foreman(crew, orders, len(names), limits=Patience(60.0), begun=begun, ended=ended).work(lambda: None)
        ours = time.monotonic() - begin
    assert len(done) == asked.cases
    ledger.close()
    each = 1000 / asked.cases
    print(f"overhead: {ours * each:.2f} ms a case, bare Dask {bare * each:.2f} ms; {ours / bare:.2f} times")


if __name__ == "__main__":
    main()
