"""Edits in order: who owns which voxel, what is recorded, and that it can be replayed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from medseg.domain import Grid, Label, LabelTable, Region, Segmentation
from medseg.domain.provenance import Edit
from medseg.errors import GridMismatchError, InputError, LabelError
from medseg.masks.morphology import close_gaps, dilate
from medseg.masks.operations import OPERATIONS
from medseg.workflows.edit import Request, edit, edit_steps, replay

GRID = Grid((30, 20, 12), np.diag([1.0, 1.0, 2.0, 1.0]))
TABLE = LabelTable(
    (Label(1, "tumour"), Label(4, "liver", side="right")),
    (Region("all", (1, 4)), Region("lesions", (1,))),
)


def block(*bounds: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros(GRID.shape, np.bool_)
    mask[tuple(slice(low, high) for low, high in bounds)] = True
    return mask


TUMOUR = block((4, 10), (4, 12), (3, 9))
LIVER = block((10, 20), (4, 12), (3, 9))


def two(grid: Grid = GRID) -> Segmentation:
    labels = np.zeros(grid.shape, np.uint8)
    labels[LIVER], labels[TUMOUR] = 4, 1
    return Segmentation(labels, grid, TABLE)


class TestLabels:
    """One label never changes another unless asked."""

    @pytest.mark.parametrize("name", [name for name in OPERATIONS if not OPERATIONS[name].needs_other])
    def test_the_other_label_stays_as_it_is(self, name: str) -> None:
        needed = {
            "split-plane": (("point", [6.5, 0, 0]), ("normal", [1, 0, 0])),
            "crop-box": (("low", [0, 0, 0]), ("high", [6, 9, 9])),
            "margin": (("margin_mm", 3.0),),
        }
        step = next(edit_steps(two(), [Request(name, needed.get(name, ()), ("tumour",))]))
        assert (step.segmentation.mask(4) == LIVER).all()

    def test_what_others_keep_is_counted(self) -> None:
        (step,) = edit_steps(two(), ["dilate=3"], labels=["tumour"])
        wanted = dilate(TUMOUR, GRID, 3.0)
        assert step.left_to_others == (wanted & LIVER).sum() > 0
        assert (step.segmentation.mask(1) == (wanted & ~LIVER)).all()
        assert (step.before, step.after) == (TUMOUR.sum(), (wanted & ~LIVER).sum())

    def test_voxels_of_others_are_taken_when_asked(self) -> None:
        (step,) = edit_steps(two(), ["dilate=3,over_labels=true"], labels=["tumour"])
        assert (step.segmentation.mask(1) == dilate(TUMOUR, GRID, 3.0)).all()
        assert step.left_to_others == 0

    def test_without_a_label_each_is_edited_for_itself_in_the_order_of_the_table(self) -> None:
        steps = list(edit_steps(two(), ["erode=1", "close=2"]))
        assert [(step.edit.operation, step.label) for step in steps] == [
            ("erode", "tumour"),
            ("erode", "liver"),
            ("close", "tumour"),
            ("close", "liver"),
        ]

    def test_a_region_may_lose_voxels_and_not_gain_them(self) -> None:
        found = edit(two(), ["crop-box,low=[5,0,0],high=[15,30,30]"], labels=["all"])
        assert (found.labels > 0).sum() == 11 * 8 * 6
        with pytest.raises(InputError, match="region of several labels"):
            edit(two(), ["dilate=2"], labels=["all"])
        assert edit(two(), ["dilate=2"], labels=["lesions"]).mask(1).sum() > TUMOUR.sum()

    def test_an_unknown_label_is_named_before_anything_is_done(self) -> None:
        with pytest.raises(LabelError, match="did you mean 'tumour'"):
            edit(two(), ["close=2"], labels=["tumor"])

    def test_a_label_that_is_left_empty_stays_in_the_table_with_a_finding(self) -> None:
        found = edit(two(), ["erode=20"], labels=["tumour"])
        assert found.table == TABLE
        assert [item.code for item in found.findings] == ["edit.emptied"]

    def test_instances_and_probabilities_of_the_voxels_before_are_dropped(self) -> None:
        rich = Segmentation(
            two().labels,
            GRID,
            TABLE,
            instances=two().labels,
            probabilities=np.zeros((3, *GRID.shape), np.float32),
        )
        found = edit(rich, ["close=2"])
        assert found.instances is None
        assert found.probabilities is None


class TestSets:
    """Labels of one mask, and other masks."""

    def other(self, grid: Grid = GRID) -> Segmentation:
        labels = np.zeros(grid.shape, np.uint8)
        labels[8:14, 4:12, 3:9], labels[0:2] = 1, 2
        return Segmentation(labels, grid, LabelTable((Label(1, "hot"), Label(2, "cold"))))

    def test_a_union_of_labels_merges_them_and_regions_follow(self) -> None:
        found = edit(two(), ["union=liver"], labels=["tumour"])
        assert (found.mask(1) == (TUMOUR | LIVER)).all()
        assert found.table.values == (1,)
        assert [region.labels for region in found.table.regions] == [(1,), (1,)]

    @pytest.mark.parametrize(
        ("operation", "expected"),
        [
            ("subtract=other,of=hot", TUMOUR & ~block((8, 14), (4, 12), (3, 9))),
            ("intersect=other", TUMOUR & block((8, 14), (4, 12), (3, 9))),
            ("union=other,of=hot", TUMOUR),
            ("union=other,of=cold", TUMOUR | block((0, 2), (0, 20), (0, 12))),
            ("xor=other,of=hot", TUMOUR & ~block((8, 14), (4, 12), (3, 9))),
        ],
    )
    def test_another_mask(self, operation: str, expected: NDArray[np.bool_]) -> None:
        found = edit(two(), [operation], labels=["tumour"], others={"other": self.other()})
        assert (found.mask(1) == expected).all()
        assert (found.mask(4) == LIVER).all()

    def test_it_must_lie_on_the_same_grid_and_have_the_label(self) -> None:
        shifted = Grid(GRID.shape, GRID.affine + np.array([[0, 0, 0, 1.0]] + [[0.0] * 4] * 3))
        with pytest.raises(
            GridMismatchError, match="union: other lies on another grid than the mask to edit"
        ):
            edit(two(), ["union=other"], others={"other": self.other(shifted)})
        with pytest.raises(LabelError, match="'hot'"):
            edit(two(), ["union=other,of=hott"], others={"other": self.other()})
        with pytest.raises(InputError, match="no file"):
            edit(two(), ["union=other"])


class TestSplits:
    """Parts become labels that measure can tell apart."""

    def test_a_plane_makes_a_second_label_with_the_codes_of_the_first(self) -> None:
        (step,) = edit_steps(two(), ["split-plane,point=[14.5,0,0],normal=[1,0,0]"], labels=["liver"])
        found = step.segmentation
        assert step.new_labels == ("liver 2",)
        assert found.table.values == (1, 4, 5)
        assert found.table.labels[-1].side == "right"
        assert found.table.regions[0].labels == (1, 4, 5)
        assert (found.mask(5) == block((15, 20), (4, 12), (3, 9))).all()
        assert (step.before, step.after) == (LIVER.sum(), LIVER.sum())
        assert step.edit.volume_change_ml == 0

    def test_touching_balls_are_split_and_the_parts_are_edited_on(self) -> None:
        grid = Grid((60, 30, 30), np.eye(4))
        place = np.moveaxis(np.indices(grid.shape), 0, -1)
        balls = [np.linalg.norm(place - (x, 15, 15), axis=-1) <= 10 for x in (16, 33)]
        mask = Segmentation((balls[0] | balls[1]).astype(np.uint8), grid, LabelTable((Label(1, "lesion"),)))
        steps = list(edit_steps(mask, ["split=1", "erode=1"]))
        assert [step.label for step in steps] == ["lesion", "lesion", "lesion 2"]
        found = steps[0].segmentation
        assert ((found.labels > 0) == (mask.labels > 0)).all()
        for value in (1, 2):
            best = max((found.mask(value) & one).sum() / (found.mask(value) | one).sum() for one in balls)
            assert best > 0.95

    def test_what_is_one_stays_one(self) -> None:
        assert edit(two(), ["split=1"]).table == TABLE


class TestRecord:
    """Each edit is kept, and can be done again."""

    OPERATIONS = (
        "close=2",
        "fill-holes",
        "margin=2,superior=4,label=tumour",
        "split-plane,point=[14.5,0,0],normal=[1,0.5,0],label=liver",
        "smooth=1.5",
        "subtract=other,of=hot,label=tumour",
        "keep-largest,connectivity=6",
        "open=1,label=liver 2",
    )

    def test_the_same_operations_give_the_same_mask_and_so_do_its_edits(self) -> None:
        other = {"other": TestSets().other()}
        rng = np.random.default_rng(0)
        labels = np.where(rng.random(GRID.shape) < 0.1, 0, two().labels).astype(np.uint8)
        before = Segmentation(labels, GRID, TABLE)
        once, again = (edit(before, self.OPERATIONS, others=other) for _ in range(2))
        assert once.digest == again.digest != before.digest
        replayed = replay(before, once.made_by.edits, others=other)
        assert replayed.digest == once.digest
        assert replayed.table == once.table
        assert replayed.made_by == once.made_by

    def test_it_says_what_it_did(self) -> None:
        found = edit(two(), ["erode=1"], labels=["tumour"])
        (item,) = found.made_by.edits
        assert item.operation == "erode"
        assert dict(item.parameters) == {"label": "tumour", "radius_mm": 1.0}
        change = (int(found.mask(1).sum()) - int(TUMOUR.sum())) * 2 / 1000
        assert item.volume_change_ml == pytest.approx(change)

    def test_edits_follow_those_before(self) -> None:
        found = edit(edit(two(), ["close=2"]), ["open=1"], labels=["liver"])
        assert [item.operation for item in found.made_by.edits] == ["close", "close", "open"]

    def test_on_pixels_radii_are_pixels_and_nothing_is_in_ml(self) -> None:
        grid = Grid((20, 20, 1), np.diag([-1.0, -1, 1, 1]), unit="px", orientation_known=False)
        labels = np.zeros(grid.shape, np.uint8)
        labels[4:16, 4:16] = 1
        labels[9:11] = 0
        mask = Segmentation(labels, grid, LabelTable((Label(1, "cell"),)))
        found = edit(mask, ["close=3"])
        assert (found.mask(1) == close_gaps(labels == 1, grid, 3.0)).all()
        assert found.made_by.edits[0].volume_change_ml is None

    def test_edits_by_hand_and_by_other_masks_are_not_replayed(self) -> None:
        with pytest.raises(InputError, match="can't be replayed"):
            replay(two(), [Edit("brush")])
        done = edit(two(), ["union=other"], labels=["tumour"], others={"other": TestSets().other()})
        with pytest.raises(InputError, match="of then is needed"):
            replay(two(), done.made_by.edits, others={"other": two()})


def test_nothing_asked_changes_nothing() -> None:
    mask = two()
    assert edit(mask, []) is mask
