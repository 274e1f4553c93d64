"""Two time points of one subject: change in ml and in % per year, structure by structure.

Run: python examples/followup.py FIRST.json SECOND.json DAYS_BETWEEN

Both records must use the same label table. A volume that is only a lower bound, or was not computed, gives
no change: the reason stands in its place.
"""

import sys

import medseg

DAYS_PER_YEAR = 365.25


def volumes(record: medseg.Record) -> dict[str, medseg.Measurement]:
    """Volume of each label and region."""
    return {item.target.name: item for item in record.measurements if item.quantity.value == "volume"}


def compare(first: medseg.Record, second: medseg.Record, days: float) -> list[dict[str, object]]:
    """One row per structure: both volumes, change in ml, change in % per year."""
    if first.table != second.table:
        raise ValueError("the two records use different label tables; measure both with the same labels")
    if days <= 0:
        raise ValueError(f"the second scan must be later than the first, not {days} days")
    before, after = volumes(first), volumes(second)
    return [row(name, before[name], after[name], days) for name in before]


def row(name: str, before: medseg.Measurement, after: medseg.Measurement, days: float) -> dict[str, object]:
    """The comparison of one structure; None where a change can't be known."""
    result: dict[str, object] = {"name": name, "first_ml": before.value, "second_ml": after.value}
    for item in (before, after):
        if item.status.value != "ok":
            return {**result, "change_ml": None, "percent_per_year": None, "reason": item.reason}
    change = float(after.value or 0) - float(before.value or 0)
    if not before.value:
        return {**result, "change_ml": change, "percent_per_year": None, "reason": "nothing there at first"}
    yearly = 100 * change / before.value * DAYS_PER_YEAR / days
    return {**result, "change_ml": change, "percent_per_year": yearly, "reason": None}


def main() -> None:
    first, second, days = sys.argv[1:4]
    for item in compare(medseg.read_record(first), medseg.read_record(second), float(days)):
        print(item)


if __name__ == "__main__":
    main()
