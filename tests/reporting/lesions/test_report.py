"""Lesions in the report: few lines on page one, all of them in a table, a picture each with numbers of the Record."""

import io
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from openpyxl import load_workbook
from PIL import Image as Picture

from medseg.domain import Image, Measurement, Quantity, Record, Segmentation, Status, Target
from medseg.reporting import PageExtras, draw, to_html, to_rows, to_xlsx
from medseg.reporting.index import index_of, lesions_of
from medseg.reporting.lesions.panels import LESION_PICTURES, PREFIX
from medseg.reporting.lesions.table import lesion_sheets
from medseg.reporting.lesions.words import LINES, counting_note, lesion_lines, lesion_sentences, rule_name
from medseg.reporting.numbers import value_text
from medseg.reporting.page.headline import key_rows
from medseg.reporting.purpose import PageLook
from medseg.reporting.wording import delineation_text, quantity_text

Made = tuple[Record, Segmentation, Image]


def text_of(page: bytes) -> str:
    body = re.sub(r"<style>.*?</style>", "", page.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def parts(page: bytes) -> tuple[str, str]:
    first, _, second = page.decode().partition('<section class="page-two"')
    return text_of(first.encode()), text_of(second.encode())


def test_the_sentence_counts_and_adds_up(metastases: Callable[[int], Made]) -> None:
    record, *_ = metastases(12)
    sentence, criterion = lesion_sentences(record)
    total = sum(lesion.amount for lesion in lesions_of(record))
    assert re.fullmatch(
        r"Liver metastasis: 12 lesions, together at least \d+\.\d ml, sum of longest diameters at least \d+ mm, "
        r"the largest (at least )?\d+\.\d ml, (at least )?\d+ × \d+ mm\.",
        sentence,
    )
    assert re.fullmatch(
        r"Size criterion \(RECIST 1\.1\): \d+ meet it, \d+ do(es)? not, "
        r"not computed for 1 \(the slice thickness is not known\)\.",
        criterion,
    )
    assert counting_note(record) == (
        "Counted as one lesion: voxels that touch at a face, an edge or a corner, at least 50 mm³."
    )
    assert float(re.findall(r"\d+\.\d", sentence)[0]) == pytest.approx(total, abs=0.05)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "Node: looked for lesions and found none."),
        (None, "Node: lesions not counted (no label of this name)."),
    ],
)
def test_no_lesion_and_not_counted_are_two_things(record: Record, count: int | None, words: str) -> None:
    status = Status.OK if count is not None else Status.NOT_COMPUTED
    item = Measurement(
        Target("label", "Node", (2,)),
        Quantity.LESION_COUNT,
        count,
        "1",
        status,
        None if count is not None else "no label of this name",
        "connectivity 6, every size",
    )
    if count is None:
        item = replace(item, method="")
    assert lesion_sentences(replace(record, measurements=(*record.measurements, item))) == (words,)


def test_page_one_has_eight_rows_with_the_five_largest_lesions(metastases: Callable[[int], Made]) -> None:
    record, *_ = metastases(12)
    lines = lesion_lines(record)
    assert [line.number for line in lines] == [1, 2, 3, 4, 5]
    assert len(lines) + len(key_rows(record)) == 8
    first, appendix = parts(to_html(record))
    assert "Largest lesions" in first
    assert f"{12 - LINES} more in the table that follows" in first
    assert "Lesions: Liver metastasis" in appendix


def test_the_words_are_size_criterion_and_never_target_lesion(metastases: Callable[[int], Made]) -> None:
    record, segmentation, image = metastases(12)
    page = text_of(to_html(record, draw(record, segmentation, {"ct": image})))
    assert "target lesion" not in page.lower()
    assert "RECIST sum" not in page
    assert re.search(r"\d+ meet it", page)
    assert "the slice thickness is not known" in page
    assert "Size criterion by RECIST 1.1; size alone" in page


