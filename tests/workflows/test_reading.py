"""A report reads the inputs as the measurement did."""

from collections.abc import Callable
from pathlib import Path

import pytest

import medseg
from medseg.domain import ReadOptions
from medseg.workflows import measure_files, report_files
from medseg.workflows.measure import MeasureOptions
from medseg.workflows.report import ReportFiles
from medseg.workflows.segment import SegmentOptions, segment_files


def test_a_filled_gap_is_drawn_as_it_was_measured(data: Callable[[str], Path], tmp_path: Path) -> None:
    series = data("dicom/dicom2nifti/failing/sliceincrement/001")
    options = ReadOptions(resample=True)
    mask, record, page = tmp_path / "m.nii.gz", tmp_path / "r.json", tmp_path / "r.html"
    segment_files("otsu", {"image": series}, mask, options=SegmentOptions(read=options))
    measure_files(mask, {"image": series}, record, options=MeasureOptions(read=options))
    report_files(record, ReportFiles(html=page))
    text = page.read_text(encoding="utf-8")
    assert "No pictures" not in text
    assert "1 slice is missing" in text


def test_a_missing_or_changed_input_leaves_a_page_that_says_so(
    data: Callable[[str], Path], tmp_path: Path
) -> None:
    scan = tmp_path / "scan.nii.gz"
    scan.write_bytes(data("hippocampus/imagesTr/hippocampus_001.nii.gz").read_bytes())
    mask, record = tmp_path / "m.nii.gz", tmp_path / "r.json"
    segment_files("otsu", {"image": scan}, mask)
    measure_files(mask, {"image": scan}, record)
    scan.write_bytes(data("hippocampus/imagesTr/hippocampus_003.nii.gz").read_bytes())
    report_files(record, ReportFiles(html=tmp_path / "changed.html"))
    assert "not the one that was measured" in (tmp_path / "changed.html").read_text(encoding="utf-8")
    scan.unlink()
    report_files(record, ReportFiles(html=tmp_path / "missing.html"))
    assert "No pictures" in (tmp_path / "missing.html").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="does not exist"):
        report_files(record, ReportFiles(html=tmp_path / "x.html"), images={"image": scan})
    assert medseg.read_record(record).measurements
