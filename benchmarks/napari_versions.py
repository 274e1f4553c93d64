"""Whether the window's tests pass on other versions of napari: the oldest that is promised, and the newest stable one.

Each version is put into a folder of its own in front of what is installed; nothing else changes. Needs a display, as the
tests do (under Linux without one: xvfb-run).

Run: python -m benchmarks.napari_versions [VERSION ...]
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

OLDEST = "0.9.0"
HOME = Path(__file__).parents[1]


def install(version: str | None, folder: Path) -> str:
    """Put napari into a folder, without what it needs; the version that came."""
    wanted = "napari" if version is None else f"napari=={version}"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), wanted]
    subprocess.run(pip, check=True)
    (found,) = folder.glob("napari-*.dist-info")
    return found.name.removeprefix("napari-").removesuffix(".dist-info")


def try_version(version: str | None) -> bool:
    """Run the window's tests on one version and print how they ended."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "site-packages"  # else napari takes itself for a working copy
        came = install(version, folder)
        tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/napari"]
        environment = os.environ | {"PYTHONPATH": str(folder)}
        done = subprocess.run(tests, check=False, cwd=HOME, env=environment, capture_output=True, text=True)
    print(f"napari {came}: {done.stdout.strip().splitlines()[-1]}", flush=True)
    if done.returncode:
        print(done.stdout[-4000:])
    return done.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("versions", nargs="*", help=f"default: {OLDEST} and the newest stable one")
    asked = parser.parse_args().versions or [OLDEST, None]
    passed = [try_version(version) for version in asked]
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
