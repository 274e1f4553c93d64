"""What was changed on a mask by means that can't be replayed: by hand, or by another program.

Two masks that are both at hand are compared voxel by voxel. Of a mask that came back from elsewhere only a
`Footprint` of before is left: voxels per label and a digest per slice, so the net change and the slices are known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from medseg.domain import Finding, LabelTable, Segmentation, digest_of
from medseg.domain.provenance import Edit, LabelChange
from medseg.domain.segmentation import smallest_unsigned
from medseg.domain.values import STRICT, as_details
from medseg.errors import LabelError
from medseg.masks.voxels import voxel_ml

__all__ = [
    "BY_HAND",
    "OUTSIDE",
    "Footprint",
    "LabelCount",
    "changed_by_hand",
    "changed_outside",
    "footprint_of",
]

BY_HAND = "changed by hand"
OUTSIDE = "changed outside medseg"
#: Codes of the Findings on a mask that was changed.
BY_HAND_CODE, OUTSIDE_CODE = "mask.changed_by_hand", "mask.changed_outside"
#: Hex digits kept of a slice's digest: 64 bits tell the slices of one mask apart.
SLICE_DIGITS = 16


@dataclass(frozen=True, slots=True)
class LabelCount:
    """Voxels of one label."""

    value: int
    voxels: int
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Footprint:
    """What is remembered of a mask's voxels.

    Parameters
    ----------
    counts
        Voxels of each label that occurs; background is left out.
    slices
        Digest of each slice k, the first 16 hex digits.
    """

    counts: tuple[LabelCount, ...] = ()
    slices: tuple[str, ...] = ()
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


def footprint_of(labels: NDArray[Any]) -> Footprint:
    """Voxels per label and digests per slice k of (I, J, K) labels. Cost: two passes.

    A slice's digest is that of its values in its own smallest type, so that it does not depend on other slices.
    """
    counts = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    slices = []
    for k in range(labels.shape[2]):
        part = smallest_unsigned(labels[..., k : k + 1])
        found = np.bincount(part.ravel(order="K"))
        counts[: len(found)] += found
        slices.append(digest_of(part)[:SLICE_DIGITS])
    present = tuple(LabelCount(int(v), int(counts[v])) for v in np.flatnonzero(counts) if v)
    return Footprint(present, tuple(slices))


def changed_by_hand(
    before: Segmentation,
    labels: NDArray[Any],
    *,
    table: LabelTable | None = None,
    changed_at: str | None = None,
) -> Segmentation:
    """A segmentation after its voxels were painted on, with an Edit that says what was changed.

    Parameters
    ----------
    before
        As it was; comes back as it is where nothing differs.
    labels
        (I, J, K) unsigned, on the same grid.
    table
        Names after; labels without a name become `label N`.
    changed_at
        ISO 8601 with the offset from UTC.

    Returns
    -------
    Segmentation
        Without instances and probabilities, which belong to the voxels before.

    Raises
    ------
    LabelError
        If the shape is another one.
    """
    if labels.shape != before.grid.shape:
        raise LabelError(f"labels of shape {labels.shape} on a grid of shape {before.grid.shape}")
    named = _named(table or before.table, labels)
    differs = before.labels != labels
    if not differs.any():
        return replace(before, table=named)
    old, new = before.labels[differs], labels[differs]
    values = sorted({*np.unique(old).tolist(), *np.unique(new).tolist()} - {0})
    changes = [
        _change(before, named, int(v), added=int((new == v).sum()), removed=int((old == v).sum()))
        for v in values
    ]
    slices = np.flatnonzero(differs.any(axis=(0, 1)))
    edit = _edit(before, BY_HAND, changes, slices.tolist(), changed_at)
    edit = replace(edit, parameters=as_details(changed_voxels=int(differs.sum())))
    return replace(
        before,
        labels=labels,
        table=named,
        made_by=replace(before.made_by, edits=(*before.made_by.edits, edit)),
        findings=(*before.findings, Finding(BY_HAND_CODE, "info", f"The mask was {edit_text(edit)}.")),
        instances=None,
        probabilities=None,
    )


def changed_outside(found: Segmentation, before: Footprint) -> Segmentation:
    """A mask whose voxels are no longer those of its footprint, with an Edit and a Finding that say by how much.

    `found` has the table and the history of before, and the voxels of now. Exact numbers of added and removed
    voxels are not known, only their difference per label, and which slices differ.
    """
    now = footprint_of(found.labels)
    counts_before = {item.value: item.voxels for item in before.counts}
    counts_now = {item.value: item.voxels for item in now.counts}
    table = _named(found.table, found.labels)
    names = {label.value: label.name for label in table.labels}
    values = sorted(counts_before.keys() | counts_now.keys())
    net = {value: counts_now.get(value, 0) - counts_before.get(value, 0) for value in values}
    changes = [
        LabelChange(names.get(value, f"label {value}"), value, voxels, _millilitres(found, voxels))
        for value, voxels in net.items()
        if voxels
    ]
    pairs = list(zip_longest(before.slices, now.slices))
    slices = [k for k, (one, two) in enumerate(pairs) if one != two]
    edit = _edit(found, OUTSIDE, changes, slices, None)
    blank = footprint_of(np.zeros((*found.grid.shape[:2], 1), np.uint8)).slices[0]
    kept = any(one == two != blank for one, two in pairs)
    finding = Finding(
        OUTSIDE_CODE,
        "warning",
        f"The mask was {edit_text(edit)}."
        + ("" if kept else " No slice of it is as it was: it may be another mask under this name."),
        as_details(slices=len(slices), **{f"net_voxels.{item.value}": item.net_voxels for item in changes}),
    )
    made_by = replace(found.made_by, edits=(*found.made_by.edits, edit))
    return replace(found, table=table, made_by=made_by, findings=(*found.findings, finding))


def edit_text(edit: Edit) -> str:
    """One change in words: an operation with its parameters, or by what else, when, and how much per label.

    >>> edit_text(Edit("close", (("label", "core"), ("radius_mm", 2.0))))
    'close label = core, radius_mm = 2.0'
    >>> edit_text(Edit(OUTSIDE, changes=(LabelChange("core", 1, -3, -0.006),), slices=(4, 5, 9)))
    'changed outside medseg: core −3 voxels net (−0.006 ml), in slices 5–6, 10'
    """
    if not (edit.changes or edit.slices):
        told = ", ".join(f"{name} = {value}" for name, value in edit.parameters)
        return f"{edit.operation} {told}".rstrip()
    tool = dict(edit.parameters).get("tool")
    how = f" with the {tool}" if tool else ""
    when = f" on {edit.changed_at}" if edit.changed_at else ""
    return f"{edit.operation}{how}{when}: {_what(edit)}"


def _what(edit: Edit) -> str:
    """Net voxels and ml per label, and slices counted from 1."""
    parts = [_change_text(item) for item in edit.changes]
    told = ", ".join(parts) or "the number of voxels per label is the same, so some moved"
    many = "slice" if len(edit.slices) == 1 else "slices"
    return f"{told}, in {many} {_ranges(edit.slices)}" if edit.slices else told


def _edit(
    mask: Segmentation,
    operation: str,
    changes: Sequence[LabelChange],
    slices: Sequence[int],
    changed_at: str | None,
) -> Edit:
    net = _millilitres(mask, sum(item.net_voxels for item in changes))
    return Edit(operation, (), net, tuple(changes), tuple(slices), changed_at)


def _change(mask: Segmentation, table: LabelTable, value: int, *, added: int, removed: int) -> LabelChange:
    net = added - removed
    return LabelChange(table.name_of(value), value, net, _millilitres(mask, net), added, removed)


def _named(table: LabelTable, labels: NDArray[Any]) -> LabelTable:
    """The table with a name for every label that occurs."""
    counts = np.bincount(labels.ravel(order="K"))
    return table.completed(tuple(int(value) for value in np.flatnonzero(counts) if value))


def _millilitres(mask: Segmentation, voxels: int) -> float | None:
    factor = voxel_ml(mask.grid)
    return None if factor is None else voxels * factor


def _change_text(item: LabelChange) -> str:
    ml = "" if item.net_ml is None else f" ({_signed(f'{item.net_ml:+.3g}')} ml)"
    known = item.added is not None and item.removed is not None
    exact = f", {item.added} added and {item.removed} removed" if known else ""
    return f"{item.label} {_signed(f'{item.net_voxels:+d}')} voxels net{ml}{exact}"


def _ranges(slices: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for k in slices:
        if runs and k == runs[-1][1] + 1:
            runs[-1][1] = k
        else:
            runs.append([k, k])
    shown = [f"{a + 1}–{b + 1}" if b > a else f"{a + 1}" for a, b in runs]
    return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more runs" if len(shown) > 8 else "")


def _signed(text: str) -> str:
    return text.replace("-", "−")
