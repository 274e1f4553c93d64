"""How long `medseg demo` takes once installed.

Run: python -m benchmarks.demo_time
"""

import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        command = [sys.executable, "-m", "medseg", "demo", "--out", str(Path(folder) / "demo")]
        subprocess.run(command, check=True, capture_output=True)
        seconds = time.perf_counter() - start
    print(f"{platform.platform()}, Python {platform.python_version()}")
    print(f"medseg demo: {seconds:.1f} s (aim: within 20 s on two cores)")


if __name__ == "__main__":
    main()
