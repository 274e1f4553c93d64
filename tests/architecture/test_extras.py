"""What must be installed for what: the core alone reads, measures and reports; each missing part is one line."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import metadata
from pathlib import Path

import pytest

from medseg import extras
from medseg.errors import MissingExtra
from medseg.extras import EXTRAS, require_extra
from tests.journeys.conftest import ball, medseg

__all__ = ["ball", "medseg"]

PROJECT = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
#: Distribution → the module that it brings, where the names differ.
MODULES = {"dask-jobqueue": "dask_jobqueue", "pymaxflow": "maxflow", "scikit-learn": "sklearn"}


def distributions(extra: str) -> set[str]:
    listed = PROJECT["optional-dependencies"][extra]
    return {re.split(r"[<>=\[; ]", line)[0].lower() for line in listed} - {"medseg"}


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_table_of_extras_is_that_of_the_package(extra: str) -> None:
    brought = {MODULES.get(name, name) for name in distributions(extra)}
    assert set(EXTRAS[extra]) <= brought, f"medseg/extras.py and pyproject.toml differ about {extra}"


def test_every_extra_that_the_package_names_is_known() -> None:
    named = set(PROJECT["optional-dependencies"]) - {"all", "dev", "docs"}
    assert named == set(EXTRAS), "medseg/extras.py must list each extra of pyproject.toml"


def test_nothing_under_the_gpl_is_required_or_in_all() -> None:
    """LGPL libraries may be used; a package under Apache-2.0 must not ask for GPL ones."""
    core = {re.split(r"[<>=\[; ]", line)[0] for line in PROJECT["dependencies"]}
    wide = set().union(*(distributions(name) for name in EXTRAS if name not in ("graph-cut", "testing")))
    for name in sorted(core | wide):
        found = metadata(name)
        words = " ".join(
            value
            for key, value in found.items()  # type: ignore[attr-defined]
            if key in ("License", "License-Expression")
            or (key == "Classifier" and value.startswith("License"))
        )
        free = re.sub(r"LGPL|Lesser General Public", "", words[:2000])
        assert not re.search(r"\bGPL|General Public", free), f"{name}: {words[:200]}"


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Pretends that an extra is not installed."""

    def hide(extra: str) -> None:
        known = extras.find_spec  # type: ignore[attr-defined]
        hidden = set(EXTRAS[extra])
        monkeypatch.setattr(extras, "find_spec", lambda name: None if name in hidden else known(name))

    return hide


@pytest.mark.parametrize("extra", EXTRAS)
def test_what_is_missing_is_named_with_the_line_that_brings_it(
    extra: str, without: Callable[[str], None]
) -> None:
    without(extra)
    with pytest.raises(MissingExtra, match=re.escape(f"pip install 'medseg[{extra}]'")) as caught:
        require_extra(extra, "this")
    assert EXTRAS[extra][0] in str(caught.value)


DOORS = [
    ("models", ("segment", "hippocampus", "{ball}", "--out", "{out}/m.nii.gz")),
    (
        "graph-cut",
        ("segment", "graph-cut", "{ball}", "--prompts", "{out}/seeds.json", "--out", "{out}/m.nii.gz"),
    ),
    ("k-means", ("segment", "k-means", "{ball}", "--out", "{out}/m.nii.gz")),
    ("pdf", ("report", "{out}/r.json", "--pdf", "{out}/r.pdf")),
    ("train", ("train", "hippocampus_3d", "data.root={out}", "--out", "{out}/run")),
    ("models", ("train", "touching_objects", "--out", "{out}/run")),
]


@pytest.mark.parametrize(("extra", "command"), DOORS, ids=[" ".join(row[1][:2]) for row in DOORS])
def test_a_door_that_needs_it_says_so_and_writes_nothing(
    extra: str, command: tuple[str, ...], without: Callable[[str], None], medseg, ball: Path, tmp_path: Path
) -> None:
    seeds = '{"points": [{"position": [20, 20, 20]}, {"position": [2, 2, 2], "positive": false}]}'
    (tmp_path / "seeds.json").write_text(seeds, encoding="utf-8")
    assert medseg("segment", "otsu", ball, "--out", tmp_path / "o.nii.gz").code == 0
    assert medseg("measure", tmp_path / "o.nii.gz", "--image", ball, "--out", tmp_path / "r.json").code == 0
    before = sorted(tmp_path.rglob("*"))
    without(extra)
    seen = medseg(*(part.format(ball=ball, out=tmp_path) for part in command))
    assert (seen.code, f"medseg[{extra}]" in seen.line) == (MissingExtra.exit_code, True), seen.err
    assert sorted(tmp_path.rglob("*")) == before


def test_the_core_alone_segments_measures_and_reports(ball: Path, tmp_path: Path) -> None:
    hidden = sorted({module for names in EXTRAS.values() for module in names})
    code = f"""
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {hidden!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Hidden())
import medseg
image = medseg.read({str(ball)!r})
mask = medseg.segment('otsu', image)
medseg.write(mask, {str(tmp_path / "m.nii.gz")!r})
record = medseg.measure(medseg.read_segmentation({str(tmp_path / "m.nii.gz")!r}), image)
medseg.report(record, html={str(tmp_path / "r.html")!r}, csv={str(tmp_path / "r.csv")!r},
              xlsx={str(tmp_path / "r.xlsx")!r}, mask=mask, images=image)
medseg.evaluate(mask, mask)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "r.html").stat().st_size > 10_000
