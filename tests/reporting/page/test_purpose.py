"""The page answers what was asked: headline, study line and verdict for each kind of measurement."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from medseg.domain import (
    Finding,
    Grid,
    Image,
    InputRef,
    Label,
    LabelTable,
    Measurement,
    Quantity,
    Record,
    Segmentation,
    Status,
    Target,
)
from medseg.domain.labels import Side
from medseg.domain.values import as_details
from medseg.reporting import to_html
from medseg.reporting.index import index_of
from medseg.reporting.organs import organ_sheet
from medseg.reporting.page.headline import headline, key_rows
from medseg.reporting.page.study import judge_scan, study_lines
from medseg.reporting.places import cut_words, plane_text
from medseg.reporting.purpose import Purpose, purpose_of
from medseg.workflows.measure import LesionPlan, MeasurePlan, TissuePlan, measure

GRID = Grid((40, 36, 20), np.diag([-1.0, -1.0, 2.0, 1.0]))
Made = tuple[Record, Segmentation, Image]


def measured(boxes: dict[str, tuple[slice, slice, slice]], **plan: object) -> Record:
    """A CT of blocks in HU, one structure each; a name without a block is looked for and not found."""
    labels, values = np.zeros(GRID.shape, np.uint8), np.full(GRID.shape, -100.0, np.float32)
    for value, box in enumerate(boxes.values(), start=1):
        labels[box], values[box] = value, 40.0
    table = LabelTable(tuple(Label(value, name) for value, name in enumerate(boxes, start=1)))
    mask, image = Segmentation(labels, GRID, table), Image(values, GRID, "CT", "[hnsf'U]", channel="ct")
    return measure(mask, {"ct": image}, plan=MeasurePlan(**plan))  # type: ignore[arg-type]


INSIDE, ABSENT = np.s_[5:15, 5:15, 5:15], np.s_[0:0, 0:0, 0:0]
FIVE = {
    "left kidney": np.s_[5:15, 5:15, 5:15],
    "right kidney": np.s_[20:30, 5:15, 5:13],
    "liver": np.s_[5:15, 20:30, 10:20],
    "spleen": np.s_[20:30, 20:30, 5:15],
    "gallbladder": ABSENT,
}


@pytest.mark.parametrize(
    ("boxes", "plan", "purpose"),
    [
        ({"tumour": INSIDE}, {}, "structure"),
        ({"tumour": INSIDE}, {"lesions": LesionPlan()}, "lesions"),
        ({"tumour": ABSENT}, {"lesions": LesionPlan()}, "absent"),
        ({"tumour": ABSENT, "node": ABSENT}, {}, "absent"),
        ({"body": INSIDE}, {"tissue": TissuePlan(compartment="body", levels=("k=9",))}, "tissue"),
        (FIVE, {}, "organs"),
    ],
)
def test_the_purpose_follows_the_plan(
    boxes: dict[str, tuple[slice, slice, slice]], plan: dict[str, object], purpose: Purpose
) -> None:
    record = measured(boxes, **plan)
    assert purpose_of(record) == purpose
    assert purpose_of(record, "structure") == "structure"


def test_one_structure_is_its_size_and_where_it_lies() -> None:
    (sentence,) = headline(measured({"tumour": INSIDE}))
    assert sentence == (
        "tumour: 2.00 ml (uncertainty not estimated), longest diameter 13 mm; it lies inside the scan."
    )


def test_one_lesion_and_several_are_told_apart() -> None:
    (one,) = headline(measured({"tumour": INSIDE}, lesions=LesionPlan()))
    assert one == "tumour: 1 lesion of 2.00 ml, 13 × 13 mm (longest × perpendicular diameter)."
    both = measured({"tumour": INSIDE}, lesions=LesionPlan())
    assert [row.item.quantity for row in key_rows(both)][:2] == [Quantity.VOLUME, Quantity.LONGEST_DIAMETER]


def test_lesions_have_count_total_sum_and_the_largest(metastases: Callable[[int], Made]) -> None:
    record, *_ = metastases(12)
    first = headline(record)[0]
    totals = {item.quantity: item for item in record.measurements if item.target.kind == "label"}
    assert first.startswith("Liver metastasis: 12 lesions, together at least ")
    assert f"sum of longest diameters at least {totals[Quantity.LESION_DIAMETERS].value:.0f} mm" in first
    assert [row.item.quantity for row in key_rows(record)] == [
        Quantity.LESION_COUNT,
        Quantity.LESION_VOLUME,
        Quantity.LESION_DIAMETERS,
    ]


def test_a_list_of_organs_is_counted_and_no_organ_headlines_it() -> None:
    first, second = headline(measured(FIVE))
    assert first == "5 structures looked for: 4 found, 1 of them cut by the border of the scan, 1 not found."
    assert second == "Not found: gallbladder."
    assert key_rows(measured(FIVE)) == ()


def test_left_and_right_stand_side_by_side_with_a_signed_asymmetry() -> None:
    sheet = organ_sheet(measured(FIVE))
    assert [cell.text for cell in sheet.head] == [
        "Structure",
        "Left (ml)",
        "Right (ml)",
        "Asymmetry (%)",
        "Volume (ml)",
        "Status",
    ]
    kidney, liver, spleen = ([cell.text for cell in row.cells] for row in sheet.rows)
    assert kidney[:5] == ["kidney", "2.00", "1.60", "+22.2", ""]  # 200 · 0.4 / 3.6
    assert liver[:5] == ["liver", "", "", "", "2.00"]
    assert liver[5] == "cut at the head end of the scan"
    assert spleen[4] == "2.00"
    assert "Looked for and not found (volume 0): gallbladder." in sheet.notes
    assert any("positive where the left is larger" in note for note in sheet.notes)


@pytest.mark.parametrize(
    ("sides", "paired"),
    [
        (("left", "right"), True),
        (("unknown", "unknown"), False),
        (("not applicable", "not applicable"), True),
        (("right", "left"), False),
    ],
)
def test_no_pair_where_the_side_is_not_known_or_the_name_says_another(
    sides: tuple[Side, Side], paired: bool
) -> None:
    record = measured({"left kidney": INSIDE, "right kidney": np.s_[20:30, 5:15, 5:15]})
    labels = tuple(replace(label, side=side) for label, side in zip(record.table.labels, sides, strict=True))
    sheet = organ_sheet(replace(record, table=LabelTable(labels)))
    assert len(sheet.rows) == (1 if paired else 2)


def test_a_cut_side_has_no_asymmetry() -> None:
    sheet = organ_sheet(measured({"left kidney": np.s_[5:15, 5:15, 0:10], "right kidney": INSIDE}))
    assert sheet.rows[0].cells[3].text == "–"


def test_tissue_answers_at_its_level_and_the_body_does_not_headline_it() -> None:
    plan = TissuePlan(compartment="body", presets=("muscle-range",), levels=("k=9",))
    record = measured({"body": INSIDE}, tissue=plan)
    (sentence,) = headline(record)
    area = next(item for item in record.measurements if item.quantity is Quantity.TISSUE_AREA)
    assert area.value == pytest.approx(1.0)
    assert sentence == f"{area.target.name}: 1.0 cm² at slice 10 of 20."
    assert all(row.item.target.kind == "tissue" for row in key_rows(record))


def test_looked_for_and_not_found() -> None:
    for record, names in (
        (measured({"tumour": ABSENT, "node": ABSENT}), "tumour and node"),
        (measured({"tumour": ABSENT}, lesions=LesionPlan()), "tumour"),
    ):
        first, second = headline(record)
        assert first == f"{names}: looked for and not found."
        assert "too small or too faint" in second, "an empty mask proves nothing"
        page = to_html(record)
        assert b"No reason for doubt found" not in page, "a good scan does not make it so"


@pytest.mark.parametrize(
    ("box", "words"),
    [
        (np.s_[5:15, 5:15, 5:15], None),
        (np.s_[5:15, 5:15, 10:20], "cut at the head end of the scan"),
        (np.s_[5:15, 5:15, 0:10], "cut at the foot end of the scan"),
        (np.s_[0:9, 5:15, 5:15], "cut at the right end of the scan"),
        (np.s_[30:40, 5:15, 5:15], "cut at the left end of the scan"),
        (np.s_[5:15, 0:9, 5:15], "cut at the front end of the scan"),
        (np.s_[5:15, 30:36, 0:20], "cut at the back end, foot end and head end of the scan"),
    ],
)
def test_a_cut_structure_says_at_which_end(box: tuple[slice, slice, slice], words: str | None) -> None:
    record = measured({"tumour": box})
    assert cut_words(index_of(record.measurements), Target("label", "tumour", (1,)), GRID) == words
    said = headline(record)[0]
    assert (f"{words}, so it is larger than what was measured" in said) == (words is not None)
    assert ("at least" in said) == (words is not None)


@pytest.mark.parametrize(
    ("plane", "words"),
    [
        ("axial k=0", "axial slice 1 of 20"),
        ("k=19", "slice 20 of 20"),
        ("across i i=3", "across i slice 4 of 40"),
        ("slice k=3", "slice 4 of 20"),
        ("axial resliced z=-12.5 mm", "resliced, axial at I 12.5 mm"),
        ("of my own", "of my own"),
    ],
)
def test_slices_are_counted_from_one(plane: str, words: str) -> None:
    assert plane_text(plane, GRID) == words


def test_the_study_line_has_what_a_reader_asks_of_a_scan() -> None:
    record = measured({"tumour": INSIDE})
    told = as_details(
        kernel="B30f",
        contrast="given",
        manufacturer="SIEMENS",
        model="Biograph 64",
        days_after_first_series=25,
    )
    image = replace(record.images[0], details=told)
    pet = InputRef("image", "", "ab" * 32, GRID, "pet", "PT", "g/ml{SUVbw}")
    lines = study_lines(replace(record, inputs=(image, pet, record.mask), analysed_on="2026-11-30"))
    assert lines[0] == (
        "CT, kernel B30f, voxels of 1 × 1 × 2 mm, contrast given, SIEMENS Biograph 64, 25 days after the first series."
    )
    assert lines[1] == "PT (pet), voxels of 1 × 1 × 2 mm."
    assert lines[2].startswith("Analysed on 2026-11-30 by medseg ")


@pytest.mark.parametrize(
    ("box", "findings", "word"),
    [
        (INSIDE, (), "No reason for doubt found"),
        (INSIDE, (Finding("x", "warning", "Careful."),), "Read with care"),
        (INSIDE, (Finding("dicom.gap", "warning", "A slice is missing."),), "Read with care"),
        (INSIDE, (Finding("x", "error", "Broken."),), "Doubtful"),
        (np.s_[5:15, 5:15, 0:10], (), "Read with care"),
    ],
)
def test_the_verdict_has_its_reasons(
    box: tuple[slice, slice, slice], findings: tuple[Finding, ...], word: str
) -> None:
    found = judge_scan(replace(measured({"tumour": box}), findings=findings))
    assert found.word == word
    assert found.reasons
    assert any(reason.startswith("noise 0 HU") for reason in found.reasons)


def test_a_missing_criterion_has_its_reason_in_the_headline() -> None:
    record = measured({"tumour": INSIDE}, lesions=LesionPlan(rule="recist-1.1"))
    criterion = headline(record)[1]
    assert criterion == (
        "Size criterion (RECIST 1.1): not computed "
        "(the thickness of a slice is not known, and the criterion depends on it)."
    )
    item = next(item for item in record.measurements if item.quantity is Quantity.MEETS_SIZE_CRITERION)
    assert item.status is Status.NOT_COMPUTED


def test_a_measurement_of_nothing_is_said() -> None:
    record = measured({"tumour": INSIDE})
    assert headline(replace(record, measurements=())) == (
        "Nothing was looked for: the mask names no structure.",
    )
    unknown = Measurement(Target("label", "a", (1,)), Quantity.VOXEL_COUNT, 4, "1")
    assert headline(replace(record, measurements=(unknown,))) == ("a: not measured.",)
