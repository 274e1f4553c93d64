"""`medseg convert`: one format to another."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, print_findings, say
from medseg.cli.progress import running
from medseg.cli.segment import print_results
from medseg.domain import Finding, Image, ReadOptions, Segmentation
from medseg.errors import InputError
from medseg.masks.flatten import taken_findings
from medseg.workflows.aside import left_aside
from medseg.workflows.cases import masks_by_stem
from medseg.workflows.convert import (
    WrittenSurface,
    convert,
    convert_cases,
    convert_to_surfaces,
    is_set_target,
    is_surface,
)
from medseg.workflows.convert_set import convert_set, is_set
from medseg.workflows.info import describe_grid


@opt.reading(without=("label",))
def command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help="An image or mask file, a DICOM folder, or a set of masks (COCO, VOC, a mapping).",
        ),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Its suffix names the format; .json is COCO, no suffix a Pascal VOC folder."
        ),
    ],
    mask: Annotated[
        bool, typer.Option("--mask", help="It is a mask: whole numbers, with a sidecar.")
    ] = False,
    labels: opt.Labels = None,
    image: Annotated[
        Path | None,
        typer.Option(help="The image that the mask belongs to: STL, PLY and RTSTRUCT come onto its grid."),
    ] = None,
    parts: Annotated[
        bool,
        typer.Option(
            "--parts",
            help="Overlapping structures: write their disjoint parts instead of one owner for every voxel.",
        ),
    ] = False,
    label: Annotated[
        str | None,
        typer.Option(help="The one structure to write; STL, PLY: without it each has its own file."),
    ] = None,
    smooth: Annotated[
        bool,
        typer.Option("--smooth", help="STL, PLY: without the steps of voxels, for looking; volumes change."),
    ] = False,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="SUFFIX", help="IN is a folder: convert every file in it into the folder OUT."
        ),
    ] = None,
    read: ReadOptions = ReadOptions(),
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Convert an image or a mask on the same grid.

    Images: NIfTI, NRRD, MHA, PNG, TIFF; DICOM in. Masks: these, and .seg.nrrd, STL and PLY (in with --image), COCO
    .json, Pascal VOC folders; DICOM SEG and RTSTRUCT, mappings of PNG masks in. SEG and RTSTRUCT out is
    'medseg export'. Where overlapping structures must share a format with one label per voxel, it says whose
    voxels now belong to whom.

    Example: medseg convert seg.dcm mask.nii.gz
    """
    if label is not None and not is_surface(target):
        read, mask = replace(read, label=label), True
    if to is not None:
        if image is not None or label is not None or smooth:
            raise InputError(
                "--image, --label and --smooth are for one mask; convert those of a folder one by one"
            )
        _convert_folder(
            source,
            target,
            to,
            {"mask": mask, "options": read, "labels": labels, "keep_parts": parts},
            force=force,
            json=json,
        )
        return
    _refuse_odd(target, surface_only=smooth)
    if is_surface(target):
        segmentation, surfaces = convert_to_surfaces(
            source,
            target,
            label=label,
            smooth=smooth,
            options=read,
            labels=labels,
            image=image,
            force=force,
        )
        _report(segmentation, surfaces, json=json)
        return
    if is_set_target(target) and read.volume is None and image is None and is_set(source):
        _convert_set(source, target, force=force, json=json)
        return
    written = convert(
        source,
        target,
        mask=mask,
        options=read,
        labels=labels,
        image=image,
        keep_parts=parts,
        force=force,
    )
    _say_written(written, target, json=json)


def _refuse_odd(target: Path, *, surface_only: bool) -> None:
    """What no conversion gives, before anything is read."""
    if target.suffix.lower() in (".dcm", ".dicom"):
        raise InputError(
            f"{target}: convert writes no DICOM; 'medseg export RECORD --seg --rtstruct' does, with the headers "
            "of its source"
        )
    if surface_only and not is_surface(target):
        raise InputError(f"--smooth is for surfaces; {target} is neither .stl nor .ply")


def _say_written(written: Image | Segmentation, target: Path, *, json: bool) -> None:
    if json:
        result = {"file": str(target), "digest": written.digest, "changed_owner": _changed(written.findings)}
        emit("convert", result, written.findings)
        return
    print_findings(written.findings)
    say(f"wrote {target}: {describe_grid(written.grid)}")


def _changed(findings: Iterable[Finding]) -> list[dict[str, object]]:
    """Voxels that changed owner, per pair of structures."""
    return [dict(item.details) for item in findings if item.code == "overlap.flattened"]


def _convert_folder(
    source: Path, target: Path, suffix: str, asked: dict[str, Any], *, force: bool, json: bool
) -> None:
    if not source.is_dir():
        raise InputError(f"--to converts a folder of files; {source} is none")
    files = masks_by_stem(source)
    with running("cpu", quiet=json) as run:
        results = convert_cases(files, target, suffix, **asked, force=force, run=run)
    aside = left_aside(source, chain.from_iterable(files.values()))
    print_results(results, as_json=json, command="convert", findings=aside)


def _convert_set(source: Path, target: Path, *, force: bool, json: bool) -> None:
    with running("cpu", quiet=json) as run:
        found = convert_set(source, target, force=force, run=run)
    findings = taken_findings(tuple(item for item, _ in found.pairs))
    if json:
        rows = [
            {"picture": name, "structure": item.structure, "owner": item.owner, "voxels": item.voxels}
            for name, item in found.taken
        ]
        emit("convert", {"file": str(target), "pictures": found.pictures, "changed_owner": rows}, findings)
        return
    print_findings(findings)
    say(f"wrote {target}: {found.pictures} masks")


def _report(segmentation: Segmentation, surfaces: Sequence[WrittenSurface], *, json: bool) -> None:
    if json:
        rows = [
            {
                "file": str(item.path),
                "label": item.label,
                "coordinates": "RAS+ mm",
                "volume_ml": item.volume_ml,
                "volume_change": item.volume_change,
            }
            for item in surfaces
        ]
        emit("convert", {"surfaces": rows, "digest": segmentation.digest}, segmentation.findings)
        return
    print_findings(segmentation.findings)
    for item in surfaces:
        change = ""
        if item.volume_change is not None:
            change = f"; smoothing changed the volume by {100 * item.volume_change:+.2f} %"
        say(f"wrote {item.path}: {item.label}, {item.volume_ml:.4g} ml within the surface, RAS+ mm{change}")
