"""What was changed by hand or elsewhere is said in voxels, millilitres and slices."""

import numpy as np
import pytest
from numpy.typing import NDArray

from medseg.domain import Grid, Label, LabelTable, Provenance, Segmentation
from medseg.errors import LabelError
from medseg.masks.changes import BY_HAND, OUTSIDE, changed_by_hand, changed_outside, edit_text, footprint_of

AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])
TABLE = LabelTable((Label(1, "tumour"), Label(3, "node")))


def mask(unit: str = "mm") -> Segmentation:
    labels = np.zeros((6, 5, 4), np.uint8)
    labels[1:4, 1:4, 1:3] = 1
    labels[5, 0, 0] = 3
    return Segmentation(labels, Grid(labels.shape, AFFINE, unit=unit), TABLE, Provenance("otsu"))  # type: ignore[arg-type]


def painted(*strokes: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    labels = np.array(mask().labels)
    for i, j, k, value in strokes:
        labels[i, j, k] = value
    return labels


#: name, strokes, (label, net, added, removed) per label, slices, changed voxels
HAND = [
    ("added", [(0, 0, 3, 1)], [("tumour", 1, 1, 0)], (3,), 1),
    ("erased", [(1, 1, 1, 0), (1, 1, 2, 0)], [("tumour", -2, 0, 2)], (1, 2), 2),
    ("moved", [(1, 1, 1, 0), (0, 0, 0, 1)], [("tumour", 0, 1, 1)], (0, 1), 2),
    ("another label", [(1, 1, 1, 3)], [("tumour", -1, 0, 1), ("node", 1, 1, 0)], (1,), 1),
    ("a new label", [(0, 0, 0, 9)], [("label 9", 1, 1, 0)], (0,), 1),
    ("all of a label", [(5, 0, 0, 0)], [("node", -1, 0, 1)], (0,), 1),
]


@pytest.mark.parametrize(
    ("strokes", "expected", "slices", "voxels"), [r[1:] for r in HAND], ids=[r[0] for r in HAND]
)
def test_strokes_are_counted_exactly(strokes, expected, slices, voxels) -> None:
    after = changed_by_hand(mask(), painted(*strokes), changed_at="2026-11-30T12:00:00+01:00")
    (edit,) = after.made_by.edits
    assert edit.operation == BY_HAND
    assert [(c.label, c.net_voxels, c.added, c.removed) for c in edit.changes] == expected
    assert [c.net_ml for c in edit.changes] == pytest.approx([net * 0.002 for _, net, _, _ in expected])
    assert edit.slices == slices
    assert dict(edit.parameters)["changed_voxels"] == voxels
    assert edit.volume_change_ml == pytest.approx(0.002 * sum(net for _, net, _, _ in expected))
    assert edit.changed_at == "2026-11-30T12:00:00+01:00"
    assert [item.code for item in after.findings] == ["mask.changed_by_hand"]


def test_nothing_painted_is_no_change() -> None:
    assert changed_by_hand(mask(), painted()).made_by == mask().made_by


def test_pixels_have_no_millilitres() -> None:
    after = changed_by_hand(mask("px"), painted((0, 0, 0, 1)))
    assert after.made_by.edits[0].volume_change_ml is None
    assert after.made_by.edits[0].changes[0].net_ml is None


def test_another_shape_is_refused() -> None:
    with pytest.raises(LabelError, match="shape"):
        changed_by_hand(mask(), np.zeros((2, 2, 2), np.uint8))


#: name, strokes, (label, net) per label, slices
OUT = [
    ("added", [(0, 0, 3, 1)], [("tumour", 1)], (3,)),
    ("moved within a slice", [(1, 1, 1, 0), (0, 0, 1, 1)], [], (1,)),
    ("moved between slices", [(1, 1, 1, 0), (0, 0, 0, 1)], [], (0, 1)),
    ("another label", [(1, 1, 1, 3)], [("tumour", -1), ("node", 1)], (1,)),
    ("a new label", [(0, 0, 0, 9)], [("label 9", 1)], (0,)),
    ("a large new label", [(0, 0, 0, 250), (0, 0, 1, 250)], [("label 250", 2)], (0, 1)),
]


@pytest.mark.parametrize(("strokes", "expected", "slices"), [r[1:] for r in OUT], ids=[r[0] for r in OUT])
def test_of_another_programs_change_the_net_is_known(strokes, expected, slices) -> None:
    before = mask()
    labels = painted(*strokes)
    table = TABLE.completed(tuple(int(v) for v in np.unique(labels) if v))
    found = changed_outside(
        Segmentation(labels, before.grid, table, before.made_by), footprint_of(before.labels)
    )
    (edit,) = found.made_by.edits
    assert edit.operation == OUTSIDE
    assert [(c.label, c.net_voxels) for c in edit.changes] == expected
    assert all(c.added is None and c.removed is None for c in edit.changes)
    assert edit.slices == slices
    (finding,) = found.findings
    assert finding.code == "mask.changed_outside"
    assert finding.severity == "warning"
    assert "another mask" not in finding.message


def test_a_mask_without_a_slice_in_common_may_be_another_one() -> None:
    before = mask()
    other = np.zeros_like(before.labels)
    other[2:5, 2:5, 1:3] = 1
    found = changed_outside(
        Segmentation(other, before.grid, TABLE, before.made_by), footprint_of(before.labels)
    )
    assert "it may be another mask" in found.findings[0].message


def test_a_slices_digest_does_not_depend_on_the_type_of_the_labels() -> None:
    labels = mask().labels
    assert footprint_of(labels) == footprint_of(labels.astype(np.uint16))


def test_words() -> None:
    found = changed_by_hand(mask(), painted((0, 0, 3, 1), (1, 1, 1, 0), (1, 2, 1, 0)))
    assert edit_text(found.made_by.edits[0]) == (
        "changed by hand: tumour −1 voxels net (−0.002 ml), 1 added and 2 removed, in slices 2, 4"
    )
