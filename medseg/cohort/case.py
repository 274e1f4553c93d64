"""One case of a study, from its images to its page, in its own folder; runs in the process that can be ended."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from medseg.domain import Case, Record, Run, Segmenter
from medseg.domain.plan import MeasurePlan
from medseg.domain.run import Progress
from medseg.inference.memory import held_bytes
from medseg.io.atomic import write_bytes
from medseg.reporting.contact.thumbnail import draw_thumbnail
from medseg.reporting.extras import PageExtras
from medseg.reporting.tables.wide import CASE_COLUMNS, wide_rows
from medseg.workflows.batch import make_folder
from medseg.workflows.cases import mask_suffix, measure_case, segment_case
from medseg.workflows.measure import MeasureOptions
from medseg.workflows.report import ReportFiles, open_inputs, write_views
from medseg.workflows.segment import SegmentOptions
from medseg.workflows.segmenters import find_segmenter

__all__ = ["CASES", "PAGE", "PICTURE", "RECORD", "CaseJob", "do_case", "output_names"]

#: Folder of the cases in that of the study, and what lies in the folder of each.
CASES, RECORD, PAGE, PICTURE = "cases", "record.json", "page.html", "picture.png"


@dataclass(frozen=True, slots=True)
class CaseJob:
    """What is done with every case of a study; `out` is the folder of the study."""

    out: str
    segment: SegmentOptions
    method: str
    plan: MeasurePlan
    pages: bool
    pictures: bool
    device: str = "auto"
    threads: int | None = None

    def folder(self, case: Case) -> Path:
        """Where all that is made of a case lies."""
        return Path(self.out) / CASES / case.id


def output_names(case: Case, job: CaseJob) -> tuple[str, ...]:
    """Names of the files that a finished case has in its folder."""
    mask = f"mask{mask_suffix(case, job.segment)}"
    asked = ((PAGE, job.pages), (PICTURE, job.pictures))
    return (mask, "mask.seg.json", RECORD, *(name for name, wanted in asked if wanted))


def do_case(case: Case, job: CaseJob, progress: Progress) -> dict[str, Any]:
    """Segment, measure, report; what stands and was asked for alike is kept, a person's work above all.

    Returns the facts that tables and page show, and the most memory that was held.
    """
    _forget_peak()
    folder = job.folder(case)
    make_folder(folder)
    run = Run(device=job.device, threads=job.threads)  # type: ignore[arg-type]
    mask = folder / output_names(case, job)[0]
    progress(0, 3, "segment")
    found = segment_case(_engine(job.method), case, mask, job.segment, run)
    progress(1, 3, "measure")
    measuring = MeasureOptions(plan=job.plan, values=job.segment.values, same_space=job.segment.same_space)
    _, record = measure_case(case.id, mask, case, folder / RECORD, measuring)
    progress(2, 3, "report")
    caption = _report(record, folder, job)
    facts = {
        **_facts(case, record),
        "caption": caption,
        "kept": found.reason if found.state == "kept" else "",
    }
    return {"facts": facts, "peak_bytes": _peak()}


@cache
def _engine(method: str) -> Segmenter:
    """One warm segmenter for all cases of a process."""
    return find_segmenter(method)


def _report(record: Record, folder: Path, job: CaseJob) -> str:
    """Write page and picture where they are asked for; the words of the picture."""
    if not (job.pages or job.pictures):
        return ""
    found = open_inputs(record, folder)
    if job.pages:
        files = ReportFiles(html=folder / PAGE)
        extras = PageExtras(missing=found.missing)
        write_views(found.record, files, mask=found.mask, images=found.images, extras=extras, force=True)
    if not job.pictures or found.mask is None:
        return ""
    drawn = draw_thumbnail(found.record, found.mask, found.images)
    write_bytes(folder / PICTURE, drawn.png, force=True)
    return drawn.caption


def _facts(case: Case, record: Record) -> dict[str, Any]:
    head, (row,) = wide_rows({case.id: record})
    first = len(CASE_COLUMNS)
    told = dict(record.images[0].details) if record.images else {}
    words = [str(told[key]) for key in ("manufacturer", "model") if told.get(key)]
    field_t = told.get("field_strength_t")
    domain = [item.message for item in record.findings if item.code.startswith("domain.")]
    return {
        "about": dict(zip(head[:first], row[:first], strict=True)),
        "numbers": dict(zip(head[first:], row[first:], strict=True)),
        "scanner": " ".join([*words, *([f"{field_t:g} T"] if isinstance(field_t, int | float) else [])]),
        "domain": " ".join(domain),
    }


def _family() -> list[psutil.Process]:
    me = psutil.Process()
    with suppress(psutil.Error):
        return [me, *me.children(recursive=True)]
    return [me]


def _forget_peak() -> None:
    """Begin to count anew (Linux); elsewhere the peak is that of all cases of this process so far."""
    for process in _family():
        with suppress(OSError):
            Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")


def _peak() -> int:
    """Most bytes held, by this process and those that it has started."""
    total = 0
    for process in _family():
        with suppress(OSError, StopIteration):
            lines = (
                Path(f"/proc/{process.pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
            )
            total += 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
    return total or held_bytes() or 0
