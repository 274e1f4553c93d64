"""Tables of the page with one structure and with 117: readable, complete in what they promise, marks explained."""

import io
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pikepdf
import pytest

from medseg.domain import Finding, Grid, Measurement, Quantity, Record, Target
from medseg.reporting import PageExtras, draw, to_html, to_pdf
from medseg.reporting.groups import GROUPS
from medseg.reporting.index import index_of
from medseg.reporting.numbers import number_text, unit_text, value_text
from medseg.reporting.page.headline import KEY_ROWS, key_rows
from medseg.reporting.page.matrix import all_measurements
from medseg.reporting.purpose import PageLook
from medseg.reporting.sheet import Sheet, method_lines
from medseg.reporting.tissue.table import tissue_sheets


def appendix_of(page: bytes) -> str:
    body = page.decode().partition('<section class="appendix"')[2]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def pages(record: Record, **more: object) -> list[str]:
    """Text of each page as WeasyPrint lays it out."""
    from weasyprint import HTML

    document = HTML(string=to_html(record, **more).decode()).render()  # type: ignore[arg-type]
    return [
        " ".join(str(box.text) for box in page._page_box.descendants() if hasattr(box, "text"))
        for page in document.pages
    ]


def test_every_quantity_has_one_place() -> None:
    placed = [quantity for quantities in GROUPS.values() for quantity in quantities]
    assert sorted(placed, key=lambda quantity: quantity.value) == sorted(Quantity, key=lambda q: q.value)


@pytest.mark.parametrize("count", [1, 3])
def test_few_structures_show_every_quantity_side_by_side(many: Callable[[int], Record], count: int) -> None:
    record = many(count)
    (sheet,) = all_measurements(record, index_of(record.measurements))
    titles = [row.cells[0].text for row in sheet.rows if not row.heading]
    measured = {item.quantity.info.title for item in record.measurements}
    assert set(titles) == {"Status", *measured}
    assert len(sheet.head) == 1 + count + 1
    headings = [row.cells[0].text for row in sheet.rows if row.heading]
    assert headings == ["Size", "Diameters and extent", "Shape", "Position and border", "Intensity, ct"]


def test_many_structures_have_a_row_each(many: Callable[[int], Record]) -> None:
    record = many(117)
    sheets = all_measurements(record, index_of(record.measurements))
    assert [sheet.title for sheet in sheets] == ["All measurements", "Intensity, ct"]
    absent = [label.name for label in record.table.labels if label.value % 10 == 7]
    for sheet in sheets:
        assert len(sheet.rows) == 117 - len(absent)
        assert all(len(row.cells) == len(sheet.head) for row in sheet.rows)
    notes = " ".join(sheets[0].notes)
    assert all(name in notes for name in absent)
    assert "JSON, CSV and XLSX" in notes


def test_what_is_cut_is_marked_in_its_cells_and_in_words(many: Callable[[int], Record]) -> None:
    record = many(40)
    sizes, values = all_measurements(record, index_of(record.measurements))
    for sheet, mark in ((sizes, "≥"), (values, "⚠\ufe0e")):
        for row in sheet.rows:
            number = int(row.cells[0].text.split()[1])
            is_cut = number % 9 == 0
            assert (row.cells[-1].text == "cut by the border") == is_cut
            assert (row.cells[1].mark == mark) == is_cut
        assert any(mark in note for note in sheet.notes)


def test_a_refused_number_has_a_sign_and_its_reason_once(many: Callable[[int], Record]) -> None:
    record = many(7)
    (sheet, *_) = all_measurements(record, index_of(record.measurements))
    assert "∅" not in " ".join(sheet.notes)
    (few,) = all_measurements(*_only(record, 7))
    refused = [row.cells[1] for row in few.rows if not row.heading and row.cells[1].mark == "∅"]
    assert refused
    assert {cell.note for cell in refused[1:]} == {"a"}
    assert "a: structure 7 of the body, left was looked for and not found" in few.notes


def _only(record: Record, value: int) -> tuple[Record, object]:
    kept = tuple(item for item in record.measurements if item.target.labels == (value,))
    return replace(record, measurements=kept), index_of(kept)


@pytest.mark.slow
def test_117_structures_fit_fifteen_pages_and_page_one_is_one(many: Callable[[int], Record]) -> None:
    found = pages(many(117))
    assert len(found) <= 4
    assert "Rounded for reading" in found[0]
    assert found[1].startswith("Structures")
    whole = pages(many(117), extras=PageExtras(look=PageLook(full=True)))
    assert len(found) < len(whole) <= 17
    assert any(text.startswith("Appendix") for text in whole)


@pytest.mark.slow
def test_page_one_stays_one_page_with_lesions_findings_and_pictures(
    metastases: Callable[[int], tuple[Record, object, object]],
) -> None:
    record, segmentation, image = metastases(12)
    long = (
        "The image says one thing about its geometry and another about its slices, so the numbers were " * 2
    )
    findings = tuple(Finding(f"test.{n}", "warning", f"{long}{n}.") for n in range(7))
    record = replace(record, findings=findings)
    found = pages(record, pictures=draw(record, segmentation, {"ct": image}))  # type: ignore[arg-type,dict-item]
    assert "Rounded for reading" in found[0]
    assert found[1].startswith("Lesions: Liver metastasis")
    assert "more on the next page" in " ".join(found[0].split())
    assert all(f"test.{number}" in "".join(found[1:]) for number in range(7))


@pytest.mark.parametrize("count", [1, 3])
def test_page_one_never_has_more_than_eight_rows(many: Callable[[int], Record], count: int) -> None:
    assert 1 < len(key_rows(many(count))) <= KEY_ROWS


