"""Options that several commands share, with one wording."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medseg.errors import ConfigError

if TYPE_CHECKING:
    from medseg.domain import ReadOptions

__all__ = [
    "AffineForm",
    "Channels",
    "Device",
    "Force",
    "Json",
    "Orientation",
    "Resample",
    "SameSpace",
    "Series",
    "SliceThickness",
    "Spacing",
    "Subject",
    "Volume",
    "channel_paths",
    "pairs",
    "read_options",
]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Force = Annotated[bool, typer.Option("--force", help="Replace outputs that exist.")]
Series = Annotated[
    str | None, typer.Option(help="Which series of a DICOM folder: its UID, or the end of it.")
]
Volume = Annotated[
    str | None, typer.Option(help="Which of several volumes: the id that the error or 'medseg info' lists.")
]
Resample = Annotated[
    bool,
    typer.Option("--resample", help="Put an irregular stack, or a mask on another grid, on a regular one."),
]
AffineForm = Annotated[
    str | None, typer.Option("--affine", help="NIfTI: which form to believe, qform or sform.")
]
Orientation = Annotated[
    str | None, typer.Option(help="Letters that the array axes grow towards (RAS), where the file has none.")
]
SliceThickness = Annotated[float | None, typer.Option(help="Slice thickness in mm, where the file has none.")]
Spacing = Annotated[
    str | None,
    typer.Option(help="mm per pixel for an image without physical size: one number, or three as 0.5,0.5,5."),
]
Subject = Annotated[
    str | None, typer.Option(help="Pseudonym for the record; default case-XXXXXXXX from the image.")
]
SameSpace = Annotated[
    bool, typer.Option("--same-space", help="Channels on different grids share one world space.")
]
Channels = Annotated[
    list[str] | None,
    typer.Option("--channel", metavar="NAME=FILE", help="One image of several; repeat for each."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]


def read_options(
    *,
    series: str | None = None,
    volume: str | None = None,
    resample: bool = False,
    affine: str | None = None,
    orientation: str | None = None,
    slice_thickness: float | None = None,
    spacing: str | None = None,
) -> "ReadOptions":
    """ReadOptions from what was typed."""
    from medseg.domain import ReadOptions

    if affine not in (None, "qform", "sform"):
        raise ConfigError(f"--affine is qform or sform, not {affine!r}")
    if slice_thickness is not None and slice_thickness <= 0:
        raise ConfigError(f"--slice-thickness is a positive number of mm, not {slice_thickness}")
    return ReadOptions(
        series=series,
        volume=volume,
        resample=resample,
        affine=affine,  # type: ignore[arg-type]
        orientation=orientation.upper() if orientation else None,
        slice_thickness=slice_thickness,
        spacing=_spacing(spacing),
    )


def pairs(items: list[str] | None, option: str) -> dict[str, str]:
    """Names and values from repeated `NAME=VALUE`."""
    found = {}
    for item in items or []:
        name, sign, value = item.partition("=")
        if not sign or not name:
            raise ConfigError(f"{option} takes NAME=VALUE, not {item!r}")
        found[name.strip()] = value
    return found


def channel_paths(items: list[str] | None) -> dict[str, Path]:
    """Channel name → path from repeated `--channel NAME=FILE`."""
    return {name: Path(value) for name, value in pairs(items, "--channel").items()}


def _spacing(text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(
            f"--spacing takes one number or three, such as 0.5 or 0.5,0.5,5; not {text!r}"
        ) from error
    if len(numbers) == 1:
        numbers *= 3
    if len(numbers) == 2:
        numbers.append(1.0)
    if len(numbers) != 3 or min(numbers) <= 0:
        raise ConfigError(f"--spacing takes positive mm, one number or three; not {text!r}")
    return numbers[0], numbers[1], numbers[2]
