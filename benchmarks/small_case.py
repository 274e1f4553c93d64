"""A small case from process start to mask on disk, against what `import monai` alone takes in the same run.

First with nothing compiled, then with the compiled network in the cache, each time in a process of its own,
interleaved with `import monai`. CPU seconds (user and system) stand beside those of the clock, which a busy machine
stretches.

Run: python -m benchmarks.small_case
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from medseg import settings

ROUNDS = 3
AIM = 1 / 3
SAMPLE = settings.shipped_folder() / "samples" / "hippocampus" / "mr.nii.gz"


def seconds(cache: str, *words: str) -> tuple[float, float]:
    """By the clock, and of the processor."""
    before = os.times()
    start = time.perf_counter()
    environment = {**os.environ, "MEDSEG_CACHE_DIR": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program has its bytecode
    subprocess.run([sys.executable, *words], check=True, capture_output=True, env=environment)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, used


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "mask.nii.gz")
        words = (
            "-m",
            "medseg",
            "segment",
            "hippocampus",
            str(SAMPLE),
            "--out",
            out,
            "--force",
            "--device",
            "cpu",
        )
        seconds(str(Path(folder) / "warm"), *words)  # bytecode, and the disk's own cache
        seconds(folder, "-c", "import monai")
        first = seconds(str(Path(folder) / "cache"), *words)
        rounds = [
            (*seconds(str(Path(folder) / "cache"), *words), *seconds(folder, "-c", "import monai"))
            for _ in range(ROUNDS)
        ]
    ours, ours_cpu, monai, monai_cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {ROUNDS} rounds")
    print(f"import monai: {monai:.2f} s by the clock, {monai_cpu:.2f} s of the processor")
    print(f"segment hippocampus, nothing compiled: {first[0]:.2f} s, {first[1]:.2f} s")
    print(f"segment hippocampus, compiled: {ours:.2f} s, {ours_cpu:.2f} s")
    print(f"ratio: {ours / monai:.2f}, {ours_cpu / monai_cpu:.2f} (aim: at most {AIM:.2f})")


if __name__ == "__main__":
    main()
