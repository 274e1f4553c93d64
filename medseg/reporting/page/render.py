"""The page: a Record and its pictures as one self-contained file."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from medseg.domain import Grid, InputRef, Measurement, Quantity, Record, Status
from medseg.extras import require_extra
from medseg.reporting.assets import page_asset, page_template
from medseg.reporting.earlier import earlier_sentences, earlier_sheet
from medseg.reporting.extras import PageExtras, Picture
from medseg.reporting.groups import rank, shown_in_order
from medseg.reporting.identity import IDENTIFIED, patient_words
from medseg.reporting.index import index_of, lesions_of
from medseg.reporting.lesions.panels import PREFIX
from medseg.reporting.lesions.table import lesion_sheets
from medseg.reporting.lesions.words import (
    LINES,
    NOT_JUDGED,
    LesionLine,
    counting_note,
    lesion_lines,
    rule_name,
)
from medseg.reporting.numbers import rounding_note, unit_text, value_text
from medseg.reporting.organs import count_organs, organ_sheet
from medseg.reporting.page.archive import archive_pdf
from medseg.reporting.page.fit import lines_taken, shown_findings
from medseg.reporting.page.headline import headline, key_rows
from medseg.reporting.page.matrix import all_measurements
from medseg.reporting.page.study import judge_scan, study_lines
from medseg.reporting.page.terms import TERMS
from medseg.reporting.pictures.palette import swatch
from medseg.reporting.places import plane_text
from medseg.reporting.purpose import Purpose, purpose_of
from medseg.reporting.record.json import content_digest
from medseg.reporting.reference import reference_sentences, reference_sheet
from medseg.reporting.sheet import Sheet
from medseg.reporting.tissue.table import is_slice, tissue_sheets
from medseg.reporting.uptake import structure_uptake
from medseg.reporting.wording import (
    convention,
    grid_text,
    how_made,
    provenance,
    quantity_text,
    reason_text,
    review_text,
    short_status,
    status_view,
)

__all__ = ["to_html", "to_pdf"]

_COMPARED = shown_in_order(lambda row: row.headline, "comparison")
_RANK = {"error": 0, "warning": 1, "info": 2}
_SEVERITY = {"error": "Error:", "warning": "Warning:", "info": "Note:"}
#: What is said of the words beside numbers once, below.
_SAID = {
    Status.TRUNCATED_LOWER_BOUND: "≥ at least: cut by the border of the scan, the true value can only be larger.",
    Status.TRUNCATED_UNRELIABLE: "⚠\ufe0e cut: of the part in view alone, the true value may be smaller or larger.",
    Status.NOT_COMPUTED: "∅ none: not computed, the reason is given.",
}
#: Pictures of page one by purpose, in their order.
_FIRST_PICTURES = {
    "structure": ("axial", "coronal", "sagittal"),
    "lesions": ("axial", "coronal", "sagittal"),
    "organs": ("coronal", "axial", "sagittal"),
    "tissue": ("tissue", "tissue-profile", "axial"),
    "absent": ("axial", "coronal", "sagittal"),
    "comparison": ("worst", "axial"),
}
#: Names of header facts that their keys do not say well.
_FACTS = {"kvp": "kVp", "noise_sd": "noise (SD near the structures)", "acquisition": "dimensions"}
#: Values of an earlier scan and places among reference values that the headline names; the tables have all.
_PLACES = 3
#: Sentences above which they are left to the tables, so that page one stays one page.
_MOST_SENTENCES = 4
#: Outlines that the legend under the pictures names.
_OUTLINES = 12


def to_html(record: Record, pictures: Sequence[Picture] = (), extras: PageExtras | None = None) -> bytes:
    """One HTML file that needs nothing else: no network; every text from the Record is escaped.

    It holds no script but our own that sorts tables, and that of `extras.viewer`, which is inserted as it stands.
    """
    return _html(record, pictures, extras or PageExtras(), printed=False).encode()


def to_pdf(record: Record, pictures: Sequence[Picture] = (), extras: PageExtras | None = None) -> bytes:
    """The same page as PDF/A-3a (A4), tagged, with the Record in it as a file; without the 3D view.

    Nothing but data: URIs is fetched.
    """
    require_extra("pdf", "a report as PDF")
    flat = replace(extras or PageExtras(), viewer="")
    return archive_pdf(_html(record, pictures, flat, printed=True), record)


def _html(record: Record, pictures: Sequence[Picture], extras: PageExtras, *, printed: bool) -> str:
    return page_template("page").render(_context(record, pictures, extras), printed=printed)


def _context(record: Record, pictures: Sequence[Picture], extras: PageExtras) -> dict[str, Any]:
    grid, index = record.mask.grid, index_of(record.measurements)
    purpose = purpose_of(record, extras.look.purpose)
    rows = key_rows(record, purpose)
    lines, made = _lesion_lines(record), [*how_made(record), *_compared_with(extras)]
    sentences = _sentences(record, purpose, extras)
    study = study_lines(record, {} if extras.patient is None else dict(extras.patient.acquired))
    compared = _comparison(extras, grid)
    findings = sorted(record.findings, key=lambda item: _RANK[item.severity])
    taken = lines_taken(
        rows, lines, made, 0 if purpose == "comparison" else len(compared["rows"]), (*sentences, *study)
    )
    first, again = shown_findings(findings, taken)
    return {
        "record": record,
        "extras": extras,
        "title": "Volumetric report" if extras.patient is None else f"{IDENTIFIED} – Volumetric report",
        **_identified(record, extras),
        "css": page_asset("page.css", "page"),
        "sorting": page_asset("sort.js", "page"),
        "pictures": {picture.name: (picture, picture.uri) for picture in pictures},
        "first_pictures": _FIRST_PICTURES[purpose],
        "reviewed": record.review.state == "reviewed",
        "review_text": review_text(record),
        "sentences": sentences,
        "study": study,
        **_verdict(record, purpose),
        "against": purpose == "comparison",
        "counts": count_organs(index) if purpose == "organs" else None,
        "outlines": _outlines(record),
        "rows": rows,
        "legend": _legend({row.item.status for row in rows} | {line.status for line in lines}),
        "several": len({row.item.target.name for row in rows}) > 1,
        "lesion_lines": lines,
        "more_lesions": _more_lesions(record, len(lines)),
        "rule": rule_name(record),
        **_words(record),
        "findings": findings,
        "first_findings": first,
        "findings_again": again,
        "severity": _SEVERITY,
        "how_made": made,
        "convention": convention(record),
        "counting": counting_note(record),
        "comparison": compared,
        "sheets": _sheets(record, purpose),
        "inputs": [(item, grid_text(item.grid), _facts(item)) for item in record.inputs],
        "digest": content_digest(record),
        "rounding": f"{_uncertainty(record, sentences)}{rounding_note(grid)}",
        "appendix": _appendix(record, pictures, extras) if extras.look.full else None,
    }


def _compared_with(extras: PageExtras) -> list[tuple[str, str]]:
    """Which mask the reference is, so that a reader can find it again."""
    return [("Reference", f"mask, SHA-256 {extras.reference[:16]}…")] if extras.reference else []


def _lesion_lines(record: Record) -> tuple[LesionLine, ...]:
    """Lesions of page one: a single one is the structure, whose numbers stand above; reasons stand in the headline."""
    lines = lesion_lines(record)
    if len(lines) == 1:
        return ()
    judged = any(line.criterion != NOT_JUDGED for line in lines)
    return lines if judged else tuple(replace(line, criterion="") for line in lines)


def _uncertainty(record: Record, sentences: Sequence[str]) -> str:
    """Said once where no value has an interval, and where no sentence has said it."""
    known = any(item.interval is not None for item in record.measurements)
    said = any("uncertainty not estimated" in text for text in sentences)
    return "" if known or said else "Uncertainty not estimated. "


def _verdict(record: Record, purpose: Purpose) -> dict[str, Any]:
    """The verdict on the scan, where it judges what the page answers.

    Agreement with a reference is no matter of the scan, and a scan without faults makes nothing of what was not found.
    """
    quality = judge_scan(record)
    judged = purpose != "comparison" and not (purpose == "absent" and quality.kind == "ok")
    return {"quality": quality, "judged": judged}


def _row_name(item: Measurement, grid: Grid) -> str:
    """Title of a row; a tissue's level that is a slice by its number from 1."""
    words, detail = quantity_text(item), item.target.detail
    if item.target.kind != "tissue" or detail is None or not is_slice(detail):
        return words
    return words.replace(f"({detail})", f"({plane_text(detail, grid)})")


