"""`medseg measure`: a mask (and its images) to numbers."""

from pathlib import Path
from typing import Annotated

import typer

from medseg.cli import options as opt
from medseg.errors import InputError


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
    labels: Annotated[
        Path | None, typer.Option(help="Names for a mask without them: {value: name} in YAML or JSON.")
    ] = None,
    contours: Annotated[
        Path | None, typer.Option(help="Also write every label's outline in mm to this JSON.")
    ] = None,
    subject: opt.Subject = None,
    same_space: opt.SameSpace = False,
    series: opt.Series = None,
    volume: opt.Volume = None,
    resample: opt.Resample = False,
    affine: opt.AffineForm = None,
    orientation: opt.Orientation = None,
    slice_thickness: opt.SliceThickness = None,
    spacing: opt.Spacing = None,
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Measure every label and region of a mask: volumes, places, extents, and intensities of each image.

    Every number has a unit, a status and a method; what can't be known is null with a reason.

    Example: medseg measure mask.nii.gz --image scan.nii.gz --out record.json
    """
    from medseg.workflows.measure import MeasureOptions, measure_files

    settings = MeasureOptions(
        labels=labels,
        subject=subject,
        contours=contours,
        same_space=same_space,
        resample=resample,
        read=opt.read_options(
            series=series,
            volume=volume,
            resample=resample,
            affine=affine,
            orientation=orientation,
            slice_thickness=slice_thickness,
            spacing=spacing,
        ),
        force=force,
    )
    channels = opt.channel_paths(channel)
    if image is not None and channels:
        raise InputError("give either --image or --channel NAME=FILE, not both")
    if _is_many(mask):
        if channels:
            raise InputError("for many masks give --image FOLDER or --image DATASET, paired by name")
        _many(mask, image, out, settings, as_json=json)
        return
    record = measure_files(mask, {"image": image} if image else channels, out, options=settings)
    print_record(record, out, as_json=json)


def print_record(record: "object", out: Path, *, as_json: bool) -> None:
    """The main numbers of a record, or the whole of it as JSON."""
    from json import loads

    from medseg.cli.output import emit, print_findings, print_table
    from medseg.domain import Record
    from medseg.reporting import record_to_json, to_rows

    assert isinstance(record, Record)  # noqa: S101 - for the type checker
    if as_json:
        emit("measure", {"record": str(out), **loads(record_to_json(record))}, record.findings)
        return
    print_findings(record.findings)
    rows = [
        (
            row["name"],
            row["quantity"],
            row["channel"],
            row["value"],
            row["unit"],
            row["status"],
            row["reason"],
        )
        for row in to_rows([record])
    ]
    print_table(("name", "quantity", "channel", "value", "unit", "status", "reason"), rows, title=str(out))


def _is_many(mask: Path) -> bool:
    from medseg.io import is_dataset

    return is_dataset(mask) or (
        mask.is_dir() and any(not item.name.startswith(".") for item in mask.iterdir())
    )


def _many(mask: Path, image: Path | None, out: Path, settings: "object", *, as_json: bool) -> None:
    from medseg.cli.progress import running
    from medseg.cli.segment import print_results
    from medseg.workflows.cases import find_cases, masks_by_stem, measure_cases, write_table
    from medseg.workflows.measure import MeasureOptions

    assert isinstance(settings, MeasureOptions)  # noqa: S101 - for the type checker
    from medseg.io import is_dataset

    if is_dataset(mask):
        cases = find_cases(mask) or ()
        masks = {case.id: Path(case.reference) for case in cases if case.reference}
    else:
        cases = (find_cases(image) or ()) if image else ()
        masks = masks_by_stem(mask)
    with running(quiet=as_json) as run:
        results, records = measure_cases(
            masks, {case.id: case for case in cases}, out, options=settings, run=run
        )
    table = write_table(records, out, force=settings.force)
    if not as_json:
        from medseg.cli.output import say

        say(f"all numbers in one table: {table}")
    print_results(results, as_json=as_json, command="measure")
