"""Headers are repaired on copies: what was read from a file stays as the file has it."""

from pathlib import Path

import pytest

from medseg.io.dicom.derived.fit import fit_sources
from tests.io.dicom.sources import Data, scene


@pytest.mark.parametrize("kind", ["oblique sagittal", "oblique multi-frame", "axial, empty character set"])
def test_sources_are_not_changed(kind: str, data: Data, tmp_path: Path) -> None:
    found = scene(kind, data, tmp_path)
    found.origin.datasets[-1].StudyInstanceUID = "1.2.3"
    before = [ds.to_json() for ds in found.origin.datasets]
    fitted = fit_sources(found.origin)
    assert {str(ds.StudyInstanceUID) for ds in fitted} == {str(found.origin.first.StudyInstanceUID)}
    assert all(ds.SpecificCharacterSet == "ISO_IR 192" for ds in fitted)
    assert [ds.to_json() for ds in found.origin.datasets] == before
