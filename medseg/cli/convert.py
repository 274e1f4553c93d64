"""`medseg convert`: one format to another."""

from pathlib import Path
from typing import Annotated

import typer

from medseg.cli import options as opt


def command(
    source: Annotated[Path, typer.Argument(metavar="IN", help="An image or mask file, or a DICOM folder.")],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="The file to write; its suffix names the format.")
    ],
    mask: Annotated[
        bool, typer.Option("--mask", help="It is a mask: whole numbers, with a sidecar.")
    ] = False,
    labels: Annotated[Path | None, typer.Option(help="Names for a mask without them: {value: name}.")] = None,
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
    """Convert an image or a mask (NIfTI, NRRD, MHA, PNG, TIFF; DICOM in) on the same grid."""
    from medseg.cli.output import emit, print_findings, say
    from medseg.workflows.convert import convert
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
    written = convert(source, target, mask=mask, options=options, labels=labels, force=force)
    if json:
        emit("convert", {"file": str(target), "digest": written.digest}, written.findings)
        return
    print_findings(written.findings)
    say(f"wrote {target}: {describe_grid(written.grid)}")