def test_the_table_is_complete_and_a_cut_lesion_is_marked(metastases: Callable[[int], Made]) -> None:
    record, *_ = metastases(12)
    (sheet,) = lesion_sheets(record)
    assert [row.cells[0].text for row in sheet.rows] == [str(number) for number in range(1, 13)]
    assert all(len(row.cells) == len(sheet.head) for row in sheet.rows)
    cut = {
        item.target.lesion
        for item in record.measurements
        if item.target.kind == "lesion" and item.status is Status.TRUNCATED_LOWER_BOUND
    }
    marked = {int(row.cells[0].text) for row in sheet.rows if row.cells[-1].kind == "cut"}
    assert marked == cut != set()


def test_each_lesion_has_a_picture_on_the_slice_of_its_axes(metastases: Callable[[int], Made]) -> None:
    record, segmentation, image = metastases(12)
    drawn = [item for item in draw(record, segmentation, {"ct": image}) if item.name.startswith(PREFIX)]
    assert [picture.name for picture in drawn] == [f"lesion-1-{number}" for number in range(1, 13)]
    for lesion, picture in zip(lesions_of(record), drawn, strict=True):
        index = lesion.plane.rpartition("=")[2]
        assert f"axial slice {int(index) + 1} of 40" in picture.caption
        assert f"Lesion {lesion.number}: " in picture.caption
        assert "L 40 W 400 HU" in picture.caption
    # Both axes are there: white lines where the picture without them has grey.
    pixels = np.asarray(Picture.open(io.BytesIO(drawn[0].png)).convert("L"), dtype=float)
    middle = pixels[
        pixels.shape[0] // 4 : -pixels.shape[0] // 4, pixels.shape[1] // 4 : -pixels.shape[1] // 4
    ]
    assert (middle > 245).sum() > 100


@pytest.mark.slow
def test_pictures_are_capped_and_what_is_left_out_is_said(metastases: Callable[[int], Made]) -> None:
    record, segmentation, image = metastases(30)
    drawn = [item for item in draw(record, segmentation, {"ct": image}) if item.name.startswith(PREFIX)]
    total = len(lesions_of(record))
    assert len(drawn) == LESION_PICTURES < total
    page = text_of(to_html(record, drawn, PageExtras(look=PageLook(full=True))))
    assert f"{total - LESION_PICTURES} more stand in the table only" in page
    assert page.count("Lesion 1:") == 1


def test_a_lesion_without_axes_has_its_row_and_no_picture(metastases: Callable[[int], Made]) -> None:
    record, segmentation, image = metastases(4)
    bare = tuple(
        replace(item, value=None, status=Status.NOT_COMPUTED, reason="the grid is sheared", points_mm=())
        if item.target.lesion == 1 and item.quantity in (Quantity.LONGEST_DIAMETER, Quantity.SHORT_DIAMETER)
        else item
        for item in record.measurements
    )
    record = replace(record, measurements=bare)
    drawn = [item.name for item in draw(record, segmentation, {"ct": image}) if item.name.startswith(PREFIX)]
    assert drawn == [f"lesion-1-{number}" for number in (2, 3, 4)]
    assert "the grid is sheared" in text_of(to_html(record))


def test_the_workbook_has_a_row_per_lesion(metastases: Callable[[int], Made]) -> None:
    record, *_ = metastases(4)
    book = load_workbook(io.BytesIO(to_xlsx([record])))
    assert book.sheetnames[1] == "lesions"
    rows = list(book["lesions"].iter_rows(values_only=True))
    assert len(rows) == 1 + 4
    head = list(rows[0])
    assert {"subject", "name", "lesion", "volume [ml]", "intensity_mean (ct) [[hnsf'U]]", "plane"} <= set(
        head
    )
    volumes = [row[head.index("volume [ml]")] for row in rows[1:]]
    assert volumes == [lesion.amount for lesion in lesions_of(record)]
    unknown = rows[2][head.index("meets_size_criterion [1]")]
    assert unknown is None
    assert "the slice thickness is not known" in str(rows[2][head.index("not_computed")])
    told = {row[0] for row in book["data dictionary"].iter_rows(values_only=True)}
    assert {"not_computed", "detail", "metabolic_tumour_volume"} <= told


