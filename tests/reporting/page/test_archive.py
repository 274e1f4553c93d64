"""The PDF as PDF/A-3a and PDF/UA-1: those of their rules that a machine can check. veraPDF was not run."""

import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pikepdf
import pypdfium2

from medseg.domain import Image, Record, Segmentation
from medseg.reporting import PageExtras, draw, record_from_json, to_pdf
from medseg.reporting.purpose import PageLook
from medseg.reporting.record.json import content_digest

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
PDFA, PDFUA = "{http://www.aiim.org/pdfa/ns/id/}", "{http://www.aiim.org/pdfua/ns/id/}"


def made(record: Record, segmentation: Segmentation, image: Image) -> bytes:
    pictures = draw(record, segmentation, {"mr": image})
    return to_pdf(record, pictures, PageExtras(look=PageLook(full=True)))


def elements(node: Any) -> Iterator[Any]:
    """Structure elements below one, in document order."""
    kids = node.get("/K")
    for kid in kids if isinstance(kids, pikepdf.Array) else [kids]:
        if isinstance(kid, pikepdf.Dictionary) and "/S" in kid:
            yield kid
            yield from elements(kid)


def test_it_keeps_the_rules_of_an_archive_and_of_accessibility(
    record: Record, segmentation: Segmentation, image: Image
) -> None:
    data = made(record, segmentation, image)
    with pikepdf.open(io.BytesIO(data)) as pdf:
        root = pdf.Root
        assert not pdf.is_encrypted
        assert "/ID" in pdf.trailer
        assert root.MarkInfo.Marked is True
        assert str(root.Lang) == "en"
        assert root.ViewerPreferences.DisplayDocTitle is True
        assert not {"/OpenAction", "/AA", "/AcroForm"} & set(root.keys())
        assert "/JavaScript" not in root.get("/Names", {})
        (intent,) = root.OutputIntents
        assert intent.S == "/GTS_PDFA1"
        assert len(intent.DestOutputProfile.read_bytes()) > 1000
        assert all(page.get("/Tabs") == "/S" and "/StructParents" in page for page in pdf.pages)
        _metadata(pdf)
        _fonts(pdf)
        _structure(pdf)


def _metadata(pdf: pikepdf.Pdf) -> None:
    packet = pdf.Root.Metadata.read_bytes().decode()
    assert packet.count("<rdf:RDF") == 1
    for prefix in ("pdfaExtension", "pdfaSchema", "pdfaProperty", "pdfuaid"):
        assert f"xmlns:{prefix}=" in packet
    rdf = ET.fromstring(re.sub(r"<\?.*?\?>", "", packet)).find(f"{RDF}RDF")
    assert rdf is not None
    marks = {key: value for item in rdf for key, value in item.attrib.items()}
    assert (marks[f"{PDFA}part"], marks[f"{PDFA}conformance"]) == ("3", "A")
    assert [item.text for item in rdf.iter(f"{PDFUA}part")] == ["1"]
    title = next(rdf.iter("{http://purl.org/dc/elements/1.1/}title"))
    assert "".join(title.itertext()).strip() == str(pdf.docinfo["/Title"])


def _fonts(pdf: pikepdf.Pdf) -> None:
    """Every font is embedded, and its letters can be read back as text."""
    found = 0
    for page in pdf.pages:
        for font in page.Resources.Font.values():
            found += 1
            assert "/ToUnicode" in font
            for part in font.DescendantFonts:
                descriptor = part.FontDescriptor
                assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor.keys())
    assert found


def _structure(pdf: pikepdf.Pdf) -> None:
    """Headings from the first level on, cells of heads with a scope, figures with words for what is seen."""
    tree = list(elements(pdf.Root.StructTreeRoot))
    roles = Counter(str(item.S) for item in tree)
    assert {"/H1", "/H2", "/Table", "/TR", "/TH", "/TD", "/Figure", "/P"} <= set(roles)
    levels = [int(str(item.S)[2:]) for item in tree if re.fullmatch(r"/H[1-6]", str(item.S))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    figures = [item for item in tree if str(item.S) == "/Figure"]
    assert figures
    assert all(len(str(item.get("/Alt", ""))) > 20 for item in figures)
    assert len({str(item.Alt) for item in figures}) == len(figures)


def test_the_record_is_in_it_without_the_names_of_files(
    record: Record, segmentation: Segmentation, image: Image
) -> None:
    named = replace(
        record, inputs=tuple(replace(item, path=f"Doe_John/{item.path}") for item in record.inputs)
    )
    data = made(named, segmentation, image)
    with pikepdf.open(io.BytesIO(data)) as pdf:
        (name,) = pdf.attachments
        spec = pdf.attachments[name]
        inside = spec.get_file().read_bytes()
        assert name == "record.json"
        assert spec.get_file().mime_type == "application/json"
        assert str(pdf.Root.AF[0].AFRelationship) == "/Data"
    assert b"Doe_John" not in inside
    again = record_from_json(inside)
    assert again.measurements == record.measurements
    assert content_digest(again) == content_digest(record)
    assert all(item["path"] == "" for item in json.loads(inside)["inputs"])
    assert "Doe_John" not in "".join(texts(data))


def test_every_page_says_whose_it_is_and_that_it_is_research(
    record: Record, segmentation: Segmentation, image: Image
) -> None:
    found = texts(made(record, segmentation, image))
    assert len(found) > 2
    for text in found:
        assert record.subject in text
        assert "RESEARCH USE" in text


def test_equal_records_give_equal_files(record: Record) -> None:
    assert to_pdf(record) == to_pdf(record)


def texts(data: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(io.BytesIO(data))
    try:
        return [page.get_textpage().get_text_bounded() for page in document]
    finally:
        document.close()