def _sentences(record: Record, purpose: Purpose, extras: PageExtras) -> tuple[str, ...]:
    """The answer, then what is known of it beside this scan."""
    if purpose == "comparison" and extras.answer:
        return extras.answer
    answer = headline(record, purpose)
    beside = (*earlier_sentences(record), *reference_sentences(record))
    # The band with the patient takes the room of one.
    room = _MOST_SENTENCES - len(answer) - (extras.patient is not None)
    return (*answer, *beside[: max(0, min(_PLACES, room))])


def _identified(record: Record, extras: PageExtras) -> dict[str, str]:
    """What marks a page that names the patient, at its top and at the foot of every sheet."""
    if extras.patient is None:
        return {"identified": "", "foot": record.subject}
    who = replace(extras.patient.identity, birth_date="", sex="")
    return {
        "identified": f"{IDENTIFIED} – {patient_words(extras.patient.identity)}",
        "foot": f"{IDENTIFIED} – {patient_words(who)}",
    }


def _words(record: Record) -> dict[str, Any]:
    """Functions of the template: values of a Record as people read them."""
    return {
        "view": status_view,
        "short": {status: short_status(status) for status in Status},
        "unit": unit_text,
        "name": lambda item: _row_name(item, record.mask.grid),
        "plane": lambda text: plane_text(text, record.mask.grid),
        "reason": reason_text,
        "swatch": lambda target: swatch(record.table, target.labels[0]) if target.kind == "label" else "",
    }


