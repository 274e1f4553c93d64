"""A page as Chromium shows it: what a script finds in it, at the width of a desk or of a telephone."""

from pathlib import Path
from typing import Any

import pytest

from tests.reporting.browser import CHROMIUM, Browser

AXE = Path(__file__).resolve().parents[1] / "viewers" / "node_modules" / "axe-core" / "axe.min.js"
#: Width of the window, and of what would have to be scrolled to be seen; then what sticks out, by tag and class.
SIDEWAYS = """
const inner = document.documentElement.clientWidth;
const scrolls = (node) => node.closest('.scroll') && !node.matches('.scroll');
const out = [...document.querySelectorAll('main *, header *')]
  .filter((node) => node.getClientRects().length && node.getBoundingClientRect().right > inner + 1 && !scrolls(node))
  .map((node) => node.tagName + '.' + (node.className.baseVal ?? node.className));
return [inner, document.documentElement.scrollWidth, out.slice(0, 5)];
"""


def browsed(page: bytes, script: str, folder: Path, *, width: int = 390, dark: bool = False) -> Any:
    """What `script`, the body of an async function, gives in the page when it has loaded."""
    if not CHROMIUM:
        pytest.skip("no Chromium here (apt: chromium)")
    path = folder / "seen.html"
    path.write_bytes(page)
    browser = Browser(folder / "profile")
    try:
        browser.resize(width, 900, dark=dark)
        browser.open(path)
        return browser.answer(f"(async () => {{ {script} }})()")
    finally:
        browser.close()


def assert_no_sideways_scroll(page: bytes, folder: Path, *, width: int = 390) -> None:
    inner, scrolled, out = browsed(page, SIDEWAYS, folder, width=width)
    assert inner == width
    assert scrolled <= inner, out
    assert out == []


def barriers(page: bytes, folder: Path, *, width: int = 1280, dark: bool = False) -> list[str]:
    """What axe-core finds against a page: rule, and where."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed (npm ci in tests/viewers)")
    act = """
    const found = await axe.run(document, {resultTypes: ['violations']});
    const where = (item) => item.nodes.slice(0, 3).map((node) => node.html.slice(0, 90));
    return found.violations.map((item) => item.id + ': ' + where(item));
    """
    found: list[str] = browsed(page, f"{AXE.read_text('utf-8')}\n{act}", folder, width=width, dark=dark)
    return found
