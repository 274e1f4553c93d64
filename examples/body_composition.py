"""Muscle and fat at one level of many CTs, to one table.

Run: python examples/body_composition.py CASES.csv COMPARTMENT LEVEL OUT.csv

CASES.csv has the columns subject, ct, mask, and may have labels (names for a mask without them: `1: muscle` in
YAML), height_m and weight_kg; paths are relative to it.
COMPARTMENT is a label of the mask (such as muscle), LEVEL a label whose middle slice is measured (such as L3)
or a slice (k=57). A CT that does not say that it is in HU (NIfTI) is taken to be: that is this script's word,
and it stands in the record. A case that fails is named at the end; the others are done.
"""

import sys
from pathlib import Path

import pandas as pd

import medseg
from medseg.workflows.declare import declare_values
from medseg.workflows.measure import MeasurePlan, TissuePlan

COLUMNS = {
    "tissue_area": "area_cm2",
    "tissue_mean": "mean_hu",
    "tissue_area_by_height_squared": "index_cm2_m2",
}


def number(case: dict[str, object], column: str) -> float | None:
    """A number of the case list; None where the column or the entry is missing."""
    value = case.get(column)
    return None if value is None or pd.isna(value) else float(str(value))


def measure_case(
    case: dict[str, object], folder: Path, compartment: str, level: str
) -> list[dict[str, object]]:
    """One row per tissue: area, mean attenuation, index by height², and why one is missing or a bound."""
    image = medseg.read(folder / str(case["ct"]))
    images = {"ct": image}
    if image.modality is None:
        images = declare_values(images, {"ct": "HU"})
    names = case.get("labels")
    mask = medseg.read_segmentation(
        folder / str(case["mask"]), labels=None if names is None or pd.isna(names) else folder / str(names)
    )
    plan = TissuePlan(
        channel="ct",
        compartment=compartment,
        levels=(level,),
        height_m=number(case, "height_m"),
        weight_kg=number(case, "weight_kg"),
    )
    subject = str(case["subject"])
    record = medseg.measure(mask, images, subject=subject, plan=MeasurePlan(tissue=plan))
    rows: dict[str, dict[str, object]] = {}
    for item in record.measurements:
        if item.target.kind != "tissue":
            continue
        row = rows.setdefault(
            item.target.name, {"subject": subject, "tissue": item.target.name, "level": item.target.detail}
        )
        column = COLUMNS.get(item.quantity.value)
        if column:
            row[column] = item.value
        if item.quantity.value == "tissue_area" or item.value is None:
            row.setdefault("slice", item.plane)
            row.setdefault("status", item.status.value)
            row.setdefault("reason", item.reason)
    return list(rows.values())


def study(cases: Path, compartment: str, level: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """The table, and the reason for each case that failed."""
    rows, failed = [], {}
    for case in pd.read_csv(cases, dtype={"subject": str}).to_dict("records"):
        try:
            rows += measure_case(case, cases.parent, compartment, level)
        except ValueError as error:  # every medseg InputError is one
            failed[str(case["subject"])] = str(error)
    return pd.DataFrame(rows), failed


def main() -> None:
    cases, compartment, level, out = sys.argv[1:5]
    table, failed = study(Path(cases), compartment, level)
    table.to_csv(out, index=False)
    done = table["subject"].nunique() if len(table) else 0
    print(f"{done} cases measured, {len(failed)} failed; wrote {out}")
    for subject, reason in failed.items():
        print(f"  {subject}: {reason}")


if __name__ == "__main__":
    main()