def _sheets(record: Record, purpose: Purpose) -> dict[str, tuple[Sheet, ...]]:
    """Tables of what was asked, after page one."""
    index = index_of(record.measurements)
    beside = (earlier_sheet(record), reference_sheet(record))
    lesions = lesion_sheets(record)
    return {
        "organs": (organ_sheet(record),) if purpose == "organs" else (),
        "places": tuple(sheet for sheet in beside if sheet is not None),
        "lesions": lesions,
        "uptake": () if lesions else structure_uptake(record, index),
        "tissue": tissue_sheets(record, index),
    }


def _appendix(record: Record, pictures: Sequence[Picture], extras: PageExtras) -> dict[str, Any]:
    """What stands on a full page alone: every measurement with its method, all pictures, provenance, terms."""
    used = {item.quantity for item in (*record.measurements, *extras.comparison)}
    return {
        "all": all_measurements(record, index_of(record.measurements)),
        "lesion_pictures": [(item, item.uri) for item in pictures if item.name.startswith(PREFIX)],
        "lesions_note": _lesions_note(record, pictures),
        "compared": [
            (item, quantity_text(item), value_text(item, record.mask.grid)) for item in extras.comparison
        ],
        "provenance": provenance(record),
        "definitions": _definitions(sorted(used, key=rank)),
        "terms": TERMS,
    }


def _legend(statuses: set[Status]) -> str:
    """What the short words beside the numbers of page one mean, as far as they occur."""
    return " ".join(_SAID[status] for status in Status if status in statuses and status in _SAID)


def _outlines(record: Record) -> list[tuple[str, str]]:
    """(swatch, name) of the labels whose outlines the pictures may show; the first of many."""
    index = index_of(record.measurements)
    there = [
        target
        for target in index.structures
        if target.kind == "label" and (size := index.size(target)) is not None and size.value != 0
    ]
    return [(swatch(record.table, target.labels[0]), target.name) for target in there[:_OUTLINES]]


def _facts(item: InputRef) -> list[tuple[str, str]]:
    """Header facts in words: numbers without the tail that a binary fraction leaves."""
    return [
        (_FACTS.get(key, key.replace("_", " ")), f"{value:.4g}" if isinstance(value, float) else str(value))
        for key, value in item.details
        if key != "noise_method"
    ]


def _definitions(used: Sequence[Quantity]) -> list[tuple[str, str]]:
    """Titles and definition with its IBSI code; quantities that are defined alike stand together."""
    found: dict[str, list[str]] = {}
    for quantity in used:
        info = quantity.info
        code = f" IBSI {info.ibsi}." if info.ibsi else ""
        found.setdefault(f"{info.definition}{code}", []).append(info.title)
    return [(", ".join(titles), definition) for definition, titles in found.items()]


def _more_lesions(record: Record, shown: int) -> int:
    return 0 if shown < LINES else len(lesions_of(record)) - shown


def _lesions_note(record: Record, pictures: Sequence[Picture]) -> str:
    """What the pictures of lesions show, and how many lesions have none."""
    drawn = sum(picture.name.startswith(PREFIX) for picture in pictures)
    if not drawn:
        return ""
    left_out = len(lesions_of(record)) - drawn
    note = "Long axis solid, perpendicular axis dashed, in the slice where the long axis lies."
    if left_out:
        note += f" The {drawn} largest with axes are drawn; {left_out} more stand in the table only."
    return note


def _comparison(extras: PageExtras, grid: Grid) -> dict[str, Any]:
    """The few figures against a reference that stand on page one: a row per structure.

    A page that is for them has both volumes too, and the structure with the lowest Dice first.
    """
    wanted: list[tuple[Quantity, str | None]] = [(quantity, None) for quantity in _COMPARED]
    names = dict.fromkeys(item.target.name for item in extras.comparison)
    if extras.look.purpose == "comparison":
        wanted += [(Quantity.VOLUME, "prediction"), (Quantity.VOLUME, "reference")]
        dice = {x.target.name: x.value for x in extras.comparison if x.quantity is Quantity.DICE}
        names = dict.fromkeys(sorted(names, key=lambda name: dice.get(name) or 0.0))
    texts = {
        (item.target.name, item.quantity, item.target.detail): _figure(item, grid)
        for item in extras.comparison
    }
    return {
        "titles": [f"{quantity.info.title}{_of_mask(detail)}" for quantity, detail in wanted],
        "rows": [(name, [texts.get((name, *key), "") for key in wanted]) for name in names],
    }


def _figure(item: Measurement, grid: Grid) -> str:
    """Shares with the three digits that the sentences have."""
    whole = item.value is None or item.unit != "1"
    return value_text(item, grid) if whole else f"{item.value:.3f}"


def _of_mask(detail: str | None) -> str:
    return {None: "", "prediction": ", this mask", "reference": ", reference"}[detail]
