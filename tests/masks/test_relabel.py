"""Objects with numbers of their own as labels."""

from dataclasses import replace

import numpy as np
import pytest

from medseg.domain import Grid, Label, LabelTable, Region, Segmentation
from medseg.errors import InputError
from medseg.masks.relabel import objects_as_labels

GRID = Grid((30, 20, 12), np.diag([1.0, 1.0, 2.0, 1.0]))
TABLE = LabelTable(
    (Label(1, "tumour"), Label(4, "liver", side="right")),
    (Region("all", (1, 4)), Region("lesions", (1,))),
)
TUMOUR, LIVER = (np.zeros(GRID.shape, np.bool_) for _ in range(2))
TUMOUR[4:10, 4:12, 3:9] = LIVER[10:20, 4:12, 3:9] = True


def two() -> Segmentation:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[LIVER], labels[TUMOUR] = 4, 1
    return Segmentation(labels, GRID, TABLE)


def test_each_object_is_a_label_and_the_label_is_their_region() -> None:
    ids = np.zeros(GRID.shape, np.uint32)
    ids[4:7], ids[7:10] = 1, 2
    ids[~TUMOUR] = 0
    found = objects_as_labels(replace(two(), instances=ids))
    assert [label.name for label in found.table.labels] == ["tumour 1", "tumour 2", "liver"]
    assert [(region.name, region.labels) for region in found.table.regions] == [
        ("tumour", (1, 2)),
        ("all", (1, 2, 3)),
        ("lesions", (1, 2)),
    ]
    assert (found.mask(1, 2) == TUMOUR).all()
    assert (found.mask(2) == (ids == 2)).all()
    assert (found.mask(3) == LIVER).all()
    assert found.table.labels[2].side == "right"


def test_without_objects_there_is_nothing_to_do() -> None:
    with pytest.raises(InputError, match="no objects"):
        objects_as_labels(two())