def test_the_3d_view_stands_in_the_html_and_not_in_the_pdf(record: Record) -> None:
    viewer = "<div id='view'>turn me</div><script>const x = 1;</script>"
    extras = PageExtras(viewer=viewer)
    page = to_html(record, (), extras).decode()
    assert viewer in page.partition('<section class="page-two"')[2]
    assert to_pdf(record, (), extras) == to_pdf(record)
    assert to_html(record).decode().count("<script") == 1, "our own that sorts tables"


def _levels(names: list[str]) -> tuple[Measurement, ...]:
    rows = []
    for number, name in enumerate(names):
        target = Target("tissue", "muscle", (1,), None, name)
        rows.append(
            Measurement(target, Quantity.TISSUE_AREA, 100.0 + number, "cm2", method="range A; source B")
        )
        rows.append(Measurement(target, Quantity.TISSUE_MEAN, 40.0, "[hnsf'U]", method="mean; source B"))
    whole = Target("tissue", "muscle", (1,), None, "all slices")
    return (*rows, Measurement(whole, Quantity.TISSUE_VOLUME, 3719.4, "ml", method="volume; source B"))


def _tissue(record: Record, names: list[str]) -> Sheet:
    more = (*record.measurements, *_levels(names))
    (sheet,) = tissue_sheets(replace(record, measurements=more), index_of(more))
    return sheet


def test_tissue_at_levels_has_a_row_each(record: Record) -> None:
    sheet = _tissue(record, ["L3", "L4"])
    assert [row.cells[1].text for row in sheet.rows] == ["L3", "L4", "all slices"]
    assert sheet.head[2].text == "Tissue area (cm²)"


def test_tissue_of_each_of_500_slices_is_one_row_that_says_so(record: Record) -> None:
    sheet = _tissue(record, [f"k={number}" for number in range(500)])
    assert len(sheet.rows) == 2
    span = sheet.rows[-1]
    assert span.cells[1].text == "each of 500 slices (1 to 500)"
    assert span.cells[2].text == "100 to 599"
    assert any("CSV, XLSX and JSON" in note for note in sheet.notes)


def test_tissue_on_page_one_is_the_level_that_was_asked_for(record: Record) -> None:
    one = replace(record, measurements=(*record.measurements, *_levels(["k=57"])))
    assert [row.value for row in key_rows(one) if row.item.target.kind == "tissue"] == [
        "100 cm²",
        "3719 ml",
        "40 HU",
    ]
    every = replace(record, measurements=(*record.measurements, *_levels([f"k={n}" for n in range(9)])))
    assert [row.value for row in key_rows(every) if row.item.target.kind == "tissue"] == ["3719 ml"]


def test_definitions_that_are_alike_stand_together(many: Callable[[int], Record]) -> None:
    text = appendix_of(to_html(many(1), (), PageExtras(look=PageLook(full=True))))
    assert text.count("First and last voxel index with the label") == 1
    assert "First index i, Last index i" in text
    assert text.count("IBSI YEKZ.") == 1


def test_method_lines_share_what_is_common() -> None:
    assert method_lines([]) == ()
    assert method_lines([("A", "x; y")]) == ("A: x; y.",)
    assert method_lines([("A", "x; y"), ("A", "x; y"), ("B", "z; y")]) == ("A: x.", "B: z.", "All: y.")


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ("cm2", "cm²"),
        ("/mm", "mm⁻¹"),
        ("cm2/m2", "cm²/m²"),
        ("g", "g"),
        ("[hnsf'U]2", "HU²"),
        ("g/ml{SUVlbm}", "SUVlbm (g/ml)"),
        ("furlong", "furlong"),
    ],
)
def test_units_as_people_write_them(unit: str, words: str) -> None:
    assert unit_text(unit) == words


def test_huge_numbers_are_powers_of_ten() -> None:
    assert number_text(1.2345e12, 1.0) == "1.23 × 10¹²"
    assert number_text(-4.5e8, 1.0) == "−4.50 × 10⁸"
    assert number_text(0.812345, 0.001) == "0.81"


@pytest.mark.parametrize(
    ("quantity", "unit", "value", "words"),
    [
        (Quantity.MEAN, "[hnsf'U]", 0.3, "0 HU"),
        (Quantity.MEAN, "[hnsf'U]", -0.4, "0 HU"),
        (Quantity.MEDIAN, "[arb'U]", 0.0004, "0.00040 arb. units"),
        (Quantity.CENTROID_X, "mm", -0.01, "0 mm"),
        (Quantity.SKEWNESS, "1", 0.0002, "0"),
        (Quantity.VOLUME, "ml", 0.0001, "under 0.01 ml"),
    ],
)
def test_near_zero_a_scale_reads_zero_and_an_amount_does_not(
    quantity: Quantity, unit: str, value: float, words: str
) -> None:
    grid = Grid((9, 9, 9), np.diag([1.0, 1.0, 2.0, 1.0]))
    assert value_text(Measurement(Target("label", "a", (1,)), quantity, value, unit), grid) == words


@pytest.mark.slow
def test_letter_paper_has_page_one_on_one_page_too(
    metastases: Callable[[int], tuple[Record, object, object]],
) -> None:
    record, segmentation, image = metastases(12)
    drawn = draw(record, segmentation, {"ct": image}, full=False)  # type: ignore[arg-type,dict-item]
    found = pages(record, pictures=drawn, extras=PageExtras(look=PageLook(paper="Letter")))
    assert "Rounded for reading" in found[0]
    assert found[1].startswith("Lesions: Liver metastasis")
    data = to_pdf(record, drawn, PageExtras(look=PageLook(paper="Letter")))
    with pikepdf.open(io.BytesIO(data)) as pdf:
        width, height = (float(end) for end in pdf.pages[0].MediaBox[2:])
    assert (width, height) == pytest.approx((612, 792), abs=1)
