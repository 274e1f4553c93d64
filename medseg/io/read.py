"""The reading pipeline, the same for every format: bytes → Source → verdict → Image."""

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import cast

from medseg import plugins
from medseg.domain import Grid, Image, LabelTable, ReadOptions, Run, Segmentation, Source
from medseg.errors import InputError, UnsupportedFormatError
from medseg.io.answers import apply_answers
from medseg.io.choose import choose, require_volume
from medseg.io.choose_mask import choose_mask, refuse_masks
from medseg.io.dicom import READER
from medseg.io.dicom.archives import archive_kind
from medseg.io.dicom.packed import why_not
from medseg.io.dicom.reader import DicomReader
from medseg.io.layered import are_layers, layered_segmentation
from medseg.io.masks import only_label, read_table, segmentation_of
from medseg.io.names import split_part, suffix_of
from medseg.io.plain import require_regular, unchanged
from medseg.io.plausible import plausible_image, plausible_source
from medseg.io.protocols import HEAD_BYTES, INDEX_VOLUME, Reader, SegmentationReader, unreadable
from medseg.io.suffixes import image_suffixes

__all__ = ["find_reader", "inspect", "read", "read_files", "read_segmentation"]

_PLAIN = ReadOptions()


def find_reader(path: str | Path) -> Reader:
    """The reader that claims a file or folder; the first by name if several do.

    Raises
    ------
    InputError
        If the path does not exist or can't be opened.
    UnsupportedFormatError
        If no reader claims it.
    """
    path = Path(path)
    head = _head(path)
    for reader in _readers():
        if _claims(reader, path, head):
            return reader
    if path.is_dir():
        raise UnsupportedFormatError(f"folder {path} holds no DICOM files{_other_files(path)}")
    archive = archive_kind(path, head)
    if archive is not None:
        raise UnsupportedFormatError(why_not(path, archive))
    raise UnsupportedFormatError(
        f"{path} is in no known format ({suffix_of(path) or 'no suffix'}); known: NIfTI, NRRD, MHA, DICOM, "
        "FreeSurfer, PNG, TIFF, JPEG"
    )


def _other_files(folder: Path) -> str:
    """What a folder that is no series holds instead, and what to give."""
    names = sorted(item.name for item in folder.iterdir() if item.name.lower().endswith(image_suffixes()))
    if not names:
        return " and no images"
    kinds = Counter(suffix_of(name) for name in names)
    what = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f", but {what}: give one of them ({names[0]}); segment, measure and evaluate take all"


def inspect(path: str | Path, *, run: Run | None = None) -> tuple[Source, ...]:
    """Every volume of a file or folder, by headers only; the unreadable ones say why and raise nothing.

    `run` is told of each file of a DICOM folder, and can stop between two.

    Raises
    ------
    InputError
        If the path does not exist.
    UnsupportedFormatError
        If no reader claims it.
    """
    path = Path(path)
    return _inspect(find_reader(path), path, run)


def read(path: str | Path, *, options: ReadOptions | None = None, source: Source | None = None) -> Image:
    """One image in physical units, (I, J, K), on its own grid in RAS+ mm (or px).

    Parameters
    ----------
    path
        A file, or a folder with a DICOM series.
    options
        What to choose and what to state where the file leaves it open.
    source
        One of `inspect(path)`; nothing has to be chosen then.

    Raises
    ------
    InputError
        If the file is damaged or unfit, or several volumes are in it: the message lists their ids.
    UnsupportedFormatError
        If no reader claims it.
    """
    with _steady(path):
        reader, chosen, options = _chosen(path, options, source)
        return _load(reader, chosen, options)


def read_files(paths: Sequence[str | Path], *, options: ReadOptions | None = None) -> Image:
    """One image from a list of DICOM files, as `read` gives it from a folder.

    Raises
    ------
    InputError
        As for `read`; also if the files are no DICOM, or there are none.
    """
    files = [Path(path) for path in paths]
    if not files:
        raise InputError("there are no files to read; name at least one")
    if missing := [str(file) for file in files if not file.is_file()]:
        raise InputError(f"{missing[0]} does not exist")
    folder = files[0].parent
    options = options or _PLAIN
    sources = READER.inspect_files(folder, files)
    return _load(READER, choose(folder, sources, options), options)


