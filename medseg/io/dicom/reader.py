"""The reader: files → headers → series → volumes with verdicts → Image."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from medseg.domain import Grid, Image, ReadOptions, Run, Segmentation, Source
from medseg.errors import InputError
from medseg.io.dicom.archives import archive_kind
from medseg.io.dicom.beside import Beside, with_beside
from medseg.io.dicom.deflated import require_bounded
from medseg.io.dicom.files import dicom_files
from medseg.io.dicom.image.headers import Header, read_header
from medseg.io.dicom.image.load import load_volume
from medseg.io.dicom.image.volumes import series_sources
from medseg.io.dicom.mask.read import read_mask_object
from medseg.io.dicom.mask.source import is_mask_object, mask_sources
from medseg.io.dicom.opened import DICOM_SUFFIXES, is_dicom, looks_like_dicom
from medseg.io.dicom.packed import holds_dicom, listed_files, unpacked_files
from medseg.io.protocols import HEAD_BYTES, MASK_DETAIL

__all__ = ["READER", "DicomReader"]

#: Headers kept, of objects with no more frames than the second; a header is a few kilobytes.
_MOST_SEEN, _FEW_FRAMES = 8192, 4
_SEEN: dict[tuple[object, ...], Header | None] = {}


class DicomReader:
    """Reads classic and enhanced images, SEG and RTSTRUCT: from a file, a folder, a DICOMDIR, a zip or a tar."""

    name = "dicom"
    suffixes: tuple[str, ...] = ()  # a file of a series is no image by itself

    def sniff(self, path: Path, head: bytes) -> bool:
        """A folder is taken to hold DICOM; a file by its magic word or suffix."""
        if path.is_dir():
            return any(is_dicom(file) for file in dicom_files(path))
        kind = archive_kind(path, head)
        if kind is not None:
            return holds_dicom(path, kind)
        return looks_like_dicom(head) or path.suffix.lower() in DICOM_SUFFIXES

    def inspect(self, path: Path, run: Run | None = None) -> tuple[Source, ...]:
        """One Source per volume of each series, by headers only; what is no volume says what it is."""
        files = _files(path)
        return self.inspect_files(path, files if run is None else _told(files, run))

    def inspect_files(self, path: Path, files: Iterable[Path]) -> tuple[Source, ...]:
        """The same for a list of files; `path` is the folder that they are known by."""
        series: dict[str, list[Header]] = {}
        broken: dict[str, str] = {}
        strange: list[Path] = []
        for file in files:
            try:
                header = _header_of(file)
            except InputError as error:
                broken[str(file)] = str(error)
                continue
            if header is not None:
                series.setdefault(header.series, []).append(header)
            else:
                strange.append(file)
        if not series and not broken:
            raise InputError(f"{path} holds no DICOM image")
        sources = [source for headers in series.values() for source in _sources(path, headers)]
        images = tuple(Path(header.file) for headers in series.values() for header in headers)
        return tuple(with_beside(path, sources, Beside(images, broken, tuple(strange))))

    def load(self, source: Source, options: ReadOptions) -> Image:
        """Decode and rescale the slices of one volume.

        Raises
        ------
        InputError
            If its slices are no regular grid (and `options.resample` does not ask for one), or a file is
            damaged.
        """
        return load_volume(source, options)

    def load_segmentation(
        self,
        source: Source,
        options: ReadOptions,
        on: Image | Grid | None = None,
    ) -> Segmentation | None:
        """The mask that a SEG or RTSTRUCT is, on the grid of `on`; None if the source is an image.

        Raises
        ------
        InputError
            As `mask_read.read_mask_object` has it.
        """
        if source.detail(MASK_DETAIL) is None:
            return None

        return read_mask_object(source, on, options=options)


def _told(files: Iterable[Path], run: Run) -> Iterator[Path]:
    """The same files; `run` is told of each before its header is read."""
    known = list(files)
    for number, file in enumerate(known):
        run.check()
        run.progress(number, len(known), "headers")
        yield file


def _header_of(file: Path) -> Header | None:
    """`read_header`, once for each file as it stands: a study is looked through for each of its series."""
    try:
        state = file.stat()
    except OSError:
        return read_header(file)
    key = (file, state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    if key in _SEEN:
        return _SEEN[key]
    require_bounded(file)
    header = read_header(file)
    if header is None or len(header.frames) <= _FEW_FRAMES:
        if len(_SEEN) >= _MOST_SEEN:
            _SEEN.clear()
        _SEEN[key] = header
    return header


def _files(path: Path) -> Iterable[Path]:
    if path.is_dir():
        return dicom_files(path)
    with path.open("rb") as file:
        kind = archive_kind(path, file.read(HEAD_BYTES))
    if kind is not None:
        return unpacked_files(path, kind)
    return listed_files(path) or [path]


def _sources(path: Path, headers: list[Header]) -> list[Source]:
    masks = [header for header in headers if header.fault is not None and is_mask_object(header)]
    images = [header for header in headers if header not in masks]
    return mask_sources(path, masks) + (series_sources(path, images) if images else [])


READER = DicomReader()
