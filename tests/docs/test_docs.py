"""Documentation that must not drift from the code."""

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import medseg
from medseg import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def test_the_command_line_reference_is_current() -> None:
    from typer.cli import app as typer_app

    done = CliRunner().invoke(typer_app, ["medseg.cli.everything", "utils", "docs", "--name", "medseg"])
    assert done.exit_code == 0
    written = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert written.strip() == done.stdout.strip(), (
        "run: typer medseg.cli.everything utils docs --name medseg --output docs/reference/cli.md"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_hold(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_page_stands_in_the_navigation() -> None:
    nav = str(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    for page in (ROOT / "docs").rglob("*.md"):
        assert str(page.relative_to(ROOT / "docs")) in nav


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_on_the_pages_exist(page: Path) -> None:
    known = set(cli.COMMANDS)
    for line in re.findall(
        r"^(?:\.venv/bin/)?medseg ([a-z]+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE
    ):
        assert line in known


@pytest.mark.slow
def test_the_site_builds(tmp_path: Path) -> None:
    import subprocess
    import sys

    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "--site-dir",
        str(tmp_path / "site"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "site" / "reference" / "api" / "index.html").read_text(encoding="utf-8")
    shown = {name.rpartition(".")[2] for name in re.findall(r'<h3 id="([\w.]+)"', page)}
    assert not {name for name in medseg.__all__ if not name.startswith("__")} - shown
