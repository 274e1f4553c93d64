"""A Record's mask against a reference: figures, sentences and a picture for its page. None of it enters the Record."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from medseg.domain import Image, LabelTable, Record, Segmentation
from medseg.errors import InputError
from medseg.io import read_segmentation
from medseg.masks.onto import onto_grid
from medseg.reporting import PageExtras
from medseg.reporting.comparison.cases import ComparedCase
from medseg.reporting.comparison.page import comparison_sentences
from medseg.reporting.comparison.pictures import draw_worst
from medseg.reporting.record.older import read_options_of
from medseg.workflows.evaluate import Evaluation, evaluate, summary_rows

__all__ = ["against"]


def against(
    record: Record,
    mask: Segmentation | None,
    images: Mapping[str, Image],
    reference: Path,
    extras: PageExtras,
) -> PageExtras:
    """What makes a page one for comparison, the slice where the masks differ most among it.

    A reference without names has those of the Record.

    Raises
    ------
    InputError
        If the mask of the Record is not at hand, or the reference can't be read.
    GridMismatchError
        If they lie on different voxels.
    """
    if mask is None:
        raise InputError(f"nothing to compare with the reference: {extras.missing}")
    found = read_segmentation(reference, options=read_options_of(record), on=mask.grid)
    found = onto_grid(_named(found, record.table), mask.grid, what="reference")
    rows = evaluate(mask, found)
    result = Evaluation(record.subject, rows, grid=mask.grid)
    cases = [ComparedCase(record.subject, rows, mask.grid)]
    picture = draw_worst(mask, found, next(iter(images.values()), None))
    look = replace(extras.look, purpose="comparison")
    words = comparison_sentences(cases, summary_rows((result,)))
    return replace(
        extras, comparison=rows, answer=words, look=look, pictures=(picture,), reference=found.digest
    )


def _named(reference: Segmentation, table: LabelTable) -> Segmentation:
    """A reference whose file holds no names, by the names of the same values."""
    known = {label.value: label for label in table.labels}
    labels = tuple(
        replace(label, name=known[label.value].name)
        if label.name == f"label {label.value}" and label.value in known
        else label
        for label in reference.table.labels
    )
    return replace(reference, table=replace(reference.table, labels=labels))
