"""The contact sheet: a card per case, to sort and to filter, and distributions; one self-contained HTML file."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medseg.domain import Measurement, Quantity, Record
from medseg.reporting.assets import page_asset, page_template
from medseg.reporting.contact.distribution import FENCE, FEWEST, MANY, QUARTILES, Distribution, distributions
from medseg.reporting.contact.strip import strip_svg
from medseg.reporting.contact.texts import few_digits, unit_value_text
from medseg.reporting.extras import Picture
from medseg.reporting.index import index_of
from medseg.reporting.numbers import unit_text
from medseg.reporting.page.headline import headline
from medseg.reporting.pictures.palette import swatch
from medseg.reporting.record.json import content_digest
from medseg.reporting.sheet import Cell, status_cell
from medseg.reporting.wording import review_text

__all__ = ["Card", "contact_to_html"]

_FAILED = Cell("no report", kind="none", mark="✕")
_NOTHING = Cell("nothing found", kind="none", mark="○")
#: Words of a card's status, the order in which they are sorted and offered as filters: what needs a look comes first.
_STATES = ("no report", "cut by the border", "not computed", "in part", "nothing found", "ok")


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """One case: its name, its Record (None where there is none to show), and the page that a link leads to."""

    name: str
    record: Record | None
    href: str
    picture: Picture | None = None


def contact_to_html(cards: Sequence[Card]) -> bytes:
    """One HTML file that needs no network; every text is escaped.

    Its scripts sort, filter and take verdicts (see `workflows.verdicts`), and can be missing.

    A case is called by the pseudonym of its subject, by its own name beside it where the subject has several.
    """
    css = page_asset("many.css")
    scripts = (page_asset(name, "contact") for name in ("sheet.js", "verdicts.js"))
    titles = _titles(cards)
    found = distributions({card.name: card.record for card in cards if card.record is not None})
    states = {card.name: _state(card.record) for card in cards}
    counts = Counter(state.text for state in states.values())
    reviewed = sum(card.record is not None and card.record.review.state == "reviewed" for card in cards)
    links = {card.name: (titles[card.name], card.href) for card in cards}
    context = {
        "css": css,
        "script": "\n".join(scripts),
        "count": len(cards),
        "summary": _summary(counts, len(cards), reviewed),
        "states": [(state, counts[state]) for state in _STATES if counts[state]],
        "reviewed": reviewed,
        "sorts": [f"{item.structure}: {item.title} ({unit_text(item.unit)})" for item in found],
        "cards": [
            _card(card, titles[card.name], states[card.name], _values(card.name, found)) for card in cards
        ],
        "groups": _groups(found, links),
        "notes": _notes(found),
    }
    return page_template("contact").render(context).encode()


def _titles(cards: Sequence[Card]) -> dict[str, str]:
    """Case → what it is called on the page."""
    subjects = Counter(card.record.subject for card in cards if card.record is not None)
    return {
        card.name: card.name
        if card.record is None
        else card.record.subject
        if subjects[card.record.subject] == 1
        else f"{card.record.subject} ({card.name})"
        for card in cards
    }


def _state(record: Record | None) -> Cell:
    """What is said of a case as a whole: the worst of the sizes and axes of its structures."""
    if record is None:
        return _FAILED
    index = index_of(record.measurements)
    sizes: list[Measurement] = []
    axes: list[Measurement] = []
    for target in index.structures:
        size = index.size(target)
        axis = index.find(target, Quantity.LONGEST_DIAMETER)
        sizes += [size] if size is not None else []
        axes += [axis] if axis is not None and size is not None and size.value != 0 else []
    if not sizes:
        return Cell("not computed", kind="none", mark="∅")
    return _NOTHING if all(item.value == 0 for item in sizes) else status_cell([*sizes, *axes])


def _card(card: Card, title: str, state: Cell, values: Mapping[str, float]) -> dict[str, Any]:
    record, picture = card.record, card.picture
    shown = {
        "title": title,
        "digest": "" if record is None else content_digest(record),
        "state": state,
        "rank": _STATES.index(state.text),
        "values": json.dumps(values),
        "href": card.href,
        "image": "" if picture is None else picture.uri,
        "alt": "" if picture is None else picture.caption,
    }
    if record is None:
        told = "This case has no page; the table that the command printed says why."
        return {**shown, "told": told, "outlines": [], "review": "", "reviewed": False, "warnings": 0}
    return {
        **shown,
        "told": headline(record)[0],
        "outlines": [] if picture is None else _outlines(record),
        "review": review_text(record),
        "reviewed": record.review.state == "reviewed",
        "warnings": sum(item.severity != "info" for item in record.findings),
    }


def _outlines(record: Record) -> list[tuple[str, str]]:
    """(look, name) of the outlines of a thumbnail; of many labels nobody could tell them apart by a legend."""
    labels = record.table.labels
    looks = [(swatch(record.table, label.value), label.name) for label in labels]
    return looks if len(labels) <= MANY and all(look for look, _ in looks) else []


def _values(case: str, found: Sequence[Distribution]) -> dict[str, float]:
    return {str(number): item.values[case] for number, item in enumerate(found) if case in item.values}


def _summary(counts: Mapping[str, int], cases: int, reviewed: int) -> str:
    told = ", ".join(f"{counts[state]} {state}" for state in reversed(_STATES) if counts.get(state))
    return f"{told}; {reviewed} of {cases} reviewed." if cases else "There are no cases."


def _groups(
    found: Sequence[Distribution], links: Mapping[str, tuple[str, str]]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """Structure → its distributions, as plot, words and links."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for number, item in enumerate(found):
        groups.setdefault(item.structure, []).append(_shown(item, links, f"d{number}"))
    return list(groups.items())


