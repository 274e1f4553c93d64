"""Options that several commands share, with one wording."""

from collections.abc import Callable, Mapping
from functools import partial, wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from medseg.domain import ReadOptions
from medseg.errors import ConfigError

__all__ = [
    "OF_MASKS",
    "READING",
    "AffineForm",
    "Channels",
    "ChannelsBy",
    "Device",
    "Force",
    "Inputs",
    "Json",
    "Label",
    "Labels",
    "Orientation",
    "Resample",
    "SameSpace",
    "Series",
    "SliceThickness",
    "Space",
    "Spacing",
    "Subject",
    "Volume",
    "Windows",
    "channel_paths",
    "channels_by",
    "pairs",
    "reading",
    "windows",
]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Labels = Annotated[
    Path | None,
    typer.Option(
        help="Names for a mask without them: {value: name} in YAML or JSON, or the label file of ITK-SNAP, "
        "3D Slicer, FreeSurfer, BIDS (dseg.tsv) or nnU-Net (dataset.json)."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace outputs that exist.")]
Inputs = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[FILE]...",
        help="Files or folders among which mask and images are found by their digests, if they are no longer where "
        "the record says.",
    ),
]
Series = Annotated[
    str | None, typer.Option(help="Which series of a DICOM folder: its UID, or the end of it.")
]
Volume = Annotated[
    str | None,
    typer.Option(
        help="Which of several volumes: the id that the error or 'medseg info' lists; segment and measure also take "
        "all, each as a case of its own."
    ),
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
Label = Annotated[
    str | None, typer.Option(help="Of a mask with several structures: the name of the only one that is read.")
]
Space = Annotated[
    str | None,
    typer.Option(help="STL, PLY: RAS or LPS, the way that x and y grow where the file does not say it."),
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
ChannelsBy = Annotated[
    str,
    typer.Option(
        "--channels-by",
        help="How images are the segmenter's channels: by name (in any letters), then modality; or by position, "
        "in the order of --channel or of the dataset. Training has it as data.channels_by.",
    ),
]
Windows = Annotated[
    list[str] | None,
    typer.Option(
        "--window",
        metavar="[CHANNEL=]LOW:HIGH",
        help="Grey values of the pictures from black to white, in the image's unit, such as ct=-1350:150; repeat for "
        "each channel. Default: a rule by modality, which the caption names.",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]

#: How files are read: option (a field of ReadOptions) → how it is typed. A test holds that each field is here.
READING: dict[str, Any] = {
    "series": Series,
    "volume": Volume,
    "resample": Resample,
    "affine": AffineForm,
    "orientation": Orientation,
    "slice_thickness": SliceThickness,
    "spacing": Spacing,
    "label": Label,
    "space": Space,
}
#: Of these, what says how masks are read; commands that read none leave them out.
OF_MASKS = ("label", "space")


def reading(
    command: Callable[..., None] | None = None, *, without: tuple[str, ...] = ()
) -> Callable[..., Any]:
    """Give a command's parameter `read` the options that say how files are read, by which it is a ReadOptions.

    All of `READING` but those named in `without`, which say nothing to that command.
    """
    if command is None:
        return partial(reading, without=without)
    asked = {name: kind for name, kind in READING.items() if name not in without}
    plain = signature(command)

    @wraps(command)
    def wrapped(**given: Any) -> None:
        command(read=_read_options({name: given.pop(name) for name in asked}), **given)

    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=False if kind is Resample else None, annotation=kind)
        for name, kind in asked.items()
    ]
    own = list(plain.parameters.values())
    place = next(number for number, item in enumerate(own) if item.name == "read")
    changed = [
        item.replace(kind=Parameter.KEYWORD_ONLY) for item in (*own[:place], *options, *own[place + 1 :])
    ]
    wrapped.__signature__ = plain.replace(parameters=changed)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {item.name: item.annotation for item in changed}
    return wrapped


def _read_options(typed: Mapping[str, Any]) -> ReadOptions:
    """ReadOptions from what was typed."""
    values = dict(typed)
    if values.get("affine") not in (None, "qform", "sform"):
        raise ConfigError(f"--affine is qform or sform, not {values['affine']!r}")
    values["space"] = values["space"].upper() if values.get("space") else None
    if values["space"] not in (None, "RAS", "LPS"):
        raise ConfigError(f"--space is RAS or LPS, not {values['space']!r}")
    thickness = values.get("slice_thickness")
    if thickness is not None and not thickness > 0:
        raise ConfigError(f"--slice-thickness is a positive number of mm, not {thickness}")
    values["orientation"] = values["orientation"].upper() if values.get("orientation") else None
    values["spacing"] = _spacing(values.get("spacing"))
    return ReadOptions(**values)


def pairs(items: list[str] | None, option: str) -> dict[str, str]:
    """Names and values from repeated `NAME=VALUE`."""
    found: dict[str, str] = {}
    for item in items or []:
        name, sign, value = item.partition("=")
        if not sign or not name:
            raise ConfigError(f"{option} takes NAME=VALUE, not {item!r}")
        name = name.strip()
        if found.setdefault(name, value) != value:
            raise ConfigError(f"{option} gives {name} twice, as {found[name]!r} and as {value!r}")
    return found


def channel_paths(items: list[str] | None) -> dict[str, Path]:
    """Channel name → path from repeated `--channel NAME=FILE`."""
    return {name: Path(value) for name, value in pairs(items, "--channel").items()}


def channels_by(text: str) -> Literal["name", "position"]:
    """What `--channels-by` says."""
    if text not in ("name", "position"):
        raise ConfigError(f"--channels-by is name or position, not {text!r}")
    return cast("Literal['name', 'position']", text)


def windows(items: list[str] | None) -> tuple[tuple[str, float, float], ...]:
    """(channel, low, high) from repeated `--window [CHANNEL=]LOW:HIGH`; an empty name is that of any channel."""
    found = []
    for item in items or []:
        name, _, limits = item.rpartition("=")
        low, _, high = limits.partition(":")
        try:
            found.append((name.strip(), float(low), float(high)))
        except ValueError as error:
            raise ConfigError(f"--window takes [CHANNEL=]LOW:HIGH, such as -160:240; not {item!r}") from error
    return tuple(found)


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
