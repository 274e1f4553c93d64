"""Report: a Record as page, PDF and tables; on values, and on files."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import medseg.reporting as room
from medseg import measuring
from medseg.domain import Image, Measurement, Record, Run, Segmentation
from medseg.domain.values import digest_of_plain
from medseg.errors import InputError, MedsegError
from medseg.extras import require_extra
from medseg.io.atomic import require_absent, write_bytes
from medseg.io.unfinished import together
from medseg.masks.onto import lies_on, onto_grid
from medseg.reporting import Picture, draw_tissue, to_rows
from medseg.reporting.record.json import content_digest
from medseg.reporting.record.older import plan_of
from medseg.reporting.record.signature import unsigned
from medseg.workflows.batch import CaseResult, each, make_folder, only
from medseg.workflows.channels import Images, as_mapping
from medseg.workflows.ledger import file_digest, ledger_path, open_ledger
from medseg.workflows.record import is_record, read_record
from medseg.workflows.reopen import ChangedInput, as_recorded, reopen_image, reopen_mask, require_digest

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["ReportFiles", "records_by_stem", "report", "report_cases", "report_files", "to_dataframe"]


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where each view of the Record goes; None leaves it out."""

    html: Path | None = None
    pdf: Path | None = None
    csv: Path | None = None
    xlsx: Path | None = None

    @property
    def given(self) -> dict[str, Path]:
        """View → path, for the views asked for."""
        paths = {"html": self.html, "pdf": self.pdf, "csv": self.csv, "xlsx": self.xlsx}
        return {view: Path(path) for view, path in paths.items() if path is not None}


def report(
    record: Record,
    *,
    html: str | Path | None = None,
    pdf: str | Path | None = None,
    csv: str | Path | None = None,
    xlsx: str | Path | None = None,
    mask: Segmentation | None = None,
    images: Images | None = None,
    force: bool = False,
) -> dict[str, Path]:
    """Write the views asked for; pictures are drawn when the mask and its images are given.

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
    return write_views(record, files, mask=mask, images=channels, force=force)


def report_files(
    record_path: Path,
    files: ReportFiles,
    *,
    images: Mapping[str, Path] | None = None,
    mask: Path | None = None,
    force: bool = False,
) -> dict[str, Path]:
    """Render a Record's JSON; inputs are found by the paths in it, or as given, and checked by digest.

    An input that is missing or has changed leaves the page without pictures, and the page says so.
    """
    record = read_record(record_path)
    folder = record_path.parent
    try:
        segmentation = reopen_mask(record, mask or folder / record.mask.path)
        given = dict(images or {})
        if len(record.images) == 1 and len(given) == 1:
            given = {record.images[0].channel: next(iter(given.values()))}
        channels = {
            item.channel: reopen_image(record, item, given.get(item.channel, folder / item.path))
            for item in record.images
        }
        missing = None
    except MedsegError as error:
        if images or mask:
            raise
        segmentation, channels, missing = None, {}, str(error)
        if isinstance(error, ChangedInput):
            record = unsigned(record, "An input was changed")
    return write_views(record, files, mask=segmentation, images=channels, missing=missing, force=force)


def report_cases(
    records: Mapping[str, tuple[Path, ...]],
    files: ReportFiles,
    *,
    force: bool = False,
    run: Run | None = None,
) -> tuple[CaseResult, ...]:
    """Pages of many Records into folders, one page each by its name; all numbers in one table.

    Parameters
    ----------
    records
        Files by stem, see `records_by_stem`.
    files
        `html` and `pdf` are folders, `csv` and `xlsx` files. What stands and is asked for alike is kept.
    """
    folders = {view: path for view, path in files.given.items() if view in ("html", "pdf")}
    tables = {view: path for view, path in files.given.items() if view not in folders}
    if not files.given:
        raise InputError("nothing to write: give at least one of --html, --pdf, --csv, --xlsx")
    for folder in (*folders.values(), *(path.parent for path in tables.values())):
        make_folder(folder)
    home = next(iter(folders.values()), None) or next(iter(tables.values())).parent
    ledger = open_ledger(ledger_path(home, "report"), "report")

    def page(case: str) -> CaseResult:
        path = only(records[case])
        views = {view: folder / f"{case}.{view}" for view, folder in folders.items()}

        def make(replaces: bool) -> None:  # noqa: FBT001 - the ledger's signature
            report_files(path, ReportFiles(**views), force=replaces)

        return ledger.settle(case, _asked_of_page(path, views), tuple(views.values()), make, force=force)[0]

    def table(case: str) -> CaseResult:
        readable = [paths[0] for paths in records.values() if len(paths) == 1 and is_record(paths[0])]
        found = [read_record(path) for path in readable]

        def make(replaces: bool) -> None:  # noqa: FBT001 - the ledger's signature
            makers: dict[str, Any] = {"csv": room.to_csv, "xlsx": room.to_xlsx}
            for view, path in tables.items():
                write_bytes(path, makers[view](found), force=replaces)

        asked = {"records": digest_of_plain([content_digest(record) for record in found])}
        return ledger.settle(case, asked, tuple(tables.values()), make, force=force)[0]

    run = run or Run()
    results = each(records, page if folders else _read_only(records), run, "report")
    results = results if folders else tuple(item for item in results if item.state == "failed")
    return (*results, *each(["all records"], table, run, "report")) if tables else results


def _read_only(records: Mapping[str, tuple[Path, ...]]) -> Callable[[str], CaseResult]:
    """Where only tables are written, a Record that can't be read is named all the same."""

    def one(case: str) -> CaseResult:
        read_record(only(records[case]))
        return CaseResult(case, "done", 0.0)

    return one


