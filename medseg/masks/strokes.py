"""Changes by hand as they were made, stroke by stroke: what a mask's history says of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from medseg.domain import Finding, LabelTable, Segmentation
from medseg.domain.provenance import Edit, LabelChange, Provenance
from medseg.domain.values import as_details
from medseg.masks.changes import BY_HAND, OUTSIDE, edit_text
from medseg.masks.changes import BY_HAND_CODE as _HAND_CODE
from medseg.masks.changes import OUTSIDE_CODE as _OUTSIDE_CODE
from medseg.masks.voxels import voxel_ml

__all__ = ["Strokes", "joined", "recorded"]


@dataclass(frozen=True, slots=True)
class Strokes:
    """Strokes of one tool, one after the other.

    Parameters
    ----------
    tool
        With what; empty for a change that nobody saw being made.
    count
        How many strokes.
    voxels
        Voxels that changed, summed over the strokes.
    added, removed
        Voxels gained and lost by label, summed over the strokes.
    slices
        Indices k of the native grid, in order.
    first_at, last_at
        ISO 8601 with the offset from UTC.
    """

    tool: str
    count: int
    voxels: int
    added: Mapping[int, int]
    removed: Mapping[int, int]
    slices: tuple[int, ...]
    first_at: str
    last_at: str


def joined(strokes: Sequence[Strokes]) -> Strokes:
    """Strokes as one; the tool is named where it is the same for all."""
    tools = {item.tool for item in strokes}
    added: Counter[int] = Counter()
    removed: Counter[int] = Counter()
    for item in strokes:
        added.update(item.added)
        removed.update(item.removed)
    return Strokes(
        tools.pop() if len(tools) == 1 else "",
        sum(item.count for item in strokes),
        sum(item.voxels for item in strokes),
        dict(added),
        dict(removed),
        tuple(sorted({k for item in strokes for k in item.slices})),
        min(item.first_at for item in strokes),
        max(item.last_at for item in strokes),
    )


def recorded(
    before: Segmentation,
    labels: NDArray[Any],
    history: Iterable[Edit | Strokes],
    *,
    table: LabelTable | None = None,
    made_by: Provenance | None = None,
) -> Segmentation:
    """The mask after a history of operations and strokes, which its Record tells in order.

    Parameters
    ----------
    before
        As it was.
    labels
        (I, J, K) unsigned, after all of it; the caller vouches that the history leads there.
    history
        Edits of operations as they are; strokes become an Edit `changed by hand` with tool, voxels per label, slices
        and time, those without a tool one `changed outside medseg`.
    table
        Names after.
    made_by
        Where the mask was made anew since: by what.

    Returns
    -------
    Segmentation
        Without instances and probabilities, which belong to the voxels before.
    """
    named = table or before.table
    maker = made_by or before.made_by
    edits: list[Edit] = []
    findings = list(before.findings)
    by_hand: list[Strokes] = []
    for item in history:
        edits.append(item if isinstance(item, Edit) else _edit(item, before, named))
        if isinstance(item, Strokes) and item.tool:
            by_hand.append(item)
        elif isinstance(item, Strokes):
            findings.append(Finding(_OUTSIDE_CODE, "warning", f"The mask was {edit_text(edits[-1])}."))
    if by_hand:
        text = edit_text(_edit(joined(by_hand), before, named, operation=BY_HAND))
        findings.append(Finding(_HAND_CODE, "info", f"The mask was {text}."))
    return replace(
        before,
        labels=labels,
        table=named,
        made_by=replace(maker, edits=(*maker.edits, *edits)),
        findings=tuple(findings),
        instances=None,
        probabilities=None,
    )


def _edit(item: Strokes, mask: Segmentation, table: LabelTable, *, operation: str | None = None) -> Edit:
    factor = voxel_ml(mask.grid)

    def ml(voxels: int) -> float | None:
        return None if factor is None else voxels * factor

    changes = []
    for value in sorted({*item.added, *item.removed} - {0}):
        gained, lost = item.added.get(value, 0), item.removed.get(value, 0)
        net = gained - lost
        changes.append(LabelChange(table.name_of(value), value, net, ml(net), gained, lost))
    facts = {"changed_voxels": item.voxels, "strokes": item.count}
    told = as_details(**facts, **({"tool": item.tool} if item.tool else {}), since=item.first_at)
    return Edit(
        operation or (BY_HAND if item.tool else OUTSIDE),
        told,
        ml(sum(change.net_voxels for change in changes)),
        tuple(changes),
        item.slices,
        item.last_at,
    )
