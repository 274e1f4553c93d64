"""Report: a Record as page, PDF and tables; on values, and on files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import medseg.reporting as room
from medseg import measuring
from medseg.domain import Image, Record, Segmentation
from medseg.domain.study import PatientFacts
from medseg.errors import InputError, MedsegError
from medseg.extras import require_extra
from medseg.io.atomic import require_absent, require_apart, write_bytes
from medseg.io.unfinished import together
from medseg.masks.onto import lies_on, onto_grid
from medseg.reporting import PageExtras, Picture, draw_tissue, to_rows
from medseg.reporting.purpose import USUAL, PageLook
from medseg.reporting.record.older import plan_of
from medseg.reporting.record.signature import unsigned
from medseg.workflows.against import against
from medseg.workflows.channels import Images, as_mapping
from medseg.workflows.identified import patient_of_images
from medseg.workflows.lookup import find_inputs
from medseg.workflows.record import read_record
from medseg.workflows.reopen import ChangedInput, as_recorded, reopen_image, reopen_mask, require_digest

if TYPE_CHECKING:
    import pandas as pd


__all__ = [
    "BesideRecord",
    "Opened",
    "PageLook",
    "ReportFiles",
    "open_inputs",
    "open_record",
    "report",
    "report_files",
    "to_dataframe",
    "write_views",
]


#: Why a Record whose input is another one now is not reviewed.
CHANGED = "An input was changed"


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where each view of the Record goes; None leaves it out.

    `long` is of many Records, whose `csv` has a row per case: their table with a row per measurement.
    """

    html: Path | None = None
    pdf: Path | None = None
    csv: Path | None = None
    xlsx: Path | None = None
    long: Path | None = None

    @property
    def given(self) -> dict[str, Path]:
        """View → path, for the views asked for."""
        paths = {"html": self.html, "pdf": self.pdf, "csv": self.csv, "xlsx": self.xlsx, "long": self.long}
        return {view: Path(path) for view, path in paths.items() if path is not None}


