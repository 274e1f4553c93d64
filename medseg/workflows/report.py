"""Report: a Record as page, PDF and tables; on values, and on files."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medseg.domain import Image, InputRef, Measurement, Record, Segmentation
from medseg.errors import InputError, MedsegError
from medseg.geometry import compare_grids
from medseg.workflows.channels import Images, as_mapping
from medseg.workflows.reading import options_from_settings
from medseg.workflows.record import read_record

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ReportFiles", "report", "report_files", "to_dataframe"]


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
        _require_digest(record.mask, mask.digest)
    if len(channels) == 1 and len(record.images) == 1:
        channels = {record.images[0].channel: next(iter(channels.values()))}
    for item in record.images:
        if item.channel in channels:
            _require_digest(item, channels[item.channel].digest)
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
        segmentation = _read_mask(record, mask or folder / record.mask.path)
        given = dict(images or {})
        if len(record.images) == 1 and len(given) == 1:
            given = {record.images[0].channel: next(iter(given.values()))}
        channels = {
            item.channel: _read_image(record, item, given.get(item.channel, folder / item.path))
            for item in record.images
        }
        missing = None
    except MedsegError as error:
        if images or mask:
            raise
        segmentation, channels, missing = None, {}, str(error)
    return write_views(record, files, mask=segmentation, images=channels, missing=missing, force=force)


def to_dataframe(records: Record | list[Record]) -> "pd.DataFrame":
    """One tidy row per measurement: subject, target, quantity, value, unit, status, reason, …"""
    import pandas as pd

    from medseg.reporting import to_rows

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
    import medseg.reporting as room
    from medseg.io.atomic import require_absent, write_bytes

    wanted = files.given
    if not wanted:
        raise InputError("nothing to write: give at least one of --html, --pdf, --csv, --xlsx")
    for path in wanted.values():
        require_absent(path, force=force)
    given = images or {}
    shown = {
        item.channel: _as_recorded(item, given[item.channel])
        for item in record.images
        if item.channel in given
    }
    pictures = room.draw(record, mask, shown) if mask is not None and {"html", "pdf"} & set(wanted) else ()
    extras = room.PageExtras(comparison=comparison, missing=missing)
    views: dict[str, Any] = {
        "html": lambda: room.to_html(record, pictures, extras),
        "pdf": lambda: room.to_pdf(record, pictures, extras),
        "csv": lambda: room.to_csv([record]),
        "xlsx": lambda: room.to_xlsx([record]),
    }
    rendered = {view: views[view]() for view in wanted}
    return {view: write_bytes(path, rendered[view], force=force) for view, path in wanted.items()}


def _require_digest(item: InputRef, digest: str) -> None:
    if item.digest != digest:
        what = item.channel or "mask"
        raise InputError(
            f"this {what} is not the one that was measured: its voxels differ (digest {digest[:8]})"
        )


def _read_mask(record: Record, path: Path) -> Segmentation:
    from medseg.io import read_segmentation

    item = record.mask
    if not item.path and not path.is_file():
        raise InputError("the record does not say where its mask lies")
    found = read_segmentation(path, options=options_from_settings(record.settings))
    _require_digest(item, found.digest)
    return found


def _as_recorded(item: InputRef, image: Image) -> Image:
    """The image with the modality and unit that the Record states: a declared unit is in no file."""
    unit = item.value_unit or image.value_unit
    return replace(image, channel=item.channel, modality=item.modality, value_unit=unit)


def _read_image(record: Record, item: InputRef, path: Path) -> Image:
    from medseg.io import read

    if not item.path and not path.exists():
        raise InputError(f"the record does not say where image {item.channel!r} lies")
    options = options_from_settings(record.settings, series=item.series_uid, volume=item.volume)
    found = read(path, options=options)
    _require_digest(item, found.digest)
    comparison = compare_grids(found.grid, item.grid)
    if comparison.fault:
        raise InputError(
            f"image {item.channel!r} lies elsewhere than when it was measured: {comparison.fault}"
        )
    return found
