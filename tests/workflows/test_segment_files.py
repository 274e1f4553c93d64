"""Segmenting files: what can't be written is refused before the work, not after it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from medseg.errors import InputError, MedsegError, OutputError, UnsupportedFormatError
from medseg.methods.otsu import OTSU
from medseg.workflows.segment import SegmentOptions, segment_files


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture in pixels, and a method that fails if it is run."""

    def run_in_vain(*_: object, **__: object) -> None:
        pytest.fail("the method ran although its answer can't be written")

    monkeypatch.setattr(type(OTSU), "segment", run_in_vain)
    path = tmp_path / "picture.png"
    Picture.fromarray(np.arange(120, dtype=np.uint8).reshape(10, 12)).save(path)
    return path


@pytest.mark.parametrize(
    ("out", "objects", "error", "words"),
    [
        ("mask.nii.gz", None, InputError, "write .png or .tif"),
        ("mask.png", "objects.nii.gz", InputError, "write .png or .tif"),
        ("mask.docx", None, UnsupportedFormatError, "can't be written"),
        ("picture.png", None, OutputError, "exists"),
    ],
)
def test_an_output_that_can_not_be_is_refused_first(
    picture: Path, out: str, objects: str | None, error: type[MedsegError], words: str
) -> None:
    options = SegmentOptions(objects=None if objects is None else picture.with_name(objects))
    with pytest.raises(error, match=words) as caught:
        segment_files("otsu", {"image": picture}, picture.with_name(out), options=options)
    assert str(picture.with_name(objects or out)) in str(caught.value)
    assert [path.name for path in picture.parent.iterdir()] == ["picture.png"]
