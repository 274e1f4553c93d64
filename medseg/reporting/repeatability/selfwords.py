"""A self-test of one scan in sentences and rows; each number is one of the study."""

from collections.abc import Sequence
from typing import Any

from medseg.domain import Quantity
from medseg.domain.repeatability import Recovered, Repeatability, RepeatabilityStudy
from medseg.reporting.numbers import number_text

__all__ = ["LOWER_BOUND", "self_rows", "self_sentences"]

_STEP = 0.001
#: What was done to an object, in the order of the page.
_KINDS = ("shrunk", "grown", "planted")
LOWER_BOUND = (
    "One scan, disturbed and measured again: a lower bound of what two scans would show. A change beyond it is "
    "larger than segmentation noise; whether it is larger than the difference of two scans, it does not say."
)


def self_sentences(study: RepeatabilityStudy) -> list[str]:
    """Per structure its grade on this scan: the spread, what came back of known change, which volume is steadier."""
    lines = []
    for item in study.items:
        if item.quantity is Quantity.VOLUME:
            lines.append(
                f"{item.target}, {_ml(_as_it_is(study, item.target))} on this scan: {_spread(item)}."
            )
            lines += _came_back(study.recovered, item.target)
            lines += _steadier(study, item)
    return (
        [*lines, LOWER_BOUND]
        if lines
        else ["Nothing was found often enough to speak of a spread.", LOWER_BOUND]
    )


def self_rows(study: RepeatabilityStudy) -> dict[str, list[dict[str, Any]]]:
    """Rows of the page: `disturbed` (how, then the volumes of each structure), and `recovered`."""
    names = list(dict.fromkeys(item.target for item in study.disturbed))
    table: dict[str, dict[str, tuple[str, str]]] = {}
    for item in study.disturbed:
        weighed = "" if item.probability_ml is None else _ml(item.probability_ml)
        table.setdefault(item.how, {})[item.target] = (_ml(item.volume_ml), weighed)
    return {
        "disturbed": [{"how": how, "cells": [cells[name] for name in names]} for how, cells in table.items()],
        "recovered": [_recovered_row(item) for item in _ordered(study.recovered)],
    }


def _as_it_is(study: RepeatabilityStudy, target: str) -> float:
    return next(item.volume_ml for item in study.disturbed if item.target == target)


def _spread(item: Repeatability) -> str:
    least, most = number_text(item.low, _STEP), _ml(item.high)
    if item.wcv is None or item.no_change_percent is None:
        return f"disturbed {item.pairs - 1} times it was {least} to {most}"
    low, high = item.no_change_percent
    return (
        f"disturbed {item.pairs - 1} times it was {least} to {most} (SD {100 * item.wcv.value:.1f} %); a change from "
        f"{_signed(low)} to {_signed(high)} % is within segmentation noise"
    )


def _came_back(recovered: Sequence[Recovered], target: str) -> list[str]:
    lines = []
    own = [item for item in _ordered(recovered) if item.target == target]
    changes = [item for item in own if item.kind != "planted"]
    if changes:
        told = ", ".join(
            f"{100 * item.share:.0f} % of {_signed_ml(item.put_ml)} in an object of {_ml(item.size_ml)}"
            for item in changes
        )
        lines.append(f"Known change put into this scan, of which came back: {told}.")
    plants = [item for item in own if item.kind == "planted"]
    if plants:
        told = ", ".join(
            f"of {_ml(item.put_ml)} {'nothing' if item.found_ml == 0 else _ml(item.found_ml)}"
            for item in plants
        )
        lines.append(f"Small objects with its contrast planted beside it, of which was found: {told}.")
    return lines


def _steadier(study: RepeatabilityStudy, voxels: Repeatability) -> list[str]:
    weighed = study.of(voxels.target, Quantity.PROBABILITY_VOLUME)
    if weighed is None or weighed.wcv is None or voxels.wcv is None:
        return []
    one, other = 100 * weighed.wcv.value, 100 * voxels.wcv.value
    which = "steadier" if one < other else "no steadier"
    return [
        f"Its volume from probabilities spread by {one:.2f} %, from voxels by {other:.2f} %: {which} on this scan."
    ]


def _ordered(recovered: Sequence[Recovered]) -> list[Recovered]:
    return sorted(recovered, key=lambda item: (item.target, -item.size_ml, _KINDS.index(item.kind)))


def _recovered_row(item: Recovered) -> dict[str, Any]:
    return {
        "target": item.target,
        "kind": item.kind,
        "size": _ml(item.size_ml),
        "put": _signed_ml(item.put_ml),
        "found": _signed_ml(item.found_ml),
        "share": f"{100 * item.share:.0f} %",
    }


def _ml(value: float) -> str:
    return f"{number_text(value, _STEP)} ml"


def _signed_ml(value: float) -> str:
    return f"{'+' if value > 0 else ''}{_ml(value)}"


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")
