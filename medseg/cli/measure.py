"""`medseg measure`: a mask (and its images) to numbers."""

from dataclasses import replace
from itertools import chain
from json import loads
from pathlib import Path
from typing import Annotated

import typer

from medseg.cli import measure_options as ask
from medseg.cli import options as opt
from medseg.cli.output import emit, print_findings, print_table, say
from medseg.cli.progress import running
from medseg.cli.segment import print_results
from medseg.domain import Case, Finding, Measurement, ReadOptions, Record
from medseg.domain.plan import MeasurePlan
from medseg.errors import InputError
from medseg.io import is_dataset
from medseg.reporting import record_to_json
from medseg.workflows.aside import files_of_cases, left_aside, reference_files, without_reference
from medseg.workflows.cases import (
    by_id,
    find_cases,
    images_of_masks,
    masks_by_stem,
    measure_cases,
    write_table,
)
from medseg.workflows.measure import MeasureOptions, measure_files
from medseg.workflows.volumes import ALL, case_of_path, each_volume


@opt.reading
def command(
    mask: Annotated[
        Path,
        typer.Argument(help="A mask file; a folder of masks; or a dataset, whose references are measured."),
    ],
    out: Annotated[Path, typer.Option(help="The record to write (JSON); a folder for many masks.")] = ...,  # type: ignore[assignment]
    image: Annotated[
        Path | None,
        typer.Option(
            help="The image that was segmented; for many masks a folder or dataset, paired by name."
        ),
    ] = None,
    channel: opt.Channels = None,
    labels: opt.Labels = None,
    contours: Annotated[
        Path | None,
        typer.Option(help="Also write every label's outline in mm to this JSON; a folder for many masks."),
    ] = None,
    contour_planes: Annotated[
        str, typer.Option(help="acquisition (slices as taken) or three (across each axis).")
    ] = "acquisition",
    lesions: ask.Lesions = None,
    rule: ask.Rule = None,
    connectivity: ask.Connectivity = 26,
    min_lesion_mm3: ask.MinimumSize = 0.0,
    split_mm: ask.Split = None,
    lesion_mask: Annotated[
        Path | None,
        typer.Option(
            help="Also write the mask of numbered lesions here; a folder for many masks.",
            rich_help_panel="Lesions",
        ),
    ] = None,
    pet: ask.Delineations = None,
    pet_channel: ask.PetChannel = None,
    liver: ask.Liver = None,
    aorta: ask.Aorta = None,
    sex: ask.Sex = None,
    lean_mass: ask.LeanMass = "janmahasatian",
    tissue: ask.Tissue = None,
    preset: ask.Presets = None,
    level: ask.Levels = None,
    ct_channel: ask.CtChannel = None,
    height_m: ask.Height = None,
    weight_kg: ask.Weight = None,
    reference: ask.Reference = None,
    age: ask.Age = None,
    icv: ask.Intracranial = None,
    normalise: ask.Normalise = False,
    values: ask.Values = None,
    subject: opt.Subject = None,
    same_space: opt.SameSpace = False,
    read: ReadOptions = ReadOptions(),
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Measure every label and region of a mask: volumes, places, extents, and intensities of each image.

    Every number has a unit, a status and a method; what can't be known is null with a reason.

    Example: medseg measure mask.nii.gz --image scan.nii.gz --out record.json

    Reference values: medseg measure mask.nii.gz --reference table.csv --age 63 --sex female --out record.json

    Lesions: medseg measure mask.nii.gz --image scan.nii.gz --lesions tumour --rule recist-1.1 --out record.json
    """
    if contour_planes not in ("acquisition", "three"):
        raise InputError(f"--contour-planes is acquisition or three, not {contour_planes!r}")
    plan = MeasurePlan(
        ask.lesion_plan(
            lesions, rule=rule, connectivity=connectivity, minimum=min_lesion_mm3, split=split_mm
        ),
        ask.pet_plan(
            pet, pet_channel, references=(liver, aorta), body=(sex, height_m, weight_kg), lean_mass=lean_mass
        ),
        ask.tissue_plan(tissue, ct_channel, presets=preset, levels=level, body=(height_m, weight_kg)),
        ask.normal_plan(icv, normalise=normalise, body=(height_m, weight_kg)),
        ask.reference_plan(reference, age, sex, icv=icv, body=(height_m, weight_kg)),
    )
    settings = MeasureOptions(
        labels=labels,
        subject=subject,
        plan=plan,
        values=ask.value_kinds(values),
        contours=contours,
        contour_planes=contour_planes,  # type: ignore[arg-type]
        lesions=lesion_mask,
        same_space=same_space,
        read=read,
        force=force,
    )
    channels = opt.channel_paths(channel)
    if image is not None and channels:
        raise InputError("give either --image or --channel NAME=FILE, not both")
    if read.volume == ALL:
        _all_volumes(mask, image, out, settings, as_json=json)
        return
    if _is_many(mask):
        if channels:
            raise InputError("for many masks give --image FOLDER or --image DATASET, paired by name")
        _require_no_person(plan)
        _many(mask, image, out, settings, as_json=json)
        return
    record = measure_files(mask, {"image": image} if image else channels, out, options=settings)
    print_record(record, out, as_json=json)


def print_record(record: object, out: Path, *, as_json: bool) -> None:
    """The main numbers of a record, or the whole of it as JSON."""
    assert isinstance(record, Record)  # noqa: S101 - for the type checker
    if as_json:
        emit("measure", {"record": str(out), **loads(record_to_json(record))}, record.findings)
        return
    print_findings(record.findings)
    items = [item for item in record.measurements if item.quantity.info.terminal]
    rows = [
        (
            _name(item),
            item.quantity.value,
            item.channel,
            item.value,
            item.unit,
            item.status.value,
            item.reason,
        )
        for item in items
    ]
    print_table(("name", "quantity", "channel", "value", "unit", "status", "reason"), rows, title=str(out))
    say(f"{len(items)} of {len(record.measurements)} numbers are shown; all are in {out}")


def _aside(
    mask: Path,
    image: Path | None,
    masks: dict[str, tuple[Path, ...]],
    images: dict[str, tuple[Case, ...]] | None,
) -> tuple[Finding, ...]:
    """What the folders of masks and images hold beside them; an image without a mask is measured by none."""
    cases = [case for name, found in (images or {}).items() if name in masks for case in found]
    used = [*chain.from_iterable(masks.values()), *files_of_cases(cases)]
    folders = dict.fromkeys(path for path in (mask, image) if path is not None)
    lacking = [case for found in (images or {}).values() for case in found] if is_dataset(mask) else []
    aside = (finding for folder in folders for finding in left_aside(folder, used))
    return (*without_reference(lacking), *aside)


def _name(item: Measurement) -> str:
    target = item.target
    lesion = "" if target.lesion is None else f" lesion {target.lesion}"
    return f"{target.name}{lesion}" + (f" ({target.detail})" if target.detail else "")


def _is_many(mask: Path) -> bool:
    return is_dataset(mask) or (
        mask.is_dir() and any(not item.name.startswith(".") for item in mask.iterdir())
    )


def _require_no_person(plan: MeasurePlan) -> None:
    """Refuse one person's age and size for masks of many."""
    normal = plan.normal
    of_one = normal is not None and (normal.icv_ml is not None or normal.height_m is not None)
    if plan.reference is not None or of_one:
        raise InputError(
            "age, sex and size are of one person: with --reference, --normalise or --icv in ml give one mask"
        )


def _many(mask: Path, image: Path | None, out: Path, settings: object, *, as_json: bool) -> None:
    assert isinstance(settings, MeasureOptions)  # noqa: S101 - for the type checker

    masks: dict[str, tuple[Path, ...]]
    images: dict[str, tuple[Case, ...]] | None
    if is_dataset(mask):
        cases = find_cases(mask) or ()
        masks = reference_files(cases)
        images = by_id(cases)
    else:
        masks = masks_by_stem(mask)
        images = None if image is None else images_of_masks(image, masks)
    _measure(mask, image, (masks, images), out, settings, as_json=as_json)


def _all_volumes(
    mask: Path, image: Path | None, out: Path, settings: MeasureOptions, *, as_json: bool
) -> None:
    """Each volume of an image with its mask, or all with the one mask that is given."""
    if image is None:
        raise InputError(f"--volume {ALL} is about an image: give --image FILE, which holds the volumes")
    cases = each_volume(find_cases(image) or (case_of_path(image),), settings.read)
    masks: dict[str, tuple[Path, ...]] = {case.id: (mask,) for case in cases}
    if mask.is_dir():
        masks = masks_by_stem(mask)
    own = replace(settings, read=replace(settings.read, volume=None))
    _measure(mask, image, (masks, by_id(cases)), out, own, as_json=as_json)


def _measure(
    mask: Path,
    image: Path | None,
    known: tuple[dict[str, tuple[Path, ...]], dict[str, tuple[Case, ...]] | None],
    out: Path,
    settings: MeasureOptions,
    *,
    as_json: bool,
) -> None:
    masks, images = known
    with running(quiet=as_json) as run:
        results, records = measure_cases(masks, images, out, options=settings, run=run)
    table = write_table(records, out, force=settings.force)
    if not as_json:
        say(f"all numbers in one table: {table}")
    print_results(results, as_json=as_json, command="measure", findings=_aside(mask, image, masks, images))
