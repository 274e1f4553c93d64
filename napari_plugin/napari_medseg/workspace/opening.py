"""What a study offers, as rows of a chooser, and the values behind the rows that were chosen."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from medseg.domain import Finding, Image, Record, Run, Segmentation
from medseg.errors import InputError, MedsegError
from medseg.geometry import same_grid
from medseg.workflows import read_segmentation
from medseg.workflows.look import without_options
from medseg.workflows.study import (
    Offer,
    image_of_mask,
    images_of_case,
    open_image,
    open_mask,
    open_recorded,
)

__all__ = ["COLUMNS", "Opened", "Row", "load_rows", "rows_of", "short_name"]

#: Columns of the chooser.
COLUMNS = ("what", "description", "voxels", "spacing", "days", "findings")
_SLICES = re.compile(r",? ?\b\d+ slices?\b")
_WORDS = {"image": "image", "mask": "mask", "case": "case", "record": "report"}


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One row of the chooser: an offer, or several volumes of a series that are opened together.

    Parameters
    ----------
    offers
        More than one is a series.
    cells
        Its texts, as `COLUMNS` has them.
    notes
        All that is known against it, in full sentences.
    """

    offers: tuple[Offer, ...]
    cells: tuple[str, ...]
    notes: str = ""

    @property
    def is_open_able(self) -> bool:
        """Whether it can be opened as it is, or once its slices are evened."""
        return all(not offer.fault or offer.uneven for offer in self.offers)


