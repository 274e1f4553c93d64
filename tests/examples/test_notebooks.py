"""The notebooks run from top to bottom as they stand, in IPython; what they show is shown by their last lines."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "examples" / "notebooks").glob("*.ipynb"))
#: Runs each code cell as a notebook does, shows what its last line shows, and ends with the first that fails.
RUNNER = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="nocolor")
shown = []
shell.display_pub.publish = lambda data, *a, **k: shown.append(data)
shell.displayhook.write_format_data = lambda data, md=None: shown.append(data)
for number, cell in enumerate(json.load(open(sys.argv[1], encoding="utf-8"))["cells"]):
    if cell["cell_type"] == "code":
        done = shell.run_cell("".join(cell["source"]), store_history=True)
        if not done.success:
            sys.exit(f"cell {number} failed: {done.error_in_exec or done.error_before_exec!r}")
print("SHOWN " + json.dumps([sorted(data) for data in shown]))
"""


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_a_notebook_without_outputs(path: Path) -> None:
    """Outputs would carry pictures of whoever ran it, and change with every run."""
    notebook = read(path)
    assert (notebook["nbformat"], notebook["metadata"]["language_info"]["name"]) == (4, "python")
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(ids) == len(set(ids))
    for cell in notebook["cells"]:
        assert cell["cell_type"] == "markdown" or (cell["outputs"], cell["execution_count"]) == ([], None)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_from_top_to_bottom(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    command = [sys.executable, "-c", RUNNER, str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or done.stdout
    shown = json.loads(done.stdout.rpartition("SHOWN ")[2])
    assert shown, "a notebook shows something"
    if path.stem == "volumes_of_a_folder":
        assert sum("text/html" in kinds for kinds in shown) >= 4  # image, mask, record, table


def test_a_cell_that_fails_is_told(tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    path = tmp_path / "broken.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": ["1 / 0"]}]}))
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "cell 0 failed" in done.stderr
