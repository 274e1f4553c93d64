"""What a folder or files offer to be opened: images, masks, cases, records; headers are read once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from medseg import io
from medseg.domain import Case, Image, ReadOptions, Record, Run, Segmentation, Source
from medseg.domain.source import Verdict
from medseg.errors import InputError, MedsegError
from medseg.io import inspect, is_dataset, open_dataset
from medseg.io.dicom.mask.source import series_of_mask
from medseg.io.names import stem_of
from medseg.io.protocols import MASK_DETAIL
from medseg.io.sidecar import has_sidecar
from medseg.io.suffixes import image_suffixes
from medseg.workflows.record import is_record, read_record
from medseg.workflows.reopen import reopen_image, reopen_mask

__all__ = [
    "Offer",
    "RecordedStudy",
    "find_offers",
    "image_of_mask",
    "images_of_case",
    "open_image",
    "open_mask",
    "open_recorded",
]

Kind = Literal["image", "mask", "case", "record"]
_SIDECAR = ".seg.json"
_UNEVEN = (Verdict.GAP, Verdict.VARIABLE)


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """One thing that can be opened.

    Parameters
    ----------
    kind
        `image` and `mask` are read by `open_image` and `open_mask`, `record` by `open_recorded`; a `case` of a
        dataset is what `images` and `reference` of it name.
    name
        A line for people.
    path
        The file or folder that was looked at.
    source
        What its header says; None of cases and records.
    case
        Of a dataset.
    fault
        Why it can't be opened as it is; empty if it can.
    uneven
        Whether it can be opened once it is resampled to even slices.
    """

    kind: Kind
    name: str
    path: Path
    source: Source | None = None
    case: Case | None = None
    fault: str = ""
    uneven: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RecordedStudy:
    """A Record with the mask and the images that it was measured on, checked by digest.

    `missing` says of each image that can't be opened why.
    """

    record: Record
    mask: Segmentation
    images: tuple[Image, ...]
    missing: tuple[str, ...] = ()


def find_offers(paths: Sequence[str | Path], *, run: Run | None = None) -> tuple[Offer, ...]:
    """What paths offer, by headers only; a path that offers nothing is an offer with its fault.

    Parameters
    ----------
    paths
        Files and folders. A folder is a dataset, or holds DICOM series, files of other formats, and records.
    run
        Progress by file, and cancel.
    """
    run = run or Run()
    return tuple(offer for path in paths for offer in _offers(Path(path), run))


def open_image(offer: Offer, *, resample: bool = False) -> Image:
    """The image, from the header that was read already; `resample` puts uneven slices on an even grid.

    Raises
    ------
    InputError
        If it is damaged, or no image.
    """
    if offer.source is None:
        raise InputError(f"{offer.name} is no image")
    return io.read(offer.path, source=offer.source, options=ReadOptions(resample=resample))


def open_mask(offer: Offer, *, on: Image | None = None) -> Segmentation:
    """The mask, with the names and the history of its sidecar where it has one; any file of whole numbers will do.

    Parameters
    ----------
    on
        The image that it belongs to: SEG and RTSTRUCT come back on its grid.

    Raises
    ------
    InputError
        If it is damaged or belongs to another image; LabelError if its values are no labels.
    """
    source = offer.source
    if source is None:
        raise InputError(f"{offer.name} is no mask")
    if source.detail(MASK_DETAIL) is None:
        options = ReadOptions(volume=source.volume, series=source.series_uid)
        return io.read_segmentation(offer.path, options=options, on=on)
    return io.read_segmentation(Path(source.instances[0].file), on=on)


def image_of_mask(offer: Offer, images: Sequence[Image]) -> Image | None:
    """Which of these images a SEG or RTSTRUCT says that it was made from; None for any other mask.

    Examples
    --------
    >>> image_of_mask(Offer("mask", "tumour", Path("tumour.nii.gz")), ())
    """
    if offer.source is None or offer.source.detail(MASK_DETAIL) is None:
        return None
    series = series_of_mask(Path(offer.source.instances[0].file)) or frozenset()
    fits = (image for image in images if image.source is not None and image.source.series_uid in series)
    return next(fits, None)


def open_recorded(offer: Offer) -> RecordedStudy:
    """The Record of an offer with its mask and images, as they were measured.

    Raises
    ------
    InputError
        If it is no record, or its mask is not there or was changed since; images may be missing.
    """
    record = read_record(offer.path)
    folder = offer.path.parent
    mask = reopen_mask(record, folder / record.mask.path)
    images, missing = [], []
    for item in record.inputs:
        if item.role != "image":
            continue
        try:
            image = reopen_image(record, item, folder / item.path)
        except InputError as error:
            missing.append(str(error))
        else:
            images.append(replace(image, channel=item.channel))
    return RecordedStudy(record, mask, tuple(images), tuple(missing))


def images_of_case(case: Case) -> Iterator[Image]:
    """The images of a case of a dataset, by channel."""
    for file in case.images:
        options = ReadOptions(volume=file.volume, series=file.series)
        yield replace(io.read(Path(file.path), options=options), channel=file.channel)


def _offers(path: Path, run: Run) -> Iterator[Offer]:
    run.check()
    if path.is_file() and path.suffix == ".json" and is_record(path):
        yield Offer("record", path.stem, path)
    elif path.exists() and is_dataset(path):
        yield from _cases(path)
    elif path.is_dir():
        yield from _folder(path, run)
    else:
        yield from _file(path, run)


def _cases(path: Path) -> tuple[Offer, ...]:
    try:
        return tuple(Offer("case", case.id, path, case=case) for case in open_dataset(path).cases)
    except InputError as error:
        return (Offer("case", path.name, path, fault=str(error)),)


def _folder(path: Path, run: Run) -> Iterator[Offer]:
    """DICOM below the folder as one study; files of other formats, and records, that lie in it."""
    files = [item for item in sorted(path.iterdir()) if item.is_file() and _stands_alone(item)]
    found = False
    for offer in (*_study(path, run), *_each(files, run)):
        found = True
        yield offer
    if not found:
        yield Offer("image", path.name, path, fault=f"{path.name} holds nothing that medseg reads")


def _study(path: Path, run: Run) -> tuple[Offer, ...]:
    try:
        return tuple(_offer(path, source, "") for source in inspect(path, run=run))
    except InputError:  # no DICOM below it
        return ()


def _each(files: Iterable[Path], run: Run) -> Iterator[Offer]:
    known = list(files)
    for number, file in enumerate(known):
        run.progress(number, len(known), file.name)
        yield from _offers(file, run)


def _file(path: Path, run: Run) -> tuple[Offer, ...]:
    try:
        sources = inspect(path, run=run)
    except MedsegError as error:
        return (Offer("image", path.name, path, fault=str(error)),)
    kind: Kind = "mask" if has_sidecar(path) else "image"
    return tuple(_offer(path, source, stem_of(path), kind) for source in sources)


def _offer(path: Path, source: Source, stem: str, kind: Kind = "image") -> Offer:
    name = " ".join(part for part in (stem, source.description, source.volume) if part) or path.name
    if source.detail(MASK_DETAIL) is not None:
        return Offer("mask", name, path, source)
    reasons = [item.message for item in source.findings if item.severity == "error"]
    refused = source.grid is None or source.verdict is Verdict.NOT_A_VOLUME
    fault = (reasons[0] if reasons else source.verdict.value) if refused else ""
    return Offer(kind, name, path, source, fault=fault, uneven=source.verdict in _UNEVEN)


def _stands_alone(path: Path) -> bool:
    """Whether a file of a folder is something to open by itself; a slice of a series is not."""
    name = path.name.lower()
    if name.endswith(".json"):
        return not name.endswith(_SIDECAR) and is_record(path)
    return name.endswith(image_suffixes())
