"""Other people's software that judges what medseg writes; a judge that is not installed skips the test."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg import io
from medseg.domain import Grid
from medseg.io.dicom.placing import place_exactly

_PATIENCE_S = 120
#: dciodvfy knows the public schemes alone; the standard lets an object use its own when it declares it.
_OWN_SCHEME = "Unrecognized defined term = <99MEDSEG>"


def judge(name: str) -> str:
    """Path of an installed judge; skips where it is missing."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip(f"the judge {name} is not installed")
    return found


def heard(name: str, *arguments: object) -> str:
    """What a judge says, stdout and stderr together; it must succeed."""
    done = _run(name, *arguments)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def complaints(path: Path) -> set[str]:
    """Errors and warnings of dciodvfy about a file."""
    done = _run("dciodvfy", "-new", path)
    lines = (done.stdout + done.stderr).splitlines()
    return {
        line for line in lines if line.startswith(("Error", "Warning")) and not line.endswith(_OWN_SCHEME)
    }


def segments_by_dcmqi(path: Path, folder: Path, grid: Grid) -> dict[int, np.ndarray]:
    """Mask of each segment on `grid`, as dcmqi's segimage2itkimage reads it."""
    folder.mkdir()
    heard("segimage2itkimage", "--inputDICOM", path, "--outputDirectory", folder, "-t", "nrrd")
    found: dict[int, np.ndarray] = {}
    for file in sorted(folder.glob("*.nrrd")):
        image = io.read(file)
        for value in np.unique(image.array):
            if value:
                placed = place_exactly((image.array == value).astype(np.uint8), image.grid, grid)
                assert placed is not None, f"{file.name} does not lie on the voxels of the source"
                found[int(value)] = placed > 0
    return found


def numbers_by_dcmqi(path: Path, folder: Path) -> list[tuple[str, float]]:
    """(code value, number) of every measurement that has one, as dcmqi's tid1500reader reads them."""
    target = folder / "sr.json"
    heard("tid1500reader", "--inputDICOM", path, "--outputMetadata", target)
    groups: list[dict[str, Any]] = json.loads(target.read_text("utf-8"))["Measurements"]
    return [
        (item["quantity"]["CodeValue"], float(item["value"]))
        for group in groups
        for item in group.get("measurementItems", ())
        if item["value"]
    ]


@contextmanager
def receiver(folder: Path) -> Iterator[int]:
    """Port of a storescp on loopback that stores what it is sent in `folder`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    folder.mkdir()
    log = (folder.parent / "storescp.log").open("w")
    process = subprocess.Popen(
        [judge("storescp"), "--output-directory", str(folder), "--log-level", "info", str(port)],
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        _await(port)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


def _await(port: int) -> None:
    """Until someone listens there; a machine with other work takes its time."""
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"storescp did not listen on port {port} within 30 s")


def _run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [judge(name), *(str(item) for item in arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
