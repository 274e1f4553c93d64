"""What stands first on the comparison page: n, median and the worst, what counts as 0, and what was left out."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from medseg.domain import Quantity
from medseg.reporting.comparison.cases import Compared, ComparedCase, compared_structures, is_both_empty
from medseg.reporting.groups import GROUPS
from medseg.reporting.numbers import number_text

__all__ = ["COUNTS", "left_out", "opening", "pair_words", "signed_ml"]

COUNTS = tuple(item for item in GROUPS["Against a reference"] if item.info.compared == "count")
#: Cases that are named in a sentence; of more their number is said, and the list below has all.
_NAMED = 5
#: Finest step of a volume in ml.
_STEP_ML = 0.001

Rows = Mapping[Quantity, Mapping[str, Any]]


def opening(
    structures: Sequence[str], table: Mapping[tuple[str, str | None], Rows], cases: Sequence[ComparedCase]
) -> list[str]:
    """Sentences in which nothing flatters: each number is one of the table, and misses count as Dice 0.

    Parameters
    ----------
    structures
        Those that were compared, the lowest mean Dice first.
    table
        (Structure, detail) → summary rows by quantity.
    cases
        All, those that failed too.
    """
    if not structures:
        return ["Nothing was compared: no pair of masks could be read that has a label.", *left_out(cases)]
    items = list(compared_structures(cases))
    single = len({item.case for item in items}) == 1
    dice = {name: table[name, None][Quantity.DICE] for name in structures}
    first = _of_pair(dice) if single else _of_cases(dice, items)
    lines = [first, *_worst_volume(items, single=single), _failures(dice), *_empty(items), *left_out(cases)]
    counted = [table[name, None] for name in structures if COUNTS[0] in table[name, None]]
    if counted:
        wanted, got, extra = (sum(rows[quantity]["total"] for rows in counted) for quantity in COUNTS)
        whose = structures[0] if len(structures) == 1 else f"{len(counted)} structures"
        lines.append(f"Lesions of {whose}: {got:g} of {wanted:g} found, {extra:g} false positive.")
    return lines


def left_out(cases: Sequence[ComparedCase]) -> list[str]:
    """What the numbers are not over, and what they are over though it was not there; nothing where all is whole."""
    missing, strange, failed = (
        [case.case for case in cases if case.failure == kind]
        for kind in ("no prediction", "no reference", "not compared")
    )
    lines = []
    if missing:
        them = "it counts" if len(missing) == 1 else "they count"
        lines.append(f"{_cases(missing)} without a prediction: {them} as an empty one ({_named(missing)}).")
    if strange:
        noun = "prediction" if len(strange) == 1 else "predictions"
        lines.append(f"Left out: {len(strange)} {noun} without a reference ({_named(strange)}).")
    if failed:
        lines.append(f"Left out: {_cases(failed)} that could not be compared ({_named(failed)}).")
    return lines


def pair_words(item: Compared) -> str:
    """`case3, tumour: Dice 0.000; volume error −0.216 ml (prediction 0 ml, reference 0.216 ml)`."""
    words = f"{item.case}, {item.name}: Dice {item.dice:.3f}"
    if item.error_ml is None or item.prediction_ml is None or item.reference_ml is None:
        return words
    volumes = (number_text(value, _STEP_ML) for value in (item.prediction_ml, item.reference_ml))
    ours, theirs = volumes
    return (
        f"{words}; volume error {signed_ml(item.error_ml)} ml (prediction {ours} ml, reference {theirs} ml)"
    )


def signed_ml(value: float) -> str:
    """A difference of volumes with its sign."""
    text = number_text(float(value), _STEP_ML)
    return f"+{text}" if value > 0 else text


def _of_pair(dice: Mapping[str, Mapping[str, Any]]) -> str:
    worst = next(iter(dice))
    if len(dice) == 1:
        return f"{worst}: Dice {dice[worst]['mean']:.3f}."
    middle = median(float(row["mean"]) for row in dice.values())
    return (
        f"{len(dice)} structures: median Dice {middle:.3f}; lowest: {worst}, Dice {dice[worst]['mean']:.3f}."
    )


def _of_cases(dice: Mapping[str, Mapping[str, Any]], items: Sequence[Compared]) -> str:
    lowest = next(iter(dice))
    row = dice[lowest]
    interval = "" if row["low"] is None else f" (95 % interval {row['low']:.3f} to {row['high']:.3f})"
    own = f"mean Dice {row['mean']:.3f}{interval}, median {row['median']:.3f}, n {row['of']}"
    worst = min(items, key=lambda item: (item.dice, item.case), default=None)
    if len(dice) == 1:
        end = "" if worst is None else f"; worst {worst.dice:.3f} ({worst.case})"
        return f"{lowest}: {own}{end}."
    middle = median(float(found["mean"]) for found in dice.values())
    end = "" if worst is None else f"; worst {worst.dice:.3f} ({worst.name} in {worst.case})"
    return f"{len(dice)} structures: median of the mean Dice {middle:.3f}; lowest: {lowest}, {own}{end}."


def _worst_volume(items: Sequence[Compared], *, single: bool) -> list[str]:
    known = [item for item in items if item.error_ml is not None]
    if not known:
        return []
    worst = max(known, key=lambda item: (abs(item.error_ml or 0), item.case))
    names = {item.name for item in known}
    share = "" if worst.relative is None else f", {_percent(worst.relative)} %"
    where = [worst.name] * (len(names) > 1) + [worst.case] * (not single)
    place = f" ({' in '.join(where)}{share})" if where else f" ({share.removeprefix(', ')})" if share else ""
    value = f"{signed_ml(worst.error_ml or 0)} ml{place}"
    if single:
        return [f"{'Largest volume error' if len(names) > 1 else 'Volume error'} {value}."]
    if len(names) > 1:
        return [f"Largest volume error {value}."]
    middle = signed_ml(median(item.error_ml or 0.0 for item in known))
    return [f"Volume error: median {middle} ml, largest {value}, n {len(known)}."]


def _failures(dice: Mapping[str, Mapping[str, Any]]) -> str:
    # A structure that is predicted where the reference has none is no lesion that is found beside others.
    misses, false = (sum(row[key] for row in dice.values()) for key in ("misses", "false_positives"))
    missed, extra = _times(misses, "miss", "misses"), _times(false, "false positive", "false positives")
    counted = "counted as Dice 0"
    if misses and false:
        return f"Whole structures: {missed} and {extra}, {counted}."
    return f"Whole structures: {missed}{f', {counted}; ' if misses else ', '}{extra}{f', {counted}' if false else ''}."


def _empty(items: Sequence[Compared]) -> list[str]:
    """Dice 1 of two empty masks says nothing about outlines, so the mean without them stands beside it."""
    rest = [item.dice for item in items if not is_both_empty(item)]
    count = len(items) - len(rest)
    if not count:
        return []
    them = (
        "1 comparison of two empty masks counts"
        if count == 1
        else f"{count} comparisons of two empty masks count"
    )
    without = (
        f"; without {'it' if count == 1 else 'them'} mean Dice {sum(rest) / len(rest):.3f}" if rest else ""
    )
    return [f"{them} as Dice 1{without}."]


def _cases(names: Sequence[str]) -> str:
    return f"{len(names)} {'case' if len(names) == 1 else 'cases'}"


def _named(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more, listed below" if more > 0 else "")


def _times(count: int, one: str, many: str) -> str:
    return f"{count or 'no'} {one if count == 1 else many}"


def _percent(value: float) -> str:
    text = number_text(float(value), 0.1)
    return f"+{text}" if value > 0 else text
