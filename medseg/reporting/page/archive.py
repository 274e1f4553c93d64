"""HTML → PDF/A-3a with the PDF/UA mark: tagged, fonts embedded, the Record attached as the data behind it."""

import logging
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element, SubElement, fromstring, register_namespace, tostring

from medseg.domain import Record
from medseg.reporting.record.json import record_to_json

__all__ = ["ATTACHED", "archive_pdf"]

#: Name of the Record inside the PDF.
ATTACHED = "record.json"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_UA = "http://www.aiim.org/pdfua/ns/id/"
_EXTENSION = "http://www.aiim.org/pdfa/ns/extension/"
_SCHEMA = "http://www.aiim.org/pdfa/ns/schema#"
_PROPERTY = "http://www.aiim.org/pdfa/ns/property#"
#: PDF/A asks for just these prefixes.
_PREFIXES = {"pdfaExtension": _EXTENSION, "pdfaSchema": _SCHEMA, "pdfaProperty": _PROPERTY, "pdfuaid": _UA}
_VARIANT = "pdf/a-3a"


def archive_pdf(page: str, record: Record) -> bytes:
    """A page as PDF/A-3a (ISO 19005-3), marked as PDF/UA-1 (ISO 14289-1); nothing but data: URIs is fetched.

    The Record goes in without the places of its files, which may hold people's names.
    """
    from weasyprint import HTML, Attachment
    from weasyprint.urls import URLFetcher

    # It reports every CSS rule meant for screens only.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    fetcher = URLFetcher(allowed_protocols={"data"})
    document = HTML(string=page, url_fetcher=fetcher).render(pdf_variant=_VARIANT)
    day = _day(record)
    bare = replace(record, inputs=tuple(replace(item, path="") for item in record.inputs))
    document.metadata.attachments = [
        Attachment(
            string=record_to_json(bare).decode(),
            name=ATTACHED,
            description="Every measurement of this report, exact and with its method",
            created=day,
            modified=day,
            relationship="Data",
        )
    ]
    _mark_accessible(document.metadata)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its colour profile open
        pdf: bytes = document.write_pdf(pdf_variant=_VARIANT)
    return pdf


def _mark_accessible(metadata: Any) -> None:
    """Say PDF/UA-1 in the metadata too, which has one RDF and describes what PDF/A does not know by itself."""
    plain = metadata.generate_rdf_metadata

    def both(variant: str, version: int, conformance: str) -> bytes:
        for prefix, namespace in _PREFIXES.items():
            register_namespace(prefix, namespace)
        rdf = fromstring(plain(variant, version, conformance))  # noqa: S314 - what the library itself just wrote
        mark = SubElement(rdf, f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": ""})
        SubElement(mark, f"{{{_UA}}}part").text = "1"
        rdf.append(_extension())
        data: bytes = tostring(rdf, encoding="utf-8")
        return data

    metadata.generate_rdf_metadata = both


def _extension() -> Element:
    """The description of the PDF/UA schema that PDF/A asks for."""
    top = Element(f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": ""})
    schemas = SubElement(SubElement(top, f"{{{_EXTENSION}}}schemas"), f"{{{_RDF}}}Bag")
    item = SubElement(schemas, f"{{{_RDF}}}li", {f"{{{_RDF}}}parseType": "Resource"})
    SubElement(item, f"{{{_SCHEMA}}}namespaceURI").text = _UA
    SubElement(item, f"{{{_SCHEMA}}}prefix").text = "pdfuaid"
    SubElement(item, f"{{{_SCHEMA}}}schema").text = "PDF/UA identification schema"
    properties = SubElement(SubElement(item, f"{{{_SCHEMA}}}property"), f"{{{_RDF}}}Seq")
    told = SubElement(properties, f"{{{_RDF}}}li", {f"{{{_RDF}}}parseType": "Resource"})
    for name, text in (
        ("category", "internal"),
        ("description", "Part of ISO 14289 that the file conforms to"),
        ("name", "part"),
        ("valueType", "Integer"),
    ):
        SubElement(told, f"{{{_PROPERTY}}}{name}").text = text
    return top


def _day(record: Record) -> datetime:
    """Midnight of the analysis, so that equal records give equal files."""
    if record.analysed_on is None:
        return datetime(2000, 1, 1, tzinfo=UTC)
    return datetime.fromisoformat(record.analysed_on).replace(tzinfo=UTC)
