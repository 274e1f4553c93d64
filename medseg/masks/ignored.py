"""Voxels that nobody judged: nnU-Net's label `ignore` is no structure and no background."""

from dataclasses import replace

import numpy as np

from medseg.domain import Finding, LabelTable, Segmentation
from medseg.domain.values import as_details

__all__ = ["IGNORED", "ignored_finding", "table_without", "without_ignored"]

#: Code of the Finding on voxels that were left out; its details are `value` and `voxels`.
IGNORED = "labels.ignored"


def without_ignored(mask: Segmentation, value: int | None) -> Segmentation:
    """The mask without the label of this value, with a Finding that counts its voxels; itself where there is none."""
    if value is None or value not in mask.table.values:
        return mask
    ignored = mask.labels == value
    count = int(ignored.sum())
    table = table_without(mask.table, value)
    found = ignored_finding(count, ignored.size, value)
    findings = (*mask.findings, found) if count else mask.findings
    labels = np.where(ignored, 0, mask.labels).astype(mask.labels.dtype)
    return replace(mask, labels=labels, table=table, findings=findings, probabilities=None)


def ignored_finding(count: int, size: int, value: int | None = None) -> Finding:
    """So many of `size` voxels were left out; they are known by the label `value`, where it is one."""
    label = "" if value is None else f" (label {value})"
    text = (
        f"{count} voxels ({100 * count / size:.3g} %) are marked 'ignore'{label}: nobody judged them, and they were "
        "left out."
    )
    details = as_details(voxels=count) if value is None else as_details(value=value, voxels=count)
    return Finding(IGNORED, "warning", text, details)


def table_without(table: LabelTable, value: int) -> LabelTable:
    """The table without a label; regions lose it, and go where it was all they had."""
    regions = tuple(
        replace(region, labels=kept)
        for region in table.regions
        if (kept := tuple(item for item in region.labels if item != value))
    )
    return LabelTable(tuple(item for item in table.labels if item.value != value), regions)