@dataclass(slots=True)
class Opened:
    """Values that were read, in the order in which they lie over each other; a name for each.

    Parameters
    ----------
    images
        Name and image.
    series
        Name and volumes on one grid.
    masks
        Name, mask, and the Record that it was opened with, if it was.
    notes
        What the user must be told: what could not be opened, and why.
    """

    images: list[tuple[str, Image]] = field(default_factory=list)
    series: list[tuple[str, tuple[Image, ...]]] = field(default_factory=list)
    masks: list[tuple[str, Segmentation, Record | None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def rows_of(offers: Sequence[Offer]) -> tuple[Row, ...]:
    """Rows for offers: volumes of a series are one row that is followed by a row for each."""
    days = sorted(day for offer in offers if (day := _day(offer)) is not None)
    first = days[0] if len(set(days)) > 1 else None
    rows: list[Row] = []
    for group in _groups(offers):
        if len(group) > 1:
            what, description, *rest = _cells(group[0], first)
            name = description.removesuffix(str(group[0].source and group[0].source.volume)).strip()
            rows.append(
                Row(group, (what, f"{name} · {len(group)} volumes, with a slider", *rest), _notes(group[0]))
            )
        rows += [Row((offer,), _cells(offer, first), _notes(offer)) for offer in group]
    return tuple(rows)


def load_rows(
    rows: Iterable[Row], known: Sequence[Image] = (), *, as_mask: bool = False, run: Run | None = None
) -> Opened:
    """Read what was chosen; images first, so that SEG and RTSTRUCT find theirs among them and those `known`.

    Parameters
    ----------
    as_mask
        Read files of whole numbers as masks, whatever they look like.
    run
        Progress by row, and cancel between two.
    """
    run, found = run or Run(), Opened()
    chosen = sorted(rows, key=lambda row: row.offers[0].kind == "mask")
    for number, row in enumerate(chosen):
        run.check()
        run.progress(number, len(chosen), row.cells[1])
        try:
            _load(row, found, known, as_mask=as_mask, run=run)
        except MedsegError as error:
            found.notes.append(f"{row.cells[1]}: {without_options(str(error)) or error}")
    found.images.sort(key=lambda item: item[1].is_pet)
    return found


def _load(row: Row, found: Opened, known: Sequence[Image], *, as_mask: bool, run: Run) -> None:
    offer = row.offers[0]
    if len(row.offers) > 1:
        volumes = []
        for item in row.offers:
            run.check()
            volumes.append(open_image(item))
        found.series.append((offer.path.name, tuple(volumes)))
    elif offer.kind == "record":
        _load_record(offer, found)
    elif offer.case is not None:
        _load_case(offer, found)
    elif offer.kind == "mask" or as_mask:
        on = image_of_mask(offer, [*(image for _, image in found.images), *known])
        found.masks.append((short_name(offer), open_mask(offer, on=on), None))
    else:
        found.images.append((short_name(offer), open_image(offer, resample=offer.uneven)))


def _load_record(offer: Offer, found: Opened) -> None:
    study = open_recorded(offer)
    found.images += [(image.channel, image) for image in study.images]
    found.masks.append((f"{offer.name} mask", study.mask, study.record))
    found.notes += [without_options(text) or text for text in study.missing]


def _load_case(offer: Offer, found: Opened) -> None:
    if offer.case is None:
        raise InputError(f"{offer.name} is no case")
    images = list(images_of_case(offer.case))
    found.images += [(f"{offer.name} {image.channel}", image) for image in images]
    if offer.case.reference is not None:
        on = images[0] if images else None
        found.masks.append((f"{offer.name} reference", read_segmentation(offer.case.reference, on=on), None))


def _groups(offers: Sequence[Offer]) -> Iterator[tuple[Offer, ...]]:
    """Offers that follow each other and are volumes of one series on one grid."""
    group: list[Offer] = []
    for offer in offers:
        if group and not _together(group[0], offer):
            yield tuple(group)
            group = []
        group.append(offer)
    if group:
        yield tuple(group)


def _together(a: Offer, b: Offer) -> bool:
    one, other = a.source, b.source
    if a.kind != "image" or b.kind != "image" or a.path != b.path or one is None or other is None:
        return False
    if a.fault or b.fault or one.volume is None or other.volume is None or one.series_uid != other.series_uid:
        return False
    return one.grid is not None and other.grid is not None and same_grid(one.grid, other.grid)


def _cells(offer: Offer, first: date | None) -> tuple[str, ...]:
    source = offer.source
    what = _WORDS[offer.kind]
    if offer.kind == "image" and source is not None and source.modality:
        what = source.modality
    if offer.case is not None:
        channels = ", ".join(file.channel for file in offer.case.images)
        said = "image and mask" if offer.case.reference else "image"
        return what, offer.name, "", "", "", f"{channels}: {said}"
    grid = None if source is None else source.grid
    size = "" if grid is None else " × ".join(map(str, grid.shape))
    spacing = "" if grid is None else f"{' × '.join(f'{step:.3g}' for step in grid.spacing)} {grid.unit}"
    day = _day(offer)
    days = "" if first is None or day is None else f"+{(day - first).days}"
    return what, short_name(offer), size, spacing, days, _short(offer)


def short_name(offer: Offer) -> str:
    """What an offer is called in a list: its structures, or its description without what the columns say.

    Examples
    --------
    >>> from pathlib import Path
    >>> short_name(Offer("image", "T1 axial, 35 slices", Path("study")))
    'T1 axial'
    """
    structures = None if offer.source is None else offer.source.detail("structures")
    if structures and offer.source is not None:
        return f"{structures} ({offer.source.modality})"
    return _SLICES.sub("", offer.name).strip() or offer.name


def _short(offer: Offer) -> str:
    """What is known against an offer in a few words."""
    if offer.fault:
        return "uneven slices: opened resampled" if offer.uneven else "can't be opened"
    known = [item for item in _findings(offer) if item.severity != "info"]
    return "" if not known else f"{len(known)} warning{'s' if len(known) > 1 else ''}"


def _notes(offer: Offer) -> str:
    said = [without_options(offer.fault)] if offer.fault else []
    said += [without_options(item.message) for item in _findings(offer) if item.severity != "info"]
    return "\n".join(dict.fromkeys(filter(None, said)))


def _findings(offer: Offer) -> tuple[Finding, ...]:
    return () if offer.source is None else offer.source.findings


def _day(offer: Offer) -> date | None:
    acquired = None if offer.source is None else offer.source.acquired
    return None if not acquired else date.fromisoformat(acquired[:10])