def read_segmentation(
    path: str | Path,
    *,
    options: ReadOptions | None = None,
    labels: str | Path | None = None,
    on: Image | Grid | None = None,
) -> Segmentation:
    """A mask with the names and history of its sidecar, if it has one that belongs to it.

    Parameters
    ----------
    path
        A mask file of any format that `read` reads losslessly; DICOM SEG or RTSTRUCT, or a folder with one.
    options
        As for `read`.
    labels
        A file that names labels (see `labelfiles`), or holds a whole table; goes before the sidecar's.
    on
        The image that the mask belongs to, or its grid. A SEG often holds some slices alone, and an RTSTRUCT
        contours: they come back on this grid, or are refused when they were made for another image. Other
        formats hold their grid in full and leave this unused.

    Raises
    ------
    LabelError
        If values are negative, more than 65535, or not within 1e-3 of a whole number.
    GridMismatchError
        If a SEG or RTSTRUCT does not belong to `on`.
    InputError
        As for `read`.
    """
    table = None if labels is None else Path(labels)
    with _steady(path):
        layered = _layered(Path(path), options or _PLAIN, table)
    if layered is not None:
        return layered if options is None or options.label is None else only_label(layered, options.label)
    with _steady(path):
        reader, chosen, options = _chosen(path, options, None, mask=True)
        found = None
        if isinstance(reader, SegmentationReader):
            with unchanged(*_files_of(chosen)):
                found = reader.load_segmentation(chosen, options, on)
        if found is None:
            found = segmentation_of(_load(reader, chosen, options), chosen, labels=table)
        elif table is not None:
            found = _renamed(found, read_table(table))
    return found if options.label is None else only_label(found, options.label)


def _layered(path: Path, options: ReadOptions, labels: Path | None) -> Segmentation | None:
    """A 4D mask, each volume of which is a structure; None for anything else."""
    if options.volume is not None or not path.is_file():
        return None
    reader = find_reader(path)
    sources = _inspect(reader, path)
    if not are_layers(sources):
        return None
    return layered_segmentation(str(path), (_load(reader, source, options) for source in sources), labels)


def _renamed(found: Segmentation, table: LabelTable) -> Segmentation:
    """Labels as a file names them; those that it leaves out keep what the mask says of them."""
    kept = tuple(item for item in found.table.labels if item.value not in table.values)
    regions = table.regions or found.table.regions
    return replace(found, table=LabelTable((*table.labels, *kept), regions))


def _claims(reader: Reader, path: Path, head: bytes) -> bool:
    try:
        return reader.sniff(path, head)
    except Exception:  # noqa: BLE001 - a plugin that fails on a file does not read it, and stops no other reader
        return False


@cache
def _readers() -> tuple[Reader, ...]:
    # Scanning the entry points of everything installed takes longer than reading a small file.
    return tuple(reader for _, reader in plugins.load_all(plugins.READERS))


def _chosen(
    path: str | Path, options: ReadOptions | None, source: Source | None, *, mask: bool = False
) -> tuple[Reader, Source, ReadOptions]:
    path, options = Path(path), options or _PLAIN
    if source is not None:
        require_volume(source)
        return cast("Reader", plugins.load(plugins.READERS, source.format)), source, options
    path, part = split_part(path)
    if part is not None and options.volume is None:
        options = replace(options, volume=part)
    reader = find_reader(path)
    sources = _inspect(reader, path)
    named = choose_mask(path, sources, options) if mask else None
    if named is not None:
        return reader, named, options
    refuse_masks(path, sources, options)
    if mask and options.volume is None and any(item.volume == INDEX_VOLUME for item in sources):
        options = replace(options, volume=INDEX_VOLUME)  # a palette's entries are the labels
    return reader, choose(path, sources, options), options


def _inspect(reader: Reader, path: Path, run: Run | None = None) -> tuple[Source, ...]:
    try:
        found = reader.inspect(path, run) if isinstance(reader, DicomReader) else reader.inspect(path)
        return tuple(plausible_source(source) for source in found)
    except InputError as error:
        return (unreadable(path, reader.name, str(error)),)


def _steady(path: str | Path) -> AbstractContextManager[None]:
    """What is read inside the block, header and voxels, is that of one and the same file."""
    file, _ = split_part(path)
    require_regular(file)  # what a killed run left is completed before
    return unchanged(file)


def _files_of(source: Source) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(Path(item.file) for item in source.instances))


def _load(reader: Reader, source: Source, options: ReadOptions) -> Image:
    with unchanged(*_files_of(source)):
        image = reader.load(source, options)
    return plausible_image(apply_answers(image if image.source else replace(image, source=source), options))


def _head(path: Path) -> bytes:
    require_regular(path)
    try:
        if path.is_dir():
            return b""
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}") from error
    except ValueError as error:  # a path with a zero byte
        raise InputError(f"{path} can't be read: {error}") from error
