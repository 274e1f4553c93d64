"""One file per verb: on values (`segment`), and on files (`segment_files`). The only room that joins rooms.

A verb is loaded when it is asked for, so that segmenting loads neither training nor reports.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medseg.masks.relabel import objects_as_labels
    from medseg.workflows.cases import find_cases, measure_cases, segment_cases
    from medseg.workflows.convert import convert
    from medseg.workflows.edit import edit
    from medseg.workflows.evaluate import evaluate, evaluate_files, evaluate_lesions
    from medseg.workflows.files import is_mask, open_dataset, read, read_segmentation, write
    from medseg.workflows.info import info
    from medseg.workflows.measure import measure, measure_files
    from medseg.workflows.record import read_record
    from medseg.workflows.report import report, report_files, to_dataframe
    from medseg.workflows.segment import segment, segment_files
    from medseg.workflows.train import train

#: Verb → where it is.
_WHERE = {
    "convert": "medseg.workflows.convert",
    "edit": "medseg.workflows.edit",
    "evaluate": "medseg.workflows.evaluate",
    "evaluate_files": "medseg.workflows.evaluate",
    "evaluate_lesions": "medseg.workflows.evaluate",
    "find_cases": "medseg.workflows.cases",
    "info": "medseg.workflows.info",
    "is_mask": "medseg.workflows.files",
    "measure": "medseg.workflows.measure",
    "measure_cases": "medseg.workflows.cases",
    "measure_files": "medseg.workflows.measure",
    "objects_as_labels": "medseg.masks.relabel",
    "open_dataset": "medseg.workflows.files",
    "read": "medseg.workflows.files",
    "read_record": "medseg.workflows.record",
    "read_segmentation": "medseg.workflows.files",
    "report": "medseg.workflows.report",
    "report_files": "medseg.workflows.report",
    "segment": "medseg.workflows.segment",
    "segment_cases": "medseg.workflows.cases",
    "segment_files": "medseg.workflows.segment",
    "to_dataframe": "medseg.workflows.report",
    "train": "medseg.workflows.train",
    "write": "medseg.workflows.files",
}

__all__ = [
    "convert",
    "edit",
    "evaluate",
    "evaluate_files",
    "evaluate_lesions",
    "find_cases",
    "info",
    "is_mask",
    "measure",
    "measure_cases",
    "measure_files",
    "objects_as_labels",
    "open_dataset",
    "read",
    "read_record",
    "read_segmentation",
    "report",
    "report_files",
    "segment",
    "segment_cases",
    "segment_files",
    "to_dataframe",
    "train",
    "write",
]


class _Room(ModuleType):
    """The room itself: a verb stands before the file of its name, which importing that file would put in its place."""

    def __getattribute__(self, name: str) -> Any:
        where = _WHERE.get(name)
        if where is None:
            return super().__getattribute__(name)
        found = self.__dict__.get(name)
        if found is None or isinstance(found, ModuleType):
            found = self.__dict__[name] = getattr(import_module(where), name)
        return found


sys.modules[__name__].__class__ = _Room
