"""Commands that write, ended by SIGKILL: what `python -m benchmarks.kills` shows in full, in a few tries each."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from benchmarks.kill_cases import CASES
from medseg.cli import COMMANDS
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="tries are ended by Linux's means")

#: Commands that write nothing.
READERS = {"info", "methods", "models", "doctor", "verify"}
#: Quick enough to be killed before each of their file operations, too.
QUICK = ("convert", "convert, VOC folder", "edit", "sign, with a new key", "edit, many", "plan")
#: They take minutes for a few tries.
LONG = (
    "cohort",
    "demo",
    "report",
    "train",
    "train, on phantoms",
    "segment, model and probabilities",
    "segment, objects",
)


def rows(*words: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks.kills", "--json", *words]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=550)
    assert ended.stdout, ended.stderr[-2000:]
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    return found


def told(option: str, names: tuple[str, ...]) -> list[str]:
    return [word for name in names for word in (option, name)]


def test_every_command_that_writes_is_in_the_table() -> None:
    assert {case.arguments[0] for case in CASES} == set(COMMANDS) - READERS


@pytest.mark.slow
@pytest.mark.parametrize("quick", [True, False])
def test_after_a_kill_all_is_whole_and_a_rerun_succeeds(quick: bool) -> None:
    others = tuple(case.name for case in CASES if case.name not in (*QUICK, *LONG))
    words = told("--only", QUICK) if quick else ["--without-operations", *told("--only", others)]
    found = rows("--instants", "5", *words)
    assert {row["command"] for row in found} == set(QUICK if quick else others)
    for row in found:
        assert row["faults"] == [], row["command"]
        assert row["kills"] >= 1
        assert row["whole"] == row["agreed"] == row["reran"] == row["swept"] == row["kills"]
