"""`medseg info --protocol`: each case of a study passes or fails, with the tag in which it says so."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest

from medseg.domain.protocol import ProtocolRule
from medseg.errors import ConfigError
from medseg.io.dicom.acquisition import acquisition_facts
from medseg.workflows.protocol import FACTS, read_protocol
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
Data = Callable[[str], Path]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def rows(seen: Seen) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["channel"], row["name"]): row for row in seen.json["result"]["rows"]}


STS = """
channels:
  CT: {kvp: [120, 140], kernel: {contains: standard}, slice_thickness_mm: {max: 5}, slice_step_mm: {max: 3}}
  PT: {tracer: {contains: [FDG]}, uptake_minutes: {min: 50, max: 75}, slice_step_mm: {max: 4}}
  MR: {field_strength_t: [1.5, 3], modality: MR}
"""


def test_a_real_study_says_for_each_fact_where_it_stands(medseg: Medseg, data: Data, tmp_path: Path) -> None:
    study = data("dicom/ibsi_sts002")
    seen = medseg("info", study, "--protocol", write(tmp_path / "p.yaml", STS), "--json")
    assert seen.code == 3
    found = rows(seen)
    states = {key: row["state"] for key, row in found.items()}
    assert states == {
        ("ct", "kvp"): "pass",
        ("ct", "kernel"): "pass",
        ("ct", "slice_thickness_mm"): "pass",
        ("ct", "slice_step_mm"): "fail",
        ("pt", "tracer"): "pass",
        ("pt", "uptake_minutes"): "not stated",
        ("pt", "slice_step_mm"): "pass",
        ("mr", "field_strength_t"): "not stated",
        ("mr", "modality"): "pass",
    }
    assert found["ct", "kvp"]["where"] == "(0018,0060) KVP"
    assert found["ct", "kvp"]["found"] == 140
    # The injection of this study is dated a day after its scan.
    assert found["pt", "uptake_minutes"]["where"].endswith("lies after the scan")


def test_the_uptake_time_is_from_injection_to_the_earliest_acquisition(data: Data, tmp_path: Path) -> None:
    files = (
        sorted(data("dicom/ibsi_sts002/PET").glob("**/*.dcm"))[:3]
        or sorted(item for item in data("dicom/ibsi_sts002/PET").rglob("*") if item.is_file())[:3]
    )
    times = ("120500", "120300", "121000")
    for number, (file, time) in enumerate(zip(files, times, strict=True)):
        ds = pydicom.dcmread(file)
        ds.AcquisitionDate, ds.AcquisitionTime = "20200101", time
        ds.pop("AcquisitionDateTime", None)
        ds.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime = "20200101110000.00"
        ds.save_as(tmp_path / f"{number}.dcm")
    value, where = acquisition_facts(sorted(tmp_path.glob("*.dcm")))["uptake_minutes"]
    assert (value, where) == (63.0, "(0018,1078) RadiopharmaceuticalStartDateTime")


def test_facts_of_enhanced_objects_stand_in_their_functional_groups(data: Data) -> None:
    (file,) = (item for item in data("dicom/mr_xa30_gre_enh").rglob("*") if item.suffix in (".dcm", ".IMA"))
    facts = acquisition_facts([file])
    ds = pydicom.dcmread(file, stop_before_pixels=True)
    shared = ds.SharedFunctionalGroupsSequence[0]
    assert facts["repetition_time_ms"][0] == shared.MRTimingAndRelatedParametersSequence[0].RepetitionTime
    assert facts["flip_angle_deg"][0] == shared.MRTimingAndRelatedParametersSequence[0].FlipAngle


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Three NIfTI cases: thin slices, thick slices, a file that is none."""
    lines = []
    for name, step in (("thin", 2.0), ("thick", 8.0)):
        image = nib.Nifti1Image(np.zeros((12, 12, 6), np.int16), np.diag([1.0, 1.0, step, 1.0]))
        image.header.set_xyzt_units("mm")
        nib.save(image, tmp_path / f"{name}.nii.gz")
        lines.append({"id": name, "mr": f"{name}.nii.gz"})
    write(tmp_path / "broken.nii.gz", "no image")
    with (tmp_path / "cases.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["id", "mr"])
        writer.writeheader()
        writer.writerows([*lines, {"id": "broken", "mr": "broken.nii.gz"}])
    return tmp_path / "cases.csv"


def test_each_case_of_a_dataset_passes_or_fails(medseg: Medseg, study: Path) -> None:
    protocol = write(
        study.parent / "p.yaml", "every: {slice_step_mm: {max: 5}, pixel_mm: 1, slices: {min: 6}}"
    )
    seen = medseg("info", study, "--protocol", protocol)
    assert seen.code == 3
    assert "1 of 3 cases are taken as the protocol asks" in seen.out
    assert "thick\tmr\tslice_step_mm\tat most 5\t8.0\tstep from slice to slice\tfail" in seen.out
    assert "2 of 3 cases are not as the protocol asks" in seen.line
    asked = medseg("info", study, "--protocol", protocol, "--json").json["result"]["cases"]
    assert asked == {"thin": True, "thick": False, "broken": False}


def test_what_a_format_does_not_state_is_no_pass(medseg: Medseg, study: Path) -> None:
    protocol = write(study.parent / "p.yaml", "channels: {mr: {field_strength_t: 3}}")
    seen = medseg("info", study, "--protocol", protocol, "--json")
    assert {row["state"] for row in seen.json["result"]["rows"]} == {"not stated", "not read"}


def test_a_study_that_is_as_asked_ends_well(medseg: Medseg, study: Path) -> None:
    seen = medseg(
        *("info", study.parent / "thin.nii.gz", "--protocol"),
        write(study.parent / "p.yaml", "every: {slice_step_mm: {max: 5}}"),
    )
    assert (seen.code, "1 of 1 cases" in seen.out) == (0, True)


FAULTS = [
    ("every: {slice_thicknes_mm: 3}", "did you mean slice_thickness_mm"),
    ("every: {kvp: {most: 3}}", "has the word 'most'"),
    ("every: {kvp: {min: 5, max: 3}}", "where nothing lies"),
    ("every: {kvp: {max: high}}", "are numbers"),
    ("every: {kvp: }", "asks for nothing"),
    ("every: [kvp]", "an object of facts"),
    ("kvp: 3", "has every and channels"),
    ("channels: 3", "object of channels"),
    ("", "has every and channels"),
    ("a: &a [*a]", "no YAML"),
]


@pytest.mark.parametrize(("text", "words"), FAULTS)
def test_a_protocol_with_a_fault_is_refused_before_any_work(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_protocol(write(tmp_path / "p.yaml", text))


RULES = [
    (ProtocolRule("kvp", 100, 140), [100, 140, "120"], [99, 141, "high", None, True]),
    (ProtocolRule("slice_thickness_mm", most=3), [3, 3.0000001, 0.5], [3.01, None]),
    (ProtocolRule("kernel", one_of=("B30f", "Br40")), ["b30F", " Br40 "], ["B30", None]),
    (ProtocolRule("field_strength_t", one_of=(1.5, 3)), [1.5, 3, "3.0"], [1, 2.9]),
    (ProtocolRule("tracer", contains=("fdg", "glucose")), ["FDG -- x", "Fluorodeoxyglucose"], ["PSMA", None]),
]


@pytest.mark.parametrize(("rule", "good", "bad"), RULES, ids=lambda item: getattr(item, "wanted", None))
def test_a_rule_holds_for_what_it_says(rule: ProtocolRule, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if not rule.holds(value)] == []
    assert [value for value in bad if rule.holds(value)] == []


def test_every_fact_is_named_on_the_page() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "protocol.md").read_text("utf-8")
    assert [name for name in FACTS if f"`{name}`" not in page] == []
