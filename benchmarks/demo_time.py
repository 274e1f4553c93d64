"""How long `medseg demo` takes against what it can't do without: `import monai` and WeasyPrint's first page.

Both in the same run, as a ratio of medians: the machine's own speed falls out.

Run: python -m benchmarks.demo_time
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAGE = "from weasyprint import HTML\nHTML(string='<h1>One page</h1><p>Some words.</p>').write_pdf()"
PARTS = {"import monai": "import monai", "WeasyPrint's first page": PAGE}
ROUNDS = 3
AIM = 1.5


def seconds(*words: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    return time.perf_counter() - start


def demo() -> float:
    with tempfile.TemporaryDirectory() as folder:
        return seconds("-m", "medseg", "demo", "--out", str(Path(folder) / "demo"))


def main() -> None:
    for code in PARTS.values():
        seconds("-c", code)
    rounds = [(demo(), *(seconds("-c", code) for code in PARTS.values())) for _ in range(ROUNDS)]
    ours, *parts = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, {ROUNDS} rounds"
    )
    for name, value in zip(PARTS, parts, strict=True):
        print(f"{name}: {value:.1f} s")
    print(f"medseg demo: {ours:.1f} s, ratio {ours / sum(parts):.2f} (aim: at most {AIM})")


if __name__ == "__main__":
    main()
