"""Demo: the shipped samples through the whole path, and one case cut on purpose."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from medseg import settings
from medseg.domain import Finding, Image, Measurement, Quantity, Record, Run, Segmentation
from medseg.domain.values import as_details
from medseg.errors import InputError
from medseg.geometry import order_to
from medseg.io import read, read_segmentation, write_image, write_segmentation
from medseg.io.atomic import staged_folder, write_bytes
from medseg.io.unfinished import together
from medseg.measuring import contours
from medseg.reporting import PageExtras
from medseg.workflows.evaluate import evaluate
from medseg.workflows.measure import LesionPlan, MeasurePlan, PetPlan, measure
from medseg.workflows.record import write_record
from medseg.workflows.report import ReportFiles, write_views
from medseg.workflows.segment import segment

__all__ = ["DemoResult", "demo", "sample_folder"]

#: Share of the tumour's extent along the foot–head axis that the cut sample keeps.
_KEPT_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class _Sample:
    """A shipped case: the model to run, and its files by channel; `reference` is its mask."""

    name: str
    model: str
    channels: Mapping[str, str]
    reference: str


@dataclass(frozen=True, slots=True)
class DemoResult:
    """One finished sample: rows for the table, and the page to open."""

    name: str
    rows: tuple[tuple[str, str, str, str, str], ...]
    html: Path

    def as_plain(self) -> dict[str, Any]:
        """For `--json`."""
        return {"name": self.name, "rows": [list(row) for row in self.rows], "html": str(self.html)}


_SAMPLES = (
    _Sample("hippocampus", "hippocampus", {"mr": "mr.nii.gz"}, "reference.nii.gz"),
    _Sample("sarcoma", "sarcoma", {"mr": "mr.nii.gz", "pet": "pet.nii.gz"}, "reference.nii.gz"),
)


def sample_folder(name: str) -> Path:
    """Folder of a shipped sample.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    folder = settings.shipped_folder() / "samples" / name
    if not folder.is_dir():
        raise InputError(f"there is no shipped sample {name!r}")
    return folder


def demo(out: Path, *, force: bool = False, run: Run | None = None) -> tuple[DemoResult, ...]:
    """Segment, measure, compare and report each sample into `out`; then a case that was cut on purpose.

    Writes per sample a folder with mask, sidecar, record (JSON), CSV, HTML and PDF. Everything is written
    into a folder beside `out` first, so that a failed demo leaves nothing that looks finished.
    """
    run = run or Run()
    steps = len(_SAMPLES) + 1
    with together(out), staged_folder(out, force=force) as stage:
        results = []
        for number, sample in enumerate(_SAMPLES):
            run.progress(number, steps, f"demo: {sample.name}")
            images = _read(sample)
            mask = segment(sample.model, images, same_space=True, run=run)
            results.append(_finish(sample.name, stage, images, mask, reference=_reference(sample)))
        run.progress(len(_SAMPLES), steps, "demo: a case cut on purpose")
        results.append(_cut_case(stage, images, mask))
        run.progress(steps, steps, "demo")
    return tuple(replace(result, html=out / result.html.relative_to(stage)) for result in results)


def _read(sample: _Sample) -> dict[str, Image]:
    folder = sample_folder(sample.name)
    return {name: replace(read(folder / file), channel=name) for name, file in sample.channels.items()}


def _reference(sample: _Sample) -> Segmentation:
    return read_segmentation(sample_folder(sample.name) / sample.reference)


def _finish(
    name: str,
    stage: Path,
    images: Mapping[str, Image],
    mask: Segmentation,
    *,
    reference: Segmentation | None,
    findings: tuple[Finding, ...] = (),
) -> DemoResult:
    folder = stage / name
    folder.mkdir(exist_ok=True)
    mask = replace(mask, findings=(*mask.findings, *findings))
    written = write_segmentation(mask, folder / "mask.nii.gz")
    plan = _plan(images)
    record = measure(mask, images, subject=f"sample-{name}", same_space=True, plan=plan)
    record = replace(
        record, inputs=tuple(replace(i, path=str(written)) if i.role == "mask" else i for i in record.inputs)
    )
    write_record(record, folder / "record.json")
    _write_json(folder / "contours.json", contours(mask))
    compared = evaluate(mask, reference) if reference is not None else ()
    html = folder / "report.html"
    files = ReportFiles(html=html, pdf=folder / "report.pdf", csv=folder / "measurements.csv")
    write_views(record, files, mask=mask, images=images, extras=PageExtras(compared))
    return DemoResult(name, _rows(name, record, compared), html)


def _cut_case(stage: Path, images: Mapping[str, Image], mask: Segmentation) -> DemoResult:
    """Cut the image through the segmented structure, as a scan with too small a field of view would be."""
    order = order_to(mask.grid)
    axis = order.source[2]
    used = np.flatnonzero(mask.labels.any(axis=tuple(other for other in range(3) if other != axis)))
    cut = int(used[0] + (used[-1] - used[0]) * _KEPT_SHARE) if used.size else mask.grid.shape[axis] // 2
    keep = tuple(slice(0, max(2, cut)) if other == axis else slice(None) for other in range(3))
    shape = tuple(len(range(*part.indices(n))) for part, n in zip(keep, mask.grid.shape, strict=True))
    grid = replace(mask.grid, shape=shape)  # type: ignore[arg-type]
    first, image = next(iter(images.items()))
    folder = stage / "cut"
    folder.mkdir()
    small = read(write_image(replace(image, array=image.array[keep], grid=grid), folder / f"{first}.nii.gz"))
    folder_note = Finding(
        "demo.cut",
        "warning",
        "This case was cut through the structure on purpose, to show what a report says about a structure "
        "that leaves the field of view.",
        as_details(axis=axis, first_removed_index=cut),
    )
    labels = replace(mask, labels=mask.labels[keep], grid=grid, probabilities=None, instances=None)
    return _finish(
        "cut", stage, {first: replace(small, channel=first)}, labels, reference=None, findings=(folder_note,)
    )


def _rows(
    name: str, record: Record, compared: tuple[Measurement, ...]
) -> tuple[tuple[str, str, str, str, str], ...]:
    dice = {item.target.name: item.value for item in compared if item.quantity is Quantity.DICE}
    rows = []
    for item in record.measurements:
        if item.quantity is not Quantity.VOLUME or item.target.kind not in ("label", "region"):
            continue
        volume = "not computed" if item.value is None else f"{item.value:.4g} {item.unit}"
        overlap = dice.get(item.target.name)
        rows.append(
            (name, item.target.name, volume, item.status.value, "" if overlap is None else f"{overlap:.3f}")
        )
    return tuple(rows)


def _plan(images: Mapping[str, Image]) -> MeasurePlan | None:
    """Lesions and uptake for a tumour on PET; a tissue has neither."""
    if "pet" not in images:
        return None
    # The true slice thickness of this sample is not known, so its size criterion says why it is withheld.
    return MeasurePlan(
        LesionPlan(minimum_mm3=500.0, rule="recist-1.1"), PetPlan(delineations=("given", "41%"))
    )


def _write_json(path: Path, value: object) -> None:
    write_bytes(path, json.dumps(value).encode())