def _uptake(lesion: int | None) -> list[Measurement]:
    kind = "label" if lesion is None else "lesion"
    made = []
    for detail, volume in (("given", 9.5), ("41%", 4.25)):
        target = Target(kind, "Soft-tissue tumour", (1,), lesion, detail)  # type: ignore[arg-type]
        method = f"delineation {detail}; native voxels; SUVbw as the file says"
        made.append(Measurement(target, Quantity.MTV, volume, "ml", method=method, channel="pet"))
        made.append(Measurement(target, Quantity.TLG, volume * 3, "g", method=method, channel="pet"))
    whole = Target(kind, "Soft-tissue tumour", (1,), lesion)  # type: ignore[arg-type]
    made.append(Measurement(whole, Quantity.SUV_MAX, 12.3456, "g/ml{SUVbw}", method="largest", channel="pet"))
    return made


def test_uptake_names_its_delineation_and_a_given_mask_is_no_metabolic_volume(record: Record) -> None:
    more = (*record.measurements, *_uptake(None), *_uptake(1))
    first, appendix = parts(to_html(replace(record, measurements=more)))
    assert "SUVmax 12.3 SUVbw (g/ml)" in first
    assert "MTV (41 % of SUVmax) 4.25 ml" in first
    assert "9.5" not in first
    assert "Uptake of each lesion: SUVbw (g/ml)" in appendix
    assert "it is no metabolic volume" in appendix
    look = PageExtras(look=PageLook(full=True))
    whole = parts(to_html(replace(record, measurements=more), (), look))[1]
    assert "native voxels; SUVbw as the file says" in whole


def test_words_for_delineations() -> None:
    words = [delineation_text(detail) for detail in ("given", "41%", "fixed-2.5", "percist", "mine", None)]
    assert words == [
        "given mask",
        "41 % of SUVmax",
        "SUV ≥ 2.5",
        "PERCIST-derived threshold",
        "mine",
        "whole mask",
    ]
    given = _uptake(None)[0]
    assert quantity_text(given) == "Mask volume on PET"


def test_csv_rows_tell_delineations_apart(record: Record) -> None:
    rows = to_rows([replace(record, measurements=tuple(_uptake(2)))])
    assert [row["detail"] for row in rows] == ["given", "given", "41%", "41%", None]
    assert {row["lesion"] for row in rows} == {2}


def test_lesions_delineations_and_levels_are_no_structures(record: Record) -> None:
    tissue = Measurement(Target("tissue", "muscle", (1,), None, "L3"), Quantity.TISSUE_AREA, 130.0, "cm2")
    more = (*record.measurements, *_uptake(None), *_uptake(1), tissue)
    assert index_of(more).structures == index_of(record.measurements).structures


def test_lesions_of_two_structures_are_named(metastases: Callable[[int], Made]) -> None:
    record, segmentation, image = metastases(4)
    other = tuple(
        replace(item, target=replace(item.target, name="Node", labels=(2,)))
        for item in record.measurements
        if item.target.kind == "lesion"
    )
    both = replace(record, measurements=(*record.measurements, *other))
    first, appendix = parts(to_html(both))
    assert "Liver metastasis 1" in first
    assert "Node 1" in first
    assert [row.cells[0].text for row in lesion_sheets(both)[0].rows if row.heading] == [
        "Liver metastasis",
        "Node",
    ]
    drawn = [item for item in draw(both, segmentation, {"ct": image}) if item.name.startswith(PREFIX)]
    assert len({item.name for item in drawn}) == 8
    assert any(item.caption.startswith("Node 1: ") for item in drawn)
    assert "Liver metastasis" in appendix
    assert "Node" in appendix


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("size alone, RECIST 1.1, lymph node (Eisenhauer 2009): short axis", "RECIST 1.1, lymph node"),
        ("size alone, RANO-BM (Lin 2015)", "RANO-BM"),
        ("a rule of our own", ""),
    ],
)
def test_the_rule_set_is_named(record: Record, method: str, name: str) -> None:
    target = Target("lesion", "Node", (2,), 1)
    item = Measurement(target, Quantity.MEETS_SIZE_CRITERION, 1, "1", method=method)
    assert rule_name(replace(record, measurements=(item,))) == name


def test_a_lower_bound_too_small_to_round_is_above_zero(record: Record) -> None:
    tiny = Measurement(
        Target("label", "Node", (2,)), Quantity.VOLUME, 1e-5, "ml", Status.TRUNCATED_LOWER_BOUND, "cut"
    )
    assert value_text(tiny, record.mask.grid) == "> 0 ml"
