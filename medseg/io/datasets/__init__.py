"""Datasets: one file per layout, from a folder to cases as plain data; splits; and checks of every case."""

from medseg.io.datasets.check import check_case, check_dataset
from medseg.io.datasets.load import read_channel
from medseg.io.datasets.open import is_dataset, open_dataset, rename_channels
from medseg.io.datasets.reference import ignored_values, read_reference
from medseg.io.datasets.split import make_split, read_split, write_split

__all__ = [
    "check_case",
    "check_dataset",
    "ignored_values",
    "is_dataset",
    "make_split",
    "open_dataset",
    "read_channel",
    "read_reference",
    "read_split",
    "rename_channels",
    "write_split",
]
