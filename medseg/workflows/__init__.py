"""One file per verb: on values (`segment`), and on files (`segment_files`). The only room that joins rooms."""

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
