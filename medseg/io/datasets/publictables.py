"""Label tables of public sets of pictures, as their publishers define them: CSV files beside this one."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from medseg.domain import Label, LabelTable

__all__ = ["PublicTable", "public_table"]


@dataclass(frozen=True, slots=True)
class PublicTable:
    """Labels that are learned, the values that nobody judges, and other numbers of the same labels.

    Parameters
    ----------
    table
        Labels with the publisher's numbers, names and colours.
    ignored
        Numbers that the publisher leaves out of every evaluation.
    train
        (number for training, number in the table); empty where there is one way of counting.
    """

    table: LabelTable
    ignored: tuple[int, ...]
    train: tuple[tuple[int, int], ...]


@cache
def public_table(name: str) -> PublicTable:
    """The table of this name (`cityscapes`, `ade20k`)."""
    text = files("medseg.io.datasets").joinpath("tables", f"{name}.csv").read_text("utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    kept = [row for row in rows if row["judged"] == "yes"]
    labels = tuple(
        Label(int(row["value"]), row["name"], (int(row["red"]), int(row["green"]), int(row["blue"])))
        for row in kept
    )
    return PublicTable(
        LabelTable(labels),
        tuple(int(row["value"]) for row in rows if row["judged"] == "no"),
        tuple((int(row["train"]), int(row["value"])) for row in kept if row["train"]),
    )
