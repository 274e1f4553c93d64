"""What is wrong with the cases of a dataset; one broken case never stops the rest."""

import numpy as np

from medseg.domain import Case, Dataset, Finding, Image, LabelTable, Run, Segmentation
from medseg.domain.values import as_details
from medseg.errors import MedsegError
from medseg.geometry import Agreement, compare_grids
from medseg.io.datasets.load import read_channel
from medseg.io.datasets.patients import several_masks
from medseg.io.datasets.reference import read_reference

__all__ = ["check_case", "check_dataset"]


def check_dataset(dataset: Dataset, *, run: Run | None = None) -> dict[str, tuple[Finding, ...]]:
    """Findings of every case by id: geometry, labels, channels, empty or NaN, duplicates by content.

    Cost: reads every file once.
    """
    run = run or Run()
    findings: dict[str, tuple[Finding, ...]] = {}
    seen: dict[tuple[str, str], str] = {}
    for number, case in enumerate(dataset.cases):
        run.check()
        run.progress(number, len(dataset.cases), f"check: {case.id}")
        try:
            found, digests = _examine(case, dataset.channels, dataset.table)
        except Exception as error:  # noqa: BLE001 - the edge of a batch: the other cases are still checked
            text = f"Checking it failed: {type(error).__name__}: {error}".partition("\n")[0]
            found, digests = [_finding("case.unreadable", "error", text)], {}
        findings[case.id] = (*found, *_duplicates(case.id, digests, seen))
    run.progress(len(dataset.cases), len(dataset.cases), "check")
    return findings


def check_case(case: Case, table: LabelTable | None = None) -> tuple[Finding, ...]:
    """Findings of one case."""
    return tuple(_examine(case, tuple(file.channel for file in case.images), table)[0])


def _examine(
    case: Case, channels: tuple[str, ...], table: LabelTable | None
) -> tuple[list[Finding], dict[str, str]]:
    found: list[Finding] = []
    have = {file.channel for file in case.images}
    if missing := [name for name in channels if name not in have]:
        found.append(
            _finding("case.channel_missing", "error", f"Channels are missing: {', '.join(missing)}.")
        )
    images = _read_images(case, found)
    for image in images:
        found += _image_findings(image)
    found += _space_findings(images, declared=case.same_space)
    if case.reference is None:
        found.append(_no_reference(case))
    else:
        found += _reference_findings(case, images, table)
    return found, {image.channel: image.digest for image in images if not _is_constant(image)}


def _duplicates(case: str, digests: dict[str, str], seen: dict[tuple[str, str], str]) -> list[Finding]:
    """Channels whose voxels stood in an earlier case; images of one value are reported as such instead."""
    twins: dict[str, list[str]] = {}
    for channel, digest in digests.items():
        first = seen.setdefault((channel, digest), case)
        if first != case:
            twins.setdefault(first, []).append(channel)
    return [
        _finding("case.duplicate", "warning", f"It has the same voxels as case {first} ({', '.join(names)}).")
        for first, names in twins.items()
    ]


def _read_images(case: Case, found: list[Finding]) -> list[Image]:
    images = []
    for file in case.images:
        try:
            images.append(read_channel(file))
        except MedsegError as error:
            found.append(
                _finding("case.unreadable", "error", f"Channel {file.channel} can't be read: {error}")
            )
    return images


def _image_findings(image: Image) -> list[Finding]:
    values = image.array
    found = [item for item in image.findings if item.severity != "info"]
    finite = np.isfinite(values) if values.dtype.kind == "f" else np.ones(1, dtype=np.bool_)
    if not finite.all():
        count = int((~finite).sum())
        found.append(
            _finding(
                "image.not_finite",
                "error",
                f"Channel {image.channel} has {count} voxels that are no numbers.",
            )
        )
    elif _is_constant(image):
        found.append(
            _finding("image.constant", "error", f"Channel {image.channel} has one value everywhere.")
        )
    return found


def _is_constant(image: Image) -> bool:
    return bool(image.array.min() == image.array.max())


def _space_findings(images: list[Image], *, declared: bool) -> list[Finding]:
    found = []
    for image in images[1:]:
        first = images[0].grid
        if compare_grids(first, image.grid).agreement is not Agreement.OTHER or declared:
            continue
        if first.frame_of_reference and first.frame_of_reference == image.grid.frame_of_reference:
            continue
        text = f"Channel {image.channel} is on another grid than {images[0].channel}, and nothing declares one space."
        found.append(_finding("case.space_unknown", "warning", text))
    return found


def _no_reference(case: Case) -> Finding:
    """None is there, or several are, so that nobody knows which is meant."""
    masks = several_masks(case)
    if not masks:
        return _finding("case.no_reference", "info", "It has no reference mask.")
    names = ", ".join(path.name for path in masks)
    text = f"It has no reference mask: its folder holds {len(masks)} that may be it ({names}); keep one."
    return _finding("case.no_reference", "warning", text)


def _reference_findings(case: Case, images: list[Image], table: LabelTable | None) -> list[Finding]:
    try:
        reference, _ = read_reference(case, table, on=images[0] if images else None)
    except MedsegError as error:
        return [_finding("reference.unreadable", "error", f"The reference can't be read: {error}")]
    found = [item for item in reference.findings if item.severity != "info" or item.code.startswith("label")]
    if not reference.present:
        found.append(_finding("reference.empty", "warning", "The reference mask is empty."))
    found += _label_findings(reference, table)
    results = [compare_grids(image.grid, reference.grid) for image in images]
    if results and all(result.agreement is Agreement.OTHER for result in results):
        text = f"The reference lies on no channel's grid: {results[0].fault}."
        found.append(_finding("reference.grid", "error", text))
    return found


def _label_findings(reference: Segmentation, table: LabelTable | None) -> list[Finding]:
    unknown = sorted(set(reference.present) - set(table.values)) if table is not None else []
    if not unknown:
        return []
    text = f"The reference has labels {unknown[:10]} that the dataset does not name."
    return [_finding("reference.unknown_label", "error", text)]


def _finding(code: str, severity: str, message: str) -> Finding:
    return Finding(code, severity, message, as_details())  # type: ignore[arg-type]
