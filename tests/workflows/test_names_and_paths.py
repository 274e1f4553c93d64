"""A name is what is installed, a path is a folder: what lies in the working folder replaces nothing."""

import shutil
from pathlib import Path

import pytest

from medseg.errors import InputError
from medseg.settings import shipped_folder
from medseg.workflows.info import model_info
from medseg.workflows.segmenters import find_segmenter, model_folder


@pytest.fixture
def lookalikes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("otsu", "hippocampus", "mine"):
        shutil.copytree(shipped_folder() / "models" / "sarcoma", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_of_a_built_in_name_does_not_replace_it(lookalikes: Path) -> None:
    assert find_segmenter("otsu").spec.name == "otsu"
    assert find_segmenter("hippocampus").spec.name == "hippocampus"
    assert model_folder("hippocampus") == shipped_folder() / "models" / "hippocampus"
    assert model_info("hippocampus").card.name == "hippocampus"


@pytest.mark.parametrize("path", ["./otsu", "{here}/otsu", "otsu/", "../{last}/hippocampus"])
def test_a_path_is_a_path(lookalikes: Path, path: str) -> None:
    typed = path.format(here=lookalikes, last=lookalikes.name)
    assert find_segmenter(typed).spec.name == "sarcoma"
    assert model_info(typed).card.name == "sarcoma"


def test_a_bare_name_of_a_folder_is_told_how_to_be_meant(lookalikes: Path) -> None:
    with pytest.raises(InputError, match=r"by its path, \./mine"):
        find_segmenter("mine")
