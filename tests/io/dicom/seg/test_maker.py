"""A mask from elsewhere is never called manual unless somebody said so."""

from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from medseg import io
from medseg.domain import Provenance
from medseg.domain.provenance import Edit
from medseg.io.dicom.checked import checked_rtstruct, checked_seg
from medseg.io.dicom.derived.maker import declared_maker
from medseg.io.dicom.rtstruct.write import make_rtstruct
from medseg.io.dicom.seg.write import make_seg
from tests.io.dicom.sources import Data, scene

HAND = Edit("changed by hand")


@pytest.mark.parametrize(
    ("made_by", "seg", "rtstruct"),
    [
        (Provenance(), ("AUTOMATIC", "unknown origin (given mask)"), ("", "unknown origin (given mask)")),
        (
            Provenance(parameters=declared_maker("AUTOMATIC", "nnU-Net 2.8")),
            ("AUTOMATIC", "nnU-Net 2.8"),
            ("AUTOMATIC", "nnU-Net 2.8"),
        ),
        (
            Provenance(parameters=declared_maker("MANUAL", "A. Reader")),
            ("MANUAL", ""),
            ("MANUAL", "A. Reader"),
        ),
        (
            Provenance(parameters=declared_maker("AUTOMATIC", "nnU-Net 2.8"), edits=(HAND,)),
            ("SEMIAUTOMATIC", "nnU-Net 2.8"),
            ("SEMIAUTOMATIC", "nnU-Net 2.8"),
        ),
        (Provenance("otsu"), ("AUTOMATIC", "otsu"), ("AUTOMATIC", "otsu")),
    ],
)
def test_who_made_it_stands_in_both_objects_and_is_read_back(
    made_by: Provenance, seg: tuple[str, str], rtstruct: tuple[str, str], data: Data, tmp_path: Path
) -> None:
    found = scene("axial multi-frame, 23 columns", data, tmp_path / "a")
    mask = replace(found.mask, made_by=made_by)
    (tmp_path / "seg.dcm").write_bytes(checked_seg(make_seg(mask, found.origin), mask, found.origin))
    item = pydicom.dcmread(tmp_path / "seg.dcm").SegmentSequence[0]
    assert (item.SegmentAlgorithmType, item.get("SegmentAlgorithmName", "")) == seg
    assert ("SegmentationAlgorithmIdentificationSequence" in item) == (made_by.segmenter == "otsu")
    again = dict(io.read_segmentation(tmp_path / "seg.dcm").made_by.parameters)
    unknown = seg[1].startswith("unknown")
    assert (again.get("algorithm_type"), again.get("algorithm", "")) == ((None, "") if unknown else seg)
    flat = scene("oblique sagittal", data, tmp_path / "b")
    mask = replace(flat.mask, made_by=made_by)
    (tmp_path / "rs.dcm").write_bytes(checked_rtstruct(make_rtstruct(mask, flat.origin), mask, flat.origin))
    roi = pydicom.dcmread(tmp_path / "rs.dcm").StructureSetROISequence[0]
    assert (roi.ROIGenerationAlgorithm, roi.get("ROIGenerationDescription", "")) == rtstruct
