"""Earlier scans segmented and measured again as the last one was, so that one method made both masks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medseg.domain import Finding, Record, Run, Segmentation
from medseg.domain.provenance import GIVEN
from medseg.errors import InputError
from medseg.io import write_segmentation
from medseg.io.sidecar import sidecar_path
from medseg.workflows.comparable import method_differences
from medseg.workflows.followup import FollowScan
from medseg.workflows.measure import measure
from medseg.workflows.record import write_record
from medseg.workflows.segment import segment
from medseg.workflows.segmenters import find_segmenter

__all__ = ["Again", "again_files", "measured_again", "write_again"]


@dataclass(frozen=True, slots=True, eq=False)
class Again:
    """One scan measured again: its new mask and Record, where both go, and what a reader must know."""

    scan: FollowScan
    mask_path: Path
    finding: Finding


def again_files(record: Path, folder: Path) -> tuple[Path, Path, Path]:
    """Record, mask and the mask's sidecar of a scan that is measured again."""
    mask = folder / f"{record.stem}-again.nii.gz"
    return folder / f"{record.stem}-again.json", mask, sidecar_path(mask)


def measured_again(
    scans: Sequence[FollowScan], last: FollowScan, folder: Path, run: Run
) -> tuple[Again | None, ...]:
    """For each scan what the last one's method and settings make of it; None where they made its mask already.

    The scan's own Record stays as it is. Nothing is written here.

    Raises
    ------
    InputError
        If the last mask was given or needs seeds, an image is not there, or the method here has other weights.
    """
    return tuple(
        None
        if scan is last or not any(method_differences(scan.record, last.record))
        else _again(scan, number, last, folder, run)
        for number, scan in enumerate(scans, start=1)
    )


def write_again(items: Sequence[Again], *, force: bool) -> None:
    """Each mask with its sidecar, and its Record."""
    for item in items:
        item.mask_path.parent.mkdir(parents=True, exist_ok=True)
        write_segmentation(item.scan.mask, item.mask_path, force=force)
        write_record(item.scan.record, Path(item.scan.path), force=force)


def _again(scan: FollowScan, number: int, last: FollowScan, folder: Path, run: Run) -> Again:
    made_by = last.record.made_by
    if made_by.segmenter == GIVEN:
        raise InputError(
            "the last mask was given and no method says how it was made, so earlier scans can't be measured again"
        )
    mask = _segmented(scan, last.record, run)
    missing = sorted({name for name, _ in made_by.parameters} - {name for name, _ in mask.made_by.parameters})
    if missing:
        raise InputError(
            f"the last mask was made with {', '.join(missing)}, which belongs to its own scan; earlier ones can't be "
            "measured again like that"
        )
    if mask.made_by.weights_digest != made_by.weights_digest:
        raise InputError(
            f"{made_by.segmenter} has other weights here than those that made the last mask; bring that model in with "
            "'medseg models add', or measure all scans with this one"
        )
    record_path, mask_path, _ = again_files(Path(scan.path), folder)
    record = measure(
        mask, scan.images, subject=scan.record.subject, same_space=True, plan=last.record.plan, run=run
    )
    inputs = tuple(
        replace(item, path=str(mask_path)) if item.role == "mask" else item for item in record.inputs
    )
    record = replace(record, inputs=inputs, read=scan.record.read)
    text = (
        f"Scan {number} was segmented and measured again as the last one was, by {made_by.segmenter}; its own record "
        f"{Path(scan.path).name}, by {scan.record.made_by.segmenter}, stays as it is."
    )
    return Again(
        FollowScan(record, mask, scan.images, str(record_path)),
        mask_path,
        Finding("followup.measured_again", "info", text),
    )


def _segmented(scan: FollowScan, last: Record, run: Run) -> Segmentation:
    wanted = [item.channel for item in last.made_by.images]
    if missing := [name for name in wanted if name not in scan.images]:
        raise InputError(
            f"{scan.path}: its image {', '.join(missing)} is not there to be segmented again; say where with --among"
        )
    images = {name: scan.images[name] for name in wanted}
    try:
        engine = find_segmenter(last.made_by.segmenter)
        # What else is recorded was found in the scan itself, as the threshold of a method that looks for one.
        params = {
            name: value for name, value in last.made_by.parameters if name in engine.Params.model_fields
        }
        return segment(engine, images, params=params, same_space=True, run=run)
    except InputError as error:
        raise type(error)(
            f"{scan.path} can't be segmented again by {last.made_by.segmenter}: {error}"
        ) from error
