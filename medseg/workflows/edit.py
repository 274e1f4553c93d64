"""Edit: operations on a mask in order, each recorded, so that they can be replayed to the same voxels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Params, ReadOptions, Run, Segmentation
from medseg.domain.provenance import Edit
from medseg.domain.values import Scalar, as_details, digest_of_plain
from medseg.errors import ConfigError, GridMismatchError, InputError, LabelError
from medseg.geometry.place import match_order
from medseg.io import read_segmentation, write_segmentation
from medseg.io.atomic import require_absent, require_apart
from medseg.io.sidecar import sidecar_path
from medseg.io.unfinished import together
from medseg.masks.changes import changed_by_hand
from medseg.masks.onto import onto_grid
from medseg.masks.operations import OPERATIONS, Operation
from medseg.masks.relabel import apply_parts, find_labels
from medseg.masks.requests import Request, operation_named, params_of, parse_request
from medseg.masks.strokes import Strokes, joined, recorded
from medseg.masks.voxels import voxel_ml
from medseg.workflows.batch import CaseResult, each, make_folder, only
from medseg.workflows.ledger import file_digest, ledger_path, mask_digest, open_ledger

__all__ = [
    "OPERATIONS",
    "Request",
    "Step",
    "Strokes",
    "changed_by_hand",
    "edit",
    "edit_cases",
    "edit_files",
    "edit_steps",
    "joined",
    "parse_request",
    "recorded",
    "replay",
]

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operation on one label, done.

    Parameters
    ----------
    segmentation
        After it.
    edit
        As recorded.
    label
        Whose voxels they are.
    before, after
        Voxels of the label; of the parts together where it was split.
    left_to_others
        Voxels that the operation wanted and that other labels kept.
    new_labels
        Names of labels that it made.
    """

    segmentation: Segmentation
    edit: Edit
    label: str
    before: int
    after: int
    left_to_others: int
    new_labels: tuple[str, ...] = ()


def edit(
    segmentation: Segmentation,
    operations: Sequence[str | Request],
    *,
    labels: Sequence[str] = (),
    others: Mapping[str, Segmentation] | None = None,
) -> Segmentation:
    """The mask after operations, in order; each is an Edit in `made_by.edits`.

    Parameters
    ----------
    segmentation
        Is left as it is.
    operations
        Requests, or text as typed: `close=2`, `keep-largest`, `margin=5,superior=10`, `close=2,label=liver`.
    labels
        Whom operations without labels of their own are for; none means every label for itself.
    others
        Masks that set operations name.

    Returns
    -------
    Segmentation
        On the same grid. Instances and probabilities belong to the voxels before and are dropped; a label that is
        left without voxels stays in the table, with a Finding. A label never takes voxels of another one unless
        `over_labels` asks for it.

    Raises
    ------
    ConfigError
        If an operation or parameter does not exist (the nearest is named) or a value is out of range.
    InputError
        If there is no such label, or the operation does not suit the grid.
    """
    steps = list(edit_steps(segmentation, operations, labels=labels, others=others))
    return steps[-1].segmentation if steps else segmentation


def edit_steps(
    segmentation: Segmentation,
    operations: Sequence[str | Request],
    *,
    labels: Sequence[str] = (),
    others: Mapping[str, Segmentation] | None = None,
) -> Iterator[Step]:
    """`edit`, one operation on one label at a time; all names and values are checked before the first."""
    requests = [parse_request(item) if isinstance(item, str) else item for item in operations]
    checked = [(item, operation_named(item.name), params_of(item)) for item in requests]
    for name in [name for item in requests for name in (item.labels or labels)]:
        _require_known(segmentation, name, [item.name for item in requests])
    current = segmentation
    for request, operation, params in checked:
        names = request.labels or labels or [current.table.name_of(value) for value in current.present]
        for name in names:
            step = _step(current, operation, params, name, others or {})
            yield step
            current = step.segmentation


def edit_files(
    mask: Path,
    operations: Sequence[str | Request],
    out: Path,
    *,
    labels: Sequence[str] = (),
    table: Path | None = None,
    options: ReadOptions | None = None,
    force: bool = False,
) -> tuple[Step, ...]:
    """Read a mask, edit it, write it with its sidecar to `out`; set operations may name files.

    Raises
    ------
    InputError
        As `edit`, and if `out` is the mask itself: the mask before is what the edits are replayed on.
    OutputError
        If `out` exists and may not be replaced; checked before any work.
    """
    if not operations:
        raise InputError("nothing is asked for: give --op NAME; 'medseg edit --list' shows all")
    if mask.resolve() == out.resolve():
        raise InputError(f"{mask} can't be edited onto itself; give another --out")
    with together(out):
        require_absent(out, force=force)
        require_apart([out], (table, *_named_files(operations)))
        options = options or ReadOptions()
        before = read_segmentation(mask, options=options, labels=table)
        others = _read_others(before, operations, options)
        steps = tuple(edit_steps(before, operations, labels=labels, others=others))
        after = steps[-1].segmentation if steps else before
        write_segmentation(after, out, force=force)
    return steps


