"""Images by channel name: reading them, matching them to a segmenter's needs, and the common space."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from medseg.domain import ChannelFile, ChannelSpec, Finding, Image, Provenance, ReadOptions, SegmenterSpec
from medseg.domain.values import as_details
from medseg.errors import GridMismatchError, InputError
from medseg.geometry import same_grid

__all__ = [
    "ChannelPath",
    "Images",
    "as_declared",
    "as_mapping",
    "match_channels",
    "read_channels",
    "require_common_space",
]

Images: TypeAlias = Image | Mapping[str, Image]
#: A file or DICOM folder, the files of a DICOM series, or a case's entry.
ChannelPath: TypeAlias = Path | tuple[Path, ...] | ChannelFile


def as_mapping(images: Images) -> dict[str, Image]:
    """Images by channel name; a single image is known by its own channel name."""
    return {images.channel: images} if isinstance(images, Image) else dict(images)


def read_channels(paths: Mapping[str, ChannelPath], options: ReadOptions) -> dict[str, Image]:
    """Read one image per channel name; `options` holds for each of them."""
    return {name: replace(_read(name, path, options), channel=name) for name, path in paths.items()}


def _read(name: str, path: ChannelPath, options: ReadOptions) -> Image:
    if isinstance(path, tuple):
        from medseg.io import read_files

        return read_files(path, options=options)
    from medseg.io.datasets import read_channel

    file = path if isinstance(path, ChannelFile) else ChannelFile(name, str(path))
    return read_channel(file, options)


def match_channels(spec: SegmenterSpec, images: Mapping[str, Image]) -> dict[str, Image]:
    """Images in the order and under the names that a segmenter asks for.

    A segmenter of one channel takes one image under any name.

    Raises
    ------
    InputError
        If a channel is missing or unknown, or is of another modality or unit than needed.
    """
    needed = [need.name for need in spec.channels]
    if len(needed) == 1 and len(images) == 1:
        matched = {needed[0]: replace(next(iter(images.values())), channel=needed[0])}
    else:
        _check_names(spec.name, needed, list(images))
        matched = {name: replace(images[name], channel=name) for name in needed}
    for need in spec.channels:
        image = matched[need.name]
        if need.modality and image.modality and need.modality != image.modality:
            raise InputError(
                f"{spec.name} needs {need.modality} for channel {need.name!r}, and this image is {image.modality}"
            )
        known = image.value_unit != "[arb'U]"
        if need.value_unit and known and need.value_unit != image.value_unit:
            raise InputError(
                f"{spec.name} needs values in {need.value_unit} for channel {need.name!r}, not {image.value_unit}"
            )
        if spec.needs_mm and image.grid.unit == "px":
            raise InputError(
                f"{spec.name} works in mm, and channel {need.name!r} has no physical size; give --spacing"
            )
    return matched


def require_common_space(images: Mapping[str, Image], *, declared: bool) -> None:
    """Check that channels lie in one world space.

    Channels on one grid do. On different grids their Frame of Reference UIDs must agree, or the user
    (or a case list) must declare it.

    Raises
    ------
    GridMismatchError
        If that can't be known.
    """
    first, *others = images.values()
    for other in others:
        one, two = first.grid.frame_of_reference, other.grid.frame_of_reference
        if one and two and one != two:
            raise GridMismatchError(
                f"channels {first.channel!r} and {other.channel!r} belong to different frames of reference; "
                "register one to the other first"
            )
        if same_grid(first.grid, other.grid) or declared or (one and one == two):
            continue
        raise GridMismatchError(
            f"channels {first.channel!r} and {other.channel!r} are on different grids and nothing says that they "
            "share one space; if they do, say so with --same-space"
        )


def as_declared(images: Mapping[str, Image], made_by: Provenance) -> dict[str, Image]:
    """Images whose files name no modality or unit, with those that the model which made the mask reads them as.

    Only for images whose digest the mask names as its input; each such image carries a Finding.
    """
    from medseg.workflows.segmenters import model_folder

    folder = model_folder(made_by.segmenter)
    if folder is None:
        return dict(images)
    from medseg.models import read_card

    declared = {channel.name: channel for channel in read_card(folder).channels}
    digests = {item.channel: item.digest for item in made_by.images}
    found = dict(images)
    for name, image in images.items():
        if name in declared and digests.get(name) == image.digest:
            found[name] = _declared(image, declared[name], made_by.segmenter)
    return found


def _declared(image: Image, channel: ChannelSpec, model: str) -> Image:
    modality = image.modality or channel.modality
    unit = channel.value_unit if image.value_unit == "[arb'U]" and channel.value_unit else image.value_unit
    if (modality, unit) == (image.modality, image.value_unit):
        return image
    taken = f"{modality or 'an image'}" + ("" if unit == image.value_unit else f" in {unit}")
    text = f"The file of channel {channel.name} names neither modality nor unit; model {model} takes it as {taken}."
    finding = Finding("channel.declared", "info", text, as_details(channel=channel.name, unit=unit))
    return replace(image, modality=modality, value_unit=unit, findings=(*image.findings, finding))


def _check_names(name: str, needed: list[str], given: list[str]) -> None:
    if missing := [channel for channel in needed if channel not in given]:
        example = " ".join(f"--channel {channel}=FILE" for channel in needed)
        raise InputError(
            f"{name} needs channels {', '.join(needed)}; missing: {', '.join(missing)} (give {example})"
        )
    if extra := [channel for channel in given if channel not in needed]:
        raise InputError(f"{name} takes channels {', '.join(needed)}; it does not know {', '.join(extra)}")
