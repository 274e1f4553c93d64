"""A page as Chromium shows it: what a script finds in it, at the width of a desk or of a telephone."""

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(
    (path for name in ("chromium", "google-chrome", "chrome") if (path := shutil.which(name))), ""
)


def browsed(page: bytes, script: str, folder: Path, *, width: int = 390) -> Any:
    """What `script`, the body of a function, gives in the page when it has loaded."""
    if not CHROMIUM:
        pytest.skip("no Chromium here (apt: chromium)")
    # A window can't be made narrower than 500 pixels; a frame can, and its page sees nothing wider.
    probe = f"<script>parent.document.title = 'probe ' + JSON.stringify((() => {{ {script} }})());</script>"
    framed = page.decode().replace("</body>", f"{probe}</body>")
    frame = f'<iframe style="border:0;width:{width}px;height:900px" srcdoc="{escape(framed)}"></iframe>'
    path = folder / "framed.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><title></title><body>{frame}</body>", "utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    flags += ["--window-size=1400,1000", "--dump-dom", path.as_uri()]
    seen = subprocess.run([CHROMIUM, *flags], capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r"<title[^>]*>probe (.*?)</title>", seen.stdout)
    assert found, seen.stdout[-2000:]
    return json.loads(unescape(found[1]))


#: Width of the window, and of what would have to be scrolled to be seen; then what sticks out, by tag and class.
SIDEWAYS = """
const inner = document.documentElement.clientWidth;
const out = [...document.querySelectorAll('main *, header *')]
  .filter((node) => node.getClientRects().length && node.getBoundingClientRect().right > inner + 1)
  .map((node) => node.tagName + '.' + (node.className.baseVal ?? node.className));
return [inner, document.documentElement.scrollWidth, out.slice(0, 5)];
"""


def assert_no_sideways_scroll(page: bytes, folder: Path, *, width: int = 390) -> None:
    inner, scrolled, out = browsed(page, SIDEWAYS, folder, width=width)
    assert inner in (width, width - 15), "a bar to scroll down takes 15 pixels"
    assert scrolled <= inner, out
    assert out == []