def records_by_stem(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Records (JSON) of a folder by stem; other JSON files are left out, but not Records that are damaged.

    Raises
    ------
    InputError
        If there are none.
    """
    found: dict[str, tuple[Path, ...]] = {
        path.stem: (path,) for path in sorted(folder.glob("*.json")) if _may_be_record(path)
    }
    if not found:
        raise InputError(f"{folder} holds no records; 'medseg measure' writes them")
    return found


def _may_be_record(path: Path) -> bool:
    """Whether a JSON says that it is a Record, or is damaged so that it can't say."""
    if path.name.endswith((".seg.json", ".prob.json")):
        return False
    if is_record(path):
        return True
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return True
    return isinstance(found, dict) and str(found.get("schema", "")).startswith("medseg.record/")


def _asked_of_page(path: Path, views: Mapping[str, Path]) -> dict[str, str]:
    """A page is made of its Record, and of the inputs whose pictures it shows."""
    record = read_record(path)
    inputs = [file_digest(path.parent / item.path) for item in record.inputs if item.path]
    return {
        "the record": file_digest(path),
        "an input": digest_of_plain(inputs),
        "the views": digest_of_plain(sorted(views)),
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
    missing: str | None = None,
    comparison: tuple[Measurement, ...] = (),
    force: bool = False,
) -> dict[str, Path]:
    """Draw what can be drawn, render each view, write it whole."""
    wanted = files.given
    if not wanted:
        raise InputError("nothing to write: give at least one of --html, --pdf, --csv, --xlsx")
    with together(*wanted.values()):
        for path in wanted.values():
            require_absent(path, force=force)
        rendered = _rendered(record, wanted, mask, images, extras=(comparison, missing))
        return {view: write_bytes(path, rendered[view], force=force) for view, path in wanted.items()}


def _rendered(
    record: Record,
    wanted: Iterable[str],
    mask: Segmentation | None,
    images: Mapping[str, Image] | None,
    *,
    extras: tuple[tuple[Measurement, ...], str | None],
) -> dict[str, bytes]:
    """Each view as bytes; all of them before the first is written."""
    given = images or {}
    shown = {
        item.channel: as_recorded(item, given[item.channel])
        for item in record.images
        if item.channel in given
    }
    pictures: tuple[Picture, ...] = ()
    if mask is not None and {"html", "pdf"} & set(wanted):
        pictures = (*room.draw(record, mask, shown), *_tissue_pictures(record, mask, shown))
    viewer = str(room.view3d(mask)) if mask is not None and "html" in wanted else ""
    page = room.PageExtras(comparison=extras[0], missing=extras[1], viewer=viewer)
    views: dict[str, Any] = {
        "html": lambda: room.to_html(record, pictures, page),
        "pdf": lambda: room.to_pdf(record, pictures, page),
        "csv": lambda: room.to_csv([record]),
        "xlsx": lambda: room.to_xlsx([record]),
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