def _shown(item: Distribution, links: Mapping[str, tuple[str, str]], key: str) -> dict[str, Any]:
    words = _words(item)
    far = [(*links[case], unit_value_text(item.values[case], item.unit)) for case in item.outliers]
    plot = ""
    if item.count:
        titles = [
            f"{links[case][0]}: {unit_value_text(value, item.unit)}" for case, value in item.values.items()
        ]
        plot = strip_svg(item, titles, f"{item.title} of {item.structure}", " ".join(words), key)
    return {"title": item.title, "plot": plot, "words": words, "far": far}


def _words(item: Distribution) -> list[str]:
    """What a distribution says, in sentences; every number is recomputed from the wide table in the tests."""
    left_out = []
    if item.cut:
        left_out.append(f"{item.cut} cut by the border")
    if item.refused:
        left_out.append(f"{item.refused} not computed")
    rest = f"Left out: {', '.join(left_out)}." if left_out else ""
    if not item.count:
        return [f"No case with a whole value. {rest}".strip()]
    low, middle, high, least, most = (few_digits(value, item.unit) for value in (*item.quartiles, *item.span))
    box = f", IQR {low} to {high}" if item.count >= QUARTILES else ""
    lines = [
        f"n {item.count}; median {f'{middle} {unit_text(item.unit)}'.rstrip()}{box}, range {least} to {most}."
    ]
    if item.zeros:
        lines.append(f"{item.zeros} of them looked for and not found (0).")
    return [*lines, rest] if rest else lines


def _notes(found: Sequence[Distribution]) -> list[str]:
    if not found:
        return ["There is no quantity that could be compared between cases."]
    how = (
        f"A dot is a case, the line is the median, and the box the interquartile range (IQR) of at least {QUARTILES} "
        "cases. Quartiles are interpolated linearly. Values that are cut by the border are bounds or unreliable, so "
        "they are left out and counted."
    )
    far = (
        f"Outliers lie more than {FENCE:g} IQR beyond the quartiles (Tukey 1977), where there are at least {FEWEST} "
        "cases; they are what to look at first, not what is wrong."
    )
    notes = [how, far]
    if len({item.structure for item in found}) > MANY:
        notes.append(f"Of more than {MANY} structures only sizes are shown; the table of cases has all.")
    return notes
