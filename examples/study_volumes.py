"""A folder of cases to one tidy table of volumes.

Run: python examples/study_volumes.py FOLDER MODEL_OR_METHOD OUT.csv

Every image file in FOLDER is one case. A case that fails is named at the end; the others are done.
"""

import sys
from pathlib import Path

import pandas as pd

import medseg


def study_volumes(folder: Path, segmenter: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """One row per case and structure; and the reason for each case that failed."""
    tables, failed = [], {}
    for path in sorted(folder.glob("*.nii.gz")):
        try:
            image = medseg.read(path)
            mask = medseg.segment(segmenter, image)
            record = medseg.measure(mask, image, subject=path.name.removesuffix(".nii.gz"))
        except ValueError as error:  # every medseg InputError is one
            failed[path.name] = str(error)
            continue
        tables.append(medseg.to_dataframe(record))
    if not tables:
        return pd.DataFrame(), failed
    rows = pd.concat(tables, ignore_index=True)
    volumes = rows[rows["quantity"] == "volume"]
    return volumes[["subject", "name", "value", "unit", "status", "reason"]].reset_index(drop=True), failed


def main() -> None:
    folder, segmenter, out = sys.argv[1:4]
    table, failed = study_volumes(Path(folder), segmenter)
    table.to_csv(out, index=False)
    print(
        f"{table['subject'].nunique() if len(table) else 0} cases measured, {len(failed)} failed; wrote {out}"
    )
    for name, reason in failed.items():
        print(f"  {name}: {reason}")


if __name__ == "__main__":
    main()
