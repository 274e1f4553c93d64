"""The reference mask of a case as it is meant: in the values of the table, with the voxels that nobody judged apart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Case, Image, LabelTable, Segmentation
from medseg.errors import LabelError
from medseg.io.coco.reader import READER as COCO
from medseg.io.coco.reader import coco_classes, open_coco_file
from medseg.io.datasets.nnunet import ignored_label
from medseg.io.names import split_part
from medseg.io.read import read_segmentation
from medseg.io.voc.reader import READER as VOC
from medseg.io.voc.reader import voc_undecided
from medseg.masks.ignored import ignored_finding, without_ignored

__all__ = ["ignored_values", "read_reference"]

#: So many names stand in a message.
_NAMED = 5
#: The label of a black-and-white picture.
_WHITE = 255
_HEAD = 4096


def ignored_values(case: Case) -> tuple[int, ...]:
    """Values of a case's mask that mark what nobody judged, by its layout."""
    known = () if case.labels is None else case.labels.ignore
    label = None if case.reference is None else ignored_label(case.reference)
    return known if label is None or label in known else (*known, label)


def read_reference(
    case: Case, table: LabelTable | None, *, on: Image | None = None, ignore: tuple[int, ...] = ()
) -> tuple[Segmentation, NDArray[np.bool_] | None]:
    """The mask in the values of the table, 0 where nobody judged; and where that is, None where there is no such voxel.

    Parameters
    ----------
    case
        With a reference.
    table
        Of the dataset or the network; what a mask's own names are replaced by where `case.labels` maps its values.
    on
        The image that the mask belongs to.
    ignore
        Further values that mark what nobody judged.

    Raises
    ------
    LabelError
        If the mask holds a value of which `case.labels` does not say what it is.
    InputError
        If it can't be read.
    """
    assert case.reference is not None  # noqa: S101 - only such cases have one
    mask, undecided = _read(case.reference, on)
    values = tuple(dict.fromkeys((*ignored_values(case), *ignore)))
    ignored = np.isin(mask.labels, values) if values else np.zeros(mask.labels.shape, np.bool_)
    if undecided is not None:
        ignored |= undecided
    if case.labels is None or not case.labels.renames:
        found = mask
        for value in values:
            found = without_ignored(found, value or None)
    else:
        found = _renamed(mask, case, table, ignored)
    if not ignored.any():
        return found, None
    if (found.labels[ignored] > 0).any():
        labels = np.where(ignored, 0, found.labels).astype(found.labels.dtype)
        found = replace(found, labels=labels, probabilities=None, instances=None)
    if found.findings == mask.findings:
        found = replace(found, findings=(*mask.findings, ignored_finding(int(ignored.sum()), ignored.size)))
    return found, ignored


def _read(reference: str, on: Image | None) -> tuple[Segmentation, NDArray[np.bool_] | None]:
    """The mask, and the voxels that its format marks apart: VOC's border, COCO's crowds, overlaps and void."""
    mask = read_segmentation(reference, on=on)
    name, part = split_part(reference)
    path = Path(name)
    if not path.is_file():
        return mask, None
    if VOC.sniff(path, b""):
        return mask, voc_undecided(path)
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if not COCO.sniff(path, head):
        return mask, None
    file = open_coco_file(path)
    labels, unknown = coco_classes(file, part or next(iter(file.pictures)))
    labels[unknown] = 0
    plain = Segmentation(labels, mask.grid, file.table, mask.made_by, mask.findings)
    return plain, unknown


def _renamed(
    mask: Segmentation, case: Case, table: LabelTable | None, ignored: NDArray[np.bool_]
) -> Segmentation:
    """In the values of the table."""
    meaning = case.labels
    assert meaning is not None  # noqa: S101 - for the type checker
    known = dict(meaning.values)
    judged = np.where(ignored, 0, mask.labels)
    present = [int(value) for value in np.unique(judged) if value]
    if present == [_WHITE] and _WHITE not in known and meaning.held is not None and len(meaning.held) == 1:
        known = {_WHITE: meaning.held[0]}  # a picture's mask is black and white
    if unknown := [value for value in present if value not in known]:
        names = {item.value: item.name for item in mask.table.labels}
        called = ", ".join(f"{value} ({names.get(value, 'no name')})" for value in unknown[:_NAMED])
        whose, what = "its layout names", ""
        if meaning.set_name:
            whose = f"the set {meaning.set_name} holds the values"
            what = (
                f"; add it to 'holds' of data.sets.{meaning.set_name}, give its value in 'values', or name it in "
                "'background'"
            )
        shown = ", ".join(str(value) for value in list(known)[:_NAMED])
        raise LabelError(f"case {case.id}: its mask holds {called}, and {whose} {shown}{what}")
    labels = np.zeros(mask.labels.shape, np.uint16)
    for theirs, ours in known.items():
        labels[judged == theirs] = ours
    own = LabelTable.from_values(tuple(sorted(set(known.values()) - {0}))) if table is None else table
    return replace(mask, labels=labels, table=own, probabilities=None, instances=None)
