"""Fixtures that every test may use; tests never see the developer's environment."""

import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

ROOT = Path(__file__).resolve().parent.parent
_DATA = Path(os.environ.get("MEDSEG_TEST_DATA") or ROOT.parent / "shared" / "data")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.delenv("MEDSEG_MODELS", raising=False)
    monkeypatch.setenv("MEDSEG_LOG_DIR", str(tmp_path_factory.getbasetemp()))
    # The user's own models lie in the data folder of the system, which platformdirs finds by this.
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.getbasetemp() / "no-data"))
    monkeypatch.setenv("MEDSEG_WORK_DIR", str(tmp_path_factory.getbasetemp() / "work" / uuid4().hex))


@pytest.fixture(scope="session")
def data() -> Callable[[str], Path]:
    """Path of shared test data by its relative name; skips where it is missing."""

    def find(relative: str) -> Path:
        path = _DATA / relative
        if not path.exists():
            pytest.skip(f"test data {relative} is not here (set MEDSEG_TEST_DATA)")
        return path

    return find