def edit_cases(
    masks: Mapping[str, tuple[Path, ...]],
    operations: Sequence[str | Request],
    out: Path,
    *,
    labels: Sequence[str] = (),
    table: Path | None = None,
    options: ReadOptions | None = None,
    force: bool = False,
    run: Run | None = None,
) -> tuple[CaseResult, ...]:
    """Edit every mask into a file of its name in `out`; what stands and is asked for alike is kept."""
    make_folder(out)
    ledger = open_ledger(ledger_path(out, "edit"), "edit")
    requests = [parse_request(item) if isinstance(item, str) else item for item in operations]
    others = {str(dict(item.parameters).get("other", "")) for item in requests}
    rest = {
        "the operations": digest_of_plain([repr(item) for item in requests]),
        "the labels": digest_of_plain([list(labels), None if table is None else file_digest(table)]),
        "the way of reading": repr(options or ReadOptions()),
        "another mask": digest_of_plain([mask_digest(Path(name)) for name in sorted(others) if name]),
    }

    def one(case: str) -> CaseResult:
        mask = only(masks[case])
        target = out / mask.name

        def make(replaces: bool) -> None:  # noqa: FBT001 - the ledger's signature
            edit_files(mask, requests, target, labels=labels, table=table, options=options, force=replaces)

        asked = {"the mask": mask_digest(mask), **rest}
        return ledger.settle(case, asked, (target, sidecar_path(target)), make, force=force)[0]

    return each(masks, one, run or Run(), "edit")


def replay(
    segmentation: Segmentation, edits: Sequence[Edit], *, others: Mapping[str, Segmentation] | None = None
) -> Segmentation:
    """The mask after edits that were recorded on it before: the same voxels, bit for bit.

    Raises
    ------
    InputError
        If an edit was made by hand, or another mask is not the one that took part.
    """
    return edit(segmentation, [_request_of(item, others or {}) for item in edits], others=others)


def _request_of(item: Edit, others: Mapping[str, Segmentation]) -> Request:
    given = dict(item.parameters)
    label = given.pop("label", None)
    digest = given.pop("other_digest", None)
    if item.operation not in OPERATIONS or label is None:
        raise InputError(f"the edit {item.operation!r} can't be replayed: it is none of medseg's operations")
    other = others.get(str(given.get("other")))
    if digest is not None and (other is None or other.digest != digest):
        raise InputError(f"to replay {item.operation!r}, the mask {given['other']!r} of then is needed")
    return Request(item.operation, tuple(given.items()), (str(label),))


def _step(
    before: Segmentation, operation: Operation, params: Params, name: str, others: Mapping[str, Segmentation]
) -> Step:
    target = find_labels(before.table, name)
    mask = before.mask(*target.values)
    other, taken, facts = _other(before, operation, params, others)
    parts = operation.apply(mask, before.grid, params, other)
    over = bool(getattr(params, "over_labels", False))
    after, left, made = apply_parts(
        before, target, parts, take=None if over else taken, merged=operation.name == "union"
    )
    count, rest = int(mask.sum()), int(after.mask(*target.values, *(label.value for label in made)).sum())
    recorded = Edit(
        operation.name,
        as_details(label=name, **(dict(params.details) | facts)),
        _millilitres(before, rest - count),
    )
    findings = after.findings
    if count and not rest:
        text = f"The edit {operation.name} left nothing of {name}."
        findings = (*findings, Finding("edit.emptied", "warning", text, as_details(label=name)))
    made_by = replace(after.made_by, edits=(*after.made_by.edits, recorded))
    after = replace(after, made_by=made_by, findings=findings)
    return Step(after, recorded, name, count, rest, left, tuple(label.name for label in made))


def _other(
    segmentation: Segmentation, operation: Operation, params: Any, others: Mapping[str, Segmentation]
) -> tuple[Mask | None, tuple[int, ...], dict[str, Scalar]]:
    """(second mask, own labels that are given up to it, what to record)."""
    if not operation.needs_other:
        return None, (), {}
    if params.other in others:
        found = others[params.other]
        placed = _on_one_grid(segmentation, found, operation.name, params.other)
        values = placed.present if params.of is None else find_labels(placed.table, params.of).values
        inside = placed.mask(*values) if values else np.zeros(placed.grid.shape, np.bool_)
        return inside, (), {"other": Path(params.other).name, "other_digest": found.digest}
    if params.of is not None:
        raise ConfigError(
            f"{operation.name}: 'of' names a label of another file, and {params.other!r} is none"
        )
    try:
        own = find_labels(segmentation.table, params.other)
    except LabelError as error:
        raise InputError(f"{operation.name}: {params.other!r} is no file, and {error}") from error
    return segmentation.mask(*own.values), own.values, {}


def _on_one_grid(mask: Segmentation, other: Segmentation, operation: str, name: str) -> Segmentation:
    try:
        return onto_grid(other, mask.grid)
    except GridMismatchError as error:
        raise GridMismatchError(
            f"{operation}: {name} lies on another grid than the mask to edit "
            f"({match_order(other.grid, mask.grid)[1].fault}); give a mask that was made on the same image"
        ) from error


def _require_known(segmentation: Segmentation, name: str, operations: Sequence[str]) -> None:
    """Labels that a split is going to make are looked for when it is their turn."""
    if not {"split", "split-plane"} & set(operations):
        find_labels(segmentation.table, name)


def _named_files(operations: Sequence[str | Request]) -> list[str]:
    """What set operations name as the other mask: a file, or a label."""
    requests = [parse_request(item) if isinstance(item, str) else item for item in operations]
    return [str(name) for request in requests if (name := dict(request.parameters).get("other"))]


def _read_others(
    segmentation: Segmentation, operations: Sequence[str | Request], options: ReadOptions
) -> dict[str, Segmentation]:
    """Files that set operations name: what is no label of the mask and there."""
    found: dict[str, Segmentation] = {}
    for name in _named_files(operations):
        if name in found or _is_label(segmentation, name):
            continue
        if Path(name).exists():
            found[name] = read_segmentation(Path(name), options=options)
    return found


def _is_label(segmentation: Segmentation, name: str) -> bool:
    try:
        find_labels(segmentation.table, name)
    except LabelError:
        return False
    return True


def _millilitres(segmentation: Segmentation, voxels: int) -> float | None:
    factor = voxel_ml(segmentation.grid)
    return None if factor is None else voxels * factor
