"""Publish: a mask as it is now, its numbers and every view of them in one folder, whole or not at all.

What it writes is what `segment`, `measure`, `report`, `export` and `sign` write one after the other, from values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from medseg.domain import Grid, Image, ReadOptions, Record, Run, Segmentation
from medseg.domain.plan import MeasurePlan
from medseg.domain.record import Review
from medseg.errors import InputError, MedsegError, MissingExtra
from medseg.extras import require_extra
from medseg.geometry import same_grid
from medseg.io import read, require_writable, write_image, write_segmentation
from medseg.io.dicom.derived.origin import lies_on_series
from medseg.io.suffixes import WRITTEN_SUFFIXES
from medseg.io.unfinished import together
from medseg.reporting import PageExtras
from medseg.reporting.purpose import USUAL, PageLook
from medseg.reporting.record.signature import unsigned
from medseg.workflows.export import KINDS, ExportOptions, export, series_of
from medseg.workflows.measure import measure
from medseg.workflows.record import write_record
from medseg.workflows.report import ReportFiles, write_views
from medseg.workflows.verify import sign_files

__all__ = ["RECORD", "VIEWS", "PublishOptions", "Published", "obstacles", "publish", "sign_published"]

#: View → name of its file; the Record and the mask are always written.
VIEWS = {
    "html": "report.html",
    "pdf": "report.pdf",
    "csv": "measurements.csv",
    "xlsx": "measurements.xlsx",
}
RECORD, MASK, COPY = "record.json", "mask", "image"
#: Kinds that are made of the pages of the PDF.
_PAGES = ("dicom-pdf", "secondary-capture")


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """What is written beside the Record and the mask, and how.

    Parameters
    ----------
    views, kinds
        Of `VIEWS`, and of `export.KINDS`.
    subject, plan, same_space
        As `measure` takes them.
    look
        As `report` takes it; its windows hold for the pages in DICOM too.
    replaces
        The signed review that this Record takes the place of, because `why` its mask, images or findings changed:
        it says so, and is not reviewed.
    force
        Whether what stands in the folder under these names may be replaced.
    """

    views: tuple[str, ...] = ("html",)
    kinds: tuple[str, ...] = ()
    subject: str | None = None
    plan: MeasurePlan | None = None
    same_space: bool = False
    look: PageLook = USUAL
    replaces: Review | None = None
    why: str = "The mask was changed"
    force: bool = False

    def __post_init__(self) -> None:
        unknown = [name for name in (*self.views, *self.kinds) if name not in (*VIEWS, *KINDS)]
        if unknown:
            raise InputError(f"{unknown[0]!r} is none of the views {', '.join((*VIEWS, *KINDS))}")


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """The Record that was written, where each file went, and how it was asked for.

    `copied` names the images that no file holds as they were measured: they were written beside the mask.
    """

    folder: Path
    record: Record
    files: Mapping[str, Path]
    options: PublishOptions
    copied: tuple[str, ...] = ()

    @property
    def record_path(self) -> Path:
        """The Record's JSON, which `medseg verify` takes."""
        return self.folder / RECORD


def obstacles(grid: Grid, images: Mapping[str, Image], *, is_empty: bool) -> dict[str, str]:
    """View or kind → why it can't be written of a mask on `grid` with these images; what can be is not in it.

    Under the name `mask` stands why nothing can be, where no format holds the mask.
    """
    found: dict[str, str] = {}
    try:
        _suffix(grid)
    except MedsegError as error:
        found["mask"] = str(error)
    without_pages = _missing("pdf", "a PDF")
    if without_pages:
        found["pdf"] = without_pages
    fault = _no_series(grid, images)
    for kind in KINDS:
        if kind == "fhir":
            continue
        if fault:
            found[kind] = fault
        elif kind in _PAGES and without_pages:
            found[kind] = without_pages
        elif is_empty and kind in ("seg", "rtstruct", "key-images"):
            found[kind] = "the mask is empty"
    return found


def publish(
    segmentation: Segmentation,
    images: Mapping[str, Image],
    folder: Path,
    options: PublishOptions,
    run: Run | None = None,
) -> Published:
    """Measure a mask on its images, and write mask, Record and views into `folder`: all of them or none.

    An image is named by the file it was read from; one that no file holds as it is now is written beside the mask.

    Raises
    ------
    InputError, GridMismatchError
        As `measure`, `report` and `export`; `obstacles` tells most of it before.
    OutputError
        If a file is there already and `force` is not set, or can't be written.
    Cancelled
        If the run was stopped; nothing was written.
    """
    run = run or Run()
    folder = folder.absolute()
    with together(folder):
        run.progress(0, 4, "finding the files of the images")
        segmentation, images = _storable(segmentation, images)
        named, places = _named(images, folder, options, run)
        run.progress(1, 4, "measuring")
        record = measure(
            segmentation,
            named or None,
            subject=options.subject,
            same_space=options.same_space,
            plan=options.plan,
        )
        run.check()
        mask = write_segmentation(
            segmentation, folder / f"{MASK}{_suffix(segmentation.grid)}", force=options.force
        )
        inputs = tuple(replace(item, path=str(places.get(item.channel, mask))) for item in record.inputs)
        record = replace(record, inputs=inputs)
        if options.replaces is not None:
            record = unsigned(replace(record, review=options.replaces), options.why)
        write_record(record, folder / RECORD, force=options.force)
        copied = tuple(name for name, path in places.items() if path.parent == folder)
        made = Published(folder, record, {"mask": mask, "json": folder / RECORD}, options, copied)
        return _with_views(made, segmentation, named, run)


