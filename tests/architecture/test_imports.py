"""What importing medseg costs, and what it must not load."""

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "monai",
    "lightning",
    "napari",
    "SimpleITK",
    "numpy",
    "pydicom",
    "nibabel",
    "scipy",
    "pandas",
)


def modules_after(code: str) -> set[str]:
    """Top-level modules loaded by a fresh interpreter that ran `code`."""
    script = (
        f"import sys\n{code}\nprint(' '.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import medseg",
        "import medseg.cli",
        "import medseg.cli\nmedseg.cli.app_of('medseg')(['--help'], standalone_mode=False)",
    ],
    ids=["import medseg", "import medseg.cli", "medseg --help"],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert not modules_after(code) & set(HEAVY)


def test_help_scans_no_entry_points() -> None:
    code = (
        "import importlib.metadata as m\n"
        "def refuse(*a, **k): raise SystemExit('entry points were scanned')\n"
        "m.entry_points = refuse\n"
        "import medseg, medseg.cli\n"
        "medseg.cli.app_of('medseg')(['--help'], standalone_mode=False)"
    )
    modules_after(code)


def test_reading_and_measuring_needs_no_torch() -> None:
    code = "import medseg, medseg.io, medseg.measuring\nmedseg.read, medseg.measure, medseg.report, medseg.segment"
    assert "torch" not in modules_after(code)
