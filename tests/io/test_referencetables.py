"""Tables of reference values: both forms say the same, and what is not understood is named."""

from pathlib import Path

import pytest

from medseg.domain import Quantity
from medseg.domain.reference import Limits, ReferenceRow
from medseg.errors import InputError
from medseg.io.referencetables import read_reference_table

CSV = """structure,quantity,unit,sex,age_from,age_to,n,p2.5,p50,p97.5,source,segmenter,segmenter_version
hippocampus,volume,ml,female,60,70,120,2.0,3.0,5.0,"A. Author, 2020",net,2.0
hippocampus,volume,ml,male,60,70,,2.2,3.2,5.2,"A. Author, 2020",net,2.0
"""
YAML = """
source: A. Author, 2020
segmenter: net
segmenter_version: "2.0"
structure: hippocampus
quantity: volume
unit: ml
age_from: 60
age_to: 70
rows:
  - {sex: female, n: 120, p2.5: 2.0, p50: 3.0, p97.5: 5.0}
  - {sex: male, p97.5: 5.2, p50: 3.2, p2.5: 2.2}
"""


def written(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("table.csv", CSV),
        ("table.csv", "\ufeff" + CSV),
        ("table.csv", CSV.replace('"A. Author, 2020"', "A. Author 2020").replace(",", ";")),
        ("table.yaml", YAML),
    ],
    ids=["csv", "csv of a spreadsheet", "csv with semicolons", "yaml"],
)
def test_both_forms_say_the_same(name: str, text: str, tmp_path: Path) -> None:
    table = read_reference_table(written(tmp_path, text, name))
    source = table.rows[0].source
    assert source.replace(",", "") == "A. Author 2020"
    assert (table.name, table.segmenter, table.version) == (name, "net", "2.0")
    female = ReferenceRow(
        "hippocampus",
        Quantity.VOLUME,
        "ml",
        source,
        sex="female",
        age=Limits(60, 70),
        n=120,
        percentiles=((2.5, 2.0), (50.0, 3.0), (97.5, 5.0)),
    )
    male = ReferenceRow(
        "hippocampus",
        Quantity.VOLUME,
        "ml",
        source,
        sex="male",
        age=Limits(60, 70),
        percentiles=((2.5, 2.2), (50.0, 3.2), (97.5, 5.2)),
    )
    assert table.rows == (female, male)


HEAD = "structure,quantity,unit,source"
BARE = "a,volume,ml,b"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HEAD},low,age\n{BARE},1,3\n", "row 1 has 'age', which is none of"),
        (f"{HEAD},low,P5\n{BARE},1,3\n", "row 1 has 'P5'"),
        (f"{HEAD},low\n{BARE},1\n,volume,ml,b,1\n", "row 2 lacks its structure"),
        ("structure,quantity,unit,low\na,volume,ml,1\n", "row 1 lacks its source"),
        (f"{HEAD},low\na,size,ml,b,1\n", "no quantity is called 'size'"),
        (f"{HEAD},low\n{BARE},much\n", "low is no number: 'much'"),
        (f"{HEAD},low\n{BARE},nan\n", "low is no number: 'nan'"),
        (f"{HEAD}\n{BARE}\n", "give percentiles, or low and high, or mean and sd"),
        (f"{HEAD},low,mean,sd\n{BARE},1,2,1\n", "one of them"),
        (f"{HEAD},mean\n{BARE},1\n", "mean and a positive sd belong together"),
        (f"{HEAD},low,high\n{BARE},3,2\n", "low lies below high, not 3 and 2"),
        (f"{HEAD},p5,p95\n{BARE},3,2\n", "rise with their values"),
        (f"{HEAD},p5,p95\n{BARE},2,2\n", "rise with their values"),
        (f"{HEAD},p50\n{BARE},2\n", "one percentile tells nothing"),
        (f"{HEAD},low,sex\n{BARE},1,f\n", "sex is male or female, or left out; not 'f'"),
        (f"{HEAD},low,age_from\n{BARE},1,60\n", "age_from and age_to belong together"),
        (f"{HEAD},low,age_from,age_to\n{BARE},1,70,60\n", "a range runs from low to high"),
        (f"{HEAD},low,n\n{BARE},1,2.5\n", "n is a number of persons, not 2.5"),
        (f"{HEAD},low,n\n{BARE},1,0\n", "a group has one person or more"),
        (f"{HEAD},low\na,intensity_mean,[arb'U],b,1\n", "not comparable between scans"),
        (f"{HEAD},low\n{BARE},1,2\n", "row 1 has more cells than the head"),
        (f"{HEAD},low,segmenter\n{BARE},1,x\na,area,mm2,b,1,y\n", "all rows have one segmenter, not x, y"),
        (f"{HEAD},low\n{BARE},1\nA,volume,ml,c,2\n", "two rows for a volume hold the same persons"),
        (
            f"{HEAD},low,sex,age_from,age_to\n{BARE},1,female,60,70\n{BARE},1,,69,80\n",
            "hold the same persons (female, 60 to 70 years; 69 to 80 years)",
        ),
        (f"{HEAD},low,Low\n{BARE},1,2\n", "column 'low' stands twice"),
        (f"{HEAD},low\n", "holds no reference values"),
        ("", "holds no reference values"),
    ],
)
def test_what_is_not_understood_is_named(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_reference_table(written(tmp_path, text))
    assert words in str(error.value)
    assert "table.csv" in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rows: 3\n", "no list of 'rows'"),
        ("- 1\n", "no list of 'rows'"),
        ("rows: [", "is no YAML"),
        ("rows: &a [1]\nother: *a\n", "aliases are not taken"),
        (
            "rows:\n  - {structure: a, quantity: volume, unit: ml, source: b, low: true}\n",
            "low is no number: 'True'",
        ),
        ("unit: ml\nages: 3\nrows:\n  - {structure: a, quantity: volume, source: b, low: 1}\n", "has 'ages'"),
    ],
)
def test_a_yaml_that_is_none_is_one_line(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_reference_table(written(tmp_path, text, "table.yaml"))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_touching_groups_are_different_persons(tmp_path: Path) -> None:
    text = f"{HEAD},low,age_from,age_to\n{BARE},1,60,70\n{BARE},2,70,80\n"
    assert len(read_reference_table(written(tmp_path, text)).rows) == 2
