"""Measure: on values, and on files."""

import json
from collections.abc import Iterator, Mapping, Sequence
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
    Run,
    Segmentation,
    Status,
    Target,
)
from medseg.domain.plan import LesionPlan, MeasurePlan, PetPlan, TissuePlan
from medseg.domain.provenance import Edit
from medseg.domain.values import Scalar, as_details
from medseg.errors import GridMismatchError, InputError
from medseg.geometry import same_grid
from medseg.io import read_segmentation, write_segmentation
from medseg.io.atomic import require_absent, require_apart, write_bytes
from medseg.io.datasets.nnunet import ignored_label
from medseg.io.probabilities import with_probabilities
from medseg.io.sidecar import sidecar_path
from medseg.io.unfinished import together
from medseg.masks.ignored import without_ignored
from medseg.masks.onto import lies_on, onto_grid
from medseg.measuring.intervals import interval_findings
from medseg.measuring.noise import NOISE_METHOD
from medseg.reporting.record.json import content_digest
from medseg.settings import local_now
from medseg.workflows.channels import (
    ChannelPath,
    Images,
    as_mapping,
    as_segmented,
    channel_files,
    read_channels,
)
from medseg.workflows.declare import declare_values
from medseg.workflows.record import build_record, days_between, result_digest, write_record