@dataclass(frozen=True, slots=True)
class BesideRecord:
    """What views say beside their Record; none of it enters the Record.

    Parameters
    ----------
    identified
        Every view names the patient, as the source that was measured does now.
    reference
        A mask: the page answers how far the Record's agrees with it. Tables stay without, as it says nothing of the
        patient.
    """

    identified: bool = False
    reference: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A Record with the inputs that its pictures are drawn from; `missing` says why there are none.

    Of changed ones it says so, and is not reviewed.
    """

    record: Record
    mask: Segmentation | None
    images: Mapping[str, Image]
    missing: str | None = None
    is_changed: bool = False


def report(  # noqa: PLR0913 - views and inputs by name
    record: Record,
    *,
    html: str | Path | None = None,
    pdf: str | Path | None = None,
    csv: str | Path | None = None,
    xlsx: str | Path | None = None,
    mask: Segmentation | None = None,
    images: Images | None = None,
    look: PageLook = USUAL,
    force: bool = False,
) -> dict[str, Path]:
    """Write the views asked for; pictures are drawn when the mask and its images are given.

    Parameters
    ----------
    look
        Purpose and length of the page.

    Returns
    -------
    dict
        View → path written.

    Raises
    ------
    InputError
        If no view is asked for, or mask or image are not those of the record (by digest).
    OutputError
        If a file exists and `force` is not set.
    """
    files = ReportFiles(*(None if path is None else Path(path) for path in (html, pdf, csv, xlsx)))
    channels = {} if images is None else as_mapping(images)
    if mask is not None:
        on_it = lies_on(mask.grid, record.mask.grid)
        mask = onto_grid(mask, record.mask.grid, resample=record.read.resample) if on_it else mask
        require_digest(record.mask, mask.digest)
    if len(channels) == 1 and len(record.images) == 1:
        channels = {record.images[0].channel: next(iter(channels.values()))}
    for item in record.images:
        if item.channel in channels:
            require_digest(item, channels[item.channel].digest)
    return write_views(record, files, mask=mask, images=channels, extras=PageExtras(look=look), force=force)


def report_files(
    record_path: Path,
    files: ReportFiles,
    *,
    images: Mapping[str, Path] | None = None,
    mask: Path | None = None,
    among: Sequence[Path] = (),
    beside: BesideRecord | None = None,
    look: PageLook = USUAL,
    force: bool = False,
) -> dict[str, Path]:
    """Render a Record's JSON; inputs are found by the paths in it, as given, or `among` files, by digest.

    An input that is missing or has changed leaves the page without pictures, and the page says so.

    Raises
    ------
    InputError
        If the patient is to be named, and the source is not there, is another one, or names nobody; if there is
        nothing to compare with a reference.
    """
    found = open_record(record_path, images=images, mask=mask, among=among)
    named = [record_path.parent / item.path for item in found.record.inputs if item.path]
    given = (record_path, mask, *(images or {}).values(), *among, beside.reference if beside else None)
    require_apart(files.given.values(), (*given, *named))
    extras = PageExtras(missing=found.missing, look=look, patient=_patient(found, beside))
    if beside is not None and beside.reference is not None:
        extras = against(found.record, found.mask, found.images, beside.reference, extras)
    return write_views(
        found.record,
        files,
        mask=found.mask,
        images=found.images,
        extras=extras,
        force=force,
    )


def _patient(found: Opened, beside: BesideRecord | None) -> PatientFacts | None:
    if beside is None or not beside.identified:
        return None
    if found.missing is not None:
        raise InputError(f"nobody can be named without the source that was measured: {found.missing}")
    return patient_of_images(found.images)


def open_record(
    record_path: Path,
    *,
    images: Mapping[str, Path] | None = None,
    mask: Path | None = None,
    among: Sequence[Path] = (),
) -> Opened:
    """A Record and its inputs, read again and checked by digest.

    Without inputs that can be read, and that were not given, it stands alone; one whose input was changed is
    not reviewed. `among` are files that hold what is no longer where the Record says: see `find_inputs`.
    """
    folder = record_path.parent
    record = find_inputs(read_record(record_path), folder, among)
    return open_inputs(record, folder, images=images, mask=mask)


def open_inputs(
    record: Record,
    folder: Path,
    *,
    images: Mapping[str, Path] | None = None,
    mask: Path | None = None,
) -> Opened:
    """As `open_record`, of a Record that is read already and whose paths start at `folder`."""
    try:
        segmentation = reopen_mask(record, mask or folder / record.mask.path)
        given = dict(images or {})
        if len(record.images) == 1 and len(given) == 1:
            given = {record.images[0].channel: next(iter(given.values()))}
        channels = {
            item.channel: reopen_image(record, item, given.get(item.channel, folder / item.path))
            for item in record.images
        }
    except MedsegError as error:
        if images or mask:
            raise
        changed = isinstance(error, ChangedInput)
        record = unsigned(record, CHANGED) if changed else record
        return Opened(record, None, {}, str(error), is_changed=changed)
    return Opened(record, segmentation, as_shown(record, channels))


def as_shown(record: Record, images: Mapping[str, Image]) -> dict[str, Image]:
    """Images of a Record by channel, with the modality and unit that it states; others are left out."""
    return {
        item.channel: as_recorded(item, images[item.channel])
        for item in record.images
        if item.channel in images
    }


def to_dataframe(records: Record | list[Record]) -> "pd.DataFrame":
    """One tidy row per measurement: subject, target, quantity, value, unit, status, reason, …"""
    require_extra("dataframe", "a table as DataFrame")
    import pandas as pd

    return pd.DataFrame(to_rows([records] if isinstance(records, Record) else list(records)))


def write_views(
    record: Record,
    files: ReportFiles,
    *,
    mask: Segmentation | None = None,
    images: Mapping[str, Image] | None = None,
    extras: PageExtras | None = None,
    force: bool = False,
) -> dict[str, Path]:
    """Draw what can be drawn, render each view, write it whole."""
    wanted = files.given
    if not wanted:
        raise InputError("nothing to write: give at least one of --html, --pdf, --csv, --xlsx")
    with together(*wanted.values()):
        for path in wanted.values():
            require_absent(path, force=force)
        rendered = _rendered(record, wanted, mask, images, extras or PageExtras())
        return {view: write_bytes(path, rendered[view], force=force) for view, path in wanted.items()}


def _rendered(
    record: Record,
    wanted: Iterable[str],
    mask: Segmentation | None,
    images: Mapping[str, Image] | None,
    extras: PageExtras,
) -> dict[str, bytes]:
    """Each view as bytes; all of them before the first is written."""
    shown = as_shown(record, images or {})
    pictures = extras.pictures
    if mask is not None and {"html", "pdf"} & set(wanted):
        pictures = (
            *extras.pictures,
            *room.draw(record, mask, shown, full=extras.look.full, windows=extras.look.windows),
            *_tissue_pictures(record, mask, shown),
        )
    viewer = str(room.view3d(mask)) if mask is not None and "html" in wanted else ""
    page = replace(extras, viewer=viewer)
    views: dict[str, Any] = {
        "html": lambda: room.to_html(record, pictures, page),
        "pdf": lambda: room.to_pdf(record, pictures, page),
        "csv": lambda: room.to_csv([record], extras.patient),
        "xlsx": lambda: room.to_xlsx([record], extras.patient),
        "long": lambda: room.to_csv([record], extras.patient),
    }
    return {view: views[view]() for view in wanted}


def _tissue_pictures(record: Record, mask: Segmentation, images: Mapping[str, Image]) -> tuple[Picture, ...]:
    """Tissues as a coloured slice and as a profile, where the Record holds tissue rows and its CT is at hand."""
    plan = plan_of(record).tissue
    rows = [item for item in record.measurements if item.target.kind == "tissue" and item.value is not None]
    image = images.get(rows[0].channel or "") if rows else None
    if plan is None or image is None:
        return ()
    labels, table = measuring.tissue_map(mask, image, plan)
    return draw_tissue(record, mask, image, Segmentation(labels, mask.grid, table))
