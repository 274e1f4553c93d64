"""Images by channel name: reading them, matching them to a segmenter's needs, and the common space."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from medseg.domain import ChannelFile, Finding, Image, Provenance, ReadOptions, SegmenterSpec
from medseg.domain.channels import pair_by_name, pair_channels
from medseg.domain.provenance import ImageDigest
from medseg.domain.segmenter import ChannelNeed
from medseg.domain.values import as_details
from medseg.errors import GridMismatchError, InputError
from medseg.geometry import same_grid
from medseg.io import read_files
from medseg.io.datasets import read_channel
from medseg.io.datasets.pairs import COLOURS

__all__ = [
    "ChannelPath",
    "Images",
    "as_mapping",
    "as_segmented",
    "by_planes",
    "channel_files",
    "leave_unneeded",
    "match_channels",
    "read_as",
    "read_channels",
    "require_common_space",
]

Images: TypeAlias = Image | Mapping[str, Image]
#: A file or DICOM folder, the files of a DICOM series, or a case's entry.
ChannelPath: TypeAlias = Path | tuple[Path, ...] | ChannelFile
#: Unit of values that no file and no user has named.
UNKNOWN_UNIT = "[arb'U]"


def as_mapping(images: Images) -> dict[str, Image]:
    """Images by channel name; a single image is known by its own channel name."""
    return {images.channel: images} if isinstance(images, Image) else dict(images)


def read_channels(paths: Mapping[str, ChannelPath], options: ReadOptions) -> dict[str, Image]:
    """Read one image per channel name; `options` holds for each of them."""
    return {name: replace(_read(name, path, options), channel=name) for name, path in paths.items()}


def _read(name: str, path: ChannelPath, options: ReadOptions) -> Image:
    if isinstance(path, tuple):
        return read_files(path, options=options)

    file = path if isinstance(path, ChannelFile) else ChannelFile(name, str(path))
    return read_channel(file, options)


def channel_files(inputs: Mapping[str, ChannelPath]) -> list[Path]:
    """The files of all channels."""
    paths = [path for item in inputs.values() for path in (item if isinstance(item, tuple) else (item,))]
    return [Path(path.path) if isinstance(path, ChannelFile) else Path(path) for path in paths]


def by_planes(spec: SegmenterSpec, paths: Mapping[str, ChannelPath]) -> Mapping[str, ChannelPath]:
    """One picture for a segmenter of the channels R, G and B: its planes, each by its name."""
    needed = tuple(need.name for need in spec.channels)
    given = list(paths.values())
    if needed != COLOURS or len(given) != 1 or not isinstance(given[0], Path):
        return paths
    return {name: ChannelFile(name, str(given[0]), volume=name) for name in needed}


def leave_unneeded(
    spec: SegmenterSpec, paths: Mapping[str, ChannelPath]
) -> tuple[dict[str, ChannelPath], tuple[Finding, ...]]:
    """The paths that a segmenter needs, where their names say so, and a Finding about the others, which are not read.

    Where a name leaves it open all stay: their files may say what they are.
    """
    needed = [need.name for need in spec.channels]
    found = pair_by_name(needed, paths)
    if len(found) < len(needed) or len(found) == len(paths):
        return dict(paths), ()
    kept = {name: path for name, path in paths.items() if name in found.values()}
    return kept, (_unused(spec, [name for name in paths if name not in kept]),)


def _unused(spec: SegmenterSpec, names: list[str]) -> Finding:
    needed = ", ".join(need.name for need in spec.channels)
    text = f"{spec.name} takes channels {needed}; not used: {', '.join(names)}."
    return Finding("channel.unused", "info", text)


def match_channels(
    spec: SegmenterSpec, images: Mapping[str, Image], *, by_position: bool = False
) -> dict[str, Image]:
    """Images in the order and under the names that a segmenter asks for; see `medseg.domain.channels`.

    A segmenter of one channel takes one image under any name. Images that it does not need are left out, with a
    Finding on the first one that it takes.

    Raises
    ------
    InputError
        If a channel is missing, or is of another modality or unit than needed.
    """
    needed = [need.name for need in spec.channels]
    if len(needed) == 1 and len(images) == 1:
        matched = {needed[0]: replace(next(iter(images.values())), channel=needed[0])}
    else:
        pairs = _pairs(spec, images, by_position=by_position)
        matched = {name: replace(images[theirs], channel=name) for name, theirs in pairs.items()}
        if unused := [name for name in images if name not in pairs.values()]:
            first = matched[needed[0]]
            matched[needed[0]] = replace(first, findings=(*first.findings, _unused(spec, unused)))
    for need in spec.channels:
        image = matched[need.name]
        if need.modality and image.modality and need.modality != image.modality:
            raise InputError(
                f"{spec.name} needs {need.modality} for channel {need.name!r}, and this image is {image.modality}"
            )
        known = image.value_unit != UNKNOWN_UNIT
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


def read_as(image: Image, need: ChannelNeed) -> ImageDigest:
    """What a segmenter takes an image for: what the file says, else what the segmenter asks for."""
    unit = need.value_unit if image.value_unit == UNKNOWN_UNIT and need.value_unit else image.value_unit
    return ImageDigest(need.name, image.digest, image.modality or need.modality, unit)


def as_segmented(images: Mapping[str, Image], made_by: Provenance) -> dict[str, Image]:
    """Images whose files name no modality or unit, with those that the segmenter which made the mask read.

    The mask itself says so, by the digest of each image; what is installed makes no difference. Each image that
    gains a modality or unit carries a Finding.
    """
    found = dict(images)
    for name, image in images.items():
        digest = image.digest if made_by.images else ""
        known = [item for item in made_by.images if item.digest == digest]
        own = next((item for item in known if item.channel == name), known[0] if known else None)
        if own is not None:
            found[name] = _as_read(image, name, own, made_by.segmenter)
    return found


def _as_read(image: Image, name: str, own: ImageDigest, segmenter: str) -> Image:
    modality = image.modality or own.modality
    unit = own.value_unit if image.value_unit == UNKNOWN_UNIT and own.value_unit else image.value_unit
    if (modality, unit) == (image.modality, image.value_unit):
        return image
    taken = f"{modality or 'an image'}" + ("" if unit == image.value_unit else f" in {unit}")
    text = f"The file of channel {name} names neither modality nor unit; {segmenter} read it as {taken}."
    finding = Finding("channel.declared", "info", text, as_details(channel=name, unit=unit))
    return replace(image, modality=modality, value_unit=unit, findings=(*image.findings, finding))


def _pairs(spec: SegmenterSpec, images: Mapping[str, Image], *, by_position: bool) -> dict[str, str]:
    needed = {need.name: need.modality for need in spec.channels}
    try:
        return pair_channels(
            needed, {name: image.modality for name, image in images.items()}, by_position=by_position
        )
    except InputError as error:
        example = " ".join(f"--channel {name}=FILE" for name in needed)
        more = ", or --channels-by position if they come in this order" if len(images) == len(needed) else ""
        text = f"{spec.name}: {error} (give {example}{'' if by_position else more})"
        raise InputError(text.replace(": it needs", " needs")) from error
