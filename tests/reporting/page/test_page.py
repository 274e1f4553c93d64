"""The page: what a reader sees, what may never be seen, and that it needs nothing else."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Picture

from medseg.domain import (
    Grid,
    Image,
    Label,
    LabelTable,
    Measurement,
    Quantity,
    Record,
    Segmentation,
    Status,
    Target,
)
from medseg.domain.record import Review
from medseg.measuring import measure
from medseg.reporting import PageExtras, draw, to_html, to_pdf
from medseg.reporting.purpose import PageLook


def text_of(page: bytes) -> str:
    body = re.sub(r"<style>.*?</style>", "", page.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_the_band_and_the_sentence(record: Record) -> None:
    text = text_of(to_html(record))
    assert (
        text.index("RESEARCH USE – NOT A MEDICAL DEVICE")
        < text.index("NOT REVIEWED")
        < text.index("Key numbers")
    )
    assert re.search(r"Soft-tissue tumour: \d\.\d\d ml", text)
    assert "90 % interval" in text
    assert "it lies inside the scan" in text


def test_a_signed_record_names_person_organization_and_time(record: Record) -> None:
    review = Review("reviewed", "A. Reader", "University Hospital", "2026-11-24T12:00:00Z", "00")
    text = text_of(to_html(replace(record, review=review)))
    assert "NOT REVIEWED" not in text
    assert "Reviewed by A. Reader, University Hospital, 2026-11-24T12:00:00Z" in text
    assert "NOT A MEDICAL DEVICE" in text


def test_unknown_is_never_zero_and_has_its_reason(record: Record) -> None:
    text = text_of(to_html(record, (), PageExtras(look=PageLook(full=True))))
    assert "not computed" in text
    assert "looked for and not found" in text


def test_a_cut_structure_is_never_green(record: Record) -> None:
    page = to_html(record).decode()
    for kind, words in re.findall(r'<span class="status (\w+)">([^<]+)</span>', page):
        assert (kind == "ok") == words.strip().startswith("✓")
    assert "≥ at least: cut by the border of the scan" in page
    assert "≥ 18 mm" in page


def test_findings_come_worst_first(record: Record) -> None:
    text = text_of(to_html(record))
    assert text.index("A slice is missing") < text.index("was snapped") < text.index("good to know")


def test_strings_from_files_are_escaped(record: Record) -> None:
    evil = "<script>alert(1)</script>"
    hostile = replace(
        record,
        subject=evil,
        measurements=tuple(replace(item, method=evil) for item in record.measurements),
        inputs=tuple(replace(item, path=f"{evil}.nii") for item in record.inputs),
    )
    page = to_html(hostile).decode()
    assert page.count("<script") == 1, "our own that sorts tables"
    assert "&lt;script&gt;" in page


def test_the_file_needs_no_network(record: Record, segmentation: Segmentation, image: Image) -> None:
    page = to_html(record, draw(record, segmentation, {"mr": image})).decode()
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page)
    assert "url(" not in page
    assert len(page) < 2_000_000


def test_missing_pictures_are_said(record: Record) -> None:
    text = text_of(to_html(record, (), PageExtras(missing="the image is not where the record says")))
    assert "No pictures: the image is not where the record says" in text


def test_the_comparison_is_boxed_as_sample_only(record: Record) -> None:
    pair = Measurement(Target("pair", "Soft-tissue tumour", (1,)), Quantity.DICE, 0.84, "1")
    text = text_of(to_html(record, (), PageExtras(comparison=(pair,))))
    assert text.index("Sample only") < text.index("0.84")
    assert "Sample only" not in text_of(to_html(record))


def test_the_pdf_is_the_same_page_and_page_one_is_one_page(
    record: Record, segmentation: Segmentation, image: Image
) -> None:
    pdf = to_pdf(record, draw(record, segmentation, {"mr": image}))
    assert pdf.startswith(b"%PDF")
    # WeasyPrint writes pages into compressed objects: lay the page out again to count.
    from weasyprint import HTML

    document = HTML(string=to_html(record, draw(record, segmentation, {"mr": image})).decode()).render()
    first = document.pages[0]._page_box
    texts = [str(box.text) for box in first.descendants() if hasattr(box, "text")]
    assert any("Edits" in text for text in texts)
    assert any("Rounded" in text for text in texts)


def test_px_images_show_no_millimetres_and_no_letters() -> None:
    grid = Grid((40, 30, 1), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px")
    labels = np.zeros(grid.shape, np.uint8)
    labels[10:20, 10:20] = 1
    segmentation = Segmentation(labels, grid, LabelTable((Label(1, "cell"),)))
    from medseg.workflows.record import build_record

    made = build_record(segmentation, {}, measure(segmentation))
    pictures = draw(made, segmentation, {"image": Image(labels * 10, grid)})
    text = text_of(to_html(made, pictures))
    assert "100 px²" in text
    assert not re.search(r"\d\s*(mm|ml)\b", text.partition("Definitions")[0].partition("Key numbers")[2])
    assert len([picture for picture in pictures if picture.name in ("axial", "coronal", "sagittal")]) == 1


def grey(png: bytes) -> np.ndarray:
    return np.asarray(Picture.open(io.BytesIO(png)).convert("L"), dtype=float)


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "PSR"])
def test_the_patients_right_is_on_the_left_of_the_picture(orientation: str) -> None:
    from medseg.geometry import affine_orientation, order_to
    from medseg.workflows.record import build_record

    ras = np.zeros((40, 40, 20), np.float32)
    ras[30:38, 15:25, 5:15] = 100  # a bright block towards the patient's right
    labels = np.zeros(ras.shape, np.uint8)
    labels[8:30, 8:30, 5:15] = 1
    straight = Grid(ras.shape, np.diag([1.0, 1.0, 2.0, 1.0]))
    order = order_to(straight, orientation)
    stored = order.grid(straight)
    assert stored.orientation == orientation
    assert affine_orientation((1, 1, 1), orientation).shape == (4, 4)
    image = Image(order.apply(ras), stored, "MR", channel="mr")
    segmentation = Segmentation(order.apply(labels), stored, LabelTable((Label(1, "a"),)))
    made = build_record(segmentation, {"mr": image}, measure(segmentation))
    pictures = {picture.name: picture for picture in draw(made, segmentation, {"mr": image})}
    pixels = grey(pictures["axial"].png)
    half = pixels[:, : pixels.shape[1] // 2]  # the picture without contour
    bright = np.argwhere(half > 240)
    assert np.median(bright[:, 1]) < half.shape[1] * 0.45


def test_statuses_in_tables_match_the_record(record: Record) -> None:
    page = text_of(to_html(record, (), PageExtras(look=PageLook(full=True))))
    for item in record.measurements:
        if item.status is Status.NOT_COMPUTED:
            assert (item.reason or "") in page
