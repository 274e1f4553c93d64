"""From an image of whole numbers to a Segmentation: rounding, refusals, names."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from medseg.domain import (
    Finding,
    Grid,
    Image,
    Label,
    LabelTable,
    Provenance,
    Region,
    Segmentation,
    Source,
)
from medseg.domain.segmentation import smallest_unsigned
from medseg.domain.values import as_details
from medseg.errors import ConfigError, LabelError
from medseg.geometry import Agreement, compare_grids
from medseg.io.labelfiles import named_labels, unions_of
from medseg.io.names import suffix_of
from medseg.io.plain import read_plain
from medseg.io.sidecar import OTHER_PLACE, Recalled, Sidecar, recall
from medseg.io.values import NOT_FINITE, freeze
from medseg.masks.changes import changed_outside

__all__ = ["LABEL_DETAIL", "only_label", "read_table", "segmentation_of"]

#: Values this close to a whole number are that number: rounding by slopes and float files.
ROUNDING = 1e-3
#: Readers of formats that name labels put `label.<value>` into the Source's details.
LABEL_DETAIL = "label."
#: More labels than this, and the file is rather an image than a mask.
MANY_LABELS = 255
_MOST_TABLE_BYTES = 1 << 24
#: The largest value of a label; larger ones are numbered anew.
MOST_LABELS = 65535
#: No atlas numbers structures beyond this, up to which float64 holds whole numbers.
LARGEST = 1 << 53


def segmentation_of(image: Image, source: Source, *, labels: Path | None = None) -> Segmentation:
    """The Segmentation that an image of label values is.

    Raises
    ------
    LabelError
        If values are negative, too large or not whole, or the format loses values (JPEG).
    """
    name = source.uri
    _require_lossless(image, name)
    values, findings = _whole(image.array, name)
    values, numbers, renumbered = _renumbered(values, name)
    findings = (*image.findings, *findings, *renumbered)
    recalled = _recall(name, values, image, is_picture=source.format == "raster")
    sidecar, grid = recalled.sidecar, recalled.grid
    findings += recalled.findings
    if sidecar is not None:
        grid, more = _grid(image, recalled)
        findings = tuple(dict.fromkeys((*sidecar.findings, *findings, *more)))
    counts = np.bincount(recalled.values.ravel(order="K"))
    present = tuple(int(value) for value in np.flatnonzero(counts) if value)
    table, more = _table(present, sidecar, labels, source, numbers)
    found = Segmentation(
        freeze(recalled.values),
        grid,
        table,
        made_by=Provenance() if sidecar is None else sidecar.made_by,
        findings=(*findings, *more),
    )
    if sidecar is None or sidecar.footprint is None or not recalled.changed:
        return found
    return changed_outside(found, sidecar.footprint)


def _recall(name: str, values: NDArray[Any], image: Image, *, is_picture: bool) -> Recalled:
    """The mask with its sidecar; where another program made black and white of it, white is label 1.

    So it is for pictures without a sidecar, and for any mask that was written otherwise.
    """
    found = recall(Path(name), values, image.grid)
    if not (found.changed or (is_picture and found.sidecar is None)):
        return found
    one, note = _from_black_and_white(values)
    if not note:
        return found
    again = recall(Path(name), one, image.grid)
    return replace(again, findings=(*note, *again.findings))


def only_label(found: Segmentation, name: str) -> Segmentation:
    """One structure of a mask; the others are background, in probabilities too.

    Raises
    ------
    LabelError
        If it has none of this name.
    """
    labels = tuple(item for item in found.table.labels if item.name == name)
    regions = tuple(item for item in found.table.regions if item.name == name)
    if not labels and not regions:
        known = ", ".join(
            [*(item.name for item in found.table.labels), *(item.name for item in found.table.regions)]
        )
        raise LabelError(f"the mask has no label or region {name!r}; it has {known or 'none'}")
    values = (labels[0].value,) if labels else regions[0].labels
    parts = labels[:1] or tuple(item for item in found.table.labels if item.value in values)
    table = LabelTable(parts, () if labels else regions[:1])
    inside = found.mask(*values)
    instances = None if found.instances is None else np.where(inside, found.instances, 0)
    kept = np.where(inside, found.labels, 0).astype(found.labels.dtype)
    shares = _shares_of(found, values)
    return replace(found, labels=kept, table=table, instances=instances, probabilities=shares)


def _shares_of(found: Segmentation, values: tuple[int, ...]) -> NDArray[np.floating[Any]] | None:
    """Probabilities of these labels, and of all else as background; None where channels are no labels of the table."""
    shares = found.probabilities
    if shares is None or len(shares) != len(found.table.labels) + 1:
        return None
    channels = [1 + found.table.values.index(value) for value in sorted(values)]
    kept = np.stack([shares[channel] for channel in (0, *channels)])
    kept[0] = np.clip(1 - kept[1:].sum(axis=0), 0, 1)
    return kept


def read_table(path: Path, numbers: Mapping[int, int] | None = None) -> LabelTable:
    """A label table from a file that names labels, as `labelfiles` lists them, or from a table in full.

    `numbers` has the values that stand for those of the file, where a mask's own are too large.

    Raises
    ------
    ConfigError
        If the file is none of these.
    InputError
        If it can't be read, or is no file.
    """
    numbers = numbers or {}
    data = read_plain(path, most=_MOST_TABLE_BYTES)
    try:
        content, labels = named_labels(path, data.decode("utf-8-sig"))
        if isinstance(content, dict) and isinstance(content.get("labels"), list):
            return TypeAdapter(LabelTable).validate_python(content)
        named = [replace(item, value=numbers.get(item.value, item.value)) for item in labels]
        found = tuple(Label(item.value, item.name, item.color) for item in named if item.value <= MOST_LABELS)
        known = {item.value for item in found}
        unions = {name: values for name, values in unions_of(content).items() if set(values) <= known}
        return LabelTable(found, tuple(Region(name, values) for name, values in unions.items()))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"labels file {path}: {where}: {first['msg']}") from error
    except (ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"labels file {path} is no table (`1: liver`, one per line): {reason}") from error


def _require_lossless(image: Image, name: str) -> None:
    if suffix_of(name) in (".jpg", ".jpeg"):
        raise LabelError(f"{name}: JPEG changes values, so it can't hold a mask; export it as PNG")
    if any(finding.code == NOT_FINITE for finding in image.findings):
        raise LabelError(f"{name} holds NaN or infinity; labels are whole numbers")


def _whole(array: NDArray[Any], name: str) -> tuple[NDArray[Any], tuple[Finding, ...]]:
    findings: tuple[Finding, ...] = ()
    whole = array
    if array.dtype.kind == "f":
        whole = np.rint(array)
        off = np.abs(array - whole)
        worst = np.unravel_index(int(off.argmax()), off.shape)
        if off[worst] > ROUNDING:
            raise LabelError(
                f"{name} is no mask: it holds {float(array[worst]):.6g}, and labels are whole numbers"
            )
        if off[worst] > 0:
            message = f"Labels were up to {float(off[worst]):.2g} away from whole numbers and were rounded."
            findings = (Finding("labels.rounded", "info", message, as_details(largest=float(off[worst]))),)
    low, high = int(whole.min()), int(whole.max())
    if low < 0 or high >= LARGEST:
        raise LabelError(
            f"{name} is no mask: it holds {low if low < 0 else high}, and labels are 0 and above"
        )
    if high > MOST_LABELS:
        return whole.astype(np.int64, order="K"), findings
    if whole.dtype.kind != "u":
        whole = whole.astype(np.uint8 if high < 256 else np.uint16, order="K")
    return smallest_unsigned(whole), findings


def _renumbered(values: NDArray[Any], name: str) -> tuple[NDArray[Any], dict[int, int], tuple[Finding, ...]]:
    """The mask with values that are too large for a label numbered anew, and which became which.

    Atlases number structures by millions; the others keep their values.
    """
    if int(values.max()) <= MOST_LABELS:
        return values, {}, ()
    found, places = np.unique(values, return_inverse=True)
    kept = found[found <= MOST_LABELS]
    large = [int(value) for value in found[found > MOST_LABELS]]
    taken = {int(value) for value in kept}
    free = (value for value in range(1, MOST_LABELS + 1) if value not in taken)
    numbers = dict(zip(large, free, strict=False))
    if len(numbers) < len(large):
        raise LabelError(
            f"{name} is no mask: it holds {len(found)} values, and a mask has {MOST_LABELS} labels"
        )
    new = np.array([numbers.get(int(value), int(value)) for value in found], np.uint16)
    shown = ", ".join(f"{old} → {value}" for old, value in list(numbers.items())[:5])
    text = f"Label values above {MOST_LABELS} were numbered anew: {shown}{', …' if len(numbers) > 5 else ''}."
    finding = Finding("labels.renumbered", "info", text, as_details(labels=len(numbers)))
    return smallest_unsigned(new[places].reshape(values.shape)), numbers, (finding,)


def _from_black_and_white(values: NDArray[Any]) -> tuple[NDArray[Any], tuple[Finding, ...]]:
    if int(values.max()) != 255 or not np.isin(values, (0, 255)).all():
        return values, ()
    message = "The mask was black and white (0 and 255); white was read as label 1."
    return (values == 255).astype(np.uint8), (Finding("labels.black_and_white", "info", message),)


def _grid(image: Image, recalled: Recalled) -> tuple[Grid, tuple[Finding, ...]]:
    """The grid of a mask with a sidecar: the exact one that was written, unless the file lies elsewhere now."""
    assert recalled.sidecar is not None  # noqa: S101 - for the type checker
    mine, kept = recalled.grid, recalled.sidecar.grid
    if (
        mine.unit == kept.unit
        and mine.shape == kept.shape
        and mine.orientation_known == kept.orientation_known
    ):
        found = compare_grids(mine, kept)
        if found.agreement in (Agreement.SAME, Agreement.SNAPPED):
            thickness = image.grid.slice_thickness or kept.slice_thickness
            return replace(kept, slice_thickness=thickness), ()
    return mine, (
        Finding(
            OTHER_PLACE,
            "warning",
            "The mask lies elsewhere than when it was written (its header or the way of reading changed); "
            "the file's own placement was used.",
        ),
    )


def _table(
    present: tuple[int, ...],
    sidecar: Sidecar | None,
    labels: Path | None,
    source: Source,
    numbers: Mapping[int, int],
) -> tuple[LabelTable, tuple[Finding, ...]]:
    if labels is not None:
        return _completed(_own(read_table(labels, numbers), present), present)
    if sidecar is not None:
        return sidecar.table.completed(present), ()
    named = [(key, value) for key, value in source.details if key.startswith(LABEL_DETAIL)]
    if named:
        table = LabelTable(
            tuple(Label(int(key.removeprefix(LABEL_DETAIL)), str(name)) for key, name in named)
        )
        return _completed(table, present)
    findings: tuple[Finding, ...] = ()
    if len(present) > MANY_LABELS:
        message = f"The mask has {len(present)} labels; it may be an image."
        findings = (Finding("labels.many", "warning", message, as_details(labels=len(present))),)
    table = LabelTable.from_values(present)
    if numbers:
        old = {value: key for key, value in numbers.items()}
        table = LabelTable(tuple(Label(value, f"label {old.get(value, value)}") for value in present))
    return table, findings


def _own(table: LabelTable, present: tuple[int, ...]) -> LabelTable:
    """A table of a program's every label (FreeSurfer's names over a thousand), cut to those that the mask holds."""
    if len(table.labels) <= MANY_LABELS or table.regions:
        return table
    return LabelTable(tuple(label for label in table.labels if label.value in present))


def _completed(table: LabelTable, present: tuple[int, ...]) -> tuple[LabelTable, tuple[Finding, ...]]:
    missing = tuple(value for value in present if value not in table.values)
    if not missing:
        return table, ()
    message = (
        f"The table of labels has no name for {', '.join(map(str, missing[:10]))}, which the mask holds."
    )
    return table.completed(present), (Finding("labels.unnamed", "warning", message),)
