"""Measure: on values, and on files."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from medseg import measuring
from medseg.domain import (
    Finding,
    Grid,
    Image,
    InputRef,
    Label,
    LabelTable,
    Measurement,
    ReadOptions,
    Record,
    Segmentation,
)
from medseg.domain.segmentation import Edit
from medseg.domain.values import as_details
from medseg.errors import GridMismatchError, InputError
from medseg.geometry import require_same_grid, same_grid
from medseg.measuring.plan import LesionPlan, MeasurePlan, PetPlan, TissuePlan
from medseg.workflows.channels import ChannelPath, Images, as_declared, as_mapping, read_channels
from medseg.workflows.declare import declare_values
from medseg.workflows.reading import settings_from_options, settings_from_plan
from medseg.workflows.record import build_record, write_record

__all__ = [
    "LesionPlan",
    "MeasureOptions",
    "MeasurePlan",
    "PetPlan",
    "TissuePlan",
    "lesion_mask",
    "measure",
    "measure_files",
]

#: Labels that a mask can hold.
MOST_LABELS = 65535


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """What `measure_files` may be told beside paths.

    Parameters
    ----------
    labels
        A table for a mask without one: `{value: name}` or a full table, YAML or JSON.
    subject
        Pseudonym for the record.
    plan
        What to measure beside labels and regions: lesions, PET, tissue.
    values
        What the values of a channel are where its file does not say (NIfTI, NRRD, MHA): `HU`, `SUVbw`.
    contours
        Where to write every label's outline in mm as JSON.
    contour_planes
        `acquisition` (the slices as taken), or `three` (across each array axis).
    lesions
        Where to write the mask of lesions, each with its number.
    same_space
        Declares that a channel on another grid shares the mask's world space.
    resample
        Bring a mask that lies on another grid of the same space onto the first image's grid.
    read
        How to read images and mask.
    force
        Whether existing outputs may be replaced.
    """

    labels: Path | None = None
    subject: str | None = None
    plan: MeasurePlan | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    contours: Path | None = None
    contour_planes: Literal["acquisition", "three"] = "acquisition"
    lesions: Path | None = None
    same_space: bool = False
    resample: bool = False
    read: ReadOptions = ReadOptions()
    force: bool = False


def measure(
    segmentation: Segmentation,
    images: Images | None = None,
    *,
    subject: str | None = None,
    same_space: bool = False,
    plan: MeasurePlan | None = None,
) -> Record:
    """Measure every label and region; intensities of each image too; what the plan asks for beside.

    Parameters
    ----------
    segmentation
        What to measure.
    images
        One image or several by channel. One of them must lie on the mask's grid; the others share its
        world space (by UID, or declared by `same_space`).
    subject
        Pseudonym; by default `case-` and eight hex digits of the image's digest.
    plan
        Lesions with their axes and a rule set, PET delineations, tissue; None measures labels and regions.

    Raises
    ------
    InputError
        If the plan names a label or channel that is not there.
    GridMismatchError
        If no image lies on the mask's grid, or the common space is unknown; the message names the likely fault.
    """
    channels = {} if images is None else as_declared(as_mapping(images), segmentation.made_by)
    findings = []
    if channels:
        segmentation, finding = _aligned(segmentation, channels)
        findings = [finding] if finding else []
        _require_space(segmentation.grid, channels, declared=same_space)
    channels = {name: measuring.find_field(image) for name, image in channels.items()}
    measurements = _measurements(segmentation, channels, plan or MeasurePlan())
    findings += measuring.size_findings(measurements)
    if not segmentation.table.labels:
        text = (
            "The mask is empty and names no label, so nothing was looked for; name what was, with --labels."
        )
        findings.append(Finding("mask.empty", "warning", text))
    record = build_record(segmentation, channels, measurements, subject=subject, findings=tuple(findings))
    return replace(record, settings=settings_from_plan(plan) if plan else ())


def _measurements(
    segmentation: Segmentation, channels: Mapping[str, Image], plan: MeasurePlan
) -> tuple[Measurement, ...]:
    """Labels and regions, then lesions, PET and tissue where asked for."""
    found = [*measuring.measure(segmentation, channels)]
    lesions = None
    if plan.lesions is not None:
        lesions = measuring.find_lesions(segmentation, plan.lesions)
        found += measuring.measure_lesions(segmentation, channels, plan.lesions, lesions)
    if plan.pet is not None:
        found += measuring.measure_pet(segmentation, channels, plan.pet, lesions)
    if plan.tissue is not None:
        found += measuring.measure_tissue(segmentation, channels, plan.tissue)
    return tuple(found)


def lesion_mask(segmentation: Segmentation, plan: LesionPlan | None = None) -> Segmentation:
    """The mask of numbered lesions, each a label of its own: what lesion 3 of a Record is, in voxels.

    Raises
    ------
    InputError
        If there are more lesions than labels (65535).
    """
    found = measuring.find_lesions(segmentation, plan or LesionPlan())
    if len(found) > MOST_LABELS:
        raise InputError(f"there are {len(found)} lesions, and a mask holds {MOST_LABELS} labels")
    labels = tuple(
        Label(number, f"{target.name} lesion {target.lesion}")
        for number, target in enumerate(found.targets, 1)
    )
    made_by = replace(segmentation.made_by, edits=(*segmentation.made_by.edits, Edit("split into lesions")))
    return Segmentation(found.ids, segmentation.grid, LabelTable(labels), made_by, segmentation.findings)


def measure_files(
    mask: Path,
    images: Mapping[str, ChannelPath],
    out: Path,
    *,
    options: MeasureOptions | None = None,
) -> Record:
    """Read a mask and its images, measure, write the Record (and contours); returns the Record."""
    from medseg.io.atomic import require_absent, write_bytes
    from medseg.io.probabilities import with_probabilities

    options = options or MeasureOptions()
    for path in (out, options.contours, options.lesions):
        if path is not None:
            require_absent(path, force=options.force)
    channels = declare_values(read_channels(images, options.read), options.values)
    segmentation = with_probabilities(_read_mask(mask, channels, options), mask)
    if options.resample and channels:
        segmentation = _resampled(segmentation, next(iter(channels.values())).grid)
    record = measure(
        segmentation,
        channels or None,
        subject=options.subject,
        same_space=options.same_space,
        plan=options.plan,
    )
    record = replace(
        record,
        inputs=tuple(_with_path(item, mask) for item in record.inputs),
        settings=(*settings_from_options(options.read), *record.settings),
    )
    if options.contours is not None:
        write_bytes(options.contours, _outlines(segmentation, options), force=options.force)
    if options.lesions is not None:
        from medseg.io import write_segmentation

        asked = options.plan.lesions if options.plan else None
        write_segmentation(lesion_mask(segmentation, asked), options.lesions, force=options.force)
    write_record(record, out, force=options.force)
    return record


def _read_mask(path: Path, channels: Mapping[str, Image], options: MeasureOptions) -> Segmentation:
    """The mask, on the grid of the first channel that it belongs to where its format holds no whole grid."""
    from medseg.io import read_segmentation

    refusals: list[GridMismatchError] = []
    candidates: list[Image | None] = [*channels.values()] or [None]
    for on in candidates:
        try:
            return read_segmentation(path, options=_for_mask(options.read), labels=options.labels, on=on)
        except GridMismatchError as error:
            refusals.append(error)
    raise refusals[0]


def _outlines(segmentation: Segmentation, options: MeasureOptions) -> bytes:
    """Outlines as JSON; sub-voxel where the mask keeps probabilities."""
    import json

    subvoxel = segmentation.probabilities is not None
    found = measuring.contours(segmentation, planes=options.contour_planes, subvoxel=subvoxel)
    return json.dumps(found).encode()


def _with_path(item: InputRef, mask: Path) -> InputRef:
    return replace(item, path=str(mask)) if item.role == "mask" else item


def _for_mask(options: ReadOptions) -> ReadOptions:
    # A series or volume chosen for the image says nothing about the mask's file.
    return replace(options, series=None, volume=None)


def _aligned(segmentation: Segmentation, images: Mapping[str, Image]) -> tuple[Segmentation, Finding | None]:
    """The mask on the grid of the image that it lies on, with the slice thickness that the image states."""
    for image in images.values():
        if same_grid(image.grid, segmentation.grid):
            return replace(segmentation, grid=_with_thickness(segmentation.grid, image.grid)), None
    first = next(iter(images.values()))
    finding = require_same_grid(first.grid, segmentation.grid)
    snapped = replace(segmentation.grid, affine=first.grid.affine)
    return replace(segmentation, grid=_with_thickness(snapped, first.grid)), finding


def _with_thickness(grid: Grid, image: Grid) -> Grid:
    return replace(grid, slice_thickness=grid.slice_thickness or image.slice_thickness)


def _require_space(grid: Grid, images: Mapping[str, Image], *, declared: bool) -> None:
    for name, image in images.items():
        one, two = grid.frame_of_reference, image.grid.frame_of_reference
        if same_grid(image.grid, grid) or declared or (one and one == two):
            continue
        raise GridMismatchError(
            f"channel {name!r} is on another grid than the mask and nothing says that they share one space; "
            "if they do, say so with --same-space"
        )


def _resampled(segmentation: Segmentation, grid: Grid) -> Segmentation:
    from medseg.geometry.resample import resample

    if same_grid(grid, segmentation.grid):
        return segmentation
    labels = resample(segmentation.labels, segmentation.grid, grid, interpolation="nearest")
    before = int((segmentation.labels > 0).sum()) * segmentation.grid.voxel_volume / 1000
    after = int((labels > 0).sum()) * grid.voxel_volume / 1000
    finding = Finding(
        "mask.resampled",
        "warning",
        f"The mask lay on another grid and was resampled to the image's: {before:.3f} ml became {after:.3f} ml.",
        as_details(before_ml=before, after_ml=after),
    )
    return replace(
        segmentation,
        labels=labels,
        grid=grid,
        findings=(*segmentation.findings, finding),
        instances=None,
        probabilities=None,
    )
