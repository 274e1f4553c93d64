"""A study of repeatability as one self-contained HTML file, no script, all escaped."""

from typing import Any

from medseg.domain.repeatability import Repeatability, RepeatabilityStudy
from medseg.reporting.assets import page_asset, page_template
from medseg.reporting.repeatability.plot import bland_altman_svg
from medseg.reporting.repeatability.selfwords import self_rows
from medseg.reporting.repeatability.words import DEFINITIONS, figures_of, name_of, study_sentences

__all__ = ["repeatability_to_html"]


def repeatability_to_html(study: RepeatabilityStudy) -> bytes:
    """One HTML file that needs nothing else: no network, no script; every text is escaped."""
    shared: dict[str, Any] = {
        "css": page_asset("many.css"),
        "source": study.source,
        "made": _made(study),
        "sentences": study_sentences(study),
        "findings": study.findings,
        "analysed_on": study.analysed_on,
    }
    if study.evidence == "self":
        return page_template("repeatability", "self.html.j2").render(shared | _of_one_scan(study)).encode()
    return page_template("repeatability", "page.html.j2").render(shared | _of_pairs(study)).encode()


def _of_one_scan(study: RepeatabilityStudy) -> dict[str, Any]:
    names = list(dict.fromkeys(item.target for item in study.disturbed))
    return {"title": "Self-test of one scan", "names": names, "rows": self_rows(study)}


def _of_pairs(study: RepeatabilityStudy) -> dict[str, Any]:
    return {
        "title": "Repeatability",
        "heads": [name for name, _, _ in figures_of(study.items[0])] if study.items else [],
        "rows": [_row(item) for item in study.items],
        "sizes": [_row(item) for item in study.by_size],
        "plots": [_plot(study, item, f"p{number}") for number, item in enumerate(study.items)],
        "definitions": DEFINITIONS,
    }


def _made(study: RepeatabilityStudy) -> str:
    """What the study is about: a segmenter with its weights, or masks of which nothing more is known."""
    if study.segmenter is None:
        return "values whose making is not known, or differs"
    weights = "" if study.weights_digest is None else f", weights {study.weights_digest[:12]}"
    return f"{study.segmenter}{weights}"


def _row(item: Repeatability) -> dict[str, Any]:
    return {
        "name": name_of(item),
        "subjects": item.subjects,
        "pairs": item.pairs,
        "preliminary": item.is_preliminary,
        "cells": [(value, note) for _, value, note in figures_of(item)],
    }


def _plot(study: RepeatabilityStudy, item: Repeatability, key: str) -> tuple[str, str, bool]:
    """Name, drawing, and whether the log scale leads."""
    pairs = study.pairs_of(item)
    return name_of(item), bland_altman_svg(item, pairs, key) if pairs else "", item.scale == "log"