__all__ = [
    "LesionPlan",
    "MeasureOptions",
    "MeasurePlan",
    "MeasureTask",
    "PetPlan",
    "TissuePlan",
    "lesion_mask",
    "measure",
    "measure_files",
    "read_measuring",
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
    read
        How to read images and mask; with `resample`, a mask that lies on another grid of the same space is brought onto
        the first image's.
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
    read: ReadOptions = ReadOptions()
    force: bool = False


def measure(
    segmentation: Segmentation,
    images: Images | None = None,
    *,
    subject: str | None = None,
    same_space: bool = False,
    plan: MeasurePlan | None = None,
    run: Run | None = None,
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
    run
        Progress, and whether to stop.

    Raises
    ------
    InputError
        If the plan names a label or channel that is not there.
    GridMismatchError
        If no image lies on the mask's grid, or the common space is unknown; the message names the likely fault.
    """
    task = measure_inputs(segmentation, {} if images is None else as_mapping(images), declared=same_space)
    draft = draft_record(task, subject=subject, plan=asked_plan(plan, task.mask.table))
    return measured_record(task, draft, run or Run())


@dataclass(frozen=True, slots=True, eq=False)
class MeasureInputs:
    """A mask on the grid of an image that it belongs to, and the images in the space of the mask."""

    mask: Segmentation
    images: Mapping[str, Image]


def measure_inputs(mask: Segmentation, images: Mapping[str, Image], *, declared: bool) -> MeasureInputs:
    """The mask on the grid that it belongs to, and every image with its field found; the space is checked."""
    channels = as_segmented(images, mask.made_by)
    if not channels:
        return MeasureInputs(mask, {})
    mask = onto_grid(mask, _own_grid(mask, channels))
    _require_space(mask.grid, channels, declared=declared)
    return MeasureInputs(mask, {name: measuring.find_field(image) for name, image in channels.items()})


def draft_record(task: MeasureInputs, *, subject: str | None, plan: MeasurePlan) -> Record:
    """The Record before anything is measured: it says all that is asked, and its digest is the request's."""
    record = build_record(task.mask, task.images, (), subject=subject, plan=plan)
    return replace(record, request_digest=content_digest(record))


def measured_record(
    task: MeasureInputs,
    draft: Record,
    run: Run,
    known: Mapping[Target, Sequence[Measurement]] | None = None,
) -> Record:
    """The draft with its numbers; `known` are rows of labels and regions that nothing has changed since."""
    measurements = _measurements(task, draft.plan, run, known or {})
    findings = [*draft.findings, *_other_images(task), *measuring.size_findings(measurements)]
    findings += _not_in_table(measurements, draft.plan)
    findings += interval_findings(task.mask)
    if not task.mask.table.labels:
        text = (
            "The mask is empty and names no label, so nothing was looked for; name what was, with --labels."
        )
        findings.append(Finding("mask.empty", "warning", text))
    record = replace(
        draft,
        inputs=tuple(_described(item, task) for item in draft.inputs),
        measurements=measurements,
        findings=tuple(dict.fromkeys(findings)),
        analysed_on=local_now().date().isoformat(),
    )
    return replace(record, result_digest=result_digest(record))


def _described(item: InputRef, task: MeasureInputs) -> InputRef:
    """An image with what was seen of it while measuring: days after the first series, noise near the structures."""
    if item.role != "image":
        return item
    image = task.images[item.channel]
    seen: dict[str, Scalar] = {}
    days = days_between(task.images)
    if days:
        seen["days_after_first_series"] = days[item.channel]
    if same_grid(image.grid, task.mask.grid):
        noise = measuring.noise_near(task.mask.labels, image)
        if noise is not None:
            seen |= {"noise_sd": noise, "noise_method": NOISE_METHOD}
    return replace(item, details=(*item.details, *as_details(**seen)))


def _other_images(task: MeasureInputs) -> Iterator[Finding]:
    """Said where a mask that knows its images is measured on none of them: often they were replaced since."""
    made_from = {item.digest for item in task.mask.made_by.images}
    if made_from and task.images and not made_from & {image.digest for image in task.images.values()}:
        text = "None of the images measured here is, voxel for voxel, one that the mask was made from."
        yield Finding("mask.other_image", "warning", text)


def _not_in_table(measurements: Sequence[Measurement], plan: MeasurePlan) -> Iterator[Finding]:
    """Said where reference values were given and are about nothing measured: often a name is spelt otherwise."""
    if plan.reference is not None and not any(item.placement for item in measurements):
        text = (
            f"The reference values in {plan.reference.table.name} are about no structure and quantity measured here; "
            "their names must be those of the mask's labels."
        )
        yield Finding("reference.nothing", "warning", text)


def _measurements(
    task: MeasureInputs, plan: MeasurePlan, run: Run, known: Mapping[Target, Sequence[Measurement]]
) -> tuple[Measurement, ...]:
    """Labels and regions, then lesions, PET and tissue where asked for."""
    segmentation, channels = task.mask, task.images
    found = _structures(task, run, known)
    lesions = None
    if plan.lesions is not None:
        lesions = measuring.find_lesions(segmentation, plan.lesions, run)
        found += measuring.measure_lesions(segmentation, channels, plan.lesions, lesions, run=run)
    run.check()
    if plan.pet is not None:
        run.progress(0, None, "measuring uptake")
        found += measuring.measure_pet(segmentation, channels, plan.pet, lesions)
        run.check()
    if plan.tissue is not None:
        run.progress(0, None, "measuring tissue")
        found += measuring.measure_tissue(segmentation, channels, plan.tissue)
    if plan.normal is not None:
        found += measuring.normalised(found, plan.normal)
    return tuple(found) if plan.reference is None else _placed(found, plan, segmentation)


def _structures(
    task: MeasureInputs, run: Run, known: Mapping[Target, Sequence[Measurement]]
) -> list[Measurement]:
    """Rows of every label and region, in the order of the table; those that are known are not measured again."""
    wanted = measuring.targets(task.mask)
    todo = [target for target in wanted if target not in known]
    fresh: dict[Target, list[Measurement]] = {target: [] for target in todo}
    for item in measuring.measure(task.mask, task.images, of=todo, run=run):
        fresh[item.target].append(item)
    return [item for target in wanted for item in (known.get(target) or fresh[target])]


def _placed(found: Sequence[Measurement], plan: MeasurePlan, mask: Segmentation) -> tuple[Measurement, ...]:
    """The measurements with their places among the reference values; the head is as large as the plan's label."""
    if plan.reference is None:
        return tuple(found)
    person = plan.reference.person
    head = None if plan.normal is None else measuring.intracranial(found, plan.normal)
    if head is not None and head.status is Status.OK and head.value:
        person = replace(person, icv_ml=float(head.value))
    return measuring.place_among(found, plan.reference.table, person, mask.made_by)


def asked_plan(plan: MeasurePlan | None, table: LabelTable) -> MeasurePlan:
    """The plan with those reference values alone that are about this mask, which the Record holds."""
    plan = plan or MeasurePlan()
    if plan.reference is None:
        return plan
    names = [*(label.name for label in table.labels), *(region.name for region in table.regions)]
    rows = plan.reference.table.about(names)
    return replace(plan, reference=replace(plan.reference, table=rows))


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
    options = options or MeasureOptions()
    with together(out, options.contours, options.lesions):
        outputs = (out, options.contours, options.lesions)
        for path in outputs:
            if path is not None:
                require_absent(path, force=options.force)
        require_apart(outputs, (mask, sidecar_path(mask), options.labels, *channel_files(images)))
        task = read_measuring(mask, images, options)
        # The Record comes last, so that one that is there has all that was asked for beside it.
        if options.contours is not None:
            task.write_contours(options.contours, options, force=options.force)
        if options.lesions is not None:
            task.write_lesions(options.lesions, force=options.force)
        return task.write(out, force=options.force)


@dataclass(frozen=True, slots=True, eq=False)
class MeasureTask:
    """One measurement of files, ready to run; the draft says all that is asked and nothing that was found."""

    inputs: MeasureInputs
    draft: Record

    @property
    def request(self) -> str:
        """Digest of all that is asked; equal requests give equal numbers."""
        return str(self.draft.request_digest)

    def write(self, out: Path, *, force: bool) -> Record:
        """Measure, and write the Record."""
        record = measured_record(self.inputs, self.draft, Run())
        write_record(record, out, force=force)
        return record

    def write_contours(self, path: Path, options: MeasureOptions, *, force: bool) -> None:
        """Every label's outline in mm as JSON."""
        write_bytes(path, _outlines(self.inputs.mask, options), force=force)

    def write_lesions(self, path: Path, *, force: bool) -> None:
        """The mask of numbered lesions."""
        write_segmentation(lesion_mask(self.inputs.mask, self.draft.plan.lesions), path, force=force)


def read_measuring(mask: Path, images: Mapping[str, ChannelPath], options: MeasureOptions) -> MeasureTask:
    """Read a mask and its images, and bring the mask onto the grid of one of them.

    Raises
    ------
    InputError
        As `measure`, and if a file can't be read.
    """
    channels = declare_values(read_channels(images, options.read), options.values)
    segmentation = with_probabilities(_read_mask(mask, channels, options), mask)
    segmentation = without_ignored(segmentation, ignored_label(mask, options.labels))
    if channels:
        grid = _own_grid(segmentation, channels)
        segmentation = onto_grid(segmentation, grid, resample=options.read.resample)
    task = measure_inputs(segmentation, channels, declared=options.same_space)
    draft = build_record(
        task.mask,
        task.images,
        (),
        subject=options.subject,
        mask_path=mask,
        plan=asked_plan(options.plan, task.mask.table),
        read=replace(options.read, series=None, volume=None),
    )
    return MeasureTask(task, replace(draft, request_digest=content_digest(draft)))


def _read_mask(path: Path, channels: Mapping[str, Image], options: MeasureOptions) -> Segmentation:
    """The mask, on the grid of the first channel that it belongs to where its format holds no whole grid."""
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
    subvoxel = segmentation.probabilities is not None
    found = measuring.contours(segmentation, planes=options.contour_planes, subvoxel=subvoxel)
    return json.dumps(found).encode()


def _for_mask(options: ReadOptions) -> ReadOptions:
    # A series or volume chosen for the image says nothing about the mask's file.
    return replace(options, series=None, volume=None)


def _own_grid(mask: Segmentation, images: Mapping[str, Image]) -> Grid:
    """The grid of the image that the mask lies on: the same one, else one with the same voxels, else the first's."""
    grids = [image.grid for image in images.values()]
    same = (grid for grid in grids if same_grid(grid, mask.grid))
    near = (grid for grid in grids if lies_on(mask.grid, grid))
    return next(same, None) or next(near, None) or grids[0]


def _require_space(grid: Grid, images: Mapping[str, Image], *, declared: bool) -> None:
    for name, image in images.items():
        one, two = grid.frame_of_reference, image.grid.frame_of_reference
        if same_grid(image.grid, grid) or declared or (one and one == two):
            continue
        raise GridMismatchError(
            f"channel {name!r} is on another grid than the mask and nothing says that they share one space; "
            "if they do, say so with --same-space"
        )