def sign_published(
    published: Published,
    segmentation: Segmentation,
    images: Mapping[str, Image],
    *,
    name: str,
    organization: str,
    key: Path | None = None,
    run: Run | None = None,
) -> Published:
    """Sign a published Record as `medseg sign` does, and write its views again, which then name the reader.

    Everything is checked on the files, and the numbers are computed again; it is signed with all its views or not.

    Raises
    ------
    InputError
        If mask, images or numbers are not those that were published, or it is signed already.
    """
    run = run or Run()
    with together(published.folder):
        run.progress(0, 4, "checking every file and number again")
        record = sign_files(published.record_path, name=name, organization=organization, key=key)
        run.check()
        options = replace(published.options, force=True)
        signed = replace(published, record=record, options=options)
        segmentation, images = _storable(segmentation, images)
        named = {
            channel: replace(image, source=None) if channel in published.copied else image
            for channel, image in images.items()
        }
        return _with_views(signed, segmentation, named, run)


def _with_views(
    made: Published, segmentation: Segmentation, images: Mapping[str, Image], run: Run
) -> Published:
    """The pages, tables and objects of what was measured; the last step at which a run can be stopped."""
    options, record = made.options, made.record
    files = dict(made.files)
    run.progress(2, 4, "drawing pages and tables")
    if options.views:
        paths = {view: made.folder / VIEWS[view] for view in options.views}
        files |= write_views(
            record,
            ReportFiles(**paths),
            mask=segmentation,
            images=images,
            extras=PageExtras(look=options.look),
            force=options.force,
        )
    run.check()
    run.progress(3, 4, "writing objects")
    if options.kinds:
        asked = ExportOptions(options.kinds, force=options.force, windows=options.look.windows)
        objects = export(record, segmentation, images, made.folder, asked)
        files |= {name: item.path for name, item in objects.items()}
    run.check()
    run.progress(4, 4, "done")
    return replace(made, files=files)


def _storable(
    segmentation: Segmentation, images: Mapping[str, Image]
) -> tuple[Segmentation, Mapping[str, Image]]:
    """Mask and images as files can hold them: where nobody knows how they lie in the patient, as they are stored.

    Without an orientation a file has sizes of voxels and no place.
    """
    grid = segmentation.grid
    stored = replace(grid, affine=np.diag([*grid.spacing, 1.0]))
    known = grid.unit == "px" or grid.orientation_known or grid.is_sheared
    if known or not all(same_grid(image.grid, grid) for image in images.values()):
        return segmentation, images
    if np.array_equal(grid.affine, stored.affine):
        return segmentation, images
    moved = {name: replace(image, grid=stored) for name, image in images.items()}
    return replace(segmentation, grid=stored), moved


def _named(
    images: Mapping[str, Image], folder: Path, options: PublishOptions, run: Run
) -> tuple[dict[str, Image], dict[str, Path]]:
    """Images, and where each lies as it is now: in the file it was read from, else written into the folder."""
    named, places = {}, {}
    for name, image in images.items():
        run.check()
        place = _place_of(image)
        named[name] = image if place is not None else replace(image, source=None)
        if place is None:
            suffix = (
                _suffix(image.grid) if image.array.dtype.kind in "iu" or image.grid.unit == "mm" else ".tif"
            )
            place = folder / f"{COPY}-{name}{suffix}"
            write_image(image, place, force=options.force)
        places[name] = place
    return named, places


def _place_of(image: Image) -> Path | None:
    """The file or folder that gives this very image when it is read without further words; None where none does."""
    source = image.source
    if source is None or not source.uri:
        return None
    try:
        found = read(Path(source.uri), options=ReadOptions(series=source.series_uid, volume=source.volume))
    except MedsegError:
        return None
    same = found.digest == image.digest and same_grid(found.grid, image.grid)
    return Path(source.uri).absolute() if same else None


def _suffix(grid: Grid) -> str:
    """Ending of a format that holds labels on this grid."""
    faults = []
    for suffix in WRITTEN_SUFFIXES:
        try:
            require_writable(f"{MASK}{suffix}", grid)
        except MedsegError as error:
            faults.append(str(error))
        else:
            return suffix
    raise InputError(faults[0])


def _missing(extra: str, purpose: str) -> str:
    try:
        require_extra(extra, purpose)
    except MissingExtra as error:
        return str(error)
    return ""


def _no_series(grid: Grid, images: Mapping[str, Image]) -> str:
    """Why DICOM can't refer to the images that a mask was drawn on; empty where it can."""
    if grid.unit == "px":
        return "the image has no size in mm, which DICOM needs"
    series = [source for image in images.values() if (source := series_of(image)) is not None]
    if not series:
        return "no image here is a DICOM series, which this refers to"
    if not any(source.grid is not None and lies_on_series(grid, source.grid) for source in series):
        return "the mask does not lie on the slices of the DICOM series"
    return ""
