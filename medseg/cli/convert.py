"""`medseg convert`: one format to another."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medseg.cli import options as opt

if TYPE_CHECKING:
    from medseg.domain import Segmentation
    from medseg.workflows.convert import WrittenSurface


def command(
    source: Annotated[Path, typer.Argument(metavar="IN", help="An image or mask file, or a DICOM folder.")],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="The file to write; its suffix names the format.")
    ],
    mask: Annotated[
        bool, typer.Option("--mask", help="It is a mask: whole numbers, with a sidecar.")
    ] = False,
    labels: Annotated[Path | None, typer.Option(help="Names for a mask without them: {value: name}.")] = None,
    label: Annotated[
        str | None, typer.Option(help="STL, PLY: the one label to write; without it each has its own file.")
    ] = None,
    smooth: Annotated[
        bool,
        typer.Option("--smooth", help="STL, PLY: without the steps of voxels, for looking; volumes change."),
    ] = False,
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
    """Convert an image or a mask (NIfTI, NRRD, MHA, PNG, TIFF; DICOM in) on the same grid, or a mask to STL or PLY."""
    from medseg.cli.output import emit, print_findings, say
    from medseg.errors import InputError
    from medseg.workflows.convert import convert, convert_to_surfaces, is_surface
    from medseg.workflows.info import describe_grid

    options = opt.read_options(
        series=series,
        volume=volume,
        resample=resample,
        affine=affine,
        orientation=orientation,
        slice_thickness=slice_thickness,
        spacing=spacing,
    )
    if is_surface(target):
        segmentation, surfaces = convert_to_surfaces(
            source, target, label=label, smooth=smooth, options=options, labels=labels, force=force
        )
        _report(segmentation, surfaces, json=json)
        return
    if label is not None or smooth:
        raise InputError(f"--label and --smooth are for surfaces; {target} is neither .stl nor .ply")
    written = convert(source, target, mask=mask, options=options, labels=labels, force=force)
    if json:
        emit("convert", {"file": str(target), "digest": written.digest}, written.findings)
        return
    print_findings(written.findings)
    say(f"wrote {target}: {describe_grid(written.grid)}")


def _report(segmentation: "Segmentation", surfaces: "Sequence[WrittenSurface]", *, json: bool) -> None:
    from medseg.cli.output import emit, print_findings, say

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
