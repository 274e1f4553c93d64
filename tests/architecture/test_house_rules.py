"""Rules that no linter knows: sizes of files and functions, print and the environment in their places."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*ROOT.glob("medseg/**/*.py"), *ROOT.glob("napari_plugin/**/*.py")])
MAX_FILE_LINES = 500
MAX_BODY_LINES = 50


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sizes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert body_lines(node) <= MAX_BODY_LINES, f"{node.name} has {body_lines(node)} lines"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_environment_and_print_stay_in_their_rooms(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    names = {node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)}
    if path.name != "settings.py":
        assert not {"environ", "getenv", "putenv"} & names
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    if "cli" not in path.parts and path.name != "__main__.py":
        assert "print" not in calls
    assert not {"eval", "exec"} & calls
