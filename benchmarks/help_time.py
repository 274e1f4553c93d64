"""How long `medseg --help` takes against a bare typer program: a ratio of medians in one run.

Run: python -m benchmarks.help_time
"""

import platform
import statistics
import subprocess
import sys
import time

BARE = """
import typer
app = typer.Typer()
@app.command()
def one(): 'One.'
@app.command()
def two(): 'Two.'
app(['--help'])
"""
OURS = "import sys\nsys.argv = ['medseg', '--help']\nfrom medseg.cli import main\nmain()"
ROUNDS = 15


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    return time.perf_counter() - start


def main() -> None:
    for code in (BARE, OURS):
        seconds(code)
    pairs = [(seconds(OURS), seconds(BARE)) for _ in range(ROUNDS)]
    ours, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{platform.platform()}, Python {platform.python_version()}, {ROUNDS} pairs")
    print(f"medseg --help {ours:.3f} s, bare typer {bare:.3f} s, ratio {ours / bare:.2f} (aim: at most 2)")


if __name__ == "__main__":
    main()
